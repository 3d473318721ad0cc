//! A line search for the strong Wolfe conditions, that survives values that are not finite and the end of precision.

use super::real;
use crate::operators::Scalar;

/// The function along the line at one point.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trial<T> {
    pub(super) alpha: T,
    pub(super) value: T,
    pub(super) slope: T,
}

/// Constants of the search.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wolfe<T> {
    /// Sufficient decrease: `φ(α) ≤ φ(0) + c₁ α φ'(0)`.
    pub(super) decrease: T,
    /// Curvature: `|φ'(α)| ≤ c₂ |φ'(0)|`.
    pub(super) curvature: T,
    /// How many trials at most.
    pub(super) trials: usize,
}

/// What a search found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Found<T> {
    pub(super) trial: Trial<T>,
    /// Whether the trial is the last that was evaluated.
    pub(super) is_last: bool,
}

/// Looks for a step that fulfils the strong Wolfe conditions (Nocedal & Wright 2006, algorithms 3.5 and 3.6, with cubic
/// interpolation kept away from the ends), from `start` at 0, whose slope is negative, by way of `first`.
///
/// Where the values are equal up to rounding, decrease is judged by the slopes (the approximate Wolfe conditions of Hager
/// & Zhang 2005). A trial that is not finite counts as a step too long. `None` if no trial lowers the value.
pub(super) fn search<T: Scalar>(
    start: Trial<T>,
    first: T,
    wolfe: Wolfe<T>,
    mut evaluate: impl FnMut(T) -> (T, T),
) -> Option<Found<T>> {
    let two = T::one() + T::one();
    let noise = real::<T>(4.0) * T::epsilon() * start.value.abs();
    let decreases = |t: &Trial<T>| {
        t.value <= start.value + wolfe.decrease * t.alpha * start.slope
            || (t.value <= start.value + noise && t.slope <= (two * wolfe.decrease - T::one()) * start.slope)
    };
    let mut low = start; // the best that decreases enough
    let mut high: Option<Trial<T>> = None; // the other end, once there is one
    let mut alpha = first;
    for _ in 0..wolfe.trials {
        let (value, slope) = evaluate(alpha);
        let trial = Trial { alpha, value, slope };
        if !(value.is_finite() && slope.is_finite()) {
            high = Some(Trial { alpha, value: T::infinity(), slope: T::infinity() });
        } else if !decreases(&trial) || (low.alpha > T::zero() && value > low.value + noise) {
            high = Some(trial);
        } else {
            if slope.abs() <= wolfe.curvature * start.slope.abs() {
                return Some(Found { trial, is_last: true });
            }
            // Downhill from the new end must lie the other end.
            let towards_high = high.map_or(T::one(), |high| high.alpha - trial.alpha);
            if slope * towards_high >= T::zero() {
                high = Some(low);
            }
            low = trial;
        }
        alpha = match high {
            None => extrapolate(&low, &start),
            Some(high) => {
                let width = high.alpha - low.alpha;
                if width.abs() <= real::<T>(4.0) * T::epsilon() * low.alpha.max(high.alpha) {
                    break;
                }
                interpolate(&low, &high)
            }
        };
        if !alpha.is_finite() {
            break;
        }
    }
    (low.alpha > T::zero()).then_some(Found { trial: low, is_last: false })
}

/// A longer step.
fn extrapolate<T: Scalar>(low: &Trial<T>, start: &Trial<T>) -> T {
    // By the secant of the slopes, where that lies ahead.
    let secant = low.alpha * start.slope / (start.slope - low.slope);
    let (least, most) = (low.alpha * real(2.0), low.alpha * real(10.0));
    if secant > least {
        secant.min(most)
    } else if secant > T::zero() {
        least
    } else {
        most
    }
}

/// A step between the ends.
fn interpolate<T: Scalar>(low: &Trial<T>, high: &Trial<T>) -> T {
    let width = high.alpha - low.alpha;
    if !high.value.is_finite() {
        return low.alpha + width * real(0.1);
    }
    // The minimiser of the cubic through both values and slopes (Nocedal & Wright 2006, formula 3.59).
    let three = real::<T>(3.0);
    let d1 = low.slope + high.slope - three * (low.value - high.value) / (low.alpha - high.alpha);
    let d2 = (d1 * d1 - low.slope * high.slope).sqrt() * width.signum();
    let cubic = high.alpha - width * (high.slope + d2 - d1) / (high.slope - low.slope + d2 + d2);
    let share = (cubic - low.alpha) / width;
    let share = if share.is_finite() { share } else { real(0.5) };
    low.alpha + width * share.max(real(0.1)).min(real(0.9))
}
