//! How strong should the regularisation be? The gradient of the validation loss with respect to it, through the optimum.
//!
//! The weights `w(θ)` minimise a training loss `L(w, θ)`, and are judged by a validation loss `V(w)`. Where `∇L = 0`, the
//! implicit function theorem gives `dV/dθ = -(∂²L/∂θ∂w) u`, where `H u = ∇V` and `H` is the Hessian of `L` in `w` (Bengio
//! 2000; Pedregosa 2016). That is one linear system and one product, for one strength as for one per feature, where
//! differences fit anew for each. Run it with `cargo run --release --example implicit`.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use ad_runtime::differentiable;
use ad_runtime::solvers::objective::{HessianBody, from_scopes};
use ad_runtime::solvers::{SolverError, cg, newton_cg};
use basin::{CostFunction, Executor, FirstOrderState, Gradient, Lbfgs};
use examples::dataset::{self, DatasetError};
use examples::prepare::{self, PrepareError, Split};
use examples::program::{self, UsageError};
use pico_args::Arguments;
use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::*;
use thiserror::Error;

/// The mean logistic loss, by which the weights are judged. `w` is the weight of each feature, then the bias.
#[differentiable(wrt(w))]
fn mean_loss(w: &[f64], features: &[f64], labels: &[f64]) -> f64 {
    let columns = w.len() - 1;
    let mut total = 0.0;
    for i in 0..labels.len() {
        let mut z = w[columns];
        for j in 0..columns {
            z += features[i * columns + j] * w[j];
        }
        // ln(1 + e^z) in the form that neither overflows nor cancels, smooth on both sides of 0
        let softplus = if z > 0.0 { z + (-z).exp().ln_1p() } else { z.exp().ln_1p() };
        total += softplus - labels[i] * z;
    }
    total / labels.len() as f64
}

/// Half the squared weights, each times the strength of its feature. `theta` is the logarithm of the one strength of all
/// features, or of one each. The derivatives with respect to both hold the mixed ones.
#[differentiable(wrt(w, theta))]
fn penalty(w: &[f64], theta: &[f64]) -> f64 {
    let mut total = 0.0;
    for j in 0..w.len() - 1 {
        total += 0.5 * theta[j % theta.len()].exp() * w[j] * w[j];
    }
    total
}

/// What the weights minimise.
#[differentiable(wrt(w))]
fn training_loss(w: &[f64], features: &[f64], labels: &[f64], theta: &[f64]) -> f64 {
    mean_loss(w, features, labels) + penalty(w, theta)
}

/// The fit stops where the norm of the gradient falls to this: far below what differences of fits need.
const TOLERANCE: f64 = 1e-11;

/// The preconditioner by a bound of the diagonal of the Hessian: strengths may differ by many orders. The loss of a scaled
/// feature adds at most a quarter to its own.
fn scales(theta: &[f64]) -> impl FnMut(&[f64], &mut [f64]) {
    let strengths: Vec<f64> = theta.iter().map(|theta| theta.exp()).collect();
    move |residual, out| {
        let bias = residual.len() - 1;
        for j in 0..bias {
            out[j] = residual[j] / (0.25 + strengths[j % strengths.len()]);
        }
        out[bias] = residual[bias] / 0.25;
    }
}

/// The validation loss as a function of the logarithms of the strengths.
struct Validation<'a> {
    split: &'a Split,
    /// The optimum last found, where the next search starts.
    w: RefCell<Vec<f64>>,
}

/// What is known at `theta`.
#[derive(Clone)]
struct Point {
    theta: Vec<f64>,
    value: f64,
    gradient: Vec<f64>,
    /// Products of the linear system.
    products: usize,
}

impl<'a> Validation<'a> {
    fn new(split: &'a Split) -> Self {
        let w = RefCell::new(vec![0.0; split.train.columns + 1]);
        Self { split, w }
    }

    /// The weights that minimise the training loss.
    fn fit(&self, theta: &[f64]) -> Result<Vec<f64>, Failure> {
        let (x, y) = (&self.split.train.features, &self.split.train.labels);
        let gradient = |w: &[f64], g: &mut [f64]| training_loss_grad(w, x, y, theta, g);
        let hessian = |w: &[f64], body: HessianBody<f64>| body(&training_loss_linearize(w, x, y, theta));
        let mut w = self.w.borrow().clone();
        let minimum = newton_cg::NewtonCg::new()
            .gradient_tolerance(TOLERANCE)
            .max_iterations(200)
            .minimize_with(&mut from_scopes(gradient, hessian), &mut w, &mut scales(theta), |_| {
                ControlFlow::Continue(())
            })?;
        match minimum.ending {
            newton_cg::Ending::Converged => {
                self.w.borrow_mut().clone_from(&w);
                Ok(w)
            }
            _ => Err(Failure::NoOptimum { gradient_norm: minimum.gradient_norm }),
        }
    }

    fn value(&self, theta: &[f64]) -> Result<f64, Failure> {
        let (x, y) = (&self.split.held_out.features, &self.split.held_out.labels);
        Ok(mean_loss(&self.fit(theta)?, x, y))
    }

    /// Value and gradient, by the implicit function theorem.
    fn point(&self, theta: &[f64]) -> Result<Point, Failure> {
        let Split { train, held_out } = self.split;
        let w = self.fit(theta)?;
        let mut by_w = vec![0.0; w.len()];
        let value = mean_loss_grad(&w, &held_out.features, &held_out.labels, &mut by_w);

        let hessian = training_loss_linearize(&w, &train.features, &train.labels, theta);
        let mut u = vec![0.0; w.len()];
        let solver = cg::ConjugateGradient::new().relative_tolerance(1e-10);
        let solved =
            solver.solve_with(&hessian, &by_w, &mut u, &mut scales(theta), |_| ControlFlow::Continue(()))?;
        if solved.ending != cg::Ending::Converged {
            return Err(Failure::NoSolution { residual: solved.relative_residual });
        }

        // The Hessian in (w, θ) times (u, 0): below, in the rows of θ, is the mixed derivative times u.
        let (mut rows_of_w, mut gradient) = (vec![0.0; w.len()], vec![0.0; theta.len()]);
        penalty_hvp(&w, theta, &u, &vec![0.0; theta.len()], &mut rows_of_w, &mut gradient);
        gradient.iter_mut().for_each(|g| *g = -*g);
        Ok(Point { theta: theta.to_vec(), value, gradient, products: solved.products })
    }

    /// The gradient by central differences: two fits a strength.
    fn differences(&self, theta: &[f64]) -> Result<Vec<f64>, Failure> {
        const STEP: f64 = 1e-3;
        let mut theta = theta.to_vec();
        let mut gradient = vec![0.0; theta.len()];
        for (j, g) in gradient.iter_mut().enumerate() {
            let middle = theta[j];
            theta[j] = middle + STEP;
            let above = self.value(&theta)?;
            theta[j] = middle - STEP;
            *g = (above - self.value(&theta)?) / (2.0 * STEP);
            theta[j] = middle;
        }
        Ok(gradient)
    }
}

/// The validation loss as `basin` asks for it.
struct Tuning<'a> {
    validation: &'a Validation<'a>,
    /// Where gradients were asked for.
    path: &'a RefCell<Vec<Point>>,
}

impl CostFunction for Tuning<'_> {
    type Param = Vec<f64>;
    type Output = f64;
    type Error = Failure;
    fn cost(&self, theta: &Vec<f64>) -> Result<f64, Failure> {
        self.validation.value(theta)
    }
}

impl Gradient for Tuning<'_> {
    type Gradient = Vec<f64>;
    fn gradient(&self, theta: &Vec<f64>) -> Result<Vec<f64>, Failure> {
        Ok(self.cost_and_gradient(theta)?.1)
    }
    fn cost_and_gradient(&self, theta: &Vec<f64>) -> Result<(f64, Vec<f64>), Failure> {
        let point = self.validation.point(theta)?;
        let both = (point.value, point.gradient.clone());
        self.path.borrow_mut().push(point);
        Ok(both)
    }
}

/// Lowers the validation loss from `theta` by L-BFGS, which needs gradients only. Gives the points where it asked for one,
/// from the start to the best.
fn tune(validation: &Validation, theta: &[f64], steps: u64) -> Result<Vec<Point>, Failure> {
    let path = RefCell::default();
    let solver = Lbfgs::new().unbounded().with_absolute_gradient_tolerance(1e-6);
    let start = FirstOrderState::new(theta.to_vec());
    Executor::new(Tuning { validation, path: &path }, solver, start).max_iter(steps).run()?;
    let mut path = path.into_inner();
    let best = (0..path.len()).min_by(|&i, &j| path[i].value.total_cmp(&path[j].value)).unwrap_or(0);
    path.truncate(best + 1);
    Ok(path)
}

/// The strengths that are looked at, from the weakest.
fn strengths() -> impl Iterator<Item = f64> {
    (-15..=0).map(|third| 10.0_f64.powf(f64::from(third) / 3.0))
}

fn largest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |largest, value| largest.max(value.abs()))
}

const HELP: &str = "\
Tunes the regularisation of a logistic regression by its gradient through the optimum.

Usage: cargo run --release --example implicit -- [OPTIONS] [FILE]

  FILE        a CSV file with a header line, numbers and a label with two classes; without it, the Wisconsin
              diagnostic breast-cancer data

Options:
  --l2 X      the strength to begin with, a positive number (1 without it)
  --steps N   how many steps to tune (12)
  --seed N    which rows are held out (2)
  --svg FILE  where the picture goes (implicit.svg)
  --help      this text
";

struct Options {
    file: PathBuf,
    l2: f64,
    steps: u64,
    seed: u64,
    svg: PathBuf,
}

/// Reads the command line; `None` asks for help.
fn options(mut arguments: Arguments) -> Result<Option<Options>, UsageError> {
    if arguments.contains(["-h", "--help"]) {
        return Ok(None);
    }
    let options = Options {
        l2: program::positive(&mut arguments, "--l2", 1.0)?,
        steps: arguments.opt_value_from_str("--steps")?.unwrap_or(12),
        seed: arguments.opt_value_from_str("--seed")?.unwrap_or(2),
        svg: arguments.opt_value_from_str("--svg")?.unwrap_or_else(|| "implicit.svg".into()),
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
    #[error("a fit ended at a gradient of norm {gradient_norm:.1e}: a strength is too weak or too strong")]
    NoOptimum { gradient_norm: f64 },
    #[error("a linear system was solved to a relative residual of {residual:.1e} only")]
    NoSolution { residual: f64 },
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
    let split = prepare::split(&data, options.seed)
        .map_err(|error| Failure::Prepare { file: options.file.clone(), error })?;
    let validation = Validation::new(&split);

    let mut text = format!(
        "{}: {} rows, {} features\n{} rows to fit, {} to validate\n\n",
        options.file.file_name().unwrap_or_default().display(),
        data.rows(),
        data.columns(),
        split.train.labels.len(),
        split.held_out.labels.len(),
    );
    // Writing to a string does not fail.
    text +=
        "  strength   validation loss   slope in ln(strength)   products   by differences   relative error\n";
    let mut curve = Vec::new();
    for strength in strengths() {
        let point = validation.point(&[strength.ln()])?;
        let (slope, by_differences) = (point.gradient[0], validation.differences(&point.theta)?[0]);
        let error = ((slope - by_differences) / by_differences).abs();
        let Point { value, products, .. } = point;
        let _ = writeln!(
            text,
            "{strength:>10.2e}  {value:>16.8}  {slope:>+22.6e}  {products:>9}  {by_differences:>+15.6e}  {error:>15.1e}"
        );
        curve.push(point);
    }

    let steps = tune(&validation, &[options.l2.ln()], options.steps)?;
    text += "\none strength, tuned:\n  strength   validation loss   slope in ln(strength)\n";
    for Point { theta, value, gradient, .. } in &steps {
        let _ = writeln!(text, "{:>10.2e}  {value:>16.8}  {:>+22.3e}", theta[0].exp(), gradient[0]);
    }

    // As many strengths as features: still one system a gradient.
    let best = &steps[steps.len() - 1];
    let theta = vec![best.theta[0]; data.columns()];
    let from = Instant::now();
    let first = validation.point(&theta)?;
    let implicit = from.elapsed();
    let from = Instant::now();
    let by_differences = validation.differences(&theta)?;
    let differences = from.elapsed();
    let errors = first.gradient.iter().zip(&by_differences).map(|(a, b)| a - b);
    let error = largest(errors) / largest(by_differences.iter().copied());
    let each = tune(&validation, &theta, options.steps)?;
    let end = &each[each.len() - 1];
    let (weakest, strongest) = end
        .theta
        .iter()
        .fold((f64::INFINITY, 0.0_f64), |(low, high), theta| (low.min(theta.exp()), high.max(theta.exp())));
    let _ = writeln!(
        text,
        "\na strength for each of {} features:\ngradient at {:.2e} in {:.2} ms with {} products, by differences in {:.2} ms, \
         relative error {error:.1e}\nvalidation loss {:.8} after {} gradients, {:.8} before; strengths from {weakest:.1e} to \
         {strongest:.1e}\n(so many strengths are themselves fitted to the validation rows: other rows must judge them)",
        data.columns(),
        best.theta[0].exp(),
        implicit.as_secs_f64() * 1e3,
        first.products,
        differences.as_secs_f64() * 1e3,
        end.value,
        each.len(),
        first.value,
    );

    draw(&curve, &steps, &options.svg)
        .map_err(|error| Failure::Picture { file: options.svg.clone(), error })?;
    let _ = writeln!(text, "picture: {}", options.svg.display());
    Ok(program::print(&text)?)
}

/// The validation loss over one strength: its value and its tangent by the implicit function theorem at each point of the
/// curve, and the steps of the tuning.
fn draw(curve: &[Point], steps: &[Point], path: &Path) -> Result<(), DrawingAreaErrorKind<io::Error>> {
    let root = SVGBackend::new(path, (800, 500)).into_drawing_area();
    root.fill(&WHITE)?;
    let points = || curve.iter().chain(steps);
    let x = |point: &Point| point.theta[0].exp();
    let low = points().map(x).fold(f64::INFINITY, f64::min);
    let high = points().map(x).fold(0.0, f64::max);
    let highest = points().map(|point| point.value).fold(0.0, f64::max);
    let mut chart = ChartBuilder::on(&root)
        .caption("Validation loss over the strength of the regularisation", ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(60)
        .build_cartesian_2d((low / 1.5..high * 1.5).log_scale(), 0.0..1.1 * highest)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .x_desc("strength")
        .y_desc("validation loss")
        .x_label_formatter(&|strength| format!("{strength:.0e}"))
        .draw()?;
    let tangent = |point: &Point| {
        let end = |side: f64| ((point.theta[0] + side).exp(), point.value + side * point.gradient[0]);
        PathElement::new([end(-0.35), end(0.35)], BLUE.stroke_width(2))
    };
    let key = |style: ShapeStyle| move |(x, y)| PathElement::new([(x, y), (x + 20, y)], style);
    chart
        .draw_series(curve.iter().map(tangent))?
        .label("tangents by the implicit function theorem")
        .legend(key(BLUE.stroke_width(2)));
    let dot = |point: &Point, style: ShapeStyle| Circle::new((x(point), point.value), 4, style);
    chart.draw_series(curve.iter().map(|point| dot(point, BLUE.filled())))?;
    let way =
        PathElement::new(steps.iter().map(|point| (x(point), point.value)).collect::<Vec<_>>(), RED.mix(0.5));
    chart.draw_series([way])?.label("steps of L-BFGS").legend(key(RED.stroke_width(1)));
    chart.draw_series(steps.iter().map(|point| dot(point, RED.mix(0.7).filled())))?;
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperMiddle)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.4))
        .draw()?;
    root.present()
}

fn main() -> ExitCode {
    program::conclude("implicit", run())
}
