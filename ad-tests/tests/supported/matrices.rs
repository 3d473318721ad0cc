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
