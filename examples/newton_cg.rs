//! Fits a logistic regression by a Newton method that never forms a Hessian.
//!
//! `#[differentiable]` writes the gradient and the Hessian-vector product of `loss`; basin's matrix-free trust
//! region does the rest. Run it with `cargo run --release --example newton_cg`, or with a CSV file of your own:
//! `cargo run --release --example newton_cg -- FILE`.

use std::cell::RefCell;
use std::convert::Infallible;
use std::ffi::OsString;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;
use std::time::{Duration, Instant};

use ad_runtime::differentiable;
use basin::{
    CostFunction, Executor, FirstOrderState, Gradient, HessianProduct, HessianProductScratch, Observe,
    ObserverMode, TerminationCode, TerminationReport, TrustRegion,
};
use examples::dataset::{self, DatasetError};
use examples::prepare::{self, PrepareError, Rows};
use thiserror::Error;

/// The mean logistic loss of a linear model, and half of `l2` times the squared norm of its weights. `w` is
/// the weight of each feature, then the bias, which is free.
#[differentiable(wrt(w))]
fn loss(w: &[f64], features: &[f64], labels: &[f64], l2: f64) -> f64 {
    let columns = w.len() - 1;
    let rows = labels.len();
    let mut total = 0.0;
    for i in 0..rows {
        let mut z = w[columns];
        for j in 0..columns {
            z += features[i * columns + j] * w[j];
        }
        // ln(1 + e^z) in the form that neither overflows nor cancels, smooth on both sides of 0
        let softplus = if z > 0.0 { z + (-z).exp().ln_1p() } else { z.exp().ln_1p() };
        total += softplus - labels[i] * z;
    }
    let mut square = 0.0;
    for j in 0..columns {
        square += w[j] * w[j];
    }
    total / rows as f64 + 0.5 * l2 * square
}

/// Where Hessian-vector products come from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Products {
    /// `loss_hvp`
    Generated,
    /// Central differences of `loss_grad`: two gradients a product.
    Differences,
}

/// The loss on some rows, as the optimiser asks for it.
struct Model<'a> {
    rows: &'a Rows,
    l2: f64,
    products: Products,
    scratch: RefCell<HessianProductScratch<Vec<f64>>>,
}

impl CostFunction for Model<'_> {
    type Param = Vec<f64>;
    type Output = f64;
    type Error = Infallible;

    fn cost(&self, w: &Vec<f64>) -> Result<f64, Infallible> {
        Ok(loss(w, &self.rows.features, &self.rows.labels, self.l2))
    }
}

impl Gradient for Model<'_> {
    type Gradient = Vec<f64>;

    fn gradient(&self, w: &Vec<f64>) -> Result<Vec<f64>, Infallible> {
        Ok(self.cost_and_gradient(w)?.1)
    }

    fn gradient_into(&self, w: &Vec<f64>, out: &mut Vec<f64>) -> Result<(), Infallible> {
        out.resize(w.len(), 0.0);
        loss_grad(w, &self.rows.features, &self.rows.labels, self.l2, out);
        Ok(())
    }

    fn cost_and_gradient(&self, w: &Vec<f64>) -> Result<(f64, Vec<f64>), Infallible> {
        let mut gradient = vec![0.0; w.len()];
        let value = loss_grad(w, &self.rows.features, &self.rows.labels, self.l2, &mut gradient);
        Ok((value, gradient))
    }
}

impl HessianProduct for Model<'_> {
    fn hessian_product(&self, w: &Vec<f64>, v: &Vec<f64>) -> Result<Vec<f64>, Infallible> {
        let mut out = vec![0.0; w.len()];
        self.hessian_product_into(w, v, &mut out)?;
        Ok(out)
    }

    fn hessian_product_into(&self, w: &Vec<f64>, v: &Vec<f64>, out: &mut Vec<f64>) -> Result<(), Infallible> {
        match self.products {
            Products::Generated => {
                out.resize(w.len(), 0.0);
                loss_hvp(w, &self.rows.features, &self.rows.labels, self.l2, v, out);
                Ok(())
            }
            Products::Differences => {
                self.scratch.borrow_mut().central_into(self, w, v, f64::EPSILON, None, out)
            }
        }
    }
}

/// The fit stops where the norm of the gradient falls to this.
const TOLERANCE: f64 = 1e-9;
/// Or after so many iterations.
const MOST_ITERATIONS: u64 = 200;

/// One line of the table.
struct Step {
    iteration: u64,
    loss: f64,
    gradient_norm: f64,
    products: u64,
}

/// What a fit came to.
struct Fit {
    w: Vec<f64>,
    loss: f64,
    gradient_norm: f64,
    products: u64,
    time: Duration,
    report: TerminationReport<f64>,
}

/// Writes down every iteration.
struct Trace(Rc<RefCell<Vec<Step>>>);

impl Trace {
    fn record(&self, state: &FirstOrderState<Vec<f64>, f64>) {
        if let Some((_, loss, gradient)) = state.current() {
            let products = state.counts().hessian_product_evals;
            let iteration = basin::State::iter(state);
            self.0.borrow_mut().push(Step { iteration, loss, gradient_norm: norm(gradient), products });
        }
    }
}

impl Observe<FirstOrderState<Vec<f64>, f64>> for Trace {
    fn observe_init(&mut self, state: &FirstOrderState<Vec<f64>, f64>) {
        self.record(state);
    }
    fn observe_iter(&mut self, state: &FirstOrderState<Vec<f64>, f64>) {
        self.record(state);
    }
}

/// Fits from `w = 0`.
fn fit(rows: &Rows, l2: f64, products: Products, trace: Option<Trace>) -> Result<Fit, Failure> {
    let model = Model { rows, l2, products, scratch: RefCell::new(HessianProductScratch::new()) };
    let solver = TrustRegion::matrix_free().with_absolute_gradient_tolerance(TOLERANCE);
    let start = FirstOrderState::new(vec![0.0; rows.columns + 1]);
    let from = Instant::now();
    let mut executor = Executor::new(model, solver, start).max_iter(MOST_ITERATIONS);
    if let Some(trace) = trace {
        executor = executor.observe_with(trace, ObserverMode::Always);
    }
    let Ok(result) = executor.run();
    let time = from.elapsed();
    let (w, loss, gradient) = result.state.current().ok_or(Failure::NoPoint)?;
    let (w, gradient_norm, products) = (w.clone(), norm(gradient), result.counts.hessian_product_evals);
    if !(loss.is_finite() && gradient_norm.is_finite()) {
        return Err(Failure::NotFinite { iteration: result.report.iteration });
    }
    Ok(Fit { w, loss, gradient_norm, products, time, report: result.report })
}

fn norm(v: &[f64]) -> f64 {
    v.iter().map(|x| x * x).sum::<f64>().sqrt()
}

/// How many rows the model gets right.
fn right(w: &[f64], rows: &Rows) -> usize {
    let (bias, weights) = w.split_last().map_or((0.0, w), |(bias, weights)| (*bias, weights));
    let guess = |row: &[f64]| row.iter().zip(weights).map(|(x, w)| x * w).sum::<f64>() + bias > 0.0;
    rows.features
        .chunks_exact(rows.columns)
        .zip(&rows.labels)
        .filter(|(row, y)| guess(row) == (**y > 0.5))
        .count()
}

/// The fit with the least time of several, run turn by turn so that both meet the same machine.
fn race(rows: &Rows, l2: f64) -> Result<(Fit, Fit), Failure> {
    let from = Instant::now();
    let mut best: Option<(Fit, Fit)> = None;
    for _ in 0..20 {
        let next = (fit(rows, l2, Products::Generated, None)?, fit(rows, l2, Products::Differences, None)?);
        best = Some(match best {
            None => next,
            Some(best) => (faster(best.0, next.0), faster(best.1, next.1)),
        });
        if from.elapsed() > Duration::from_secs(2) {
            break;
        }
    }
    best.ok_or(Failure::NoPoint)
}

fn faster(a: Fit, b: Fit) -> Fit {
    if b.time < a.time { b } else { a }
}

/// Why the fit stopped, in words.
fn reason(fit: &Fit) -> String {
    match fit.report.code() {
        TerminationCode::GradientTolerance => {
            format!("the gradient norm {:.2e} is at most {TOLERANCE:.0e}", fit.gradient_norm)
        }
        TerminationCode::SolverConverged => "the gradient is zero".to_owned(),
        TerminationCode::MaxIter => {
            format!(
                "the limit of {MOST_ITERATIONS} iterations was reached, gradient norm {:.2e}",
                fit.gradient_norm
            )
        }
        TerminationCode::NumericalNoProgress => {
            format!("rounding leaves no further progress, gradient norm {:.2e}", fit.gradient_norm)
        }
        other => format!("{other:?}, gradient norm {:.2e}", fit.gradient_norm),
    }
}

const HELP: &str = "\
Fits an L2-regularised logistic regression by a matrix-free Newton method.

Usage: cargo run --release --example newton_cg -- [OPTIONS] [FILE]

  FILE        a CSV file with a header line: numbers, and a label with two classes in the column named
              `label` or `target`, or else in the last one. Without it, the Wisconsin diagnostic
              breast-cancer data.

Options:
  --l2 X      strength of the regularisation, a positive number (0.001 without it)
  --seed N    which rows are held out, an integer (1 without it)
  --help      this text
";

/// What the command line asks for.
struct Options {
    file: PathBuf,
    l2: f64,
    seed: u64,
}

/// Reads the command line; `None` asks for help.
fn options(arguments: impl Iterator<Item = OsString>) -> Result<Option<Options>, Failure> {
    let mut file = None;
    let (mut l2, mut seed) = (1e-3, 1);
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        let text = argument.to_string_lossy();
        if !text.starts_with('-') {
            if file.is_some() {
                return Err(Failure::Usage(format!("one file is read, and \"{text}\" is a second one")));
            }
            file = Some(PathBuf::from(argument));
            continue;
        }
        let (name, mut value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (&*text, None),
        };
        let mut value = || {
            let next = value.take().or_else(|| Some(arguments.next()?.to_string_lossy().into_owned()));
            next.ok_or_else(|| Failure::Usage(format!("{name} needs a value")))
        };
        match name {
            "--help" | "-h" => return Ok(None),
            "--l2" => {
                let value = value()?;
                l2 = value.parse().ok().filter(|x: &f64| x.is_finite() && *x > 0.0).ok_or_else(|| {
                    Failure::Usage(format!("--l2 needs a positive number, and \"{value}\" is none"))
                })?;
            }
            "--seed" => {
                let value = value()?;
                seed = value.parse().map_err(|_| {
                    Failure::Usage(format!("--seed needs an integer from 0 on, and \"{value}\" is none"))
                })?;
            }
            _ => return Err(Failure::Usage(format!("there is no option \"{text}\""))),
        }
    }
    let committed =
        || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/data/breast_cancer_wisconsin.csv"));
    Ok(Some(Options { file: file.unwrap_or_else(committed), l2, seed }))
}

/// Why there is no result.
#[derive(Debug, Error)]
enum Failure {
    #[error("{0}\n(--help says what can be asked for)")]
    Usage(String),
    #[error(transparent)]
    Data(#[from] DatasetError),
    #[error("{}: {error}", file.display())]
    Prepare { file: PathBuf, error: PrepareError },
    #[error("the optimiser stopped without a point")]
    NoPoint,
    #[error("the loss is not finite after {iteration} iterations: try a larger --l2")]
    NotFinite { iteration: u64 },
}

/// The whole job; returns what is to be printed.
fn run(options: &Options) -> Result<String, Failure> {
    let data = dataset::read(&options.file)?;
    let split = prepare::split(&data, options.seed)
        .map_err(|error| Failure::Prepare { file: options.file.clone(), error })?;
    let (train, held_out) = (&split.train, &split.held_out);
    let steps = Rc::new(RefCell::new(Vec::new()));
    let traced = fit(train, options.l2, Products::Generated, Some(Trace(Rc::clone(&steps))))?;
    let (generated, differences) = race(train, options.l2)?;

    let mut text = String::new();
    let out = &mut text;
    // Writing to a string does not fail.
    let _ = writeln!(
        out,
        "{}: {} rows, {} features\n{} rows to fit, {} held out; {} weights and a bias, l2 = {}\n",
        options.file.file_name().unwrap_or_default().display(),
        data.rows(),
        data.columns(),
        train.labels.len(),
        held_out.labels.len(),
        data.columns(),
        options.l2
    );
    let _ = writeln!(out, "iteration            loss   gradient norm   products");
    for step in steps.borrow().iter() {
        let Step { iteration, loss, gradient_norm, products } = step;
        let _ = writeln!(out, "{iteration:>9}  {loss:>14.10}  {gradient_norm:>14.3e}  {products:>9}");
    }
    let _ = writeln!(out, "\nstopped after {} iterations: {}\n", traced.report.iteration, reason(&traced));
    for (name, rows) in [("fitted", train), ("held-out", held_out)] {
        let (right, count) = (right(&traced.w, rows), rows.labels.len());
        let share = 100.0 * right as f64 / count as f64;
        let _ = writeln!(out, "{name:>8} rows: {right} of {count} right ({share:.1} %)");
    }
    let _ =
        writeln!(out, "\nHessian-vector products             time of the fit   products       final loss");
    for (name, fit) in
        [("generated (loss_hvp)", &generated), ("central differences of loss_grad", &differences)]
    {
        let time = fit.time.as_secs_f64() * 1e3;
        let _ = writeln!(out, "{name:<33} {time:>15.3} ms  {:>9}  {:>15.12}", fit.products, fit.loss);
    }
    let ratio = differences.time.as_secs_f64() / generated.time.as_secs_f64();
    let _ = writeln!(out, "differences take {ratio:.2} times as long (least times of interleaved fits)");
    Ok(text)
}

fn main() -> ExitCode {
    let text = match options(std::env::args_os().skip(1)) {
        Ok(None) => Ok(HELP.to_owned()),
        Ok(Some(options)) => run(&options),
        Err(failure) => Err(failure),
    };
    match text {
        // A reader that closes the pipe early is no failure.
        Ok(text) => match std::io::stdout().write_all(text.as_bytes()) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
            _ => ExitCode::SUCCESS,
        },
        Err(failure) => {
            let _ = writeln!(std::io::stderr(), "newton_cg: {failure}");
            ExitCode::FAILURE
        }
    }
}
