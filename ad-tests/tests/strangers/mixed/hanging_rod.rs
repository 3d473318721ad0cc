//! Planar discrete elastic rod: stretching, bending (turning angle by half-angle tangent), weight.
use ad_runtime::differentiable;
use num_traits::Float;

#[differentiable]
fn sub<T: Float>(a: [T; 2], b: [T; 2]) -> [T; 2] {
    [a[0] - b[0], a[1] - b[1]]
}

#[differentiable]
fn turning<T: Float>(e: [T; 2], f: [T; 2]) -> T {
    let two = T::one() + T::one();
    let cross = e[0] * f[1] - e[1] * f[0];
    let dot = e[0] * f[0] + e[1] * f[1];
    let ll = e[0].hypot(e[1]) * f[0].hypot(f[1]);
    two * cross / (ll + dot)
}

#[differentiable]
pub fn rod_energy<T: Float, const N: usize>(nodes: &[[T; 2]; N], stretch: T, bend: T, weight: T) -> T {
    let half = T::from(0.5).unwrap();
    let segments = T::from(N - 1).unwrap();
    let rest = T::one() / segments;
    let anchor = [T::zero(), T::zero()];

    let mut energy = T::zero();
    let mut previous: Option<[T; 2]> = None;
    for pair in nodes.windows(2) {
        let edge = sub(pair[1], pair[0]);
        let len = (edge[0].powi(2) + edge[1].powi(2)).sqrt();
        let strain = len / rest - T::one();
        energy = energy + half * stretch * strain * strain * rest;
        if let Some(before) = previous {
            let kappa = turning(before, edge) / rest;
            energy = energy + half * bend * kappa * kappa * rest;
        }
        let mid = half * (pair[0][1] + pair[1][1]);
        energy = energy + weight * mid * rest;
        previous = Some(edge);
    }
    let off = sub(nodes[0], anchor);
    energy + (off[0] * off[0] + off[1] * off[1]) * stretch
}

#[cfg(test)]
const X: &[f64] = &[0.05, -0.02, 0.38, 0.12, 0.7, -0.05, 1.1, -0.3, 2.0, 0.15, 0.8];

#[cfg(test)]
fn nodes(x: &[f64]) -> [[f64; 2]; 4] {
    std::array::from_fn(|i| [x[2 * i], x[2 * i + 1]])
}

#[cfg(test)]
fn value(x: &[f64]) -> f64 {
    rod_energy(&nodes(x), x[8], x[9], x[10])
}

#[cfg(test)]
#[test]
fn primal() {
    assert!(value(X).is_finite());
    assert!(rod_energy(&[[0.0f32, 0.0], [0.5, 0.1], [1.0, 0.0]], 1.0, 0.1, 0.5).is_finite());
}

#[test]
fn exact() {
    super::harness::check(
        "hanging_rod",
        X,
        value,
        |x| {
            let mut g = [[0.0; 2]; 4];
            let (f, (gs, gb, gw)) = rod_energy_grad(&nodes(x), x[8], x[9], x[10], &mut g);
            let mut all = g.as_flattened().to_vec();
            all.extend([gs, gb, gw]);
            (f, all)
        },
        |x, v| {
            let mut h = [[0.0; 2]; 4];
            let (hs, hb, hw) =
                rod_energy_hvp(&nodes(x), x[8], x[9], x[10], &nodes(v), v[8], v[9], v[10], &mut h);
            let mut all = h.as_flattened().to_vec();
            all.extend([hs, hb, hw]);
            all
        },
    );
}
