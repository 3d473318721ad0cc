use ad_runtime::differentiable;

trait Ext {
    fn norm(&self) -> f64;
    fn dot(&self, other: &[f64]) -> f64;
}

impl Ext for [f64] {
    fn norm(&self) -> f64 {
        self.iter().map(|v| v.abs()).sum()
    }
    fn dot(&self, other: &[f64]) -> f64 {
        self[0] * other[1]
    }
}

trait Total {
    fn sum(&self) -> f64;
}

impl Total for Vec<f64> {
    fn sum(&self) -> f64 {
        self[0]
    }
}

// Arrays of the libraries have methods of these names.
#[differentiable]
fn f(x: &[f64]) -> f64 {
    x.norm() * x.dot(x)
}

#[differentiable]
fn g(x: &[f64]) -> f64 {
    let v = x.to_vec();
    v.sum() * v.iter().sum::<f64>() * x[1]
}

fn main() {}
