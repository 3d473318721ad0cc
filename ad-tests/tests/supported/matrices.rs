//! Rows of matrices of `nalgebra`, and their elements by one index.

mod rows_of_nalgebra {
    use ad_runtime::differentiable;
    use nalgebra::{Matrix2x3, Matrix3, RowVector3, Vector3};

    #[differentiable]
    fn f(x: &[f64], n: usize) -> f64 {
        let mut p = Matrix3::from_diagonal_element(0.5);
        let mut q = Matrix3::from_diagonal_element(x[0] * x[1]);
        for k in 0..n {
            p.row_mut(k % 3).fill(x[k % 3]);
            p.column_mut(2).fill(x[1] * x[1]);
            q.row_mut(1).copy_from(&RowVector3::new(x[2], x[0], 1.0));
            q += p * q * 0.1;
            let mut row = q.row_mut(2);
            row *= x[2];
            row[1] += x[0];
            row[(0, 2)] *= x[1];
        }
        // By one index, in the order of columns.
        let mut h = RowVector3::new(x[0], x[1], x[2]);
        h[1] += q[5] * h[2];
        q[(n + 3) % 9] *= h[1];
        let mut r = Matrix2x3::new(x[0], 1.0, 2.0, x[1], x[2], 3.0);
        r.row_mut(0).iter_mut().for_each(|v| *v *= x[2]);
        let v = r * q * Vector3::new(1.0, x[1], 0.5);
        v.dot(&v) + (q * p).trace()
    }

    pub(super) fn check() {
        check_slice!([0.6, 1.1, 0.8], 3);
        check_slice!([0.6, 1.1, 0.8], 1);
    }
}

#[test]
fn rows_of_nalgebra_that_change() {
    rows_of_nalgebra::check();
}

mod rotations {
    use ad_runtime::differentiable;
    use nalgebra::{Rotation2, Rotation3, Vector2, Vector3, Vector4};

    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let r = Rotation3::from_euler_angles(x[0], x[1], x[2]);
        let q = Rotation2::new(x[3]);
        let w = r * Vector3::new(x[0], 2.0, x[4]);
        let back = r.inverse() * w + r.transpose() * Vector3::new(x[1], 1.0, x[2]);
        let p = q * Vector2::new(x[1], 1.0);
        let h: Vector4<f64> = w.push(x[2]);
        let z = p.push(1.0).push(x[0]);
        h.dot(&z) + back.norm() * r[(0, 1)] + z.norm_squared()
    }

    pub(super) fn check() {
        check_slice!([0.4, -0.3, 0.8, 1.1, 0.6]);
    }
}

#[test]
fn rotations_of_nalgebra() {
    rotations::check();
}

mod chunks_of_arrays {
    use ad_runtime::differentiable;
    use ndarray::{Array1, ArrayView1, s};

    #[differentiable(wrt(x))]
    fn f(x: &[f64], n: usize) -> f64 {
        let a = ArrayView1::from(x).mapv(|v| v * v);
        let mut total = Array1::zeros(n);
        let mut s = 0.0;
        // What is left over is left out.
        for part in a.slice(s![1..]).exact_chunks(n) {
            total += &part;
            s += part[0] * part.sum();
        }
        s + total.dot(&total)
    }

    pub(super) fn check() {
        check_slice!([0.4, -0.3, 0.8, 1.1, 0.6, 0.9], 2);
        check_slice!([0.4, -0.3, 0.8, 1.1, 0.6, 0.9], 3);
    }
}

#[test]
fn chunks_of_arrays_of_one_axis() {
    chunks_of_arrays::check();
}

mod data_of_functions {
    use ad_runtime::differentiable;
    use ndarray::{Array2, ArrayView1};

    // Without the attribute: what it makes is data.
    fn mixing(n: usize) -> Array2<f64> {
        Array2::from_shape_fn((n, n), |(i, j)| 1.0 / (1.0 + i as f64 + 2.0 * j as f64))
    }

    #[differentiable(wrt(x))]
    fn mixed(x: &[f64], features: &Array2<f64>) -> f64 {
        let a = mixing(features.nrows());
        let hidden = a.dot(features).dot(&ArrayView1::from(x)).mapv(f64::tanh);
        hidden.sum() * a.dot(&hidden).sum()
    }

    use self::{
        mixed as f, mixed_curvature as f_curvature, mixed_grad as f_grad, mixed_grad_hvp as f_grad_hvp,
        mixed_hvp as f_hvp, mixed_hvp_block as f_hvp_block, mixed_hvp_rev as f_hvp_rev, mixed_jvp as f_jvp,
    };

    pub(super) fn check() {
        let features = Array2::from_shape_fn((4, 3), |(i, j)| (i as f64 - 1.3 * j as f64).sin());
        check_slice!([0.4, -0.3, 0.8], &features);
    }
}

#[test]
fn products_of_data_that_functions_make() {
    data_of_functions::check();
}
