//! Tetrachoric correlation: West's normal cdf by Horner folds, bivariate normal cdf by Gauss-Legendre.
use ad_runtime::differentiable;
use std::f64::consts::{PI, SQRT_2};

const P: [f64; 7] = [
    3.52624965998911e-2,
    0.700383064443688,
    6.37396220353165,
    33.912866078383,
    112.079291497871,
    221.213596169931,
    220.206867912376,
];
const Q: [f64; 8] = [
    8.83883476483184e-2,
    1.75566716318264,
    16.064177579207,
    86.7807322029461,
    296.564248779674,
    637.333633378831,
    793.826512519948,
    440.413735824752,
];

#[differentiable]
fn horner(c: &[f64], x: f64) -> f64 {
    c.iter().fold(0.0, |acc, &c| acc.mul_add(x, c))
}

#[differentiable]
fn normal_cdf(x: f64) -> f64 {
    let z = x.abs();
    let tail = match z {
        z if z > 37.0 => 0.0,
        z if z < 5.0 * SQRT_2 => (-0.5 * z * z).exp() * horner(&P, z) / horner(&Q, z),
        z => {
            let b = (1..=4).rev().fold(z + 0.65, |b, k| z + k as f64 / b);
            (-0.5 * z * z).exp() / b / (2.0 * PI).sqrt()
        }
    };
    if x > 0.0 { 1.0 - tail } else { tail }
}

#[differentiable]
fn binormal_cdf(h: f64, k: f64, rho: f64) -> f64 {
    const RULE: [(f64, f64); 3] = [
        (0.9324695142031522, 0.1713244923791705),
        (0.6612093864662647, 0.3607615730481384),
        (0.2386191860831970, 0.4679139345726904),
    ];
    let end = rho.asin();
    let (hk, hs) = (h * k, 0.5 * (h * h + k * k));
    let mut sum = 0.0;
    for (node, weight) in RULE {
        for sign in [-1.0, 1.0] {
            let sn = (0.5 * end * (1.0 + sign * node)).sin();
            sum += weight * ((sn * hk - hs) / (1.0 - sn * sn)).exp();
        }
    }
    sum * end / (4.0 * PI) + normal_cdf(h) * normal_cdf(k)
}

#[differentiable]
fn tetrachoric(rho: f64, row_cut: f64, column_cut: f64, table: &[[u32; 2]; 2]) -> f64 {
    let both = binormal_cdf(row_cut, column_cut, rho);
    let (row, column) = (normal_cdf(row_cut), normal_cdf(column_cut));
    let cells = [[both, row - both], [column - both, 1.0 - row - column + both]];
    -table.iter().flatten().zip(cells.iter().flatten()).map(|(&count, p)| count as f64 * p.ln()).sum::<f64>()
}

const TABLE: [[u32; 2]; 2] = [[11, 5], [4, 9]];

#[test]
fn exact() {
    super::harness::check(
        "tetrachoric",
        &[0.45, 0.2, -0.1],
        |x| tetrachoric(x[0], x[1], x[2], &TABLE),
        |x| {
            let (value, (a, b, c)) = tetrachoric_grad(x[0], x[1], x[2], &TABLE);
            (value, vec![a, b, c])
        },
        |x, v| {
            let (a, b, c) = tetrachoric_hvp(x[0], x[1], x[2], &TABLE, v[0], v[1], v[2]);
            vec![a, b, c]
        },
    );
}
