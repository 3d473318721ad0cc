//! linfa-logistic: multinomial loss on ndarray matrices with the intercept in the last row.
use ad_runtime::differentiable;
use ndarray::{Array1, Array2, Axis, s};

#[differentiable]
fn log_sum_exp(m: &Array2<f64>, axis: Axis) -> Array1<f64> {
    // Find max value of the array
    let max = m.iter().copied().reduce(f64::max).unwrap();
    // Computes `max + ln(sum(exp(x-max)))`
    let reduced = m.fold_axis(axis, 0.0, |acc, elem| acc + (*elem - max).exp());
    reduced.mapv_into(|e| e.max(f64::MIN_POSITIVE).ln() + max)
}

#[differentiable(wrt(w))]
fn convert_params(n_features: usize, w: &Array2<f64>) -> (Array2<f64>, Array1<f64>) {
    let (rows, n_classes) = w.dim();
    if rows == n_features {
        (w.to_owned(), Array1::zeros(n_classes))
    } else if rows == n_features + 1 {
        (w.slice(s![..n_features, ..]).to_owned(), w.row(n_features).to_owned())
    } else {
        panic!(
            "Unexpected length of parameter vector, expected {} or {}, found {}",
            n_features,
            n_features + 1,
            rows
        );
    }
}

#[differentiable(wrt(w))]
pub fn multi_logistic_loss(x: &Array2<f64>, y: &Array2<f64>, alpha: f64, w: &Array2<f64>) -> f64 {
    let n_features = x.ncols();
    let (params, intercept) = convert_params(n_features, w);
    // Compute H
    let h = x.dot(&params) + intercept;
    // `log(softmax(H))`
    let log_prob = &h - &log_sum_exp(&h, Axis(1)).insert_axis(Axis(1));
    -(&log_prob * y).sum() + 0.5 * alpha * (&params * &params).sum()
}

const X: &[f64] = &[0.3, -0.4, 0.2, 0.15, 0.6, -0.5, 0.1, -0.2, 0.05];
fn data() -> (Array2<f64>, Array2<f64>) {
    (
        Array2::from_shape_vec((4, 2), vec![0.5, 1.2, -0.7, 0.3, 1.1, -0.9, -0.2, -0.4]).unwrap(),
        Array2::from_shape_vec((4, 3), vec![1., 0., 0., 0., 1., 0., 0., 0., 1., 0., 1., 0.]).unwrap(),
    )
}
fn mat(x: &[f64]) -> Array2<f64> {
    Array2::from_shape_vec((3, 3), x.to_vec()).unwrap()
}
fn at(x: &[f64]) -> f64 {
    let (a, y) = data();
    multi_logistic_loss(&a, &y, 0.3, &mat(x))
}
#[test]
fn exact() {
    let (a, y) = data();
    crate::harness::check(
        "multi_logistic",
        X,
        at,
        |x| {
            let mut g = mat(&[f64::NAN; 9]);
            let value = multi_logistic_loss_grad(&a, &y, 0.3, &mat(x), &mut g);
            (value, g.iter().copied().collect())
        },
        |x, v| {
            let mut hv = mat(&[f64::NAN; 9]);
            multi_logistic_loss_hvp(&a, &y, 0.3, &mat(x), &mat(v), &mut hv);
            hv.iter().copied().collect()
        },
    );
}
