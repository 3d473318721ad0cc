//! The functions of the benchmark suite, and what is run on each of them. Shared by the benchmark (`benches/suite`) and the test
//! that checks the values (`tests/suite.rs`). How runs are timed and shown is not here.

mod branch;
mod bundle;
mod cholesky;
mod cross_entropy;
mod dual;
mod gmm;
mod kalman;
mod lennard_jones;
mod log_sum_exp;
mod logistic;
mod lorenz;
mod lstm;
mod mlp;
mod rosenbrock;
mod surface;

pub(crate) use dual::{COLUMNS, Number};

use ad_runtime::operators::{HessianOperator, Linearized};
use std::cell::{LazyCell, RefCell};
use std::hint::black_box;
use std::rc::Rc;

/// Directions of one product of a block.
pub(crate) const LANES: usize = 8;

/// A function with data, its derivatives by the macro and by hand, and itself over a generic number.
pub(crate) trait Problem: 'static {
    /// The function.
    fn primal(&self, x: &[f64]) -> f64;
    /// `f_grad`: value and gradient.
    fn gradient(&self, x: &[f64], g: &mut [f64]) -> f64;
    /// `f_hvp`.
    fn hvp(&self, x: &[f64], v: &[f64], hv: &mut [f64]);
    /// `f_hvp_block`.
    fn hvp_block(&self, x: &[f64], v: &[[f64; LANES]], hv: &mut [[f64; LANES]]);
    /// `f_linearize`.
    fn linearize<'a>(&'a self, x: &'a [f64]) -> Linearization<'a>;
    /// Value and gradient, by hand.
    fn gradient_by_hand(&self, x: &[f64], g: &mut [f64]) -> f64;
    /// The Hessian-vector product, by hand.
    fn hvp_by_hand(&self, x: &[f64], v: &[f64], hv: &mut [f64]);
    /// The function over dual numbers.
    fn generic<T: Number>(&self, x: &[T]) -> T;
}

/// A linearised Hessian, of whatever type.
pub(crate) struct Linearization<'a> {
    /// What it keeps, in bytes.
    pub(crate) memory: usize,
    pub(crate) operator: Box<dyn HessianOperator<Scalar = f64> + 'a>,
}

impl<'a> Linearization<'a> {
    fn new<P: Fn(&[f64], &mut [f64]) + 'a>(operator: Linearized<f64, P>) -> Self {
        Linearization { memory: operator.memory(), operator: Box::new(operator) }
    }
}

/// What linearises the function of a case.
trait Linearize {
    fn at<'a>(&'a self, x: &'a [f64]) -> Linearization<'a>;
}

impl<P: Problem> Linearize for P {
    fn at<'a>(&'a self, x: &'a [f64]) -> Linearization<'a> {
        self.linearize(x)
    }
}

/// What is run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Primal,
    Gradient,
    Hvp,
    /// Products with [`LANES`] directions at once; the output is that of the last.
    HvpBlock,
    GradientByHand,
    HvpByHand,
    /// One sweep of dual numbers: the first [`COLUMNS`] components of the Hessian-vector product.
    DualSweep,
}

impl Kind {
    pub(crate) const ALL: [Kind; 7] = [
        Kind::Primal,
        Kind::Gradient,
        Kind::Hvp,
        Kind::HvpBlock,
        Kind::GradientByHand,
        Kind::HvpByHand,
        Kind::DualSweep,
    ];
}

/// So many calls with the arguments `x`, `v` and the output; the loop is inside, so that what is run is inlined into it.
/// Returns the value that the last call returned.
type Run = Box<dyn Fn(u64, &[f64], &[f64], &mut [f64]) -> f64>;

/// A function at a point, ready to run.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) x: Vec<f64>,
    pub(crate) v: Vec<f64>,
    runs: Vec<(Kind, Run)>,
    problem: Rc<dyn Linearize>,
}

impl Case {
    fn new<P: Problem>(name: &'static str, problem: P, x: Vec<f64>) -> Self {
        let v = uniform(1000, x.len(), -1.0, 1.0);
        let problem = Rc::new(problem);
        let mut case = Case { name, x, v, runs: Vec::new(), problem: problem.clone() };
        case.add(Kind::Primal, &problem, |p, x, _, _| p.primal(x));
        case.add(Kind::Gradient, &problem, |p, x, _, g| p.gradient(x, g));
        case.add(Kind::Hvp, &problem, |p, x, v, hv| {
            p.hvp(x, v, hv);
            f64::NAN
        });
        case.add_block(&problem);
        case.add(Kind::GradientByHand, &problem, |p, x, _, g| p.gradient_by_hand(x, g));
        case.add(Kind::HvpByHand, &problem, |p, x, v, hv| {
            p.hvp_by_hand(x, v, hv);
            f64::NAN
        });
        case.add(Kind::DualSweep, &problem, |p, x, v, hv| {
            dual::sweep(x, v, hv, |x| p.generic(x));
            f64::NAN
        });
        case
    }

    /// Adds something to run. The problem hides behind `black_box`, so that no size is a constant to the optimiser.
    fn add<P: Problem>(
        &mut self,
        kind: Kind,
        problem: &Rc<P>,
        f: impl Fn(&P, &[f64], &[f64], &mut [f64]) -> f64 + 'static,
    ) {
        let problem = Rc::clone(problem);
        let run = move |calls, x: &[f64], v: &[f64], out: &mut [f64]| {
            let mut value = f64::NAN;
            for _ in 0..calls {
                value = black_box(f(black_box(&problem), black_box(x), black_box(v), black_box(&mut *out)));
            }
            value
        };
        self.runs.push((kind, Box::new(run)));
    }

    /// Adds the block of products: the last direction is `v`, those before it multiples of `v` turned round.
    fn add_block<P: Problem>(&mut self, problem: &Rc<P>) {
        let (problem, v) = (Rc::clone(problem), self.v.clone());
        let blocks = LazyCell::new(move || {
            let lane = |i: usize, k: usize| v[(i + k + 1) % v.len()] * (0.5 + k as f64);
            let block: Vec<[f64; LANES]> = (0..v.len())
                .map(|i| core::array::from_fn(|k| if k + 1 == LANES { v[i] } else { lane(i, k) }))
                .collect();
            (block, RefCell::new(vec![[0.0; LANES]; v.len()]))
        });
        let run = move |calls, x: &[f64], _: &[f64], out: &mut [f64]| {
            let (v, products) = &*blocks;
            let mut products = products.borrow_mut();
            for _ in 0..calls {
                black_box(&problem).hvp_block(black_box(x), black_box(v), black_box(&mut products));
            }
            for (out, lanes) in out.iter_mut().zip(products.iter()) {
                *out = lanes[LANES - 1];
            }
            f64::NAN
        };
        self.runs.push((Kind::HvpBlock, Box::new(run)));
    }

    fn without(mut self, kind: Kind) -> Self {
        self.runs.retain(|(k, _)| *k != kind);
        self
    }

    /// The linearised Hessian at the point.
    pub(crate) fn linearize(&self) -> Linearization<'_> {
        black_box(&self.problem).at(black_box(&self.x))
    }

    /// A run, as often as it is told, with an output of its own.
    pub(crate) fn repeatedly(&self, kind: Kind) -> Box<dyn FnMut(u64) + '_> {
        let mut out = vec![0.0; self.x.len()];
        Box::new(move |calls| {
            self.run(kind, calls, &mut out);
        })
    }

    /// Whether there is such a run.
    pub(crate) fn has(&self, kind: Kind) -> bool {
        self.runs.iter().any(|(k, _)| *k == kind)
    }

    /// Calls it so many times; `out` has the length of `x`. Returns the function's value where the kind gives one, else NaN.
    pub(crate) fn run(&self, kind: Kind, calls: u64, out: &mut [f64]) -> f64 {
        let (_, run) = self.runs.iter().find(|(k, _)| *k == kind).expect("a run that the case has");
        run(calls, &self.x, &self.v, out)
    }
}

/// Makes the case of a name.
type Make = fn(&'static str) -> Case;

/// Every case of the suite, in the order of the table.
pub(crate) const CASES: &[(&str, Make)] = &[
    ("Rosenbrock 1000", |name| rosenbrock::case(name, 1000)),
    ("Rosenbrock 10^6", |name| rosenbrock::case(name, 1_000_000).without(Kind::DualSweep)),
    ("logistic 1000 x 30", |name| logistic::case(name, 1000, 30)),
    ("logistic 20000 x 100", |name| logistic::case(name, 20_000, 100)),
    ("MLP 16-32-4, batch 128", mlp::case),
    ("GMM d 10, k 25, n 1000", gmm::case),
    ("Lennard-Jones 256", lennard_jones::case),
    ("Lorenz RK4, 1000 steps", lorenz::case),
    ("two branches", branch::case),
    ("log-sum-exp 1000", log_sum_exp::case),
    ("softmax 500 x 20, 10 cl.", cross_entropy::case),
    ("surface 64 x 64", surface::case),
    ("Cholesky log det 32", cholesky::case),
    ("Kalman, 1000 steps", kalman::case),
    ("LSTM 4-8, 50 steps", lstm::case),
    ("bundle adj. 8 x 50", bundle::case),
];

/// `n` numbers between `low` and `high`, from splitmix64 alone.
fn uniform(seed: u64, n: usize, low: f64, high: f64) -> Vec<f64> {
    let mut state = seed;
    let mut next = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        (z >> 11) as f64 * 2.0_f64.powi(-53)
    };
    (0..n).map(|_| low + (high - low) * next()).collect()
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut s = 0.0;
    for (a, b) in a.iter().zip(b) {
        s += a * b;
    }
    s
}

/// y += a x
fn axpy(a: f64, x: &[f64], y: &mut [f64]) {
    for (y, x) in y.iter_mut().zip(x) {
        *y += a * x;
    }
}

/// w = softmax(z); returns log-sum-exp of z.
fn softmax(z: &[f64], w: &mut [f64]) -> f64 {
    let mut largest = z[0];
    for &z in z {
        if z > largest {
            largest = z;
        }
    }
    let mut s = 0.0;
    for (w, z) in w.iter_mut().zip(z) {
        *w = (z - largest).exp();
        s += *w;
    }
    let by = 1.0 / s;
    for w in w {
        *w *= by;
    }
    largest + s.ln()
}
