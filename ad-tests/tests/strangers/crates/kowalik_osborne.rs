//! MINPACK problem 9 as a problem struct with a cost method (argmin's CostFunction without the trait).
use ad_runtime::differentiable;

pub struct KowalikOsborne {
    pub u: [f64; 11],
    pub y: [f64; 11],
}

impl Default for KowalikOsborne {
    fn default() -> Self {
        Self {
            u: [4.0, 2.0, 1.0, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625],
            y: [0.1957, 0.1947, 0.1735, 0.16, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246],
        }
    }
}

impl KowalikOsborne {
    #[differentiable]
    pub fn cost(&self, p: &[f64; 4]) -> f64 {
        let [x1, x2, x3, x4] = *p;
        let mut sum = 0.0;
        for (&u, &y) in self.u.iter().zip(self.y.iter()) {
            let model = x1 * (u * (u + x2)) / (u * (u + x3) + x4);
            sum += (y - model).powi(2);
        }
        100.0 * sum
    }
}

const X: &[f64] = &[0.25, 0.39, 0.415, 0.39];
fn at(x: &[f64]) -> f64 {
    KowalikOsborne::default().cost(x.try_into().unwrap())
}
#[test]
fn exact() {
    let problem = KowalikOsborne::default();
    crate::harness::check(
        "kowalik_osborne",
        X,
        at,
        |x| {
            let mut g = [f64::NAN; 4];
            let value = problem.cost_grad(x.try_into().unwrap(), &mut g);
            (value, g.to_vec())
        },
        |x, v| {
            let mut hv = [f64::NAN; 4];
            problem.cost_hvp(x.try_into().unwrap(), v.try_into().unwrap(), &mut hv);
            hv.to_vec()
        },
    );
}
