//! uniform-cubic-splines: a basis trait with associated constants as the type parameter.
use ad_runtime::differentiable;

pub trait Basis {
    const STEP: usize;
    const MATRIX: [[f64; 4]; 4];
}

pub struct CatmullRom;
impl Basis for CatmullRom {
    const STEP: usize = 1;
    const MATRIX: [[f64; 4]; 4] =
        [[-0.5, 1.5, -1.5, 0.5], [1.0, -2.5, 2.0, -0.5], [-0.5, 0.0, 0.5, 0.0], [0.0, 1.0, 0.0, 0.0]];
}

pub struct Bezier;
impl Basis for Bezier {
    const STEP: usize = 3;
    const MATRIX: [[f64; 4]; 4] =
        [[-1.0, 3.0, -3.0, 1.0], [3.0, -6.0, 3.0, 0.0], [-3.0, 3.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0]];
}

#[differentiable]
pub fn spline<B: Basis>(x: f64, knots: &[f64]) -> f64 {
    let number_of_segments: usize = ((knots.len() - 4) / B::STEP) + 1;

    let mut x = x.clamp(0.0, 1.0) * number_of_segments as f64;

    let mut segment = x as usize;
    let segment_bound = number_of_segments - 1;
    if segment > segment_bound {
        segment = segment_bound;
    }

    // x is the position along the segment.
    x = x - segment as f64;

    let start = segment * B::STEP;

    // Get a slice for the segment.
    let cv = &knots[start..start + 4];

    B::MATRIX
        .iter()
        .map(|row| cv.iter().zip(row.iter()).fold(0.0, |total, (cv, basis)| total + *cv * *basis))
        .fold(0.0, |acc, elem| acc * x + elem)
}

const X: &[f64] = &[0.37, -0.4, 0.0, 0.4, 0.5, 0.9, 1.0, 1.9];
fn at(x: &[f64]) -> f64 {
    spline::<CatmullRom>(x[0], &x[1..])
}
fn check<B: Basis>(name: &str) {
    crate::harness::check(
        name,
        X,
        |x| spline::<B>(x[0], &x[1..]),
        |x| {
            let mut g = vec![f64::NAN; x.len()];
            let (value, dx) = spline_grad::<B>(x[0], &x[1..], &mut g[1..]);
            g[0] = dx;
            (value, g)
        },
        |x, v| {
            let mut h = vec![f64::NAN; x.len()];
            h[0] = spline_hvp::<B>(x[0], &x[1..], v[0], &v[1..], &mut h[1..]);
            h
        },
    );
}
#[test]
fn exact() {
    check::<CatmullRom>("uniform_spline catmull-rom");
    check::<Bezier>("uniform_spline bezier");
}
