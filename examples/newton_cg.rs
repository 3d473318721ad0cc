//! Fits a logistic regression by a Newton method that never forms a Hessian, and compares what gives it its products.
//!
//! `#[differentiable]` writes the gradient of `loss`, its Hessian-vector product and its linearisation: the Hessian at a
//! point as an operator that keeps what does not depend on the direction. The conjugate gradients within Newton-CG apply
//! it several times at each point. Run it with `cargo run --release --example newton_cg`, or with a CSV file of your own:
//! `cargo run --release --example newton_cg -- FILE`.

use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use ad_runtime::adapters::basin3::Problem;
use ad_runtime::differentiable;
use ad_runtime::operators::FiniteDifference;
use ad_runtime::solvers::SolverError;
use ad_runtime::solvers::newton_cg::{NewtonCg, Progress};
use ad_runtime::solvers::objective::{HessianBody, from_products, from_scopes};
use ad_runtime::solvers::preconditioner::{Identity, Preconditioner};
use basin::{Executor, FirstOrderState, Lbfgs, TrustRegion};
use examples::dataset::{self, DatasetError};
use examples::prepare::{self, PrepareError, Rows};
use examples::program::{self, UsageError};
use examples::quasi_newton::{QuasiNewton, Record};
use pico_args::Arguments;
use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::*;
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

/// Every fit stops where the norm of the gradient falls to this.
const TOLERANCE: f64 = 1e-9;
/// Or after so many iterations.
const MOST_ITERATIONS: usize = 1000;
/// Products that the preconditioner is made of.
const MEMORY: usize = 16;

/// The loss on some rows. It counts its derivatives, and writes down how a fit goes on.
struct Model<'a> {
    rows: &'a Rows,
    l2: f64,
    start: Instant,
    gradients: Cell<usize>,
    products: Cell<usize>,
    steps: RefCell<Vec<Step>>,
}

/// Where a fit is, and what that took.
#[derive(Clone, Copy)]
struct Step {
    loss: f64,
    gradient_norm: f64,
    gradients: usize,
    products: usize,
    time: Duration,
}

/// How a fit went, from its start to its end.
struct Fit {
    w: Vec<f64>,
    iterations: usize,
    steps: Vec<Step>,
}

impl<'a> Model<'a> {
    fn new(rows: &'a Rows, l2: f64) -> Self {
        let (gradients, products) = (Cell::new(0), Cell::new(0));
        Self { rows, l2, start: Instant::now(), gradients, products, steps: RefCell::default() }
    }

    fn gradient(&self, w: &[f64], out: &mut [f64]) -> f64 {
        self.gradients.set(self.gradients.get() + 1);
        let loss = loss_grad(w, &self.rows.features, &self.rows.labels, self.l2, out);
        if self.steps.borrow().is_empty() {
            self.record(loss, norm(out));
        }
        loss
    }

    fn product(&self, w: &[f64], v: &[f64], out: &mut [f64]) {
        self.products.set(self.products.get() + 1);
        loss_hvp(w, &self.rows.features, &self.rows.labels, self.l2, v, out);
    }

    fn record(&self, loss: f64, gradient_norm: f64) {
        let (gradients, products) = (self.gradients.get(), self.products.get());
        let step = Step { loss, gradient_norm, gradients, products, time: self.start.elapsed() };
        self.steps.borrow_mut().push(step);
    }

    /// By Newton-CG. `hessian` makes the operator at a point, and gives it to what it is passed.
    fn newton_cg(
        self,
        hessian: impl Fn(&Self, &[f64], HessianBody<f64>),
        preconditioner: &mut impl Preconditioner<f64>,
    ) -> Result<Fit, Failure> {
        let mut w = vec![0.0; self.rows.columns + 1];
        let gradient = |w: &[f64], g: &mut [f64]| self.gradient(w, g);
        let mut objective =
            from_scopes(gradient, |w: &[f64], body: HessianBody<f64>| hessian(&self, w, body));
        let progress = |step: &Progress<f64>| {
            self.products.set(step.products);
            self.record(step.value, step.gradient_norm);
            ControlFlow::Continue(())
        };
        // A gradient costs as much as a product here: the line search should take the full step where it can.
        let solver = NewtonCg::new()
            .curvature_condition(0.9)
            .gradient_tolerance(TOLERANCE)
            .max_iterations(MOST_ITERATIONS);
        let minimum = solver.minimize_with(&mut objective, &mut w, preconditioner, progress)?;
        drop(objective);
        Ok(Fit { w, iterations: minimum.iterations, steps: self.steps.into_inner() })
    }

    /// Makes the Hessian at `w` ready for many products; counted as the gradient that it computes.
    fn linearize(&self, w: &[f64], body: HessianBody<f64>) {
        self.gradients.set(self.gradients.get() + 1);
        body(&loss_linearize(w, &self.rows.features, &self.rows.labels, self.l2));
    }
}

/// A solver of `basin`, of which each evaluation is written down.
macro_rules! fit_by_basin {
    ($rows:expr, $l2:expr, $solver:expr) => {{
        let model = Model::new($rows, $l2);
        let gradient = |w: &[f64], g: &mut [f64]| {
            let loss = model.gradient(w, g);
            model.record(loss, norm(g));
            loss
        };
        let problem = Problem::new(from_products(gradient, |w: &[f64], v: &[f64], out: &mut [f64]| {
            model.product(w, v, out)
        }));
        let start = FirstOrderState::new(vec![0.0; $rows.columns + 1]);
        let solver = $solver.with_absolute_gradient_tolerance(TOLERANCE);
        let found = Executor::new(problem, solver, start).max_iter(MOST_ITERATIONS as u64).run()?;
        let (w, loss, gradient) = found.state.current().ok_or(Failure::NoPoint)?;
        model.record(loss, norm(gradient));
        let (w, iterations) = (w.clone(), found.report.iteration as usize);
        Ok(Fit { w, iterations, steps: model.steps.into_inner() })
    }};
}

/// A way to fit, from `w = 0`.
type Method = fn(&Rows, f64) -> Result<Fit, Failure>;

/// Names, colours and methods. The table is in this order.
const METHODS: [(&str, RGBColor, Method); 6] = [
    ("Newton-CG, loss_linearize, preconditioned", RGBColor(200, 30, 30), |rows, l2| {
        // The products of one iteration precondition the next.
        let record = Record::new(MEMORY);
        let hessian = |model: &Model, w: &[f64], body: HessianBody<f64>| {
            model.linearize(w, &mut |operator| body(&record.of(operator)));
        };
        Model::new(rows, l2).newton_cg(hessian, &mut QuasiNewton::new(&record))
    }),
    ("Newton-CG, loss_linearize", RGBColor(230, 130, 20), |rows, l2| {
        Model::new(rows, l2).newton_cg(Model::linearize, &mut Identity)
    }),
    ("Newton-CG, loss_hessian", RGBColor(40, 140, 60), |rows, l2| {
        let hessian = |model: &Model, w: &[f64], body: HessianBody<f64>| {
            body(&loss_hessian(w, &model.rows.features, &model.rows.labels, model.l2));
        };
        Model::new(rows, l2).newton_cg(hessian, &mut Identity)
    }),
    ("Newton-CG, central differences", RGBColor(120, 120, 120), |rows, l2| {
        let hessian = |model: &Model, w: &[f64], body: HessianBody<f64>| {
            let gradient = |w: &[f64], g: &mut [f64]| _ = model.gradient(w, g);
            body(&FiniteDifference::central(w.to_vec(), gradient));
        };
        Model::new(rows, l2).newton_cg(hessian, &mut Identity)
    }),
    ("trust region of basin, loss_hvp", RGBColor(30, 90, 200), |rows, l2| {
        fit_by_basin!(rows, l2, TrustRegion::matrix_free())
    }),
    ("L-BFGS of basin", RGBColor(130, 60, 170), |rows, l2| fit_by_basin!(rows, l2, Lbfgs::new().unbounded())),
];

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

/// The fit of each method with the least time of several, run turn by turn so that all meet the same machine.
fn race(rows: &Rows, l2: f64) -> Result<Vec<Fit>, Failure> {
    let from = Instant::now();
    let run = || METHODS.iter().map(|(_, _, method)| method(rows, l2)).collect::<Result<Vec<Fit>, Failure>>();
    let mut best = run()?;
    for _ in 0..50 {
        for (best, next) in best.iter_mut().zip(run()?) {
            if next.end().time < best.end().time {
                *best = next;
            }
        }
        if from.elapsed() > Duration::from_secs(3) {
            break;
        }
    }
    Ok(best)
}

impl Fit {
    fn end(&self) -> Step {
        *self.steps.last().expect("the start is a step")
    }
}

const HELP: &str = "\
Fits an L2-regularised logistic regression by Newton-CG, and compares where the Hessian's products come from.

Usage: cargo run --release --example newton_cg -- [OPTIONS] [FILE]

  FILE            a CSV file with a header line: numbers, and a label with two classes in the column named
                  `label` or `target`, or else in the last one. Without it, the Wisconsin diagnostic
                  breast-cancer data.

Options:
  --l2 X          strength of the regularisation, a positive number (0.001 without it)
  --interactions  fits the products of all pairs of features too
  --seed N        which rows are held out (1)
  --svg FILE      where the picture of the convergence goes (newton_cg.svg)
  --help          this text
";

/// What the command line asks for.
struct Options {
    file: PathBuf,
    l2: f64,
    interactions: bool,
    seed: u64,
    svg: PathBuf,
}

/// Reads the command line; `None` asks for help.
fn options(mut arguments: Arguments) -> Result<Option<Options>, UsageError> {
    if arguments.contains(["-h", "--help"]) {
        return Ok(None);
    }
    let options = Options {
        l2: program::positive(&mut arguments, "--l2", 1e-3)?,
        interactions: arguments.contains("--interactions"),
        seed: arguments.opt_value_from_str("--seed")?.unwrap_or(1),
        svg: arguments.opt_value_from_str("--svg")?.unwrap_or_else(|| "newton_cg.svg".into()),
        file: program::file(arguments, program::data("breast_cancer_wisconsin.csv"))?,
    };
    Ok(Some(options))
}

/// Why there is no result.
#[derive(Debug, Error)]
enum Failure {
    #[error(transparent)]
    Usage(#[from] UsageError),
    #[error(transparent)]
    Data(#[from] DatasetError),
    #[error("{}: {error}", file.display())]
    Prepare { file: PathBuf, error: PrepareError },
    #[error(transparent)]
    Solver(#[from] SolverError),
    #[error("the optimiser stopped without a point")]
    NoPoint,
    #[error("{}: {error}", file.display())]
    Picture { file: PathBuf, error: DrawingAreaErrorKind<io::Error> },
    #[error("cannot write the table: {0}")]
    Print(#[from] io::Error),
}

fn run() -> Result<(), Failure> {
    let Some(options) = options(Arguments::from_env())? else {
        return Ok(program::print(HELP)?);
    };
    let data = dataset::read(&options.file)?;
    let mut split = prepare::split(&data, options.seed)
        .map_err(|error| Failure::Prepare { file: options.file.clone(), error })?;
    if options.interactions {
        split.train = split.train.with_interactions();
        split.held_out = split.held_out.with_interactions();
    }
    let (train, held_out) = (&split.train, &split.held_out);
    let fits = race(train, options.l2)?;
    let first = &fits[0];

    let mut text = format!(
        "{}: {} rows, {} features\n{} rows to fit, {} held out; {} weights and a bias, l2 = {}\n\n{}:\n",
        options.file.file_name().unwrap_or_default().display(),
        data.rows(),
        data.columns(),
        train.labels.len(),
        held_out.labels.len(),
        train.columns,
        options.l2,
        METHODS[0].0,
    );
    // Writing to a string does not fail.
    let _ = writeln!(text, "iteration            loss   gradient norm   gradients   products");
    for (iteration, step) in first.steps.iter().enumerate() {
        let Step { loss, gradient_norm, gradients, products, .. } = step;
        let _ = writeln!(
            text,
            "{iteration:>9}  {loss:>14.10}  {gradient_norm:>14.3e}  {gradients:>10}  {products:>9}"
        );
    }
    text.push('\n');
    for (name, rows) in [("fitted", train), ("held-out", held_out)] {
        let (right, count) = (right(&first.w, rows), rows.labels.len());
        let share = 100.0 * right as f64 / count as f64;
        let _ = writeln!(text, "{name:>8} rows: {right} of {count} right ({share:.1} %)");
    }
    text += "\nmethod                                      iterations  gradients  products   time / ms  \
             gradient norm            loss\n";
    for ((name, ..), fit) in METHODS.iter().zip(&fits) {
        let Step { loss, gradient_norm, gradients, products, time } = fit.end();
        let (iterations, time) = (fit.iterations, time.as_secs_f64() * 1e3);
        let _ = writeln!(
            text,
            "{name:<42}  {iterations:>10}  {gradients:>9}  {products:>8}  {time:>10.3}  {gradient_norm:>13.2e}  {loss:>14.12}"
        );
    }
    text += "(to a gradient norm of at most 1e-9; least times of interleaved runs. A central difference counts as a product\n\
             and as the two gradients that it is made of, a linearisation as a gradient.)\n";

    draw(&fits, &options.svg).map_err(|error| Failure::Picture { file: options.svg.clone(), error })?;
    let _ = writeln!(text, "picture: {}", options.svg.display());
    Ok(program::print(&text)?)
}

/// The norm of the gradient over time.
fn draw(fits: &[Fit], path: &Path) -> Result<(), DrawingAreaErrorKind<io::Error>> {
    let root = SVGBackend::new(path, (800, 500)).into_drawing_area();
    root.fill(&WHITE)?;
    let milliseconds = |step: &Step| step.time.as_secs_f64() * 1e3;
    let norms = fits.iter().flat_map(|fit| &fit.steps).map(|step| step.gradient_norm);
    let highest = norms.clone().fold(1e-300, f64::max);
    let end = fits.iter().map(|fit| milliseconds(&fit.end())).fold(0.0, f64::max);
    let lowest = TOLERANCE / 1e3;
    let mut chart = ChartBuilder::on(&root)
        .caption("Logistic regression: convergence", ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(70)
        .build_cartesian_2d(0.0..1.02 * end, (lowest..2.0 * highest).log_scale())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc("time / ms")
        .y_desc("norm of the gradient")
        .y_label_formatter(&|norm| format!("{norm:.0e}"))
        .draw()?;
    for ((name, colour, _), fit) in METHODS.iter().zip(fits) {
        let point = |step: &Step| (milliseconds(step), step.gradient_norm.max(lowest));
        let points: Vec<_> = fit.steps.iter().map(point).collect();
        let key = |(x, y)| PathElement::new([(x, y), (x + 20, y)], colour.stroke_width(2));
        chart.draw_series(points.iter().map(|&point| Circle::new(point, 3, colour.filled())))?;
        let line = PathElement::new(points, colour.stroke_width(2));
        chart.draw_series([line])?.label(*name).legend(key);
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.4))
        .draw()?;
    root.present()
}

fn main() -> ExitCode {
    program::conclude("newton_cg", run())
}
