use super::*;
// ndarray functions, as ordinary Rust. The includer provides: `check`, `D`, `num_dual::DualNum`, `differentiable`.
use ndarray::{Array1, Array2, ArrayView1, Axis, array, s};

fn vector(p: &[f64]) -> Array1<f64> {
    Array1::from(p.to_vec())
}
fn matrix(r: usize, c: usize, p: &[f64]) -> Array2<f64> {
    Array2::from_shape_vec((r, c), p.to_vec()).unwrap()
}
fn put1(d: &Array1<f64>, out: &mut [f64]) {
    for (o, v) in out.iter_mut().zip(d.iter()) {
        *o = *v;
    }
}
fn put2(d: &Array2<f64>, out: &mut [f64]) {
    for (o, v) in out.iter_mut().zip(d.iter()) {
        *o = *v;
    }
}

fn design() -> Array2<f64> {
    array![[1.0, 0.2, -0.5], [1.0, -1.3, 0.4], [1.0, 0.9, 1.1], [1.0, 0.1, 0.3]]
}
const DESIGN: [[f64; 3]; 4] = [[1.0, 0.2, -0.5], [1.0, -1.3, 0.4], [1.0, 0.9, 1.1], [1.0, 0.1, 0.3]];
const RESPONSE: [f64; 4] = [0.7, -0.4, 1.9, 0.6];

/// Ridge regression: x.dot(w) - y, then dot with itself
#[differentiable(wrt(w))]
fn ridge(w: &Array1<f64>, x: &Array2<f64>, y: &Array1<f64>) -> f64 {
    let residual = x.dot(w) - y;
    residual.dot(&residual) / y.len() as f64 + 0.1 * w.dot(w)
}

fn ridge_ref(w: &[D]) -> D {
    let mut s = D::from_re(0.0);
    for i in 0..4 {
        let mut r = D::from_re(-RESPONSE[i]);
        for j in 0..3 {
            r += w[j] * DESIGN[i][j];
        }
        s += r * r / 4.0;
    }
    for j in 0..3 {
        s += w[j] * w[j] * 0.1;
    }
    s
}
#[test]
fn ridge_is_exact() {
    let (x, y) = (design(), vector(&RESPONSE));
    check(
        "ridge",
        &[0.3, -0.8, 0.5],
        |p| ridge(&vector(p), &x, &y),
        |p, g| {
            let mut d = Array1::zeros(3);
            let value = ridge_grad(&vector(p), &x, &y, &mut d);
            put1(&d, g);
            value
        },
        |p, v, hv| {
            let mut d = Array1::zeros(3);
            ridge_hvp(&vector(p), &x, &y, &vector(v), &mut d);
            put1(&d, hv);
        },
        |p| ridge_ref(p),
    );
}

/// Quadratic form with the matrix active too
#[differentiable]
fn quadratic_form(a: &Array2<f64>, x: &Array1<f64>) -> f64 {
    0.5 * x.dot(&a.dot(x)) + (a.t().dot(x)).sum().sin()
}

fn quadratic_form_ref(p: &[D]) -> D {
    let mut q = D::from_re(0.0);
    let mut l = D::from_re(0.0);
    for i in 0..2 {
        for j in 0..2 {
            q += p[2 * i + j] * p[4 + i] * p[4 + j];
            l += p[2 * i + j] * p[4 + i];
        }
    }
    q * 0.5 + l.sin()
}
#[test]
fn quadratic_form_is_exact() {
    check(
        "quadratic_form",
        &[1.5, 0.3, -0.4, 2.0, 0.7, -0.6],
        |p| quadratic_form(&matrix(2, 2, &p[..4]), &vector(&p[4..])),
        |p, g| {
            let (mut da, mut dx) = (Array2::zeros((2, 2)), Array1::zeros(2));
            let value = quadratic_form_grad(&matrix(2, 2, &p[..4]), &vector(&p[4..]), &mut da, &mut dx);
            put2(&da, &mut g[..4]);
            put1(&dx, &mut g[4..]);
            value
        },
        |p, v, hv| {
            let (mut da, mut dx) = (Array2::zeros((2, 2)), Array1::zeros(2));
            quadratic_form_hvp(
                &matrix(2, 2, &p[..4]),
                &vector(&p[4..]),
                &matrix(2, 2, &v[..4]),
                &vector(&v[4..]),
                &mut da,
                &mut dx,
            );
            put2(&da, &mut hv[..4]);
            put1(&dx, &mut hv[4..]);
        },
        |p| quadratic_form_ref(p),
    );
}

/// Logistic loss with mapv and an elementwise product
#[differentiable(wrt(w))]
fn logistic(w: &Array1<f64>, x: &Array2<f64>, sign: &Array1<f64>) -> f64 {
    let margin = x.dot(w) * sign;
    margin.mapv(|m| (-m).exp().ln_1p()).sum() + 0.05 * w.mapv(|v| v.powi(2)).sum()
}

fn logistic_ref(w: &[D]) -> D {
    let sign = [1.0, -1.0, 1.0, -1.0];
    let mut s = D::from_re(0.0);
    for i in 0..4 {
        let mut m = D::from_re(0.0);
        for j in 0..3 {
            m += w[j] * (DESIGN[i][j] * sign[i]);
        }
        s += ((-m).exp() + 1.0).ln();
    }
    for j in 0..3 {
        s += w[j] * w[j] * 0.05;
    }
    s
}
#[test]
fn logistic_is_exact() {
    let (x, sign) = (design(), array![1.0, -1.0, 1.0, -1.0]);
    check(
        "logistic",
        &[0.3, -0.8, 0.5],
        |p| logistic(&vector(p), &x, &sign),
        |p, g| {
            let mut d = Array1::zeros(3);
            let value = logistic_grad(&vector(p), &x, &sign, &mut d);
            put1(&d, g);
            value
        },
        |p, v, hv| {
            let mut d = Array1::zeros(3);
            logistic_hvp(&vector(p), &x, &sign, &vector(v), &mut d);
            put1(&d, hv);
        },
        |p| logistic_ref(p),
    );
}

/// Analysis of variance: sum_axis and mean_axis of an active matrix
#[differentiable]
fn column_spread(m: &Array2<f64>) -> f64 {
    let rows = m.nrows() as f64;
    let totals = m.sum_axis(Axis(0));
    let means = &totals / rows;
    let centred = m - &means;
    let within = (&centred * &centred).sum();
    within / (1.0 + totals.dot(&totals)) + m.sum_axis(Axis(1)).iter().map(|r| r.powi(4)).sum::<f64>()
}

fn column_spread_ref(x: &[D]) -> D {
    let mut within = D::from_re(0.0);
    let mut tt = D::from_re(1.0);
    for j in 0..2 {
        let t = x[j] + x[2 + j] + x[4 + j];
        tt += t * t;
        for i in 0..3 {
            let c = x[2 * i + j] - t / 3.0;
            within += c * c;
        }
    }
    let mut s = within / tt;
    for i in 0..3 {
        let r = x[2 * i] + x[2 * i + 1];
        s += r * r * r * r;
    }
    s
}
#[test]
fn column_spread_is_exact() {
    check(
        "column_spread",
        &[0.4, 1.2, -0.3, 0.8, 0.9, -0.5],
        |p| column_spread(&matrix(3, 2, p)),
        |p, g| {
            let mut d = Array2::zeros((3, 2));
            let value = column_spread_grad(&matrix(3, 2, p), &mut d);
            put2(&d, g);
            value
        },
        |p, v, hv| {
            let mut d = Array2::zeros((3, 2));
            column_spread_hvp(&matrix(3, 2, p), &matrix(3, 2, v), &mut d);
            put2(&d, hv);
        },
        |p| column_spread_ref(p),
    );
}

/// Radial-basis interpolation error: row loops over data and over active centres
#[differentiable(wrt(centres))]
fn rbf_density(centres: &Array2<f64>, points: &Array2<f64>, weights: ArrayView1<f64>) -> f64 {
    let mut total = 0.0;
    for (p, &w) in points.rows().into_iter().zip(weights.iter()) {
        let mut density = 0.0;
        for c in centres.outer_iter() {
            let diff = &c - &p;
            density += (-0.5 * diff.dot(&diff)).exp();
        }
        total -= w * density.ln();
    }
    total
}

fn rbf_density_ref(x: &[D]) -> D {
    let mut s = D::from_re(0.0);
    for i in 0..4 {
        let mut d = D::from_re(0.0);
        for c in 0..2 {
            let mut q = D::from_re(0.0);
            for k in 0..3 {
                let u = x[3 * c + k] - DESIGN[i][k];
                q += u * u;
            }
            d += (q * -0.5).exp();
        }
        s -= d.ln() * (0.5 + i as f64);
    }
    s
}
#[test]
fn rbf_density_is_exact() {
    let (x, w) = (design(), array![0.5, 1.5, 2.5, 3.5]);
    check(
        "rbf_density",
        &[0.8, 0.3, 0.1, 1.2, -0.9, 0.6],
        |p| rbf_density(&matrix(2, 3, p), &x, w.view()),
        |p, g| {
            let mut d = Array2::zeros((2, 3));
            let value = rbf_density_grad(&matrix(2, 3, p), &x, w.view(), &mut d);
            put2(&d, g);
            value
        },
        |p, v, hv| {
            let mut d = Array2::zeros((2, 3));
            rbf_density_hvp(&matrix(2, 3, p), &x, w.view(), &matrix(2, 3, v), &mut d);
            put2(&d, hv);
        },
        |p| rbf_density_ref(p),
    );
}

/// Smoothness by slices, a reversed view and an indexed update of an owned array
#[differentiable]
fn profile_cost(u: &Array1<f64>) -> f64 {
    let n = u.len();
    let slope = &u.slice(s![1..]) - &u.slice(s![..n - 1]);
    let asymmetry = u - &u.slice(s![..;-1]);
    let mut scaled = Array1::<f64>::zeros(n);
    for i in 0..n {
        scaled[i] = u[i].tanh() * (i + 1) as f64;
    }
    let odd = scaled.slice(s![1..;2]).sum();
    slope.mapv(|d| d * d).sum() + 0.25 * asymmetry.dot(&asymmetry) + odd.powi(2)
}

fn profile_cost_ref(x: &[D]) -> D {
    let n = x.len();
    let mut s = D::from_re(0.0);
    let mut odd = D::from_re(0.0);
    for i in 0..n {
        let a = x[i] - x[n - 1 - i];
        s += a * a * 0.25;
        if i > 0 {
            s += (x[i] - x[i - 1]) * (x[i] - x[i - 1]);
        }
        if i % 2 == 1 {
            odd += x[i].tanh() * (i as f64 + 1.0);
        }
    }
    s + odd * odd
}
#[test]
fn profile_cost_is_exact() {
    check(
        "profile_cost",
        &[0.3, 0.9, -0.4, 0.6, 1.1],
        |p| profile_cost(&vector(p)),
        |p, g| {
            let mut d = Array1::zeros(5);
            let value = profile_cost_grad(&vector(p), &mut d);
            put1(&d, g);
            value
        },
        |p, v, hv| {
            let mut d = Array1::zeros(5);
            profile_cost_hvp(&vector(p), &vector(v), &mut d);
            put1(&d, hv);
        },
        |p| profile_cost_ref(p),
    );
}
