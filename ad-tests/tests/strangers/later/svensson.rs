//! Nelson-Siegel-Svensson yield curve fitted to coupon bonds.
use ad_runtime::{Differentiable, differentiable};

/// Rates in percent, maturities in years.
#[derive(Clone, Debug, Default, Differentiable)]
pub struct Svensson {
    pub level: f64,
    pub slope: f64,
    pub hump: (f64, f64),
    pub tau: (f64, f64),
}

#[derive(Clone, Debug)]
pub struct Bond {
    pub coupon: f64,
    pub years: u32,
    pub price: f64,
}

impl Svensson {
    #[differentiable]
    pub fn zero_rate(&self, t: f64) -> f64 {
        let loading = |tau: f64| {
            let m = t / tau;
            let decay = (-m).exp();
            let slope = (1.0 - decay) / m;
            (slope, slope - decay)
        };
        let (s1, h1) = loading(self.tau.0);
        let (_, h2) = loading(self.tau.1);
        self.level + self.slope * s1 + self.hump.0 * h1 + self.hump.1 * h2
    }

    #[differentiable]
    pub fn discount(&self, t: f64) -> f64 {
        (-self.zero_rate(t) / 100.0 * t).exp()
    }

    #[differentiable(wrt(self))]
    fn price(&self, bond: &Bond) -> f64 {
        let coupons: f64 = (1..=bond.years).map(|y| bond.coupon * self.discount(f64::from(y))).sum();
        coupons + 100.0 * self.discount(f64::from(bond.years))
    }

    /// Mean of squared pricing errors, weighted by inverse maturity.
    #[differentiable(wrt(self))]
    pub fn pricing_error(&self, bonds: &[Bond]) -> f64 {
        let (sum, weight) = bonds.iter().fold((0.0, 0.0), |(sum, weight), bond| {
            let w = 1.0 / f64::from(bond.years);
            (sum + w * (self.price(bond) - bond.price).powi(2), weight + w)
        });
        sum / weight
    }
}

fn curve(x: &[f64]) -> Svensson {
    Svensson { level: x[0], slope: x[1], hump: (x[2], x[3]), tau: (x[4], x[5]) }
}

fn flat(c: &Svensson) -> Vec<f64> {
    vec![c.level, c.slope, c.hump.0, c.hump.1, c.tau.0, c.tau.1]
}

fn bonds() -> Vec<Bond> {
    [(2.0, 1, 99.9), (2.5, 2, 100.3), (3.5, 4, 102.1), (1.5, 6, 91.8)]
        .map(|(coupon, years, price)| Bond { coupon, years, price })
        .to_vec()
}

#[test]
fn primal() {
    let c = curve(&[3.2, -1.1, 0.6, -0.4, 1.5, 4.0]);
    assert_eq!(flat(&c).len(), 6);
    assert!(c.pricing_error(&bonds()).is_finite());
}

#[test]
fn exact() {
    super::harness::check(
        "svensson",
        &[3.2, -1.1, 0.6, -0.4, 1.5, 4.0],
        |x| curve(x).pricing_error(&bonds()),
        |x| {
            let mut g = Svensson::default();
            let value = curve(x).pricing_error_grad(&bonds(), &mut g);
            (value, flat(&g))
        },
        |x, v| {
            let mut h = Svensson::default();
            curve(x).pricing_error_hvp(&bonds(), &curve(v), &mut h);
            flat(&h)
        },
    );
}
