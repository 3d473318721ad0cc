//! Nelson-Siegel-Svensson curve fit to coupon bonds.
use ad_runtime::{Differentiable, differentiable};

#[derive(Debug, Clone, PartialEq)]
enum CurveError {
    NonPositiveDecay,
    EmptyPortfolio,
    BadMaturity(f64),
}

#[derive(Debug, Clone, Differentiable)]
struct Svensson {
    beta: [f64; 4],
    tau: (f64, f64),
}

struct Bond {
    coupon: f64,
    frequency: u32,
    maturity: f64,
    price: f64,
}

#[differentiable]
fn zero_rate(curve: &Svensson, t: f64) -> Result<f64, CurveError> {
    let [level, slope, hump, hump2] = curve.beta;
    let (tau1, tau2) = curve.tau;
    if tau1 <= 0.0 || tau2 <= 0.0 {
        return Err(CurveError::NonPositiveDecay);
    }
    let loading = |x: f64| -(-x).exp_m1() / x;
    let (x1, x2) = (t / tau1, t / tau2);
    Ok(level + slope * loading(x1) + hump * (loading(x1) - (-x1).exp()) + hump2 * (loading(x2) - (-x2).exp()))
}

#[differentiable]
fn present_value(curve: &Svensson, bond: &Bond) -> Result<f64, CurveError> {
    if !(bond.maturity > 0.0) {
        return Err(CurveError::BadMaturity(bond.maturity));
    }
    let step = 1.0 / f64::from(bond.frequency);
    let payments = (bond.maturity / step).round() as usize;
    let coupons = (1..=payments).try_fold(0.0, |pv, i| {
        let t = step * i as f64;
        Ok(pv + bond.coupon * step * (-zero_rate(curve, t)? * t).exp())
    })?;
    let redemption = (-zero_rate(curve, bond.maturity)? * bond.maturity).exp();
    Ok(coupons + redemption)
}

#[differentiable]
fn fit_error(curve: &Svensson, bonds: &[Bond]) -> Result<f64, CurveError> {
    if bonds.is_empty() {
        return Err(CurveError::EmptyPortfolio);
    }
    let errors = bonds
        .iter()
        .map(|b| present_value(curve, b).map(|pv| (pv - b.price) / b.maturity.sqrt()))
        .collect::<Result<Vec<f64>, _>>()?;
    Ok((errors.iter().map(|e| e * e).sum::<f64>() / errors.len() as f64).sqrt())
}

#[test]
fn exact() {
    let curve = |x: &[f64]| Svensson { beta: [x[0], x[1], x[2], x[3]], tau: (x[4], x[5]) };
    let flat = |c: &Svensson| {
        let mut f = c.beta.to_vec();
        f.extend([c.tau.0, c.tau.1]);
        f
    };
    let bonds = [
        Bond { coupon: 0.03, frequency: 2, maturity: 1.5, price: 1.3 },
        Bond { coupon: 0.05, frequency: 1, maturity: 4.0, price: 0.6 },
        Bond { coupon: 0.02, frequency: 1, maturity: 7.0, price: 1.5 },
    ];
    super::harness::check(
        "bond_fit",
        &[0.05, -0.02, 0.03, 0.01, 1.4, 3.2],
        |x| fit_error(&curve(x), &bonds).unwrap(),
        |x| {
            let mut g = curve(&[f64::NAN; 6]);
            let value = fit_error_grad(&curve(x), &bonds, &mut g).unwrap();
            (value, flat(&g))
        },
        |x, v| {
            let mut hv = curve(&[f64::NAN; 6]);
            fit_error_hvp(&curve(x), &bonds, &curve(v), &mut hv).unwrap();
            flat(&hv)
        },
    );
}
