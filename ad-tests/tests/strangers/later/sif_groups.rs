//! Group partially separable objectives in the manner of SIF / CUTEst.
use ad_runtime::{Differentiable, differentiable};

/// Nonlinear element functions on one or two elemental variables.
#[derive(Clone, Debug, Differentiable)]
pub enum Element {
    Square(usize),
    Product { i: usize, j: usize },
    ExpRatio { num: usize, den: usize, scale: f64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Differentiable)]
pub enum GroupKind {
    Trivial,
    L2,
    Huber(f64),
}

#[derive(Clone, Debug, Differentiable)]
pub struct Group {
    kind: GroupKind,
    linear: Vec<(usize, f64)>,
    elements: Vec<(f64, Element)>,
    constant: f64,
}

#[derive(Clone, Debug, Default, Differentiable)]
pub struct Problem {
    groups: Vec<Group>,
}

impl Problem {
    pub fn group(
        mut self,
        kind: GroupKind,
        linear: &[(usize, f64)],
        elements: &[(f64, Element)],
        constant: f64,
    ) -> Self {
        self.groups.push(Group { kind, linear: linear.to_vec(), elements: elements.to_vec(), constant });
        self
    }

    #[differentiable(wrt(x))]
    pub fn objective(&self, x: &[f64]) -> f64 {
        let element = |e: &Element| match *e {
            Element::Square(i) => x[i] * x[i],
            Element::Product { i, j } => x[i] * x[j],
            Element::ExpRatio { num, den, scale } => (scale * x[num] / x[den]).exp(),
        };
        self.groups
            .iter()
            .map(|g| {
                let linear: f64 = g.linear.iter().map(|&(i, a)| a * x[i]).sum();
                let alpha = linear + g.elements.iter().map(|(w, e)| w * element(e)).sum::<f64>() - g.constant;
                match g.kind {
                    GroupKind::Trivial => alpha,
                    GroupKind::L2 => alpha.powi(2),
                    GroupKind::Huber(k) if alpha.abs() > k => k * (2.0 * alpha.abs() - k),
                    GroupKind::Huber(_) => alpha * alpha,
                }
            })
            .sum()
    }
}

#[cfg(test)]
pub(crate) const X: &[f64] = &[0.7, 1.2, -0.5, 1.6];
#[cfg(test)]
fn problem() -> Problem {
    Problem::default()
        .group(GroupKind::L2, &[(1, 1.0)], &[(-1.0, Element::Square(0))], 0.2)
        .group(GroupKind::L2, &[(0, -1.0)], &[], -1.0)
        .group(
            GroupKind::Huber(0.5),
            &[(2, 0.4)],
            &[
                (1.0, Element::ExpRatio { num: 2, den: 3, scale: 0.9 }),
                (0.3, Element::Product { i: 0, j: 1 }),
            ],
            -0.6,
        )
        .group(GroupKind::Huber(2.0), &[(3, 1.0)], &[(0.5, Element::Product { i: 1, j: 2 })], 0.8)
        .group(GroupKind::Trivial, &[], &[(0.2, Element::Square(3)), (0.6, Element::Square(2))], 0.0)
}
#[cfg(test)]
pub(crate) fn value(x: &[f64]) -> f64 {
    problem().objective(x)
}

#[cfg(test)]
#[test]
fn primal() {
    assert!(value(X).is_finite());
}

#[cfg(test)]
#[test]
fn exact() {
    let p = problem();
    super::harness::check(
        "sif_groups",
        X,
        value,
        |x| {
            let mut g = vec![0.0; x.len()];
            let f = p.objective_grad(x, &mut g);
            (f, g)
        },
        |x, v| {
            let mut h = vec![0.0; x.len()];
            p.objective_hvp(x, v, &mut h);
            h
        },
    );
}
