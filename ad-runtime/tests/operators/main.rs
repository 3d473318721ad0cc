//! Operators of second derivatives: each against a dense matrix that is assembled from its definition.

mod common;
mod models;
mod structured;
mod views;

/// Runs a generic function of this module as a test in either precision.
macro_rules! for_both_precisions {
    ($($check:ident),* $(,)?) => {
        $(
            mod $check {
                #[test]
                fn f32() {
                    super::$check::<f32>();
                }
                #[test]
                fn f64() {
                    super::$check::<f64>();
                }
            }
        )*
    };
}
pub(crate) use for_both_precisions;
