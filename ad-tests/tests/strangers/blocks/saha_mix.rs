//! Mean molecular weight of a partly ionised hydrogen-helium mixture.
use ad_runtime::differentiable;

/// Ionisation energies of H I, He I, He II in eV and the ratios of statistical weights.
const STAGES: [(f64, f64); 3] = [(13.598, 1.0), (24.587, 4.0), (54.418, 1.0)];

/// `temperature` in eV, `density` of hydrogen nuclei in units of 1.5e18 per cm^3, `helium` nuclei per hydrogen nucleus.
/// None if the electron fraction does not converge.
#[differentiable]
pub fn mean_molecular_weight(temperature: f64, density: f64, helium: f64) -> Option<f64> {
    let [s1, s2, s3] = STAGES
        .map(|(chi, weight)| 2e3 * weight * temperature.powf(1.5) * (-chi / temperature).exp() / density);

    // charge balance per hydrogen nucleus and its slope
    let balance = |e: f64| {
        let proton = s1 / (s1 + e);
        let z = e * e + e * s2 + s2 * s3;
        let dz = 2.0 * e + s2;
        let charge = (e * s2 + 2.0 * s2 * s3) / z;
        let d_charge = (s2 - charge * dz) / z;
        (proton + helium * charge - e, -proton / (s1 + e) + helium * d_charge - 1.0)
    };

    let mut e = 0.5 * (1.0 + 2.0 * helium);
    let mut converged = false;
    for _ in 0..60 {
        let (value, slope) = balance(e);
        let next = (e - value / slope).max(0.1 * e);
        let step = (next - e).abs();
        e = next;
        if step <= 1e-12 * e {
            converged = true;
            break;
        }
    }
    converged.then(|| (1.0 + 4.0 * helium) / (1.0 + helium + e))
}

#[cfg(test)]
#[test]
fn primal() {
    assert!(mean_molecular_weight(2.2, 1.3, 0.2).unwrap().is_finite());
}

#[test]
fn exact() {
    super::harness::check(
        "saha_mix",
        &[2.2, 1.3, 0.2],
        |x| mean_molecular_weight(x[0], x[1], x[2]).unwrap(),
        |x| {
            let (f, (t, d, h)) = mean_molecular_weight_grad(x[0], x[1], x[2]).unwrap();
            (f, vec![t, d, h])
        },
        |x, v| {
            let (t, d, h) = mean_molecular_weight_hvp(x[0], x[1], x[2], v[0], v[1], v[2]).unwrap();
            vec![t, d, h]
        },
    );
}
