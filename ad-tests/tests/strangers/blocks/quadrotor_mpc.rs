//! Single-shooting cost of a planar quadrotor.
use ad_runtime::differentiable;
use nalgebra::{DMatrix, Vector2, Vector6};

pub trait Dynamics {
    fn derivative(&self, x: &Vector6<f64>, u: &Vector2<f64>) -> Vector6<f64>;
    fn hover(&self) -> f64;
}

#[derive(Debug, Clone)]
pub struct PlanarQuad {
    pub mass: f64,
    pub inertia: f64,
    pub arm: f64,
    pub drag: f64,
}

#[differentiable]
impl Dynamics for PlanarQuad {
    /// State: position x and z, pitch, and their rates. Input: the thrusts of both rotors.
    fn derivative(&self, x: &Vector6<f64>, u: &Vector2<f64>) -> Vector6<f64> {
        let (sin, cos) = x[2].sin_cos();
        let lift = u.sum() / self.mass;
        let speed = (x[3] * x[3] + x[4] * x[4] + 1e-2).sqrt();
        let drag = self.drag * speed / self.mass;
        Vector6::new(
            x[3],
            x[4],
            x[5],
            -lift * sin - drag * x[3],
            lift * cos - 9.81 - drag * x[4],
            self.arm * (u.x - u.y) / self.inertia,
        )
    }

    fn hover(&self) -> f64 {
        0.5 * 9.81 * self.mass
    }
}

pub struct Mpc {
    pub model: PlanarQuad,
    pub start: Vector6<f64>,
    pub goal: Vector6<f64>,
    pub weights: Vector6<f64>,
    pub effort: f64,
    pub max_thrust: f64,
    pub dt: f64,
}

#[differentiable]
impl Mpc {
    /// Explicit midpoint rule.
    fn step(&self, x: &Vector6<f64>, u: &Vector2<f64>) -> Vector6<f64> {
        let k1 = self.model.derivative(x, u);
        let k2 = self.model.derivative(&(x + k1 * (0.5 * self.dt)), u);
        x + k2 * self.dt
    }

    fn tracking(&self, x: &Vector6<f64>) -> f64 {
        let e = x - self.goal;
        self.weights.dot(&e.component_mul(&e))
    }

    /// Smooth penalty outside of `[0, max_thrust]`.
    fn limits(&self, thrust: f64) -> f64 {
        let sharpness = 4.0;
        let softplus = |t: f64| if t > 30.0 { t } else { t.exp().ln_1p() };
        (softplus(sharpness * (thrust - self.max_thrust)) + softplus(-sharpness * thrust)) / sharpness
    }

    /// `inputs`: one column for each step.
    pub fn cost(&self, inputs: &DMatrix<f64>) -> f64 {
        let hover = self.model.hover();
        let mut x = self.start;
        let mut total = 0.0;
        for column in inputs.column_iter() {
            let u = Vector2::new(column[0], column[1]);
            total += self.dt * self.tracking(&x);
            total += self.dt * self.effort * u.add_scalar(-hover).norm_squared();
            total += self.dt * u.iter().map(|&f| self.limits(f)).sum::<f64>();
            x = self.step(&x, &u);
        }
        total + 3.0 * self.tracking(&x)
    }
}

#[cfg(test)]
const POINT: [f64; 10] = [2.1, 1.9, 2.6, 2.4, 2.2, 2.7, 2.5, 2.3, 2.4, 2.6];

#[cfg(test)]
fn controller() -> Mpc {
    Mpc {
        model: PlanarQuad { mass: 0.5, inertia: 0.05, arm: 0.2, drag: 0.1 },
        start: Vector6::new(-0.5, 0.2, 0.1, 0.3, 0.0, -0.2),
        goal: Vector6::new(0.0, 0.5, 0.0, 0.0, 0.0, 0.0),
        weights: Vector6::new(2.0, 2.0, 0.5, 0.2, 0.2, 0.1),
        effort: 0.1,
        max_thrust: 3.0,
        dt: 0.1,
    }
}

#[cfg(test)]
#[test]
fn primal() {
    assert!(controller().cost(&DMatrix::from_column_slice(2, 5, &POINT)).is_finite());
}

#[test]
fn exact() {
    let mpc = controller();
    let inputs = |x: &[f64]| DMatrix::from_column_slice(2, 5, x);
    super::harness::check(
        "quadrotor_mpc",
        &POINT,
        |x| mpc.cost(&inputs(x)),
        |x| {
            let mut g = DMatrix::zeros(2, 5);
            let f = mpc.cost_grad(&inputs(x), &mut g);
            (f, g.as_slice().to_vec())
        },
        |x, v| {
            let mut h = DMatrix::zeros(2, 5);
            mpc.cost_hvp(&inputs(x), &inputs(v), &mut h);
            h.as_slice().to_vec()
        },
    );
}
