//! Branches and loops.

#![allow(
    clippy::explicit_counter_loop,
    clippy::manual_range_patterns,
    clippy::never_loop,
    clippy::blocks_in_conditions,
    clippy::while_let_loop
)]

use ad_runtime::differentiable;

#[test]
fn if_as_statement() {
    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        let mut s = x * y;
        if x > y {
            s *= x;
        }
        if s < 0.0 {
            s = s * s;
        } else if s < 1.0 {
            s += y;
        } else {
            s -= x * x;
        }
        s
    }
    check_xy!(0.7, 1.1);
    check_xy!(1.7, 1.3);
    check_xy!(-1.7, 0.3);
}

#[test]
fn if_as_expression() {
    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        let a = if x > y { x * x * y + y.sin() } else { x * y * y - x.cos() };
        a * if a > 1.0 && y > 0.0 { x } else { 2.0 }
    }
    check_xy!(0.7, 1.3);
    check_xy!(1.7, 1.3);
}

#[derive(Clone, Copy)]
enum Mode {
    Square,
    First,
    Other,
}

#[test]
fn match_on_data() {
    #[differentiable]
    fn f(x: &[f64], kind: u8, mode: Mode) -> f64 {
        let a = match kind {
            0 => x[0] * x[1],
            1 | 2 => x[0] * x[0] * x[1],
            3..=9 if x.len() > 1 => x[1].sin() * x[0],
            _ => x[0].exp(),
        };
        match mode {
            Mode::Square => a * a,
            Mode::First | Mode::Other => a * x[0],
        }
    }
    for kind in [0, 2, 5, 11] {
        for mode in [Mode::Square, Mode::First, Mode::Other] {
            check_slice!(vec![0.7, 1.3], kind, mode);
        }
    }
}

#[test]
fn match_on_an_active_value() {
    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        match x * y {
            s if s > 1.0 => s * x,
            s if s > 0.0 => s * s * y,
            _ => x - y * y,
        }
    }
    check_xy!(0.7, 1.3);
    check_xy!(1.7, 1.3);
    check_xy!(-1.7, 1.3);
}

#[test]
fn ranges() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let n = x.len();
        let mut s = 1.0;
        for i in 0..n - 1 {
            s += x[i] * x[i + 1];
        }
        for i in 1..=n - 1 {
            s = s * 0.5 + x[i] * s;
        }
        for i in (0..n).rev() {
            s = (s + x[i]).sin();
        }
        for i in (0..n).step_by(2) {
            s += s * x[i] * x[i];
        }
        for i in (1..n).rev().step_by(2) {
            s *= 1.0 + x[i];
        }
        for _ in n..n {
            s = 0.0;
        }
        s
    }
    check_slice!(vec![0.7, 1.3, -0.4, 0.2, 0.9]);
}

#[test]
fn ranges_of_characters() {
    #[differentiable]
    fn f(x: &[f64], last: char) -> f64 {
        let mut s = 1.0;
        for c in 'a'..'d' {
            s += x[0] * s * (c as u32 as f64 - 96.0);
        }
        for _ in 'b'..last {
            s = (s * x[1]).sin();
        }
        for c in ('a'..last).rev() {
            s = s * x[2] + (c as u32 as f64 - 96.0) * x[1] * x[1];
        }
        s
    }
    let (x, v) = ([0.7, 1.3, -0.4], [0.2, -0.5, 0.9]);
    let by_hand = |x: &[f64; 3]| {
        let mut s = (1.0 + x[0]) * (1.0 + 2.0 * x[0]) * (1.0 + 3.0 * x[0]);
        for _ in 0..2 {
            s = (s * x[1]).sin();
        }
        for k in [3.0, 2.0, 1.0] {
            s = s * x[2] + k * x[1] * x[1];
        }
        s
    };
    assert!((f(&x, 'd') - by_hand(&x)).abs() < 1e-14);
    let (mut g, mut hv, mut rev) = ([0.0; 3], [0.0; 3], [0.0; 3]);
    f_grad(&x, 'd', &mut g);
    f_hvp(&x, 'd', &v, &mut hv);
    f_hvp_rev(&x, 'd', &v, &mut rev);
    for i in 0..3 {
        let h = 1e-5;
        let (mut up, mut down) = (x, x);
        up[i] += h;
        down[i] -= h;
        assert!((g[i] - (by_hand(&up) - by_hand(&down)) / (2.0 * h)).abs() < 1e-6, "{i}");
        assert!((hv[i] - rev[i]).abs() < 1e-12, "{i}");
    }
}

#[test]
fn iterators() {
    #[differentiable]
    fn f(x: &[f64], weights: &[f64]) -> f64 {
        let mut s = 0.0;
        for v in x.iter() {
            s += v * v;
        }
        for (i, v) in x.iter().enumerate() {
            s += s * v * weights[i];
        }
        for (i, &w) in weights.iter().enumerate() {
            s += w * x[i].exp();
        }
        for v in x {
            s = s.sqrt() + v;
        }
        s
    }
    #[differentiable(wrt(x))]
    fn g(x: &[f64], weights: &[f64]) -> f64 {
        f(x, weights)
    }
    let mut hv = vec![0.0; 3];
    g_hvp(&[0.7, 1.3, 0.4], &[0.2, 0.3, 0.4], &[1.0, -1.0, 0.5], &mut hv);
    let (mut both, mut other) = (vec![0.0; 3], vec![0.0; 3]);
    f_hvp(&[0.7, 1.3, 0.4], &[0.2, 0.3, 0.4], &[1.0, -1.0, 0.5], &[0.0; 3], &mut both, &mut other);
    super::close("two ways", &hv, &both, 1e-13);
    let gradient = |p: &[f64]| {
        let mut g = vec![0.0; 3];
        g_grad(p, &[0.2, 0.3, 0.4], &mut g);
        g
    };
    super::close("differences", &hv, &super::difference(&[0.7, 1.3, 0.4], &[1.0, -1.0, 0.5], gradient), 2e-8);
}

#[test]
fn while_and_loop() {
    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        // A square root by Newton's method, its steps counted by what it has reached.
        let mut r = x + 1.0;
        while (r * r - x * y).abs() > 1e-3 {
            r = 0.5 * (r + x * y / r);
        }
        let mut k = 0;
        let power = loop {
            r *= y;
            k += 1;
            if k == 4 {
                break r * x;
            }
        };
        power + r
    }
    check_xy!(0.7, 1.3);
}

#[test]
fn break_and_continue() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let mut s = 1.0;
        for i in 0..x.len() {
            if x[i] < 0.0 {
                continue;
            }
            s = s * x[i] + x[i].sin();
            if s > 2.5 {
                break;
            }
        }
        let mut i = 0;
        while i < x.len() {
            i += 1;
            if i == 2 {
                continue;
            }
            s *= 1.0 + x[i - 1] * x[i - 1];
            if i > 3 {
                break;
            }
        }
        s
    }
    check_slice!(vec![0.7, -1.3, 0.4, 1.2, 0.9, 0.8]);
    check_slice!(vec![1.9, 1.3, 1.4, 0.2]);
}

#[test]
fn labels() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let n = x.len();
        let mut s = 0.0;
        'rows: for i in 0..n {
            for j in 0..n {
                if j > i + 1 {
                    continue 'rows;
                }
                s += x[i] * x[j] * x[j];
                if s > 3.0 {
                    break 'rows;
                }
            }
            s *= x[i] + 1.0;
        }
        s
    }
    check_slice!(vec![0.7, -1.3, 0.4, 1.2]);
    check_slice!(vec![1.7, 1.3, 1.4, 0.2]);
}

#[test]
fn early_return() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        if x[0] > 2.0 {
            return x[0] * x[1];
        }
        let mut s = x[0];
        for i in 0..x.len() {
            s *= x[i] + 1.0;
            if s > 2.0 {
                return s * s * x[i];
            }
        }
        s.sin()
    }
    check_slice!(vec![2.5, 1.0, 0.4]);
    check_slice!(vec![0.7, 1.3, 0.4]);
    check_slice!(vec![0.1, 0.3, 0.4]);
}

#[test]
fn nested_loops() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let n = x.len();
        let mut e = 0.0;
        for i in 0..n {
            let mut inner = 1.0;
            for j in i + 1..n {
                let d = x[i] - x[j];
                inner = inner * (0.5 + 0.1 * d * d) + 0.5 * x[j];
                for _ in 0..j {
                    inner = inner.sin();
                }
            }
            e += inner * inner;
        }
        e
    }
    check_slice!(vec![0.7, -1.3, 0.4, 1.2]);
}

#[test]
fn conditions_that_change_something() {
    {
        #[differentiable]
        fn f(x: &[f64]) -> f64 {
            let mut k = 0;
            let mut b = vec![0.0; 3];
            while {
                b[k] += x[k];
                k += 1;
                k < 3
            } {
                b[0] *= 2.0;
            }
            k as f64 * b[0] * b[0] + b[2] * b[1]
        }
        check_slice!(vec![0.7, 1.3, 0.4]);
    }
    {
        #[differentiable]
        fn f(x: &[f64]) -> f64 {
            let mut s: f64 = 0.0;
            let mut rest = Some(0);
            let mut n = 0;
            while n < 5
                && let Some(k) = rest
            {
                s += x[k] * s.cos();
                rest = if k + 1 < x.len() { Some(k + 1) } else { None };
                n += 1;
            }
            let mut stack = vec![x[0], x[1], x[2]];
            let mut t = x[2];
            while {
                t *= x[1];
                t < 3.0
            } && stack.pop().is_some()
            {
                s = s * t + x[0];
                if s > 10.0 {
                    break;
                }
            }
            s * t + stack.len() as f64
        }
        check_slice!(vec![0.7, 1.3, 0.4]);
        check_slice!(vec![0.7, 1.9, 1.4]);
    }
}
