//! The curvature of a neural network's loss while it learns to read digits: the largest eigenvalues of the Hessian by
//! Lanczos' method, and its whole spectrum by stochastic Lanczos quadrature (as Ghorbani, Krishnan & Xiao 2019 do).
//!
//! Both take products with the Hessian only, hundreds of them at each point: so it is linearised there. Run it with
//! `cargo run --release --example curvature`.

use std::fmt::Write as _;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ad_runtime::differentiable;
use ad_runtime::solvers::SolverError;
use ad_runtime::solvers::density::{SpectralDensity, Spectrum};
use ad_runtime::solvers::lanczos::{Ending, Lanczos, Which};
use examples::digits::{self, CLASSES, Digits, DigitsError, PIXELS};
use examples::program::{self, UsageError};
use indicatif::{ProgressBar, ProgressStyle};
use pico_args::Arguments;
use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::*;
use thiserror::Error;

/// Hidden units.
const HIDDEN: usize = 16;
/// Where the weights of the output layer begin: each layer has the weights from its first input, its second, ..., and
/// then the biases.
const OUTPUT: usize = (PIXELS + 1) * HIDDEN;
/// All weights.
const WEIGHTS: usize = OUTPUT + (HIDDEN + 1) * CLASSES;

/// What comes out for an image: a score for each digit.
#[differentiable(wrt(w))]
fn scores(w: &[f64], pixels: &[f64]) -> [f64; CLASSES] {
    let mut hidden = [0.0; HIDDEN];
    for k in 0..HIDDEN {
        hidden[k] = w[PIXELS * HIDDEN + k];
    }
    for j in 0..PIXELS {
        for k in 0..HIDDEN {
            hidden[k] += pixels[j] * w[j * HIDDEN + k];
        }
    }
    let mut scores = [0.0; CLASSES];
    for c in 0..CLASSES {
        scores[c] = w[OUTPUT + HIDDEN * CLASSES + c];
    }
    for k in 0..HIDDEN {
        let activation = hidden[k].tanh();
        for c in 0..CLASSES {
            scores[c] += activation * w[OUTPUT + k * CLASSES + c];
        }
    }
    scores
}

/// The mean cross-entropy of softmax.
#[differentiable(wrt(w))]
fn loss(w: &[f64], pixels: &[f64], labels: &[usize]) -> f64 {
    let mut total = 0.0;
    for i in 0..labels.len() {
        let scores = scores(w, &pixels[i * PIXELS..(i + 1) * PIXELS]);
        // tanh bounds the scores by the weights: no exponential overflows
        let mut sum = 0.0;
        for c in 0..CLASSES {
            sum += scores[c].exp();
        }
        total += sum.ln() - scores[labels[i]];
    }
    total / labels.len() as f64
}

/// Random weights of the variance at which the layers keep that of their inputs (LeCun et al. 1998), and no biases.
fn start(seed: u64) -> Vec<f64> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut w = vec![0.0; WEIGHTS];
    let (hidden, output) = w.split_at_mut(OUTPUT);
    for (layer, inputs, outputs) in [(hidden, PIXELS, HIDDEN), (output, HIDDEN, CLASSES)] {
        let bound = (3.0 / inputs as f64).sqrt();
        layer[..inputs * outputs].fill_with(|| bound * (2.0 * random.f64() - 1.0));
    }
    w
}

/// How many images the network reads right.
fn right(w: &[f64], digits: &Digits) -> usize {
    let best = |pixels| {
        let scores = scores(w, pixels);
        (0..CLASSES).max_by(|&a, &b| scores[a].total_cmp(&scores[b]))
    };
    let images = digits.pixels.chunks_exact(PIXELS).zip(&digits.labels);
    images.filter(|(pixels, label)| best(pixels) == Some(**label)).count()
}

/// The curvature at one moment of the training.
struct Moment {
    step: usize,
    loss: f64,
    right: usize,
    /// The largest eigenvalues, in descending order.
    largest: Vec<f64>,
    spectrum: Spectrum<f64>,
    products: usize,
}

/// How many eigenvalues are looked for: one more than there are digits, as there often is a gap after as many.
const EIGENVALUES: usize = CLASSES + 1;
/// An eigenvalue is then right to about the square of this, in relation to the largest one.
const TOLERANCE: f64 = 1e-6;

fn measure(step: usize, w: &[f64], digits: &Digits, bar: &ProgressBar) -> Result<Moment, Failure> {
    let hessian = loss_linearize(w, &digits.pixels, &digits.labels);
    let lanczos = Lanczos::new(EIGENVALUES, Which::Largest).tolerance(TOLERANCE);
    let pairs = lanczos.eigenpairs_with(&hessian, |progress| {
        bar.set_message(format!("{} of {EIGENVALUES} eigenvalues", progress.converged));
        ControlFlow::Continue(())
    })?;
    if pairs.ending != Ending::Converged {
        return Err(Failure::NoEigenvalues { step });
    }
    let spectrum = SpectralDensity::new().estimate_with(&hessian, |probe, _| {
        bar.set_message(format!("{probe} probes of the spectrum"));
        ControlFlow::Continue(())
    })?;
    Ok(Moment {
        step,
        loss: hessian.value(),
        right: right(w, digits),
        largest: pairs.values,
        products: pairs.products + spectrum.products,
        spectrum,
    })
}

/// Gradient descent with momentum on all images; the curvature is measured at the start and then after each quarter of
/// a quarter .. of the steps.
fn train(options: &Options, digits: &Digits) -> Result<Vec<Moment>, Failure> {
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} steps; {msg}")?;
    let bar = ProgressBar::new(options.steps as u64).with_style(style);
    let mut w = start(options.seed);
    let (mut gradient, mut velocity) = (vec![0.0; WEIGHTS], vec![0.0; WEIGHTS]);
    let mut moments = Vec::new();
    for step in 0..=options.steps {
        if !loss_grad(&w, &digits.pixels, &digits.labels, &mut gradient).is_finite() {
            return Err(Failure::Diverged { step });
        }
        if step == 0 || [64, 16, 4, 1].iter().any(|part| step * part == options.steps) {
            moments.push(measure(step, &w, digits, &bar)?);
        }
        for i in 0..WEIGHTS {
            velocity[i] = options.momentum * velocity[i] + gradient[i];
            w[i] -= options.rate * velocity[i];
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(moments)
}

const HELP: &str = "\
The Hessian's spectrum while a small neural network learns to read handwritten digits.

Usage: cargo run --release --example curvature -- [OPTIONS]

Options:
  --steps N      steps of gradient descent (640)
  --rate X       the learning rate (0.5)
  --momentum X   the momentum, from 0 to below 1 (0.9)
  --seed N       where the weights start (1)
  --svg FILE     where the picture goes (curvature.svg)
  --help         this text
";

struct Options {
    steps: usize,
    rate: f64,
    momentum: f64,
    seed: u64,
    svg: PathBuf,
}

/// Reads the command line; `None` asks for help.
fn options(mut arguments: Arguments) -> Result<Option<Options>, UsageError> {
    if arguments.contains(["-h", "--help"]) {
        return Ok(None);
    }
    let options = Options {
        steps: arguments.opt_value_from_str("--steps")?.unwrap_or(640),
        rate: program::positive(&mut arguments, "--rate", 0.5)?,
        momentum: arguments.opt_value_from_str("--momentum")?.unwrap_or(0.9),
        seed: arguments.opt_value_from_str("--seed")?.unwrap_or(1),
        svg: arguments.opt_value_from_str("--svg")?.unwrap_or_else(|| "curvature.svg".into()),
    };
    program::nothing_else(arguments)?;
    if !(0.0..1.0).contains(&options.momentum) {
        return Err(UsageError::unfit("--momentum", "a number from 0 to below 1", options.momentum));
    }
    Ok(Some(options))
}

/// Why there is no result.
#[derive(Debug, Error)]
enum Failure {
    #[error(transparent)]
    Usage(#[from] UsageError),
    #[error("{}: {error}", file.display())]
    Data { file: PathBuf, error: DigitsError },
    #[error("the loss is not finite after step {step}: try a smaller --rate")]
    Diverged { step: usize },
    #[error("the eigenvalues did not converge at step {step}")]
    NoEigenvalues { step: usize },
    #[error(transparent)]
    Solver(#[from] SolverError),
    #[error(transparent)]
    Bar(#[from] indicatif::style::TemplateError),
    #[error("{}: {error}", file.display())]
    Picture { file: PathBuf, error: DrawingAreaErrorKind<io::Error> },
    #[error("cannot write the table: {0}")]
    Print(#[from] io::Error),
}

fn run() -> Result<(), Failure> {
    let Some(options) = options(Arguments::from_env())? else {
        return Ok(program::print(HELP)?);
    };
    let file = program::data("digits.csv");
    let digits = digits::read(&file).map_err(|error| Failure::Data { file, error })?;
    let moments = train(&options, &digits)?;

    let mut text = format!(
        "{} digits; a network of {PIXELS}, {HIDDEN} and {CLASSES} units, {WEIGHTS} weights\n",
        digits.labels.len()
    );
    // Writing to a string does not fail.
    let mut row = |name: &str, cell: &dyn Fn(&Moment) -> String| {
        let cells: String = moments.iter().map(|m| format!("{:>13}", cell(m))).collect();
        let _ = writeln!(text, "{name:<18}{cells}");
    };
    row("step", &|m| m.step.to_string());
    row("loss", &|m| format!("{:.5}", m.loss));
    row("right", &|m| format!("{:.1} %", 100.0 * m.right as f64 / digits.labels.len() as f64));
    for k in 0..EIGENVALUES {
        row(&format!("eigenvalue {:>2}", k + 1), &|m| format!("{:.5}", m.largest[k]));
    }
    row("least, about", &|m| m.spectrum.range().map_or_else(String::new, |(least, _)| format!("{least:.5}")));
    row("trace, about", &|m| {
        let trace = m.spectrum.trace(|eigenvalue| eigenvalue);
        format!("{:.1} ± {:.1}", trace.value, trace.standard_error)
    });
    row("products", &|m| m.products.to_string());
    let _ = writeln!(
        text,
        "gradient descent is stable along directions of curvature up to {:.3}, (2 + 2 momentum) / rate",
        (2.0 + 2.0 * options.momentum) / options.rate
    );

    draw(&moments, &options.svg).map_err(|error| Failure::Picture { file: options.svg.clone(), error })?;
    let _ = writeln!(text, "picture: {}", options.svg.display());
    Ok(program::print(&text)?)
}

/// The density of eigenvalues on a logarithmic scale, a panel for each moment, with ticks where Lanczos' method found
/// the largest ones.
fn draw(moments: &[Moment], path: &Path) -> Result<(), DrawingAreaErrorKind<io::Error>> {
    /// Below this, the density is left out.
    const FLOOR: f64 = 1e-5;
    let ranges = moments.iter().filter_map(|m| m.spectrum.range());
    let (low, high) = ranges.fold((0.0_f64, 0.0_f64), |(low, high), (a, b)| (low.min(a), high.max(b)));
    // Wide enough to be seen, narrow enough to tell the large eigenvalues apart.
    let width = (high - low) / 150.0;
    let (low, high) = (low - 4.0 * width, high + 4.0 * width);
    let grid: Vec<f64> = (0..=800).map(|i| low + (high - low) * f64::from(i) / 800.0).collect();
    let top = 1.0 / width;

    let root = SVGBackend::new(path, (800, 170 * moments.len() as u32 + 20)).into_drawing_area();
    root.fill(&WHITE)?;
    for (moment, panel) in moments.iter().zip(root.split_evenly((moments.len(), 1))) {
        let mut density = vec![0.0; grid.len()];
        moment.spectrum.density(&grid, width, &mut density);
        let mut chart = ChartBuilder::on(&panel)
            .caption(format!("step {}, loss {:.4}", moment.step, moment.loss), ("sans-serif", 14))
            .margin_right(15)
            .x_label_area_size(25)
            .y_label_area_size(60)
            .build_cartesian_2d(low..high, (FLOOR..top).log_scale())?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .y_labels(4)
            .y_label_formatter(&|y| format!("{y:.0e}"))
            .y_desc("density")
            .draw()?;
        let curve = grid.iter().zip(&density).map(|(&x, &y)| (x, y.max(FLOOR)));
        let outline = [(low, FLOOR)].into_iter().chain(curve).chain([(high, FLOOR)]);
        chart.draw_series([Polygon::new(outline.collect::<Vec<_>>(), BLUE.mix(0.3))])?;
        let ticks = moment.largest.iter().map(|&x| PathElement::new([(x, FLOOR), (x, 6.0 * FLOOR)], RED));
        chart.draw_series(ticks)?;
    }
    root.present()
}

fn main() -> ExitCode {
    program::conclude("curvature", run())
}
