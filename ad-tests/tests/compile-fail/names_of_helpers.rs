use ad_runtime::differentiable;

const N: usize = 2;

#[differentiable(wrt(v))]
fn inner(v: &[f64]) -> [f64; 2] {
    let mut s = 0.0;
    for i in 0..N {
        s += v[i];
    }
    [s, v[2]]
}

// `N` is another one here.
#[differentiable]
fn f<const N: usize>(x: &[f64; N]) -> f64 {
    let a = inner(x);
    a[0] * a[1]
}

mod other {
    pub const SCALE: f64 = 2.0;
    use ad_runtime::differentiable;
    #[differentiable(wrt(v))]
    pub fn from_elsewhere(v: &[f64]) -> [f64; 2] {
        [v[0], v[1]]
    }
}

use other::from_elsewhere;

// Its derivatives stand beside it.
#[differentiable]
fn g(x: &[f64]) -> f64 {
    let a = from_elsewhere(x);
    a[0] * a[1]
}

// Which names it imports, the macro does not see.
#[differentiable]
fn h(x: &[f64]) -> f64 {
    let a = {
        use other::*;
        x[0] * SCALE
    };
    a * x[1]
}

fn main() {}
