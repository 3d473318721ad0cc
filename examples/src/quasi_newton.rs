//! A preconditioner for Newton-CG that costs no products: what one inner iteration learns of the Hessian serves the next
//! (Morales & Nocedal 2000, "Automatic preconditioning by limited memory quasi-Newton updating").

use std::cell::RefCell;
use std::collections::VecDeque;

use ad_runtime::operators::{HessianOperator, Properties};
use ad_runtime::solvers::preconditioner::Preconditioner;

/// A direction `s`, the product `y = H s`, and `s·y`.
#[derive(Clone, Debug)]
struct Pair {
    s: Vec<f64>,
    y: Vec<f64>,
    sy: f64,
}

/// The last products of the Hessians at one point.
#[derive(Debug)]
pub struct Record {
    pairs: RefCell<VecDeque<Pair>>,
    most: usize,
}

impl Record {
    /// Keeps this many products, of which each takes two vectors.
    pub fn new(most: usize) -> Self {
        Self { pairs: RefCell::default(), most }
    }

    /// The same operator, whose products are written down.
    pub fn of<'a>(&'a self, operator: &'a dyn HessianOperator<Scalar = f64>) -> Recorded<'a> {
        Recorded { operator, record: self }
    }

    fn add(&self, s: &[f64], y: &[f64]) {
        let sy = dot(s, y);
        // Without positive curvature the preconditioner would not be positive definite.
        if sy > 0.0 && sy.is_finite() {
            let mut pairs = self.pairs.borrow_mut();
            if pairs.len() == self.most {
                pairs.pop_front();
            }
            pairs.push_back(Pair { s: s.to_vec(), y: y.to_vec(), sy });
        }
    }
}

/// An operator whose products are written down.
#[derive(Clone, Copy)]
pub struct Recorded<'a> {
    operator: &'a dyn HessianOperator<Scalar = f64>,
    record: &'a Record,
}

impl HessianOperator for Recorded<'_> {
    type Scalar = f64;
    fn dim(&self) -> usize {
        self.operator.dim()
    }
    fn apply(&self, v: &[f64], out: &mut [f64]) {
        self.operator.apply(v, out);
        self.record.add(v, out);
    }
    fn properties(&self) -> Properties {
        self.operator.properties()
    }
}

/// The inverse of the BFGS matrix of the products recorded at the point before (Nocedal & Wright 2006, algorithm 7.4): on
/// the span of conjugate directions, the exact inverse of the Hessian there.
#[derive(Debug)]
pub struct QuasiNewton<'a> {
    record: &'a Record,
    pairs: VecDeque<Pair>,
}

impl<'a> QuasiNewton<'a> {
    /// The identity, until there is a point before.
    pub fn new(record: &'a Record) -> Self {
        Self { record, pairs: VecDeque::new() }
    }
}

impl Preconditioner<f64> for QuasiNewton<'_> {
    fn update(&mut self, _: &dyn HessianOperator<Scalar = f64>) {
        self.pairs = self.record.pairs.take();
    }

    fn apply(&mut self, residual: &[f64], out: &mut [f64]) {
        out.copy_from_slice(residual);
        let mut weights = Vec::with_capacity(self.pairs.len());
        for Pair { s, y, sy } in self.pairs.iter().rev() {
            let weight = dot(s, out) / sy;
            add(-weight, y, out);
            weights.push(weight);
        }
        if let Some(Pair { y, sy, .. }) = self.pairs.back() {
            let scale = sy / dot(y, y);
            out.iter_mut().for_each(|x| *x *= scale);
        }
        for (Pair { s, y, sy }, weight) in self.pairs.iter().zip(weights.iter().rev()) {
            add(weight - dot(y, out) / sy, s, out);
        }
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

fn add(factor: f64, from: &[f64], to: &mut [f64]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to += factor * from;
    }
}

#[cfg(test)]
mod tests {
    use ad_runtime::operators::Diagonal;

    use super::*;

    #[test]
    fn it_inverts_what_it_has_seen() {
        let record = Record::new(2);
        let hessian = Diagonal::new(vec![2.0, 5.0, -1.0]);
        let recorded = record.of(&hessian);
        let mut out = [0.0; 3];
        // Negative curvature is passed over.
        for v in [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0], [0.0, 3.0, 0.0]] {
            recorded.apply(&v, &mut out);
        }
        let mut inverse = QuasiNewton::new(&record);
        inverse.apply(&[1.0, 2.0, 3.0], &mut out);
        assert_eq!(out, [1.0, 2.0, 3.0]);
        inverse.update(&recorded);
        inverse.apply(&[2.0, 5.0, 1.0], &mut out);
        // The rest is scaled as the last pair is.
        assert!(out.iter().zip([1.0, 1.0, 0.2]).all(|(a, b)| (a - b).abs() < 1e-15), "{out:?}");
        // What has been used is forgotten.
        inverse.update(&recorded);
        inverse.apply(&[2.0, 5.0, 1.0], &mut out);
        assert_eq!(out, [2.0, 5.0, 1.0]);
    }
}
