//! Options, results and patterns.

use ad_runtime::differentiable;

#[derive(Debug, PartialEq)]
enum Error {
    Empty,
    Negative(usize),
}

impl From<std::num::ParseIntError> for Error {
    fn from(_: std::num::ParseIntError) -> Error {
        Error::Empty
    }
}

#[test]
fn options_returned() {
    #[differentiable]
    fn f(x: f64, y: f64) -> Option<f64> {
        if x + y < 0.0 {
            return None;
        }
        let root = Some(x * y).filter(|p| *p > 0.0)?;
        Some(root.sqrt() * x)
    }
    assert_eq!(f_grad(-2.0, 1.0), None);
    assert_eq!(f_grad(2.0, -1.0), None);
    let (value, (gx, gy)) = f_grad(4.0, 9.0).unwrap();
    // x^1.5 y^0.5
    assert!((value - 24.0).abs() < 1e-13 && (gx - 9.0).abs() < 1e-13 && (gy - 24.0 / 18.0).abs() < 1e-13);
    let (hx, hy) = f_hvp(4.0, 9.0, 1.0, 0.0).unwrap();
    assert!((hx - 0.75 * 0.5 * 3.0).abs() < 1e-13 && (hy - 0.5).abs() < 1e-13);
}

#[test]
fn results_returned() {
    #[differentiable(wrt(x))]
    fn f(x: &[f64], text: &str) -> Result<f64, Error> {
        let k: usize = text.parse()?;
        let first = x.first().ok_or(Error::Empty)?;
        let check = |i: usize, v: f64| if v < 0.0 { Err(Error::Negative(i)) } else { Ok(v.sqrt()) };
        let mut s = 0.0;
        for (i, v) in x.iter().enumerate() {
            s += check(i, *v)?;
        }
        if k > 5 { Err(Error::Empty) } else { Ok(s * first * k as f64) }
    }
    let mut g = [f64::NAN; 2];
    assert_eq!(f_grad(&[4.0, -1.0], "2", &mut g), Err(Error::Negative(1)));
    assert_eq!(f_grad(&[4.0, 1.0], "two", &mut g), Err(Error::Empty));
    assert_eq!(f_grad(&[4.0, 1.0], "7", &mut g), Err(Error::Empty));
    assert_eq!(f_grad(&[], "2", &mut []), Err(Error::Empty));
    // 2 x (√x + √y)
    assert_eq!(f_grad(&[4.0, 1.0], "2", &mut g), Ok(24.0));
    assert!((g[0] - (6.0 + 2.0)).abs() < 1e-14 && (g[1] - 4.0).abs() < 1e-14);
    assert_eq!(f_hvp(&[4.0, 1.0], "2", &[1.0, 0.0], &mut g), Ok(()));
    assert!((g[0] - 0.75).abs() < 1e-13 && (g[1] - 1.0).abs() < 1e-13, "{g:?}");
}

#[derive(Clone, Copy)]
enum Kind {
    Plain,
    Scaled(f64),
    Shifted { by: f64, twice: bool },
}

#[test]
fn enums_taken_apart() {
    #[differentiable(wrt(x))]
    fn f(x: &[f64], kinds: &[Kind]) -> f64 {
        let mut s = 0.0;
        for (v, kind) in x.iter().zip(kinds) {
            s += match kind {
                Kind::Plain => v * v,
                Kind::Scaled(c) if *c > 1.0 => c * v.exp(),
                Kind::Scaled(c) => c * v,
                Kind::Shifted { by, twice: true } => 2.0 * (v + by).powi(3),
                Kind::Shifted { by, .. } => (v - *by).sin(),
            };
        }
        s * s
    }
    let kinds = [
        Kind::Plain,
        Kind::Scaled(1.5),
        Kind::Scaled(0.5),
        Kind::Shifted { by: 0.3, twice: true },
        Kind::Shifted { by: 0.2, twice: false },
    ];
    check_slice!([0.3, -0.8, 1.1, 0.6, -0.4], &kinds);
}

#[test]
fn if_let_and_let_else() {
    #[differentiable(wrt(x))]
    fn f(x: &[f64], prior: Option<f64>, kind: Kind) -> f64 {
        let mut s = x[0] * x[1];
        if let Some(p) = prior {
            s += (x[0] - p).powi(2);
        }
        let Kind::Scaled(c) = kind else {
            return s * x[1];
        };
        let Some(last) = x.last() else { return 0.0 };
        if let (Some(a), true) = (x.get(1), c > 0.0) {
            s += a * c * last;
        }
        s
    }
    check_slice!([0.4, 1.3], Some(0.2), Kind::Scaled(2.0));
    check_slice!([0.4, 1.3], None, Kind::Plain);
}

#[test]
fn options_inside() {
    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        let best = [x, y, x * y].iter().copied().reduce(f64::max).map(|m| m * m);
        let root = (x > 0.0).then(|| x.sqrt()).unwrap_or(0.0);
        let chosen = match (y > 0.0).then_some(y) {
            Some(v) if v > 3.0 => v * v,
            Some(v) => v.ln(),
            None => x.exp(),
        };
        best.unwrap_or(1.0) * root + chosen
    }
    check_xy!(0.7, 1.4);
    check_xy!(0.7, -1.4);
}

#[test]
fn labelled_blocks() {
    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        let a = 'found: {
            if x > 1.0 {
                break 'found x * x;
            }
            if y > 1.0 {
                break 'found y * x;
            }
            x + y
        };
        a * a
    }
    check_xy!(0.7, 1.4);
    check_xy!(1.7, 1.4);
    check_xy!(0.7, 0.4);
}

#[test]
fn exits_in_expressions() {
    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        let a = 1.0 + if x > 1.0 { return x * x * y } else { x };
        let mut s = 0.0;
        for k in 1..6 {
            let t = x * k as f64;
            s += t * if t > 3.0 {
                break;
            } else if k == 2 {
                continue;
            } else {
                t * y
            };
        }
        match (if y < 0.0 { return s.sin() } else { y }, a) {
            (b, c) if b > 1.0 => b * c * s,
            (b, c) => b + c * s,
        }
    }
    check_xy!(0.7, 1.4);
    check_xy!(0.7, 0.4);
    check_xy!(0.7, -0.4);
    check_xy!(1.7, 1.4);
}

#[test]
fn exits_leave_outputs_alone() {
    #[differentiable]
    fn f(x: &[f64], out: &mut [f64]) {
        for i in 0..x.len() {
            out[i] = if x[i] < 0.0 { return } else { x[i] * x[i] };
        }
    }
    let (mut out, mut dot) = ([7.0; 3], [7.0; 3]);
    f_jvp(&[0.5, -1.0, 2.0], &[1.0, 1.0, 1.0], &mut out, &mut dot);
    assert_eq!(out, [0.25, 7.0, 7.0]);
    assert_eq!(dot[0], 1.0);
}

#[test]
fn question_marks_inside() {
    #[differentiable]
    fn neighbours(v: &[f64], k: usize) -> Option<f64> {
        let a = v.get(k)?;
        Some(a * v.get(k + 1)? + v.get(k + 2)?.sin())
    }
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let mut s = 0.0;
        for k in 0..x.len() {
            s += match neighbours(x, k) {
                Some(v) => v * v,
                None => x[k].cos(),
            };
        }
        let root = |v: f64| -> Result<f64, String> {
            if v < 0.0 {
                return Err("negative".to_string());
            }
            Ok(v.sqrt())
        };
        let sum = |a: f64, b: f64| -> Result<f64, String> { Ok(root(a)? + 2.0 * root(b)?) };
        let both = |k: usize| {
            if *x.get(k)? > 0.5 && *x.get(k + 1)? > 0.1 { Some(x[k] * x[k + 1]) } else { Some(x[k].exp()) }
        };
        let until = |mut k: usize| {
            let mut t = 0.0;
            while *x.get(k)? < 0.8 {
                t += x[k] * x[k];
                k += 1;
            }
            match x.get(k)? {
                v if *v > 0.85 => Some(t * v),
                v => Some(t + v),
            }
        };
        let ends = both(0).unwrap_or(0.0) + both(x.len() - 1).unwrap_or(x[1]) + until(0).unwrap_or(1.0);
        s + ends + sum(x[0], x[1]).unwrap() + sum(x[0], -x[1]).unwrap_or(x[2]) + until(3).unwrap_or(x[0])
    }
    check_slice!([0.6, 0.7, 0.9, 0.3, 0.4]);
    check_slice!([0.6, 0.7, 0.82, 0.3, 0.4]);
}

#[test]
fn guards_where_options_are_returned() {
    #[differentiable(wrt(x))]
    fn f(power: f64, x: f64) -> Result<f64, Error> {
        match power {
            p if p < 0.0 => Ok(x * x),
            p if p == 1.0 => {
                if x <= 0.0 {
                    return Err(Error::Empty);
                }
                Ok(x.ln())
            }
            p => Ok(x.powf(p)),
        }
    }
    assert_eq!(f_grad(-1.0, 3.0), Ok((9.0, 6.0)));
    assert_eq!(f_grad(1.0, -3.0), Err(Error::Empty));
    assert_eq!(f_grad(1.0, 0.5).map(|(_, g)| g), Ok(2.0));
    assert_eq!(f_hvp(2.0, 0.5, 1.0), Ok(2.0));
}

#[test]
fn errors_that_carry_values() {
    #[derive(Debug, PartialEq)]
    enum Failure {
        Diverged { last: f64 },
    }
    #[differentiable]
    fn root(a: f64) -> Result<f64, Failure> {
        let mut last = 1.0;
        for _ in 0..30 {
            let step = (last * last - a) / (2.0 * last);
            last -= step;
            if step.abs() < 1e-14 {
                return Ok(last);
            }
        }
        Err(Failure::Diverged { last })
    }
    #[differentiable]
    fn f(x: f64, y: f64) -> Result<f64, Failure> {
        let last = root(x * y)?;
        Ok(last * x)
    }
    let (value, (gx, gy)) = f_grad(4.0, 9.0).unwrap();
    assert!((value - 24.0).abs() < 1e-12 && (gx - 9.0).abs() < 1e-12 && (gy - 24.0 / 18.0).abs() < 1e-12);
    let (hx, hy) = f_hvp(4.0, 9.0, 1.0, 0.0).unwrap();
    assert!((hx - 0.375 * 3.0).abs() < 1e-12 && (hy - 0.5).abs() < 1e-12, "{hx} {hy}");
    assert!(matches!(f_grad(-1.0, 2.0), Err(Failure::Diverged { last }) if last.is_finite()));
}
