use ad_runtime::Differentiable;

#[derive(Differentiable)]
struct Borrowed<'a> {
    a: &'a [f64],
}

#[derive(Differentiable)]
enum Kind {
    A(f64),
}

fn main() {}
