use ad_runtime::differentiable;

// No values.
#[differentiable(check)]
fn bare(x: f64, rows: &[f64], n: usize) -> f64 {
    x * rows[n]
}

// Some are missing, one is misspelt, one is given twice.
#[differentiable(wrt(w), check(w = [1.0], rwos = [1.0], w = [2.0]))]
fn missing(w: &[f64], rows: &[f64]) -> f64 {
    w[0] * rows[0]
}

#[differentiable(check(1.0))]
fn without_names(x: f64) -> f64 {
    x
}

#[differentiable(check = 1.0)]
fn an_assignment(x: f64) -> f64 {
    x
}

#[differentiable(check(x = [1.0]))]
fn several_outputs(x: &[f64]) -> [f64; 2] {
    [x[0], x[0] * x[0]]
}

#[differentiable(only(hvp), check(x = 1.0))]
fn without_gradient(x: f64) -> f64 {
    x * x
}

struct Spring(f64);

impl Spring {
    #[differentiable(check(x = 1.0))]
    fn energy(&self, x: f64) -> f64 {
        self.0 * x * x
    }
}

#[differentiable(check(x = 1.0))]
fn helper(x: f64) -> (f64, usize) {
    (x, 1)
}

fn main() {}
