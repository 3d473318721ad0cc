use ad_runtime::differentiable;
use num_traits::Float;
use std::iter::Sum;

#[derive(Debug, Clone, PartialEq)]
pub enum GulfError {
    WrongDimension(usize),
    NonPositiveScale,
}

/// Gulf research and development function (MGH 11) with `m` observations.
pub struct GulfResearch<T> {
    y: Vec<T>,
    t: Vec<T>,
}

impl<T: Float + Sum> GulfResearch<T> {
    pub fn new(m: usize) -> Self {
        let two_thirds = T::from(2.0 / 3.0).unwrap();
        let t: Vec<T> = (1..=m).map(|i| T::from(i).unwrap() / T::from(100).unwrap()).collect();
        let y = t
            .iter()
            .map(|ti| T::from(25).unwrap() + (T::from(-50).unwrap() * ti.ln()).powf(two_thirds))
            .collect();
        Self { y, t }
    }

    #[differentiable]
    pub fn cost(&self, p: &Vec<T>) -> Result<T, GulfError> {
        if p.len() != 3 {
            return Err(GulfError::WrongDimension(p.len()));
        }
        let (scale, centre, power) = (p[0], p[1], p[2]);
        if scale <= T::zero() {
            return Err(GulfError::NonPositiveScale);
        }
        let ssq = self
            .y
            .iter()
            .zip(self.t.iter())
            .map(|(&y, &t)| {
                let r = (-(y - centre).abs().powf(power) / scale).exp() - t;
                r * r
            })
            .sum();
        Ok(ssq)
    }
}

#[cfg(test)]
#[test]
fn primal() {
    let gulf = GulfResearch::<f64>::new(12);
    assert!(gulf.cost(&vec![5.0, 2.5, 0.15]).unwrap().is_finite());
}

#[test]
fn exact() {
    let gulf = GulfResearch::<f64>::new(12);
    super::harness::check(
        "gulf_research",
        &[5.0, 2.5, 0.15],
        |x| gulf.cost(&x.to_vec()).unwrap(),
        |x| {
            let mut g = vec![0.0; 3];
            let value = gulf.cost_grad(&x.to_vec(), &mut g).unwrap();
            (value, g)
        },
        |x, v| {
            let mut hv = vec![0.0; 3];
            gulf.cost_hvp(&x.to_vec(), &v.to_vec(), &mut hv).unwrap();
            hv
        },
    );
}
