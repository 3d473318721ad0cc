use ad_runtime::differentiable;

#[differentiable]
fn round_by_round(x: &[f64]) -> f64 {
    let mut it = x.iter();
    let mut s = 0.0;
    for k in 0..2 {
        while let Some(v) = it.next() {
            s += k as f64 * v * v;
        }
    }
    s
}

#[differentiable]
fn in_a_branch(x: &[f64], first: bool) -> f64 {
    let mut it = x.iter();
    let mut s = 0.0;
    if first {
        while let Some(v) = it.next() {
            s += v * v;
        }
    }
    for v in it {
        s += v;
    }
    s
}

#[differentiable]
fn afterwards(x: &[f64]) -> f64 {
    let mut it = x.iter();
    let mut s = 0.0;
    while let Some(v) = it.next() {
        if *v > 2.0 {
            break;
        }
        s += v * v;
    }
    s + it.sum::<f64>()
}

#[differentiable]
fn in_a_closure(x: &[f64]) -> f64 {
    let mut it = x.iter();
    let mut s = 0.0;
    let mut run = |k: f64| {
        while let Some(v) = it.next() {
            s += k * v * v;
        }
    };
    run(1.0);
    run(2.0);
    s
}

#[differentiable]
fn in_part(x: &[f64]) -> f64 {
    let mut it = x.iter();
    let a: f64 = it.by_ref().take(2).sum();
    a * it.map(|v| v * v).sum::<f64>()
}

#[differentiable]
fn by_reference(x: &[f64]) -> f64 {
    let mut it = x.iter();
    let mut s = 1.0;
    for v in (&mut it).take(2) {
        s *= v;
    }
    s * it.sum::<f64>()
}

#[differentiable]
fn up_to_a_hit(x: &[f64]) -> f64 {
    let mut it = x.iter();
    let a = it.find(|v| **v > 1.0).unwrap();
    let b = it.next().unwrap();
    a * a * b
}

fn main() {}
