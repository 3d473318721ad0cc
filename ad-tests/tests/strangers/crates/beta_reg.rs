//! statrs: regularised incomplete beta by the modified Lentz continued fraction, Result of an enum.
use ad_runtime::differentiable;
use std::f64::consts::PI;

#[derive(Copy, Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum BetaFuncError {
    ANotGreaterThanZero,
    BNotGreaterThanZero,
    XOutOfRange,
    ConvergenceFailed,
}

const LANCZOS: [f64; 9] = [
    0.999_999_999_999_809_93,
    676.520_368_121_885_1,
    -1_259.139_216_722_402_8,
    771.323_428_777_653_1,
    -176.615_029_162_140_6,
    12.507_343_278_686_905,
    -0.138_571_095_265_720_12,
    9.984_369_578_019_572e-6,
    1.505_632_735_149_311_6e-7,
];

#[differentiable]
fn ln_gamma(x: f64) -> f64 {
    let x = x - 1.0;
    let t = x + 7.5;
    let mut series = LANCZOS[0];
    for (i, c) in LANCZOS.iter().enumerate().skip(1) {
        series += c / (x + i as f64);
    }
    0.5 * (2.0 * PI).ln() + (x + 0.5) * t.ln() - t + series.ln()
}

#[differentiable]
pub fn checked_beta_reg(a: f64, b: f64, x: f64) -> Result<f64, BetaFuncError> {
    if a <= 0.0 {
        return Err(BetaFuncError::ANotGreaterThanZero);
    }
    if b <= 0.0 {
        return Err(BetaFuncError::BNotGreaterThanZero);
    }
    if !(0.0..=1.0).contains(&x) {
        return Err(BetaFuncError::XOutOfRange);
    }
    let bt = if x == 0.0 || x == 1.0 {
        0.0
    } else {
        (ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b) + a * x.ln() + b * (1.0 - x).ln()).exp()
    };
    let symm_transform = x >= (a + 1.0) / (a + b + 2.0);
    let eps = f64::EPSILON;
    let fpmin = f64::MIN_POSITIVE / eps;

    let mut a = a;
    let mut b = b;
    let mut x = x;
    if symm_transform {
        let swap = a;
        x = 1.0 - x;
        a = b;
        b = swap;
    }

    let qab = a + b;
    let qap = a + 1.0;
    let qam = a - 1.0;
    let mut c = 1.0;
    let mut d = 1.0 - qab * x / qap;
    if d.abs() < fpmin {
        d = fpmin;
    }
    d = 1.0 / d;
    let mut h = d;

    for m in 1..141 {
        let m = f64::from(m);
        let m2 = m * 2.0;
        let mut aa = m * (b - m) * x / ((qam + m2) * (a + m2));
        d = 1.0 + aa * d;
        if d.abs() < fpmin {
            d = fpmin;
        }
        c = 1.0 + aa / c;
        if c.abs() < fpmin {
            c = fpmin;
        }
        d = 1.0 / d;
        h = h * d * c;
        aa = -(a + m) * (qab + m) * x / ((a + m2) * (qap + m2));
        d = 1.0 + aa * d;
        if d.abs() < fpmin {
            d = fpmin;
        }
        c = 1.0 + aa / c;
        if c.abs() < fpmin {
            c = fpmin;
        }
        d = 1.0 / d;
        let del = d * c;
        h *= del;
        if (del - 1.0).abs() <= eps {
            return if symm_transform { Ok(1.0 - bt * h / a) } else { Ok(bt * h / a) };
        }
    }
    Err(BetaFuncError::ConvergenceFailed)
}

const X: &[f64] = &[2.3, 3.4, 0.62];
fn at(x: &[f64]) -> f64 {
    checked_beta_reg(x[0], x[1], x[2]).unwrap()
}
#[test]
fn exact() {
    crate::harness::check(
        "beta_reg",
        X,
        at,
        |x| {
            let (value, (a, b, c)) = checked_beta_reg_grad(x[0], x[1], x[2]).unwrap();
            (value, vec![a, b, c])
        },
        |x, v| {
            let (a, b, c) = checked_beta_reg_hvp(x[0], x[1], x[2], v[0], v[1], v[2]).unwrap();
            vec![a, b, c]
        },
    );
}
