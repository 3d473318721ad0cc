//! Arrays of `ndarray`, vectors and matrices of `nalgebra`.

use ad_runtime::differentiable;
use nalgebra::{DMatrix, DVector, Matrix2, SMatrix, SVector, Vector2, Vector3};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, Zip, array, s};

/// Gradient and Hessian-vector product of a function of n numbers, by differences.
fn check_by_differences(
    x: &[f64],
    value: impl Fn(&[f64]) -> f64,
    grad: impl Fn(&[f64]) -> (f64, Vec<f64>),
    hvp: impl Fn(&[f64], &[f64]) -> Vec<f64>,
) {
    let v: Vec<f64> = (0..x.len()).map(|i| (1.3 * i as f64 + 0.4).cos()).collect();
    assert_eq!(grad(x).0, value(x));
    let along: f64 = grad(x).1.iter().zip(&v).map(|(g, v)| g * v).sum();
    let slope = crate::supported::difference(x, &v, |p| vec![value(p)]);
    crate::supported::close("slope", &[along], &slope, 1e-8);
    let bend = crate::supported::difference(x, &v, |p| grad(p).1);
    crate::supported::close("Hv", &hvp(x, &v), &bend, 1e-8);
}

const X: [f64; 4] = [0.3, -0.8, 1.1, 0.6];

fn vector(p: &[f64]) -> Array1<f64> {
    Array1::from_vec(p.to_vec())
}

#[test]
fn arrays_of_one_axis() {
    #[differentiable]
    fn f(x: &Array1<f64>) -> f64 {
        let shifted = 2.0 * x - 0.5;
        let mut y = &shifted * x + x;
        y += &shifted;
        y *= 0.5;
        y.scaled_add(0.3, x);
        let z = y.mapv(|v| v.sin());
        y[0] = z[1] * x[2];
        let mut mixed = Array1::zeros(x.len());
        Zip::from(&mut mixed).and(x).and(&z).for_each(|m, &a, b| *m = a * b + 1.0);
        y += &mixed;
        let head = x.slice(s![..2]);
        let steps = x.slice(s![..;2]).sum() + x.slice(s![..;-1]).dot(x);
        (-&z).dot(&y) + y.mean().unwrap() * head.sum() + x.iter().map(|v| v.exp()).sum::<f64>() * steps
    }
    check_by_differences(
        &X,
        |p| f(&vector(p)),
        |p| {
            let mut g = Array1::from_elem(4, f64::NAN);
            let value = f_grad(&vector(p), &mut g);
            (value, g.to_vec())
        },
        |p, v| {
            let mut hv = Array1::from_elem(4, f64::NAN);
            f_hvp(&vector(p), &vector(v), &mut hv);
            hv.to_vec()
        },
    );
}

#[test]
fn arrays_of_two_axes() {
    #[differentiable]
    fn f(a: &Array2<f64>, x: &Array1<f64>) -> f64 {
        let b = a.t().dot(a) + Array2::<f64>::eye(2);
        let y = b.dot(x);
        let rows: f64 = a.rows().into_iter().map(|r| r.dot(x).powi(2)).sum();
        let columns = a.sum_axis(Axis(0));
        let mut c = Array2::zeros((2, 2));
        for i in 0..a.nrows() {
            c[[i, 0]] = a[[i, 1]] * y[i];
        }
        let centred = a - &columns;
        rows + y.dot(&columns) * c.sum() + a.column(1).sum() * a.row(0).dot(x) + centred.mapv(|v| v * v).sum()
    }
    let split = |p: &[f64]| {
        (Array2::from_shape_vec((2, 2), p[..4].to_vec()).unwrap(), Array1::from_vec(p[4..].to_vec()))
    };
    let x = [0.3, -0.8, 1.1, 0.6, 0.9, -0.4];
    check_by_differences(
        &x,
        |p| f(&split(p).0, &split(p).1),
        |p| {
            let (mut g, mut h) = split(&[f64::NAN; 6]);
            let value = f_grad(&split(p).0, &split(p).1, &mut g, &mut h);
            (value, g.iter().chain(&h).copied().collect())
        },
        |p, v| {
            let (mut g, mut h) = split(&[f64::NAN; 6]);
            f_hvp(&split(p).0, &split(p).1, &split(v).0, &split(v).1, &mut g, &mut h);
            g.iter().chain(&h).copied().collect()
        },
    );
}

#[test]
fn views_of_arrays() {
    #[differentiable(wrt(w))]
    fn f(w: ArrayView1<f64>, x: ArrayView2<f64>, y: &Array1<f64>) -> f64 {
        let residual = x.dot(&w) - y;
        0.5 * residual.dot(&residual) + w.iter().map(|v| v.powi(4)).sum::<f64>()
    }
    let (data, y) = (array![[1.0, 0.2], [0.5, -1.0], [0.3, 0.8]], array![0.1, 0.7, -0.2]);
    check_by_differences(
        &[0.4, -0.9],
        |p| f(vector(p).view(), data.view(), &y),
        |p| {
            let mut g = Array1::from_elem(2, f64::NAN);
            let value = f_grad(vector(p).view(), data.view(), &y, g.view_mut());
            (value, g.to_vec())
        },
        |p, v| {
            let mut hv = Array1::from_elem(2, f64::NAN);
            f_hvp(vector(p).view(), data.view(), &y, vector(v).view(), hv.view_mut());
            hv.to_vec()
        },
    );
}

#[test]
fn small_vectors_and_matrices() {
    #[differentiable]
    fn f(v: Vector3<f64>, m: &Matrix2<f64>) -> f64 {
        let axis = Vector3::new(0.2, -0.5, v.x);
        let turned = v.cross(&axis) + 0.5 * v;
        let plane = Vector2::new(turned.x, v.z);
        let copy = plane.clone();
        let moved = m * copy;
        let both = m * m.transpose();
        let mut w = moved.component_mul(&plane);
        w.y += both[(0, 1)];
        w[0] *= both.trace();
        turned.norm() * w.dot(&plane) + v.norm_squared() * m.determinant() + v.normalize().sum()
    }
    let split = |p: &[f64]| (Vector3::new(p[0], p[1], p[2]), Matrix2::new(p[3], p[4], p[5], p[6]));
    let all =
        |v: &Vector3<f64>, m: &Matrix2<f64>| vec![v.x, v.y, v.z, m[(0, 0)], m[(0, 1)], m[(1, 0)], m[(1, 1)]];
    let x = [0.3, -0.8, 1.1, 0.6, 0.9, -0.4, 1.2];
    let value = |p: &[f64]| f(split(p).0, &split(p).1);
    let grad = |p: &[f64]| {
        let mut g = Matrix2::repeat(f64::NAN);
        let (value, d) = f_grad(split(p).0, &split(p).1, &mut g);
        (value, all(&d, &g))
    };
    // The order of a sum differs from the library's by rounding alone.
    assert!((grad(&x).0 - value(&x)).abs() < 1e-13);
    check_by_differences(
        &x,
        |p| grad(p).0,
        grad,
        |p, v| {
            let mut h = Matrix2::repeat(f64::NAN);
            let d = f_hvp(split(p).0, &split(p).1, split(v).0, &split(v).1, &mut h);
            all(&d, &h)
        },
    );
}

#[test]
fn sized_and_dynamic_matrices() {
    #[differentiable]
    fn f(
        a: SMatrix<f64, 2, 3>,
        x: &SVector<f64, 3>,
        points: &[Vector2<f64>],
        d: &DVector<f64>,
        m: &DMatrix<f64>,
    ) -> f64 {
        let y = a * x;
        let spread: f64 = points.iter().map(|p| (p - y).norm_squared()).sum();
        spread * y.sum() + (m * d).dot(d)
    }
    let p: Vec<f64> = (0..19).map(|i| (i as f64 * 0.7).sin()).collect();
    let build = |p: &[f64]| {
        (
            SMatrix::<f64, 2, 3>::from_row_slice(&p[..6]),
            SVector::<f64, 3>::from_row_slice(&p[6..9]),
            vec![Vector2::new(p[9], p[10]), Vector2::new(p[11], p[12])],
            DVector::from_row_slice(&p[13..15]),
            DMatrix::from_row_slice(2, 2, &p[15..]),
        )
    };
    let value = |p: &[f64]| {
        let (a, x, points, d, m) = build(p);
        f(a, &x, &points, &d, &m)
    };
    let flat = |a: &SMatrix<f64, 2, 3>,
                x: &SVector<f64, 3>,
                q: &[Vector2<f64>],
                d: &DVector<f64>,
                m: &DMatrix<f64>| {
        let mut all: Vec<f64> = a.transpose().iter().copied().collect();
        all.extend(x.iter());
        all.extend(q.iter().flat_map(|v| [v.x, v.y]));
        all.extend(d.iter());
        all.extend(m.transpose().iter());
        all
    };
    let grad = |p: &[f64]| {
        let (a, x, points, d, m) = build(p);
        let (mut gx, mut gp, mut gd, mut gm) = (x, points.clone(), d.clone(), m.clone());
        let (value, ga) = f_grad(a, &x, &points, &d, &m, &mut gx, &mut gp, &mut gd, &mut gm);
        (value, flat(&ga, &gx, &gp, &gd, &gm))
    };
    assert!((grad(&p).0 - value(&p)).abs() < 1e-12);
    check_by_differences(
        &p,
        |p| grad(p).0,
        grad,
        |p, v| {
            let ((a, x, points, d, m), (va, vx, vp, vd, vm)) = (build(p), build(v));
            let (mut hx, mut hp, mut hd, mut hm) = (x, points.clone(), d.clone(), m.clone());
            let ha =
                f_hvp(a, &x, &points, &d, &m, va, &vx, &vp, &vd, &vm, &mut hx, &mut hp, &mut hd, &mut hm);
            flat(&ha, &hx, &hp, &hd, &hm)
        },
    );
}
