use ad_runtime::Differentiable;

#[derive(Differentiable)]
struct Borrowed<'a> {
    a: &'a [f64],
}

#[derive(Differentiable)]
union Both {
    a: f64,
    b: u64,
}

fn main() {}
