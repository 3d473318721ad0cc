//! Arrays of `ndarray`, vectors and matrices of `nalgebra`.

use ad_runtime::{Differentiable, differentiable};
use nalgebra::{DMatrix, DVector, Matrix2, Matrix2x3, Matrix3, SMatrix, SVector, Vector2, Vector3};
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, Zip, array, concatenate, s, stack};

/// Gradient and Hessian-vector product of a function of n numbers, by differences.
fn check_by_differences(
    x: &[f64],
    value: impl Fn(&[f64]) -> f64,
    grad: impl Fn(&[f64]) -> (f64, Vec<f64>),
    hvp: impl Fn(&[f64], &[f64]) -> Vec<f64>,
) {
    let v: Vec<f64> = (0..x.len()).map(|i| (1.3 * i as f64 + 0.4).cos()).collect();
    // Libraries add in another order.
    crate::supported::close("value", &[grad(x).0], &[value(x)], 1e-14);
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

/// `$f(&Array2<f64>)` of two rows at a point, by differences.
macro_rules! check_matrix {
    ($f:ident, $grad:ident, $hvp:ident) => {
        check_by_differences(
            &[0.3, -0.8, 1.1, 0.6, 0.45, -0.2],
            |p| $f(&matrix(p)),
            |p| {
                let mut g = Array2::from_elem((2, 3), f64::NAN);
                let value = $grad(&matrix(p), &mut g);
                (value, g.iter().copied().collect())
            },
            |p, v| {
                let mut hv = Array2::from_elem((2, 3), f64::NAN);
                $hvp(&matrix(p), &matrix(v), &mut hv);
                hv.iter().copied().collect()
            },
        )
    };
}

fn matrix(p: &[f64]) -> Array2<f64> {
    Array2::from_shape_vec((2, 3), p.to_vec()).unwrap()
}

#[test]
fn along_axes() {
    #[differentiable]
    fn log_sum_exp(m: &Array2<f64>, axis: Axis) -> Array1<f64> {
        let top = m.iter().copied().reduce(f64::max).unwrap();
        m.fold_axis(axis, 0.0, |acc, v| acc + (v - top).exp()).mapv_into(|v| v.ln() + top)
    }
    #[differentiable]
    fn f(a: &Array2<f64>) -> f64 {
        let sums = log_sum_exp(a, Axis(1));
        let shifted = a - &sums.insert_axis(Axis(1));
        let norms = a.map_axis(Axis(0), |column| column.dot(&column).sqrt());
        let scaled = &shifted / &norms.insert_axis(Axis(0));
        let spread = a.var_axis(Axis(0), 1.0).sum() + a.std_axis(Axis(1), 0.0).sum() + a.var(0.0);
        let rows: f64 = a.axis_iter(Axis(0)).map(|r| r.fold(0.0, |s, v| s + v * v * v)).sum();
        let columns: f64 = scaled.columns().into_iter().map(|c| c.sum() * c[0]).sum();
        let lanes: f64 = a.lanes(Axis(0)).into_iter().map(|c| c[0] * c[1]).sum();
        let wide = a.row(0).broadcast((4, 3)).unwrap().mapv(|v| v.sin());
        let one = a.index_axis(Axis(1), 2).dot(&scaled.index_axis(Axis(1), 0));
        spread * rows + columns * lanes + wide.sum() * one
    }
    check_matrix!(f, f_grad, f_hvp);
}

#[test]
fn parts_of_arrays() {
    #[differentiable]
    fn f(a: &Array2<f64>) -> f64 {
        let (left, right) = a.view().split_at(Axis(1), 1);
        let columns = 1..3;
        let block = a.slice(s![.., columns.clone()]);
        let last = a.slice(s![-1, ..]).sum() * a.slice(s![0, ..]).sum();
        let inner = a.slice(s![.., 1..-1]).sum();
        let mut made = Array2::<f64>::zeros((2, 4));
        made.slice_mut(s![.., columns]).assign(&(&block * &left.column(0).insert_axis(Axis(1))));
        made.slice_mut(s![.., 3]).scaled_add(2.0, &right.column(1));
        made.column_mut(0).assign(&block.column(0));
        made.slice_mut(s![1.., ..]).mapv_inplace(|v| v * v);
        // The bounds are those of where it is made.
        let mut from = 1;
        let part = s![.., from..-1];
        from += 1;
        let kept = (&a.slice(part) * &a.slice(&part)).sum() * from as f64;
        made.mapv(f64::sin).sum() * last + inner * right.sum() + kept * kept
    }
    check_matrix!(f, f_grad, f_hvp);
}

#[test]
fn arrays_side_by_side() {
    #[differentiable(wrt(a))]
    fn with_data(a: &Array2<f64>, batch: &[(Array2<f64>, f64)]) -> f64 {
        let made = Array2::from_shape_fn((2, 2), |(i, j)| a[[i, j]] * a[[j, i + 1]]);
        let mut total = made.sum();
        for (image, target) in batch {
            let fit = (&image.slice(s![.., 1..4]) * a).sum() * *target;
            let both =
                Zip::from(a).and(&(image.slice(s![.., ..3]).to_owned() - a)).fold(0.0, |s, x, y| s + x * y);
            total += fit * fit + both;
        }
        let mapped = Zip::from(a.row(0)).and(a.row(1)).map_collect(|x, y| x * y.exp());
        let flat: f64 = a.iter().zip(a.t().iter()).map(|(x, y)| x * y).sum();
        total * mapped.sum() + flat
    }
    let batch = [
        (Array2::from_shape_fn((2, 4), |(i, j)| (i as f64 + 1.3 * j as f64).sin()), 0.7),
        (Array2::from_shape_fn((2, 4), |(i, j)| (2.0 * i as f64 - 0.3 * j as f64).cos()), -0.4),
    ];
    check_by_differences(
        &[0.3, -0.8, 1.1, 0.6, 0.45, -0.2],
        |p| with_data(&matrix(p), &batch),
        |p| {
            let mut g = Array2::from_elem((2, 3), f64::NAN);
            let value = with_data_grad(&matrix(p), &batch, &mut g);
            (value, g.iter().copied().collect())
        },
        |p, v| {
            let mut hv = Array2::from_elem((2, 3), f64::NAN);
            with_data_hvp(&matrix(p), &batch, &matrix(v), &mut hv);
            hv.iter().copied().collect()
        },
    );
}

#[test]
fn arrays_in_structs() {
    #[derive(Clone, Differentiable)]
    struct Dense {
        weights: Array2<f64>,
        bias: Array1<f64>,
        scale: f64,
    }
    #[differentiable]
    impl Dense {
        fn apply(&self, x: ArrayView1<f64>) -> Array1<f64> {
            (self.weights.dot(&x) + &self.bias).mapv(f64::tanh) * self.scale
        }
    }
    #[differentiable(wrt(dense))]
    fn loss(dense: &Dense, data: &[Array2<f64>]) -> f64 {
        let mut total = 0.0;
        for rows in data {
            for x in rows.outer_iter() {
                let out = dense.apply(x);
                total += out.dot(&out);
            }
        }
        total
    }
    let data = [array![[0.4, -0.7, 0.2], [1.1, 0.3, -0.5]], array![[0.9, 0.1, 0.6]]];
    let dense = |p: &[f64]| Dense { weights: matrix(&p[..6]), bias: vector(&p[6..8]), scale: p[8] };
    let flat = |d: &Dense| d.weights.iter().chain(&d.bias).copied().chain([d.scale]).collect::<Vec<_>>();
    check_by_differences(
        &[0.3, -0.8, 1.1, 0.6, 0.45, -0.2, 0.1, -0.3, 1.2],
        |p| loss(&dense(p), &data),
        |p| {
            let mut g = dense(&[f64::NAN; 9]);
            let value = loss_grad(&dense(p), &data, &mut g);
            (value, flat(&g))
        },
        |p, v| {
            let mut hv = dense(&[f64::NAN; 9]);
            loss_hvp(&dense(p), &data, &dense(v), &mut hv);
            flat(&hv)
        },
    );
}

#[test]
fn matrices_chosen_in_branches() {
    #[differentiable(wrt(w))]
    fn split(n: usize, w: &Array2<f64>) -> (Array2<f64>, Array1<f64>) {
        let (rows, columns) = w.dim();
        if rows == n {
            (w.to_owned(), Array1::zeros(columns))
        } else if rows == n + 1 {
            (w.slice(s![..n, ..]).to_owned(), w.row(n).to_owned())
        } else {
            panic!("{n} rows for {rows}")
        }
    }
    #[differentiable(wrt(w))]
    fn f(n: usize, w: &Array2<f64>) -> f64 {
        let (a, b) = split(n, w);
        (a.t().dot(&a) + b).mapv(|v| v * v).sum()
    }
    for n in [1, 2] {
        check_by_differences(
            &[0.3, -0.8, 1.1, 0.6, 0.45, -0.2],
            |p| f(n, &matrix(p)),
            |p| {
                let mut g = Array2::from_elem((2, 3), f64::NAN);
                let value = f_grad(n, &matrix(p), &mut g);
                (value, g.iter().copied().collect())
            },
            |p, v| {
                let mut hv = Array2::from_elem((2, 3), f64::NAN);
                f_hvp(n, &matrix(p), &matrix(v), &mut hv);
                hv.iter().copied().collect()
            },
        );
    }
}

#[test]
fn cholesky_factors() {
    #[differentiable(wrt(x))]
    fn f(x: &[f64], t: &DVector<f64>) -> Option<f64> {
        let n = t.len();
        let gram = DMatrix::from_fn(n, n, |i, j| (-(x[i] - x[j]).powi(2)).exp());
        let a = DMatrix::identity(n, n) * x[3] + gram;
        let factor = a.cholesky()?;
        let mean = factor.solve(t);
        let log_det = 2.0 * factor.l().diagonal().iter().map(|d| d.ln()).sum::<f64>();
        let trace = factor.inverse().trace();
        Some(mean.dot(t) + log_det * trace + factor.determinant() * factor.ln_determinant())
    }
    let t = DVector::from_vec(vec![0.4, -0.9, 0.7]);
    check_by_differences(
        &[0.3, -0.8, 1.1, 0.6],
        |p| f(p, &t).unwrap(),
        |p| {
            let mut g = vec![f64::NAN; 4];
            let value = f_grad(p, &t, &mut g).unwrap();
            (value, g)
        },
        |p, v| {
            let mut hv = vec![f64::NAN; 4];
            f_hvp(p, &t, v, &mut hv).unwrap();
            hv
        },
    );
    assert!(f_grad(&[0.3, -0.8, 1.1, -2.0], &t, &mut [0.0; 4]).is_none());
}

#[test]
fn lu_factors_and_parts() {
    #[differentiable]
    fn f(a: &Matrix3<f64>, b: &Vector3<f64>) -> Option<f64> {
        let factors = a.lu();
        let x = factors.solve(b)?;
        let inverse = a.try_inverse()?;
        let corner = a.fixed_view::<2, 2>(0, 1) * inverse.fixed_view::<2, 1>(1, 0);
        let rows = a.row(0).dot(&a.row(2)) + a.columns(1, 2).rows(0, 1).sum();
        Some(x.norm_squared() + factors.determinant() * corner.xy().sum() + rows * inverse.trace())
    }
    let split = |p: &[f64]| (Matrix3::from_row_slice(&p[..9]), Vector3::from_row_slice(&p[9..]));
    let all = |a: &Matrix3<f64>, b: &Vector3<f64>| [a.transpose().as_slice(), b.as_slice()].concat();
    // The largest number of the first column is not in the first row.
    check_by_differences(
        &[0.3, -0.8, 1.1, 1.6, 0.4, -0.2, 0.5, 1.3, 0.9, 0.2, -0.7, 0.4],
        |p| f(&split(p).0, &split(p).1).unwrap(),
        |p| {
            let ((a, b), mut da, mut db) = (split(p), Matrix3::zeros(), Vector3::zeros());
            let value = f_grad(&a, &b, &mut da, &mut db).unwrap();
            (value, all(&da, &db))
        },
        |p, v| {
            let ((a, b), (va, vb)) = (split(p), split(v));
            let (mut ha, mut hb) = (Matrix3::zeros(), Vector3::zeros());
            f_hvp(&a, &b, &va, &vb, &mut ha, &mut hb).unwrap();
            all(&ha, &hb)
        },
    );
    let (singular, b) = (Matrix3::zeros(), Vector3::zeros());
    assert!(f_grad(&singular, &b, &mut Matrix3::zeros(), &mut Vector3::zeros()).is_none());
}

#[test]
fn geometry_and_sizes_by_arguments() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let p = SVector::<f64, 3>::from_fn(|i, _| x[i]);
        let q = Vector3::new(x[2], x[0] * x[1], 1.0);
        let turned = p.cross_matrix() * q.add_scalar(x[1]);
        let mut m = Matrix2x3::new(x[0], 1.0, x[1], 0.5, x[2], -1.0);
        m[(1, 2)] += x[0];
        let longer = SMatrix::<f64, 3, 3>::identity() * x[2] + m.tr_mul(&m);
        let columns: f64 = longer.column_iter().map(|c| c.dot(&p)).sum();
        let large = SMatrix::<f64, 5, 5>::from_fn(|i, j| {
            x[(i * j + i) % 3] + if i == j { 2.0 } else { 0.1 * j as f64 }
        });
        let parts =
            large.fixed_rows::<2>(1).sum() + large.fixed_columns::<2>(3).sum() + q.unscale(x[1]).xyz().sum();
        let placed = m.map_with_location(|i, j, v| v * (i as f64 + 1.0) * (v + j as f64)).sum();
        let halves = Matrix2::new(x[0], 2.0, x[1], x[2]).lu();
        let solved = halves.solve(&Matrix2::new(1.0, x[2], 0.5, -1.0)).map_or(0.0, |s| s[(0, 1)] * s[(1, 0)]);
        let inverse = halves.try_inverse().map_or(0.0, |s| s[(0, 1)]);
        let smaller =
            large.determinant() * 0.01 + parts + placed + solved * inverse + p.tr_dot(&q.transpose());
        smaller + p.angle(&q) + turned.metric_distance(&p) + columns * p.scale(x[0]).sum()
    }
    check_by_differences(
        &[0.7, 1.2, -0.4],
        f,
        |p| {
            let mut g = vec![f64::NAN; 3];
            let value = f_grad(p, &mut g);
            (value, g)
        },
        |p, v| {
            let mut hv = vec![f64::NAN; 3];
            f_hvp(p, v, &mut hv);
            hv
        },
    );
}

/// Nothing is derived.
struct Market {
    prices: Array2<f64>,
    first: Array1<f64>,
    goal: Vector2<f64>,
    turn: Matrix2<f64>,
}

#[test]
fn arrays_in_data() {
    #[differentiable(wrt(x))]
    fn f(x: &Array1<f64>, market: &Market) -> f64 {
        let y = market.prices.dot(x);
        let doubled: Array1<f64> = y.iter().map(|v| v * v * 2.0).collect();
        let mut sums = Array2::zeros(market.prices.raw_dim());
        let mut again = Array1::zeros(y.raw_dim());
        again += &y;
        sums += x[0];
        let moved = Vector2::new(x[1], x[0] * x[0]) - market.goal;
        let mut level = market.first.mapv(|v| v + 1.0);
        level += &y;
        let turned = market.turn * moved;
        let weighed = turned.map_with_location(|i, _, v| v * (i as f64 + x[0]));
        // Data that only a number makes active.
        let columns = market.prices.sum_axis(Axis(0));
        let outer = columns.view().insert_axis(Axis(1)).dot(&columns.view().insert_axis(Axis(0)));
        let shrunk = (market.prices.t().dot(&market.prices) - outer * x[1]) / (1.0 + x[0] * x[0]);
        let centred = &columns * (market.first.sum() * x[0]) + &columns * 0.5 - columns.dot(&columns) * x[1];
        let rest = level.dot(&y) * weighed.sum();
        rest + again.dot(&y)
            + market.prices.t().dot(&doubled).sum()
            + sums.sum()
            + moved.norm_squared() * market.goal.dot(&moved)
            + shrunk.sum() * x[1]
            + centred.dot(&centred)
    }
    let market = Market {
        prices: array![[1.0, 0.2], [0.5, -1.0], [0.3, 0.8]],
        first: array![0.3, -0.4, 0.8],
        goal: Vector2::new(0.3, -0.9),
        turn: Matrix2::new(0.6, -0.8, 0.8, 0.5),
    };
    check_by_differences(
        &[0.4, -0.9],
        |p| f(&vector(p), &market),
        |p| {
            let mut g = Array1::from_elem(2, f64::NAN);
            let value = f_grad(&vector(p), &market, &mut g);
            (value, g.to_vec())
        },
        |p, v| {
            let mut hv = Array1::from_elem(2, f64::NAN);
            f_hvp(&vector(p), &market, &vector(v), &mut hv);
            hv.to_vec()
        },
    );
}

#[test]
fn arrays_put_together() {
    #[differentiable(wrt(x))]
    fn f(x: &Array1<f64>, a: &Array2<f64>, market: &Market) -> f64 {
        let scaled = a * x[0];
        let below = concatenate![Axis(0), scaled, market.prices, a.mapv(|v| v * x[1])];
        let beside = concatenate![Axis(1), below, below.mapv(f64::sin)];
        let ends = concatenate![Axis(0), *x, x.mapv(|v| v * v)];
        let rows = stack![Axis(0), ends, &ends * x[0]];
        let columns = stack![Axis(1), ends, ends.mapv(f64::cos)];
        beside.dot(&ends.slice(s![..4])).sum() + rows.dot(&columns).sum() * beside[[1, 2]]
    }
    let market = Market {
        prices: array![[1.0, 0.2], [0.5, -1.0], [0.3, 0.8]],
        first: array![0.3, -0.4, 0.8],
        goal: Vector2::new(0.3, -0.9),
        turn: Matrix2::new(0.6, -0.8, 0.8, 0.5),
    };
    let a = array![[0.4, -0.7], [1.2, 0.1]];
    let below = concatenate![Axis(0), &a * 0.4, market.prices, &a * -0.9];
    let ends = array![0.4, -0.9, 0.16, 0.81];
    let beside = concatenate![Axis(1), below, below.mapv(f64::sin)];
    let (rows, columns) = (stack![Axis(0), ends, &ends * 0.4], stack![Axis(1), ends, ends.mapv(f64::cos)]);
    let wanted = beside.dot(&ends).sum() + rows.dot(&columns).sum() * beside[[1, 2]];
    assert!((f(&vector(&[0.4, -0.9]), &a, &market) - wanted).abs() < 1e-13);
    check_by_differences(
        &[0.4, -0.9],
        |p| f(&vector(p), &a, &market),
        |p| {
            let mut g = Array1::from_elem(2, f64::NAN);
            let value = f_grad(&vector(p), &a, &market, &mut g);
            (value, g.to_vec())
        },
        |p, v| {
            let mut hv = Array1::from_elem(2, f64::NAN);
            f_hvp(&vector(p), &a, &market, &vector(v), &mut hv);
            hv.to_vec()
        },
    );
}
