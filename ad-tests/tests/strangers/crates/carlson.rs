//! Incomplete elliptic integral of the second kind by Carlson's duplication (ellip crate style).
use ad_runtime::differentiable;

const RF_TOL: f64 = 0.0008;
const RD_TOL: f64 = 0.0005;

#[differentiable]
fn rf(x: f64, y: f64, z: f64) -> f64 {
    let (mut x, mut y, mut z) = (x, y, z);
    loop {
        let lambda = (x * y).sqrt() + (y * z).sqrt() + (z * x).sqrt();
        (x, y, z) = (0.25 * (x + lambda), 0.25 * (y + lambda), 0.25 * (z + lambda));
        let ave = (x + y + z) / 3.0;
        let [dx, dy, dz] = [x, y, z].map(|t| (ave - t) / ave);
        if dx.abs().max(dy.abs()).max(dz.abs()) < RF_TOL {
            let e2 = dx * dy - dz * dz;
            let e3 = dx * dy * dz;
            break (1.0 + (e2 / 24.0 - 0.1 - 3.0 / 44.0 * e3) * e2 + e3 / 14.0) / ave.sqrt();
        }
    }
}

#[differentiable]
fn rd(x: f64, y: f64, z: f64) -> f64 {
    let mut v = [x, y, z];
    let (mut sum, mut fac) = (0.0, 1.0);
    let (ave, dev) = loop {
        let r = v.map(f64::sqrt);
        let lambda = r[0] * (r[1] + r[2]) + r[1] * r[2];
        sum += fac / (r[2] * (v[2] + lambda));
        fac *= 0.25;
        v.iter_mut().for_each(|t| *t = 0.25 * (*t + lambda));
        let ave = 0.2 * (v[0] + v[1] + 3.0 * v[2]);
        let dev = v.map(|t| (ave - t) / ave);
        if dev.iter().all(|d| d.abs() < RD_TOL) {
            break (ave, dev);
        }
    };
    let ea = dev[0] * dev[1];
    let eb = dev[2] * dev[2];
    let ec = ea - eb;
    let ed = ea - 6.0 * eb;
    let ee = ed + ec + ec;
    3.0 * sum
        + fac
            * (1.0
                + ed * (-3.0 / 14.0 + 9.0 / 88.0 * ed - 9.0 / 52.0 * dev[2] * ee)
                + dev[2] * (ee / 6.0 + dev[2] * (-9.0 / 22.0 * ec + dev[2] * 3.0 / 26.0 * ea)))
            / (ave * ave.sqrt())
}

#[differentiable]
pub fn ellipe(phi: f64, m: f64) -> f64 {
    let (s, c) = phi.sin_cos();
    let (cc, q) = (c * c, 1.0 - m * s * s);
    s * (rf(cc, q, 1.0) - m * s * s * rd(cc, q, 1.0) / 3.0)
}

const X: &[f64] = &[0.9, 0.4];
fn at(x: &[f64]) -> f64 {
    ellipe(x[0], x[1])
}
#[test]
fn exact() {
    crate::harness::check(
        "carlson",
        X,
        at,
        |x| {
            let (value, (p, m)) = ellipe_grad(x[0], x[1]);
            (value, vec![p, m])
        },
        |x, v| {
            let (p, m) = ellipe_hvp(x[0], x[1], v[0], v[1]);
            vec![p, m]
        },
    );
}
