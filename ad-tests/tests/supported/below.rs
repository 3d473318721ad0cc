//! Methods and operators that stand below their callers; structs that only data is in at first.

use std::ops::{Add, AddAssign, Mul, MulAssign, Neg, Sub};

use ad_runtime::{Differentiable, differentiable};

/// All that it calls stands further down, in blocks of all kinds.
#[differentiable]
fn uses_blocks_below(x: &[f64]) -> f64 {
    let start = Place::at(x[0], x[1]);
    let moved = start.turned(x[2]);
    let back = -(moved - Place::ONE) * x[1];
    let mut sum = back.stretched(2.0);
    sum += moved;
    sum.u * sum.v + back.area()
}

#[derive(Clone, Copy, Differentiable)]
struct Place {
    u: f64,
    v: f64,
}

impl Place {
    /// Under the attribute by itself, and it calls what stands below it in turn.
    #[differentiable]
    fn turned(&self, by: f64) -> Place {
        Place { u: self.u * by.cos() - self.v * by.sin(), v: self.u * by.sin() + self.v * by.cos() }
            .stretched(by)
    }

    /// Another function than the `area` of the other type.
    #[differentiable(wrt(self))]
    fn area(&self) -> f64 {
        self.u * self.v * self.v
    }
}

#[differentiable]
impl Place {
    const ONE: Place = Place { u: 1.0, v: 1.0 };

    fn at(u: f64, v: f64) -> Place {
        Place { u, v }
    }

    /// It calls itself no more than `count` does.
    fn stretched(self, by: f64) -> Place {
        Place { u: self.u * by, v: self.v * by * by }
    }
}

#[differentiable]
impl Sub for Place {
    type Output = Place;
    fn sub(self, o: Place) -> Place {
        Place { u: self.u - o.u, v: self.v - o.v }
    }
}

#[differentiable]
impl Mul<f64> for Place {
    type Output = Place;
    fn mul(self, k: f64) -> Place {
        Place { u: self.u * k, v: self.v * k }
    }
}

#[differentiable]
impl Neg for Place {
    type Output = Place;
    fn neg(self) -> Place {
        self * -1.0
    }
}

#[differentiable]
impl AddAssign for Place {
    fn add_assign(&mut self, o: Place) {
        self.u += o.u;
        self.v += o.v;
    }
}

#[derive(Clone, Copy, Differentiable)]
struct Plot {
    u: f64,
}

#[differentiable]
impl Plot {
    fn area(&self) -> f64 {
        self.u
    }
}

#[test]
fn methods_and_operators_below() {
    fn f(x: &[f64]) -> f64 {
        uses_blocks_below(x)
    }
    use {
        uses_blocks_below_curvature as f_curvature, uses_blocks_below_grad as f_grad,
        uses_blocks_below_grad_hvp as f_grad_hvp, uses_blocks_below_hvp as f_hvp,
        uses_blocks_below_hvp_block as f_hvp_block, uses_blocks_below_hvp_rev as f_hvp_rev,
        uses_blocks_below_jvp as f_jvp,
    };
    check_slice!([0.7, 1.2, -0.4]);
    assert_eq!(Plot { u: 2.0 }.area(), 2.0);
}

#[derive(Clone, Copy, Differentiable)]
struct V2(f64, f64);

#[differentiable]
impl V2 {
    fn rotated(self, by: f64) -> V2 {
        let (s, c) = by.sin_cos();
        V2(c * self.0 - s * self.1, s * self.0 + c * self.1)
    }
}

#[differentiable]
impl AddAssign for V2 {
    fn add_assign(&mut self, o: V2) {
        self.0 += o.0;
        self.1 += o.1;
    }
}

#[differentiable]
impl Add for V2 {
    type Output = V2;
    fn add(self, o: V2) -> V2 {
        V2(self.0 + o.0, self.1 + o.1)
    }
}

#[differentiable]
impl MulAssign<f64> for V2 {
    fn mul_assign(&mut self, k: f64) {
        self.0 *= k;
        self.1 *= k;
    }
}

#[differentiable]
impl Mul<V2> for f64 {
    type Output = V2;
    fn mul(self, v: V2) -> V2 {
        V2(self * v.0, self * v.1)
    }
}

#[differentiable]
impl Neg for V2 {
    type Output = V2;
    fn neg(self) -> V2 {
        V2(-self.0, -self.1)
    }
}

#[derive(Clone, Copy, Differentiable)]
struct Boat {
    speed: V2,
    heading: f64,
}

#[differentiable]
impl Boat {
    fn row(&mut self, pull: f64) {
        let local = self.speed.rotated(-self.heading);
        let drag = 0.25 * local;
        self.speed += pull * drag.rotated(self.heading);
        self.speed *= pull;
        self.heading += pull * local.1;
    }
}

#[test]
fn structs_of_data_that_become_active() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        // Numbers alone stand in them here.
        let mut boat = Boat { speed: V2(3.0, 0.5), heading: 0.0 };
        let wind = V2(1.0, 2.0);
        let mut course = wind;
        for pull in x {
            boat.row(*pull);
            course += 0.5 * boat.speed;
        }
        // What was copied is as it was, and a temporary lives as long as what is made of it.
        let against = boat.speed.rotated(x[0]).0 * (-wind).1;
        course.0 * wind.0 + course.1 * wind.1 + against * boat.heading
    }
    check_slice!([0.7, 1.2, -0.4]);
}

#[test]
fn temporaries_of_operators() {
    #[differentiable(wrt(x))]
    fn f(x: &[f64], ray: V2) -> f64 {
        let toward = V2(x[0], x[1]);
        let half = toward + -ray;
        let again = V2(x[1] * x[2], x[2]) + -ray;
        half.0 * half.1 * again.0 + again.1
    }
    let ray = V2(0.3, -0.8);
    let (a, b, c) = (0.7, 1.2, -0.4);
    let mut g = [0.0; 3];
    let value = f_grad(&[a, b, c], ray, &mut g);
    let (p, q, r) = (a - 0.3, b + 0.8, b * c - 0.3);
    crate::supported::close("value", &[value], &[p * q * r + c + 0.8], 1e-14);
    crate::supported::close("gradient", &g, &[q * r, p * r + p * q * c, p * q * b + 1.0], 1e-14);
}
