use ad_runtime::Differentiable;

#[derive(Differentiable)]
struct Pair<T> {
    a: T,
    b: T,
}

#[derive(Differentiable)]
enum Kind {
    A(f64),
}

fn main() {}
