//! Operators with the arrays of `ndarray`.

use ad_runtime::operators::{Dense, HessianOperator, NdarrayExt};
use ndarray::{Array2, ArrayView1, s};

use crate::common::{SIZES, random, random_symmetric};

/// Contiguous views, and every third number from the end.
#[test]
fn views_of_any_stride() {
    for n in SIZES {
        let mut rng = fastrand::Rng::with_seed(n as u64);
        let operator = Dense::symmetric(n, random_symmetric::<f64>(&mut rng, n));
        let numbers = random::<f64>(&mut rng, 3 * n);
        let strided = ArrayView1::from(&numbers).slice_move(s![..;-3]);
        let v = strided.to_vec();
        let mut expected = vec![0.0; n];
        operator.apply(&v, &mut expected);
        for view in [strided, ArrayView1::from(&v)] {
            assert_eq!(operator.dot(view).to_vec(), expected);
            let mut out = Array2::from_elem((n, 2), f64::NAN);
            operator.apply_view(view, out.column_mut(1));
            assert_eq!(out.column(1).to_vec(), expected);
            assert!(out.column(0).iter().all(|out| out.is_nan()), "beside the view");
            let mut out = Array2::from_elem((2, n), f64::NAN);
            operator.apply_view(view, out.row_mut(0));
            assert_eq!(out.row(0).to_vec(), expected);
        }
    }
}

#[test]
#[should_panic(expected = "apply_view: argument `v` has length 2, expected 3, the operator's dimension")]
fn a_view_too_short() {
    let _ = Dense::symmetric(3, vec![1.0; 9]).dot(ndarray::aview1(&[1.0, 2.0]));
}
