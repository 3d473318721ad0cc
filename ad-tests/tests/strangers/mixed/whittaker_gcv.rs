//! Whittaker smoother (second differences) scored by generalised cross-validation.
use ad_runtime::differentiable;

/// Banded L D L^T of a symmetric pentadiagonal matrix.
struct Penta<const N: usize>;

impl<const N: usize> Penta<N> {
    /// D'D for second differences: (diagonal, first and second off-diagonals)
    fn penalty() -> ([f64; N], [f64; N], [f64; N]) {
        let mut d = [0.0; N];
        let mut e = [0.0; N];
        let mut f = [0.0; N];
        for r in 0..N - 2 {
            d[r] += 1.0;
            d[r + 1] += 4.0;
            d[r + 2] += 1.0;
            e[r] -= 2.0;
            e[r + 1] -= 2.0;
            f[r] += 1.0;
        }
        (d, e, f)
    }
}

#[differentiable]
fn factor<const N: usize>(d: [f64; N], e: [f64; N], f: [f64; N]) -> ([f64; N], [f64; N], [f64; N]) {
    let mut piv = d;
    let mut l1 = [0.0; N];
    let mut l2 = [0.0; N];
    for i in 0..N {
        if i >= 1 {
            piv[i] -= l1[i - 1] * l1[i - 1] * piv[i - 1];
        }
        if i >= 2 {
            piv[i] -= l2[i - 2] * l2[i - 2] * piv[i - 2];
        }
        if i + 1 < N {
            let mut t = e[i];
            if i >= 1 {
                t -= l1[i - 1] * l2[i - 1] * piv[i - 1];
            }
            l1[i] = t / piv[i];
        }
        if i + 2 < N {
            l2[i] = f[i] / piv[i];
        }
    }
    (piv, l1, l2)
}

#[differentiable]
fn solve<const N: usize>(ldl: &([f64; N], [f64; N], [f64; N]), mut b: [f64; N]) -> [f64; N] {
    let (piv, l1, l2) = ldl;
    for i in 0..N {
        if i >= 1 {
            b[i] -= l1[i - 1] * b[i - 1];
        }
        if i >= 2 {
            b[i] -= l2[i - 2] * b[i - 2];
        }
    }
    for i in (0..N).rev() {
        b[i] /= piv[i];
        if i + 1 < N {
            b[i] -= l1[i] * b[i + 1];
        }
        if i + 2 < N {
            b[i] -= l2[i] * b[i + 2];
        }
    }
    b
}

#[differentiable]
pub fn gcv<const N: usize>(y: &[f64; N], log_lambda: f64) -> f64 {
    let lambda = log_lambda.exp();
    let (d, e, f) = Penta::<N>::penalty();
    let ldl = factor(d.map(|v| 1.0 + lambda * v), e.map(|v| lambda * v), f.map(|v| lambda * v));
    let z = solve(&ldl, *y);
    let rss: f64 = y.iter().zip(&z).map(|(y, z)| (y - z).powi(2)).sum();
    let trace = (0..N)
        .map(|i| {
            let mut unit = [0.0; N];
            unit[i] = 1.0;
            solve(&ldl, unit)[i]
        })
        .sum::<f64>();
    let n = N as f64;
    n * rss / (n - trace).powi(2)
}

#[cfg(test)]
const X: &[f64] = &[0.2, 0.9, 0.7, 1.6, 1.1, 0.4, 0.8, -0.3, -0.2, 0.6];

#[cfg(test)]
fn split(x: &[f64]) -> ([f64; 9], f64) {
    (x[..9].try_into().unwrap(), x[9])
}

#[cfg(test)]
fn value(x: &[f64]) -> f64 {
    let (y, l) = split(x);
    gcv(&y, l)
}

#[cfg(test)]
#[test]
fn primal() {
    assert!(value(X).is_finite());
}

#[test]
fn exact() {
    super::harness::check(
        "whittaker_gcv",
        X,
        value,
        |x| {
            let (y, l) = split(x);
            let mut g = [0.0; 9];
            let (f, gl) = gcv_grad(&y, l, &mut g);
            (f, g.into_iter().chain([gl]).collect())
        },
        |x, v| {
            let (y, l) = split(x);
            let (vy, vl) = split(v);
            let mut h = [0.0; 9];
            let hl = gcv_hvp(&y, l, &vy, vl, &mut h);
            h.into_iter().chain([hl]).collect()
        },
    );
}
