//! Log-determinant of a kernel matrix by a Cholesky factorisation in place: a triangular nest that reads what it has overwritten.

use super::{Case, LANES, Linearization, Number, Problem, axpy, dot, uniform};
use ad_runtime::differentiable;
use std::hint::black_box;

/// Points in the plane, a Gaussian kernel between them, `noise` added to the diagonal.
#[differentiable(wrt(x))]
fn log_determinant(x: &[f64], noise: f64) -> f64 {
    let n = x.len() / 2;
    let mut a = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..i {
            let dx = x[2 * i] - x[2 * j];
            let dy = x[2 * i + 1] - x[2 * j + 1];
            a[i * n + j] = (-0.5 * (dx * dx + dy * dy)).exp();
        }
        a[i * n + i] = 1.0 + noise;
    }
    let mut sum = 0.0;
    for j in 0..n {
        let mut d = a[j * n + j];
        for k in 0..j {
            d -= a[j * n + k] * a[j * n + k];
        }
        let d = d.sqrt();
        a[j * n + j] = d;
        sum += 2.0 * d.ln();
        for i in j + 1..n {
            let mut s = a[i * n + j];
            for k in 0..j {
                s -= a[i * n + k] * a[j * n + k];
            }
            a[i * n + j] = s / d;
        }
    }
    sum
}

struct Cholesky {
    noise: f64,
}

pub(super) fn case(name: &'static str) -> Case {
    Case::new(name, Cholesky { noise: 0.1 }, uniform(19, 2 * black_box(32), -3.0, 3.0))
}

impl Cholesky {
    /// Writes the kernel, both triangles, and the inverse of the matrix; returns its log-determinant.
    fn invert(&self, x: &[f64], kernel: &mut [f64], inverse: &mut [f64]) -> f64 {
        let n = x.len() / 2;
        for i in 0..n {
            for j in 0..i {
                let (dx, dy) = (x[2 * i] - x[2 * j], x[2 * i + 1] - x[2 * j + 1]);
                let e = (-0.5 * (dx * dx + dy * dy)).exp();
                kernel[i * n + j] = e;
                kernel[j * n + i] = e;
            }
            kernel[i * n + i] = 1.0;
        }
        let mut l = kernel.to_vec();
        let mut sum = 0.0;
        for j in 0..n {
            let (above, rest) = l.split_at_mut(j * n);
            let row = &mut rest[..n];
            for k in 0..j {
                let other = &above[k * n..][..n];
                row[k] = (row[k] - dot(&row[..k], &other[..k])) / other[k];
            }
            row[j] = (1.0 + self.noise - dot(&row[..j], &row[..j])).sqrt();
            sum += 2.0 * row[j].ln();
        }
        // The inverse of the factor, row by row; then its transpose times itself.
        let mut m = vec![0.0; n * n];
        for i in 0..n {
            let (above, rest) = m.split_at_mut(i * n);
            let row = &mut rest[..n];
            let by = 1.0 / l[i * n + i];
            for k in 0..i {
                axpy(-by * l[i * n + k], &above[k * n..][..=k], &mut row[..=k]);
            }
            row[i] = by;
        }
        inverse.fill(0.0);
        for row in m.chunks_exact(n).enumerate() {
            let (k, row) = row;
            for i in 0..=k {
                axpy(row[i], &row[..=k], &mut inverse[i * n..][..=k]);
            }
        }
        sum
    }
}

impl Problem for Cholesky {
    fn primal(&self, x: &[f64]) -> f64 {
        log_determinant(x, self.noise)
    }
    fn gradient(&self, x: &[f64], g: &mut [f64]) -> f64 {
        log_determinant_grad(x, self.noise, g)
    }
    fn hvp(&self, x: &[f64], v: &[f64], hv: &mut [f64]) {
        log_determinant_hvp(x, self.noise, v, hv);
    }
    fn hvp_block(&self, x: &[f64], v: &[[f64; LANES]], hv: &mut [[f64; LANES]]) {
        log_determinant_hvp_block(x, self.noise, v, hv);
    }
    fn linearize<'a>(&'a self, x: &'a [f64]) -> Linearization<'a> {
        Linearization::new(log_determinant_linearize(x, self.noise))
    }

    /// d log det A = tr(A⁻¹ dA)
    fn gradient_by_hand(&self, x: &[f64], g: &mut [f64]) -> f64 {
        let n = x.len() / 2;
        let (mut kernel, mut inverse) = (vec![0.0; n * n], vec![0.0; n * n]);
        let value = self.invert(x, &mut kernel, &mut inverse);
        for i in 0..n {
            let (mut gx, mut gy) = (0.0, 0.0);
            for j in 0..n {
                let t = -2.0 * inverse[i * n + j] * kernel[i * n + j];
                gx += t * (x[2 * i] - x[2 * j]);
                gy += t * (x[2 * i + 1] - x[2 * j + 1]);
            }
            (g[2 * i], g[2 * i + 1]) = (gx, gy);
        }
        value
    }

    /// The same along v, with d(A⁻¹) = −A⁻¹ dA A⁻¹.
    fn hvp_by_hand(&self, x: &[f64], v: &[f64], hv: &mut [f64]) {
        let n = x.len() / 2;
        let (mut kernel, mut inverse) = (vec![0.0; n * n], vec![0.0; n * n]);
        self.invert(x, &mut kernel, &mut inverse);
        let mut kernel_dot = vec![0.0; n * n];
        for i in 0..n {
            for j in 0..n {
                let (dx, dy) = (x[2 * i] - x[2 * j], x[2 * i + 1] - x[2 * j + 1]);
                let (vx, vy) = (v[2 * i] - v[2 * j], v[2 * i + 1] - v[2 * j + 1]);
                kernel_dot[i * n + j] = -kernel[i * n + j] * (dx * vx + dy * vy);
            }
        }
        let (mut product, mut inverse_dot) = (vec![0.0; n * n], vec![0.0; n * n]);
        for i in 0..n {
            for k in 0..n {
                axpy(inverse[i * n + k], &kernel_dot[k * n..][..n], &mut product[i * n..][..n]);
            }
        }
        for i in 0..n {
            for k in 0..n {
                axpy(-product[i * n + k], &inverse[k * n..][..n], &mut inverse_dot[i * n..][..n]);
            }
        }
        for i in 0..n {
            let (mut hx, mut hy) = (0.0, 0.0);
            for j in 0..n {
                let at = i * n + j;
                let t = -2.0 * inverse[at] * kernel[at];
                let t_dot = -2.0 * (inverse_dot[at] * kernel[at] + inverse[at] * kernel_dot[at]);
                hx += t_dot * (x[2 * i] - x[2 * j]) + t * (v[2 * i] - v[2 * j]);
                hy += t_dot * (x[2 * i + 1] - x[2 * j + 1]) + t * (v[2 * i + 1] - v[2 * j + 1]);
            }
            (hv[2 * i], hv[2 * i + 1]) = (hx, hy);
        }
    }

    fn generic<T: Number>(&self, x: &[T]) -> T {
        let n = x.len() / 2;
        let mut a = vec![T::from(0.0); n * n];
        for i in 0..n {
            for j in 0..i {
                let dx = x[2 * i] - x[2 * j];
                let dy = x[2 * i + 1] - x[2 * j + 1];
                a[i * n + j] = ((dx * dx + dy * dy) * -0.5).exp();
            }
            a[i * n + i] = T::from(1.0 + self.noise);
        }
        let mut sum = T::from(0.0);
        for j in 0..n {
            let mut d = a[j * n + j];
            for k in 0..j {
                d -= a[j * n + k] * a[j * n + k];
            }
            let d = d.sqrt();
            a[j * n + j] = d;
            sum += d.ln() * 2.0;
            for i in j + 1..n {
                let mut s = a[i * n + j];
                for k in 0..j {
                    s -= a[i * n + k] * a[j * n + k];
                }
                a[i * n + j] = s / d;
            }
        }
        sum
    }
}
