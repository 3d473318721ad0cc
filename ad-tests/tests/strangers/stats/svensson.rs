//! Svensson yield curve fit: a parameter struct by value with methods, destructuring, pricing of coupon bonds.
use ad_runtime::{Differentiable, differentiable};

#[derive(Debug, Clone, Copy, PartialEq, Differentiable)]
struct Svensson {
    beta: [f64; 4],
    tau: (f64, f64),
}

struct Bond {
    coupon: f64,
    maturity: u8,
    price: f64,
}

#[differentiable]
impl Svensson {
    fn zero_rate(&self, t: f64) -> f64 {
        let Svensson { beta: [b0, b1, b2, b3], tau: (tau1, tau2) } = *self;
        let (x, y) = (t / tau1, t / tau2);
        let slope = |x: f64| -(-x).exp_m1() / x;
        let hump = |x: f64| slope(x) - (-x).exp();
        b0 + b1 * slope(x) + b2 * hump(x) + b3 * hump(y)
    }

    fn discount(&self, t: f64) -> f64 {
        (-t * self.zero_rate(t)).exp()
    }
}

#[differentiable(wrt(curve))]
fn svensson(curve: Svensson, bonds: &[Bond]) -> f64 {
    let sse: f64 = bonds
        .iter()
        .map(|bond| {
            let times = || (1..=bond.maturity).map(f64::from);
            let price = times().map(|t| bond.coupon * curve.discount(t)).sum::<f64>()
                + curve.discount(bond.maturity as f64);
            let duration = times().map(|t| t * bond.coupon).sum::<f64>() + bond.maturity as f64;
            ((price - bond.price) / duration).powi(2)
        })
        .sum();
    100.0 * sse
}

const BONDS: [Bond; 5] = [
    Bond { coupon: 0.0, maturity: 1, price: 0.9 },
    Bond { coupon: 0.05, maturity: 2, price: 0.95 },
    Bond { coupon: 0.04, maturity: 4, price: 1.1 },
    Bond { coupon: 0.08, maturity: 6, price: 0.7 },
    Bond { coupon: 0.03, maturity: 9, price: 0.8 },
];
fn curve(x: &[f64]) -> Svensson {
    Svensson { beta: [x[0], x[1], x[2], x[3]], tau: (x[4], x[5]) }
}
fn flat(c: Svensson) -> Vec<f64> {
    let mut out = c.beta.to_vec();
    out.extend([c.tau.0, c.tau.1]);
    out
}

#[test]
fn exact() {
    super::harness::check(
        "svensson",
        &[0.05, -0.02, 0.03, -0.04, 1.2, 3.5],
        |x| svensson(curve(x), &BONDS),
        |x| {
            let (value, g) = svensson_grad(curve(x), &BONDS);
            (value, flat(g))
        },
        |x, v| flat(svensson_hvp(curve(x), &BONDS, curve(v))),
    );
}
