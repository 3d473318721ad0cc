use ad_runtime::differentiable;

#[differentiable]
fn f(x: f64, start: &[Option<f64>]) -> f64 {
    let mut levels: Vec<_> = start.iter().map(|s| s.unwrap_or(0.0)).collect();
    let mut out = 0.0;
    for _ in 0..2 {
        let known: f64 = std::hint::black_box(levels[1]);
        out += known;
        levels[1] = levels[0] * x;
    }
    out
}

fn main() {}
