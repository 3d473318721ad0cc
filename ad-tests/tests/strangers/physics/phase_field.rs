//! Ginzburg-Landau (phase field) free energy on a periodic grid, ndarray.
use ad_runtime::differentiable;
use ndarray::{Array2, ArrayView2};

#[differentiable(wrt(phi))]
fn free_energy(phi: ArrayView2<f64>, kappa: f64, anisotropy: f64, field: f64) -> f64 {
    let (rows, cols) = phi.dim();
    let bulk = phi.iter().map(|&p| 0.25 * (p * p - 1.0).powi(2) - field * p).sum::<f64>();
    let mut gradient = 0.0;
    for ((i, j), &p) in phi.indexed_iter() {
        let gx = phi[[(i + 1) % rows, j]] - p;
        let gy = phi[[i, (j + 1) % cols]] - p;
        let g2 = gx * gx + gy * gy + 1e-2;
        // fourfold anisotropic stiffness
        let fourfold = (gx.powi(4) + gy.powi(4)) / (g2 * g2);
        gradient += 0.5 * kappa * g2 * (1.0 + anisotropy * (4.0 * fourfold - 3.0));
    }
    let mean = phi.mean().unwrap_or_default();
    bulk + gradient + 2.0 * (mean - 0.1).powi(2)
}

#[test]
fn exact() {
    let x0 = [0.8, 0.3, -0.5, 0.6, -0.2, -0.9, 0.1, 0.7, -0.4, 0.5, 0.9, -0.6];
    fn grid(x: &[f64]) -> ArrayView2<'_, f64> {
        ArrayView2::from_shape((3, 4), x).unwrap()
    }
    super::harness::check(
        "phase_field",
        &x0,
        |x| free_energy(grid(x), 0.5, 0.05, 0.1),
        |x| {
            let mut g = Array2::from_elem((3, 4), f64::NAN);
            let value = free_energy_grad(grid(x), 0.5, 0.05, 0.1, g.view_mut());
            (value, g.into_raw_vec_and_offset().0)
        },
        |x, v| {
            let mut hv = Array2::from_elem((3, 4), f64::NAN);
            free_energy_hvp(grid(x), 0.5, 0.05, 0.1, grid(v), hv.view_mut());
            hv.into_raw_vec_and_offset().0
        },
    );
}
