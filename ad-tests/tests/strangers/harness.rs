//! Compares generated derivatives with extrapolated differences of the function and of the gradient.
pub(crate) fn diff(x: &[f64], v: &[f64], f: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    let at = |t: f64| f(&x.iter().zip(v).map(|(x, v)| x + t * v).collect::<Vec<_>>());
    let central =
        |h: f64| -> Vec<f64> { at(h).iter().zip(at(-h)).map(|(u, d)| (u - d) / (2.0 * h)).collect() };
    let b = |c: &[f64], f: &[f64], k: f64| -> Vec<f64> {
        c.iter().zip(f).map(|(c, f)| f + (f - c) / (k - 1.0)).collect()
    };
    let s = [central(0.004), central(0.002), central(0.001)];
    let (p, q) = (b(&s[0], &s[1], 4.0), b(&s[1], &s[2], 4.0));
    b(&p, &q, 16.0)
}
/// `x`: all active variables, flat. `f`: the value at x; `grad`: value and gradient, flat; `hvp`: (x, v) -> H v, flat.
pub(crate) fn check(
    name: &str,
    x: &[f64],
    f: impl Fn(&[f64]) -> f64,
    grad: impl Fn(&[f64]) -> (f64, Vec<f64>),
    hvp: impl Fn(&[f64], &[f64]) -> Vec<f64>,
) {
    let n = x.len();
    for k in 0..2 {
        let v: Vec<f64> = (0..n).map(|i| (1.1 * i as f64 + 0.3 + k as f64).cos()).collect();
        let (value, g) = grad(x);
        assert_eq!(g.len(), n, "{name}: gradient length");
        assert!((value - f(x)).abs() <= 1e-11 * (1.0 + value.abs()), "{name}: value {value} {}", f(x));
        let slope = diff(x, &v, |p| vec![f(p)])[0];
        let along: f64 = g.iter().zip(&v).map(|(a, b)| a * b).sum();
        assert!(
            (slope - along).abs() <= 2e-7 * (1.0 + slope.abs()),
            "{name}: slope by differences {slope}, by gradient {along}"
        );
        let hv = hvp(x, &v);
        let want = diff(x, &v, |p| grad(p).1);
        let scale = want.iter().fold(1.0f64, |m, w| m.max(w.abs()));
        for (i, (a, b)) in hv.iter().zip(&want).enumerate() {
            assert!((a - b).abs() <= 2e-6 * scale, "{name}: Hv[{i}] {a}, by differences {b}");
        }
    }
}
