//! More ordinary functions, each written in an idiom of its own, against differences: the gradient against those of the
//! value, the Hessian-vector product against those of the gradient (both extrapolated twice).
// The functions under test are written as users write them.
#![allow(clippy::all, clippy::pedantic, missing_docs, dead_code)]
use ad_runtime::differentiable;
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
}
macro_rules! exact { ($name:ident, $x:expr, $f:ident $g:ident $h:ident $(, $d:expr)*) => {
    #[test] fn $name() { check(stringify!($f), $x, |p| $f(p $(, $d)*), |p, g| $g(p $(, $d)*, g), |p, v, hv| $h(p $(, $d)*, v, hv)); }
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
exact!(sum_of_squares_is_exact, X, sum_of_squares sum_of_squares_grad sum_of_squares_hvp);

#[differentiable]
fn softmax_entropy(logits: &[f64]) -> f64 {
    let m = logits.iter().cloned().fold(f64::NEG_INFINITY, f64::max);
    let exps: Vec<f64> = logits.iter().map(|&l| (l - m).exp()).collect();
    let z: f64 = exps.iter().sum();
    -exps.iter().map(|e| e / z).map(|p| p * p.ln()).sum::<f64>()
}
exact!(softmax_entropy_is_exact, X, softmax_entropy softmax_entropy_grad softmax_entropy_hvp);

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
exact!(cholesky_logdet_is_exact, &[0.3, -0.8, 0.5, 0.6], cholesky_logdet cholesky_logdet_grad cholesky_logdet_hvp);

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
exact!(garch_is_exact, &[0.3, 0.2, 0.4], garch garch_grad garch_hvp, &[0.1, -0.4, 0.3, 0.8, -0.2]);

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
exact!(rk4_is_exact, X, rk4 rk4_grad rk4_hvp);

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
exact!(matmul_chain_is_exact, X, matmul_chain matmul_chain_grad matmul_chain_hvp);

#[differentiable]
fn trapezoid(x: &[f64]) -> f64 {
    let integrand = |t: f64| x.iter().rev().fold(0.0, |acc, c| acc * t + c);
    let n = 8;
    let h = 1.0 / n as f64;
    let inner: f64 = (1..n).map(|i| integrand(i as f64 * h).exp()).sum();
    h * (0.5 * (integrand(0.0).exp() + integrand(1.0).exp()) + inner)
}
exact!(trapezoid_is_exact, X, trapezoid trapezoid_grad trapezoid_hvp);

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
exact!(convolution_is_exact, X, convolution convolution_grad convolution_hvp);

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
exact!(viterbi_soft_is_exact, X, viterbi_soft viterbi_soft_grad viterbi_soft_hvp);

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
exact!(newton_sqrt_is_exact, X, newton_sqrt newton_sqrt_grad newton_sqrt_hvp);

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
exact!(running_stats_is_exact, X, running_stats running_stats_grad running_stats_hvp);

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
exact!(graph_laplacian_is_exact, X, graph_laplacian graph_laplacian_grad graph_laplacian_hvp);

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
exact!(legendre_is_exact, X, legendre legendre_grad legendre_hvp);

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
exact!(bezier_length_is_exact, X, bezier_length bezier_length_grad bezier_length_hvp);

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
exact!(huffman_like_is_exact, X, huffman_like huffman_like_grad huffman_like_hvp);

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
exact!(early_is_exact, X, early early_grad early_hvp);

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
exact!(levi_is_exact, X, levi levi_grad levi_hvp);

#[differentiable]
fn median_of_three(x: &[f64]) -> f64 {
    let med = |a: f64, b: f64, c: f64| a.max(b).min(a.min(b).max(c));
    x.windows(3).map(|w| if let [a, b, c] = w { med(*a, *b, *c).powi(2) } else { 0.0 }).sum()
}
exact!(median_of_three_is_exact, X, median_of_three median_of_three_grad median_of_three_hvp);

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
exact!(cumulative_is_exact, X, cumulative cumulative_grad cumulative_hvp);
