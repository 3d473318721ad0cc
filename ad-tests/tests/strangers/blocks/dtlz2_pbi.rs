//! DTLZ2 and its penalty boundary intersection scalarisation (as in MOEA/D).
use ad_runtime::differentiable;
use std::f64::consts::FRAC_PI_2;
use std::fmt;

#[derive(Debug, Clone, PartialEq)]
pub enum ProblemError {
    WrongLength { expected: usize, got: usize },
    OutOfBounds(String),
}

impl fmt::Display for ProblemError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongLength { expected, got } => write!(f, "expected {expected} variables, got {got}"),
            Self::OutOfBounds(name) => write!(f, "variable {name} is out of bounds"),
        }
    }
}

impl std::error::Error for ProblemError {}

#[derive(Debug, Clone)]
pub struct Dtlz2Problem {
    n_vars: usize,
    n_objectives: usize,
}

impl Dtlz2Problem {
    pub fn create(n_vars: usize, n_objectives: usize) -> Self {
        Self { n_vars, n_objectives }
    }

    #[differentiable]
    fn validate(&self, x: &[f64]) -> Result<(), ProblemError> {
        if x.len() != self.n_vars {
            return Err(ProblemError::WrongLength { expected: self.n_vars, got: x.len() });
        }
        match x.iter().position(|v| !(0.0..=1.0).contains(v)) {
            Some(i) => Err(ProblemError::OutOfBounds(format!("x{}", i + 1))),
            None => Ok(()),
        }
    }

    #[differentiable]
    pub fn objectives(&self, x: &[f64]) -> Result<Vec<f64>, ProblemError> {
        self.validate(x)?;
        let m = self.n_objectives;
        let (position, distance) = x.split_at(m - 1);
        let g: f64 = distance.iter().map(|v| (v - 0.5).powi(2)).sum();

        let mut objectives = Vec::with_capacity(m);
        for i in 0..m {
            let mut f = 1.0 + g;
            for v in &position[..m - 1 - i] {
                f *= (v * FRAC_PI_2).cos();
            }
            if i > 0 {
                f *= (position[m - 1 - i] * FRAC_PI_2).sin();
            }
            objectives.push(f);
        }
        Ok(objectives)
    }
}

pub struct Pbi {
    pub problem: Dtlz2Problem,
    pub ideal: Vec<f64>,
    pub weight: Vec<f64>,
    pub theta: f64,
}

impl Pbi {
    #[differentiable]
    pub fn evaluate(&self, x: &[f64]) -> Result<f64, ProblemError> {
        let objectives = self.problem.objectives(x)?;
        let length = self.weight.iter().map(|w| w * w).sum::<f64>().sqrt();
        let shifted: Vec<f64> = objectives.iter().zip(&self.ideal).map(|(f, z)| f - z).collect();
        let d1 = shifted.iter().zip(&self.weight).map(|(s, w)| s * w).sum::<f64>().abs() / length;
        let d2 =
            shifted.iter().zip(&self.weight).map(|(s, w)| (s - d1 * w / length).powi(2)).sum::<f64>().sqrt();
        Ok(d1 + self.theta * d2)
    }
}

#[cfg(test)]
fn subproblem() -> Pbi {
    Pbi {
        problem: Dtlz2Problem::create(6, 3),
        ideal: vec![-0.1, 0.0, 0.05],
        weight: vec![0.2, 0.5, 0.3],
        theta: 5.0,
    }
}

#[cfg(test)]
#[test]
fn primal() {
    assert!(subproblem().evaluate(&[0.3, 0.7, 0.2, 0.6, 0.9, 0.4]).unwrap().is_finite());
}

#[test]
fn exact() {
    let p = subproblem();
    super::harness::check(
        "dtlz2_pbi",
        &[0.3, 0.7, 0.2, 0.6, 0.9, 0.4],
        |x| p.evaluate(x).unwrap(),
        |x| {
            let mut g = vec![0.0; 6];
            let f = p.evaluate_grad(x, &mut g).unwrap();
            (f, g)
        },
        |x, v| {
            let mut h = vec![0.0; 6];
            p.evaluate_hvp(x, v, &mut h).unwrap();
            h
        },
    );
}
