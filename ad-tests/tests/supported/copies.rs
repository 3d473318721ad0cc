//! What Rust copies where it is bound by value: neither side sees what is done to the other.
// Copies that nobody reads are part of it.
#![allow(unused_assignments)]

use ad_runtime::{Differentiable, differentiable};
use nalgebra::{Matrix2, Vector2};

#[derive(Clone, Copy)]
struct Spring {
    at: [f64; 2],
    k: f64,
}

#[derive(Clone, Copy)]
struct Bead {
    at: Vector2<f64>,
    mass: f64,
}

#[derive(Clone, Copy)]
struct Chain {
    springs: [Spring; 2],
    k: f64,
}

/// Items that a pattern binds as `mut`.
#[test]
fn items_bound_to_be_changed() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let a = [[x[0], x[1]], [x[2], x[3]]];
        let v = vec![[x[1], x[2]], [x[3], x[0]]];
        let springs = [Spring { at: [x[0], x[1]], k: 1.0 }, Spring { at: [x[2], x[3]], k: x[0] }];
        let mut s = 0.0;
        for mut r in a {
            r[0] = 1.0;
            s += r[0] * r[1];
        }
        for mut r in v.iter().copied() {
            r[1] += 1.0;
            s *= r[0] + r[1];
        }
        for &(mut r) in &v {
            r[0] *= 3.0;
            s += r[0] * r[1];
        }
        for mut p in springs {
            p.at[0] = 1.5;
            p.k += 1.0;
            s += p.at[0] * p.at[1] * p.k;
        }
        let t: f64 = a
            .map(|mut r| {
                r[1] = 4.0;
                r[0] * r[1]
            })
            .iter()
            .sum();
        let u: f64 = std::iter::repeat(a)
            .take(2)
            .map(|mut a| {
                a[0][0] *= 2.0;
                a[0][0] * a[1][1]
            })
            .sum();
        let last = v.last().copied().map_or(0.0, |mut r| {
            r[0] = x[1];
            r[0] * r[1]
        });
        s + t * u + last + a[0][0] * a[1][1] + v[0][1] * v[1][0] + springs[0].at[0] * springs[1].k
    }
    check_slice!([0.7, 1.3, 0.4, 0.2]);
}

/// Fields of rows, whatever leads to the row.
#[test]
fn fields_of_rows() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let springs = vec![Spring { at: [x[0], x[1]], k: 1.0 }, Spring { at: [x[2], x[3]], k: x[1] }];
        let beads = vec![
            Bead { at: Vector2::new(x[0], x[1]), mass: 1.0 },
            Bead { at: Vector2::new(x[3], x[0]), mass: x[1] },
        ];
        let pairs = [(x[2], [x[0], x[1]]); 2];
        let mut s = 0.0;
        let mut kept = [0.0; 2];
        for b in &springs {
            let mut q = b.at;
            q[0] += b.k;
            s += q[0] * q[1];
            kept = b.at;
            kept[1] += 1.0;
            let mut both = (b.at, b.k);
            both.0[0] = 4.0;
            s += kept[1] * both.0[0] * both.0[1];
        }
        let t: f64 = springs
            .iter()
            .map(|b| {
                let mut q = b.at;
                q[0] += b.k;
                q[0] * q[1]
            })
            .sum();
        for b in &beads {
            let mut p = b.at;
            p.x += b.mass;
            s += p.x * p.y;
        }
        for b in &pairs {
            let mut t = b.1;
            t[0] += 2.0 * b.0;
            s += t[0];
        }
        for Spring { at, k } in springs.iter().copied() {
            let mut at = at;
            at[0] = 2.0 * k;
            s *= at[0] * at[1];
        }
        let u: f64 = pairs
            .iter()
            .map(|&(k, a)| {
                let mut a = a;
                a[0] += k;
                a[0] * a[1]
            })
            .sum();
        fn stretched(mut b: Spring, by: f64) -> f64 {
            b.at[0] = by;
            b.at[0] * b.at[1]
        }
        s += springs.iter().map(|b| stretched(*b, x[3]) * b.k).sum::<f64>();
        let r = &springs[1];
        let mut z = r.at;
        z[1] = 2.0;
        s * t
            + u * z[0] * z[1]
            + kept[0]
            + springs[0].at[0] * springs[1].at[1]
            + beads[0].at.x * pairs[1].1[0]
    }
    check_slice!([0.7, 1.3, 0.4, 0.2]);
}

/// A field or row that is kept, while the row is changed.
#[test]
fn rows_kept_while_they_change() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        fn pull(springs: &mut [Spring], k: f64) {
            for b in springs {
                b.k *= k;
                b.at[0] += k;
                let mut at = b.at;
                at[1] = 7.0;
            }
        }
        let mut springs = vec![Spring { at: [x[0], x[1]], k: 1.0 }, Spring { at: [x[2], x[3]], k: 2.0 }];
        pull(&mut springs, x[0]);
        for Spring { at, k } in &mut springs {
            let old = *at;
            at[0] = old[1] * 2.0;
            *k += old[0];
        }
        let r = &mut springs[1];
        let (mut k, at) = (r.k, r.at);
        k += x[1];
        r.at[0] = 5.0;
        r.k = k * 2.0;
        let row = springs[1];
        springs[1].at[1] = 3.0 * x[1];
        let first = springs[0].at;
        let s = k * at[0] * springs[1].k * row.at[1] * springs[1].at[1];
        let mut moved = springs;
        moved[0].at[0] = 9.0;
        s + first[0] * moved[0].at[0] * moved[1].k
    }
    check_slice!([0.7, 1.3, 0.4, 0.2]);
}

/// Arrays of structs and tuples, which are copied as arrays of numbers are.
#[test]
fn arrays_of_structs_and_tuples() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        fn twice(mut a: [Spring; 2]) -> f64 {
            a[0].k *= 2.0;
            a[0].k
        }
        let a = [(x[0], 1.0), (x[1], 2.0)];
        let mut b = a;
        b[0].0 = 3.0 * x[2];
        let mut springs = [Spring { at: [x[0], x[1]], k: x[2] }; 2];
        let mut other = springs;
        other[1].k += x[0];
        let stiff = move |k: f64| springs[0].k * k;
        springs[0].k = 2.0 * x[3];
        let mut chain = Chain { springs, k: x[1] };
        let old = chain;
        chain.springs[0].k = 9.0;
        chain.k *= 2.0;
        let mut steps = [(0_usize, 1.0), (1, 2.0)];
        let first = steps;
        steps[0].0 = 2;
        let s = a[0].0 * b[0].0 + springs[1].k * other[1].k + twice(other) * other[0].k + stiff(x[0]);
        s * chain.springs[0].k * old.springs[0].k * chain.k * old.k
            + x[first[0].0] * x[steps[0].0] * first[1].1
    }
    check_slice!([0.7, 1.3, 0.4, 0.2]);
}

/// Arrays that are run over by value, and change meanwhile.
#[test]
fn arrays_run_over_by_value() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let mut a = [x[0], x[1]];
        let kept = a.into_iter();
        a[1] = 3.0;
        let mut s = kept.sum::<f64>() + a[1];
        for v in a {
            a[1] *= 2.0 * x[2];
            s += v;
        }
        let copies = std::iter::repeat(a).take(2);
        a[1] = 5.0 * x[3];
        s += copies.map(|a| a[1]).sum::<f64>() * a[1];
        let m = a.map(|v| {
            a[1] = 9.0;
            v * x[0]
        });
        s += m[1] * a[1] + m[0];
        let mut rows = [(x[0], [x[1], 1.0]), (x[1], [x[2], x[3]])];
        for (k, q) in rows {
            rows[1].0 = 3.0;
            rows[1].1[0] = 1.5;
            s += k * q[0];
        }
        let mut grid = [[x[0], x[1]], [x[2], x[3]]];
        for r in grid {
            grid[1][0] += r[0];
            s += r[0] * grid[1][0];
        }
        for v in grid[1] {
            grid[1][1] = 2.0 * v;
            s *= v;
        }
        s + rows[1].0 * grid[1][1]
    }
    check_slice!([0.7, 1.3, 0.4, 0.2]);
}

#[derive(Clone, Copy, Debug, Differentiable)]
struct Station {
    at: [f64; 2],
    load: f64,
}
#[derive(Clone, Debug, Differentiable)]
struct Lattice {
    stations: Vec<Station>,
    #[constant]
    links: Vec<(usize, f64)>,
}

#[test]
fn copies_of_data_changed_item_by_item() {
    #[differentiable(wrt(u))]
    fn f(u: &[f64], mesh: &Lattice, data: &[Station], links: &[(usize, f64)]) -> f64 {
        let mut moved = data.to_vec();
        for (station, du) in moved.iter_mut().zip(u.chunks_exact(2)) {
            station.at[0] += du[0];
            station.at[1] *= du[1];
        }
        moved[0].load = u[2] * data[1].load;
        // What is put back is the data, which has not changed.
        moved[1] = data[1];
        moved.push(data[0]);
        let mut stations = mesh.stations.clone();
        stations[1].at[0] += u[0] * u[1];
        stations.push(mesh.stations[0]);
        let mut own = links.to_vec();
        for (k, w) in own.iter_mut() {
            *w *= u[*k];
        }
        own[0] = links[1];
        let mut third = mesh.links.to_vec();
        third[0].1 *= u[3];
        let mut s = 0.0;
        for (m, d) in moved.iter().zip(data.iter().cycle()) {
            s += (m.at[0] - d.at[0]).powi(2) * d.load + m.at[1] * m.load;
        }
        s += stations.iter().map(|m| m.at[0] * m.at[1] * m.load).sum::<f64>() * u[0];
        s += own.iter().chain(&third).map(|(k, w)| w * u[*k]).sum::<f64>();
        s + (mesh.stations[1].at[0] + links[2].1) * u[1]
    }
    let station = |a: f64| Station { at: [a, 0.7 - a], load: 0.5 + a * a };
    let data: Vec<Station> = [0.3, -0.4, 0.9].map(station).to_vec();
    let links = vec![(0, 0.3), (1, 0.7), (3, -0.4)];
    let mesh = Lattice { stations: [1.1, 0.2].map(station).to_vec(), links: vec![(2, 0.9), (0, 1.5)] };
    check_slice!([0.4, 0.9, -0.7, 1.1], &mesh, &data, &links);
    // By hand, of the first steps alone: what the copies hold, and what the data still does.
    let u = [0.4, 0.9, -0.7, 1.1];
    let moved: [[f64; 2]; 4] = [[0.3 + u[0], 0.4 * u[1]], [-0.4, 1.1], [0.9, -0.2], [0.3, 0.4]];
    let at = [[0.3, 0.4], [-0.4, 1.1], [0.9, -0.2], [0.3, 0.4]];
    let load: [f64; 4] = [0.59, 0.66, 1.31, 0.59];
    let first: f64 = (0..4)
        .map(|k| {
            let own = if k == 0 { u[2] * load[1] } else { load[k] };
            (moved[k][0] - at[k][0]).powi(2) * load[k] + moved[k][1] * own
        })
        .sum();
    let second = (1.1 * -0.4 * 1.71 * 2.0 + (0.2 + u[0] * u[1]) * 0.5 * 0.54) * u[0];
    let own = 0.7 * u[1] + 0.7 * u[1] * u[1] - 0.4 * u[3] * u[3] + 0.9 * u[3] * u[2] + 1.5 * u[0];
    let rest = (0.2 - 0.4) * u[1];
    let value = f(&u, &mesh, &data, &links);
    super::close("value", &[value], &[first + second + own + rest], 1e-13);
}

#[test]
fn rows_chosen_in_branches() {
    #[differentiable(wrt(x))]
    fn f(x: &[f64], fixed: &[[f64; 2]], vs: &[Vector2<f64>], n: usize) -> f64 {
        let mut own = [[x[0], x[1]], [x[2], x[3]]];
        let mut s = 0.0;
        for i in 0..4 {
            let p = if i < 2 { fixed[i] } else { [x[i % 4] * x[0], x[1]] };
            let q = if x[i] > 0.5 { own[i % 2] } else { fixed[0] };
            let v = if i % 2 == 0 { vs[i % 2] } else { Vector2::new(x[0], x[1]) * x[2] };
            let m = Matrix2::new(x[0], 1.0, 2.0, x[3]);
            let w = m * v;
            let mut r = if i > n { own[1] } else { own[0] };
            // The row itself stays, and so does what was chosen.
            r[0] += 10.0 * x[3];
            own[0][1] *= 1.5;
            let z = match i {
                0 => fixed[1],
                1 => own[0],
                _ => q,
            };
            let y = if i > n { own[0] } else { own[1] };
            own[0][0] += x[1];
            own[1][1] *= 0.9;
            s += y[0] * y[1] * x[1];
            s += p[0] * p[1]
                + q[0] * q[1] * x[2]
                + w.norm() * v.dot(&w)
                + r[0] * r[1] * own[0][0] * own[1][0]
                + z[0] * z[1] * z[0];
        }
        s
    }
    let fixed = [[0.3, 0.8], [-0.4, 1.2]];
    let vs = [Vector2::new(0.2, 0.5), Vector2::new(-0.7, 0.4)];
    check_slice!([0.7, 0.3, 0.9, 0.2], &fixed, &vs, 1);
}
