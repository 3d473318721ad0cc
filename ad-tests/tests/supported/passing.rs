//! What data and active values hand each other: data made in the middle of an expression, decisions by active values that other
//! code gets.

use ad_runtime::{Differentiable, differentiable};
use ndarray::{Array1, Array2, array};
use std::cell::Cell;

const X: [f64; 4] = [0.7, -0.4, 1.3, 0.2];

#[derive(Clone, Copy, Differentiable)]
struct Phasor {
    re: f64,
    im: f64,
}

#[differentiable]
impl std::ops::Mul for Phasor {
    type Output = Phasor;
    fn mul(self, o: Phasor) -> Phasor {
        Phasor { re: self.re * o.re - self.im * o.im, im: self.re * o.im + self.im * o.re }
    }
}

/// Data whose code the macro has not seen.
struct Line(Vec<f64>);

impl Line {
    fn at(&self, k: usize) -> Phasor {
        Phasor { re: self.0[k], im: 1.0 - self.0[k] }
    }
}

#[test]
fn data_made_in_the_middle_of_an_expression() {
    #[differentiable(wrt(x))]
    fn f(x: &[f64], line: &Line) -> f64 {
        let mut s = 0.0;
        for (k, v) in x.iter().enumerate() {
            let z = Phasor { re: *v, im: v * v } * line.at(k) * line.at(k + 1);
            s += z.re * z.im;
        }
        s
    }
    let line = Line(vec![0.3, 0.9, -0.2, 1.4, 0.6]);
    fn plain(x: &[f64], w: &[f64]) -> f64 {
        let times = |a: (f64, f64), b: (f64, f64)| (a.0 * b.0 - a.1 * b.1, a.0 * b.1 + a.1 * b.0);
        let at = |k: usize| (w[k], 1.0 - w[k]);
        x.iter()
            .enumerate()
            .map(|(k, v)| times(times((*v, v * v), at(k)), at(k + 1)))
            .map(|(re, im)| re * im)
            .sum()
    }
    assert!((f(&X, &line) - plain(&X, &line.0)).abs() < 1e-14);
    check_slice!(X.to_vec(), &line);
}

#[test]
fn rows_of_arrays_that_are_data() {
    struct Bumps {
        heights: Array1<f64>,
        at: Array2<f64>,
        steep: Vec<Array2<f64>>,
    }
    #[differentiable(wrt(x))]
    fn f(x: &Array1<f64>, bumps: &Bumps) -> f64 {
        let s = bumps
            .heights
            .iter()
            .zip(bumps.at.rows())
            .map(|(h, p)| {
                let d = x - &p;
                h * (-(&d * &d).sum()).exp()
            })
            .sum::<f64>();
        let t: f64 = bumps.steep[0].rows().into_iter().map(|row| x.dot(&row).sin()).sum();
        s + t
    }
    let bumps = Bumps {
        heights: array![0.5, -1.2],
        at: array![[0.1, 0.2, -0.3, 0.4], [1.0, 0.0, 0.5, -0.6]],
        steep: vec![array![[0.3, -0.2, 0.6, 1.1]]],
    };
    let x = Array1::from_vec(X.to_vec());
    let plain = |x: &[f64]| {
        let bump = |k: usize| {
            let r2: f64 = (0..4).map(|i| (x[i] - bumps.at[[k, i]]).powi(2)).sum();
            bumps.heights[k] * (-r2).exp()
        };
        bump(0) + bump(1) + (0..4).map(|i| x[i] * bumps.steep[0][[0, i]]).sum::<f64>().sin()
    };
    assert!((f(&x, &bumps) - plain(&X)).abs() < 1e-14);
    let mut g = Array1::zeros(4);
    f_grad(&x, &bumps, &mut g);
    let v = array![0.3, -0.8, 0.5, 1.0];
    let along = super::difference(&X, v.as_slice().unwrap(), |p| vec![plain(p)]);
    super::close("gradient", &[g.dot(&v)], &along, 1e-9);
    let mut hv = Array1::zeros(4);
    f_hvp(&x, &bumps, &v, &mut hv);
    let bend = super::difference(&X, v.as_slice().unwrap(), |p| {
        let mut g = Array1::zeros(4);
        f_grad(&Array1::from_vec(p.to_vec()), &bumps, &mut g);
        g.to_vec()
    });
    super::close("products", hv.as_slice().unwrap(), &bend, 1e-8);
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Gear {
    Low,
    High,
}

impl Gear {
    fn next(self, step: usize, fast: bool) -> Gear {
        match self {
            Gear::Low if fast && step > 0 => Gear::High,
            Gear::High if !fast => Gear::Low,
            same => same,
        }
    }
    fn ratio(self, doubled: bool) -> f64 {
        match self {
            Gear::Low => 0.5,
            Gear::High if doubled => 4.0,
            Gear::High => 2.0,
        }
    }
}

/// How often something held.
#[derive(Clone)]
struct Counter {
    held: u32,
}

impl Counter {
    fn from_one() -> Counter {
        Counter { held: 1 }
    }
    fn note(&mut self, holds: bool) {
        self.held += u32::from(holds);
    }
    fn share(&self, of: usize) -> f64 {
        f64::from(self.held) / of as f64
    }
}

fn weight(count: usize, positive: bool) -> f64 {
    if positive { count as f64 } else { 0.5 }
}

fn told(seen: &Cell<u32>, holds: bool) {
    seen.set(seen.get() + u32::from(holds));
}

#[test]
fn decisions_handed_to_other_code() {
    #[differentiable(wrt(x))]
    fn f(x: &[f64], seen: &Cell<u32>) -> f64 {
        let mut gear = Gear::Low;
        let mut counter = Counter::from_one();
        let mut speed = 0.4;
        for (k, v) in x.iter().enumerate() {
            gear = gear.next(k, speed > 0.5 && *v < 1.0);
            speed += v * v * gear.ratio(speed > 0.8) * weight(x.len(), v * speed > 0.0);
            told(seen, speed > 1.0);
        }
        counter.note(speed > 1.0);
        counter.note(x[1] > 0.0);
        speed * speed * counter.share(x.len()) * gear.ratio(!(speed < 0.0))
    }
    fn plain(x: &[f64]) -> (f64, u32) {
        let (mut gear, mut speed, mut seen) = (Gear::Low, 0.4, 0);
        for (k, v) in x.iter().enumerate() {
            gear = gear.next(k, speed > 0.5 && *v < 1.0);
            let ratio = gear.ratio(speed > 0.8);
            speed += v * v * ratio * if v * speed > 0.0 { 4.0 } else { 0.5 };
            seen += u32::from(speed > 1.0);
        }
        let held = 1 + u32::from(speed > 1.0) + u32::from(x[1] > 0.0);
        (speed * speed * f64::from(held) / 4.0 * gear.ratio(true), seen)
    }
    for x in [X, [0.1, 0.9, -0.8, 0.6], [1.5, 0.3, 0.2, -0.9]] {
        let seen = Cell::new(0);
        let (value, count) = plain(&x);
        assert!((f(&x, &seen) - value).abs() < 1e-14);
        seen.set(0);
        let (with_gradient, _) = f_grad_at(&x, &seen);
        assert!((with_gradient - value).abs() < 1e-14);
        assert_eq!(seen.get(), count, "what a statement does is done once");
        check_slice!(x.to_vec(), &seen);
    }
    fn f_grad_at(x: &[f64], seen: &Cell<u32>) -> (f64, Vec<f64>) {
        let mut g = vec![0.0; x.len()];
        (f_grad(x, seen, &mut g), g)
    }
}

#[test]
fn arrays_of_data_handed_to_helpers() {
    type V3 = [f64; 3];
    #[differentiable]
    fn scaled(a: [f64; 3], k: f64) -> [f64; 3] {
        a.map(|c| c * k)
    }
    #[differentiable]
    fn along(a: [f64; 3], b: [f64; 3]) -> f64 {
        let [x, y, z] = a;
        let s: f64 = a.iter().zip(&b).map(|(a, b)| a * b).sum();
        s + x * b[0] - y * z * b[1]
    }
    fn unit(gear: Gear) -> V3 {
        match gear {
            Gear::Low => [1.0, 0.5, 0.0],
            Gear::High => [0.0, -1.0, 2.0],
        }
    }
    #[differentiable(wrt(x))]
    fn f(x: &[f64], gears: &[Gear]) -> f64 {
        let mut s = 0.0;
        for (k, gear) in gears.iter().enumerate() {
            let spin = scaled(unit(*gear), x[k]);
            s += spin[*gear as usize + 1] * s + along(unit(*gear), spin) * x[k + 1];
        }
        s
    }
    fn plain(x: &[f64], gears: &[Gear]) -> f64 {
        let mut s = 0.0;
        for (k, gear) in gears.iter().enumerate() {
            let u = unit(*gear);
            let spin = [u[0] * x[k], u[1] * x[k], u[2] * x[k]];
            let sum = u[0] * spin[0] + u[1] * spin[1] + u[2] * spin[2];
            s += spin[*gear as usize + 1] * s + (sum + u[0] * spin[0] - u[1] * u[2] * spin[1]) * x[k + 1];
        }
        s
    }
    let gears = [Gear::Low, Gear::High, Gear::Low];
    assert!((f(&X, &gears) - plain(&X, &gears)).abs() < 1e-14);
    check_slice!(X.to_vec(), &gears);
}

mod of_fields {
    use ad_runtime::{Differentiable, differentiable};

    #[differentiable]
    pub(super) trait Curve {
        fn at(&self, t: f64) -> f64;
    }
    #[differentiable]
    pub(super) trait Penalty {
        fn of(&self, a: f64, b: f64) -> f64;
    }
    pub(super) struct Wave {
        pub(super) pitch: f64,
    }
    pub(super) struct Flat;
    #[derive(Differentiable)]
    pub(super) struct Square;
    #[differentiable]
    impl Curve for Wave {
        fn at(&self, t: f64) -> f64 {
            (self.pitch * t).sin()
        }
    }
    #[differentiable]
    impl Curve for Flat {
        fn at(&self, t: f64) -> f64 {
            2.0 * t
        }
    }
    #[differentiable]
    impl Penalty for Square {
        fn of(&self, a: f64, b: f64) -> f64 {
            (a - b) * (a - b) * a
        }
    }
    #[derive(Differentiable)]
    pub(super) struct Fitted<Shape, Cost> {
        pub(super) curve: Shape,
        pub(super) penalty: Cost,
        pub(super) weight: f64,
    }
    impl<Shape, Cost: Penalty> Fitted<Shape, Cost>
    where
        Shape: Curve,
    {
        #[differentiable(wrt(x))]
        pub(super) fn cost(&self, x: &[f64], seen: &[f64]) -> f64 {
            let s: f64 = x.iter().zip(seen).map(|(t, y)| self.penalty.of(self.curve.at(*t), *y)).sum();
            self.weight * s + self.curve.at(x[0] * x[1])
        }
    }
    #[differentiable(wrt(x))]
    pub(super) fn free<Shape: Curve, Cost: Penalty>(model: &Fitted<Shape, Cost>, x: &[f64]) -> f64 {
        x.iter().map(|t| model.curve.at(*t) * t).sum()
    }
}

#[test]
fn methods_of_fields_whose_type_is_a_parameter() {
    use of_fields::{Fitted, Flat, Square, Wave, free, free_grad, free_hvp};
    let seen = [0.2, 0.1, -0.5, 0.9];
    let wave = Fitted { curve: Wave { pitch: 1.3 }, penalty: Square, weight: 0.7 };
    let flat = Fitted { curve: Flat, penalty: Square, weight: 0.4 };
    let plain = |curve: &dyn Fn(f64) -> f64, weight: f64, x: &[f64]| {
        let one = |(t, y): (&f64, &f64)| (curve(*t) - y).powi(2) * curve(*t);
        weight * x.iter().zip(&seen).map(one).sum::<f64>() + curve(x[0] * x[1])
    };
    let v = [0.4, -0.9, 0.2, 1.1];
    let compare = |value: &dyn Fn(&[f64]) -> f64,
                   grad: &dyn Fn(&[f64]) -> (f64, Vec<f64>),
                   hvp: &dyn Fn(&[f64]) -> Vec<f64>| {
        super::close("value", &[grad(&X).0], &[value(&X)], 1e-13);
        let slope: f64 = grad(&X).1.iter().zip(&v).map(|(g, v)| g * v).sum();
        super::close("gradient", &[slope], &super::difference(&X, &v, |p| vec![value(p)]), 1e-9);
        super::close("product", &hvp(&X), &super::difference(&X, &v, |p| grad(p).1), 1e-8);
    };
    macro_rules! model {
        ($model:expr, $curve:expr) => {
            compare(
                &|x| plain(&$curve, $model.weight, x),
                &|x| {
                    let mut g = vec![f64::NAN; 4];
                    ($model.cost_grad(x, &seen, &mut g), g)
                },
                &|x| {
                    let mut hv = vec![f64::NAN; 4];
                    $model.cost_hvp(x, &seen, &v, &mut hv);
                    hv
                },
            );
        };
    }
    model!(wave, |t: f64| (1.3 * t).sin());
    model!(flat, |t: f64| 2.0 * t);
    compare(
        &|x| x.iter().map(|t| (1.3 * t).sin() * t).sum(),
        &|x| {
            let mut g = vec![f64::NAN; 4];
            (free_grad(&wave, x, &mut g), g)
        },
        &|x| {
            let mut hv = vec![f64::NAN; 4];
            free_hvp(&wave, x, &v, &mut hv);
            hv
        },
    );
    assert!((free(&flat, &X) - 2.0 * X.iter().map(|t| t * t).sum::<f64>()).abs() < 1e-14);
}

#[derive(Clone, Copy, Debug, PartialEq, Differentiable)]
struct Cart {
    at: f64,
    v: f64,
    trail: [f64; 2],
}
#[derive(Clone, Debug, Differentiable)]
struct Fleet {
    lead: Cart,
    rest: Vec<Cart>,
}
#[differentiable]
impl Cart {
    fn drive(&mut self, u: f64) {
        self.at += self.v;
        self.v += u;
        self.trail[0] = self.at * u;
    }
    fn driven(&mut self, u: f64) -> f64 {
        self.drive(u);
        self.at * self.v
    }
    fn energy(&self) -> f64 {
        let Cart { at, v, trail: [a, b] } = *self;
        v * v * (1.0 + at) + a * b
    }
}
impl Cart {
    // A method alone, which changes `self`: a helper.
    #[differentiable(wrt(self, u))]
    fn brake(&mut self, u: f64) {
        self.v /= 1.0 + u * u;
    }
}
#[differentiable]
fn shove(cart: &mut Cart, u: f64) {
    cart.v *= u;
    cart.trail[1] += u * u;
}

#[test]
fn data_that_becomes_active_by_what_changes_it() {
    #[differentiable(wrt(x))]
    fn f(x: &[f64], start: Cart, carts: &[Cart], fleet: &Fleet) -> f64 {
        let mut a = start;
        for u in x {
            a.drive(*u);
        }
        let mut b = carts[1];
        let mut s = 0.0;
        for u in x {
            s += b.driven(*u);
        }
        let mut c = fleet.lead;
        shove(&mut c, x[0]);
        let r = &mut c;
        r.drive(x[1]);
        shove(r, x[2]);
        r.brake(x[3]);
        let mut d = start;
        let twice = |cart: &mut Cart, u: f64| {
            cart.drive(u);
            cart.v *= u;
        };
        twice(&mut d, x[1]);
        twice(&mut d, x[2]);
        let mut rest = fleet.rest.clone();
        for (cart, u) in rest.iter_mut().zip(x) {
            cart.drive(*u);
        }
        let mut e = start;
        if x[0] > 0.5 {
            e.drive(x[0])
        } else {
            shove(&mut e, x[3])
        }
        // What was copied has not changed.
        let still = start.energy() * x[0] + carts[1].energy() * x[1] + fleet.lead.energy() * x[2];
        a.energy()
            + s
            + b.energy() * c.energy()
            + d.energy()
            + rest.iter().map(|r| r.energy()).sum::<f64>()
            + e.energy()
            + still
    }
    let cart = Cart { at: 0.3, v: 1.1, trail: [0.1, 0.2] };
    let fleet = Fleet { lead: Cart { at: -0.2, ..cart }, rest: vec![cart, Cart { v: 0.7, ..cart }] };
    check_slice!([0.7, 1.3, 0.4, 0.9], cart, &[cart, Cart { at: 0.1, ..cart }], &fleet);
}

#[test]
fn calls_at_the_ends_of_branches() {
    #[differentiable(wrt(x))]
    fn f(x: &[f64], start: Cart) -> f64 {
        let (mut cart, mut n, mut s) = (start, 0, 0.0);
        for u in x {
            n += 1;
            if *u > 0.8 { cart.drive(*u) } else { cart.v -= u * u }
        }
        for (k, u) in x.iter().enumerate() {
            match k {
                0 => cart.drive(*u),
                1 | 2 => s += cart.driven(*u),
                _ => {}
            }
        }
        while n > 2 {
            n -= 1;
            if n % 2 == 0 {
                cart.drive(x[n])
            }
        }
        x.iter().for_each(|u| {
            if *u > 0.8 {
                cart.drive(*u)
            }
        });
        cart.at * cart.v + s
    }
    check_slice!([0.7, 1.3, 0.4, 0.9, 0.75], Cart { at: 0.3, v: 1.1, trail: [0.1, 0.2] });
}
