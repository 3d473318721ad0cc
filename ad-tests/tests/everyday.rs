//! More ordinary functions, each written in an idiom of its own, against differences: the gradient against those of the
//! value, the Hessian-vector product against those of the gradient (both extrapolated twice).
// The functions under test are written as users write them.
#![allow(clippy::all, clippy::pedantic, missing_docs, dead_code)]
use ad_runtime::operators::{HessianOperator, Linearized};
use ad_runtime::sparse::Sparsity;
use ad_runtime::{Differentiable, differentiable};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::{Add, AddAssign, Div, Mul, Neg, Sub};
fn diff(x: &[f64], v: &[f64], f: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    let at = |t: f64| f(&x.iter().zip(v).map(|(x, v)| x + t * v).collect::<Vec<_>>());
    let central =
        |h: f64| -> Vec<f64> { at(h).iter().zip(at(-h)).map(|(u, d)| (u - d) / (2.0 * h)).collect() };
    let b = |c: &[f64], f: &[f64], k: f64| -> Vec<f64> {
        c.iter().zip(f).map(|(c, f)| f + (f - c) / (k - 1.0)).collect()
    };
    let s = [central(0.01), central(0.005), central(0.0025)];
    let (p, q) = (b(&s[0], &s[1], 4.0), b(&s[1], &s[2], 4.0));
    b(&p, &q, 16.0)
}
fn check(
    name: &str,
    x: &[f64],
    f: impl Fn(&[f64]) -> f64,
    g: impl Fn(&[f64], &mut [f64]) -> f64,
    h: impl Fn(&[f64], &[f64], &mut [f64]),
    linearize: impl Fn(&[f64], &[f64], &mut [f64], &mut [f64]) -> f64,
) {
    let n = x.len();
    let v: Vec<f64> = (0..n).map(|i| (1.1 * i as f64 + 0.3).cos()).collect();
    let mut gr = vec![f64::NAN; n];
    let val = g(x, &mut gr);
    assert!((val - f(x)).abs() <= 1e-12 * (1.0 + val.abs()), "{name}: value {val} {}", f(x));
    let slope = diff(x, &v, |p| vec![f(p)])[0];
    let along: f64 = gr.iter().zip(&v).map(|(a, b)| a * b).sum();
    assert!((slope - along).abs() <= 1e-7 * (1.0 + slope.abs()), "{name}: slope {slope} {along}");
    let mut hv = vec![f64::NAN; n];
    h(x, &v, &mut hv);
    let want = diff(x, &v, |p| {
        let mut g2 = vec![0.0; n];
        g(p, &mut g2);
        g2
    });
    for (a, b) in hv.iter().zip(&want) {
        assert!((a - b).abs() <= 1e-6 * (1.0 + b.abs()), "{name}: Hv {hv:?} {want:?}");
    }
    let (mut g2, mut h2) = (vec![f64::NAN; n], vec![f64::NAN; n]);
    let val2 = linearize(x, &v, &mut g2, &mut h2);
    let close = |a: f64, b: f64| (a - b).abs() <= 1e-11 * (1.0 + b.abs());
    assert!(close(val2, val), "{name}: linearised value {val2} {val}");
    assert!(g2.iter().zip(&gr).all(|(a, b)| close(*a, *b)), "{name}: linearised gradient {g2:?} {gr:?}");
    assert!(h2.iter().zip(&hv).all(|(a, b)| close(*a, *b)), "{name}: linearised Hv {h2:?} {hv:?}");
}
/// Value, gradient and product of a linearised Hessian, applied twice: the second time gives the same.
fn linearized<P: Fn(&[f64], &mut [f64])>(
    hessian: Linearized<f64, P>,
    v: &[f64],
    g: &mut [f64],
    hv: &mut [f64],
) -> f64 {
    hessian.apply(v, hv);
    let first = hv.to_vec();
    hessian.apply(v, hv);
    assert_eq!(first, hv);
    g.copy_from_slice(hessian.gradient());
    hessian.value()
}

/// The pattern has every entry of the Hessian that is not zero.
fn covered(name: &str, sparsity: &Sparsity, n: usize, h: impl Fn(&[f64], &mut [f64])) {
    for j in 0..n {
        let unit: Vec<f64> = (0..n).map(|i| f64::from(u8::from(i == j))).collect();
        let mut column = vec![0.0; n];
        h(&unit, &mut column);
        for (i, entry) in column.iter().enumerate() {
            let known = sparsity.pattern.position(i, j).is_some();
            assert!(known || entry.abs() < 1e-12, "{name}: entry ({i}, {j}), {entry}, is not in the pattern");
        }
    }
}

macro_rules! exact { ($name:ident, $x:expr, $f:ident $g:ident $h:ident $l:ident $s:ident $(, $d:expr)*) => {
    #[test] fn $name() {
        check(
            stringify!($f),
            $x,
            |p| $f(p $(, $d)*),
            |p, g| $g(p $(, $d)*, g),
            |p, v, hv| $h(p $(, $d)*, v, hv),
            |p, v, g, hv| linearized($l(p $(, $d)*), v, g, hv),
        );
        let x: &[f64] = $x;
        covered(stringify!($f), &$s($x $(, $d)*), x.len(), |v, hv| $h($x $(, $d)*, v, hv));
    }
} }
const X: &[f64] = &[0.3, -0.8, 1.1, 0.6, -0.4, 0.9];

// rust-lang autodiff style
#[differentiable]
fn sum_of_squares(x: &[f64]) -> f64 {
    let mut acc = 0.0;
    for &v in x {
        acc += v * v;
    }
    acc
}
exact!(sum_of_squares_is_exact, X, sum_of_squares sum_of_squares_grad sum_of_squares_hvp sum_of_squares_linearize sum_of_squares_sparsity);

#[differentiable]
fn softmax_entropy(logits: &[f64]) -> f64 {
    let m = logits.iter().cloned().fold(f64::NEG_INFINITY, f64::max);
    let exps: Vec<f64> = logits.iter().map(|&l| (l - m).exp()).collect();
    let z: f64 = exps.iter().sum();
    -exps.iter().map(|e| e / z).map(|p| p * p.ln()).sum::<f64>()
}
exact!(softmax_entropy_is_exact, X, softmax_entropy softmax_entropy_grad softmax_entropy_hvp softmax_entropy_linearize softmax_entropy_sparsity);

#[differentiable]
fn cholesky_logdet(a: &[f64]) -> f64 {
    const N: usize = 2;
    let mut l = [[0.0f64; N]; N];
    for i in 0..N {
        for j in 0..=i {
            let mut s = a[i * N + j] + if i == j { 4.0 } else { 0.0 };
            for k in 0..j {
                s -= l[i][k] * l[j][k];
            }
            l[i][j] = if i == j { s.sqrt() } else { s / l[j][j] };
        }
    }
    (0..N).map(|i| l[i][i].ln()).sum::<f64>() * 2.0
}
exact!(cholesky_logdet_is_exact, &[0.3, -0.8, 0.5, 0.6], cholesky_logdet cholesky_logdet_grad cholesky_logdet_hvp cholesky_logdet_linearize cholesky_logdet_sparsity);

#[differentiable(wrt(theta))]
fn garch(theta: &[f64], returns: &[f64]) -> f64 {
    let [omega, alpha, beta] = theta else { panic!("three parameters") };
    let mut var = returns.iter().map(|r| r * r).sum::<f64>() / returns.len() as f64;
    let mut nll = 0.0;
    for (t, &r) in returns.iter().enumerate() {
        if t > 0 {
            var = omega + alpha * returns[t - 1].powi(2) + beta * var;
        }
        nll += 0.5 * (var.ln() + r * r / var);
    }
    nll
}
exact!(garch_is_exact, &[0.3, 0.2, 0.4], garch garch_grad garch_hvp garch_linearize garch_sparsity, &[0.1, -0.4, 0.3, 0.8, -0.2]);

#[differentiable]
fn rk4(x: &[f64]) -> f64 {
    type State = [f64; 2];
    let f = |s: State| -> State { [s[1], x[2] * (1.0 - s[0] * s[0]) * s[1] - s[0]] };
    let add = |a: State, b: State, h: f64| -> State { [a[0] + h * b[0], a[1] + h * b[1]] };
    let mut s: State = [x[0], x[1]];
    let h = 0.1;
    for _ in 0..5 {
        let k1 = f(s);
        let k2 = f(add(s, k1, h / 2.0));
        let k3 = f(add(s, k2, h / 2.0));
        let k4 = f(add(s, k3, h));
        for i in 0..2 {
            s[i] += h / 6.0 * (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i]);
        }
    }
    s.iter().map(|v| v.powi(2)).sum::<f64>().sqrt()
}
exact!(rk4_is_exact, X, rk4 rk4_grad rk4_hvp rk4_linearize rk4_sparsity);

#[differentiable]
fn matmul_chain(x: &[f64]) -> f64 {
    fn matmul(a: &[Vec<f64>], b: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let (n, m, p) = (a.len(), b.len(), b[0].len());
        let mut c = vec![vec![0.0; p]; n];
        for i in 0..n {
            for j in 0..p {
                for k in 0..m {
                    c[i][j] += a[i][k] * b[k][j];
                }
            }
        }
        c
    }
    let a: Vec<Vec<f64>> = (0..2).map(|i| (0..2).map(|j| x[2 * i + j]).collect()).collect();
    let b = vec![vec![x[4], 1.0], vec![0.5, x[5]]];
    let c = matmul(&matmul(&a, &b), &a);
    c.iter().flatten().map(|v| v.tanh()).sum()
}
exact!(matmul_chain_is_exact, X, matmul_chain matmul_chain_grad matmul_chain_hvp matmul_chain_linearize matmul_chain_sparsity);

#[differentiable]
fn trapezoid(x: &[f64]) -> f64 {
    let integrand = |t: f64| x.iter().rev().fold(0.0, |acc, c| acc * t + c);
    let n = 8;
    let h = 1.0 / n as f64;
    let inner: f64 = (1..n).map(|i| integrand(i as f64 * h).exp()).sum();
    h * (0.5 * (integrand(0.0).exp() + integrand(1.0).exp()) + inner)
}
exact!(trapezoid_is_exact, X, trapezoid trapezoid_grad trapezoid_hvp trapezoid_linearize trapezoid_sparsity);

#[derive(Clone, Copy, PartialEq)]
enum Loss {
    Squared,
    Huber(f64),
    Quantile { tau: f64 },
}
#[differentiable(wrt(w))]
fn regression(w: &[f64], data: &[([f64; 2], f64)], loss: Loss) -> f64 {
    data.iter()
        .map(|(x, y)| {
            let r = w[0] + w[1] * x[0] + w[2] * x[1].powi(2) - y;
            match loss {
                Loss::Squared => 0.5 * r * r,
                Loss::Huber(d) if r.abs() > d => d * (r.abs() - 0.5 * d),
                Loss::Huber(_) => 0.5 * r.powi(2),
                Loss::Quantile { tau } => (tau * r).max((tau - 1.0) * r) + 0.1 * r * r,
            }
        })
        .sum::<f64>()
        / data.len() as f64
}
#[test]
fn regression_is_exact() {
    let data = [([0.1, 0.5], 1.0), ([0.7, -0.3], -0.5), ([1.2, 0.9], 4.0)];
    for l in [Loss::Squared, Loss::Huber(1.0), Loss::Quantile { tau: 0.3 }] {
        check(
            "regression",
            &[0.3, 0.5, -0.2],
            |p| regression(p, &data, l),
            |p, g| regression_grad(p, &data, l, g),
            |p, v, h| regression_hvp(p, &data, l, v, h),
            // A parameter that may not be copied: it has no operators.
            |p, v, g, h| regression_grad_hvp(p, &data, l, v, g, h),
        );
    }
}

#[differentiable]
fn convolution(x: &[f64]) -> f64 {
    let kernel = [0.25, 0.5, 0.25];
    let padded: Vec<f64> =
        std::iter::once(x[0]).chain(x.iter().copied()).chain(std::iter::once(x[x.len() - 1])).collect();
    let smooth: Vec<f64> =
        padded.windows(kernel.len()).map(|w| w.iter().zip(kernel.iter()).map(|(a, b)| a * b).sum()).collect();
    x.iter().zip(&smooth).map(|(a, b)| (a - b).powi(2)).sum::<f64>()
        + smooth.iter().map(|s: &f64| s.powi(4)).sum::<f64>()
}
exact!(convolution_is_exact, X, convolution convolution_grad convolution_hvp convolution_linearize convolution_sparsity);

#[differentiable]
fn viterbi_soft(x: &[f64]) -> f64 {
    let lse = |a: f64, b: f64| {
        let m = a.max(b);
        m + ((a - m).exp() + (b - m).exp()).ln()
    };
    let trans = [[x[0], x[1]], [x[2], x[3]]];
    let mut alpha = [x[4], x[5]];
    for t in 0..3 {
        let mut next = [0.0; 2];
        for (j, n) in next.iter_mut().enumerate() {
            *n = lse(alpha[0] + trans[0][j], alpha[1] + trans[1][j]) + (t * (j + 1)) as f64 * 0.1;
        }
        alpha = next;
    }
    lse(alpha[0], alpha[1])
}
exact!(viterbi_soft_is_exact, X, viterbi_soft viterbi_soft_grad viterbi_soft_hvp viterbi_soft_linearize viterbi_soft_sparsity);

#[differentiable]
fn newton_sqrt(x: &[f64]) -> f64 {
    let target = x[0] * x[0] + x[2] * x[2] + 1.0;
    let mut guess = target;
    loop {
        let next = 0.5 * (guess + target / guess);
        if (next - guess).abs() < 1e-12 {
            break next;
        }
        guess = next;
    }
}
exact!(newton_sqrt_is_exact, X, newton_sqrt newton_sqrt_grad newton_sqrt_hvp newton_sqrt_linearize newton_sqrt_sparsity);

#[differentiable]
fn running_stats(x: &[f64]) -> f64 {
    #[derive(Default, Clone, Copy)]
    struct Welford {
        n: usize,
        mean: f64,
        m2: f64,
    }
    let mut w = Welford { n: 0, mean: 0.0, m2: 0.0 };
    for &v in x.iter() {
        w.n += 1;
        let delta = v - w.mean;
        w.mean += delta / w.n as f64;
        w.m2 += delta * (v - w.mean);
    }
    (w.m2 / (w.n - 1) as f64).sqrt() / w.mean
}
exact!(running_stats_is_exact, X, running_stats running_stats_grad running_stats_hvp running_stats_linearize running_stats_sparsity);

#[differentiable]
fn graph_laplacian(x: &[f64]) -> f64 {
    let edges: Vec<(usize, usize)> = (0..x.len()).map(|i| (i, (i + 2) % x.len())).collect();
    let mut degree = vec![0usize; x.len()];
    for &(a, b) in &edges {
        degree[a] += 1;
        degree[b] += 1;
    }
    edges.iter().map(|&(a, b)| (x[a] - x[b]).powi(2) / (degree[a] * degree[b]) as f64).sum::<f64>().exp()
}
exact!(graph_laplacian_is_exact, X, graph_laplacian graph_laplacian_grad graph_laplacian_hvp graph_laplacian_linearize graph_laplacian_sparsity);

#[differentiable]
fn legendre(x: &[f64]) -> f64 {
    fn p(n: usize, t: f64) -> f64 {
        match n {
            0 => 1.0,
            1 => t,
            _ => {
                let (mut a, mut b) = (1.0, t);
                for k in 2..=n {
                    let kf = k as f64;
                    (a, b) = (b, ((2.0 * kf - 1.0) * t * b - (kf - 1.0) * a) / kf);
                }
                b
            }
        }
    }
    x.iter().enumerate().map(|(n, c)| c * p(n, x[0])).sum()
}
exact!(legendre_is_exact, X, legendre legendre_grad legendre_hvp legendre_linearize legendre_sparsity);

#[differentiable]
fn bezier_length(x: &[f64]) -> f64 {
    let points: Vec<[f64; 2]> = x.chunks(2).map(|c| [c[0], c[1]]).collect();
    let at = |t: f64| {
        let mut level = points.clone();
        while level.len() > 1 {
            level = level
                .windows(2)
                .map(|w| [w[0][0] * (1.0 - t) + w[1][0] * t, w[0][1] * (1.0 - t) + w[1][1] * t])
                .collect();
        }
        level[0]
    };
    let steps = 4;
    (0..steps)
        .map(|i| {
            let (a, b) = (at(i as f64 / steps as f64), at((i + 1) as f64 / steps as f64));
            ((a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2)).sqrt()
        })
        .sum()
}
exact!(bezier_length_is_exact, X, bezier_length bezier_length_grad bezier_length_hvp bezier_length_linearize bezier_length_sparsity);

#[differentiable]
fn huffman_like(x: &[f64]) -> f64 {
    let mut groups: Vec<Vec<f64>> = Vec::new();
    for pair in x.chunks(2) {
        let mut row = vec![];
        for v in pair {
            row.push(v * v);
            row.push(v.sin());
        }
        groups.push(row);
    }
    let total: f64 = groups.iter().map(|g| g.iter().sum::<f64>()).sum();
    let longest = groups.iter().map(Vec::len).max().unwrap_or(0);
    groups.iter().map(|g| g.iter().fold(1.0, |a, b| a * (1.0 + b / total))).sum::<f64>() * longest as f64
}
exact!(huffman_like_is_exact, X, huffman_like huffman_like_grad huffman_like_hvp huffman_like_linearize huffman_like_sparsity);

#[differentiable]
fn early(x: &[f64]) -> f64 {
    if x.is_empty() {
        return 0.0;
    }
    let Some((first, rest)) = x.split_first() else { return 0.0 };
    let mut best = *first;
    for (i, v) in rest.iter().enumerate() {
        if *v < -10.0 {
            return best;
        }
        if i == 3 {
            continue;
        }
        best = if *v > best { *v } else { best + 0.1 * v * v };
    }
    best.max(0.0).powf(1.5) + x.iter().skip(1).step_by(2).map(|v| v.abs().sqrt()).sum::<f64>()
}
exact!(early_is_exact, X, early early_grad early_hvp early_linearize early_sparsity);

#[differentiable]
fn levi(x: &[f64]) -> f64 {
    use std::f64::consts::PI;
    let w = |xi: f64| 1.0 + (xi - 1.0) / 4.0;
    let n = x.len();
    let head = (PI * w(x[0])).sin().powi(2);
    let mid: f64 = x[..n - 1]
        .iter()
        .map(|&xi| (w(xi) - 1.0).powi(2) * (1.0 + 10.0 * (PI * w(xi) + 1.0).sin().powi(2)))
        .sum();
    let tail = {
        let wl = w(*x.last().unwrap());
        (wl - 1.0).powi(2) * (1.0 + (2.0 * PI * wl).sin().powi(2))
    };
    head + mid + tail
}
exact!(levi_is_exact, X, levi levi_grad levi_hvp levi_linearize levi_sparsity);

#[differentiable]
fn median_of_three(x: &[f64]) -> f64 {
    let med = |a: f64, b: f64, c: f64| a.max(b).min(a.min(b).max(c));
    x.windows(3).map(|w| if let [a, b, c] = w { med(*a, *b, *c).powi(2) } else { 0.0 }).sum()
}
exact!(median_of_three_is_exact, X, median_of_three median_of_three_grad median_of_three_hvp median_of_three_linearize median_of_three_sparsity);

#[differentiable]
fn cumulative(x: &[f64]) -> f64 {
    let cumsum: Vec<f64> = x
        .iter()
        .scan(0.0, |s, &v| {
            *s += v;
            Some(*s)
        })
        .collect();
    let mut peak = f64::MIN;
    let mut drawdown: f64 = 0.0;
    for &c in &cumsum {
        peak = peak.max(c);
        drawdown = drawdown.max(peak - c);
    }
    drawdown * cumsum.iter().product::<f64>() + cumsum.last().copied().unwrap_or_default()
}
exact!(cumulative_is_exact, X, cumulative cumulative_grad cumulative_hvp cumulative_linearize cumulative_sparsity);

struct Dataset {
    rows: Vec<Row>,
    scale: HashMap<String, f64>,
}
struct Row {
    features: Vec<f64>,
    target: f64,
    group: Option<usize>,
}
impl Dataset {
    const RIDGE: f64 = 0.1;
    fn small() -> Dataset {
        Dataset {
            rows: vec![
                Row { features: vec![1.0, 0.5, -0.3], target: 0.7, group: Some(0) },
                Row { features: vec![1.0, -1.5, 0.8], target: -0.2, group: None },
                Row { features: vec![1.0, 0.1, 1.3], target: 1.1, group: Some(1) },
            ],
            scale: HashMap::from([("a".to_string(), 2.0)]),
        }
    }
    #[differentiable]
    fn objective(&self, w: &[f64]) -> f64 {
        let Self { rows, scale } = self;
        let s = scale.get("a").copied().unwrap_or(1.0);
        let mut total = 0.0;
        for Row { features, target, group } in rows {
            let pred: f64 = features.iter().zip(w).map(|(f, w)| f * w).sum();
            let shift = match group {
                Some(g) => w[3 + g],
                None => 0.0,
            };
            total += (pred + shift - target).powi(2) * s;
        }
        total / rows.len() as f64 + Self::RIDGE * w.iter().map(|v| v * v).sum::<f64>()
    }
}
#[test]
fn objective_is_exact() {
    let d = Dataset::small();
    check(
        "objective",
        &X[..5],
        |p| d.objective(p),
        |p, g| d.objective_grad(p, g),
        |p, v, h| d.objective_hvp(p, v, h),
        |p, v, g, h| linearized(d.objective_linearize(p), v, g, h),
    );
}

#[differentiable]
fn closures_that_return_closures(x: &[f64]) -> f64 {
    let make = |a: f64| move |t: f64| a * t + a.sin();
    let f = make(x[0]);
    let g = make(x[1] * x[2]);
    f(g(x[3])) * g(f(x[4]))
}
exact!(closures_that_return_closures_is_exact, X, closures_that_return_closures closures_that_return_closures_grad closures_that_return_closures_hvp closures_that_return_closures_linearize closures_that_return_closures_sparsity);

#[differentiable]
fn power_iteration(x: &[f64]) -> f64 {
    let a = [[2.0 + x[0], x[1]], [x[1], 3.0 + x[2]]];
    let mut v = [1.0, 0.5];
    let mut lambda = 0.0;
    for _ in 0..20 {
        let mut w = [0.0; 2];
        for (i, row) in a.iter().enumerate() {
            w[i] = row.iter().zip(v.iter()).map(|(p, q)| p * q).sum();
        }
        let norm = w.iter().map(|c| c * c).sum::<f64>().sqrt();
        v = w.map(|c| c / norm);
        lambda = (0..2).map(|i| v[i] * (0..2).map(|j| a[i][j] * v[j]).sum::<f64>()).sum();
    }
    lambda
}
exact!(power_iteration_is_exact, X, power_iteration power_iteration_grad power_iteration_hvp power_iteration_linearize power_iteration_sparsity);

#[differentiable]
fn conjugate_gradient(x: &[f64]) -> f64 {
    let n = 3;
    let mul = |v: &[f64]| -> Vec<f64> {
        (0..n)
            .map(|i| {
                (2.0 + x[i].powi(2)) * v[i]
                    + if i > 0 { 0.3 * v[i - 1] } else { 0.0 }
                    + if i + 1 < n { 0.3 * v[i + 1] } else { 0.0 }
            })
            .collect()
    };
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(p, q)| p * q).sum::<f64>();
    let mut sol = vec![0.0; n];
    let mut r = x[3..].to_vec();
    let mut p = r.clone();
    let mut rs = dot(&r, &r);
    for _ in 0..n {
        let ap = mul(&p);
        let alpha = rs / dot(&p, &ap);
        for i in 0..n {
            sol[i] += alpha * p[i];
            r[i] -= alpha * ap[i];
        }
        let next = dot(&r, &r);
        let beta = next / rs;
        p = r.iter().zip(&p).map(|(a, b)| a + beta * b).collect();
        rs = next;
        if rs < 1e-20 {
            break;
        }
    }
    dot(&sol, &sol)
}
exact!(conjugate_gradient_is_exact, X, conjugate_gradient conjugate_gradient_grad conjugate_gradient_hvp conjugate_gradient_linearize conjugate_gradient_sparsity);

#[differentiable(wrt(x))]
fn weighted(x: &[f64], weights: Option<&[f64]>, names: &BTreeMap<String, usize>) -> f64 {
    let mut s = 0.0;
    for (_, &k) in names {
        s += x[k].sin();
    }
    match weights {
        Some(w) => x.iter().zip(w).map(|(a, b)| a * a * b).sum::<f64>() + s,
        None => x.iter().map(|a| a.powi(3)).sum::<f64>() * s,
    }
}
#[test]
fn weighted_is_exact() {
    let names = BTreeMap::from([("a".to_string(), 1), ("b".to_string(), 3)]);
    let w = [1.0, 2.0, 0.5, 0.1, 0.7, 1.1];
    for o in [Some(&w[..]), None] {
        check(
            "weighted",
            X,
            |p| weighted(p, o, &names),
            |p, g| weighted_grad(p, o, &names, g),
            |p, v, h| weighted_hvp(p, o, &names, v, h),
            |p, v, g, h| weighted_grad_hvp(p, o, &names, v, g, h),
        );
    }
}

#[differentiable]
fn lstm(x: &[f64]) -> f64 {
    let sigmoid = |z: f64| 1.0 / (1.0 + (-z).exp());
    let (mut h, mut c) = (0.0_f64, 0.0_f64);
    let inputs = [0.5, -0.3, 0.8];
    for inp in inputs {
        let i = sigmoid(x[0] * inp + x[1] * h);
        let f = sigmoid(x[2] * inp + x[3] * h);
        let g = (x[4] * inp + x[5] * h).tanh();
        c = f * c + i * g;
        h = sigmoid(inp) * c.tanh();
    }
    h * h + c
}
exact!(lstm_is_exact, X, lstm lstm_grad lstm_hvp lstm_linearize lstm_sparsity);

#[differentiable]
fn attention(x: &[f64]) -> f64 {
    let d = 2;
    let q: Vec<&[f64]> = x.chunks(d).collect();
    let mut out = 0.0;
    for qi in &q {
        let scores: Vec<f64> = q
            .iter()
            .map(|kj| qi.iter().zip(kj.iter()).map(|(a, b)| a * b).sum::<f64>() / (d as f64).sqrt())
            .collect();
        let max = scores.iter().copied().fold(f64::MIN, f64::max);
        let z: f64 = scores.iter().map(|s| (s - max).exp()).sum();
        for (s, v) in scores.iter().zip(&q) {
            out += (s - max).exp() / z * v[0] * v[1];
        }
    }
    out
}
exact!(attention_is_exact, X, attention attention_grad attention_hvp attention_linearize attention_sparsity);

#[differentiable]
fn kalman(x: &[f64]) -> f64 {
    let (q, r) = (x[0].exp(), x[1].exp());
    let mut state = (0.0, 1.0);
    let mut ll = 0.0;
    for &z in [0.1, 0.4, -0.2, 0.5].iter() {
        let (m, p) = state;
        let (m, p) = (x[2] * m, x[2] * x[2] * p + q);
        let s = p + r;
        let k = p / s;
        ll -= 0.5 * (s.ln() + (z - m).powi(2) / s);
        state = (m + k * (z - m), (1.0 - k) * p);
    }
    ll
}
exact!(kalman_is_exact, X, kalman kalman_grad kalman_hvp kalman_linearize kalman_sparsity);

#[differentiable]
fn tridiagonal(x: &[f64]) -> f64 {
    let n = x.len();
    let (a, c) = (vec![-1.0; n], vec![-1.0; n]);
    let mut b: Vec<f64> = x.iter().map(|v| 4.0 + v * v).collect();
    let mut d: Vec<f64> = x.iter().enumerate().map(|(i, v)| v * (i + 1) as f64).collect();
    for i in 1..n {
        let m = a[i] / b[i - 1];
        b[i] -= m * c[i - 1];
        d[i] -= m * d[i - 1];
    }
    let mut u = vec![0.0; n];
    u[n - 1] = d[n - 1] / b[n - 1];
    for i in (0..n - 1).rev() {
        u[i] = (d[i] - c[i] * u[i + 1]) / b[i];
    }
    u.iter().map(|v| v.powi(2)).sum()
}
exact!(tridiagonal_is_exact, X, tridiagonal tridiagonal_grad tridiagonal_hvp tridiagonal_linearize tridiagonal_sparsity);

#[differentiable]
fn polynomial_root(x: &[f64]) -> f64 {
    let p = |t: f64| ((t + x[0]) * t + x[1]) * t - 5.0 - x[2].powi(2);
    let dp = |t: f64| (3.0 * t + 2.0 * x[0]) * t + x[1];
    let mut t = 2.0;
    let mut iterations = 0;
    while p(t).abs() > 1e-13 && iterations < 50 {
        t -= p(t) / dp(t);
        iterations += 1;
    }
    t * x[3]
}
exact!(polynomial_root_is_exact, X, polynomial_root polynomial_root_grad polynomial_root_hvp polynomial_root_linearize polynomial_root_sparsity);

#[differentiable]
fn heat(x: &[f64]) -> f64 {
    let mut u = x.to_vec();
    let n = u.len();
    for _ in 0..4 {
        let old = u.clone();
        for i in 1..n - 1 {
            u[i] = old[i] + 0.2 * (old[i - 1] - 2.0 * old[i] + old[i + 1]) + 0.01 * old[i].powi(3);
        }
        u[0] = u[1];
        *u.last_mut().unwrap() = old[n - 2];
    }
    u.iter().zip(x.iter()).map(|(a, b)| (a - b).powi(2)).sum::<f64>()
}
exact!(heat_is_exact, X, heat heat_grad heat_hvp heat_linearize heat_sparsity);

#[differentiable]
fn binomial_tree(x: &[f64]) -> f64 {
    let (s0, k, vol) = (1.0 + x[0].powi(2), 1.0, 0.2 + 0.1 * x[1].powi(2));
    let steps = 4;
    let dt: f64 = 1.0 / steps as f64;
    let u = (vol * dt.sqrt()).exp();
    let prob = ((0.03 * dt).exp() - 1.0 / u) / (u - 1.0 / u);
    let mut values: Vec<f64> =
        (0..=steps).map(|i| (s0 * u.powi(2 * i as i32 - steps as i32) - k).max(0.0)).collect();
    for step in (0..steps).rev() {
        for i in 0..=step {
            values[i] = (prob * values[i + 1] + (1.0 - prob) * values[i]) * (-0.03 * dt).exp();
        }
    }
    values[0]
}
exact!(binomial_tree_is_exact, X, binomial_tree binomial_tree_grad binomial_tree_hvp binomial_tree_linearize binomial_tree_sparsity);

#[differentiable]
fn quaternion(x: &[f64]) -> f64 {
    #[derive(Clone, Copy)]
    struct Q {
        w: f64,
        v: [f64; 3],
    }
    fn mul(a: Q, b: Q) -> Q {
        let cross = [
            a.v[1] * b.v[2] - a.v[2] * b.v[1],
            a.v[2] * b.v[0] - a.v[0] * b.v[2],
            a.v[0] * b.v[1] - a.v[1] * b.v[0],
        ];
        let dot: f64 = a.v.iter().zip(&b.v).map(|(p, q)| p * q).sum();
        let mut v = [0.0; 3];
        for i in 0..3 {
            v[i] = a.w * b.v[i] + b.w * a.v[i] + cross[i];
        }
        Q { w: a.w * b.w - dot, v }
    }
    let q = Q { w: 1.0 + x[0], v: [x[1], x[2], x[3]] };
    let conj = Q { v: q.v.map(|c| -c), ..q };
    let p = Q { w: 0.0, v: [x[4], x[5], 1.0] };
    let r = mul(mul(q, p), conj);
    r.w + r.v.iter().map(|c| c * c).sum::<f64>().sqrt()
}
exact!(quaternion_is_exact, X, quaternion quaternion_grad quaternion_hvp quaternion_linearize quaternion_sparsity);

#[differentiable]
fn stats_by_group(x: &[f64]) -> f64 {
    let labels = [0usize, 1, 0, 1, 2, 2];
    let mut sums = [0.0; 3];
    let mut counts = [0usize; 3];
    for (&l, v) in labels.iter().zip(x) {
        sums[l] += v;
        counts[l] += 1;
    }
    let means: Vec<f64> = sums.iter().zip(counts).map(|(s, c)| s / c as f64).collect();
    let within: f64 = labels.iter().zip(x).map(|(&l, v)| (v - means[l]).powi(2)).sum();
    let grand = x.iter().sum::<f64>() / x.len() as f64;
    let between: f64 = means.iter().zip(counts.iter()).map(|(m, &c)| c as f64 * (m - grand).powi(2)).sum();
    (between / 2.0) / (within / 3.0)
}
exact!(stats_by_group_is_exact, X, stats_by_group stats_by_group_grad stats_by_group_hvp stats_by_group_linearize stats_by_group_sparsity);

#[differentiable]
fn fourier(x: &[f64]) -> f64 {
    let n = x.len();
    (0..n / 2 + 1)
        .map(|k| {
            let (re, im) = x.iter().enumerate().fold((0.0, 0.0), |(re, im), (t, v)| {
                let phi = -2.0 * std::f64::consts::PI * (k * t) as f64 / n as f64;
                let (s, c) = phi.sin_cos();
                (re + v * c, im + v * s)
            });
            (re.powi(2) + im.powi(2)).powf(0.75) / (1 + k) as f64
        })
        .sum()
}
exact!(fourier_is_exact, X, fourier fourier_grad fourier_hvp fourier_linearize fourier_sparsity);

#[differentiable]
fn string_keyed(x: &[f64]) -> f64 {
    let mut terms = Vec::new();
    for (name, v) in ["a", "b", "c"].iter().zip(x) {
        let w = match *name {
            "a" => 1.0,
            "b" => 2.5,
            _ => 0.3,
        };
        terms.push((w, v * v));
    }
    terms.iter().map(|&(w, t)| w * t).sum::<f64>() * terms.iter().map(|t| t.0).sum::<f64>()
}
exact!(string_keyed_is_exact, X, string_keyed string_keyed_grad string_keyed_hvp string_keyed_linearize string_keyed_sparsity);

fn zeros(n: usize) -> Vec<f64> {
    vec![0.0; n]
}
fn eye() -> [[f64; 2]; 2] {
    [[1.0, 0.0], [0.0, 1.0]]
}
struct Config {
    start: [f64; 3],
    path: Vec<f64>,
    rows: Vec<[f64; 2]>,
}
impl Config {
    fn initial(&self) -> Vec<f64> {
        self.path.clone()
    }
}
fn config() -> Config {
    Config { start: [1.0, 2.0, 3.0], path: vec![0.5, 1.5, 2.5], rows: vec![[1.0, 2.0]] }
}

#[differentiable]
fn from_call(x: &[f64]) -> f64 {
    let mut z: Vec<f64> = zeros(3);
    let mut y = zeros(x.len());
    let mut p = eye();
    z[1] = x[0] * x[1];
    for i in 0..x.len() {
        y[i] += x[i] * x[i];
    }
    p[0][1] = x[2] * x[0];
    p[1][1] *= x[3];
    let s: f64 = y.iter().zip(p.iter()).map(|(a, r)| a * r[1] * r[0].cos()).sum();
    z[1] + z[0] + s * p[1][1]
}
exact!(from_call_is_exact, X, from_call from_call_grad from_call_hvp from_call_linearize from_call_sparsity);

#[differentiable]
fn kalman_from_identity(x: &[f64]) -> f64 {
    fn g(a: &[[f64; 2]; 2], b: &[[f64; 2]; 2]) -> [[f64; 2]; 2] {
        let mut c = [[0.0; 2]; 2];
        for i in 0..2 {
            for j in 0..2 {
                for k in 0..2 {
                    c[i][j] += a[i][k] * b[k][j];
                }
            }
        }
        c
    }
    let f = [[1.0, 0.1], [0.0, 1.0]];
    let mut p = [[1.0, 0.0], [0.0, 1.0]];
    let mut s = 0.0;
    for v in x {
        p = g(&g(&f, &p), &f);
        p[0][0] += v * v;
        s += p[0][0].ln() * p[0][1];
    }
    s
}
exact!(kalman_from_identity_is_exact, X, kalman_from_identity kalman_from_identity_grad kalman_from_identity_hvp kalman_from_identity_linearize kalman_from_identity_sparsity);

const START: [f64; 3] = [1.0, 2.0, 3.0];
#[differentiable(wrt(x))]
fn from_config(x: &[f64], c: &Config) -> f64 {
    let mut w = START;
    w[1] *= x[0];
    let mut s = c.start;
    s[0] += x[1];
    let mut t = c.start.clone();
    t[2] = x[0] * x[2];
    let mut u = c.initial();
    for (u, x) in u.iter_mut().zip(x) {
        *u *= x;
    }
    let mut r = c.rows[0];
    r[1] -= x[3];
    let Config { start, .. } = c;
    let mut y = *start;
    y[1] = y[1] * x[4];
    w[1] * w[2] + s[0] * s[0] + t[2] * t[1] + u[0] * u[1] + r[1] * r[1] * r[0] + y[1] * y[1] * y[0]
}
exact!(from_config_is_exact, X, from_config from_config_grad from_config_hvp from_config_linearize from_config_sparsity, &config());

#[differentiable]
fn copy_of_param(p: &[f64; 3], x: &[f64]) -> f64 {
    let mut z = *p;
    z[0] *= 2.0;
    let q = *p;
    z[0] * z[1] * q[0] + x[0] * x[1] * q[2]
}

#[differentiable(wrt(x))]
fn data_by_value(x: &[f64], mut start: [f64; 3]) -> f64 {
    start[1] *= x[0];
    start[1] * start[1] * x[1]
}
exact!(data_by_value_is_exact, X, data_by_value data_by_value_grad data_by_value_hvp data_by_value_linearize data_by_value_sparsity, [1.0, 2.0, 3.0]);

#[derive(Clone)]
struct Body {
    pos: [f64; 3],
    t: f64,
}
#[differentiable(wrt(x))]
fn state(x: &[f64], c: &Config) -> f64 {
    let mut b = Body { pos: c.start, t: 0.0 };
    for i in 0..3 {
        b.pos[i] += x[i] * b.t;
        b.t += x[i];
    }
    b.pos[2] * b.pos[1] + b.t
}
exact!(state_is_exact, X, state state_grad state_hvp state_linearize state_sparsity, &config());
#[derive(Clone, Copy, Differentiable)]
struct Pt2 {
    x: f64,
    y: f64,
}

#[differentiable]
fn softmax(z: &[f64]) -> Vec<f64> {
    let m = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let e: Vec<f64> = z.iter().map(|z| (z - m).exp()).collect();
    let s: f64 = e.iter().sum();
    e.into_iter().map(|e| e / s).collect()
}
#[differentiable]
fn matvec(a: &[Vec<f64>], x: &[f64], out: &mut [f64]) {
    for (o, row) in out.iter_mut().zip(a) {
        *o = row.iter().zip(x).map(|(a, x)| a * x).sum();
    }
}
#[differentiable]
fn length(p: Pt2) -> f64 {
    if p.x == 0.0 {
        return p.y.abs();
    }
    p.x.hypot(p.y)
}
#[differentiable]
fn rotate(p: Pt2, angle: f64) -> (f64, f64) {
    let (s, c) = angle.sin_cos();
    (c * p.x - s * p.y, s * p.x + c * p.y)
}
#[differentiable]
fn rhs(y: &[f64; 2], k: f64) -> [f64; 2] {
    [y[1], -k * y[0].sin()]
}

#[differentiable]
fn uses_helpers(x: &[f64]) -> f64 {
    let p = softmax(&x[..3]);
    let q = softmax(&x[3..]);
    let a = vec![p.clone(), q];
    let mut out = [0.0; 2];
    matvec(&a, &x[..3], &mut out);
    let pt = Pt2 { x: out[0], y: out[1] };
    let (u, v) = rotate(pt, x[0]);
    let mut y = [u, v];
    for _ in 0..5 {
        let k1 = rhs(&y, x[1]);
        let mid = [y[0] + 0.05 * k1[0], y[1] + 0.05 * k1[1]];
        let k2 = rhs(&mid, x[1]);
        y = [y[0] + 0.1 * k2[0], y[1] + 0.1 * k2[1]];
    }
    length(pt) + p[0] * y[0] + y[1]
}
exact!(uses_helpers_is_exact, X, uses_helpers uses_helpers_grad uses_helpers_hvp uses_helpers_linearize uses_helpers_sparsity);
enum Step {
    Leaf(usize),
    Next(usize),
}
struct Edge {
    to: usize,
    w: f64,
}
#[differentiable(wrt(x))]
fn walk_by_if_let(x: &[f64], t: &[Step]) -> f64 {
    let mut s = 0.0;
    let mut stack = vec![(0, x[0])];
    while let Some((i, p)) = stack.pop() {
        if let Step::Next(k) = &t[i] {
            stack.push((*k, p * x[0]));
        } else {
            s += p;
        }
    }
    s
}
exact!(walk_by_if_let_is_exact, X, walk_by_if_let walk_by_if_let_grad walk_by_if_let_hvp walk_by_if_let_linearize walk_by_if_let_sparsity, &[Step::Next(1), Step::Next(2), Step::Leaf(0)]);
#[differentiable(wrt(x))]
fn walk_by_match(x: &[f64], t: &[Step]) -> f64 {
    let mut node = 0;
    let mut s = 1.0;
    loop {
        match t[node] {
            Step::Leaf(k) => {
                s *= x[k];
                break;
            }
            Step::Next(k) => {
                node = k;
                s *= 2.0 * x[0];
            }
        }
    }
    s
}
exact!(walk_by_match_is_exact, X, walk_by_match walk_by_match_grad walk_by_match_hvp walk_by_match_linearize walk_by_match_sparsity, &[Step::Next(1), Step::Next(2), Step::Leaf(0)]);
#[differentiable(wrt(x))]
fn borrowed_elements(x: &[f64], t: &[Step], edges: &[Edge]) -> f64 {
    let mut s = 0.0;
    for i in 0..t.len() {
        let current = &t[i];
        match current {
            Step::Leaf(k) => s += x[*k],
            Step::Next(k) => s *= x[*k],
        }
    }
    let Edge { to, w, .. } = &edges[0];
    s + x[*to] * x[0] * *w * w
}
exact!(borrowed_elements_is_exact, X, borrowed_elements borrowed_elements_grad borrowed_elements_hvp borrowed_elements_linearize borrowed_elements_sparsity, &[Step::Leaf(1), Step::Next(2), Step::Leaf(0)], &[Edge { to: 2, w: 0.5 }]);
#[differentiable(wrt(x))]
fn walk_that_returns(x: &[f64], next: &[Option<usize>]) -> f64 {
    let mut node = 0;
    let mut s = 1.0;
    loop {
        match next[node] {
            Some(k) => {
                s *= x[k];
                node = k;
            }
            None => return s,
        }
    }
}
exact!(walk_that_returns_is_exact, X, walk_that_returns walk_that_returns_grad walk_that_returns_hvp walk_that_returns_linearize walk_that_returns_sparsity, &[Some(1), Some(2), None]);
#[differentiable]
fn median(x: &[f64]) -> f64 {
    let mut v: Vec<f64> = x.iter().map(|x| x * x.abs()).collect();
    v.sort_by(|a, b| a.partial_cmp(b).unwrap());
    let n = v.len();
    0.5 * (v[n / 2 - 1] + v[n / 2]) * v[n / 2] + v[0] * v[1]
}
exact!(median_is_exact, X, median median_grad median_hvp median_linearize median_sparsity);
#[differentiable]
fn order_statistics(x: &[f64]) -> f64 {
    let mut v = x.to_vec();
    v.sort_by(f64::total_cmp);
    v.reverse();
    let mut w = [x[1], x[0] * x[2], x[3]];
    w.sort_unstable_by(|a, b| b.total_cmp(a));
    v.iter().enumerate().map(|(i, v)| (i as f64 + 1.0) * v * v).sum::<f64>() + w[0] * w[1] * w[2]
}
exact!(order_statistics_is_exact, X, order_statistics order_statistics_grad order_statistics_hvp order_statistics_linearize order_statistics_sparsity);
#[differentiable]
fn argsort(x: &[f64]) -> f64 {
    let score: Vec<f64> = x.iter().map(|x| x.sin()).collect();
    let mut order: Vec<usize> = (0..x.len()).collect();
    order.sort_by(|&a, &b| score[a].partial_cmp(&score[b]).unwrap());
    let mut total = 0.0;
    for (rank, &i) in order.iter().enumerate() {
        total += rank as f64 * x[i] * score[i];
    }
    total
}
exact!(argsort_is_exact, X, argsort argsort_grad argsort_hvp argsort_linearize argsort_sparsity);
#[differentiable]
fn sorted_pairs(x: &[f64]) -> f64 {
    let mut pairs: Vec<(f64, f64)> = x.windows(2).map(|w| (w[0], w[0] * w[1] + w[0])).collect();
    pairs.sort_by(|a, b| a.1.partial_cmp(&b.1).unwrap());
    pairs.iter().enumerate().map(|(i, (a, b))| (i as f64 + 1.0) * a * b).sum()
}
exact!(sorted_pairs_is_exact, X, sorted_pairs sorted_pairs_grad sorted_pairs_hvp sorted_pairs_linearize sorted_pairs_sparsity);
#[differentiable]
fn from_fn(x: &[f64]) -> f64 {
    let a: [f64; 3] = std::array::from_fn(|k| x[k] * (k as f64 + 1.0));
    let m: [[f64; 2]; 3] = std::array::from_fn(|i| std::array::from_fn(|j| a[i] * x[j]));
    m.iter().map(|r| r[0] * r[1]).sum::<f64>() + a[2]
}
exact!(from_fn_is_exact, X, from_fn from_fn_grad from_fn_hvp from_fn_linearize from_fn_sparsity);
#[differentiable]
fn taken(x: &[f64]) -> f64 {
    let mut v = vec![x[0], x[1]];
    let mut all = Vec::new();
    for k in 2..x.len() {
        let old = std::mem::take(&mut v);
        v.push(old[0] * x[k]);
        v.push(old[1] + x[k]);
        all.push(v[0] * v[1]);
    }
    let last = std::mem::replace(&mut v, Vec::new());
    let mut s = x[0];
    let t = std::mem::take(&mut s);
    all.iter().sum::<f64>() + last[0] * last[1] + s + t * t
}
exact!(taken_is_exact, X, taken taken_grad taken_hvp taken_linearize taken_sparsity);
#[differentiable]
fn scaled(x: &[f64]) -> f64 {
    fn scale(v: &mut [f64], k: f64) {
        for a in v {
            *a *= k;
        }
    }
    fn add(v: &mut Vec<f64>, k: f64) {
        v.push(k);
        let n = v.len();
        v[n - 1] *= 2.0;
    }
    let mut v = x.to_vec();
    scale(&mut v, x[0]);
    scale(&mut v[1..3], x[1]);
    add(&mut v, x[2] * x[3]);
    let b = Box::new(x[4] * x[5]);
    v.iter().map(|v| v * v).sum::<f64>() + v[v.len() - 1] * *b
}
exact!(scaled_is_exact, X, scaled scaled_grad scaled_hvp scaled_linearize scaled_sparsity);
#[differentiable]
fn range_in_a_variable(x: &[f64]) -> f64 {
    let part = 0..2;
    let tail = 3..;
    let mut y = x.to_vec();
    for v in y[part.clone()].iter_mut() {
        *v *= x[0];
    }
    y[part.clone()].iter().sum::<f64>() * x[part][0] * x[tail].iter().product::<f64>()
}
exact!(range_in_a_variable_is_exact, X, range_in_a_variable range_in_a_variable_grad range_in_a_variable_hvp range_in_a_variable_linearize range_in_a_variable_sparsity);
#[differentiable]
fn interpolated(q: &[f64]) -> f64 {
    let xs = [0.0, 0.5, 1.0, 2.0];
    let ys = [1.0, 2.0, 0.5, 0.7];
    let mut s = 0.0;
    for &q in q {
        let q = q * q;
        let k = xs.partition_point(|&a| a < q).clamp(1, 3);
        let t = (q - xs[k - 1]) / (xs[k] - xs[k - 1]);
        s += (1.0 - t) * ys[k - 1] + t * t * ys[k];
        match xs.binary_search_by(|a| a.partial_cmp(&q).unwrap()) {
            Ok(i) | Err(i) => s += q * i as f64,
        }
    }
    s
}
exact!(interpolated_is_exact, X, interpolated interpolated_grad interpolated_hvp interpolated_linearize interpolated_sparsity);
#[differentiable(wrt(r))]
fn present_value(r: &[f64], c: &[f64]) -> f64 {
    let r = 1.5 + r[0];
    c.iter().enumerate().map(|(t, c)| c / r.powi(t as i32)).sum::<f64>()
        + (0..c.len()).map(|t| c[t] / r.powi(t as i32 + 1)).sum::<f64>()
}
exact!(present_value_is_exact, &[0.3], present_value present_value_grad present_value_hvp present_value_linearize present_value_sparsity, &[-1.0, 0.5, 0.2, 0.1, 0.7, 0.3, -0.2, 0.4, 0.6, 0.15, 0.25]);
#[differentiable]
fn beale(x: &[f64]) -> f64 {
    [1.5, 2.25, 2.625].iter().zip(1..).map(|(c, i)| (c - x[0] * (1.0 - x[1].powi(i))).powi(2)).sum()
}
exact!(beale_is_exact, &[0.3, 0.7], beale beale_grad beale_hvp beale_linearize beale_sparsity);
#[differentiable]
fn counted_items(x: &[f64]) -> f64 {
    let a: f64 = x.iter().zip(1..).map(|(v, i)| v.powi(i + 1) / f64::from(i)).sum();
    let b: f64 = (-2..).zip(x).map(|(i, v)| (v * v + 1.0).powi(i) * f64::from(i)).sum();
    let c: f64 = x.windows(2).zip(0..).map(|(w, i)| w[0] * w[1] * x[i]).sum();
    a + b * c
}
exact!(counted_items_are_exact, X, counted_items counted_items_grad counted_items_hvp counted_items_linearize counted_items_sparsity);
#[derive(Clone, Debug)]
enum Compounding {
    Simple,
    Periodic(u32),
}
#[differentiable(wrt(z))]
fn discount(z: &[f64], c: Compounding, shift: Option<f64>, _names: std::rc::Rc<str>) -> f64 {
    let z0 = z[0] + shift.unwrap_or(0.5);
    match c {
        Compounding::Simple => z0 * z[1],
        Compounding::Periodic(n) => (1.0 + z0).powf(n as f64) * z[1] * z[1],
    }
}
exact!(discount_is_exact, &[0.3, 0.7], discount discount_grad discount_hvp discount_linearize discount_sparsity, Compounding::Periodic(3), None, "a".into());
exact!(simple_discount_is_exact, &[0.3, 0.7], discount discount_grad discount_hvp discount_linearize discount_sparsity, Compounding::Simple, Some(0.1), "a".into());
/// Data that cannot be cloned: all products but the operators can be called.
struct Once(f64);
#[differentiable(wrt(z))]
fn once(z: &[f64], c: Once) -> f64 {
    z[0] * z[0] * z[1] * c.0
}
#[test]
fn data_that_cannot_be_cloned() {
    let mut hv = [f64::NAN; 2];
    once_hvp(&[2.0, 3.0], Once(5.0), &[1.0, 0.0], &mut hv);
    assert_eq!(hv, [30.0, 20.0]);
}
#[test]
#[should_panic(expected = "`c` cannot be cloned")]
fn operators_of_data_that_cannot_be_cloned() {
    let _ = once_hessian(&[2.0, 3.0], Once(5.0));
}
#[differentiable]
fn newton_root(p: &[f64]) -> Option<f64> {
    let mut s: f64 = 0.5;
    for _ in 0..60 {
        let step = (s * s - p[0]) / (2.0 * s);
        s -= step;
        if step.abs() < 1e-9 {
            return Some(s * p[1]);
        }
    }
    None
}
#[differentiable]
fn fixed_point(p: &[f64]) -> Result<f64, String> {
    let mut s: f64 = p[0];
    let mut k = 0;
    loop {
        let next = 1.0 + 0.1 * s.cos() * p[1];
        if (next - s).abs() < 1e-14 {
            return Ok(next * p[0]);
        }
        if k == 60 {
            return Err(format!("at {s}"));
        }
        s = next;
        k += 1;
    }
}
#[differentiable]
fn first_above(p: &[f64]) -> Option<f64> {
    let mut s = 0.0;
    for v in p {
        s += v * v;
        if s > 1.0 {
            return Some(s * v);
        }
    }
    let t = p.iter().product::<f64>();
    if t > 0.0 { Some(t * t) } else { None }
}
#[differentiable]
fn roots(p: &[f64]) -> f64 {
    newton_root(p).unwrap() + fixed_point(p).unwrap() * first_above(p).unwrap_or(0.5)
}
exact!(roots_are_exact, &[0.7, 1.1], roots roots_grad roots_hvp roots_linearize roots_sparsity);
exact!(other_roots_are_exact, &[0.7, 0.2], roots roots_grad roots_hvp roots_linearize roots_sparsity);
#[test]
fn failures_at_the_end() {
    assert!(newton_root_grad(&[-1.0, 1.0], &mut [0.0; 2]).is_none());
    assert!(first_above_grad(&[-0.1, 0.1], &mut [0.0; 2]).is_none());
    let (mut g, mut hv) = ([f64::NAN; 2], [f64::NAN; 2]);
    assert_eq!(newton_root_grad(&[4.0, 3.0], &mut g), newton_root(&[4.0, 3.0]));
    assert!((g[0] - 0.75).abs() < 1e-12 && (g[1] - 2.0).abs() < 1e-12, "{g:?}");
    assert!(newton_root_hvp(&[4.0, 3.0], &[1.0, 0.0], &mut hv).is_some());
    assert!((hv[0] + 0.09375).abs() < 1e-9 && (hv[1] - 0.25).abs() < 1e-9, "{hv:?}");
}
#[differentiable]
fn previous(x: &[f64]) -> f64 {
    let mut prev: Option<f64> = None;
    let mut c = 0.0;
    for v in x {
        let d = match prev {
            Some(p) => v - p * x[0],
            None => 0.0,
        };
        prev = Some(*v * *v);
        c += d * d;
    }
    c
}
exact!(previous_is_exact, X, previous previous_grad previous_hvp previous_linearize previous_sparsity);
#[differentiable]
fn previous_if_let(x: &[f64]) -> f64 {
    let mut prev = None;
    let mut c = 0.0;
    for (i, v) in x.iter().enumerate() {
        if let Some(p) = prev {
            c += (v - p) * (v - p) * v;
        }
        if i % 3 != 2 {
            prev = Some(v * x[1]);
        } else {
            prev = None;
        }
    }
    c + prev.unwrap_or(1.0) * x[2]
}
exact!(previous_if_let_is_exact, X, previous_if_let previous_if_let_grad previous_if_let_hvp previous_if_let_linearize previous_if_let_sparsity);
#[differentiable]
fn best_pair(x: &[f64]) -> f64 {
    let mut best: Option<(usize, f64)> = None;
    for (i, v) in x.iter().enumerate() {
        let w = v * v * v;
        match best {
            Some((_, b)) if b >= w => {}
            _ => best = Some((i, w)),
        }
    }
    let (i, w) = best.unwrap();
    x[i] * w + x[(i + 1) % x.len()] * w
}
exact!(best_pair_is_exact, X, best_pair best_pair_grad best_pair_hvp best_pair_linearize best_pair_sparsity);
#[differentiable(wrt(x))]
fn program(x: &[f64], text: &str) -> f64 {
    let mut a = x[0];
    for word in text.split_whitespace() {
        match word {
            "sin" => a = a.sin(),
            "square" => a = a * a,
            _ => a += x[1],
        }
    }
    for (i, c) in text.char_indices() {
        if c == 's' {
            a += x[i % 2] * x[1];
        }
    }
    let mut b = 0.0;
    for line in text.lines() {
        b += x[0] * line.len() as f64;
    }
    let c: f64 = text.split(' ').map(|word| x[1].powi(word.len() as i32)).sum();
    a * b + c
}
exact!(program_is_exact, &[0.3, 0.7], program program_grad program_hvp program_linearize program_sparsity, "sin square\nadd sin");
#[derive(Debug)]
enum Node {
    Split { left: usize, threshold: f64 },
    Leaf(usize),
    Nothing,
}
const NODES: &[Node] =
    &[Node::Split { left: 1, threshold: 0.5 }, Node::Leaf(0), Node::Nothing, Node::Leaf(3), Node::Leaf(0)];
#[differentiable(wrt(v))]
fn tree(v: &[f64], nodes: &[Node], kinds: &[u8]) -> f64 {
    let mut out = 0.0;
    for node in nodes {
        match *node {
            Node::Split { left, threshold } => out += v[left] * v[left + 1] * threshold,
            Node::Leaf(0) => out *= v[2],
            Node::Leaf(k) => out += v[k] * v[k],
            Node::Nothing => {}
        }
    }
    for kind in kinds {
        match *kind {
            0 => out += v[0] * v[1],
            1 | 2 => out *= v[3],
            n => out += v[0].powi(n as i32),
        }
    }
    out + nodes
        .iter()
        .map(|n| match *n {
            Node::Leaf(k) => v[k] * v[1],
            _ => 0.0,
        })
        .sum::<f64>()
}
exact!(tree_is_exact, X, tree tree_grad tree_hvp tree_linearize tree_sparsity, NODES, &[0, 2, 3, 1]);
#[differentiable]
fn checked_ratio(x: f64, y: f64) -> Result<f64, String> {
    if y <= 0.0 {
        return Err("not positive".to_string());
    }
    Ok(x / y)
}
#[differentiable]
fn with_failures(x: &[f64]) -> f64 {
    let a = checked_ratio(x[0], x[1]).unwrap_or_else(|e| x[0] * e.len() as f64);
    let b = checked_ratio(x[1], x[0]).unwrap_or_else(|_| 0.25);
    let c = checked_ratio(x[2], x[1]).map_or_else(|e| x[2] * x[1] + e.len() as f64, |v| v * v);
    a * b + c * c
}
exact!(with_failures_is_exact, X, with_failures with_failures_grad with_failures_hvp with_failures_linearize with_failures_sparsity);
exact!(without_failures_is_exact, &[0.3, 0.8, 1.1], with_failures with_failures_grad with_failures_hvp with_failures_linearize with_failures_sparsity);
#[differentiable]
fn last_seen(x: &[f64]) -> f64 {
    let mut last: Option<usize> = None;
    let mut peak: Option<(usize, f64)> = None;
    let (mut s, mut total) = (0.0, 0);
    for (i, v) in x.iter().enumerate() {
        if let Some(k) = last {
            s += x[k] * v * v;
            total += k + 1;
        }
        if let Some((k, p)) = peak {
            s += x[k] * p * v;
            total += k;
        }
        if *v > 0.0 {
            last = Some(i);
            peak = Some((i, v * v));
        }
    }
    s * total as f64
}
exact!(last_seen_is_exact, X, last_seen last_seen_grad last_seen_hvp last_seen_linearize last_seen_sparsity);
#[differentiable]
fn seen_before(x: &[f64]) -> f64 {
    let mut seen: Option<()> = None;
    let mut s = 0.0;
    for v in x {
        if let Some(()) = seen {
            s += v * v * x[0];
        }
        if *v > 0.5 {
            seen = Some(());
        }
    }
    s
}
exact!(seen_before_is_exact, X, seen_before seen_before_grad seen_before_hvp seen_before_linearize seen_before_sparsity);
#[derive(Clone)]
struct Borrowed<'a> {
    rows: &'a [f64],
}
#[differentiable(wrt(x))]
fn hidden_lifetime(x: &[f64], t: Borrowed) -> f64 {
    x[0] * x[0] * t.rows[0] * x[1]
}
exact!(hidden_lifetime_is_exact, X, hidden_lifetime hidden_lifetime_grad hidden_lifetime_hvp hidden_lifetime_linearize hidden_lifetime_sparsity, Borrowed { rows: &[2.0] });
#[differentiable(wrt(x))]
fn generic_data<D: std::fmt::Debug + Copy + Into<f64>>(x: &[f64], t: Vec<D>, k: D) -> f64 {
    let s: f64 = k.into();
    x[0] * x[0] * s * x[1] * t.len() as f64
}
exact!(generic_data_is_exact, X, generic_data generic_data_grad generic_data_hvp generic_data_linearize generic_data_sparsity, vec![1.0f32], 2.0f32);
#[differentiable(wrt(x))]
fn option_slice(x: &[f64], t: Option<&[f64]>, v: ndarray::ArrayView1<f64>) -> f64 {
    x[0] * x[0] * t.map_or(1.0, |t| t[0]) * v[0]
}
exact!(option_slice_is_exact, X, option_slice option_slice_grad option_slice_hvp option_slice_linearize option_slice_sparsity, Some(&[2.0]), ndarray::aview1(&[3.0]));
struct Curve {
    k: usize,
}
impl Curve {
    fn split(&self, at: usize) -> (usize, usize) {
        (at, self.k - at)
    }
    fn lines(&self) -> usize {
        self.k
    }
    fn char_indices(&self, i: usize) -> usize {
        i
    }
}
#[differentiable(wrt(x))]
fn own_methods(x: &[f64], c: &Curve) -> f64 {
    let (a, b) = c.split(1);
    let n = c.lines();
    x[a] * x[b].powi(n as i32) * x[c.char_indices(2)]
}
exact!(own_methods_are_exact, X, own_methods own_methods_grad own_methods_hvp own_methods_linearize own_methods_sparsity, &Curve { k: 3 });
#[differentiable(wrt(x))]
fn powers(x: &[f64], d: &[u8], text: &str) -> f64 {
    let mut s = 0.0;
    for k in d {
        s += x[1].powi(i32::from(*k) + 1);
    }
    s + x[2].powi(text.parse().unwrap()) + x[3].powi(d.len().try_into().unwrap())
}
exact!(powers_are_exact, X, powers powers_grad powers_hvp powers_linearize powers_sparsity, &[1, 2, 3], "3");
enum Item {
    Named(String, f64),
    Plain,
}
#[differentiable(wrt(x))]
fn by_ref(x: &[f64], items: &[Item]) -> f64 {
    let mut s = 0.0;
    for item in items {
        match *item {
            Item::Named(ref name, w) => s += x[name.len()] * x[0] * w,
            Item::Plain => s += x[0] * x[1],
        }
    }
    s
}
exact!(by_ref_is_exact, X, by_ref by_ref_grad by_ref_hvp by_ref_linearize by_ref_sparsity, &[Item::Named("ab".into(), 2.0), Item::Plain]);

#[differentiable(wrt(x))]
fn into_powers(x: &[f64], d: &[u8]) -> f64 {
    let mut s = 0.0;
    for k in d {
        s += x[0].powi((*k).into());
    }
    s
}
exact!(into_powers_are_exact, X, into_powers into_powers_grad into_powers_hvp into_powers_linearize into_powers_sparsity, &[1, 2, 3]);
#[differentiable(wrt(x))]
fn star(x: &[f64], d: &[u8], n: &usize, w: &[f64]) -> f64 {
    let mut s = 0.0;
    for (i, k) in d.iter().enumerate() {
        s += x[1].powi(i32::from(*k) + 1)
            * f64::from(u32::from(*k) * u32::from(*k))
            * x[usize::from(*n as u16)];
        let q = i * usize::from(*k);
        s += x[q % 3] * f64::max(*n as f64, w[0]);
    }
    for w in w {
        s += x[0] * f64::from_bits(w.to_bits());
    }
    s
}
exact!(star_is_exact, X, star star_grad star_hvp star_linearize star_sparsity, &[1, 2, 3], &2, &[1.0, 0.2]);

/// Heavy enough for lanes: two terms a round are added to the value, in order.
#[differentiable(wrt(x))]
fn heavy(x: &[f64], start: f64) -> f64 {
    let mut s = start;
    for v in x {
        let a = (v * v + 1.0).sqrt();
        let b = v / a + a * a * v - (a + 0.3) / (v * v + 2.0);
        let c = (b * a - v * b * b) / (1.0 + b * b);
        s = s + c * 1e3 - (a * b + c) * v;
    }
    s
}
#[test]
fn values_are_the_functions_own_to_the_last_bit() {
    for n in 0..35 {
        let x: Vec<f64> = (0..n).map(|i| (1.7 * i as f64 + 0.2).sin() * 3.0).collect();
        let (mut g, mut hv) = (vec![f64::NAN; n], vec![f64::NAN; n]);
        let value = heavy(&x, 0.1).to_bits();
        assert_eq!(heavy_grad(&x, 0.1, &mut g).to_bits(), value, "n = {n}");
        assert_eq!(heavy_grad_hvp(&x, 0.1, &x, &mut g, &mut hv).to_bits(), value, "n = {n}");
        assert_eq!(heavy_jvp(&x, 0.1, &x).0.to_bits(), value, "n = {n}");
        assert_eq!(heavy_curvature(&x, 0.1, &x).0.to_bits(), value, "n = {n}");
    }
}
exact!(heavy_is_exact, &[0.3, -0.8, 1.1, 0.6, -0.4, 0.9, 0.2, 1.3, -1.2, 0.5, 0.7], heavy heavy_grad heavy_hvp heavy_linearize heavy_sparsity, 0.1);
const NINE: &[f64] = &[0.3, -0.8, 1.1, 0.6, -0.4, 0.9, 0.35, -0.75, 1.2];
#[differentiable]
fn strides(x: &[f64]) -> f64 {
    let mut s = 0.0;
    for i in 0..x.len() / 3 {
        for k in 0..3 {
            let mut t = 0.0;
            for l in 0..3 {
                t += x[3 * k + l] * x[3 * l + i] * x[2 * l];
            }
            s += t * t * x[3 * i + k];
        }
    }
    s
}
exact!(strides_are_exact, NINE, strides strides_grad strides_hvp strides_linearize strides_sparsity);
#[differentiable]
fn bisect(x: &[f64]) -> Result<f64, String> {
    let (mut lo, mut hi) = (0.0, 3.0);
    if x[0] < -5.0 {
        return Err("low".into());
    }
    for k in 0..20 {
        let mid = 0.5 * (lo + hi);
        let f = mid * mid - 2.0;
        if k == 19 {
            if f > 100.0 {
                return Err("far".into());
            }
            let y = mid - (mid * mid - x[0] * x[1] - 2.0) / (2.0 * mid);
            if x[2] > 0.0 {
                return Ok(y * x[2]);
            } else {
                return Ok(y);
            }
        }
        if f > 0.0 { hi = mid } else { lo = mid }
    }
    let t = lo * x[0];
    if t > 10.0 {
        Err("no".into())
    } else if t > 5.0 {
        Ok(t)
    } else {
        return Err(format!("{t}"));
    }
}
#[differentiable]
fn bisected(x: &[f64]) -> f64 {
    bisect(x).unwrap() + bisect(&x[1..]).unwrap_or(x[0])
}
exact!(bisected_is_exact, X, bisected bisected_grad bisected_hvp bisected_linearize bisected_sparsity);
#[differentiable]
fn late(x: &[f64]) -> Option<f64> {
    let mut best: Option<f64> = None;
    for v in x {
        if *v < -2.0 {
            return None;
        }
        let w = v * v * x[0];
        best = match best {
            Some(b) if b > w => Some(b),
            Some(b) => Some(0.5 * b + w),
            None => Some(w),
        };
        if w > 100.0 {
            return best;
        }
    }
    let Some(b) = best else { return None };
    if b < 0.0 {
        return None;
    }
    Some(b * b)
}
#[differentiable]
fn lates(x: &[f64]) -> f64 {
    late(x).unwrap_or(1.0) + late(&[x[0] * 200.0, x[1]]).unwrap()
}
exact!(lates_are_exact, X, lates lates_grad lates_hvp lates_linearize lates_sparsity);
#[differentiable]
fn offset_outputs(x: &[f64]) -> f64 {
    let n = x.len();
    let mut y = vec![0.0; n + 2];
    for i in 1..n {
        y[i + 1] += x[i] * x[i - 1];
    }
    let mut z = vec![0.0; n];
    for i in (0..n - 2).rev() {
        z[i] += y[i + 2] * x[i];
    }
    for i in 0..n - 1 {
        z[i + 1] += z[i] * y[i];
    }
    y.iter().zip(&z).map(|(a, b)| a * b).sum::<f64>() + z[n - 1]
}
exact!(offset_outputs_are_exact, X, offset_outputs offset_outputs_grad offset_outputs_hvp offset_outputs_linearize offset_outputs_sparsity);
#[differentiable]
fn first_only(x: &[f64]) -> f64 {
    let mut s = 0.0;
    for i in 2..x.len() {
        s += x[i] * x[i] * x[i];
    }
    s
}
exact!(first_only_is_exact, X, first_only first_only_grad first_only_hvp first_only_linearize first_only_sparsity);
#[test]
fn first_only_of_any_length() {
    for n in 0..5 {
        let x = vec![0.5; n];
        let (mut g, mut h) = (vec![f64::NAN; n], vec![f64::NAN; n]);
        first_only_grad(&x, &mut g);
        first_only_hvp(&x, &x, &mut h);
        for i in 0..n {
            assert_eq!(g[i], if i < 2 { 0.0 } else { 0.75 });
            assert_eq!(h[i], if i < 2 { 0.0 } else { 1.5 });
        }
    }
}

// helpers of any shape
#[derive(Clone, Copy, Differentiable)]
struct Pose {
    x: f64,
    y: f64,
    theta: f64,
}

#[differentiable]
fn compose(a: Pose, dx: f64, dtheta: f64) -> Pose {
    Pose { x: a.x + dx * a.theta.cos(), y: a.y + dx * a.theta.sin(), theta: a.theta + dtheta }
}

#[differentiable]
fn square_all(a: &mut [f64]) {
    for v in a.iter_mut() {
        *v = *v * *v;
    }
}

#[differentiable]
fn cholesky(a: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let n = a.len();
    let mut l = vec![vec![0.0; n]; n];
    for i in 0..n {
        for j in 0..=i {
            let mut s = a[i][j];
            for k in 0..j {
                s -= l[i][k] * l[j][k];
            }
            if i == j {
                l[i][j] = s.sqrt();
            } else {
                l[i][j] = s / l[j][j];
            }
        }
    }
    l
}

#[differentiable]
fn logs(a: &[f64]) -> Option<Vec<f64>> {
    if a[0] <= -5.0 {
        return None;
    }
    Some(a.iter().map(|v| (v + 6.0).ln()).collect())
}

#[differentiable]
fn polar(a: &[f64]) -> Result<[f64; 2], String> {
    if a[0] <= -9.0 {
        return Err("neg".into());
    }
    Ok([a[0].hypot(a[1]), a[1].atan2(a[0])])
}

#[differentiable]
fn largest(a: &[f64]) -> (f64, usize) {
    let mut b = 0;
    for i in 0..a.len() {
        if a[i] > a[b] {
            b = i;
        }
    }
    (a[b], b)
}

#[differentiable]
fn argmax(a: &[f64]) -> usize {
    let mut b = 0;
    for i in 0..a.len() {
        if a[i] > a[b] {
            b = i;
        }
    }
    b
}

#[differentiable]
fn scale_one(a: &mut f64, k: f64) {
    *a *= k;
    *a += 1.0;
}

#[differentiable]
fn pad(a: &mut Vec<f64>) {
    let last = a[a.len() - 1];
    a.push(last * last);
}

#[differentiable]
fn points(p: &[f64]) -> Vec<[f64; 2]> {
    p.chunks(2).map(|c| [c[0].sin(), c[1] * c[0]]).collect()
}

#[differentiable]
fn pairs(p: &[f64]) -> Vec<(f64, f64)> {
    let mut out = Vec::new();
    for w in p.windows(2) {
        out.push((w[0] * w[1], w[1]));
    }
    out
}

#[differentiable]
fn capped(v: f64) -> (f64, bool) {
    if v > 0.5 { (v * v, true) } else { (v, false) }
}

#[differentiable]
fn stretched(p: &[f64], k: f64) -> Vec<f64> {
    if k < -9.0 {
        return Vec::new();
    }
    let mut o = Vec::with_capacity(p.len());
    for v in p {
        o.push(v * k);
    }
    o
}

#[differentiable]
fn stretched2(p: &[f64], k: f64) -> Vec<f64> {
    if k < 0.0 {
        return vec![];
    }
    p.iter().map(|v| v * k).collect()
}

#[differentiable]
fn h1(x: &[f64]) -> f64 {
    let mut p = Pose { x: x[0], y: x[1], theta: x[2] };
    for _ in 0..3 {
        p = compose(p, x[3], x[4]);
    }
    p.x * p.y + p.theta * x[5]
}
exact!(h1_, X, h1 h1_grad h1_hvp h1_linearize h1_sparsity);

#[differentiable]
fn h2(x: &[f64]) -> f64 {
    let mut y = x.to_vec();
    square_all(&mut y);
    square_all(&mut y[1..3]);
    y.iter().zip(x).map(|(a, b)| a * b).sum()
}
exact!(h2_, X, h2 h2_grad h2_hvp h2_linearize h2_sparsity);

#[differentiable]
fn h4(x: &[f64]) -> f64 {
    let n = 3;
    let mut k = vec![vec![0.0; n]; n];
    for i in 0..n {
        for j in 0..n {
            k[i][j] = (-(x[i] - x[j]).powi(2)).exp() + if i == j { 0.5 } else { 0.0 };
        }
    }
    let l = cholesky(&k);
    let mut s = 0.0;
    for i in 0..n {
        s += l[i][i].ln() * x[3 + i] + l[i][0];
    }
    s
}
exact!(h4_, X, h4 h4_grad h4_hvp h4_linearize h4_sparsity);

#[differentiable]
fn h5(x: &[f64]) -> f64 {
    let l = logs(x).unwrap();
    let q = polar(&x[2..]).unwrap();
    let (m, k) = largest(x);
    l.iter().sum::<f64>() * q[0] + q[1] * m + x[k].powi(3) + x[argmax(x)] * l[0]
}
exact!(h5_, X, h5 h5_grad h5_hvp h5_linearize h5_sparsity);

#[differentiable]
fn h6(x: &[f64]) -> f64 {
    let mut a = x[0];
    scale_one(&mut a, x[1]);
    scale_one(&mut a, x[2]);
    let mut y = x.to_vec();
    y[2] = a;
    scale_one(&mut y[3], x[4]);
    pad(&mut y);
    pad(&mut y);
    a * a + y[6] * y[3] + y[7]
}
exact!(h6_, X, h6 h6_grad h6_hvp h6_linearize h6_sparsity);

#[differentiable]
fn h7(x: &[f64]) -> f64 {
    let p = points(x);
    let q = pairs(x);
    let mut s = 0.0;
    for (a, b) in p.iter().zip(&q) {
        s += a[0] * b.1 + a[1] * b.0;
    }
    for v in x {
        let (c, big) = capped(*v);
        if big { s += c * 2.0 } else { s -= c }
    }
    s
}
exact!(h7_, X, h7 h7_grad h7_hvp h7_linearize h7_sparsity);

#[differentiable]
fn h8(x: &[f64]) -> f64 {
    let a = stretched(x, x[0]);
    let b = stretched2(x, x[2]);
    let c = stretched2(x, x[1]);
    a.iter().zip(&b).map(|(a, b)| a * b).sum::<f64>() + c.iter().sum::<f64>()
}
exact!(h8_, X, h8 h8_grad h8_hvp h8_linearize h8_sparsity);

#[differentiable]
fn h9(x: &[f64]) -> f64 {
    fn norm(v: &mut [f64]) -> f64 {
        let n = v.iter().map(|a| a * a).sum::<f64>().sqrt();
        for a in v.iter_mut() {
            *a /= n;
        }
        n
    }
    fn rows(x: &[f64]) -> Vec<Vec<f64>> {
        x.chunks(3).map(|c| c.to_vec()).collect()
    }
    fn maybe(x: f64) -> Option<[f64; 2]> {
        if x < -9.0 { None } else { Some([x, x * x]) }
    }
    let mut y = x.to_vec();
    let n = norm(&mut y);
    let r = rows(&y);
    let Some(m) = maybe(x[1]) else { return 0.0 };
    n * r[0][1] * r[1][2] + m[0] * m[1]
}
exact!(h9_, X, h9 h9_grad h9_hvp h9_linearize h9_sparsity);
#[differentiable]
fn mid(x: &[f64], t: &[f64]) -> Vec<f64> {
    if t.is_empty() {
        return Vec::new();
    }
    if t[0] < -1.0 {
        return x.to_vec();
    }
    let mut out = vec![0.0; x.len()];
    for (i, v) in t.iter().enumerate() {
        if *v > 2.0 {
            return out;
        }
        if *v > 1.5 {
            return vec![x[0]; 2];
        }
        out[i] = x[i] * v * x[i];
    }
    out.push(x[0]);
    out
}
#[differentiable]
fn mid2(x: &[f64], t: f64) -> Option<[f64; 2]> {
    if t < 0.0 {
        return None;
    }
    if t < 1.0 {
        return Some([x[0], x[1] * x[0]]);
    }
    let a = [x[0] * t, x[1]];
    if t < 2.0 {
        return Some(a);
    }
    Some([a[0] * a[0], a[1]])
}
#[differentiable]
fn mid3(x: &[f64], t: f64) -> Result<Vec<f64>, String> {
    if t < 0.0 {
        return Err(format!("negative {t}"));
    }
    let a: Vec<f64> = x.iter().map(|x| x * t).collect();
    if t < 1.0 {
        return Ok(a);
    }
    Ok(a.iter().map(|v| v * v).collect())
}
#[test]
fn mids() {
    for t in [&[][..], &[-2.0], &[0.5, 0.7], &[0.5, 2.5], &[0.5, 1.7]] {
        let x = [0.4, -0.7, 1.0];
        let want = mid(&x, t);
        let d = |h: f64| mid(&[0.4 + h * 0.3, -0.7 + h, 1.0 - h], t);
        let (val, jvp) = mid_jvp(&x, t, &[0.3, 1.0, -1.0], &vec![0.0; t.len()]);
        assert_eq!(val, want);
        for k in 0..want.len() {
            let s = (d(1e-5)[k] - d(-1e-5)[k]) / 2e-5;
            assert!((jvp[k] - s).abs() < 1e-8);
        }
    }
    for t in [-1.0, 0.5, 1.5, 2.5] {
        let x = [0.4, -0.7];
        let want = mid2(&x, t);
        let got = mid2_jvp(&x, t, &[1.0, 0.5], 0.0);
        assert_eq!(want.is_some(), got.is_some());
        if let Some((v, dv)) = got {
            assert_eq!(v, want.unwrap());
            for k in 0..2 {
                let d = |h: f64| mid2(&[0.4 + h, -0.7 + 0.5 * h], t).unwrap()[k];
                let s = (d(1e-5) - d(-1e-5)) / 2e-5;
                assert!((dv[k] - s).abs() < 1e-8);
            }
        }
        let got = mid3_jvp(&x, t, &[1.0, 0.5], 0.0);
        if let Ok((v, dv)) = got {
            assert_eq!(v, mid3(&x, t).unwrap());
            for k in 0..2 {
                let d = |h: f64| mid3(&[0.4 + h, -0.7 + 0.5 * h], t).unwrap()[k];
                let s = (d(1e-5) - d(-1e-5)) / 2e-5;
                assert!((dv[k] - s).abs() < 1e-8);
            }
        } else {
            assert_eq!(got.unwrap_err(), mid3(&x, t).unwrap_err());
        }
    }
}

// what leaves loops early: parts of what is there, and arrays made in the loop
#[differentiable(only(jvp))]
fn leaves1(x: &[f64], t: f64) -> f64 {
    fn pick(x: &[f64], t: f64) -> &[f64] {
        for i in 0..x.len() - 1 {
            if x[i] > t {
                return &x[i..i + 2];
            }
        }
        &x[0..2]
    }
    let p = pick(x, t);
    p[0] * p[1]
}
#[differentiable(only(jvp))]
fn leaves2(x: &[f64], t: f64) -> f64 {
    let p = loop {
        if x[0] > t {
            break &x[1..3];
        }
        break &x[0..2];
    };
    p[0] * p[1]
}
#[differentiable(only(jvp))]
fn leaves3(x: &[f64], t: f64) -> f64 {
    let mut k = 0;
    let p = loop {
        k += 1;
        if x[k] > t {
            break [x[k], x[k] * t];
        }
    };
    p[0] * p[1]
}
#[differentiable(only(jvp))]
fn leaves4(x: &[f64], t: f64) -> f64 {
    fn pick(x: &[f64], t: f64) -> [f64; 2] {
        for i in 0..x.len() - 1 {
            if x[i] > t {
                return [x[i], 2.0];
            } else if x[i] < -t {
                return [x[i], 3.0];
            }
        }
        [x[0], 5.0]
    }
    let p = pick(x, t);
    p[0] * p[1]
}
#[differentiable(only(jvp))]
fn leaves5(x: &[f64], t: f64) -> f64 {
    fn pick(x: &[f64], t: f64) -> [f64; 2] {
        let mut a = [x[0], 5.0];
        for i in 0..x.len() - 1 {
            a[1] += x[i];
            if x[i] > t {
                return a;
            }
        }
        a[0] = 9.0;
        a
    }
    let p = pick(x, t);
    p[0] * p[1]
}

macro_rules! slopes { ($x:expr, $($f:ident $jvp:ident),*) => {
    $(for t in [0.3, 0.6, 0.95] {
        let v = [0.3, -1.0, 0.7, 0.5];
        let at = |h: f64| $f(&[$x[0] + h * v[0], $x[1] + h * v[1], $x[2] + h * v[2], $x[3] + h * v[3]], t + 0.2 * h);
        let (val, slope) = $jvp(&$x, t, &v, 0.2);
        assert_eq!(val, at(0.0), stringify!($f));
        let want = (at(1e-5) - at(-1e-5)) / 2e-5;
        assert!((slope - want).abs() < 1e-8, "{} {slope} {want}", stringify!($f));
    })*
} }
#[test]
fn results_of_loops() {
    slopes!([0.4, 0.7, 0.9, 1.1], leaves1 leaves1_jvp, leaves2 leaves2_jvp, leaves3 leaves3_jvp, leaves4 leaves4_jvp, leaves5 leaves5_jvp);
}

// structs made by other code
#[derive(Clone, Copy, Debug)]
struct Car {
    x: f64,
    s: f64,
    gear: usize,
    pos: [f64; 2],
}
impl Default for Car {
    fn default() -> Self {
        Car { x: 0.25, s: 1.5, gear: 2, pos: [0.5, -0.5] }
    }
}
impl Car {
    const START: Car = Car { x: 1.0, s: 0.5, gear: 1, pos: [1.0, 2.0] };
    fn new(s: f64) -> Self {
        Car { s, ..Car::START }
    }
}
struct Tank {
    level: f64,
    history: Vec<f64>,
    name: String,
}
impl Tank {
    fn new() -> Self {
        Tank { level: 1.0, history: vec![0.5, 0.25], name: "t".into() }
    }
}

#[differentiable]
fn o1(u: &[f64]) -> f64 {
    let mut car = Car::default();
    for u in u {
        car.x += car.s * u;
        car.s += u;
    }
    car.x
}
exact!(o1_, X, o1 o1_grad o1_hvp o1_linearize o1_sparsity);

#[differentiable]
fn o2(u: &[f64]) -> f64 {
    let mut car = Car::new(0.75);
    for (k, u) in u.iter().enumerate() {
        car = Car { x: car.x + car.s * u, s: car.s * (1.0 + u * u), gear: k, ..car };
        if car.gear > 2 {
            car.pos[k % 2] += car.x * u;
        }
    }
    car.x * car.s + car.pos[0] * car.pos[1]
}
exact!(o2_, X, o2 o2_grad o2_hvp o2_linearize o2_sparsity);

#[differentiable(wrt(u))]
fn o3(u: &[f64], cars: &[Car], first: &Car) -> f64 {
    let mut total = 0.0;
    for c in cars {
        let mut car = *c;
        car.x *= u[0];
        car.pos[1] = u[1] * car.pos[0] * u[1];
        total += car.x * car.x * car.s + car.pos[1] * car.gear as f64;
    }
    let mut own = first.clone();
    for v in u {
        own.s += v * own.x;
        own.x = own.s * v;
    }
    total + own.s
}
fn cars() -> Vec<Car> {
    vec![Car::default(), Car::START, Car::new(3.0)]
}
exact!(o3_, X, o3 o3_grad o3_hvp o3_linearize o3_sparsity, &cars(), &Car::START);

#[differentiable]
fn o4(u: &[f64]) -> f64 {
    let a = Car { s: u[0] * u[1], ..Default::default() };
    let mut b = Car { x: u[2], ..Car::START };
    b.pos[0] *= a.s * b.x;
    fn step(mut c: Car, v: f64) -> Car {
        c.x += v * c.s;
        c.s *= v;
        c
    }
    let c = step(step(a, u[3]), u[4]);
    let Car { x, s, .. } = c;
    x * s + b.pos[0] * b.pos[1] + a.gear as f64 * u[5] * u[5]
}
exact!(o4_, X, o4 o4_grad o4_hvp o4_linearize o4_sparsity);

#[differentiable]
fn o5(u: &[f64]) -> f64 {
    let mut t = Tank::new();
    for v in u {
        t.level += v * t.history[t.history.len() - 1];
        t.history.push(t.level * v);
        t.history[0] += v;
    }
    if t.name == "t" { t.level * t.history[1] + t.history[3] * t.history[0] } else { 0.0 }
}
exact!(o5_, X, o5 o5_grad o5_hvp o5_linearize o5_sparsity);

#[differentiable]
fn advance(c: &mut Car, v: f64) {
    c.x += v * c.s;
    c.s += v * v;
}
#[differentiable]
fn moved(c: Car, v: f64) -> Car {
    Car { x: c.x * v, ..c }
}
#[differentiable]
fn o6(u: &[f64]) -> f64 {
    let mut car = Car::START;
    for v in u {
        advance(&mut car, *v);
    }
    for v in u {
        car = moved(car, 1.0 + v);
    }
    car.x + car.s
}
exact!(o6_, X, o6 o6_grad o6_hvp o6_linearize o6_sparsity);

#[differentiable(wrt(u))]
fn o7(u: &[f64], mut car: Car) -> f64 {
    for v in u {
        car.x += 0.3 * v * car.s;
        car.s *= 1.0 + 0.3 * v * car.x;
    }
    car.x * car.s
}
exact!(o7_, X, o7 o7_grad o7_hvp o7_linearize o7_sparsity, Car::default());

#[differentiable(wrt(w))]
fn p1(w: &[f64], data: &[(Vec<f64>, f64)]) -> f64 {
    let mut s = 0.0;
    for (input, y) in data {
        let mut a = input.to_vec();
        for _ in 0..3 {
            a = w.iter().zip(&a).map(|(w, x)| w * x).collect();
        }
        s += (a[0] - y).powi(2);
    }
    s
}
exact!(p1_, X, p1 p1_grad p1_hvp p1_linearize p1_sparsity, &[(vec![0.5, 1.0, -0.3, 0.2, 0.8, 1.5], 0.4), (vec![1.5, 1.0, -0.3, 0.2, 0.8, 1.5], -0.4)]);
#[differentiable(wrt(w))]
fn p1b(w: &[f64], data: &[(Vec<f64>, f64)]) -> f64 {
    let mut s = 0.0;
    for k in 0..data.len() {
        let mut a: Vec<f64> = data[k].0.iter().copied().collect();
        let mut b = data[k].0.clone();
        for _ in 0..3 {
            a = w.iter().zip(&a).map(|(w, x)| w * x).collect();
            b[1] += a[0];
        }
        for i in 0..2 {
            b = b.iter().map(|v| v * w[i]).collect::<Vec<_>>();
        }
        s += (a[0] - data[k].1).powi(2) + b[1];
    }
    s
}
exact!(p1b_, X, p1b p1b_grad p1b_hvp p1b_linearize p1b_sparsity, &[(vec![0.5, 1.0, -0.3, 0.2, 0.8, 1.5], 0.4), (vec![1.5, 1.0, -0.3, 0.2, 0.8, 1.5], -0.4)]);
#[differentiable(wrt(x))]
fn p2(x: &[f64], d: &[([f64; 2], f64)]) -> f64 {
    let p = d[0].0;
    let q = if x[0] < 0.0 { p } else { [p[0] * x[0], p[1]] };
    fn rotate(r: &[f64], p: [f64; 2]) -> [f64; 2] {
        if r[1].abs() < 1e-9 {
            return p;
        }
        [p[0] * r[1].cos(), p[1] * r[2].sin()]
    }
    let mut s = q[0] * x[1];
    for (p, y) in d {
        let r = rotate(x, *p);
        s += (r[0] * r[1] - y).powi(2);
    }
    s
}
exact!(p2_, X, p2 p2_grad p2_hvp p2_linearize p2_sparsity, &[([0.5, 1.0], 0.4), ([1.5, 1.0], -0.4)]);
#[differentiable]
fn p3(x: &[f64]) -> f64 {
    let mut u = x.to_vec();
    u.insert(0, 0.0);
    u.insert(3, x[0] * x[1]);
    u.push(1.0);
    let mut s = 0.0;
    for i in 1..u.len() - 1 {
        s += (u[i + 1] - 2.0 * u[i] + u[i - 1]).powi(2) * u[i];
    }
    let r = u.remove(2);
    u.rotate_left(2);
    s += u[0] * r;
    u.rotate_right(1);
    s + u[1] * u[2] * u.len() as f64
}
exact!(p3_, X, p3 p3_grad p3_hvp p3_linearize p3_sparsity);
#[differentiable]
fn p4(x: &[f64]) -> f64 {
    let mut line = vec![0.0; 3];
    let mut out = 0.0;
    for v in x {
        line.rotate_right(1);
        line[0] = *v * out + v;
        out += line[2] * 0.5 + line[1] * line[0];
    }
    let mut q = vec![x[0]; 2];
    for v in x {
        let first = q.remove(0);
        q.push(first * v + v);
    }
    let mut st: Vec<f64> = Vec::new();
    for v in x {
        st.insert(0, v * v);
        if st.len() > 3 {
            st.truncate(3);
        }
    }
    out + q[0] * q[1] + st.iter().product::<f64>() + st.swap_remove(0)
}
exact!(p4_, X, p4 p4_grad p4_hvp p4_linearize p4_sparsity);
#[differentiable]
fn p5(x: &[f64]) -> f64 {
    let mut term = vec![vec![1.0, 0.0], vec![0.0, 1.0]];
    let a = vec![vec![x[0], x[1]], vec![x[2], x[3]]];
    let mut sum = term.clone();
    for k in 1..6 {
        let mut new = vec![vec![0.0; 2]; 2];
        for i in 0..2 {
            for j in 0..2 {
                for l in 0..2 {
                    new[i][j] += term[i][l] * a[l][j] / k as f64;
                }
            }
        }
        term = new;
        for i in 0..2 {
            for j in 0..2 {
                sum[i][j] += term[i][j];
            }
        }
    }
    sum[0][0] + sum[1][1] * sum[0][1]
}
exact!(p5_, X, p5 p5_grad p5_hvp p5_linearize p5_sparsity);
#[differentiable]
fn p6(x: &[f64]) -> f64 {
    let a: Vec<Vec<f64>> = x.chunks(2).map(|c| c.to_vec()).collect();
    let mut term = a.clone();
    for _ in 1..3 {
        let mut new = vec![vec![0.0; 2]; 3];
        for i in 0..3 {
            for j in 0..2 {
                new[i][j] = term[i][j] * x[0] + term[2 - i][1 - j];
            }
        }
        term = new;
    }
    let mut rows = a;
    for r in rows.iter_mut() {
        for v in r.iter_mut() {
            *v *= *v;
        }
    }
    rows.swap(0, 2);
    term[0][0] * term[2][1] + rows[0][0] * rows[1][1]
}
exact!(p6_, X, p6 p6_grad p6_hvp p6_linearize p6_sparsity);
#[differentiable]
fn p8(x: &[f64]) -> f64 {
    let mut rows: Vec<Vec<f64>> = x.chunks(2).map(|c| c.to_vec()).collect();
    let first = rows.remove(0);
    rows.push(first);
    rows.insert(1, vec![x[0] * x[1]; 3]);
    rows.rotate_left(1);
    rows.reverse();
    let kept = rows;
    rows = vec![vec![0.5; 2]; 2];
    rows[1][0] = x[3];
    let mut pairs: Vec<(f64, f64)> = x.windows(2).map(|w| (w[0] * w[1], w[1])).collect();
    pairs.insert(2, (x[5], 2.0));
    pairs.rotate_right(2);
    let (a, b) = pairs.swap_remove(1);
    kept[0][0] * kept[1][1]
        + kept[2][1] * kept[3][0]
        + rows[1][0] * rows[0][1]
        + a * b
        + pairs[1].0 * pairs[2].1
}
exact!(p8_, X, p8 p8_grad p8_hvp p8_linearize p8_sparsity);
#[differentiable(wrt(w))]
fn q2(w: &[f64], data: &[(Vec<f64>, f64)]) -> f64 {
    let mut s = 0.0;
    for k in 0..data.len() {
        let mut a: Vec<f64> = data[k].0.iter().copied().collect();
        for _ in 0..3 {
            a = w.iter().zip(&a).map(|(w, x)| w * x).collect();
        }
        s += (a[0] - data[k].1).powi(2);
    }
    s
}
exact!(q2_, X, q2 q2_grad q2_hvp q2_linearize q2_sparsity, &[(vec![0.5, 1.0, -0.3, 0.2, 0.8, 1.5], 0.4), (vec![1.5, 1.0, -0.3, 0.2, 0.8, 1.5], -0.4)]);

// ---- fresh batch A
#[differentiable(wrt(theta))]
fn garch_nll(theta: &[f64], returns: &[f64]) -> f64 {
    let (omega, alpha, beta) =
        (theta[0].exp(), 1.0 / (1.0 + (-theta[1]).exp()), 1.0 / (1.0 + (-theta[2]).exp()));
    let n = returns.len() as f64;
    let mean = returns.iter().sum::<f64>() / n;
    let mut var = returns.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / n;
    let mut nll = 0.0;
    for window in returns.windows(2) {
        let [prev, cur] = window else { unreachable!() };
        var = omega + 0.3 * alpha * (prev - mean).powi(2) + 0.6 * beta * var;
        nll += 0.5 * ((2.0 * std::f64::consts::PI * var).ln() + (cur - mean).powi(2) / var);
    }
    nll
}
exact!(garch_nll_, X, garch_nll garch_nll_grad garch_nll_hvp garch_nll_linearize garch_nll_sparsity, &[0.1, -0.2, 0.15, 0.3, -0.25]);

#[derive(Debug, Clone)]
struct Layer {
    n_in: usize,
    n_out: usize,
    act: Activation,
}
#[derive(Debug, Clone, Copy, PartialEq)]
enum Activation {
    Tanh,
    Relu,
    Identity,
    Softplus { beta: f64 },
}
impl Activation {
    fn name(&self) -> &'static str {
        match self {
            Activation::Tanh => "tanh",
            _ => "other",
        }
    }
}
#[differentiable(wrt(params))]
fn net_loss(params: &[f64], layers: &[Layer], xs: &[Vec<f64>], ys: &[f64], l2: f64) -> f64 {
    let mut loss = 0.0;
    for (x, y) in xs.iter().zip(ys.iter()) {
        let mut h: Vec<f64> = x.clone();
        let mut offset = 0;
        for layer in layers.iter() {
            let mut next = Vec::with_capacity(layer.n_out);
            for o in 0..layer.n_out {
                let w = &params[offset + o * layer.n_in..offset + (o + 1) * layer.n_in];
                let b = params[offset + layer.n_in * layer.n_out + o];
                let z = w.iter().zip(h.iter()).fold(b, |acc, (wi, hi)| acc + wi * hi);
                next.push(match layer.act {
                    Activation::Tanh => z.tanh(),
                    Activation::Relu => {
                        if z > 0.0 {
                            z
                        } else {
                            0.0
                        }
                    }
                    Activation::Identity => z,
                    Activation::Softplus { beta } => (beta * z).exp().ln_1p() / beta,
                });
            }
            offset += layer.n_out * (layer.n_in + 1);
            h = next;
        }
        loss += (h[0] - y).powi(2);
    }
    loss / xs.len() as f64 + l2 * params.iter().map(|p| p * p).sum::<f64>()
}
fn net_layers() -> Vec<Layer> {
    vec![
        Layer { n_in: 2, n_out: 1, act: Activation::Tanh },
        Layer { n_in: 1, n_out: 1, act: Activation::Softplus { beta: 2.0 } },
    ]
}
exact!(net_loss_, X, net_loss net_loss_grad net_loss_hvp net_loss_linearize net_loss_sparsity, &net_layers(), &[vec![0.5, -0.2], vec![0.1, 0.9]], &[0.3, -0.4], 0.01);

#[differentiable]
fn double_pendulum_action(q: &[f64]) -> f64 {
    const G: f64 = 9.81;
    let dt = 0.1_f64;
    #[derive(Clone, Copy)]
    struct State {
        a: f64,
        b: f64,
    }
    let states: Vec<State> = q.chunks_exact(2).map(|c| State { a: c[0], b: c[1] }).collect();
    let mut action = 0.0;
    for pair in states.windows(2) {
        let (s, t) = (pair[0], pair[1]);
        let (da, db) = ((t.a - s.a) / dt, (t.b - s.b) / dt);
        let kinetic = da * da + 0.5 * db * db + da * db * (s.a - s.b).cos();
        let potential = -G * (2.0 * s.a.cos() + s.b.cos());
        action += (kinetic - potential) * dt;
    }
    action
}
exact!(dpa_, X, double_pendulum_action double_pendulum_action_grad double_pendulum_action_hvp double_pendulum_action_linearize double_pendulum_action_sparsity);

#[differentiable(wrt(beta))]
fn cox_partial_likelihood(beta: &[f64], covariates: &[[f64; 3]], times: &[f64], events: &[bool]) -> f64 {
    let n = times.len();
    let scores: Vec<f64> =
        covariates.iter().map(|c| c.iter().zip(beta).map(|(c, b)| c * b).sum::<f64>()).collect();
    let mut ll = 0.0;
    for i in 0..n {
        if !events[i] {
            continue;
        }
        let at_risk: f64 = (0..n).filter(|&j| times[j] >= times[i]).map(|j| scores[j].exp()).sum();
        ll += scores[i] - at_risk.ln();
    }
    -ll
}
exact!(cox_, &X[..3], cox_partial_likelihood cox_partial_likelihood_grad cox_partial_likelihood_hvp cox_partial_likelihood_linearize cox_partial_likelihood_sparsity, &[[0.1, 0.5, 1.0], [0.4, -0.3, 0.2], [1.0, 0.2, -0.7], [0.3, 0.3, 0.9]], &[2.0, 1.0, 3.0, 1.5], &[true, false, true, true]);

#[differentiable]
fn lennard_jones(coords: &[f64]) -> f64 {
    let atoms: Vec<[f64; 2]> = coords.chunks(2).map(|c| [c[0], c[1]]).collect();
    let mut e = 0.0;
    for (i, a) in atoms.iter().enumerate() {
        for b in atoms.iter().skip(i + 1) {
            let r2: f64 = a.iter().zip(b.iter()).map(|(p, q)| (p - q) * (p - q)).sum();
            let s6 = (1.0 / r2).powi(3);
            e += 4.0 * (s6 * s6 - s6);
        }
    }
    e
}
exact!(lj_, &[0.3, -0.8, 1.9, 0.6, -0.9, 0.9], lennard_jones lennard_jones_grad lennard_jones_hvp lennard_jones_linearize lennard_jones_sparsity);

#[differentiable]
fn crf(x: &[f64]) -> f64 {
    let k = 2;
    let emissions: Vec<&[f64]> = x[..4].chunks(k).collect();
    let transitions = &x[4..];
    let mut alpha: Vec<f64> = emissions[0].to_vec();
    for e in emissions.iter().skip(1) {
        let mut next = vec![f64::NEG_INFINITY; k];
        for j in 0..k {
            let terms: Vec<f64> =
                (0..k).map(|i| alpha[i] + transitions[(i + j) % 2] * (1.0 + i as f64)).collect();
            let m = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            next[j] = e[j] + m + terms.iter().map(|t| (t - m).exp()).sum::<f64>().ln();
        }
        alpha = next;
    }
    let m = alpha.iter().cloned().fold(f64::MIN, f64::max);
    m + alpha.iter().map(|a| (a - m).exp()).sum::<f64>().ln()
}
exact!(crf_, X, crf crf_grad crf_hvp crf_linearize crf_sparsity);

#[differentiable]
fn trig(x: &[f64]) -> f64 {
    let n = x.len();
    let cos_sum: f64 = x.iter().map(|v| v.cos()).sum();
    x.iter()
        .enumerate()
        .map(|(i, xi)| {
            let fi = n as f64 - cos_sum + (i + 1) as f64 * (1.0 - xi.cos()) - xi.sin();
            fi * fi
        })
        .sum()
}
exact!(trig_, X, trig trig_grad trig_hvp trig_linearize trig_sparsity);

#[differentiable(wrt(p))]
fn michaelis(p: &[f64], data: &[(f64, f64)], hill: Option<f64>) -> f64 {
    let [vmax, km, bg, ..] = *p else { panic!("too few parameters") };
    data.iter()
        .map(|&(s, v)| {
            let n = hill.unwrap_or(1.0);
            let rate = vmax.abs() * s.powf(n) / (km.abs().powf(n) + s.powf(n)) + bg;
            let r = rate - v;
            if r.abs() <= 0.5 { 0.5 * r * r } else { 0.5 * (r.abs() - 0.25) }
        })
        .sum()
}
exact!(mm_, X, michaelis michaelis_grad michaelis_hvp michaelis_linearize michaelis_sparsity, &[(0.1, 0.2), (1.0, 0.9), (3.0, 2.5)], Some(1.7));

#[differentiable]
fn rk4_orbit(s0: &[f64]) -> f64 {
    type V4 = [f64; 4];
    fn rhs(s: &V4) -> V4 {
        let r3 = (s[0] * s[0] + s[1] * s[1]).powf(1.5);
        [s[2], s[3], -s[0] / r3, -s[1] / r3]
    }
    fn axpy(a: &V4, h: f64, k: &V4) -> V4 {
        let mut out = [0.0; 4];
        for i in 0..4 {
            out[i] = a[i] + h * k[i];
        }
        out
    }
    let mut s: V4 = [1.0 + 0.1 * s0[0], s0[1] * 0.1, 0.1 * s0[2], 1.0 + 0.1 * s0[3]];
    let h = 0.1;
    for _ in 0..5 {
        let k1 = rhs(&s);
        let k2 = rhs(&axpy(&s, h / 2.0, &k1));
        let k3 = rhs(&axpy(&s, h / 2.0, &k2));
        let k4 = rhs(&axpy(&s, h, &k3));
        s = std::array::from_fn(|i| s[i] + h / 6.0 * (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i]));
    }
    s[0].hypot(s[1]) + s0[4] * s[2] * s0[5]
}
exact!(orbit_, X, rk4_orbit rk4_orbit_grad rk4_orbit_hvp rk4_orbit_linearize rk4_orbit_sparsity);

#[differentiable]
fn casteljau_length(c: &[f64]) -> f64 {
    let p: Vec<(f64, f64)> = c.chunks(2).map(|q| (q[0], q[1])).collect();
    let point = |t: f64| -> (f64, f64) {
        let mut work = p.clone();
        let mut n = work.len();
        while n > 1 {
            for i in 0..n - 1 {
                work[i] =
                    ((1.0 - t) * work[i].0 + t * work[i + 1].0, (1.0 - t) * work[i].1 + t * work[i + 1].1);
            }
            n -= 1;
        }
        work[0]
    };
    let mut last = point(0.0);
    let mut len = 0.0;
    for k in 1..=8 {
        let next = point(k as f64 / 8.0);
        len += ((next.0 - last.0).powi(2) + (next.1 - last.1).powi(2)).sqrt();
        last = next;
    }
    len
}
exact!(bezier_, X, casteljau_length casteljau_length_grad casteljau_length_hvp casteljau_length_linearize casteljau_length_sparsity);

#[differentiable(wrt(x))]
fn portfolio(x: &[f64], mu: &[f64], cov: &[Vec<f64>], risk: f64, bounds: (f64, f64)) -> f64 {
    let (lo, hi) = bounds;
    let ret: f64 = x.iter().zip(mu).map(|(a, b)| a * b).sum();
    let mut var = 0.0;
    for (i, row) in cov.iter().enumerate() {
        for (j, c) in row.iter().enumerate() {
            var += x[i] * c * x[j];
        }
    }
    let total: f64 = x.iter().sum();
    let penalty: f64 = x
        .iter()
        .map(|&w| {
            if w < lo {
                (lo - w).powi(3)
            } else if w > hi {
                (w - hi).powi(3)
            } else {
                0.0
            }
        })
        .sum();
    -ret + risk * var.max(1e-12).sqrt() + 10.0 * (total - 1.0).powi(2) + penalty
}
exact!(portfolio_, &X[..3], portfolio portfolio_grad portfolio_hvp portfolio_linearize portfolio_sparsity, &[0.1, 0.2, 0.15], &[vec![0.5, 0.1, 0.0], vec![0.1, 0.4, 0.1], vec![0.0, 0.1, 0.3]], 0.7, (0.0, 1.0));

#[differentiable]
fn kepler(x: &[f64]) -> f64 {
    let (m, e) = (x[0], 0.5 * x[1].tanh().abs());
    let mut ecc = m;
    let mut iter = 0;
    let ecc = loop {
        let f = ecc - e * ecc.sin() - m;
        let step = f / (1.0 - e * ecc.cos());
        ecc -= step;
        iter += 1;
        if step.abs() < 1e-15 || iter >= 50 {
            break ecc;
        }
    };
    let nu = 2.0 * ((1.0 + e).sqrt() * (ecc / 2.0).sin()).atan2((1.0 - e).sqrt() * (ecc / 2.0).cos());
    nu * x[2] + ecc
}
exact!(kepler_, X, kepler kepler_grad kepler_hvp kepler_linearize kepler_sparsity);

// ---- fresh batch B
#[differentiable]
fn matmul(a: &[Vec<f64>], b: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let (n, m, p) = (a.len(), b.len(), b[0].len());
    (0..n).map(|i| (0..p).map(|j| (0..m).map(|k| a[i][k] * b[k][j]).sum()).collect()).collect()
}
#[differentiable]
fn transpose(a: &[Vec<f64>]) -> Vec<Vec<f64>> {
    (0..a[0].len()).map(|j| a.iter().map(|row| row[j]).collect()).collect()
}
#[differentiable]
fn lu_solve(mut a: Vec<Vec<f64>>, mut b: Vec<f64>) -> Option<Vec<f64>> {
    let n = b.len();
    for k in 0..n {
        let pivot = (k..n).max_by(|&i, &j| a[i][k].abs().partial_cmp(&a[j][k].abs()).unwrap()).unwrap();
        if a[pivot][k].abs() < 1e-14 {
            return None;
        }
        a.swap(k, pivot);
        b.swap(k, pivot);
        for i in k + 1..n {
            let f = a[i][k] / a[k][k];
            for j in k..n {
                let t = a[k][j];
                a[i][j] -= f * t;
            }
            b[i] = b[i] - f * b[k];
        }
    }
    let mut x = vec![0.0; n];
    for i in (0..n).rev() {
        let s: f64 = ((i + 1)..n).map(|j| a[i][j] * x[j]).sum();
        x[i] = (b[i] - s) / a[i][i];
    }
    Some(x)
}
#[differentiable]
fn ridge(x: &[f64]) -> f64 {
    let design: Vec<Vec<f64>> = x.chunks(2).map(|c| vec![1.0, c[0], c[0] * c[1]]).collect();
    let t = transpose(&design);
    let mut gram = matmul(&t, &design);
    for i in 0..gram.len() {
        gram[i][i] += 0.5;
    }
    let rhs: Vec<f64> =
        t.iter().map(|row| row.iter().zip([1.0, 2.0, 0.5]).map(|(a, b)| a * b).sum()).collect();
    match lu_solve(gram, rhs) {
        Some(w) => w.iter().map(|w| w * w).sum(),
        None => f64::INFINITY,
    }
}
exact!(ridge_, X, ridge ridge_grad ridge_hvp ridge_linearize ridge_sparsity);

#[differentiable(wrt(h))]
fn fir(h: &[f64], signal: &[f64]) -> f64 {
    let mut delay: VecDeque<f64> = VecDeque::from(vec![0.0; h.len()]);
    let mut e = 0.0;
    for &s in signal {
        delay.push_front(s);
        delay.pop_back();
        let y: f64 = h.iter().zip(delay.iter()).map(|(h, d)| h * d).sum();
        e += (y - 0.5 * s).powi(2);
    }
    e
}
exact!(fir_, X, fir fir_grad fir_hvp fir_linearize fir_sparsity, &[1.0, 0.5, -0.3, 0.2, 0.9, -1.0]);

#[differentiable]
fn feedback(x: &[f64]) -> f64 {
    let mut state: VecDeque<f64> = VecDeque::new();
    let mut out = 0.0;
    for v in x {
        state.push_back(v * v + out);
        if state.len() > 2 {
            out += state.pop_front().unwrap() * 0.3;
        }
        out += state[0] * state.back().unwrap();
    }
    out
}
exact!(feedback_, X, feedback feedback_grad feedback_hvp feedback_linearize feedback_sparsity);

#[differentiable]
fn apply_twice(f: impl Fn(f64) -> f64, x: f64) -> f64 {
    f(f(x))
}
#[differentiable]
fn with_fn_param(x: &[f64]) -> f64 {
    fn integrate<F: Fn(f64) -> f64>(f: F, a: f64, b: f64, n: usize) -> f64 {
        let h = (b - a) / n as f64;
        let inner: f64 = (1..n).map(|i| f(a + i as f64 * h)).sum();
        h * (0.5 * (f(a) + f(b)) + inner)
    }
    let area = integrate(|t| (x[0] * t).sin() * x[1].exp(), x[2], x[3], 8);
    area * integrate(|t| t * t, 0.0, x[4], 4)
}
exact!(wfp_, X, with_fn_param with_fn_param_grad with_fn_param_hvp with_fn_param_linearize with_fn_param_sparsity);

#[derive(Clone, Copy)]
struct Grid<const N: usize> {
    h: f64,
}
#[differentiable(wrt(u))]
fn dirichlet<const N: usize>(u: &[f64; N], grid: Grid<N>) -> f64 {
    let mut e = 0.5 * (u[0] * u[0] + u[N - 1] * u[N - 1]) / grid.h;
    for i in 1..N {
        e += 0.5 * (u[i] - u[i - 1]).powi(2) / grid.h + grid.h * (u[i].powi(4) - u[i].powi(2));
    }
    e
}
fn dirichlet_s(x: &[f64]) -> f64 {
    dirichlet::<6>(x.try_into().unwrap(), Grid { h: 0.2 })
}
#[test]
fn dirichlet_() {
    check(
        "dirichlet",
        X,
        dirichlet_s,
        |x, g| {
            let mut gr = [0.0; 6];
            let v = dirichlet_grad::<6>(x.try_into().unwrap(), Grid { h: 0.2 }, &mut gr);
            g.copy_from_slice(&gr);
            v
        },
        |x, v, hv| {
            let mut h = [0.0; 6];
            dirichlet_hvp::<6>(x.try_into().unwrap(), Grid { h: 0.2 }, v.try_into().unwrap(), &mut h);
            hv.copy_from_slice(&h);
        },
        |x, v, g, hv| linearized(dirichlet_linearize::<6>(x.try_into().unwrap(), Grid { h: 0.2 }), v, g, hv),
    );
}

#[differentiable(wrt(w))]
fn ngram(w: &[f64], words: &[String], index: &HashMap<String, usize>) -> f64 {
    let mut score = 0.0;
    for pair in words.windows(2) {
        let (Some(&a), Some(&b)) = (index.get(&pair[0]), index.get(&pair[1])) else { continue };
        score += (w[a] * w[b]).tanh();
    }
    score
}
fn ng_words() -> Vec<String> {
    ["a", "b", "c", "z", "a", "c"].iter().map(|s| s.to_string()).collect()
}
fn ng_index() -> HashMap<String, usize> {
    [("a".to_string(), 0), ("b".to_string(), 3), ("c".to_string(), 5)].into_iter().collect()
}
exact!(ngram_, X, ngram ngram_grad ngram_hvp ngram_linearize ngram_sparsity, &ng_words(), &ng_index());

#[differentiable]
fn sorted_gini(x: &[f64]) -> f64 {
    let mut s: Vec<f64> = x.iter().map(|v| v * v + 0.1).collect();
    s.sort_by(|a, b| a.partial_cmp(b).unwrap());
    let n = s.len() as f64;
    let total: f64 = s.iter().sum();
    let weighted: f64 = s.iter().enumerate().map(|(i, v)| (i as f64 + 1.0) * v).sum();
    2.0 * weighted / (n * total) - (n + 1.0) / n + s[s.len() / 2] * s.last().unwrap()
}
exact!(gini_, X, sorted_gini sorted_gini_grad sorted_gini_hvp sorted_gini_linearize sorted_gini_sparsity);

#[differentiable(wrt(x))]
fn path_cost(x: &[f64], obstacles: &[([f64; 2], f64)], start: [f64; 2], goal: [f64; 2]) -> f64 {
    let n = x.len() / 2;
    let at = |i: usize| -> [f64; 2] {
        if i == 0 {
            start
        } else if i == n + 1 {
            goal
        } else {
            [x[2 * (i - 1)], x[2 * (i - 1) + 1]]
        }
    };
    let mut cost = 0.0;
    for i in 0..=n {
        let (p, q) = (at(i), at(i + 1));
        cost += (p[0] - q[0]).powi(2) + (p[1] - q[1]).powi(2);
        for (c, r) in obstacles {
            let d = ((p[0] - c[0]).powi(2) + (p[1] - c[1]).powi(2)).sqrt();
            if d < *r {
                cost += (r - d).powi(2);
            }
        }
    }
    cost
}
exact!(path_cost_, X, path_cost path_cost_grad path_cost_hvp path_cost_linearize path_cost_sparsity, &[([0.5, -0.5], 0.7), ([0.0, 0.3], 0.4)], [0.0, 0.0], [1.0, 1.0]);

#[differentiable]
fn mixture(x: &[f64]) -> f64 {
    let k = 2;
    let (logits, rest) = x.split_at(k);
    let (means, log_sds) = rest.split_at(k);
    let lse = {
        let m = logits.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
        m + logits.iter().map(|l| (l - m).exp()).sum::<f64>().ln()
    };
    let data = [0.1, 0.7, -1.2, 2.0];
    -data
        .iter()
        .map(|d| {
            let comps: Vec<f64> = (0..k)
                .map(|j| {
                    let z = (d - means[j]) / log_sds[j].exp();
                    logits[j] - lse - 0.5 * z * z - log_sds[j] - 0.5 * (2.0 * std::f64::consts::PI).ln()
                })
                .collect();
            let m = comps.iter().copied().reduce(f64::max).unwrap();
            m + comps.into_iter().map(|c| (c - m).exp()).sum::<f64>().ln()
        })
        .sum::<f64>()
}
exact!(mixture_, X, mixture mixture_grad mixture_hvp mixture_linearize mixture_sparsity);

#[differentiable(wrt(x))]
fn hmm(x: &[f64], obs: &[usize]) -> f64 {
    let trans = [[x[0].exp(), 1.0], [1.0, x[1].exp()]];
    let emit = [[x[2].exp(), 1.0, 0.5], [0.3, x[3].exp(), x[4].exp()]];
    let normalise = |row: [f64; 2]| {
        let s = row[0] + row[1];
        [row[0] / s, row[1] / s]
    };
    let trans = trans.map(normalise);
    let mut alpha = [0.5, 0.5];
    let mut ll = 0.0;
    for &o in obs {
        let mut new = [0.0; 2];
        for (j, n) in new.iter_mut().enumerate() {
            let s: f64 = emit[j].iter().sum();
            *n = (0..2).map(|i| alpha[i] * trans[i][j]).sum::<f64>() * emit[j][o] / s;
        }
        let norm: f64 = new.iter().sum();
        ll += norm.ln();
        alpha = new.map(|a| a / norm);
    }
    -ll + x[5] * x[5]
}
exact!(hmm_, X, hmm hmm_grad hmm_hvp hmm_linearize hmm_sparsity, &[0, 2, 1, 1, 0]);

#[differentiable]
fn simpson_adaptive(x: &[f64]) -> f64 {
    let f = |t: f64| (-x[0] * x[0] * t * t).exp() + x[1] * t;
    let mut stack = vec![(0.0_f64, 1.0_f64, 0)];
    let mut total = 0.0;
    while let Some((a, b, depth)) = stack.pop() {
        let m = 0.5 * (a + b);
        let whole = (b - a) / 6.0 * (f(a) + 4.0 * f(m) + f(b));
        let left = (m - a) / 6.0 * (f(a) + 4.0 * f(0.5 * (a + m)) + f(m));
        let right = (b - m) / 6.0 * (f(m) + 4.0 * f(0.5 * (m + b)) + f(b));
        if (left + right - whole).abs() < 1e-9 || depth > 4 {
            total += left + right;
        } else {
            stack.push((a, m, depth + 1));
            stack.push((m, b, depth + 1));
        }
    }
    total * x[2]
}
exact!(simpson_, X, simpson_adaptive simpson_adaptive_grad simpson_adaptive_hvp simpson_adaptive_linearize simpson_adaptive_sparsity);

#[differentiable]
fn owned(mut x: Vec<f64>, y: Vec<f64>, k: f64) -> f64 {
    let mut z = y;
    for (a, b) in x.iter_mut().zip(z.iter_mut()) {
        *a *= *b * k;
        *b += *a;
    }
    x.push(z[0]);
    let w = x;
    w.into_iter().zip(z).map(|(a, b)| a * b).sum()
}
#[differentiable(wrt(k))]
fn owned_data(k: f64, y: Vec<f64>) -> f64 {
    let mut s = 0.0;
    for v in y {
        s += (v * k).sin();
    }
    s
}
#[test]
fn owned_() {
    let (x, y) = (vec![0.3, -0.8, 1.1], vec![0.6, -0.4, 0.9]);
    let all = [&x[..], &y[..], &[0.7]].concat();
    let split = |p: &[f64]| (p[..3].to_vec(), p[3..6].to_vec(), p[6]);
    check(
        "owned",
        &all,
        |p| {
            let (x, y, k) = split(p);
            owned(x, y, k)
        },
        |p, g| {
            let (x, y, k) = split(p);
            let (gx, rest) = g.split_at_mut(3);
            let (gy, gk) = rest.split_at_mut(3);
            let (v, kb) = owned_grad(x, y, k, gx, gy);
            gk[0] = kb;
            v
        },
        |p, v, hv| {
            let (x, y, k) = split(p);
            let (gx, rest) = hv.split_at_mut(3);
            let (gy, gk) = rest.split_at_mut(3);
            gk[0] = owned_hvp(x, y, k, &v[..3], &v[3..6], v[6], gx, gy);
        },
        |p, v, g, hv| {
            let (x, y, k) = split(p);
            let (gx, rest) = g.split_at_mut(3);
            let (gy, gk) = rest.split_at_mut(3);
            let (val, kb) = owned_grad(x.clone(), y.clone(), k, gx, gy);
            gk[0] = kb;
            let (hx, rest) = hv.split_at_mut(3);
            let (hy, hk) = rest.split_at_mut(3);
            hk[0] = owned_hvp(x, y, k, &v[..3], &v[3..6], v[6], hx, hy);
            val
        },
    );
    let y = vec![0.5, 1.0];
    let (val, slope) = owned_data_grad(0.3, y.clone());
    assert!(
        (val - (0.15f64.sin() + 0.3f64.sin())).abs() < 1e-15
            && (slope - (0.5 * 0.15f64.cos() + 0.3f64.cos())).abs() < 1e-15
    );
    let h = owned_data_linearize(0.3, y.clone());
    assert!((h.value() - val).abs() < 1e-15);
}

// own structs with methods and operators
#[derive(Clone, Copy, Debug, PartialEq)]
struct Vec3 {
    x: f64,
    y: f64,
    z: f64,
}
#[differentiable]
impl Vec3 {
    const ZERO: Vec3 = Vec3 { x: 0.0, y: 0.0, z: 0.0 };
    fn new(x: f64, y: f64, z: f64) -> Self {
        Self { x, y, z }
    }
    fn dot(self, o: Self) -> f64 {
        self.x * o.x + self.y * o.y + self.z * o.z
    }
    fn cross(&self, o: &Vec3) -> Vec3 {
        Vec3::new(self.y * o.z - self.z * o.y, self.z * o.x - self.x * o.z, self.x * o.y - self.y * o.x)
    }
    fn norm(&self) -> f64 {
        self.dot(*self).sqrt()
    }
    fn normalize(self) -> Self {
        self * (1.0 / self.norm())
    }
    fn scale(&mut self, k: f64) {
        self.x *= k;
        self.y *= k;
        self.z *= k;
    }
}
#[differentiable]
impl Add for Vec3 {
    type Output = Vec3;
    fn add(self, o: Vec3) -> Vec3 {
        Vec3::new(self.x + o.x, self.y + o.y, self.z + o.z)
    }
}
#[differentiable]
impl Sub for Vec3 {
    type Output = Self;
    fn sub(self, o: Self) -> Self {
        Self { x: self.x - o.x, y: self.y - o.y, z: self.z - o.z }
    }
}
#[differentiable]
impl Mul<f64> for Vec3 {
    type Output = Vec3;
    fn mul(self, k: f64) -> Vec3 {
        Vec3::new(self.x * k, self.y * k, self.z * k)
    }
}
#[differentiable]
impl Mul<Vec3> for f64 {
    type Output = Vec3;
    fn mul(self, v: Vec3) -> Vec3 {
        v * self
    }
}
#[differentiable]
impl Neg for Vec3 {
    type Output = Vec3;
    fn neg(self) -> Vec3 {
        Vec3::new(-self.x, -self.y, -self.z)
    }
}
#[differentiable]
impl AddAssign for Vec3 {
    fn add_assign(&mut self, o: Vec3) {
        self.x += o.x;
        self.y += o.y;
        self.z += o.z;
    }
}

#[differentiable]
fn bodies(q: &[f64]) -> f64 {
    let a = Vec3::new(q[0], q[1], q[2]);
    let b = Vec3 { x: q[3], y: q[4], z: q[5] };
    let mut sum = Vec3::ZERO;
    for k in 0..3 {
        sum += 0.5 * (a - b) * k as f64;
        sum = sum + a.cross(&b);
    }
    sum.scale(q[0]);
    let n = -a.normalize();
    sum.dot(n) + (a + b).norm() * 2.0
}
exact!(bodies_, X, bodies bodies_grad bodies_hvp bodies_linearize bodies_sparsity);

#[derive(Clone, Copy)]
struct Complex {
    re: f64,
    im: f64,
}
#[differentiable]
impl Complex {
    fn norm_sqr(&self) -> f64 {
        self.re * self.re + self.im * self.im
    }
    fn conj(self) -> Complex {
        Complex { re: self.re, im: -self.im }
    }
    fn exp(self) -> Self {
        let r = self.re.exp();
        Self { re: r * self.im.cos(), im: r * self.im.sin() }
    }
}
#[differentiable]
impl Mul for Complex {
    type Output = Complex;
    fn mul(self, o: Complex) -> Complex {
        Complex { re: self.re * o.re - self.im * o.im, im: self.re * o.im + self.im * o.re }
    }
}
#[differentiable]
impl Add for Complex {
    type Output = Complex;
    fn add(self, o: Complex) -> Complex {
        Complex { re: self.re + o.re, im: self.im + o.im }
    }
}
#[differentiable]
impl Div for Complex {
    type Output = Complex;
    fn div(self, o: Complex) -> Complex {
        let d = o.norm_sqr();
        let n = self * o.conj();
        Complex { re: n.re / d, im: n.im / d }
    }
}
#[differentiable]
fn transfer(x: &[f64]) -> f64 {
    let mut total = 0.0;
    for k in 1..4 {
        let s = Complex { re: 0.0, im: k as f64 * 0.5 };
        let num = s * Complex { re: x[0], im: 0.0 } + Complex { re: x[1], im: x[5] };
        let den = s * s + s * Complex { re: x[2], im: 0.0 } + Complex { re: x[3], im: 0.0 };
        let h = num / den * (Complex { re: 0.0, im: x[4] * k as f64 }).exp();
        total += h.norm_sqr().ln() + h.re;
    }
    let pts: Vec<Complex> = x.chunks(2).map(|c| Complex { re: c[0], im: c[1] }).collect();
    let mut p = pts[0];
    for q in &pts[1..] {
        p = p * *q;
    }
    total + pts.iter().map(|c| c.norm_sqr()).sum::<f64>() * p.re
}
exact!(transfer_, X, transfer transfer_grad transfer_hvp transfer_linearize transfer_sparsity);
#[differentiable]
fn newton_fractal(x: &[f64]) -> f64 {
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct C {
        re: f64,
        im: f64,
    }
    impl std::ops::Add for C {
        type Output = C;
        fn add(self, o: C) -> C {
            C { re: self.re + o.re, im: self.im + o.im }
        }
    }
    impl std::ops::Mul for C {
        type Output = C;
        fn mul(self, o: C) -> C {
            C { re: self.re * o.re - self.im * o.im, im: self.re * o.im + self.im * o.re }
        }
    }
    let mut z = C { re: x[0], im: x[1] };
    let c = C { re: x[2] * 0.3, im: x[3] * 0.3 };
    for _ in 0..4 {
        z = z * z + c;
    }
    z.re * x[4] + z.im * x[5]
}
exact!(nf_, X, newton_fractal newton_fractal_grad newton_fractal_hvp newton_fractal_linearize newton_fractal_sparsity);
// ---- fresh batch C
#[differentiable]
fn powell_singular(x: &[f64]) -> f64 {
    x.chunks_exact(2)
        .zip(x.chunks_exact(2).skip(1))
        .map(|(a, b)| {
            (a[0] + 10.0 * a[1]).powi(2)
                + 5.0 * (b[0] - b[1]).powi(2)
                + (a[1] - 2.0 * b[0]).powi(4)
                + 10.0 * (a[0] - b[1]).powi(4)
        })
        .sum()
}
exact!(powell_singular_, X, powell_singular powell_singular_grad powell_singular_hvp powell_singular_linearize powell_singular_sparsity);

#[differentiable(wrt(theta))]
fn poisson_glm<'a>(
    theta: &'a [f64],
    rows: &'a [Vec<f64>],
    counts: &'a [u32],
    exposure: Option<&'a [f64]>,
) -> f64 {
    rows.iter()
        .zip(counts)
        .enumerate()
        .map(|(i, (row, &k))| {
            let offset = match exposure {
                Some(e) => e[i].ln(),
                None => 0.0,
            };
            let eta = offset + row.iter().zip(theta.iter()).map(|(&a, &b)| a * b).sum::<f64>();
            let ln_fact: f64 = (1..=k).map(|j| (j as f64).ln()).sum();
            eta.exp() - k as f64 * eta + ln_fact
        })
        .sum::<f64>()
        / rows.len() as f64
}
exact!(pglm_, &X[..2], poisson_glm poisson_glm_grad poisson_glm_hvp poisson_glm_linearize poisson_glm_sparsity, &[vec![1.0, 0.3], vec![1.0, -0.7]], &[3, 0], Some(&[1.0, 2.0][..]));

#[differentiable]
fn truss(x: &[f64]) -> f64 {
    struct Bar {
        i: usize,
        j: usize,
        k: f64,
        rest: f64,
    }
    let bars = [
        Bar { i: 0, j: 1, k: 2.0, rest: 1.0 },
        Bar { i: 1, j: 2, k: 1.0, rest: 0.5 },
        Bar { i: 0, j: 2, k: 0.5, rest: 1.2 },
    ];
    let node = |i: usize| (x[2 * i], x[2 * i + 1]);
    let mut energy = 0.0;
    for Bar { i, j, k, rest } in bars.iter() {
        let ((xi, yi), (xj, yj)) = (node(*i), node(*j));
        let len = ((xi - xj).powi(2) + (yi - yj).powi(2)).sqrt();
        energy += 0.5 * k * (len - rest).powi(2);
    }
    energy + 9.81 * (0..3).map(|i| node(i).1).sum::<f64>()
}
exact!(truss_, X, truss truss_grad truss_hvp truss_linearize truss_sparsity);

#[differentiable]
fn ising(x: &[f64]) -> f64 {
    const W: usize = 3;
    const H: usize = 2;
    let idx = |r: usize, c: usize| (r % H) * W + c % W;
    let mut e = 0.0;
    for r in 0..H {
        for c in 0..W {
            let s = x[idx(r, c)].tanh();
            for (dr, dc) in [(0, 1), (1, 0)] {
                e -= s * x[idx(r + dr, c + dc)].tanh();
            }
        }
    }
    e
}
exact!(ising_, X, ising ising_grad ising_hvp ising_linearize ising_sparsity);

#[differentiable(wrt(x))]
fn huber_fit(x: &[f64], pts: &[(f64, f64)], delta: f64) -> f64 {
    let loss = |r: f64| -> f64 {
        let a = r.abs();
        if a <= delta { 0.5 * r.powi(2) } else { delta * (a - 0.5 * delta) }
    };
    let model = |t: f64| x.iter().rev().fold(0.0, |acc, &c| acc * t + c);
    pts.iter().map(|&(t, y)| loss(y - model(t))).sum()
}
exact!(huber_, X, huber_fit huber_fit_grad huber_fit_hvp huber_fit_linearize huber_fit_sparsity, &[(0.1, 0.2), (0.5, -3.0), (1.0, 2.0)], 0.5);

#[differentiable]
fn entropy_kl(x: &[f64]) -> f64 {
    let (p, q) = x.split_at(x.len() / 2);
    let softmax = |v: &[f64]| -> Vec<f64> {
        let m = v.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let e: Vec<f64> = v.iter().map(|a| (a - m).exp()).collect();
        let z: f64 = e.iter().sum();
        e.into_iter().map(|a| a / z).collect()
    };
    let (p, q) = (softmax(p), softmax(q));
    p.iter().zip(q.iter()).filter(|(p, _)| **p > 0.0).map(|(p, q)| p * (p / q).ln()).sum()
}
exact!(kl_, X, entropy_kl entropy_kl_grad entropy_kl_hvp entropy_kl_linearize entropy_kl_sparsity);

#[differentiable]
fn kmeans_soft(x: &[f64]) -> f64 {
    let centers: [[f64; 2]; 3] = [[x[0], x[1]], [x[2], x[3]], [x[4], x[5]]];
    let data = [[0.0, 0.1], [1.0, -1.0], [-0.5, 0.7], [0.3, 0.3]];
    let mut total = 0.0;
    for p in &data {
        let d: Vec<f64> =
            centers.iter().map(|c| c.iter().zip(p).map(|(a, b)| (a - b).powi(2)).sum()).collect();
        let min = d.iter().cloned().fold(f64::INFINITY, f64::min);
        total += min - d.iter().map(|d| (-(d - min)).exp()).sum::<f64>().ln();
    }
    total
}
exact!(kms_, X, kmeans_soft kmeans_soft_grad kmeans_soft_hvp kmeans_soft_linearize kmeans_soft_sparsity);

#[differentiable]
fn wave(x: &[f64]) -> f64 {
    let n = 8;
    let (c, dt, dx) = (1.0, 0.05, 0.1);
    let r2 = (c * dt / dx) * (c * dt / dx) as f64;
    let mut prev = vec![0.0; n + 1];
    let mut cur: Vec<f64> = (0..=n)
        .map(|i| {
            x.iter()
                .enumerate()
                .map(|(k, a)| a * ((k + 1) as f64 * std::f64::consts::PI * i as f64 / n as f64).sin())
                .sum()
        })
        .collect();
    prev.clone_from(&cur);
    for _ in 0..10 {
        let mut next = vec![0.0; n + 1];
        for i in 1..n {
            next[i] = 2.0 * cur[i] - prev[i] + r2 * (cur[i + 1] - 2.0 * cur[i] + cur[i - 1])
                - 0.01 * cur[i].powi(3);
        }
        prev = std::mem::replace(&mut cur, next);
    }
    cur.iter().map(|u| u * u).sum::<f64>() * dx
}
exact!(wave_, X, wave wave_grad wave_hvp wave_linearize wave_sparsity);

#[differentiable]
fn expectation(x: &[f64]) -> f64 {
    // Gauss-Hermite nodes
    static NODES: [f64; 3] = [-1.2247448713915889, 0.0, 1.2247448713915889];
    static WEIGHTS: [f64; 3] = [0.29540897515091930, 1.1816359006036772, 0.29540897515091930];
    let (mu, sigma) = (x[0], x[1].exp());
    NODES
        .iter()
        .zip(WEIGHTS.iter())
        .map(|(t, w)| w * (mu + std::f64::consts::SQRT_2 * sigma * t).tanh().powi(2))
        .sum::<f64>()
        / std::f64::consts::PI.sqrt()
        + x[2..].iter().map(|v| v.powi(2)).product::<f64>()
}
exact!(expect_, X, expectation expectation_grad expectation_hvp expectation_linearize expectation_sparsity);

#[differentiable(wrt(w))]
fn svm(w: &[f64], xs: &[Vec<f64>], ys: &[i32], c: f64) -> f64 {
    let reg = 0.5 * w.iter().map(|w| w.powi(2)).sum::<f64>();
    let mut hinge = 0f64;
    for (x, &y) in xs.iter().zip(ys.iter()) {
        let margin = y as f64 * x.iter().zip(w.iter()).map(|(a, b)| a * b).sum::<f64>();
        hinge += (1.0 - margin).max(0.0).powi(2);
    }
    reg + c * hinge
}
exact!(svm_, &X[..2], svm svm_grad svm_hvp svm_linearize svm_sparsity, &[vec![1.0, 2.0], vec![-0.5, 0.3]], &[1, -1], 2.0);

#[differentiable]
fn spline_energy(y: &[f64]) -> f64 {
    // natural cubic spline by the Thomas algorithm
    let n = y.len();
    let h = 1.0;
    let mut a = vec![0.0; n];
    let mut b = vec![1.0; n];
    let mut c = vec![0.0; n];
    let mut d = vec![0.0; n];
    for i in 1..n - 1 {
        a[i] = h / 6.0;
        b[i] = 2.0 * h / 3.0;
        c[i] = h / 6.0;
        d[i] = (y[i + 1] - 2.0 * y[i] + y[i - 1]) / h;
    }
    for i in 1..n {
        let m = a[i] / b[i - 1];
        b[i] -= m * c[i - 1];
        d[i] -= m * d[i - 1];
    }
    let mut m = vec![0.0; n];
    m[n - 1] = d[n - 1] / b[n - 1];
    for i in (0..n - 1).rev() {
        m[i] = (d[i] - c[i] * m[i + 1]) / b[i];
    }
    (1..n).map(|i| h / 3.0 * (m[i].powi(2) + m[i] * m[i - 1] + m[i - 1].powi(2))).sum::<f64>()
        + m.iter().map(|v| v.powi(4)).sum::<f64>()
}
exact!(spline_, X, spline_energy spline_energy_grad spline_energy_hvp spline_energy_linearize spline_energy_sparsity);

#[derive(Debug, Clone, Copy)]
enum Op {
    Push(usize),
    Add,
    Mul,
    Sin,
    Const(f64),
}
#[differentiable(wrt(vars))]
fn rpn(vars: &[f64], program: &[Op]) -> Result<f64, String> {
    let mut stack: Vec<f64> = Vec::new();
    for op in program {
        match *op {
            Op::Push(i) => stack.push(*vars.get(i).ok_or_else(|| format!("no variable {i}"))?),
            Op::Const(c) => stack.push(c),
            Op::Sin => {
                let a = stack.pop().ok_or("empty stack")?;
                stack.push(a.sin());
            }
            Op::Add | Op::Mul => {
                let (b, a) = (stack.pop().ok_or("empty stack")?, stack.pop().ok_or("empty stack")?);
                stack.push(if matches!(op, Op::Add) { a + b } else { a * b });
            }
        }
    }
    stack.pop().ok_or_else(|| "nothing left".to_string())
}
#[test]
fn rpn_() {
    let p = [Op::Push(0), Op::Push(1), Op::Mul, Op::Sin, Op::Const(2.0), Op::Add, Op::Push(0), Op::Mul];
    let mut g = [0.0; 2];
    let v = rpn_grad(&[0.3, 0.7], &p, &mut g).unwrap();
    let f = |a: f64, b: f64| ((a * b).sin() + 2.0) * a;
    assert!((v - f(0.3, 0.7)).abs() < 1e-15);
    assert!(
        (g[0] - ((0.21f64).sin() + 2.0 + 0.3 * 0.7 * 0.21f64.cos())).abs() < 1e-14
            && (g[1] - 0.09 * 0.21f64.cos()).abs() < 1e-14
    );
    assert!(rpn_grad(&[0.3, 0.7], &[Op::Add], &mut g).is_err());
    let mut hv = [0.0; 2];
    rpn_hvp(&[0.3, 0.7], &p, &[1.0, 0.0], &mut hv).unwrap();
    let (a, b) = (0.3f64, 0.7f64);
    assert!((hv[0] - (2.0 * b * (a * b).cos() - a * b * b * (a * b).sin())).abs() < 1e-14, "{hv:?}");
}

// what looks like one array or value, and is two
#[differentiable]
fn t1(x: &[f64]) -> f64 {
    let arr = [x[0], x[1]];
    let q = 'a: {
        if x[0] < 0.0 {
            break 'a arr;
        }
        if x[1] < 5.0 {
            break 'a [x[1] * x[2], x[0]];
        }
        [0.0, 0.0]
    };
    q[0] * arr[0] + q[1] * arr[1]
}
exact!(t1_, X, t1 t1_grad t1_hvp t1_linearize t1_sparsity);
#[differentiable]
fn t2(x: &[f64]) -> f64 {
    let mut v: Vec<[f64; 2]> = x.chunks(2).map(|c| [c[0], c[1]]).collect();
    let r = v.remove(0);
    v.push([x[5] * x[4], x[3]]);
    let p = v.pop().unwrap();
    v.push([x[1], x[1] * x[2]]);
    v.insert(0, [x[2], x[0]]);
    r[0] * p[0] + r[1] * p[1] + v[0][0] * v[3][1]
}
exact!(t2_, X, t2 t2_grad t2_hvp t2_linearize t2_sparsity);
#[differentiable]
fn t3(x: &[f64]) -> f64 {
    fn pick(x: Vec<f64>, k: f64) -> Vec<f64> {
        if k < -5.0 {
            return x;
        }
        if k < 1.0 {
            return vec![k * k, k];
        }
        x
    }
    let p = pick(x.to_vec(), x[0]);
    let q = pick(x.to_vec(), x[2]);
    p[0] * q[1] + q.len() as f64 * p[1]
}
exact!(t3_, X, t3 t3_grad t3_hvp t3_linearize t3_sparsity);
#[differentiable]
fn t4h(x: Vec<f64>, k: f64) -> Vec<f64> {
    if k < -5.0 {
        return x;
    }
    if k < 1.0 {
        return vec![k * k, k];
    }
    x
}
#[test]
fn t4_() {
    let (v, d) = t4h_jvp(vec![1.0, 2.0], 3.0, &[0.5, 0.25], 1.0);
    assert_eq!((v, d), (vec![1.0, 2.0], vec![0.5, 0.25]));
    let (v, d) = t4h_jvp(vec![1.0, 2.0], 0.5, &[0.5, 0.25], 1.0);
    assert_eq!((v, d), (vec![0.25, 0.5], vec![1.0, 1.0]));
}
#[differentiable]
fn t5(x: &[f64]) -> f64 {
    let mut q = VecDeque::from([x[0], x[1]]);
    for v in x {
        q.push_back(v * q[0]);
        q.pop_front();
        q.push_front(v + q[1]);
    }
    q.iter().product::<f64>() + q.len() as f64 * x[0] * x[0]
}
exact!(t5_, X, t5 t5_grad t5_hvp t5_linearize t5_sparsity);
#[differentiable]
fn sc(t: &mut f64, k: f64) {
    *t *= k;
}
#[differentiable]
fn sc2(t: &mut f64, k: f64) {
    sc(t, k);
    *t += k;
    sc(t, k);
}
#[derive(Clone, Copy)]
struct Pair {
    a: f64,
    b: [f64; 2],
}
#[differentiable]
fn t6(x: &[f64]) -> f64 {
    let mut p = Pair { a: x[0], b: [x[1], x[2]] };
    sc2(&mut p.a, x[3]);
    sc2(&mut p.b[1], x[4]);
    let mut tot = 1.0;
    for v in x {
        sc2(&mut tot, *v + 1.5);
    }
    p.a * p.b[1] + p.b[0] * tot
}
exact!(t6_, X, t6 t6_grad t6_hvp t6_linearize t6_sparsity);
#[differentiable(wrt(x))]
fn t7(x: &[f64], table: &HashMap<String, f64>, k: &str) -> Result<f64, String> {
    let y: f64 = *table.get(k).ok_or("none")? * x[0];
    if x[1] > 9.0 {
        return Ok(*table.get("b").ok_or_else(|| "no".to_string())? * y);
    }
    Ok(table.get(k).ok_or("none".to_string())? * x[0] * y)
}
#[differentiable(wrt(x))]
fn t7b(x: &[f64], table: &[f64], k: usize) -> Option<f64> {
    Some(table.get(k)? * x[0] * x[1])
}
#[differentiable(wrt(x))]
fn t7c(x: f64, table: &HashMap<String, f64>, k: &str) -> Option<f64> {
    let v = table.get(k)?;
    Some(v * x * x)
}
#[test]
fn t7_() {
    let m: HashMap<String, f64> = [("a".to_string(), 3.0)].into();
    let mut g = [0.0; 2];
    assert_eq!(t7_grad(&[2.0, 1.0], &m, "a", &mut g).unwrap(), 36.0);
    assert_eq!(g[0], 36.0);
    assert!(t7_grad(&[2.0, 1.0], &m, "z", &mut g).is_err());
    assert_eq!(t7b_grad(&[2.0, 1.0], &[4.0], 0, &mut g).unwrap(), 8.0);
    assert_eq!(g, [4.0, 8.0]);
    assert!(t7b_grad(&[2.0, 1.0], &[4.0], 1, &mut g).is_none());
    assert_eq!(t7c_grad(2.0, &m, "a"), Some((12.0, 12.0)));
}
#[derive(Clone, Copy)]
struct Q {
    x: f64,
    y: f64,
}
#[differentiable]
impl Add for Q {
    type Output = Q;
    fn add(self, o: Q) -> Q {
        Q { x: self.x + o.x, y: self.y + o.y }
    }
}
#[differentiable]
impl<'a> Add<&'a Q> for &'a Q {
    type Output = Q;
    fn add(self, o: &Q) -> Q {
        *self + *o
    }
}
#[differentiable]
impl Mul<f32> for Q {
    type Output = Q;
    fn mul(self, k: f32) -> Q {
        Q { x: self.x * k as f64, y: self.y }
    }
}
#[differentiable]
impl Mul<f64> for Q {
    type Output = Q;
    fn mul(self, k: f64) -> Q {
        Q { x: self.x * k, y: self.y * k }
    }
}
#[differentiable]
impl Q {
    fn sq(&self) -> Q {
        Q { x: self.x * self.x, y: self.y }
    }
    fn len(&self) -> f64 {
        let s = self.sq();
        (s.x + s.y * s.y).sqrt()
    }
    fn add_to(&mut self, o: &Q) -> &mut Self {
        self.x += o.x;
        self.y += o.y;
        self
    }
}
#[differentiable]
fn t8(x: &[f64]) -> f64 {
    let pts: Vec<Q> = x.chunks(2).map(|c| Q { x: c[0], y: c[1] }).collect();
    let mut s = &pts[0] + &pts[1];
    for p in &pts {
        s = &s + p;
        s = s * 1.5;
    }
    let total: f64 = pts.iter().map(Q::len).sum();
    let far = pts.iter().map(|p| p.len()).fold(0.0, f64::max);
    s.add_to(&pts[2]);
    s.len() * total + far
}
exact!(t8_, X, t8 t8_grad t8_hvp t8_linearize t8_sparsity);
#[test]
#[should_panic]
fn t9_() {
    #[differentiable]
    fn r(x: &[f64]) -> f64 {
        let mut v = x.to_vec();
        v.push(x[0]);
        v.pop();
        v.remove(2) * x[0]
    }
    let mut g = [0.0; 2];
    r_grad(&[1.0, 2.0], &mut g);
}
#[test]
#[should_panic]
fn t10_() {
    #[differentiable]
    fn r(x: &[f64]) -> f64 {
        let mut v = x.to_vec();
        v.insert(5, x[0]);
        v[0] * v[2]
    }
    let mut g = [0.0; 2];
    r_grad(&[1.0, 2.0], &mut g);
}
#[test]
#[should_panic]
fn t11_() {
    #[differentiable]
    fn r(x: &[f64]) -> f64 {
        let mut v = x.to_vec();
        v.rotate_left(3);
        v[0] * v[1]
    }
    let mut g = [0.0; 2];
    r_grad(&[1.0, 2.0], &mut g);
}
#[differentiable]
fn t12(x: &[f64]) -> f64 {
    let mut rows: Vec<Vec<f64>> = x.chunks(2).map(|c| c.to_vec()).collect();
    let last = rows.pop().unwrap();
    rows = vec![vec![x[0] * x[1]; 2]; 2];
    let other = rows.remove(1);
    rows.push(vec![x[3], x[4]]);
    #[derive(Clone, Copy)]
    struct B {
        p: [f64; 2],
        n: usize,
    }
    let mut bs: Vec<B> = x.chunks(2).enumerate().map(|(k, c)| B { p: [c[0], c[1]], n: k }).collect();
    let b = bs.pop().unwrap();
    bs.push(B { p: [x[0], x[0]], n: 7 });
    let c = bs.swap_remove(0);
    bs.insert(0, B { p: [x[5], x[5]], n: 9 });
    let mut idx = vec![[0usize, 1], [2, 3], [4, 5]];
    let i = idx.pop().unwrap();
    idx.push([1, 1]);
    last[0] * other[1]
        + rows[1][1] * last[1]
        + b.p[0] * c.p[1] * b.n as f64
        + bs[0].p[0] * bs[1].n as f64
        + x[i[0]] * x[i[1]] * x[idx[2][0]]
}
exact!(t12_, X, t12 t12_grad t12_hvp t12_linearize t12_sparsity);
#[differentiable]
fn t13(x: &[f64]) -> f64 {
    let mut stack = vec![[x[0], x[1]]];
    let mut out = 0.0;
    let mut n = 0;
    while let Some([a, b]) = stack.pop() {
        n += 1;
        out += a * b * b;
        if n < 5 {
            stack.push([a * x[2], b]);
            stack.push([b, x[3] * a]);
        }
    }
    let mut q: VecDeque<Vec<f64>> = VecDeque::new();
    q.push_back(vec![x[4]; 3]);
    for v in x {
        let mut f = q.pop_front().unwrap();
        f[1] *= v;
        q.push_back(f.clone());
        q.push_front(vec![*v, *v]);
        out += f[1] * f[0];
    }
    out + q.len() as f64 * q[2][1]
}
exact!(t13_, X, t13 t13_grad t13_hvp t13_linearize t13_sparsity);
#[differentiable]
fn t14(x: &[f64]) -> f64 {
    let mut best = [0.0; 2];
    let mut tot = 0.0;
    for i in 0..x.len() - 1 {
        let r = 'search: loop {
            for j in 0..3 {
                if x[j] > x[i] {
                    break 'search [x[j], x[i] * x[j]];
                }
            }
            break best;
        };
        tot += r[0] * r[1];
        best = [r[1], r[0] + tot];
    }
    tot + best[0] * best[1]
}
exact!(t14_, X, t14 t14_grad t14_hvp t14_linearize t14_sparsity);
#[derive(Clone, Copy, Default)]
struct Cart {
    x: f64,
    pos: [f64; 2],
}
const BEGINNING: [f64; 2] = [0.5, 0.25];
#[differentiable]
fn u1(x: &[f64]) -> f64 {
    let mut car = Cart::default();
    car.pos[1] = 0.5;
    let mut s = 0.0;
    for v in x {
        let old = car;
        car.pos[0] += v;
        car.x += v * old.pos[0];
        s += old.pos[0] * car.pos[0] + old.x;
    }
    s
}
exact!(u1_, X, u1 u1_grad u1_hvp u1_linearize u1_sparsity);
#[differentiable]
fn u2(x: &[f64]) -> f64 {
    let mut z = BEGINNING;
    let mut s = 0.0;
    for v in x {
        let old = z;
        z[0] += v * old[1];
        z[1] = old[0] * v;
        s += old[0] * z[0] + old[1];
    }
    s
}
exact!(u2_, X, u2 u2_grad u2_hvp u2_linearize u2_sparsity);
#[differentiable]
fn step_h(c: Cart, v: f64) -> Cart {
    let mut n = c;
    n.x += v * c.pos[1];
    n.pos[0] = c.x * v;
    n.pos[1] += n.x;
    n
}
#[differentiable]
fn u3(x: &[f64]) -> f64 {
    let mut a = Cart { x: 1.0, ..Default::default() };
    a.pos = [x[0], x[1]];
    let b = a;
    for v in x {
        a = step_h(a, *v);
    }
    let c = step_h(b, x[2]);
    a.x * a.pos[0] + b.pos[1] * a.pos[1] + c.pos[1]
}
exact!(u3_, X, u3 u3_grad u3_hvp u3_linearize u3_sparsity);
#[differentiable(wrt(x))]
fn u5(x: &[f64], d: &[(Vec<f64>, f64)]) -> f64 {
    let mut s = 0.0;
    for v in x {
        let mut a = d[0].0.to_vec();
        let b = a.clone();
        let c = d[0].0.to_vec();
        a[0] += v;
        s += a[0] * (b[0] + c[1]);
        let mut t: Vec<f64> = if *v > 0.0 { c } else { a.iter().map(|q| q * v).collect() };
        t[1] *= v;
        s += t.iter().sum::<f64>();
    }
    s
}
exact!(u5_, X, u5 u5_grad u5_hvp u5_linearize u5_sparsity, &[(vec![0.5, 1.5], 1.0)]);
#[differentiable(wrt(x))]
fn u6(x: &[f64], d: &[(Vec<f64>, f64)]) -> f64 {
    fn both(x: f64, d: &[(Vec<f64>, f64)]) -> f64 {
        let mut z = d[0].0.clone();
        z[0] *= x;
        let a = z;
        let mut z = d[0].1;
        z += x;
        a[0] * z + a[1]
    }
    x.iter().map(|v| both(*v, d)).sum()
}
exact!(u6_, X, u6 u6_grad u6_hvp u6_linearize u6_sparsity, &[(vec![0.5, 1.5], 1.0)]);
#[differentiable]
fn u7(x: &[f64]) -> f64 {
    let mut q: VecDeque<f64> = x.iter().copied().collect();
    let r = q.clone();
    q.pop_front();
    q.push_back(x[0] * x[1]);
    let v: Vec<f64> = q.iter().zip(r.iter()).map(|(a, b)| a * b).collect();
    q.clear();
    q.push_front(x[3]);
    q.extend(v.iter().map(|a| a * a));
    for i in 0..q.len() {
        q[i] *= x[2];
    }
    q.iter().rev().enumerate().map(|(i, a)| a * i as f64).sum::<f64>() + r[0] * q.front().unwrap()
}
exact!(u7_, X, u7 u7_grad u7_hvp u7_linearize u7_sparsity);
#[differentiable]
fn u8v(x: Vec<f64>) -> f64 {
    let y = x.clone();
    let mut z = x;
    z[0] *= 2.0;
    z.push(y[0]);
    z.iter().zip(y.iter().cycle()).map(|(a, b)| a * b).sum()
}
#[test]
fn u8_() {
    let mut g = [0.0; 2];
    let v = u8v_grad(vec![3.0, 5.0], &mut g);
    assert_eq!((v, g), (18.0 + 25.0 + 9.0, [12.0 + 6.0, 10.0]));
}
#[differentiable]
fn u9(x: &[f64]) -> f64 {
    let mut z = BEGINNING;
    z[1] += x[0];
    let mut a = z.map(|v| v * x[0]);
    let b = a;
    a[0] += x[1];
    let mut w = z;
    w[1] *= x[2];
    let v = w;
    w[0] = x[3];
    let mut c = Cart::default();
    c.pos[0] = x[4];
    let d = c;
    let mut e = d;
    e.pos[0] *= x[5];
    c.pos[0] += 1.0;
    a[0] * b[0] + w[0] * v[1] + v[0] * z[1] + c.pos[0] * d.pos[0] * e.pos[0]
}
exact!(u9_, X, u9 u9_grad u9_hvp u9_linearize u9_sparsity);

// as strangers wrote them
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Vector {
    x: f64,
    y: f64,
}
#[differentiable]
impl Vector {
    const ZERO: Vector = Vector { x: 0.0, y: 0.0 };
    fn zero() -> Self {
        Self::ZERO
    }
    fn len2(&self) -> f64 {
        self.x.powi(2) + self.y.powi(2)
    }
    fn length(&self) -> f64 {
        self.len2().sqrt()
    }
}
#[differentiable]
impl Add for Vector {
    type Output = Self;
    fn add(self, rhs: Self) -> Self {
        Vector { x: self.x + rhs.x, y: self.y + rhs.y }
    }
}
#[differentiable]
impl Sub for Vector {
    type Output = Self;
    fn sub(self, rhs: Self) -> Self {
        Vector { x: self.x - rhs.x, y: self.y - rhs.y }
    }
}
#[differentiable]
impl Mul<f64> for Vector {
    type Output = Self;
    fn mul(self, k: f64) -> Self {
        Vector { x: self.x * k, y: self.y * k }
    }
}

/// Chain of springs integrated in time; how far the last mass is from a target.
#[differentiable(wrt(k))]
fn chain(k: &[f64], start: &[Vector], target: Vector, steps: usize) -> f64 {
    let n = start.len();
    let mut pos: Vec<Vector> = start.iter().map(|p| Vector { x: p.x, y: p.y }).collect();
    let mut vel = vec![Vector::zero(); n];
    for _ in 0..steps {
        for i in 1..n {
            let mut force = Vector { x: 0.0, y: -1.0 };
            let d = pos[i - 1] - pos[i];
            force = force + d * (k[i - 1] * (d.length() - 1.0) / d.length());
            vel[i] = vel[i] + force * 0.05;
        }
        for i in 1..n {
            pos[i] = pos[i] + vel[i] * 0.05;
        }
    }
    (pos[n - 1] - target).len2()
}

/// Elo-like rating with history.
#[differentiable(wrt(ratings))]
fn elo(ratings: &[f64], games: &[(String, String, f64)], index: &HashMap<String, usize>) -> f64 {
    let mut history: Vec<f64> = ratings.to_vec();
    let mut loss = 0.0;
    for (white, black, score) in games {
        let (i, j) = match (index.get(white), index.get(black)) {
            (Some(i), Some(j)) => (*i, *j),
            _ => continue,
        };
        let expected = 1.0 / (1.0 + ((history[j] - history[i]) / 4.0).exp());
        loss += (score - expected).powi(2);
        let delta = 0.5 * (score - expected);
        history[i] += delta;
        history[j] -= delta;
    }
    loss
}

#[differentiable]
fn qr(a: &[Vec<f64>]) -> (Vec<Vec<f64>>, Vec<Vec<f64>>) {
    let (m, n) = (a.len(), a[0].len());
    let mut q = vec![vec![0.0; n]; m];
    let mut r = vec![vec![0.0; n]; n];
    for j in 0..n {
        let mut v: Vec<f64> = (0..m).map(|i| a[i][j]).collect();
        for k in 0..j {
            let dot: f64 = (0..m).map(|i| q[i][k] * a[i][j]).sum();
            r[k][j] = dot;
            for i in 0..m {
                v[i] -= dot * q[i][k];
            }
        }
        let norm = v.iter().map(|x| x * x).sum::<f64>().sqrt();
        r[j][j] = norm;
        for i in 0..m {
            q[i][j] = v[i] / norm;
        }
    }
    (q, r)
}
#[differentiable]
fn logdet(x: &[f64]) -> f64 {
    let a: Vec<Vec<f64>> =
        (0..3).map(|i| (0..2).map(|j| x[2 * i + j] + if i == j { 2.0 } else { 0.0 }).collect()).collect();
    let (q, r) = qr(&a);
    r.iter().enumerate().map(|(i, row)| row[i].ln()).sum::<f64>() + q[2][1] * q[0][0]
}

fn masses() -> Vec<Vector> {
    (0..4).map(|i| Vector { x: i as f64, y: 0.1 * i as f64 }).collect()
}
exact!(chain_, &[5.0, 4.0, 3.0], chain chain_grad chain_hvp chain_linearize chain_sparsity, &masses(), Vector { x: 2.0, y: -1.0 }, 20);
fn games() -> Vec<(String, String, f64)> {
    [("a", "b", 1.0), ("b", "c", 0.5), ("c", "a", 0.0), ("a", "z", 1.0), ("b", "a", 1.0)]
        .iter()
        .map(|(a, b, s)| (a.to_string(), b.to_string(), *s))
        .collect()
}
fn players() -> HashMap<String, usize> {
    [("a", 0), ("b", 1), ("c", 2)].iter().map(|(a, i)| (a.to_string(), *i)).collect()
}
exact!(elo_, &X[..3], elo elo_grad elo_hvp elo_linearize elo_sparsity, &games(), &players());
exact!(logdet_, X, logdet logdet_grad logdet_hvp logdet_linearize logdet_sparsity);

#[differentiable]
fn repeated(x: &[f64]) -> f64 {
    let row = vec![x[0], x[1]];
    let mut rows = vec![row.clone(); 3];
    let mut pairs = [(x[2], 1.0); 2];
    let mut fixed = vec![[x[3], x[4]]; 2];
    rows[1][0] *= x[5];
    pairs[1].0 += x[0];
    fixed[0][1] *= x[1];
    rows[0][0] * rows[1][0] + pairs[0].0 * pairs[1].0 + fixed[0][1] * fixed[1][1] + row[1]
}
exact!(repeated_, X, repeated repeated_grad repeated_hvp repeated_linearize repeated_sparsity);

// A variable that starts active and is data after the first round.
#[differentiable]
fn product_and_weight(s: f64, b: &[f64]) -> f64 {
    s * b[0]
}
#[differentiable(wrt(x))]
fn active_in_the_first_round_alone(x: &[f64], w: &[f64]) -> f64 {
    let mut a = x[0] * x[1];
    let mut total = 0.0;
    for i in 0..3 {
        let mut b = [[0.0; 3]; 2];
        for j in 0..2 {
            for k in 0..3 {
                b[j][k] = product_and_weight(a, w).tanh();
            }
        }
        total += b[1][2] * x[i];
        a = w[i];
    }
    total
}
exact!(active_in_the_first_round_alone_is_exact, X, active_in_the_first_round_alone active_in_the_first_round_alone_grad active_in_the_first_round_alone_hvp active_in_the_first_round_alone_linearize active_in_the_first_round_alone_sparsity, &[0.3, 0.7, -0.4]);
