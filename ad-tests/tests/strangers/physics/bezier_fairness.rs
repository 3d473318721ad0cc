//! Fairness of a Bezier curve in any dimension: squared second derivative plus a length term, de Casteljau, generic float.
use ad_runtime::differentiable;
use num_traits::Float;

#[differentiable]
fn de_casteljau<T: Float, const D: usize>(control: &[[T; D]], t: T) -> [T; D] {
    let mut work = control.to_vec();
    while work.len() > 1 {
        work = work
            .windows(2)
            .map(|pair| std::array::from_fn(|d| pair[0][d] * (T::one() - t) + pair[1][d] * t))
            .collect();
    }
    work[0]
}

#[differentiable]
fn hodograph<T: Float, const D: usize>(control: &[[T; D]]) -> Vec<[T; D]> {
    let degree = T::from(control.len() - 1).unwrap();
    control
        .iter()
        .zip(control.iter().skip(1))
        .map(|(a, b)| {
            let mut d = [T::zero(); D];
            for k in 0..D {
                d[k] = degree * (b[k] - a[k]);
            }
            d
        })
        .collect()
}

#[differentiable(wrt(control))]
fn fairness<T: Float + std::iter::Sum, const N: usize, const D: usize>(
    control: [[T; D]; N],
    length_weight: T,
    samples: usize,
) -> T {
    let first = hodograph(&control);
    let second = hodograph(&first);
    let norm2 = |v: [T; D]| v.iter().map(|&c| c * c).sum::<T>();
    let step = T::one() / T::from(samples).unwrap();
    let half = T::from(0.5).unwrap();
    (0..samples)
        .map(|i| (T::from(i).unwrap() + half) * step)
        .map(|t| {
            let speed = norm2(de_casteljau(&first, t)).sqrt();
            let bend = norm2(de_casteljau(&second, t));
            step * (bend / speed.powi(3) + length_weight * speed)
        })
        .sum()
}

#[test]
fn exact() {
    let c = |x: &[f64]| -> [[f64; 2]; 5] { std::array::from_fn(|i| [x[2 * i], x[2 * i + 1]]) };
    super::harness::check(
        "bezier_fairness",
        &[0.0, 0.1, 0.8, 0.9, 1.7, 1.1, 2.6, 0.7, 3.4, -0.2],
        |x| fairness(c(x), 0.7, 12),
        |x| {
            let (value, g) = fairness_grad(c(x), 0.7, 12);
            (value, g.concat())
        },
        |x, v| fairness_hvp(c(x), 0.7, 12, c(v)).concat(),
    );
}
