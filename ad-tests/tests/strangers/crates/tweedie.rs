//! linfa-linear: Tweedie GLM deviance with link and power, views, match guards, Result.
use ad_runtime::differentiable;
use ndarray::{Array1, ArrayView1, ArrayView2, Zip, s};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    Identity,
    Log,
    Logit,
}

#[derive(Debug, Clone, PartialEq)]
pub enum TweedieError {
    InvalidPower(f64),
    InvalidTargetRange,
}

#[differentiable(wrt(lin_pred))]
fn inverse_link(link: Link, lin_pred: &Array1<f64>) -> Array1<f64> {
    match link {
        Link::Identity => lin_pred.clone(),
        Link::Log => lin_pred.mapv(f64::exp),
        Link::Logit => lin_pred.mapv(|x| 1.0 / (1.0 + (-x).exp())),
    }
}

#[differentiable(wrt(ypred))]
fn unit_deviance(power: f64, y: f64, ypred: f64) -> Result<f64, TweedieError> {
    match power {
        p if p < 0. => Ok(2.
            * (y.max(0.).powf(2. - p) / ((1. - p) * (2. - p)) - (y * ypred.powf(1. - p)) / (1. - p)
                + ypred.powf(2. - p) / (2. - p))),
        p if p == 0. => Ok((y - ypred).powi(2)),
        p if p < 1. => Err(TweedieError::InvalidPower(p)),
        p if p == 1. => {
            let xlogy = if y == 0. { 0. } else { y * (y / ypred).ln() };
            Ok(2. * (xlogy - y + ypred))
        }
        p if p == 2. => {
            if y <= 0. {
                return Err(TweedieError::InvalidTargetRange);
            }
            Ok(2. * ((ypred / y).ln() + y / ypred - 1.))
        }
        p => Ok(2.
            * (y.powf(2. - p) / ((1. - p) * (2. - p)) - (y * ypred.powf(1. - p)) / (1. - p)
                + ypred.powf(2. - p) / (2. - p))),
    }
}

#[differentiable(wrt(coef))]
pub fn tweedie_loss(
    coef: ArrayView1<f64>,
    x: ArrayView2<f64>,
    y: ArrayView1<f64>,
    power: f64,
    link: Link,
    alpha: f64,
) -> Result<f64, TweedieError> {
    let (intercept, w) = (coef[0], coef.slice(s![1..]));
    let lin_pred = x.dot(&w) + intercept;
    let ypred = inverse_link(link, &lin_pred);
    let mut dev = 0.0;
    for (&target, &pred) in y.iter().zip(ypred.iter()) {
        dev += unit_deviance(power, target, pred)?;
    }
    Ok(0.5 * dev / y.len() as f64 + 0.5 * alpha * w.dot(&w))
}

const X: &[f64] = &[0.4, 0.3, -0.2];
const A: [f64; 8] = [0.5, 1.2, -0.7, 0.3, 1.1, -0.9, -0.2, -0.4];
const Y: [f64; 4] = [1.3, 0.6, 2.4, 0.9];
fn at(x: &[f64]) -> f64 {
    let a = ArrayView2::from_shape((4, 2), &A).unwrap();
    tweedie_loss(ArrayView1::from(x), a, ArrayView1::from(&Y), 1.5, Link::Log, 0.2).unwrap()
}
#[test]
fn exact() {
    let a = ArrayView2::from_shape((4, 2), &A).unwrap();
    let y = ArrayView1::from(&Y);
    crate::harness::check(
        "tweedie",
        X,
        at,
        |x| {
            let mut g = Array1::from_elem(3, f64::NAN);
            let value =
                tweedie_loss_grad(ArrayView1::from(x), a, y, 1.5, Link::Log, 0.2, g.view_mut()).unwrap();
            (value, g.to_vec())
        },
        |x, v| {
            let mut hv = Array1::from_elem(3, f64::NAN);
            tweedie_loss_hvp(
                ArrayView1::from(x),
                a,
                y,
                1.5,
                Link::Log,
                0.2,
                ArrayView1::from(v),
                hv.view_mut(),
            )
            .unwrap();
            hv.to_vec()
        },
    );
}
