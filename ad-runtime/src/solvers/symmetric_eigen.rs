//! Eigenvalues of small symmetric matrices: what Lanczos and quadrature need of their projections.
//!
//! For tridiagonal matrices by implicit QL; dense ones are brought to that form by Householder's reflections.

use alloc::vec;
use alloc::vec::Vec;

use super::{all_finite, norm, real};
use crate::operators::{Scalar, dot};

/// The rotations of one eigenvalue at most; a few are usual.
const ROTATIONS: usize = 100;

/// Diagonalises a tridiagonal matrix in place: `diagonal` becomes the eigenvalues, in no order, and each column of
/// `columns`, of which there are as many, the combination of columns by an eigenvector. `off` has one element less than
/// `diagonal`, or as many and the last unused; it is destroyed. Implicit QL with Wilkinson's shift (Bowdler, Martin,
/// Reinsch & Wilkinson 1968; Golub & Van Loan 2013, §8.3). `O(m²)` plus `O(m²)` a row of the columns.
///
/// Returns false if it does not converge, which finite numbers do not let happen.
#[must_use]
pub(super) fn tridiagonal<T: Scalar>(diagonal: &mut [T], off: &mut [T], columns: &mut [Vec<T>]) -> bool {
    let m = diagonal.len();
    let two = T::one() + T::one();
    for low in 0..m {
        for rotation in 0.. {
            // The first element beyond `low` that couples to nothing after it.
            let high = (low..m.saturating_sub(1))
                .find(|&i| off[i].abs() <= T::epsilon() * (diagonal[i].abs() + diagonal[i + 1].abs()))
                .unwrap_or(m - 1);
            if high == low {
                break;
            }
            if rotation == ROTATIONS {
                return false;
            }
            let half_gap = (diagonal[low + 1] - diagonal[low]) / (two * off[low]);
            let root = half_gap.hypot(T::one()).copysign(half_gap);
            let mut bulge = diagonal[high] - diagonal[low] + off[low] / (half_gap + root);
            let (mut sine, mut cosine, mut shift) = (T::one(), T::one(), T::zero());
            let mut vanished = false;
            for i in (low..high).rev() {
                let (f, b) = (sine * off[i], cosine * off[i]);
                let r = f.hypot(bulge);
                if i + 1 < high {
                    off[i + 1] = r;
                }
                if r == T::zero() {
                    // Split here, and begin anew.
                    diagonal[i + 1] -= shift;
                    if high < off.len() {
                        off[high] = T::zero();
                    }
                    vanished = true;
                    break;
                }
                (sine, cosine) = (f / r, bulge / r);
                let g = diagonal[i + 1] - shift;
                let r = (diagonal[i] - g) * sine + two * cosine * b;
                shift = sine * r;
                diagonal[i + 1] = g + shift;
                bulge = cosine * r - b;
                let (left, right) = columns.split_at_mut(i + 1);
                for (x, y) in left[i].iter_mut().zip(&mut right[0]) {
                    (*x, *y) = (cosine * *x - sine * *y, sine * *x + cosine * *y);
                }
            }
            if !vanished {
                diagonal[low] -= shift;
                off[low] = bulge;
            }
        }
    }
    true
}

/// Eigenvalues, in no order, and orthonormal eigenvectors of a symmetric matrix, given by its columns, which are destroyed.
/// `O(m³)`. `None` if a number is not finite.
pub(super) fn dense<T: Scalar>(mut matrix: Vec<Vec<T>>) -> Option<(Vec<T>, Vec<Vec<T>>)> {
    let m = matrix.len();
    if !matrix.iter().all(|column| all_finite(column)) {
        return None;
    }
    let mut vectors: Vec<Vec<T>> = (0..m)
        .map(|j| {
            let mut column = vec![T::zero(); m];
            column[j] = T::one();
            column
        })
        .collect();
    let mut off = vec![T::zero(); m];
    let (mut v, mut w) = (vec![T::zero(); m], vec![T::zero(); m]);
    for k in 0..m.saturating_sub(1) {
        // The reflection 1 - 2 v vᵀ that leaves of column k only the element under the diagonal.
        let below = k + 1..m;
        v[below.clone()].copy_from_slice(&matrix[k][below.clone()]);
        let length = norm(&v[below.clone()]);
        let pivot = v[k + 1];
        off[k] = if k + 2 < m { -length.copysign(pivot) } else { pivot };
        if k + 2 == m || length == T::zero() {
            continue;
        }
        v[k + 1] = pivot - off[k];
        let scale = norm(&v[below.clone()]);
        v[below.clone()].iter_mut().for_each(|v| *v /= scale);
        let v = &v[below.clone()];
        // A ← A - v wᵀ - w vᵀ, w = 2 A v - 2 (v·A v) v
        let w = &mut w[below.clone()];
        for (w, column) in w.iter_mut().zip(&matrix[below.clone()]) {
            *w = real::<T>(2.0) * dot(v, &column[below.clone()]);
        }
        let along = dot(v, w);
        w.iter_mut().zip(v).for_each(|(w, &v)| *w -= along * v);
        for ((column, &vj), &wj) in matrix[below.clone()].iter_mut().zip(v).zip(&*w) {
            for ((a, &vi), &wi) in column[below.clone()].iter_mut().zip(v).zip(&*w) {
                *a -= vi * wj + wi * vj;
            }
        }
        // Q ← Q - 2 Q v vᵀ
        let mut image = vec![T::zero(); m];
        for (column, &vj) in vectors[below.clone()].iter().zip(v) {
            super::axpy(real::<T>(2.0) * vj, column, &mut image);
        }
        for (column, &vj) in vectors[below].iter_mut().zip(v) {
            super::axpy(-vj, &image, column);
        }
    }
    let mut values: Vec<T> = (0..m).map(|j| matrix[j][j]).collect();
    tridiagonal(&mut values, &mut off, &mut vectors).then_some((values, vectors))
}

#[cfg(test)]
mod tests {
    use super::super::random::Random;
    use super::*;

    fn check(matrix: &[Vec<f64>], tolerance: f64) -> Vec<f64> {
        let m = matrix.len();
        let (mut values, vectors) = dense(matrix.to_vec()).expect("finite");
        let scale = matrix.iter().flatten().fold(0.0_f64, |s, a| s.max(a.abs())) * m as f64;
        for (value, vector) in values.iter().zip(&vectors) {
            for i in 0..m {
                let error = dot(&matrix[i], vector) - value * vector[i];
                assert!(error.abs() <= tolerance * scale, "residual {error} of {value}");
            }
        }
        for i in 0..m {
            for j in 0..m {
                let expected = if i == j { 1.0 } else { 0.0 };
                assert!((dot(&vectors[i], &vectors[j]) - expected).abs() < 1e-13 * m as f64);
            }
        }
        values.sort_by(f64::total_cmp);
        values
    }

    #[test]
    fn random_matrices_of_all_sizes() {
        for m in [0, 1, 2, 3, 4, 17, 64] {
            for scale in [1.0, 1e-150, 1e150] {
                let mut matrix = vec![vec![0.0; m]; m];
                let mut random = Random::new(m as u64);
                for column in &mut matrix {
                    random.fill_normal(column);
                }
                for i in 0..m {
                    for j in 0..=i {
                        matrix[i][j] *= scale;
                        matrix[j][i] = matrix[i][j];
                    }
                }
                let trace: f64 = (0..m).map(|i| matrix[i][i]).sum();
                let values = check(&matrix, 1e-14);
                assert!((values.iter().sum::<f64>() - trace).abs() <= 1e-13 * scale * (m * m) as f64);
            }
        }
    }

    #[test]
    fn known_spectra() {
        // Second differences: 2 - 2 cos(kπ/(m+1)).
        let m = 50;
        let second = |i: usize, j: usize| match i.abs_diff(j) {
            0 => 2.0,
            1 => -1.0,
            _ => 0.0,
        };
        let matrix: Vec<Vec<f64>> = (0..m).map(|j| (0..m).map(|i| second(i, j)).collect()).collect();
        for (k, value) in check(&matrix, 1e-14).iter().enumerate() {
            let angle = (k + 1) as f64 * core::f64::consts::PI / (m + 1) as f64;
            assert!((value - 2.0 + 2.0 * num_traits::Float::cos(angle)).abs() < 1e-13);
        }
        // Zero, identity, rank one, arrowhead, and graded over 16 orders of magnitude.
        assert_eq!(check(&vec![vec![0.0; 5]; 5], 0.0), [0.0; 5]);
        let unit = |i: usize, j: usize| if i == j { 1.0 } else { 0.0 };
        let identity: Vec<Vec<f64>> = (0..5).map(|j| (0..5).map(|i| unit(i, j)).collect()).collect();
        assert_eq!(check(&identity, 0.0), [1.0; 5]);
        let values = check(&vec![vec![1.0; 6]; 6], 1e-14);
        assert!((values[5] - 6.0).abs() < 1e-14 && values[..5].iter().all(|v| v.abs() < 1e-14));
        let arrow = |i: usize, j: usize| {
            if i == j {
                i as f64
            } else if i == 7 || j == 7 {
                0.5
            } else {
                0.0
            }
        };
        check(&(0..8).map(|j| (0..8).map(|i| arrow(i, j)).collect()).collect::<Vec<_>>(), 1e-14);
        let graded = |i: usize, j: usize| num_traits::Float::powi(0.1_f64, (i + j) as i32);
        check(&(0..9).map(|j| (0..9).map(|i| graded(i, j)).collect()).collect::<Vec<_>>(), 1e-14);
    }

    #[test]
    fn not_finite_ends() {
        assert!(dense(vec![vec![1.0, f64::NAN], vec![f64::NAN, 1.0]]).is_none());
        assert!(
            dense(vec![vec![f64::INFINITY, 1.0, 0.0], vec![1.0, 1.0, 2.0], vec![0.0, 2.0, 1.0]]).is_none()
        );
    }
}
