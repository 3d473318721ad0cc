//! The plot: ratios over what is written by hand, and over primal and gradient, on logarithmic scales, with the limits that the
//! project sets itself.

use crate::functions::Kind;
use crate::table::Row;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use std::path::PathBuf;

/// Bars of one colour.
struct Series {
    label: &'static str,
    of: Kind,
    over: Kind,
    /// What the ratio should not exceed.
    limit: f64,
    colour: RGBColor,
}

const BLUE: RGBColor = RGBColor(0x33, 0x66, 0xaa);
const ORANGE: RGBColor = RGBColor(0xdd, 0x88, 0x22);

/// Each panel has two series.
const PANELS: [(&str, [Series; 2]); 2] = [
    (
        "over plain loops by hand",
        [
            Series {
                label: "gradient",
                of: Kind::Gradient,
                over: Kind::GradientByHand,
                limit: 1.1,
                colour: ORANGE,
            },
            Series { label: "HVP", of: Kind::Hvp, over: Kind::HvpByHand, limit: 1.1, colour: BLUE },
        ],
    ),
    (
        "HVP over primal and gradient",
        [
            Series {
                label: "over gradient",
                of: Kind::Hvp,
                over: Kind::Gradient,
                limit: 2.0,
                colour: ORANGE,
            },
            Series { label: "over primal", of: Kind::Hvp, over: Kind::Primal, limit: 5.0, colour: BLUE },
        ],
    ),
];

/// Below the last row, for the legend, in rows.
const ROOM: f64 = 1.7;

/// Writes `suite.svg` into the target folder.
pub(crate) fn write(rows: &[Row]) -> Result<PathBuf, String> {
    let path = target_folder()?.join("suite.svg");
    draw(rows, &path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(path)
}

/// This program stands in `TARGET/release/deps`.
fn target_folder() -> Result<PathBuf, String> {
    let this = std::env::current_exe().map_err(|e| e.to_string())?;
    let folder = this.ancestors().nth(3).ok_or("the program stands outside a target folder")?;
    Ok(folder.to_path_buf())
}

type Outcome = Result<(), Box<dyn std::error::Error>>;

fn draw(rows: &[Row], path: &PathBuf) -> Outcome {
    let height = 130 + 26 * rows.len() as u32;
    let root = SVGBackend::new(path, (1100, height)).into_drawing_area();
    root.fill(&WHITE)?;
    let (left, right) = root.split_horizontally(630);
    panel(&left, rows, &PANELS[0], 170)?;
    panel(&right, rows, &PANELS[1], 10)?;
    root.present()?;
    Ok(())
}

fn panel(
    area: &DrawingArea<SVGBackend<'_>, Shift>,
    rows: &[Row],
    (title, series): &(&str, [Series; 2]),
    names: u32,
) -> Outcome {
    let n = rows.len() as f64;
    let ratios = series.iter().flat_map(|s| rows.iter().filter_map(|row| row.ratio(s.of, s.over)));
    let (low, high) = ratios.fold((0.5_f64, 6.0_f64), |(low, high), r| (low.min(r), high.max(r)));
    let mut chart = ChartBuilder::on(area)
        .caption(title, ("sans-serif", 16))
        .margin(10)
        .x_label_area_size(25)
        .y_label_area_size(names)
        .build_cartesian_2d((low * 0.9..high * 1.2).log_scale(), -ROOM..n)?;
    chart
        .configure_mesh()
        .disable_y_mesh()
        .disable_y_axis()
        .light_line_style(TRANSPARENT)
        .x_label_formatter(&|x| format!("{x}"))
        .draw()?;
    for (k, series) in series.iter().enumerate() {
        let bars = rows.iter().enumerate().filter_map(|(i, row)| {
            let bottom = n - i as f64 - 0.48 - 0.38 * k as f64;
            let bar = [(low * 0.9, bottom), (row.ratio(series.of, series.over)?, bottom + 0.36)];
            Some(Rectangle::new(bar, series.colour.filled()))
        });
        let colour = series.colour;
        chart
            .draw_series(bars)?
            .label(format!("{} (limit {})", series.label, series.limit))
            .legend(move |(x, y)| Rectangle::new([(x, y - 5), (x + 12, y + 5)], colour.filled()));
        let limit = [(series.limit, -ROOM), (series.limit, n)];
        chart.draw_series(std::iter::once(PathElement::new(limit, colour.stroke_width(2))))?;
    }
    if names > 100 {
        let style = ("sans-serif", 13).into_text_style(area).pos(Pos::new(HPos::Right, VPos::Center));
        for (i, row) in rows.iter().enumerate() {
            let (x, y) = chart.backend_coord(&(low * 0.9, n - i as f64 - 0.5));
            area.draw_text(row.name, &style, (x - 8, y))?;
        }
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE)
        .label_font(("sans-serif", 12))
        .draw()?;
    Ok(())
}
