use ad_runtime::differentiable;

#[differentiable]
fn f(x: f64) -> f64 {
    let handle = std::thread::spawn(move || x * x);
    handle.join().unwrap()
}

fn main() {}
