//! Fisher information: exact, through the likelihood's curvature in the middle of a Gauss-Newton operator, and empirical,
//! as a sum over rows of outer products of their scores.
//!
//! The two are different matrices. The exact one takes its expectation over the model's own predictions, and is what
//! natural gradients and standard errors ask for; the empirical one puts in the labels that were observed, and is close to
//! it only near a well-specified optimum (Kunstner, Balles and Hennig, "Limitations of the empirical Fisher approximation
//! for natural gradient descent", 2019).

use alloc::vec;
use alloc::vec::Vec;

use super::kernels::{self, Scratch};
use super::{GaussNewton, HessianOperator, Properties, Scalar, check_block, check_operand, dot};

/// A likelihood, in its natural parameters: what a model has to return for it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Likelihood<T> {
    /// A normal distribution of known variance. The model returns means.
    Gaussian {
        /// The variance, which is positive.
        variance: T,
    },
    /// Zeros and ones. The model returns logits.
    Bernoulli,
    /// Counts. The model returns the logarithms of rates.
    Poisson,
    /// One of several classes. The model returns logits, those of one row after those of another.
    Categorical {
        /// The number of classes, which is positive.
        classes: usize,
    },
}

impl<T: Scalar> Likelihood<T> {
    /// The Hessian of the negative log-likelihood, summed over rows, with respect to what the model returned. It does not
    /// depend on labels, so it is its own expectation: the Fisher information of the model's outputs. Costs one or two
    /// transcendentals an output, none for the Gaussian, and keeps a number an output.
    ///
    /// Logits of any size do not overflow. Those of a Bernoulli distribution keep full relative precision where the
    /// curvature goes to zero; for classes the precision is that of the largest probability. Rates beyond the largest
    /// number are infinite.
    ///
    /// # Panics
    /// If the variance is not positive, or the number of outputs is no multiple of that of classes.
    pub fn curvature(self, outputs: &[T]) -> LikelihoodCurvature<T> {
        let one = T::one();
        let (weights, classes) = match self {
            Self::Gaussian { variance } => {
                assert!(
                    variance > T::zero(),
                    "Likelihood::Gaussian: `variance` is {variance:?}, expected it to be positive"
                );
                (vec![one / variance; outputs.len()], None)
            }
            Self::Bernoulli => {
                let weight = |&logit: &T| {
                    // p (1 - p), of e^-|z|, which is at most 1
                    let odds = (-logit.abs()).exp();
                    odds / ((one + odds) * (one + odds))
                };
                (outputs.iter().map(weight).collect(), None)
            }
            Self::Poisson => (outputs.iter().map(|rate| rate.exp()).collect(), None),
            Self::Categorical { classes } => {
                assert!(
                    classes > 0 && outputs.len().is_multiple_of(classes),
                    "Likelihood::curvature: argument `outputs` has length {}, expected a multiple of {classes}, the number \
                     of classes",
                    outputs.len()
                );
                let mut probabilities = outputs.to_vec();
                probabilities.chunks_exact_mut(classes).for_each(softmax);
                (probabilities, Some(classes))
            }
        };
        LikelihoodCurvature { weights, classes }
    }
}

/// Replaces logits by probabilities. One NaN makes all of them NaN.
fn softmax<T: Scalar>(logits: &mut [T]) {
    let largest = logits.iter().fold(T::neg_infinity(), |largest, &logit| largest.max(logit));
    let mut total = T::zero();
    for logit in logits.iter_mut() {
        *logit = (*logit - largest).exp();
        total += *logit;
    }
    for logit in logits {
        *logit /= total;
    }
}

/// The curvature of a [`Likelihood`] at what a model returned: diagonal, or, for classes, `diag(p) - p pᵀ` of each row.
/// Always positive semidefinite. A product takes one multiplication an output, for classes three.
///
/// ```
/// use ad_runtime::operators::{Dense, Likelihood};
///
/// // Two classes, equally likely.
/// let curvature = Likelihood::Categorical { classes: 2 }.curvature(&[3.0, 3.0]);
/// assert_eq!(Dense::of(&curvature).entries(), [0.25, -0.25, -0.25, 0.25]);
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct LikelihoodCurvature<T> {
    /// The diagonal; for classes, the probabilities.
    weights: Vec<T>,
    classes: Option<usize>,
}

impl<T: Scalar> LikelihoodCurvature<T> {
    /// The rows of probabilities, or all of it as one row.
    fn row(&self) -> usize {
        self.classes.unwrap_or(self.weights.len()).max(1)
    }
}

impl<T: Scalar> HessianOperator for LikelihoodCurvature<T> {
    type Scalar = T;

    fn dim(&self) -> usize {
        self.weights.len()
    }

    fn apply(&self, v: &[T], out: &mut [T]) {
        check_operand("apply", "v", v.len(), self.dim());
        check_operand("apply", "out", out.len(), self.dim());
        for ((weights, v), out) in
            self.weights.chunks(self.row()).zip(v.chunks(self.row())).zip(out.chunks_mut(self.row()))
        {
            let mean = if self.classes.is_some() { dot(weights, v) } else { T::zero() };
            for ((&weight, &v), out) in weights.iter().zip(v).zip(out) {
                *out = weight * (v - mean);
            }
        }
    }

    /// For classes, the variance of `v` in each row, which is no less than zero in floating point too.
    fn quadratic_form(&self, v: &[T]) -> T {
        check_operand("quadratic_form", "v", v.len(), self.dim());
        let row = |(weights, v): (&[T], &[T])| -> T {
            let mean = if self.classes.is_some() { dot(weights, v) } else { T::zero() };
            weights.iter().zip(v).map(|(&weight, &v)| weight * (v - mean) * (v - mean)).sum()
        };
        self.weights.chunks(self.row()).zip(v.chunks(self.row())).map(row).sum()
    }

    fn diagonal(&self, out: &mut [T]) -> bool {
        check_operand("diagonal", "out", out.len(), self.dim());
        for (out, &weight) in out.iter_mut().zip(&self.weights) {
            *out = if self.classes.is_some() { weight * (T::one() - weight) } else { weight };
        }
        true
    }

    fn properties(&self) -> Properties {
        Properties::POSITIVE_SEMIDEFINITE
    }
}

/// The exact Fisher information of a model with a [`Likelihood`]: `JᵀBJ`, where `J` is the Jacobian of what the model
/// returns and `B` the likelihood's curvature there. As all of them are in their natural parameters, it is the generalised
/// Gauss-Newton matrix too (Martens, "New insights and perspectives on the natural gradient method", 2020, section 9), and
/// where the model is linear, the Hessian.
///
/// A product takes one forward and one reverse product of the model. It is a sum over rows: for a mean, scale it.
///
/// ```
/// use ad_runtime::operators::{Fisher, HessianOperator, Likelihood};
///
/// // One weight w, logits w * x: the information is Σ x² p (1 - p).
/// let (w, x) = (0.0, [1.0, 2.0]);
/// let logits = x.map(|x| w * x);
/// let fisher = Fisher::exact(
///     1,
///     Likelihood::Bernoulli,
///     &logits,
///     |v: &[f64], out: &mut [f64]| (0..2).for_each(|row| out[row] = x[row] * v[0]),
///     |u: &[f64], out: &mut [f64]| out[0] = x[0] * u[0] + x[1] * u[1],
/// );
/// assert_eq!(fisher.quadratic_form(&[1.0]), 1.25);
/// ```
pub type Fisher<T, J, V> = GaussNewton<J, V, LikelihoodCurvature<T>>;

impl<T: Scalar, J: Fn(&[T], &mut [T]), V: Fn(&[T], &mut [T])> Fisher<T, J, V> {
    /// From the number of variables, what the model returned at the point, and the products with its Jacobian there:
    /// `jvp` writes `Jv` to its second argument, `vjp` writes `Jᵀw`.
    ///
    /// # Panics
    /// As [`Likelihood::curvature`].
    pub fn exact(dim: usize, likelihood: Likelihood<T>, outputs: &[T], jvp: J, vjp: V) -> Self {
        Self::new(dim, jvp, vjp, likelihood.curvature(outputs))
    }
}

/// The empirical Fisher information: `Σ s sᵀ` over rows of data, where `s` is a row's score, the gradient of its
/// log-likelihood (or of its loss: the sign does not matter). No score is stored: a product takes `rows` scores and `2 n`
/// multiplications each, a block of directions no more scores than one. It keeps `n` numbers to work in, allocated by
/// the first product. Scores that fit into memory are better kept, in a [`LowRank`](super::LowRank) operator.
///
/// ```
/// use ad_runtime::operators::{Dense, EmpiricalFisher};
///
/// let scores = [[1.0, 0.0], [1.0, 2.0]];
/// let fisher = EmpiricalFisher::new(2, 2, |row: usize, out: &mut [f64]| out.copy_from_slice(&scores[row]));
/// assert_eq!(Dense::of(&fisher).entries(), [2.0, 2.0, 2.0, 4.0]);
/// ```
#[derive(Clone, Debug)]
pub struct EmpiricalFisher<T, S> {
    dim: usize,
    rows: usize,
    score: S,
    scratch: Scratch<T>,
}

impl<T: Scalar, S: Fn(usize, &mut [T])> EmpiricalFisher<T, S> {
    /// From the numbers of variables and of rows, and `score`, which overwrites its second argument by a row's score.
    pub const fn new(dim: usize, rows: usize, score: S) -> Self {
        Self { dim, rows, score, scratch: Scratch::new() }
    }

    fn each_score(&self, mut work: impl FnMut(&[T])) {
        self.scratch.with(self.dim, T::zero(), |score| {
            for row in 0..self.rows {
                (self.score)(row, score);
                work(score);
            }
        });
    }
}

impl<T: Scalar, S: Fn(usize, &mut [T])> HessianOperator for EmpiricalFisher<T, S> {
    type Scalar = T;

    fn dim(&self) -> usize {
        self.dim
    }

    fn apply(&self, v: &[T], out: &mut [T]) {
        check_operand("apply", "v", v.len(), self.dim);
        check_operand("apply", "out", out.len(), self.dim);
        self.apply_block(v, out);
    }

    fn apply_block(&self, directions: &[T], out: &mut [T]) {
        check_block(self.dim, directions, out);
        if out.is_empty() {
            return;
        }
        out.fill(T::zero());
        self.each_score(|score| {
            for (v, out) in directions.chunks_exact(self.dim).zip(out.chunks_exact_mut(self.dim)) {
                kernels::add_scaled(out, dot(score, v), score);
            }
        });
    }

    fn quadratic_form(&self, v: &[T]) -> T {
        check_operand("quadratic_form", "v", v.len(), self.dim);
        let mut form = T::zero();
        self.each_score(|score| {
            let slope = dot(score, v);
            form += slope * slope;
        });
        form
    }

    fn diagonal(&self, out: &mut [T]) -> bool {
        check_operand("diagonal", "out", out.len(), self.dim);
        out.fill(T::zero());
        self.each_score(|score| {
            for (out, &score) in out.iter_mut().zip(score) {
                *out += score * score;
            }
        });
        true
    }

    fn properties(&self) -> Properties {
        Properties::POSITIVE_SEMIDEFINITE
    }
}
