use ad_runtime::{Differentiable, differentiable};
use std::ops::{Add, Mul};

#[derive(Clone, Copy, Debug, Default, PartialEq, Differentiable)]
struct Complex {
    re: f64,
    im: f64,
}

#[differentiable]
impl Complex {
    fn polar(radius: f64, angle: f64) -> Self {
        let (sin, cos) = angle.sin_cos();
        Self { re: radius * cos, im: radius * sin }
    }
    fn norm_squared(self) -> f64 {
        self.re.mul_add(self.re, self.im * self.im)
    }
}

#[differentiable]
impl Add for Complex {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self { re: self.re + other.re, im: self.im + other.im }
    }
}

#[differentiable]
impl Mul for Complex {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        Self { re: self.re * other.re - self.im * other.im, im: self.re * other.im + self.im * other.re }
    }
}

#[differentiable]
impl Mul<f64> for Complex {
    type Output = Self;
    fn mul(self, k: f64) -> Self {
        Self { re: self.re * k, im: self.im * k }
    }
}

#[derive(Clone, Debug, Differentiable)]
struct Lru<const N: usize> {
    nu: [f64; N],
    theta: [f64; N],
    input: [Complex; N],
    output: [Complex; N],
    skip: f64,
}

struct Task {
    inputs: Vec<f64>,
    outputs: Vec<f64>,
}

impl Task {
    /// Squared error of a diagonal complex linear recurrent unit with stable exponential parametrisation.
    #[differentiable(wrt(lru))]
    fn loss<const N: usize>(&self, lru: &Lru<N>) -> f64 {
        let lambda: [Complex; N] =
            std::array::from_fn(|k| Complex::polar((-lru.nu[k].exp()).exp(), lru.theta[k]));
        let gamma = lambda.map(|l| (1.0 - l.norm_squared()).sqrt());
        let mut state = [Complex::default(); N];
        self.inputs
            .iter()
            .zip(self.outputs.iter())
            .map(|(&u, &target)| {
                let mut y = lru.skip * u;
                for (k, h) in state.iter_mut().enumerate() {
                    *h = lambda[k] * *h + lru.input[k] * (gamma[k] * u);
                    y += (lru.output[k] * *h).re;
                }
                (y - target).powi(2)
            })
            .sum::<f64>()
            / self.inputs.len() as f64
    }
}

fn task() -> Task {
    Task { inputs: vec![0.7, -0.2, 1.1, 0.4, -0.9, 0.3], outputs: vec![0.1, 0.5, 0.2, 0.8, 0.3, -0.4] }
}
fn unpack(x: &[f64]) -> Lru<2> {
    let c = |k: usize| Complex { re: x[k], im: x[k + 1] };
    Lru { nu: [x[0], x[1]], theta: [x[2], x[3]], input: [c(4), c(6)], output: [c(8), c(10)], skip: x[12] }
}
fn pack(p: &Lru<2>) -> Vec<f64> {
    let mut all = [p.nu, p.theta].concat();
    all.extend(p.input.iter().chain(&p.output).flat_map(|c| [c.re, c.im]));
    all.push(p.skip);
    all
}
fn point() -> Vec<f64> {
    vec![-1.1, -0.6, 0.5, 1.4, 0.8, -0.3, 0.2, 0.9, 0.4, 0.6, -0.7, 0.1, 0.25]
}
fn value(x: &[f64]) -> f64 {
    task().loss(&unpack(x))
}
#[test]
fn exact() {
    let task = task();
    crate::harness::check(
        "linear_recurrent",
        &point(),
        value,
        |x| {
            let mut g = unpack(&vec![f64::NAN; x.len()]);
            let value = task.loss_grad(&unpack(x), &mut g);
            (value, pack(&g))
        },
        |x, v| {
            let mut hv = unpack(&vec![f64::NAN; x.len()]);
            task.loss_hvp(&unpack(x), &unpack(v), &mut hv);
            pack(&hv)
        },
    );
}
