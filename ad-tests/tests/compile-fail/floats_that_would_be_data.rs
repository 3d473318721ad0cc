use ad_runtime::{Differentiable, differentiable};

macro_rules! alias {
    () => {
        type Real = f64;
    };
}
alias!();

#[derive(Clone, Differentiable)]
struct Options {
    more: Option<Vec<f64>>,
    tables: Vec<Vec<Vec<f64>>>,
    rate: Real,
    #[constant]
    known: Option<f64>,
    name: String,
    scale: f64,
}

#[differentiable]
fn aliased(x: f64, y: Real) -> f64 {
    x * y
}

#[differentiable]
fn deep(x: f64, w: &Vec<[Vec<f64>; 2]>, late: &Late) -> f64 {
    x * w[0][0][0] * late.x
}

#[derive(Clone, Differentiable)]
struct Late {
    x: f64,
}

// It may be made and changed inside of functions.
#[derive(Clone, Differentiable)]
struct State {
    last: Option<f64>,
    sum: f64,
}

#[differentiable]
fn of_options(x: f64, state: &State) -> f64 {
    x * state.sum
}

fn main() {}
