//! Helpers of every kind that are written out where they are called; methods of data; `?` and failures in chains.

use ad_runtime::{Differentiable, differentiable};
use std::ops::{Add, AddAssign, Mul};

#[differentiable]
fn product<const R: usize, const C: usize>(m: &[[f64; C]; R], v: &[f64; C]) -> [f64; R] {
    std::array::from_fn(|i| m[i].iter().zip(v).map(|(a, b)| a * b).sum())
}

#[differentiable]
fn roots<T: num_traits::Float>(b: T, c: T) -> Vec<T> {
    const SIGNS: [f64; 2] = [-1.0, 1.0];
    let two = T::one() + T::one();
    let root = (b * b - T::from(4.0).unwrap() * c).sqrt();
    SIGNS.iter().map(|s| (T::from(*s).unwrap() * root - b) / two).collect()
}

struct Plant<const N: usize> {
    a: [[f64; N]; N],
}

#[test]
fn generic_helpers() {
    #[differentiable(wrt(x))]
    fn g(x: &[f64], plant: &Plant<2>) -> f64 {
        // The first length follows from what is passed, the second only from the data.
        let start = [x[0] * x[1], x[1]];
        let turned = product(&[[x[0], x[1], 1.0], [x[1], x[0], 1.0]], &[x[0], 1.0, x[1] * x[1]]);
        let driven = product(&plant.a, &start);
        let both = roots(x[0] + 3.0, x[1]);
        turned[0] * turned[1] + driven.iter().map(|d| d * d).sum::<f64>() + both[0] * both[1] * both[1]
    }
    let plant = Plant { a: [[0.5, -1.0], [2.0, 0.3]] };
    let f = |p: &[f64]| g(p, &plant);
    let mut gr = [0.0; 2];
    let value = g_grad(&[0.7, 1.1], &plant, &mut gr);
    crate::supported::close("value", &[value], &[f(&[0.7, 1.1])], 1e-14);
    for (i, d) in gr.iter().enumerate() {
        let unit: Vec<f64> = (0..2).map(|j| f64::from(u8::from(i == j))).collect();
        let want = crate::supported::difference(&[0.7, 1.1], &unit, |p| vec![f(p)]);
        crate::supported::close("gradient", &[*d], &want, 1e-9);
    }
}

#[test]
fn helpers_that_take_iterators() {
    #[differentiable]
    fn log_sum_exp(values: impl Iterator<Item = f64> + Clone) -> f64 {
        let max = values.clone().fold(f64::NEG_INFINITY, f64::max);
        max + values.map(|v| (v - max).exp()).sum::<f64>().ln()
    }
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let positive = x.iter().filter(|v| **v > 0.0);
        log_sum_exp(positive.map(|v| v * v)) * log_sum_exp(x.iter().copied())
    }
    check_slice!([0.4, -0.8, 1.3]);
}

type V3 = [f64; 3];

#[test]
fn helpers_behind_type_aliases() {
    #[differentiable]
    fn cross(a: V3, b: V3) -> V3 {
        [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]]
    }
    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        let shifted: V3 = std::array::from_fn(|k| x * k as f64 + y);
        let c = cross([x, y, x * y], shifted);
        c[0] * c[1] + c[2]
    }
    check_xy!(0.7, 1.3);
}

const WEIGHTS: [f64; 3] = [0.5, -1.0, 2.0];

#[test]
fn constants_by_reference() {
    #[differentiable]
    fn horner(c: &[f64], x: f64) -> f64 {
        c.iter().rev().fold(0.0, |s, c| s * x + c)
    }
    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        horner(&WEIGHTS, x) * horner(&[1.0, 2.0], y)
    }
    check_xy!(0.7, 1.3);
}

#[derive(Clone, Copy, Debug, Default, Differentiable)]
struct Vec2 {
    x: f64,
    y: f64,
}

#[differentiable]
impl Add for Vec2 {
    type Output = Self;
    fn add(self, o: Self) -> Self {
        Vec2 { x: self.x + o.x, y: self.y + o.y }
    }
}
#[differentiable]
impl AddAssign for Vec2 {
    fn add_assign(&mut self, o: Self) {
        self.x += o.x;
        self.y += o.y;
    }
}
#[differentiable]
impl Mul<f64> for Vec2 {
    type Output = Self;
    fn mul(self, s: f64) -> Self {
        Vec2 { x: self.x * s, y: self.y * s }
    }
}
#[differentiable]
impl std::iter::Sum for Vec2 {
    fn sum<I: Iterator<Item = Self>>(iter: I) -> Self {
        iter.fold(Vec2::default(), |a, b| a + b)
    }
}
#[differentiable]
impl From<f64> for Vec2 {
    fn from(x: f64) -> Self {
        Vec2 { x, y: 0.5 * x }
    }
}
#[differentiable]
impl From<(f64, f64)> for Vec2 {
    fn from((x, y): (f64, f64)) -> Self {
        Vec2 { x, y }
    }
}
#[differentiable]
impl Vec2 {
    fn len2(&self) -> f64 {
        self.x * self.x + self.y * self.y
    }
}

#[test]
fn sums_and_conversions_of_own_structs() {
    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        let start: Vec2 = (x, y).into();
        let total: Vec2 = (0..4).map(|k| start * (k as f64 + y)).sum();
        let other = total + x.into() + Vec2::from((y, 1.0));
        let mut trail = vec![start; 3];
        for k in 1..3 {
            let step = trail[k - 1] * y;
            trail[k] += step;
        }
        other.len2() * Vec2::from(y).len2() + trail.iter().map(|p| p.len2()).sum::<f64>()
    }
    check_xy!(0.7, 1.3);
}

#[derive(Clone, Copy)]
enum Model {
    Flat,
    Power { tenths: u8 },
    Bent(f64),
}

#[differentiable]
impl Model {
    fn rise(self, h: f64) -> f64 {
        match self {
            Model::Flat => h,
            Model::Power { tenths } => h.powf(tenths as f64 / 10.0),
            Model::Bent(by) => h * (by * h).exp(),
        }
    }
}

#[test]
fn methods_of_data() {
    #[differentiable(wrt(x))]
    fn f(x: &[f64], models: &[Model]) -> f64 {
        models.iter().zip(x).map(|(model, h)| model.rise(h * h + x[0])).product()
    }
    let models = [Model::Power { tenths: 13 }, Model::Bent(-0.4), Model::Flat];
    check_slice!([0.7, 1.3, 0.4], &models);
}

enum Shape {
    Ball([f64; 2], f64),
    Half { normal: [f64; 2] },
    Blend(Box<Shape>, Box<Shape>, f64),
    Moved { by: f64, inner: Box<Shape> },
}

impl Shape {
    #[differentiable]
    fn distance(&self, p: [f64; 2]) -> f64 {
        let [x, y] = p;
        match self {
            Shape::Ball([cx, cy], r) => (x - cx).hypot(y - cy) - r,
            Shape::Half { normal } => normal.iter().zip(&p).map(|(n, c)| n * c).sum(),
            Shape::Blend(a, b, k) => {
                let (da, db) = (a.distance(p), b.distance(p));
                da + db * (k * da).exp()
            }
            Shape::Moved { by, inner } => inner.distance([x * y, y - by * x]),
        }
    }
}

#[test]
fn methods_that_call_themselves() {
    let scene = Shape::Blend(
        Box::new(Shape::Moved { by: 0.3, inner: Box::new(Shape::Ball([2.0, 0.5], 0.4)) }),
        Box::new(Shape::Half { normal: [0.6, -0.8] }),
        0.7,
    );
    let p = |x: &[f64]| [x[0], x[1]];
    let x = [0.7, 1.3];
    let (value, g) = scene.distance_grad(p(&x));
    crate::supported::close("value", &[value], &[scene.distance(p(&x))], 1e-14);
    let v = [0.4, -1.1];
    let slope = crate::supported::difference(&x, &v, |q| vec![scene.distance(p(q))]);
    crate::supported::close("slope", &[g[0] * v[0] + g[1] * v[1]], &slope, 1e-9);
    let want = crate::supported::difference(&x, &v, |q| scene.distance_grad(p(q)).1.to_vec());
    crate::supported::close("Hv", &scene.distance_hvp(p(&x), v), &want, 1e-9);
    crate::supported::close("Hv", &scene.distance_hvp_rev(p(&x), v), &want, 1e-9);
}

#[derive(Debug, PartialEq)]
enum Failure {
    Negative { index: usize },
    Outside(Range),
}
#[derive(Debug, PartialEq)]
struct Range;
impl From<Range> for Failure {
    fn from(range: Range) -> Failure {
        Failure::Outside(range)
    }
}

#[test]
fn question_marks_in_closures_and_helpers() {
    #[differentiable]
    fn root(x: f64, index: usize) -> Result<f64, Failure> {
        if x < 0.0 {
            return Err(Failure::Negative { index });
        }
        Ok(x.sqrt())
    }
    #[differentiable]
    fn inside(x: f64) -> Result<f64, Range> {
        if x > 10.0 { Err(Range) } else { Ok(x) }
    }
    #[differentiable]
    fn scaled(x: f64, index: usize) -> Result<f64, Failure> {
        let r = root(x, index)? + 1.0;
        if r > 2.0 {
            return Ok(inside(r * x)?);
        }
        Ok(r * inside(x)?)
    }
    #[differentiable]
    fn f(x: &[f64]) -> Result<f64, Failure> {
        let log = |v: f64| -> Option<f64> {
            let positive = Some(v).filter(|v| *v > 0.0)?;
            Some(positive.ln() * Some(v * v)?)
        };
        let total =
            x.iter().enumerate().try_fold(0.0, |sum, (i, v)| Ok::<f64, Failure>(sum + scaled(*v, i)? * v))?;
        let list = x.iter().enumerate().map(|(i, v)| root(*v, i)).collect::<Result<Vec<f64>, Failure>>()?;
        let logs: Option<f64> = x.iter().map(|v| log(*v)).sum();
        let product = x.iter().map(|v| scaled(*v, 7)).product::<Result<f64, _>>()?;
        Ok(total + list[0] * list[1] + logs.unwrap_or(1.0) + product)
    }
    let mut g = [f64::NAN; 2];
    assert_eq!(f_grad(&[0.5, -1.0], &mut g), Err(Failure::Negative { index: 1 }));
    assert_eq!(f_grad(&[0.5, 9.0], &mut g), Err(Failure::Outside(Range)));
    let x = [0.6, 1.4];
    assert!(f_grad(&x, &mut g).is_ok());
    let v = [0.4, -1.1];
    let slope = crate::supported::difference(&x, &v, |p| vec![f(p).unwrap()]);
    crate::supported::close("slope", &[g[0] * v[0] + g[1] * v[1]], &slope, 1e-9);
    let mut hv = [f64::NAN; 2];
    assert!(f_hvp(&x, &v, &mut hv).is_ok());
    let want = crate::supported::difference(&x, &v, |p| {
        let mut g = vec![0.0; 2];
        f_grad(p, &mut g).unwrap();
        g
    });
    crate::supported::close("Hv", &hv, &want, 1e-9);
}

/// Nothing is derived: only the signature tells of what length its arrays are.
struct Penalty<const N: usize>;
impl<const N: usize> Penalty<N> {
    fn parts() -> ([f64; N], [f64; N]) {
        (std::array::from_fn(|k| k as f64 + 1.0), [0.5; N])
    }
}

#[test]
fn lengths_told_by_signatures_of_data() {
    #[differentiable]
    fn total<const N: usize>(a: [f64; N], b: [f64; N]) -> f64 {
        let mut s = 0.0;
        for k in 0..N {
            s += a[k] * b[N - 1 - k];
        }
        s
    }
    #[differentiable]
    fn f<const N: usize>(x: &[f64; N]) -> f64 {
        let (d, e) = Penalty::<N>::parts();
        total(d.map(|v| 1.0 + x[0] * v), e.map(|v| v * x[N - 1].exp())) * x[1]
    }
    let x = [0.3, -0.8, 0.6];
    let mut g = [f64::NAN; 3];
    let value = f_grad(&x, &mut g);
    let (sum, factor) = (3.0 + 6.0 * x[0], 0.5 * x[2].exp());
    let wanted = [6.0 * factor * x[1], sum * factor, sum * factor * x[1]];
    assert!((value - sum * factor * x[1]).abs() < 1e-14);
    assert!(g.iter().zip(&wanted).all(|(g, w)| (g - w).abs() < 1e-14), "{g:?} {wanted:?}");
}

#[test]
fn iterators_that_are_made() {
    use std::iter::successors;

    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        let terms = successors(Some((1.0, 1.0)), |&(k, term)| Some((k + 1.0, term * x / (k * k))));
        let series = terms.map(|(_, term)| term * y).take_while(|&term| term > 1e-3).sum::<f64>();
        let powers = std::iter::successors(Some(x), |p| Some(p * y)).take(4).sum::<f64>();
        let halved: f64 =
            std::iter::successors(Some(x + 4.0), |p| (*p > 1.0).then(|| p / 2.0)).map(|p| p * p).sum();
        let mut state = y;
        let steps: f64 = std::iter::from_fn(|| {
            state *= x;
            (state > 0.26).then_some(state)
        })
        .sum();
        let some = [x, -y, x * y];
        let filtered: f64 = some
            .iter()
            .filter(|v| **v > 0.0)
            .zip(some.iter().skip_while(|v| **v > 0.0))
            .map(|(a, b)| a * b)
            .sum();
        powers + halved + steps * state + filtered + series * x
    }
    check_xy!(0.7, 1.3);
}

#[test]
fn a_chain_that_takes_asks_for_no_more() {
    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        let mut seen = x;
        let first: f64 = [x, y, x * y]
            .iter()
            .filter(|v| **v > 0.1)
            .map(|v| {
                seen *= v;
                v * v
            })
            .take(2)
            .sum();
        first * seen
    }
    check_xy!(0.7, 1.3);
}

struct Leg {
    kind: Kind,
    weight: f64,
    names: Vec<String>,
}
enum Kind {
    Linear(f64),
    Bent { at: f64, by: Vec<f64> },
}

#[test]
fn patterns_behind_references() {
    #[differentiable]
    fn raised(h: f64, x: f64) -> f64 {
        (h * x).exp()
    }
    #[differentiable(wrt(x))]
    fn f(x: &[f64], legs: &[Leg]) -> f64 {
        let bent: f64 =
            legs.iter().map(|&Leg { weight, ref names, .. }| weight * names.len() as f64 * x[0] * x[1]).sum();
        let mut sum = bent;
        for leg in legs {
            sum += match &leg.kind {
                &Kind::Linear(slope) => raised(slope, x[0]),
                Kind::Bent { at, by } => by.iter().map(|b| raised(*b, x[1] - at)).sum(),
            };
        }
        for k in 0..legs.len() {
            sum *= match legs[k].kind {
                Kind::Linear(slope) => raised(slope, x[1]),
                Kind::Bent { at, .. } => [at, 2.0].map(|a| raised(a, x[0])).iter().sum(),
            };
        }
        sum
    }
    let legs = [
        Leg { kind: Kind::Linear(0.5), weight: 2.0, names: vec!["a".into()] },
        Leg { kind: Kind::Bent { at: 0.2, by: vec![0.3, -0.6] }, weight: -0.7, names: vec![] },
    ];
    check_slice!([0.7, 1.3], &legs);
}

struct Subject {
    time: f64,
    x: f64,
}

#[test]
fn references_to_data_sorted_and_grouped() {
    #[differentiable(wrt(x))]
    fn f(x: &[f64], cohort: &[Subject]) -> f64 {
        let mut by_time: Vec<&Subject> = cohort.iter().collect();
        by_time.sort_by(|a, b| b.time.total_cmp(&a.time));
        let (mut risk, mut total) = (0.0, 0.0);
        for tied in by_time.chunk_by(|a, b| a.time == b.time) {
            for subject in tied {
                risk += (x[0] * subject.x).exp() * x[1];
            }
            total += risk.ln() * tied.len() as f64;
        }
        total
    }
    let at = |time, x| Subject { time, x };
    let cohort = [at(1.0, 0.3), at(3.0, -0.6), at(1.0, 0.8), at(2.0, 0.1)];
    check_slice!([0.7, 1.3], &cohort);
    {
        #[differentiable(wrt(x))]
        fn f(x: &[f64], cohort: &[Subject]) -> f64 {
            cohort
                .chunk_by(|a, b| a.time == b.time)
                .map(|tied| tied.iter().map(|s| (x[0] * s.x).exp()).sum::<f64>().powf(x[1]))
                .sum()
        }
        let cohort = [at(1.0, 0.3), at(1.0, 0.8), at(2.0, 0.1), at(3.0, -0.6), at(3.0, 0.4)];
        check_slice!([0.7, 1.3], &cohort);
    }
}

#[derive(Clone, Default, Differentiable)]
struct Controller {
    integral: f64,
    last: Option<f64>,
}

#[differentiable]
impl Controller {
    fn update(&mut self, error: f64) -> f64 {
        self.integral += error;
        let slope = match self.last {
            Some(last) => error - last,
            None => 0.0,
        };
        self.last = Some(error);
        error + 0.5 * self.integral + slope * slope
    }
}

#[test]
fn options_in_own_structs() {
    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        let mut controller = Controller::default();
        let mut position = x;
        for _ in 0..4 {
            position -= 0.2 * y * controller.update(position * y);
        }
        position * controller.integral
    }
    check_xy!(0.7, 1.3);
}

#[test]
fn more_of_arrays_and_matrices() {
    use nalgebra::{Matrix2, RowVector2, Vector2, matrix, vector};
    use ndarray::{Array1, Array2, s};

    struct Data {
        light: Vector2<f64>,
    }
    #[differentiable(wrt(x))]
    fn f(x: &[f64], data: &Data) -> f64 {
        let v = vector![x[0], x[1] * x[0]];
        let m = Matrix2::from_diagonal(&v) + matrix![x[0], 1.0; 0.5, x[1]];
        let h = RowVector2::new(x[1], 2.0);
        let outer = v * v.transpose() + Matrix2::from_fn(|i, j| x[0] * (i + 2 * j) as f64);
        let quadratic = (h * m * h.transpose())[(0, 0)] + (v.transpose() * outer * v)[0];
        let lit = v.dot(&data.light) + (v - data.light).norm_squared();
        let grid = Array2::from_shape_fn((2, 3), |(i, j)| x[i] * j as f64 + x[1]);
        let mut sum = 0.0;
        for ((i, j), g) in grid.indexed_iter() {
            sum += g * g * (i + j) as f64;
        }
        let line = Array1::from_iter(x.iter().map(|v| v * v));
        let inner = (&line.slice(s![1..]) - &line.slice(s![..-1])).sum() * grid.slice(s![-1, 1..=2]).sum();
        quadratic + lit + sum + inner + Vector2::from_iterator(x.iter().map(|v| v.exp())).norm()
    }
    check_slice!([0.7, 1.3], &Data { light: Vector2::new(0.3, -0.8) });
}
