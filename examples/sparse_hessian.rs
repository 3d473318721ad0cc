//! A soap film in a bent wire frame: the surface of least area, by Newton's method with a sparse Hessian.
//!
//! `area_sparsity` finds which heights meet in the area, a colouring says which of them may share a product, and a few
//! products then give the whole matrix, on a grid of any size. The frame is cut out of Enneper's minimal surface, so that
//! the heights to be found are known (as in problem MSA of MINPACK-2; Averick et al. 1992). Run it with
//! `cargo run --release --example sparse_hessian`.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ad_runtime::differentiable;
use ad_runtime::operators::Dense;
use ad_runtime::solvers::SolverError;
use ad_runtime::solvers::newton_cg::{Ending, Minimum, NewtonCg};
use ad_runtime::solvers::objective::{HessianBody, from_scopes};
use ad_runtime::sparse::matrix::Mismatch;
use ad_runtime::sparse::{Coloring, ColoringError, CompressedHessian, Order, Pattern, SparsePlan};
use examples::program::{self, UsageError};
use indicatif::{ProgressBar, ProgressStyle};
use pico_args::Arguments;
use plotters::coord::Shift;
use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::*;
use thiserror::Error;

/// The area of a surface over a square of side 1, two triangles a cell. `frame` has the heights on a grid of `side + 2`
/// by `side + 2` points, of which those inside give way to `z`.
#[differentiable(wrt(z))]
fn area(z: &[f64], frame: &[f64], side: usize) -> f64 {
    let across = side + 2;
    let mut height = frame.to_vec();
    for i in 0..side {
        for j in 0..side {
            height[(i + 1) * across + j + 1] = z[i * side + j];
        }
    }
    let cells = (side + 1) as f64;
    let mut sum = 0.0;
    for i in 0..=side {
        for j in 0..=side {
            let k = i * across + j;
            let (a, b, c, d) = (height[k], height[k + 1], height[k + across], height[k + across + 1]);
            let lower = (b - a) * (b - a) + (c - a) * (c - a);
            let upper = (d - c) * (d - c) + (d - b) * (d - b);
            sum += (1.0 + cells * cells * lower).sqrt() + (1.0 + cells * cells * upper).sqrt();
        }
    }
    sum / (2.0 * cells * cells)
}

/// The height of Enneper's surface `(u + uv² - u³/3, -v - u²v + v³/3, u² - v²)` over a point.
fn enneper(x: f64, y: f64) -> f64 {
    let (mut u, mut v) = (x, -y);
    // Newton's method for u and v; at most 1/2 from the middle it converges from here in a few steps.
    for _ in 0..20 {
        let (fx, fy) = (u + u * v * v - u * u * u / 3.0 - x, -v - u * u * v + v * v * v / 3.0 - y);
        let (xu, xv, yv) = (1.0 + v * v - u * u, 2.0 * u * v, -1.0 - u * u + v * v);
        let determinant = xu * yv + xv * xv;
        let (du, dv) = ((yv * fx - xv * fy) / determinant, (xu * fy + xv * fx) / determinant);
        (u, v) = (u - du, v - dv);
    }
    u * u - v * v
}

/// The heights of Enneper's surface on the whole grid, of which the rim is the frame.
fn heights(side: usize) -> Vec<f64> {
    let at = |k: usize| k as f64 / (side + 1) as f64 - 0.5;
    (0..side + 2).flat_map(|i| (0..side + 2).map(move |j| enneper(at(j), at(i)))).collect()
}

/// The points inside of the frame, row by row.
fn inside(grid: &[f64], side: usize) -> impl Iterator<Item = f64> + '_ {
    grid.chunks_exact(side + 2).skip(1).take(side).flat_map(move |row| &row[1..=side]).copied()
}

/// The combinatorial part: once for a grid, whatever the heights.
struct Structure {
    pattern: Arc<Pattern>,
    /// By order: how many colours, star and acyclic.
    colors: Vec<(Order, usize, usize)>,
    /// Those with the fewest colours.
    star: Coloring,
    acyclic: Coloring,
}

impl Structure {
    fn new(pattern: Arc<Pattern>) -> Self {
        let count = |order| {
            let (star, acyclic) = (Coloring::star(&pattern, order), Coloring::acyclic(&pattern, order));
            (order, star.count(), acyclic.count())
        };
        Structure {
            colors: Order::ALL.map(count).to_vec(),
            star: Coloring::fewest(&pattern, Coloring::star),
            acyclic: Coloring::fewest(&pattern, Coloring::acyclic),
            pattern,
        }
    }
}

/// Above this many variables no dense Hessian is made: it would take more than 200 megabytes.
const MOST_DENSE: usize = 5000;
/// Newton's method ends where the norm of the gradient falls to this. Much further down, differences of areas are rounding.
const TOLERANCE: f64 = 1e-9;

/// All that is to be said of one grid.
struct Report {
    side: usize,
    structure: Structure,
    minimum: Minimum<f64>,
    /// The greatest distance from Enneper's surface.
    error: f64,
    /// How long it took to find the pattern, and the colouring with its plan.
    preparation: Duration,
    /// Of each Hessian: how many products, and how long it took.
    star: (usize, Duration),
    acyclic: (usize, Duration),
    /// The same, and the greatest difference from the sparse ones.
    dense: Option<(Duration, f64)>,
}

fn study(side: usize) -> Result<Report, Failure> {
    let exact = heights(side);
    // The heights inside of the frame count for nothing: they give way to those that are to be found.
    let frame = &exact;
    let mut z = vec![0.0; side * side];

    let (prepared, preparation) = fastest(|| {
        let sparsity = area_sparsity(&z, frame, side);
        let coloring = Coloring::star(&sparsity.pattern, Order::Natural);
        Ok::<_, ColoringError>((sparsity.for_all_inputs, SparsePlan::new(sparsity.pattern, &coloring)?))
    });
    let (for_all_inputs, plan) = prepared?;
    // No branch of `area` depends on a height: what was found at a flat film serves on the whole way.
    assert!(for_all_inputs);
    let structure = Structure::new(plan.pattern().clone());
    let room = |coloring| -> Result<_, Failure> {
        Ok(CompressedHessian::<f64, _>::new(SparsePlan::new(structure.pattern.clone(), coloring)?))
    };
    let (mut star, mut acyclic) = (room(&structure.star)?, room(&structure.acyclic)?);

    // Conjugate gradients take many products at a point: with the assembled matrix, they are cheap.
    let gradient = |z: &[f64], g: &mut [f64]| area_grad(z, frame, side, g);
    let hessian = |z: &[f64], body: HessianBody<f64>| body(star.assemble(&area_hessian(z, frame, side)));
    let minimum = NewtonCg::new()
        .gradient_tolerance(TOLERANCE)
        .max_iterations(100)
        .minimize(&mut from_scopes(gradient, hessian), &mut z)?;
    if minimum.ending != Ending::Converged {
        return Err(Failure::NoMinimum { side, gradient_norm: minimum.gradient_norm });
    }
    let error = inside(&exact, side).zip(&z).map(|(exact, z)| (exact - z).abs()).fold(0.0, f64::max);

    let operator = area_hessian(&z, frame, side);
    let ((), star_time) = fastest(|| _ = star.assemble(&operator));
    let ((), acyclic_time) = fastest(|| _ = acyclic.assemble(&operator));
    // One more product, at random, finds an entry that the pattern lacks.
    star.hessian().verify(&operator)?;
    acyclic.hessian().verify(&operator)?;
    let dense = (z.len() <= MOST_DENSE).then(|| {
        let (dense, time) = fastest(|| Dense::of(&operator));
        let difference = |i: usize| -> f64 {
            let entries = dense.row(i).iter().enumerate().flat_map(|(j, entry)| {
                [star.hessian().get(i, j) - entry, acyclic.hessian().get(i, j) - entry]
            });
            entries.fold(0.0, |largest, difference| difference.abs().max(largest))
        };
        (time, (0..z.len()).map(difference).fold(0.0, f64::max))
    });
    Ok(Report {
        side,
        minimum,
        error,
        preparation,
        star: (star.plan().products(), star_time),
        acyclic: (acyclic.plan().products(), acyclic_time),
        dense,
        structure,
    })
}

/// The outcome of some work, and the least time of several runs.
fn fastest<T>(mut work: impl FnMut() -> T) -> (T, Duration) {
    let start = Instant::now();
    let mut run = || {
        let from = Instant::now();
        (work(), from.elapsed())
    };
    let mut best = run();
    for _ in 1..20 {
        if start.elapsed() > Duration::from_millis(300) {
            break;
        }
        let (outcome, time) = run();
        best = (outcome, time.min(best.1));
    }
    best
}

fn milliseconds(time: Duration) -> String {
    format!("{:.3}", 1e3 * time.as_secs_f64())
}

/// What is printed.
fn table(reports: &[Report]) -> String {
    let mut text =
        String::from("A surface of least area in a frame, by Newton's method with its sparse Hessian\n\n");
    // Writing to a string does not fail.
    let mut row = |name: &str, cell: &dyn Fn(&Report) -> String| {
        let cells: String = reports.iter().map(|r| format!("{:>11}", cell(r))).collect();
        let _ = writeln!(text, "{}", format!("{name:<36}{cells}").trim_end());
    };
    row("grid", &|r| format!("{0}x{0}", r.side));
    row("variables", &|r| r.structure.pattern.dim().to_string());
    row("nonzeros", &|r| r.structure.pattern.nnz().to_string());
    row("iterations of Newton's method", &|r| r.minimum.iterations.to_string());
    row("products with the sparse matrix", &|r| r.minimum.products.to_string());
    row("area", &|r| format!("{:.7}", r.minimum.value));
    row("distance from the surface", &|r| format!("{:.2e}", r.error));
    row("colours, star / acyclic", &|_| String::new());
    for (k, &order) in Order::ALL.iter().enumerate() {
        row(&format!("  {order:?}"), &|r| {
            let (_, star, acyclic) = r.structure.colors[k];
            format!("{star} / {acyclic}")
        });
    }
    row("milliseconds", &|_| String::new());
    row("  pattern, colouring and plan, once", &|r| milliseconds(r.preparation));
    row("  sparse Hessian, star", &|r| milliseconds(r.star.1));
    row("  sparse Hessian, acyclic", &|r| milliseconds(r.acyclic.1));
    row("  dense Hessian", &|r| r.dense.map_or_else(|| "-".to_owned(), |(time, _)| milliseconds(time)));
    row("dense over star, time", &|r| {
        let ratio = |(dense, _): (Duration, f64)| dense.as_secs_f64() / r.star.1.as_secs_f64().max(1e-9);
        r.dense.map_or_else(|| "-".to_owned(), |dense| format!("{:.0}", ratio(dense)))
    });
    row("dense over star, products", &|r| {
        let ratio = |_| r.structure.pattern.dim() as f64 / r.star.0 as f64;
        r.dense.map_or_else(|| "-".to_owned(), |dense| format!("{:.0}", ratio(dense)))
    });
    row("greatest difference from dense", &|r| {
        r.dense.map_or_else(|| "-".to_owned(), |(_, difference)| format!("{difference:.1e}"))
    });
    text
}

const HELP: &str = "\
A surface of least area in a frame, by Newton's method with a sparse Hessian that a few products give.

Usage: cargo run --release --example sparse_hessian -- [OPTIONS]

Options:
  --side N     points along a side of the finest grid, at least 8 (128); each coarser one has half as many
  --svg FILE   where the picture goes (sparse_hessian.svg)
  --help       this text
";

struct Options {
    side: usize,
    svg: PathBuf,
}

/// Reads the command line; `None` asks for help.
fn options(mut arguments: Arguments) -> Result<Option<Options>, UsageError> {
    if arguments.contains(["-h", "--help"]) {
        return Ok(None);
    }
    let options = Options {
        side: arguments.opt_value_from_str("--side")?.unwrap_or(128),
        svg: arguments.opt_value_from_str("--svg")?.unwrap_or_else(|| "sparse_hessian.svg".into()),
    };
    program::nothing_else(arguments)?;
    if !(LEAST_SIDE..=MOST_SIDE).contains(&options.side) {
        let wanted = format!("a number from {LEAST_SIDE} to {MOST_SIDE}");
        return Err(UsageError::unfit("--side", wanted, options.side));
    }
    Ok(Some(options))
}

/// The coarsest grid, and the one that is drawn, has from this to less than twice as many points along a side.
const LEAST_SIDE: usize = 8;
const MOST_SIDE: usize = 1024;

/// Why there is no result.
#[derive(Debug, Error)]
enum Failure {
    #[error(transparent)]
    Usage(#[from] UsageError),
    #[error(transparent)]
    Coloring(#[from] ColoringError),
    #[error(transparent)]
    Solver(#[from] SolverError),
    #[error(transparent)]
    Mismatch(#[from] Mismatch<f64>),
    #[error(
        "on the grid of {side} points a side, Newton's method ended at a gradient of norm {gradient_norm:.1e}"
    )]
    NoMinimum { side: usize, gradient_norm: f64 },
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
    let mut sides: Vec<usize> =
        std::iter::successors(Some(options.side), |side| Some(side / 2).filter(|&side| side >= LEAST_SIDE))
            .collect();
    sides.reverse();
    let style = ProgressStyle::with_template("{wide_bar} {pos}/{len} grids; {msg}")?;
    let bar = ProgressBar::new(sides.len() as u64).with_style(style);
    let mut reports = Vec::new();
    for side in sides {
        bar.set_message(format!("{side} points a side"));
        reports.push(study(side)?);
        bar.inc(1);
    }
    bar.finish_and_clear();

    let coarsest = &reports[0];
    draw(coarsest.side, &coarsest.structure, &options.svg)
        .map_err(|error| Failure::Picture { file: options.svg.clone(), error })?;
    let text = format!("{}\npicture: {}\n", table(&reports), options.svg.display());
    Ok(program::print(&text)?)
}

/// The matrix, each entry in the colour of its column, and the grid in the colours of either kind.
fn draw(side: usize, structure: &Structure, path: &Path) -> Result<(), DrawingAreaErrorKind<io::Error>> {
    const PANEL: u32 = 440;
    let root = SVGBackend::new(path, (3 * PANEL, PANEL + 30)).into_drawing_area();
    root.fill(&WHITE)?;
    let panels = root.split_evenly((1, 3));
    let Structure { pattern, star, acyclic, .. } = structure;
    let entries = pattern.iter().map(|(i, j)| (j, i, star.colors()[j])).collect::<Vec<_>>();
    let caption = format!("{} nonzeros of {}²", pattern.nnz(), pattern.dim());
    squares(&panels[0], &caption, pattern.dim(), &entries, star.count())?;
    for (panel, name, coloring) in [(&panels[1], "star", star), (&panels[2], "acyclic", acyclic)] {
        let points = coloring.colors().iter().enumerate();
        let points = points.map(|(k, &color)| (k % side, k / side, color)).collect::<Vec<_>>();
        let caption = format!("the grid, {name}: {} colours", coloring.count());
        squares(panel, &caption, side, &points, coloring.count())?;
    }
    root.present()
}

/// Coloured squares (column, row, colour) in a square of `size` by `size`, rows from the top.
fn squares(
    panel: &DrawingArea<SVGBackend<'_>, Shift>,
    caption: &str,
    size: usize,
    list: &[(usize, usize, usize)],
    colors: usize,
) -> Result<(), DrawingAreaErrorKind<io::Error>> {
    let mut chart = ChartBuilder::on(panel)
        .caption(caption, ("sans-serif", 18))
        .margin(15)
        .build_cartesian_2d(0.0..size as f64, size as f64..0.0)?;
    // Hues at equal distances, light and dark by turns.
    let color = |k: usize| {
        let lightness = if k.is_multiple_of(2) { 0.45 } else { 0.65 };
        HSLColor(k as f64 / colors as f64, 0.75, lightness).filled()
    };
    let cell = |&(column, row, k): &(usize, usize, usize)| {
        let (x, y) = (column as f64, row as f64);
        Rectangle::new([(x, y), (x + 1.0, y + 1.0)], color(k))
    };
    chart.draw_series(list.iter().map(cell))?;
    let rim = size as f64;
    chart.draw_series([Rectangle::new([(0.0, 0.0), (rim, rim)], BLACK.mix(0.4))])?;
    Ok(())
}

fn main() -> ExitCode {
    program::conclude("sparse_hessian", run())
}
