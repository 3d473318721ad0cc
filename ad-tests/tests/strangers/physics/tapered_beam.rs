//! Tip deflection of a tapered cantilever by the unit load theorem; cross-section given by an enum.
use ad_runtime::differentiable;
use std::f64::consts::PI;

#[derive(Clone, Copy, Debug)]
enum Section {
    Rectangle { aspect: f64 },
    Tube { wall_ratio: f64 },
    Round,
}

#[differentiable]
fn second_moment(section: Section, depth: f64) -> f64 {
    match section {
        Section::Rectangle { aspect } => aspect * depth.powi(4) / 12.0,
        Section::Tube { wall_ratio } if wall_ratio < 0.1 => PI * depth.powi(4) * wall_ratio / 8.0,
        Section::Tube { wall_ratio } => {
            let inner = depth * (1.0 - 2.0 * wall_ratio);
            PI * (depth.powi(4) - inner.powi(4)) / 64.0
        }
        Section::Round => PI * depth.powi(4) / 64.0,
    }
}

#[differentiable]
fn simpson(f: impl Fn(f64) -> f64, a: f64, b: f64, panels: usize) -> f64 {
    let h = (b - a) / (2 * panels) as f64;
    let inner: f64 =
        (1..2 * panels).map(|i| (if i % 2 == 1 { 4.0 } else { 2.0 }) * f(a + h * i as f64)).sum();
    h / 3.0 * (f(a) + inner + f(b))
}

#[differentiable(wrt(root_depth, tip_depth, span, force))]
fn tip_deflection(
    root_depth: f64,
    tip_depth: f64,
    span: f64,
    force: f64,
    modulus: f64,
    self_weight: f64,
    section: Section,
) -> f64 {
    let depth = |x: f64| root_depth + (tip_depth - root_depth) * x / span;
    let moment = |x: f64| force * (span - x) + 0.5 * self_weight * (span - x).powi(2);
    let curvature = |x: f64| moment(x) / (modulus * second_moment(section, depth(x)));
    simpson(|x| curvature(x) * (span - x), 0.0, span, 8)
}

#[test]
fn exact() {
    for (section, modulus) in [
        (Section::Rectangle { aspect: 0.6 }, 30.0),
        (Section::Tube { wall_ratio: 0.06 }, 40.0),
        (Section::Tube { wall_ratio: 0.2 }, 25.0),
        (Section::Round, 20.0),
    ] {
        super::harness::check(
            "tapered_beam",
            &[1.2, 0.8, 1.5, 0.7],
            |x| tip_deflection(x[0], x[1], x[2], x[3], modulus, 0.3, section),
            |x| {
                let (value, (a, b, c, d)) =
                    tip_deflection_grad(x[0], x[1], x[2], x[3], modulus, 0.3, section);
                (value, vec![a, b, c, d])
            },
            |x, v| {
                let (a, b, c, d) =
                    tip_deflection_hvp(x[0], x[1], x[2], x[3], modulus, 0.3, section, v[0], v[1], v[2], v[3]);
                vec![a, b, c, d]
            },
        );
    }
}
