use ad_runtime::differentiable;
use num_traits::Float;

#[differentiable]
fn sigmoid<T: Float>(x: T) -> T {
    (T::one() + (-x).exp()).recip()
}

/// Focal loss plus soft Dice loss of a binary segmentation, with learnable focusing and balance.
#[differentiable]
fn focal_dice<T: Float>(logits: &[T], gamma: T, balance: T, mask: &[bool]) -> T {
    let two = T::one() + T::one();
    let alpha = sigmoid(balance);
    let mut focal = T::zero();
    let (mut overlap, mut mass) = (T::zero(), T::zero());
    for (&l, &inside) in logits.iter().zip(mask) {
        let p = sigmoid(l);
        let (hit, weight) = if inside { (p, alpha) } else { (T::one() - p, T::one() - alpha) };
        focal = focal - weight * (T::one() - hit).powf(gamma) * hit.ln();
        mass = mass + p;
        if inside {
            overlap = overlap + p;
            mass = mass + T::one();
        }
    }
    let n = T::from(logits.len()).unwrap();
    let dice = T::one() - (two * overlap + T::one()) / (mass + T::one());
    focal / n + dice
}

const MASK: [bool; 5] = [true, false, true, true, false];
fn point() -> Vec<f64> {
    vec![0.8, -0.5, -0.3, 1.4, 0.6, 1.7, 0.2]
}
fn value(x: &[f64]) -> f64 {
    focal_dice(&x[..5], x[5], x[6], &MASK)
}
#[test]
fn exact() {
    crate::harness::check(
        "focal",
        &point(),
        value,
        |x| {
            let mut g = vec![f64::NAN; 5];
            let (value, (gg, gb)) = focal_dice_grad(&x[..5], x[5], x[6], &MASK, &mut g);
            g.extend([gg, gb]);
            (value, g)
        },
        |x, v| {
            let mut h = vec![f64::NAN; 5];
            let (hg, hb) = focal_dice_hvp(&x[..5], x[5], x[6], &MASK, &v[..5], v[5], v[6], &mut h);
            h.extend([hg, hb]);
            h
        },
    );
}
