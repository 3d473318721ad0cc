//! Elements that are moved within an array, axes that are added.

use ad_runtime::differentiable;
use ndarray::{Array1, Array2, NewAxis, array, s};

#[test]
fn copies_within() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let mut v = x.to_vec();
        // Parts that overlap, in both directions.
        v.copy_within(0..3, 1);
        v.copy_within(2.., 0);
        v[1..].copy_within(..=1, 1);
        let mut a = [x[0], x[1] * x[1], x[2]];
        a.copy_within(1..3, 0);
        let mut rows = vec![[x[0], x[1]], [x[2], x[3]], [x[1], x[1]]];
        rows.copy_within(0..2, 1);
        let weighted: f64 = v.iter().enumerate().map(|(i, v)| (i as f64 + 1.0) * v * v).sum();
        weighted + a[0] * a[1] * a[2] + rows[1][1] * rows[2][0] * rows[2][1]
    }
    check_slice!([0.7, 1.2, -0.4, 0.9]);
    #[differentiable]
    fn ghosts(q: &mut [f64]) {
        let n = q.len() - 2;
        q.copy_within(n..n + 1, 0);
        q.copy_within(1..2, n + 1);
    }
    #[differentiable]
    fn periodic(x: &[f64]) -> f64 {
        let mut q = vec![0.0; x.len() + 2];
        let mut sum = 0.0;
        q[1..=x.len()].copy_from_slice(x);
        for _ in 0..3 {
            ghosts(&mut q);
            for i in 1..=x.len() {
                q[i] += 0.1 * (q[i - 1] - q[i + 1]) * q[i];
            }
            sum += q[0] * q[1];
        }
        sum
    }
    {
        use {
            periodic as f, periodic_curvature as f_curvature, periodic_grad as f_grad,
            periodic_grad_hvp as f_grad_hvp, periodic_hvp as f_hvp, periodic_hvp_block as f_hvp_block,
            periodic_hvp_rev as f_hvp_rev, periodic_jvp as f_jvp,
        };
        check_slice!([0.7, 1.2, -0.4, 0.9]);
    }
}

#[test]
fn new_axes() {
    #[differentiable]
    fn f(x: &Array1<f64>, m: &Array2<f64>) -> f64 {
        let all = 0..3;
        let d = &x.slice(s![.., NewAxis]) - &x.slice(s![NewAxis, ..]);
        let a = &m.slice(s![1, NewAxis, ..]) * &m.slice(s![.., 0, NewAxis]) * &d;
        // A range in a variable is an axis in front of the new one.
        let b = &x.slice(s![all, NewAxis]) * &m.slice(s![NewAxis, .., 1]) + &a;
        (&b * &b * &b).sum() + x.slice(s![..2, NewAxis])[[1, 0]]
    }
    let (x, m) = (array![1.0, 2.0, 4.0], array![[0.1, 0.3, 0.5], [0.4, 0.8, 0.2], [0.3, 0.9, 0.1]]);
    let (mut gx, mut gm) = (Array1::zeros(3), Array2::zeros((3, 3)));
    let value = f_grad(&x, &m, &mut gx, &mut gm);
    let of = |x: &[f64], m: &[f64]| -> f64 {
        let mut sum = x[1];
        for i in 0..3 {
            for j in 0..3 {
                let a = m[3 + j] * m[3 * i] * (x[i] - x[j]);
                sum += (x[i] * m[3 * j + 1] + a).powi(3);
            }
        }
        sum
    };
    let all: Vec<f64> = x.iter().chain(&m).copied().collect();
    crate::supported::close("value", &[value], &[of(&all[..3], &all[3..])], 1e-13);
    for (k, g) in gx.iter().chain(&gm).enumerate() {
        let mut v = vec![0.0; 12];
        v[k] = 1.0;
        let slope = crate::supported::difference(&all, &v, |p| vec![of(&p[..3], &p[3..])]);
        crate::supported::close("slope", &[*g], &slope, 1e-8);
    }
}
