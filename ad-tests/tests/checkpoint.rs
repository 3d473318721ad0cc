//! `#[differentiable(checkpoint)]`: the same derivatives, of long loops in little memory.
#![allow(missing_docs)]
#![forbid(unsafe_code)]

use ad_runtime::differentiable;

macro_rules! orbit {
    ($name:ident, $option:meta) => {
        #[differentiable($option)]
        fn $name(x: &[f64], steps: usize) -> f64 {
            let (mut p, mut q) = (x[0], x[1]);
            for t in 0..steps {
                p += 1e-3 * q.sin() + 1e-9 * t as f64;
                q -= 1e-3 * p * x[0];
            }
            p * q
        }
    };
}
orbit!(plain, wrt(x));
orbit!(orbit, checkpoint);
orbit!(orbit_2, checkpoint(runs = 2));

const X: [f64; 2] = [0.7, 0.4];
const V: [f64; 2] = [1.0, -0.5];

#[test]
fn scalars_that_loops_carry() {
    // Fewer rounds than a segment has, whole segments, and a segment that is cut short; none at all.
    for steps in [0, 1, 2, 16, 17, 1000] {
        let (mut g, mut hv, mut wanted_g, mut wanted_hv) = ([0.0; 2], [0.0; 2], [0.0; 2], [0.0; 2]);
        let value = orbit_grad_hvp(&X, steps, &V, &mut g, &mut hv);
        let wanted = plain_grad_hvp(&X, steps, &V, &mut wanted_g, &mut wanted_hv);
        assert_eq!((value, g, hv), (wanted, wanted_g, wanted_hv), "{steps} steps");
        orbit_hvp_rev(&X, steps, &V, &mut hv);
        hv.iter().zip(wanted_hv).for_each(|(a, b)| assert!((a - b).abs() <= 1e-12 * (1.0 + b.abs())));
    }
}

/// Over a range of another type that does not begin at zero.
#[differentiable(checkpoint(runs = 3))]
fn orbit_3(x: &[f64], steps: i64) -> f64 {
    let (mut p, mut q) = (x[0], x[1]);
    for t in -5..steps - 5 {
        p += 1e-3 * q.sin() + 1e-9 * (t + 5) as f64;
        q -= 1e-3 * p * x[0];
    }
    p * q
}

#[test]
fn schedules_of_more_runs() {
    for steps in [0, 1, 2, 3, 16, 17, 100, 1000] {
        let (mut g, mut hv, mut wanted_g, mut wanted_hv) = ([0.0; 2], [0.0; 2], [0.0; 2], [0.0; 2]);
        let wanted = plain_grad_hvp(&X, steps, &V, &mut wanted_g, &mut wanted_hv);
        let value = orbit_2_grad_hvp(&X, steps, &V, &mut g, &mut hv);
        assert_eq!((value, g, hv), (wanted, wanted_g, wanted_hv), "{steps} steps, two runs more");
        let value = orbit_3_grad_hvp(&X, steps as i64, &V, &mut g, &mut hv);
        assert_eq!((value, g, hv), (wanted, wanted_g, wanted_hv), "{steps} steps, three runs more");
        orbit_3_hvp_rev(&X, steps as i64, &V, &mut hv);
        hv.iter().zip(wanted_hv).for_each(|(a, b)| assert!((a - b).abs() <= 1e-12 * (1.0 + b.abs())));
        let mut block = [[0.0; 2]; 2];
        orbit_2_hvp_block(&X, steps, &V.map(|v| [v, 2.0 * v]), &mut block);
        for (lanes, wanted) in block.iter().zip(wanted_hv) {
            assert!((lanes[1] - 2.0 * wanted).abs() <= 1e-12 * (1.0 + wanted.abs()));
        }
    }
}

/// Carries an array, over a range of another type that does not begin at zero.
macro_rules! chain {
    ($name:ident, $option:meta) => {
        #[differentiable($option)]
        fn $name(x: &[f64; 3], from: i32, to: i32) -> f64 {
            let mut state = *x;
            for t in from..to {
                for i in 0..3 {
                    state[i] += 0.01 * (state[(i + 1) % 3] * t as f64).sin();
                }
            }
            state[0] * state[1] + state[2]
        }
    };
}
chain!(chain, checkpoint = 7);
chain!(chain_runs, checkpoint(runs = 2));
chain!(chain_plain, wrt(x));

#[test]
fn arrays_that_loops_carry() {
    let (x, v) = ([0.3, -0.2, 0.9], [1.0, 0.5, -2.0]);
    for (from, to) in [(0, 0), (-3, 4), (2, 31), (5, 3)] {
        let (mut g, mut hv, mut wanted_g, mut wanted_hv) = ([0.0; 3], [0.0; 3], [0.0; 3], [0.0; 3]);
        let value = chain_grad_hvp(&x, from, to, &v, &mut g, &mut hv);
        let wanted = chain_plain_grad_hvp(&x, from, to, &v, &mut wanted_g, &mut wanted_hv);
        assert_eq!((value, g, hv), (wanted, wanted_g, wanted_hv), "{from}..{to}");
        let value = chain_runs_grad_hvp(&x, from, to, &v, &mut g, &mut hv);
        assert_eq!((value, g, hv), (wanted, wanted_g, wanted_hv), "{from}..{to}, two runs more");
        let mut block = [[0.0; 2]; 3];
        chain_hvp_block(&x, from, to, &v.map(|v| [v, 2.0 * v]), &mut block);
        for (lanes, wanted) in block.iter().zip(wanted_hv) {
            assert!((lanes[1] - 2.0 * wanted).abs() <= 1e-12 * (1.0 + wanted.abs()));
        }
    }
}

fn bytes(f: &dyn Fn(usize), steps: usize) -> u64 {
    allocation_counter::measure(|| f(steps)).bytes_max
}

/// A million rounds take 1414 states, for one run more; 181 and 69 for two and three.
#[test]
fn memory_of_schedules() {
    let most = [
        bytes(&|steps| _ = orbit_grad(&X, steps, &mut [0.0; 2]), 1_000_000),
        bytes(&|steps| _ = orbit_2_grad(&X, steps, &mut [0.0; 2]), 1_000_000),
        bytes(&|steps| _ = orbit_3_grad(&X, steps as i64, &mut [0.0; 2]), 1_000_000),
    ];
    // Two numbers a state; vectors double as they grow, and a level has its own.
    for (most, states) in most.into_iter().zip([1414, 181, 69]) {
        assert!(most <= 2 * 2 * 16 * (states + 64), "{most} bytes for {states} states");
    }
}

/// A million rounds take some thousand states, not a million.
#[test]
fn memory_of_long_loops() {
    let product = |steps| orbit_hvp(&X, steps, &V, &mut [0.0; 2]);
    let gradient = |steps| {
        orbit_grad(&X, steps, &mut [0.0; 2]);
    };
    for f in [&product as &dyn Fn(usize), &gradient] {
        let (few, many) = (bytes(f, 10_000), bytes(f, 1_000_000));
        assert!(many < 400_000, "{many} bytes");
        // Ten times as much for a hundred times as many, and vectors double as they grow.
        assert!(many <= 20 * few, "{few} bytes, then {many}");
    }
}
