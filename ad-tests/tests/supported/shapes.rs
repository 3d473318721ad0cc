//! Structs of the user's with parameters of their own, operators between data, iterators that a loop uses up.

use ad_runtime::{Differentiable, differentiable};
use std::ops::{Add, Mul, Sub};

#[derive(Clone, Copy, Differentiable)]
struct Vec2 {
    x: f64,
    y: f64,
}

#[differentiable]
impl Vec2 {
    fn norm(self) -> f64 {
        self.x.hypot(self.y)
    }
    fn dot(&self, other: Vec2) -> f64 {
        self.x * other.x + self.y * other.y
    }
}
#[differentiable]
impl Add for Vec2 {
    type Output = Vec2;
    fn add(self, other: Vec2) -> Vec2 {
        Vec2 { x: self.x + other.x, y: self.y + other.y }
    }
}
#[differentiable]
impl Sub for Vec2 {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self { x: self.x - other.x, y: self.y - other.y }
    }
}
#[differentiable]
impl Mul<f64> for Vec2 {
    type Output = Vec2;
    fn mul(self, factor: f64) -> Vec2 {
        Vec2 { x: self.x * factor, y: self.y * factor }
    }
}

struct Bar {
    ends: (usize, usize),
    stiffness: f64,
}

struct Mesh {
    nodes: Vec<Vec2>,
    origin: Vec2,
}

#[test]
fn operators_between_data() {
    #[differentiable(wrt(u))]
    fn f(u: &[f64], nodes: &[Vec2], bars: &[Bar], mesh: &Mesh) -> f64 {
        let moved = |i: usize| Vec2 { x: u[2 * i], y: u[2 * i + 1] };
        let mut energy = 0.0;
        for bar in bars {
            let (a, b) = bar.ends;
            let rest = nodes[b] - nodes[a];
            let length = rest.norm();
            let now = rest + (moved(b) - moved(a));
            let strain = (now.norm() - length) / length;
            energy += 0.5 * bar.stiffness * strain * strain * length;
        }
        for p in mesh.nodes.iter() {
            energy += (*p - moved(1)).norm();
        }
        let along: Vec2 = mesh.nodes[0] - mesh.origin;
        energy - along.dot(moved(0)) - (along * 2.0 + moved(2) * u[0]).norm()
    }
    let nodes = [Vec2 { x: 0.0, y: 0.1 }, Vec2 { x: 1.0, y: 0.2 }, Vec2 { x: 0.4, y: 1.1 }];
    let bars = [Bar { ends: (0, 1), stiffness: 2.0 }, Bar { ends: (2, 1), stiffness: 1.5 }];
    let mesh = Mesh { nodes: nodes.to_vec(), origin: Vec2 { x: 0.5, y: -0.4 } };
    check_slice!([0.01, 0.2, -0.1, 0.1, 0.05, 0.07], &nodes, &bars, &mesh);
}

#[derive(Clone, Differentiable)]
struct Gate<const H: usize> {
    weights: [[f64; H]; H],
    bias: [f64; H],
}

#[differentiable]
impl<const H: usize> Gate<H> {
    const SCALE: f64 = 0.9;
    fn start() -> Self {
        Self { weights: [[0.1; H]; H], bias: [0.2; H] }
    }
    fn apply(&self, state: &[f64; H]) -> [f64; H] {
        let mut out = self.bias;
        for i in 0..H {
            for j in 0..H {
                out[i] += self.weights[i][j] * state[j];
            }
            out[i] = (out[i] * Self::SCALE).tanh();
        }
        out
    }
}

#[derive(Clone, Copy, Differentiable)]
struct Pair<T> {
    a: T,
    b: T,
}

#[differentiable]
impl<T: num_traits::Float> Pair<T> {
    fn mix(self, t: T) -> T {
        self.a * t + self.b * (T::one() - t)
    }
    fn square(&self) -> Pair<T> {
        Pair { a: self.a * self.a, b: self.b * self.b }
    }
}

#[test]
fn generic_impl_blocks() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let gate = Gate { weights: [[x[0], x[1]], [x[2], x[3]]], bias: [x[4], 0.3] };
        let fixed = Gate::<2>::start();
        let pair = Pair { a: x[0] * x[1], b: x[2] };
        let mut state = [0.1, x[3]];
        for _ in 0..3 {
            state = fixed.apply(&gate.apply(&state));
        }
        state[0] * state[1] + pair.square().mix(x[4]) * pair.mix(x[0])
    }
    check_slice!([0.3, -0.2, 0.5, 0.1, 0.4]);
}

#[test]
fn iterators_used_up_by_a_loop() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let mut coefficients = x.iter();
        let mut sum = *coefficients.next().unwrap();
        while let Some(c) = coefficients.next() {
            if *c > 5.0 {
                break;
            }
            sum = sum * x[1] + c;
        }
        let mut values = x.iter().copied();
        let Some(mut last) = values.next() else { return 0.0 };
        while let Some(v) = values.next() {
            sum += (v - last).powi(2) * v;
            last = v;
        }
        sum * sum
    }
    check_slice!([0.3, 0.8, 0.4, -0.7, 0.9]);
    check_slice!([0.3, 0.8, 0.4, 7.0, 0.9]);
}

#[derive(Clone, Copy, Default, Differentiable)]
struct Spring {
    stiffness: f64,
    rest: [f64; 2],
}

impl Spring {
    /// Called by the method below with an active `self`.
    #[differentiable]
    fn stretch(&self, x: f64) -> f64 {
        (x - self.rest[0]) * (x - self.rest[1])
    }

    #[differentiable(wrt(self, x))]
    fn energy(&self, x: f64, load: f64) -> f64 {
        let s = self.stretch(x);
        0.5 * self.stiffness * s * s - load * x * self.rest[1]
    }

    #[differentiable(wrt(self))]
    fn by_value(self, x: f64) -> f64 {
        self.stiffness.exp() * self.rest[0] * x
    }
}

#[test]
fn methods_with_respect_to_self() {
    let of = |p: &[f64]| Spring { stiffness: p[0], rest: [p[1], p[2]] };
    let parts = |s: &Spring| vec![s.stiffness, s.rest[0], s.rest[1]];
    let gradient = |p: &[f64]| {
        let mut bar = Spring::default();
        let (_, x_bar) = of(p).energy_grad(p[3], 0.4, &mut bar);
        let mut all = parts(&bar);
        all.push(x_bar);
        all
    };
    let (p, v) = ([1.3, 0.2, -0.7, 0.9], [0.4, -1.0, 0.3, 0.8]);
    for i in 0..4 {
        let unit: Vec<f64> = (0..4).map(|k| f64::from(u8::from(k == i))).collect();
        let slope = crate::supported::difference(&p, &unit, |p| vec![of(p).energy(p[3], 0.4)]);
        crate::supported::close("gradient", &[gradient(&p)[i]], &slope, 1e-9);
    }
    let mut hv = Spring::default();
    let x_hv = of(&p).energy_hvp(p[3], 0.4, &of(&v), v[3], &mut hv);
    let mut found = parts(&hv);
    found.push(x_hv);
    crate::supported::close("product", &found, &crate::supported::difference(&p, &v, gradient), 1e-8);

    let (value, bar) = of(&p).by_value_grad(2.0);
    let e = p[0].exp();
    crate::supported::close("value", &[value], &[e * p[1] * 2.0], 1e-14);
    crate::supported::close("by value", &parts(&bar), &[e * p[1] * 2.0, e * 2.0, 0.0], 1e-14);
    let hv = of(&p).by_value_hvp(2.0, of(&v));
    let first = 2.0 * e * (v[0] * p[1] + v[1]);
    crate::supported::close("product by value", &parts(&hv), &[first, 2.0 * e * v[0], 0.0], 1e-14);
}

#[differentiable]
fn uses_what_stands_below(x: &[f64]) -> f64 {
    let outer = HangingWhole { inner: HangingPart { weight: x[0], power: 3 }, scale: x[1] };
    let moved = shifted([x[0], x[1]], x[2]);
    outer.inner.weight.powi(outer.inner.power) * outer.scale * moved[0] * moved[1]
}

#[derive(Differentiable)]
struct HangingWhole {
    inner: HangingPart,
    scale: f64,
}

#[derive(Differentiable)]
struct HangingPart {
    weight: f64,
    power: i32,
}

#[differentiable(wrt(outer))]
fn of_nested(outer: &HangingWhole, t: f64) -> f64 {
    outer.inner.weight.powi(outer.inner.power) * outer.scale * t
}

/// Below the function that it is written out in.
#[differentiable]
fn shifted(a: [f64; 2], by: f64) -> [f64; 2] {
    a.map(|v| v * by + by)
}

#[test]
fn what_stands_below() {
    fn f(x: &[f64]) -> f64 {
        uses_what_stands_below(x)
    }
    use {
        uses_what_stands_below_curvature as f_curvature, uses_what_stands_below_grad as f_grad,
        uses_what_stands_below_grad_hvp as f_grad_hvp, uses_what_stands_below_hvp as f_hvp,
        uses_what_stands_below_hvp_block as f_hvp_block, uses_what_stands_below_hvp_rev as f_hvp_rev,
        uses_what_stands_below_jvp as f_jvp,
    };
    check_slice!([0.7, 1.2, -0.4]);
    let outer = HangingWhole { inner: HangingPart { weight: 0.5, power: 2 }, scale: 3.0 };
    let mut bar = HangingWhole { inner: HangingPart { weight: 9.0, power: 2 }, scale: 9.0 };
    of_nested_grad(&outer, 2.0, &mut bar);
    crate::supported::close("nested", &[bar.inner.weight, bar.scale], &[6.0, 0.5], 1e-14);
}

#[test]
fn options_of_data_mapped() {
    #[differentiable(wrt(x))]
    fn f(x: &[f64], answers: &[Option<usize>], bonus: Option<f64>) -> f64 {
        let logit = |k: usize| 1.0 / (1.0 + (-x[k] * x[0]).exp());
        let all = x.iter().zip(answers).filter_map(|(v, a)| a.map(|k| v * logit(k)));
        let product: f64 = all.product();
        product + bonus.map_or(x[1] * x[2], |b| b * x[1] * x[1])
    }
    check_slice!([0.7, 1.2, -0.4], &[Some(1), None, Some(2)], Some(0.3));
    check_slice!([0.7, 1.2, -0.4], &[Some(1), None, Some(2)], None);
}

struct Shell {
    k: f64,
    core: Core,
}

struct Core {
    k: f64,
}

impl std::ops::Deref for Shell {
    type Target = Core;
    fn deref(&self) -> &Core {
        &self.core
    }
}

#[differentiable]
impl Shell {
    fn rise(&self, x: f64) -> f64 {
        self.k * x * x
    }
}

#[differentiable]
impl Core {
    fn rise(&self, x: f64) -> f64 {
        self.k * x * x * x
    }
}

struct Stack {
    shells: Vec<Shell>,
}

/// The method that was seen last is another's, which `Deref` leads to: it was taken, and gave a wrong derivative.
#[test]
fn methods_of_one_name() {
    #[differentiable(wrt(x))]
    fn f(x: &[f64], shell: &Shell, stack: &Stack, all: &[Shell]) -> f64 {
        let mut sum = shell.rise(x[0]) + Core::rise(&shell.core, x[1]) + Shell::rise(&stack.shells[0], x[2]);
        for s in all {
            sum += s.rise(x[0]) * s.core.k;
        }
        sum
    }
    let shell = || Shell { k: 2.0, core: Core { k: 5.0 } };
    check_slice!([0.7, 1.2, -0.4], &shell(), &Stack { shells: vec![shell()] }, &[shell(), shell()]);
}

/// Not a struct of the macro's: methods are known, fields are not.
#[derive(Clone, Copy)]
struct Well {
    depth: f64,
}

#[differentiable]
impl Well {
    fn at(&self, x: f64) -> f64 {
        self::squared(self.depth * x)
    }
}

#[differentiable]
fn squared(x: f64) -> f64 {
    x * x * x
}

#[test]
fn methods_of_items_and_behind_boxes() {
    #[differentiable(wrt(x))]
    fn f(x: f64, wells: &[Well], shared: &[std::rc::Rc<Well>], boxed: &Box<Well>, nodes: &[Vec2]) -> f64 {
        let shared: f64 = shared.iter().map(|w| w.at(x)).sum();
        wells[1].at(x) * boxed.at(x) + shared + nodes[0].dot(Vec2 { x, y: x * x })
    }
    let (wells, boxed) = ([Well { depth: 2.0 }, Well { depth: 3.0 }], Box::new(Well { depth: 0.5 }));
    let shared = [std::rc::Rc::new(wells[0])];
    let nodes = [Vec2 { x: 2.0, y: 3.0 }];
    // (27 / 8) x^6 + 8 x³ + 2 x + 3 x²
    let x = 0.7_f64;
    let slope = 6.0 * 3.375 * x.powi(5) + 24.0 * x * x + 2.0 + 6.0 * x;
    let curvature = 30.0 * 3.375 * x.powi(4) + 48.0 * x + 6.0;
    let (_, g) = f_grad(x, &wells, &shared, &boxed, &nodes);
    assert!((g - slope).abs() < 1e-12 * slope, "{g} {slope}");
    let h = f_hvp(x, &wells, &shared, &boxed, &nodes, 1.0);
    assert!((h - curvature).abs() < 1e-12 * curvature, "{h} {curvature}");
}

#[derive(Clone, Debug, PartialEq, Differentiable)]
struct Bowl {
    scale: f64,
    weights: Vec<f64>,
}

#[differentiable]
impl Bowl {
    const OFFSET: f64 = 0.5;

    fn weighted(&self, k: usize) -> f64 {
        self.weights[k] * self.scale
    }
    /// Of its floats alone: `self` is data.
    fn height(&self, x: f64, y: f64) -> f64 {
        (self.weighted(0) * x + self.weighted(1) * y + Self::OFFSET).powi(2) * x
    }
    /// Of `self`: it takes no floats.
    fn energy(&self) -> f64 {
        (0..self.weights.len()).map(|k| self.weighted(k).powi(3)).sum::<f64>() * self.scale.exp()
    }
    fn of_one(x: f64) -> f64 {
        x.powi(3) + Self::OFFSET * x
    }
    /// It calls what the macro has not seen: nobody asks for its derivatives.
    fn unseen(&self) -> f64 {
        unseen(self.scale)
    }
    fn level(&self) -> Option<f64> {
        if self.weights.is_empty() {
            return None;
        }
        Some(self.energy() * self.scale)
    }
}

fn unseen(x: f64) -> f64 {
    x
}

#[derive(Clone, Differentiable)]
struct Levels<T, const N: usize> {
    values: [T; N],
}

#[differentiable]
impl<T: num_traits::Float, const N: usize> Levels<T, N> {
    fn cubes(&self) -> T {
        let mut sum = T::zero();
        for k in 0..N {
            sum = sum + self.values[k] * self.values[k] * self.values[k];
        }
        sum
    }
}

#[test]
fn methods_of_annotated_blocks() {
    let bowl = Bowl { scale: 0.4, weights: vec![1.5, -0.7] };
    assert_eq!(bowl.unseen(), 0.4);
    let at = |x: &[f64]| Bowl { scale: x[0], weights: x[1..].to_vec() };
    {
        fn bowl() -> Bowl {
            Bowl { scale: 0.4, weights: vec![1.5, -0.7] }
        }
        fn f(x: f64, y: f64) -> f64 {
            bowl().height(x, y)
        }
        fn f_grad(x: f64, y: f64) -> (f64, (f64, f64)) {
            bowl().height_grad(x, y)
        }
        fn f_jvp(x: f64, y: f64, u: f64, v: f64) -> (f64, f64) {
            bowl().height_jvp(x, y, u, v)
        }
        fn f_hvp(x: f64, y: f64, u: f64, v: f64) -> (f64, f64) {
            bowl().height_hvp(x, y, u, v)
        }
        fn f_hvp_rev(x: f64, y: f64, u: f64, v: f64) -> (f64, f64) {
            bowl().height_hvp_rev(x, y, u, v)
        }
        fn f_grad_hvp(x: f64, y: f64, u: f64, v: f64) -> (f64, (f64, f64), (f64, f64)) {
            bowl().height_grad_hvp(x, y, u, v)
        }
        fn f_curvature(x: f64, y: f64, u: f64, v: f64) -> (f64, f64, f64) {
            bowl().height_curvature(x, y, u, v)
        }
        fn f_hvp_block<const K: usize>(x: f64, y: f64, u: [f64; K], v: [f64; K]) -> ([f64; K], [f64; K]) {
            bowl().height_hvp_block(x, y, u, v)
        }
        check_xy!(0.6, 1.1);
    }
    // scale³ Σ w³ exp(scale)
    let x = [0.4, 1.5, -0.7];
    let energy = |x: &[f64]| x[0].powi(3) * (x[1].powi(3) + x[2].powi(3)) * x[0].exp();
    let mut gradient = at(&[0.0; 3]);
    let value = at(&x).energy_grad(&mut gradient);
    assert!((value - energy(&x)).abs() < 1e-14);
    let cubes = x[1].powi(3) + x[2].powi(3);
    let slope = (3.0 * x[0].powi(2) + x[0].powi(3)) * cubes * x[0].exp();
    assert!((gradient.scale - slope).abs() < 1e-14);
    let of_weight = x[0].powi(3) * 3.0 * x[1].powi(2) * x[0].exp();
    assert!((gradient.weights[0] - of_weight).abs() < 1e-14);
    let mut product = at(&[0.0; 3]);
    at(&x).energy_hvp(&at(&[0.0, 1.0, 0.0]), &mut product);
    assert!((product.weights[0] - x[0].powi(3) * 6.0 * x[1] * x[0].exp()).abs() < 1e-14);
    assert_eq!(product.weights[1], 0.0);
    assert!(
        (product.scale - (3.0 * x[0].powi(2) + x[0].powi(3)) * 3.0 * x[1].powi(2) * x[0].exp()).abs() < 1e-13
    );
    let mut level = at(&[0.0; 3]);
    assert!(at(&x).level_grad(&mut level).is_some());
    assert!((level.weights[0] - of_weight * x[0]).abs() < 1e-14);
    let empty = Bowl { weights: Vec::new(), ..bowl.clone() };
    assert!(empty.level_grad(&mut empty.clone()).is_none());
    assert_eq!(Bowl::of_one_grad(2.0), (9.0, 12.5));
    let hessian = bowl.height_hessian(0.6, 1.1);
    let mut out = [0.0; 2];
    ad_runtime::operators::HessianOperator::apply(&hessian, &[1.0, 0.0], &mut out);
    let (x, y) = bowl.height_hvp(0.6, 1.1, 1.0, 0.0);
    assert_eq!(out, [x, y]);

    let levels = Levels { values: [2.0_f32, -1.0] };
    let mut gradient = levels.clone();
    assert_eq!(levels.cubes_grad(&mut gradient), 7.0);
    assert_eq!(gradient.values, [12.0, 3.0]);
    let mut product = levels.clone();
    levels.cubes_hvp(&Levels { values: [1.0, 1.0] }, &mut product);
    assert_eq!(product.values, [12.0, -6.0]);
}

/// Its numbers are data.
#[derive(Clone, Copy, Differentiable)]
enum Loss {
    Square,
    Huber(f64),
}

#[derive(Clone, Copy, Differentiable)]
struct Nothing;

#[derive(Clone, Differentiable)]
struct Term {
    loss: Loss,
    parts: Vec<(f64, Loss)>,
    weight: f64,
}

#[test]
fn enums_that_derive() {
    #[differentiable(wrt(x))]
    fn f(x: &[f64], terms: &[Term], _nothing: Nothing) -> f64 {
        let mut sum = 0.0;
        for (t, v) in terms.iter().zip(x) {
            let part: f64 = t.parts.iter().map(|(w, _)| w * v * v).sum();
            sum += t.weight
                * match t.loss {
                    Loss::Square => v * v + part,
                    Loss::Huber(k) if v.abs() > k => k * (2.0 * v.abs() - k) * part,
                    Loss::Huber(_) => v * part,
                };
        }
        sum
    }
    let parts = vec![(0.5, Loss::Square), (2.0, Loss::Huber(0.0))];
    let terms: Vec<Term> = [Loss::Square, Loss::Huber(0.5), Loss::Huber(2.0)]
        .map(|loss| Term { loss, parts: parts.clone(), weight: 1.5 })
        .to_vec();
    check_slice!([0.8, 1.2, 0.7], &terms, Nothing);
}

#[test]
fn sums_of_data_whose_type_an_annotation_says() {
    #[differentiable(wrt(x))]
    fn f(x: &[f64], rows: &[(f64, Vec<[f64; 2]>)]) -> f64 {
        let mut total = 0.0;
        for (label, row) in rows {
            let norm: f64 = row.iter().map(|r| r[0] * r[1]).sum();
            let k: f64 = "2.5".parse().unwrap();
            let scale = k / norm;
            total += label * (x[0] * scale).sin() * x[1];
        }
        total
    }
    let rows = vec![(1.0, vec![[1.0, 2.0], [0.5, 3.0]]), (-0.5, vec![[2.0, 2.0]])];
    check_slice!([0.8, 1.2], &rows);
}

#[differentiable]
trait Potential {
    fn energy(&self, r: f64) -> f64;
    fn at(&self, x: &[f64], k: usize) -> f64;
    fn name(&self) -> String;
}

struct Repulsion {
    strength: f64,
}

#[differentiable]
impl Potential for Repulsion {
    fn energy(&self, r: f64) -> f64 {
        self.strength * (r.powi(-4) - r.powi(-2))
    }
    fn at(&self, x: &[f64], k: usize) -> f64 {
        self.strength * x[k] * x[0].sin()
    }
    fn name(&self) -> String {
        "repulsion".into()
    }
}

struct Morse(f64, f64);

#[differentiable]
impl Potential for Morse {
    fn energy(&self, r: f64) -> f64 {
        let e = (-self.1 * r).exp();
        self.0 * (1.0 - e) * (1.0 - e)
    }
    fn at(&self, x: &[f64], k: usize) -> f64 {
        self.energy(x[k] * x[1])
    }
    fn name(&self) -> String {
        "spring".into()
    }
}

mod of_any_type {
    use super::{Morse, Potential, Repulsion};
    use ad_runtime::differentiable;

    #[differentiable(wrt(x))]
    fn f<P: Potential>(x: &[f64], p: &P, q: &impl Potential) -> f64 {
        let mut sum = 0.0;
        for i in 1..x.len() {
            sum += p.energy(x[i] - x[i - 1]) * q.at(x, i);
        }
        sum + x.windows(2).map(|w| q.energy(w[1] - w[0])).sum::<f64>() * p.at(&x[1..], 1)
    }

    pub(super) fn check() {
        let (p, q) = (Repulsion { strength: 0.7 }, Morse(1.3, 0.4));
        check_slice!([0.1, 1.2, 2.1, 3.5], &p, &q);
        check_slice!([0.1, 1.2, 2.1, 3.5], &q, &p);
        assert_eq!(p.name() + &q.name(), "repulsionspring");
    }
}

mod of_an_owned_type {
    use super::{Potential, Repulsion};
    use ad_runtime::differentiable;

    #[differentiable(wrt(x))]
    fn f<P>(x: &[f64], p: P) -> f64
    where
        P: Potential,
    {
        p.energy(x[0] * x[1]) * x[0]
    }

    pub(super) fn check() {
        check_slice!([0.7, 1.2], Repulsion { strength: 0.7 });
    }
}

#[test]
fn methods_of_type_parameters() {
    of_any_type::check();
    of_an_owned_type::check();
}

struct View<'a> {
    data: &'a [f64],
    name: String,
}

#[differentiable]
impl<'a> View<'a> {
    fn new(data: &'a [f64]) -> Self {
        View { data, name: "view".into() }
    }
    fn energy(&self, x: &[f64]) -> f64 {
        x.iter().zip(self.data).map(|(a, b)| a * a * a * b).sum()
    }
    fn both(&self, x: f64, other: &Self) -> Option<f64> {
        if x > 100.0 { None } else { Some(self.energy(&[x, x]) * other.data[0]) }
    }
}

#[test]
fn blocks_with_lifetimes() {
    fn f(x: f64) -> f64 {
        let view = View::new(&[1.0, 2.0]);
        view.both(x, &view).unwrap()
    }
    let (one, two) = ([1.0, 2.0], [3.0]);
    let (view, other) = (View::new(&one), View::new(&two));
    assert_eq!((view.name.as_str(), f(2.0)), ("view", 24.0));
    let mut g = [0.0; 2];
    assert_eq!(view.energy_grad(&[1.0, 3.0], &mut g), 55.0);
    assert_eq!(g, [3.0, 54.0]);
    assert_eq!(view.both_grad(2.0, &other), Some((72.0, 108.0)));
    assert_eq!(view.both_hvp(2.0, &other, 1.0), Some(108.0));
    assert_eq!(view.both_grad(200.0, &other), None);
}

mod overwritten_data {
    use ad_runtime::differentiable;

    // `q` is data that active values are added to; so is the direction of an active array, in `f_hvp_rev`.
    #[differentiable(wrt(x))]
    fn f<const N: usize>(x: &[f64], mut q: [f64; N], steps: usize) -> f64 {
        for _ in 0..steps {
            for i in 0..N {
                q[i] += 0.3 * x[i] * q[(i + 1) % N].sin();
            }
        }
        q[0] * q[N - 1]
    }

    pub(super) fn check() {
        check_slice!([0.7, 1.2, -0.4], [0.5, 0.1, 0.9], 4);
    }
}

#[differentiable]
fn verlet(mut q: [f64; 3], p: [f64; 3], steps: usize) -> f64 {
    let mut p = p;
    for _ in 0..steps {
        for i in 0..3 {
            p[i] -= 0.2 * q[i].sin() * q[(i + 1) % 3];
            q[i] += 0.2 * p[i];
        }
    }
    q[0] * p[2] + p[1] * p[1]
}

#[test]
fn arrays_by_value_that_are_overwritten() {
    overwritten_data::check();
    let (q, p, u, v) = ([0.5, -0.3, 0.8], [0.2, 0.6, -0.1], [1.0, 0.3, -0.2], [0.4, -0.7, 0.5]);
    let (a, b) = verlet_hvp(q, p, 5, u, v);
    let (c, d) = verlet_hvp_rev(q, p, 5, u, v);
    for (one, other) in a.iter().chain(&b).zip(c.iter().chain(&d)) {
        assert!((one - other).abs() < 1e-13, "{one} {other}");
    }
    let at = |h: f64| {
        let step = |x: [f64; 3], y: [f64; 3]| std::array::from_fn(|i| x[i] + h * y[i]);
        let (_, (g, k)) = verlet_grad(step(q, u), step(p, v), 5);
        [g, k].concat()
    };
    let (up, down) = (at(1e-5), at(-1e-5));
    for (k, one) in a.iter().chain(&b).enumerate() {
        let difference = (up[k] - down[k]) / 2e-5;
        assert!((one - difference).abs() < 1e-8, "{one} {difference}");
    }
}

#[test]
fn nested_generic_functions() {
    // The inner `N` is not the outer one.
    #[differentiable]
    fn f<const N: usize>(x: &[f64; N], y: &[f64; 2]) -> f64 {
        fn cubes<const N: usize>(x: &[f64; N]) -> [f64; N] {
            let mut out = [0.0; N];
            for i in 0..N {
                out[i] = x[i] * x[(i + 1) % N] * x[i];
            }
            out
        }
        fn last<T: num_traits::Float>(x: &[T]) -> T {
            x[x.len() - 1] * T::from(2.0).unwrap()
        }
        cubes(x).iter().sum::<f64>() * cubes(y)[1] + last(&cubes(y)) + last(x)
    }
    let sums = |x: &[f64]| (0..x.len()).map(|i| x[i] * x[i] * x[(i + 1) % x.len()]).sum::<f64>();
    let value = |p: &[f64]| {
        let (x, y) = p.split_at(3);
        let cube = y[1] * y[1] * y[0];
        sums(x) * cube + 2.0 * cube + 2.0 * x[2]
    };
    let p = [0.7, -0.3, 1.1, 0.9, 0.4];
    let (mut gx, mut gy) = ([0.0; 3], [0.0; 2]);
    let found = f_grad(&[0.7, -0.3, 1.1], &[0.9, 0.4], &mut gx, &mut gy);
    assert!((found - value(&p)).abs() < 1e-14);
    for (k, g) in gx.iter().chain(&gy).enumerate() {
        let (mut up, mut down) = (p, p);
        (up[k], down[k]) = (p[k] + 1e-5, p[k] - 1e-5);
        let difference = (value(&up) - value(&down)) / 2e-5;
        assert!((g - difference).abs() < 1e-8, "{g} {difference}");
    }
}
