//! Elementary functions that LLVM makes vector code of, for loops of derivatives: a call into libm takes one number at a time, and
//! nothing around it can be vector code either.
//!
//! Straight code without branches or tables: the argument is reduced to `r = x - n ln 2` with `|r| <= ln 2 / 2` (Cody and Waite 1980),
//! `e^r - 1` is a polynomial of degree 11 (by Remez' exchange; it is off by less than 2⁻⁵⁷ of `e^r`), and `2^n` is made of
//! bits. What is promised to be the function's own to the last bit does not come from here: values of the user's function, what a
//! comparison decides by, and what other code is given, are the standard library's.

use core::f64::consts::LOG2_E;

/// Added to a number below 2⁵¹ and taken away again, it leaves the next integer; the lower bits of the sum are that integer.
const ROUND: f64 = 6_755_399_441_055_744.0;
/// The upper bits of ln 2, so that a product with an exponent is exact, and what they leave.
const LN_2: [f64; 2] = [0.693_147_180_558_298_7, 1.646_594_958_289_708_2e-12];
/// `(e^r - 1 - r) / r²`
const EXP: [f64; 10] = [
    0.500_000_000_000_000_9,
    0.166_666_666_666_664_27,
    0.041_666_666_666_545_63,
    0.008_333_333_333_490_312,
    0.001_388_888_894_004_072_4,
    0.000_198_412_695_071_145_4,
    2.480_149_645_986_518_7e-5,
    2.755_759_136_047_608_7e-6,
    2.762_914_784_858_426_5e-7,
    2.499_717_646_140_856e-8,
];

/// The nearest integer, of numbers that are not large.
#[inline(always)]
fn nearest(x: f64) -> f64 {
    (x + ROUND) - ROUND
}

/// 2 to the power of an integer that is one of a normal number's.
#[inline(always)]
fn power_of_two(n: f64) -> f64 {
    f64::from_bits((n + (ROUND + 1023.0)).to_bits() << 52)
}

/// `n` and `e^r - 1` with `x = n ln 2 + r`.
#[inline(always)]
fn reduced(x: f64) -> (f64, f64) {
    let n = nearest(x * LOG2_E);
    let r = (x - n * LN_2[0]) - n * LN_2[1];
    let [c0, c1, c2, c3, c4, c5, c6, c7, c8, c9] = EXP;
    // Estrin's scheme: the steps of Horner's wait for each other.
    let square = r * r;
    let fourth = square * square;
    let low = (c0 + c1 * r) + (c2 + c3 * r) * square;
    let high = (c4 + c5 * r) + (c6 + c7 * r) * square;
    let q = low + high * fourth + (c8 + c9 * r) * (fourth * fourth);
    (n, r + square * q)
}

/// `e^x`, within one unit in the last place of what libm gives; the same where that is 0, infinite or NaN.
#[inline(always)]
#[must_use]
pub fn exp(x: f64) -> f64 {
    // Beyond these it is infinite, or 0. NaN is on neither side.
    let x = if x > 1400.0 { 1400.0 } else { x };
    let x = if x < -1000.0 { -1000.0 } else { x };
    let (n, p) = reduced(x);
    // In two steps: 2^n may be more than the largest number, or less than the smallest normal one, where the result is neither.
    let half = nearest(n * 0.5);
    (1.0 + p) * power_of_two(half) * power_of_two(n - half)
}

/// The hyperbolic tangent, within four units in the last place of what libm gives; zeros keep their signs.
#[inline(always)]
#[must_use]
pub fn tanh(x: f64) -> f64 {
    // t = e^2|x| - 1, and tanh |x| = t / (t + 2), which is 1 from 20 on.
    let twice = 2.0 * x.abs();
    let twice = if twice > 50.0 { 50.0 } else { twice };
    let (n, p) = reduced(twice);
    let power = power_of_two(n);
    let t = power * p + (power - 1.0);
    (t / (t + 2.0)).copysign(x)
}

#[cfg(test)]
mod tests {
    extern crate std;

    use super::{exp, tanh};

    /// How many numbers apart two numbers are.
    fn apart(a: f64, b: f64) -> u64 {
        if a.is_nan() && b.is_nan() {
            return 0;
        }
        assert_eq!(a.is_sign_negative(), b.is_sign_negative(), "{a:e} and {b:e}");
        a.abs().to_bits().abs_diff(b.abs().to_bits())
    }

    /// Compares on an even grid, and at numbers of every magnitude.
    fn compare(name: &str, ours: fn(f64) -> f64, theirs: fn(f64) -> f64, ends: &[(f64, f64)], most: u64) {
        let check = |x: f64| {
            let (a, b) = (ours(x), theirs(x));
            assert!(apart(a, b) <= most, "{name}({x:e}) = {a:e}, not {b:e}");
        };
        for &(lo, hi) in ends {
            (0..=200_000).for_each(|k| check(lo + (hi - lo) * f64::from(k) / 200_000.0));
        }
        for exponent in 0..2047_u64 {
            for fraction in [0, 1, 0x8_1234_5678_9abc, 0xf_ffff_ffff_ffff] {
                let x = f64::from_bits(exponent << 52 | fraction);
                check(x);
                check(-x);
            }
        }
        for x in [0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, f64::MIN_POSITIVE, 5e-324] {
            check(x);
        }
    }

    #[test]
    fn exponentials() {
        let ends = [(-1.0, 1.0), (-40.0, 40.0), (-746.0, -700.0), (-710.0, 711.0), (709.7, 709.9)];
        compare("exp", exp, f64::exp, &ends, 1);
    }

    #[test]
    fn hyperbolic_tangents() {
        let ends = [(-1e-3, 1e-3), (-0.5, 0.5), (-2.0, 2.0), (-30.0, 30.0)];
        compare("tanh", tanh, f64::tanh, &ends, 4);
    }
}
