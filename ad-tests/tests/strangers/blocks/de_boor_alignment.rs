use ad_runtime::differentiable;

/// A clamped B-spline basis of degree `D`.
pub struct BSpline<const D: usize> {
    knots: Vec<f64>,
}

impl<const D: usize> BSpline<D> {
    pub fn clamped(interior: &[f64], a: f64, b: f64) -> Self {
        let mut knots = vec![a; D + 1];
        knots.extend_from_slice(interior);
        knots.extend(std::iter::repeat_n(b, D + 1));
        BSpline { knots }
    }

    #[differentiable]
    fn span(&self, t: f64) -> usize {
        let end = self.knots.len() - D - 1;
        D + self.knots[D + 1..end].partition_point(|&k| k <= t)
    }

    /// de Boor's algorithm
    #[differentiable]
    pub fn eval(&self, coef: &[f64], t: f64) -> f64 {
        let s = self.span(t);
        let mut d = coef[s - D..=s].to_vec();
        for r in 1..=D {
            for j in (r..=D).rev() {
                let lo = self.knots[j + s - D];
                let hi = self.knots[j + 1 + s - r];
                let alpha = (t - lo) / (hi - lo);
                d[j] = (1.0 - alpha) * d[j - 1] + alpha * d[j];
            }
        }
        d[D]
    }

    /// Penalised misfit of a curve whose clock is off by `shift`.
    #[differentiable(wrt(coef, shift, log_lambda))]
    pub fn penalised(&self, coef: &[f64], shift: f64, log_lambda: f64, data: &[(f64, f64)]) -> f64 {
        let misfit: f64 = data.iter().map(|&(t, y)| (self.eval(coef, t + shift) - y).powi(2)).sum();
        let roughness: f64 = coef.windows(3).map(|w| w[0] - 2.0 * w[1] + w[2]).map(|d2| d2 * d2).sum();
        let rank = (coef.len() - 2) as f64;
        misfit + log_lambda.exp() * roughness - 0.5 * rank * log_lambda
    }
}

fn example() -> (BSpline<3>, Vec<(f64, f64)>) {
    let data = vec![
        (0.1, 0.3),
        (0.3, 0.55),
        (0.8, 0.9),
        (1.2, 0.4),
        (1.6, -0.2),
        (1.8, -0.35),
        (2.2, 0.1),
        (2.6, 0.6),
    ];
    (BSpline::clamped(&[0.7, 1.4, 2.1], 0.0, 3.0), data)
}

#[cfg(test)]
#[test]
fn primal() {
    let (basis, data) = example();
    let coef = [0.2, 0.6, 1.1, 0.3, -0.5, 0.2, 0.7];
    assert!(basis.penalised(&coef, 0.06, -1.2, &data).is_finite());
}

#[test]
fn exact() {
    let (basis, data) = example();
    super::harness::check(
        "de_boor_alignment",
        &[0.2, 0.6, 1.1, 0.3, -0.5, 0.2, 0.7, 0.06, -1.2],
        |x| basis.penalised(&x[..7], x[7], x[8], &data),
        |x| {
            let mut g = vec![0.0; 7];
            let (value, (ds, dl)) = basis.penalised_grad(&x[..7], x[7], x[8], &data, &mut g);
            g.extend([ds, dl]);
            (value, g)
        },
        |x, v| {
            let mut hv = vec![0.0; 7];
            let (hs, hl) = basis.penalised_hvp(&x[..7], x[7], x[8], &data, &v[..7], v[7], v[8], &mut hv);
            hv.extend([hs, hl]);
            hv
        },
    );
}
