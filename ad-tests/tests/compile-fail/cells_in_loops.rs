//! What a loop does with data that changes behind a shared reference is not done again on the way back through it.

use ad_runtime::differentiable;
use std::cell::{Cell, RefCell};

fn tick(c: &Cell<usize>) -> usize {
    let k = c.get();
    c.set(k + 1);
    k % 4
}

#[differentiable(wrt(x))]
fn by_a_function(x: &[f64], c: &Cell<usize>) -> f64 {
    let mut s = 1.0;
    for v in x {
        s = s * x[tick(c)] + v;
    }
    s
}

struct Random {
    state: RefCell<u64>,
}
impl Random {
    fn unit(&self) -> f64 {
        *self.state.borrow_mut() += 1;
        *self.state.borrow() as f64
    }
}

#[differentiable(wrt(x))]
fn by_a_method(x: &[f64], random: &Random) -> f64 {
    let mut s = 1.0;
    while s < 100.0 {
        s = s * x[0] * random.unit() + x[1];
    }
    s
}

fn main() {}
