use ad_runtime::differentiable;
use std::f64::consts::SQRT_2;

/// Five-variable, equality-constrained problems of the Hock-Schittkowski collection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    Hs77,
    Hs78,
    Hs79,
    Hs81,
}

impl Problem {
    pub const ALL: [Problem; 4] = [Problem::Hs77, Problem::Hs78, Problem::Hs79, Problem::Hs81];

    #[differentiable]
    pub fn objective(&self, x: &[f64; 5]) -> f64 {
        let &[x1, x2, x3, x4, x5] = x;
        match self {
            Problem::Hs77 => {
                (x1 - 1.0).powi(2)
                    + (x1 - x2).powi(2)
                    + (x3 - 1.0).powi(2)
                    + (x4 - 1.0).powi(4)
                    + (x5 - 1.0).powi(6)
            }
            Problem::Hs78 => x1 * x2 * x3 * x4 * x5,
            Problem::Hs79 => {
                (x1 - 1.0).powi(2)
                    + x.windows(2).zip([2, 2, 4, 4]).map(|(w, e)| (w[0] - w[1]).powi(e)).sum::<f64>()
            }
            Problem::Hs81 => (x1 * x2 * x3 * x4 * x5).exp() - 0.5 * (x1.powi(3) + x2.powi(3) + 1.0).powi(2),
        }
    }

    #[differentiable]
    pub fn constraints(&self, x: &[f64; 5]) -> Vec<f64> {
        let &[x1, x2, x3, x4, x5] = x;
        match *self {
            Self::Hs77 => {
                vec![x1 * x1 * x4 + (x4 - x5).sin() - 2.0 * SQRT_2, x2 + x3.powi(4) * x4 * x4 - 8.0 - SQRT_2]
            }
            Self::Hs78 | Self::Hs81 => vec![
                x.iter().map(|xi| xi * xi).sum::<f64>() - 10.0,
                x2 * x3 - 5.0 * x4 * x5,
                x1.powi(3) + x2.powi(3) + 1.0,
            ],
            Self::Hs79 => vec![
                x1 + x2 * x2 + x3.powi(3) - 2.0 - 3.0 * SQRT_2,
                x2 - x3 * x3 + x4 + 2.0 - 2.0 * SQRT_2,
                x1 * x5 - 2.0,
            ],
        }
    }

    /// Quadratic penalty merit function.
    #[differentiable(wrt(x))]
    pub fn merit(&self, x: &[f64; 5], weight: f64) -> f64 {
        let violation: f64 = self.constraints(x).into_iter().map(|c| c * c).sum();
        self.objective(x) + 0.5 * weight * violation
    }
}

#[cfg(test)]
#[test]
fn primal() {
    for p in Problem::ALL {
        assert!(p.merit(&[1.2, 1.3, 1.1, 1.4, 0.8], 0.1).is_finite());
    }
}

#[test]
fn exact() {
    for p in Problem::ALL {
        super::harness::check(
            &format!("hs_catalogue {p:?}"),
            &[1.2, 1.3, 1.1, 1.4, 0.8],
            |x| p.merit(x.try_into().unwrap(), 0.1),
            |x| {
                let x: [f64; 5] = x.try_into().unwrap();
                let mut g = [0.0; 5];
                let value = p.merit_grad(&x, 0.1, &mut g);
                (value, g.to_vec())
            },
            |x, v| {
                let x: [f64; 5] = x.try_into().unwrap();
                let v: [f64; 5] = v.try_into().unwrap();
                let mut hv = [0.0; 5];
                p.merit_hvp(&x, 0.1, &v, &mut hv);
                hv.to_vec()
            },
        );
    }
}
