//! Random numbers for starting vectors and probes: the same for the same seed, on every machine.

use super::real;
use crate::operators::Scalar;

/// SplitMix64 (Steele, Lea & Flood 2014): 64 bits of state, period 2⁶⁴. Enough for probes; not for secrets.
#[derive(Clone, Debug)]
pub(super) struct Random {
    state: u64,
}

impl Random {
    pub(super) const fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    pub(super) const fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in (-1, 1).
    fn uniform(&mut self) -> f64 {
        // The midpoints of 2⁵² equal intervals.
        ((self.bits() >> 12) as f64 + 0.5) / (1_u64 << 51) as f64 - 1.0
    }

    /// Fills with independent uniform numbers in (-1, 1).
    pub(super) fn fill_uniform<T: Scalar>(&mut self, v: &mut [T]) {
        for v in v {
            *v = real(self.uniform());
        }
    }

    /// Fills with independent signs.
    pub(super) fn fill_signs<T: Scalar>(&mut self, v: &mut [T]) {
        for chunk in v.chunks_mut(64) {
            let mut bits = self.bits();
            for v in chunk {
                *v = if bits & 1 == 1 { T::one() } else { -T::one() };
                bits >>= 1;
            }
        }
    }

    /// Fills with independent normal numbers of mean 0 and variance 1, by the polar method (Marsaglia & Bray 1964).
    pub(super) fn fill_normal<T: Scalar>(&mut self, v: &mut [T]) {
        for pair in v.chunks_mut(2) {
            let (a, b, squared) = loop {
                let (a, b) = (self.uniform(), self.uniform());
                let squared = a * a + b * b;
                if squared < 1.0 {
                    break (a, b, squared);
                }
            };
            let scale = num_traits::Float::sqrt(-2.0 * num_traits::Float::ln(squared) / squared);
            for (v, a) in pair.iter_mut().zip([a, b]) {
                *v = real(a * scale);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn moments_and_repeatability() {
        let mut v = alloc::vec![0.0_f64; 100_001];
        let n = v.len() as f64;
        let moment = |v: &[f64], k| v.iter().map(|v| num_traits::Float::powi(*v, k)).sum::<f64>() / n;
        Random::new(1).fill_normal(&mut v);
        for (k, expected, error) in [(1, 0.0, 0.02), (2, 1.0, 0.03), (3, 0.0, 0.06), (4, 3.0, 0.2)] {
            assert!((moment(&v, k) - expected).abs() < error, "normal, moment {k}");
        }
        let again: Vec<f64> = v.clone();
        Random::new(1).fill_normal(&mut v);
        assert_eq!(v, again);
        Random::new(1).fill_signs(&mut v);
        assert!(moment(&v, 1).abs() < 0.02 && v.iter().all(|v| v.abs() == 1.0));
        Random::new(1).fill_uniform(&mut v);
        assert!(moment(&v, 1).abs() < 0.02 && (moment(&v, 2) - 1.0 / 3.0).abs() < 0.01);
        assert!(v.iter().all(|v| v.abs() < 1.0));
    }
}
