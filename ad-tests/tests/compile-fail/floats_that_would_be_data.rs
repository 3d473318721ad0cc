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

#[differentiable(wrt(options))]
fn of_fields(x: f64, options: &Options) -> f64 {
    x * options.scale
}

// No field of it can be active.
#[derive(Clone, Differentiable)]
struct Tables {
    tables: Option<Vec<f64>>,
}

#[differentiable]
fn of_tables(x: f64, tables: &Tables) -> f64 {
    x * tables.tables.as_ref().unwrap()[0]
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
