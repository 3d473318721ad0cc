//! image-compare: mean SSIM over Gaussian windows, const-generic radius, nested flat_map and fold over a tuple.
use ad_runtime::differentiable;

pub struct Gray {
    pub width: usize,
    pub height: usize,
    pub pixels: Vec<f64>,
}

fn kernel<const R: usize>(sigma: f64) -> Vec<(isize, isize, f64)> {
    let r = R as isize;
    let raw: Vec<_> = (-r..=r)
        .flat_map(|dy| {
            (-r..=r).map(move |dx| (dx, dy, (-((dx * dx + dy * dy) as f64) / (2.0 * sigma * sigma)).exp()))
        })
        .collect();
    let total: f64 = raw.iter().map(|k| k.2).sum();
    raw.into_iter().map(|(dx, dy, w)| (dx, dy, w / total)).collect()
}

#[differentiable(wrt(image))]
pub fn dissimilarity<const R: usize>(image: &[f64], reference: &Gray, sigma: f64) -> f64 {
    const C1: f64 = 0.01 * 0.01;
    const C2: f64 = 0.03 * 0.03;
    let &Gray { width, height, ref pixels } = reference;
    assert_eq!(image.len(), width * height);
    let window = kernel::<R>(sigma);
    let scores: Vec<f64> = (R..height - R)
        .flat_map(|y| (R..width - R).map(move |x| (x, y)))
        .map(|(x, y)| {
            let (mx, my, xx, yy, xy) = window.iter().fold((0.0, 0.0, 0.0, 0.0, 0.0), |acc, &(dx, dy, w)| {
                let i = (y as isize + dy) as usize * width + (x as isize + dx) as usize;
                let (p, q) = (image[i], pixels[i]);
                (acc.0 + w * p, acc.1 + w * q, acc.2 + w * p * p, acc.3 + w * q * q, acc.4 + w * p * q)
            });
            let (var_x, var_y, cov) = (xx - mx * mx, yy - my * my, xy - mx * my);
            (2.0 * mx * my + C1) * (2.0 * cov + C2) / ((mx * mx + my * my + C1) * (var_x + var_y + C2))
        })
        .collect();
    1.0 - scores.iter().sum::<f64>() / scores.len() as f64
}

const X: &[f64] = &[
    0.9, 0.1, 0.6, 0.3, 0.1, //
    0.2, 0.8, 0.1, 0.9, 0.5, //
    0.7, 0.3, 1.0, 0.2, 0.8, //
    0.1, 0.9, 0.2, 0.7, 0.3,
];
fn reference() -> Gray {
    let pixels = vec![
        0.8, 0.3, 0.7, 0.2, 0.2, 0.1, 0.6, 0.3, 0.7, 0.4, 0.9, 0.2, 0.7, 0.4, 0.9, 0.3, 0.8, 0.1, 0.9, 0.2,
    ];
    Gray { width: 5, height: 4, pixels }
}
fn at(x: &[f64]) -> f64 {
    dissimilarity::<1>(x, &reference(), 0.8)
}
#[test]
fn exact() {
    let r = reference();
    crate::harness::check(
        "mssim",
        X,
        at,
        |x| {
            let mut g = vec![f64::NAN; 20];
            let value = dissimilarity_grad::<1>(x, &r, 0.8, &mut g);
            (value, g)
        },
        |x, v| {
            let mut hv = vec![f64::NAN; 20];
            dissimilarity_hvp::<1>(x, &r, 0.8, v, &mut hv);
            hv
        },
    );
}
