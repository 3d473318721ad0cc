use ad_runtime::differentiable;

macro_rules! vec {
    ($a:expr; $n:expr) => {
        std::vec::Vec::from([$a * 2.0; 2])
    };
}

mod mem {
    pub fn swap(a: &mut f64, _: &mut f64) {
        *a *= 2.0;
    }
}

#[differentiable]
fn f(x: &[f64]) -> f64 {
    let v = vec![x[0]; 2];
    v[0] * v[1]
}

#[differentiable]
fn g(x: &[f64]) -> f64 {
    let mut a = x[0];
    let mut b = x[1];
    mem::swap(&mut a, &mut b);
    a * b * b
}

fn main() {}
