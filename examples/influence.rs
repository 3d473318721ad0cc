//! Which training rows matter for a prediction? Influence functions of a logistic regression (Koh & Liang 2017).
//!
//! Without training row `i`, the weights at the optimum move by about `H⁻¹ ∇ℓᵢ / n`, and the loss of another row by
//! the product of that with its own gradient. One linear system for each row asked about tells the influence of all
//! training rows; fitting again without the ones that matter most shows how good the estimate is. Run it with
//! `cargo run --release --example influence`.

use std::fmt::Write as _;
use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ad_runtime::differentiable;
use ad_runtime::operators::HessianOperator;
use ad_runtime::solvers::objective::{HessianBody, from_scopes};
use ad_runtime::solvers::{SolverError, cg, newton_cg};
use examples::dataset::{self, DatasetError};
use examples::prepare::{self, PrepareError, Rows};
use examples::program::{self, UsageError};
use indicatif::ProgressBar;
use pico_args::Arguments;
use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::*;
use thiserror::Error;

/// The logistic loss of one row. `w` is the weight of each feature, then the bias.
#[differentiable(wrt(w))]
fn row_loss(w: &[f64], features: &[f64], label: f64) -> f64 {
    let mut z = w[features.len()];
    for j in 0..features.len() {
        z += features[j] * w[j];
    }
    // ln(1 + e^z) in the form that neither overflows nor cancels, smooth on both sides of 0
    let softplus = if z > 0.0 { z + (-z).exp().ln_1p() } else { z.exp().ln_1p() };
    softplus - label * z
}

/// The loss of all rows, each with its share, and half of `l2` times the squared norm of the weights.
#[differentiable(wrt(w))]
fn loss(w: &[f64], features: &[f64], labels: &[f64], shares: &[f64], l2: f64) -> f64 {
    let columns = w.len() - 1;
    let mut total = 0.0;
    for i in 0..labels.len() {
        total += shares[i] * row_loss(w, &features[i * columns..(i + 1) * columns], labels[i]);
    }
    total + 0.5 * l2 * w[..columns].iter().map(|w| w * w).sum::<f64>()
}

/// The fit stops where the norm of the gradient falls to this: far below the changes that are measured.
const TOLERANCE: f64 = 1e-11;

/// Minimises the loss from `w`, which is overwritten.
fn fit(rows: &Rows, shares: &[f64], l2: f64, w: &mut [f64]) -> Result<newton_cg::Minimum<f64>, Failure> {
    let (x, y) = (&rows.features, &rows.labels);
    let gradient = |w: &[f64], g: &mut [f64]| loss_grad(w, x, y, shares, l2, g);
    let hessian = |w: &[f64], body: HessianBody<f64>| body(&loss_linearize(w, x, y, shares, l2));
    let minimum = newton_cg::NewtonCg::new()
        .gradient_tolerance(TOLERANCE)
        .max_iterations(200)
        .minimize(&mut from_scopes(gradient, hessian), w)?;
    match minimum.ending {
        newton_cg::Ending::Converged => Ok(minimum),
        _ => Err(Failure::NoOptimum { gradient_norm: minimum.gradient_norm }),
    }
}

/// By how much the loss of a row changes without each of the training rows, to first order. `hessian` is that of the
/// loss of the training rows, at its minimum `w`.
fn influences(
    hessian: &dyn HessianOperator<Scalar = f64>,
    w: &[f64],
    train: &Rows,
    features: &[f64],
    label: f64,
) -> Result<Vec<f64>, Failure> {
    let mut gradient = vec![0.0; w.len()];
    row_loss_grad(w, features, label, &mut gradient);
    let mut solution = vec![0.0; w.len()];
    let solved = cg::ConjugateGradient::new().solve(hessian, &gradient, &mut solution)?;
    if solved.ending != cg::Ending::Converged {
        return Err(Failure::NoSolution { residual: solved.relative_residual });
    }
    let share = 1.0 / train.labels.len() as f64;
    let influence = |i| {
        row_loss_grad(w, train.row(i), train.labels[i], &mut gradient);
        share * gradient.iter().zip(&solution).map(|(g, s)| g * s).sum::<f64>()
    };
    Ok((0..train.labels.len()).map(influence).collect())
}

/// What removing a training row does to the loss of the row asked about.
struct Change {
    train_row: usize,
    predicted: f64,
    actual: f64,
}

/// A held-out row that is asked about, and the training rows that matter most for it.
struct Question {
    row: usize,
    loss: f64,
    changes: Vec<Change>,
}

/// Pearson's correlation of predicted and actual changes.
fn correlation<'a>(changes: impl Iterator<Item = &'a Change> + Clone) -> f64 {
    let n = changes.clone().count() as f64;
    let mean = |of: fn(&Change) -> f64| changes.clone().map(of).sum::<f64>() / n;
    let (x, y) = (mean(|c| c.predicted), mean(|c| c.actual));
    let (mut xx, mut xy, mut yy) = (0.0, 0.0, 0.0);
    for change in changes {
        let (dx, dy) = (change.predicted - x, change.actual - y);
        (xx, xy, yy) = (xx + dx * dx, xy + dx * dy, yy + dy * dy);
    }
    xy / (xx * yy).sqrt()
}

const HELP: &str = "\
Influence functions of a logistic regression, checked by fitting again without the rows that matter most.

Usage: cargo run --release --example influence -- [OPTIONS] [FILE]

  FILE            a CSV file with a header line, numbers and a label with two classes; without it, the
                  Wisconsin diagnostic breast-cancer data

Options:
  --l2 X          strength of the regularisation, a positive number (0.01 without it)
  --questions N   how many held-out rows to ask about: those with the largest loss (3)
  --rows N        how many training rows to leave out for each of them (15)
  --seed N        which rows are held out (1)
  --svg FILE      where the picture goes (influence.svg)
  --help          this text
";

struct Options {
    file: PathBuf,
    l2: f64,
    questions: NonZeroUsize,
    rows: NonZeroUsize,
    seed: u64,
    svg: PathBuf,
}

/// Reads the command line; `None` asks for help.
fn options(mut arguments: Arguments) -> Result<Option<Options>, UsageError> {
    if arguments.contains(["-h", "--help"]) {
        return Ok(None);
    }
    let count = |n| NonZeroUsize::new(n).expect("not zero");
    let options = Options {
        l2: program::positive(&mut arguments, "--l2", 0.01)?,
        questions: arguments.opt_value_from_str("--questions")?.unwrap_or(count(3)),
        rows: arguments.opt_value_from_str("--rows")?.unwrap_or(count(15)),
        seed: arguments.opt_value_from_str("--seed")?.unwrap_or(1),
        svg: arguments.opt_value_from_str("--svg")?.unwrap_or_else(|| "influence.svg".into()),
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
    #[error("the fit ended at a gradient of norm {gradient_norm:.1e}: try a larger --l2")]
    NoOptimum { gradient_norm: f64 },
    #[error("the linear system was solved to a relative residual of {residual:.1e} only: try a larger --l2")]
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
    let (train, held_out) = (&split.train, &split.held_out);
    let n = train.labels.len();

    let mut shares = vec![1.0 / n as f64; n];
    let mut w = vec![0.0; train.columns + 1];
    let minimum = fit(train, &shares, options.l2, &mut w)?;

    // The held-out rows that the model does worst on.
    let mut hardest: Vec<(usize, f64)> =
        (0..held_out.labels.len()).map(|i| (i, row_loss(&w, held_out.row(i), held_out.labels[i]))).collect();
    hardest.sort_by(|a, b| b.1.total_cmp(&a.1));
    hardest.truncate(options.questions.get());

    // One point, many products: the operator is linearised once.
    let hessian = loss_linearize(&w, &train.features, &train.labels, &shares, options.l2);
    let mut questions = Vec::new();
    for (row, loss) in hardest {
        let (features, label) = (held_out.row(row), held_out.labels[row]);
        let predicted = influences(&hessian, &w, train, features, label)?;
        let mut order: Vec<usize> = (0..n).collect();
        order.sort_by(|&i, &j| predicted[j].abs().total_cmp(&predicted[i].abs()));
        order.truncate(options.rows.get());
        let changes = order
            .into_iter()
            .map(|i| Change { train_row: i, predicted: predicted[i], actual: f64::NAN })
            .collect();
        questions.push(Question { row, loss, changes });
    }
    drop(hessian);

    let bar = ProgressBar::new(questions.iter().map(|q| q.changes.len() as u64).sum());
    for question in &mut questions {
        let (features, label) = (held_out.row(question.row), held_out.labels[question.row]);
        for change in &mut question.changes {
            // The other rows keep their shares, as in the definition of influence.
            let share = std::mem::replace(&mut shares[change.train_row], 0.0);
            let mut without = w.clone();
            fit(train, &shares, options.l2, &mut without)?;
            shares[change.train_row] = share;
            change.actual = row_loss(&without, features, label) - question.loss;
            bar.inc(1);
        }
    }
    bar.finish_and_clear();

    let mut text = format!(
        "{}: {} rows, {} features\n{n} rows to fit, l2 = {}: loss {:.6} after {} iterations and {} products\n",
        options.file.file_name().unwrap_or_default().display(),
        data.rows(),
        data.columns(),
        options.l2,
        minimum.value,
        minimum.iterations,
        minimum.products,
    );
    // Writing to a string does not fail.
    for Question { row, loss, changes } in &questions {
        let class = |label: f64| &data.classes[usize::from(label > 0.5)];
        let (number, label) = (held_out.numbers[*row], class(held_out.labels[*row]));
        let _ = writeln!(text, "\nheld-out row {number}, label {label}: loss {loss:.4}");
        text += "change of it without  label     predicted        actual\n";
        for Change { train_row, predicted, actual } in changes {
            let (number, label) = (train.numbers[*train_row], class(train.labels[*train_row]));
            let _ =
                writeln!(text, "training row {number:>8}  {label:>5}  {predicted:>+12.3e}  {actual:>+12.3e}");
        }
        let _ = writeln!(text, "correlation {:.4}", correlation(changes.iter()));
    }
    let all = questions.iter().flat_map(|q| &q.changes);
    let mut ratios: Vec<f64> = all.clone().map(|c| c.predicted / c.actual).collect();
    ratios.sort_by(f64::total_cmp);
    let _ = writeln!(
        text,
        "\nall {} changes: correlation {:.4}, median of predicted over actual {:.3}",
        ratios.len(),
        correlation(all),
        ratios[ratios.len() / 2]
    );

    draw(&questions, held_out, &options.svg)
        .map_err(|error| Failure::Picture { file: options.svg.clone(), error })?;
    let _ = writeln!(text, "picture: {}", options.svg.display());
    Ok(program::print(&text)?)
}

/// Actual over predicted changes, a panel for each question. Where the two agree, points lie on the line.
fn draw(questions: &[Question], held_out: &Rows, path: &Path) -> Result<(), DrawingAreaErrorKind<io::Error>> {
    let across = questions.len().min(3);
    let down = questions.len().div_ceil(across);
    let root = SVGBackend::new(path, (400 * across as u32, 400 * down as u32)).into_drawing_area();
    root.fill(&WHITE)?;
    for (question, panel) in questions.iter().zip(root.split_evenly((down, across))) {
        let values = question.changes.iter().flat_map(|c| [c.predicted, c.actual]);
        let (low, high) = values.fold((0.0_f64, 0.0_f64), |(low, high), v| (low.min(v), high.max(v)));
        let room = 0.05 * (high - low).max(1e-12);
        let (low, high) = (low - room, high + room);
        let mut chart = ChartBuilder::on(&panel)
            .caption(
                format!("held-out row {}: change of its loss", held_out.numbers[question.row]),
                ("sans-serif", 16),
            )
            .margin(12)
            .x_label_area_size(40)
            .y_label_area_size(60)
            .build_cartesian_2d(low..high, low..high)?;
        chart
            .configure_mesh()
            .light_line_style(TRANSPARENT)
            .x_labels(5)
            .y_labels(5)
            .x_desc("predicted change")
            .y_desc("actual change")
            .draw()?;
        chart.draw_series([PathElement::new([(low, low), (high, high)], BLACK.mix(0.4))])?;
        let point = |c: &Change| Circle::new((c.predicted, c.actual), 4, BLUE.mix(0.6).filled());
        chart.draw_series(question.changes.iter().map(point))?;
    }
    root.present()
}

fn main() -> ExitCode {
    program::conclude("influence", run())
}
