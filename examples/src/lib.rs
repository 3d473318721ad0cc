//! Shared pieces of the example programs: reading and preparing data, and what surrounds a program. The programs
//! themselves lie beside this folder; nothing here differentiates anything.
//!
//! The code blocks of the README and of the book are run as doctests of this package.

pub mod dataset;
pub mod digits;
pub mod prepare;
pub mod program;
pub mod quasi_newton;

/// The README and the book.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../../README.md")]
    struct Readme;
    #[doc = include_str!("../../docs/src/getting-started.md")]
    struct GettingStarted;
    #[doc = include_str!("../../docs/src/operators.md")]
    struct Operators;
    #[doc = include_str!("../../docs/src/custom-rules.md")]
    struct CustomRules;
    #[doc = include_str!("../../docs/src/derivative-conventions.md")]
    struct DerivativeConventions;
    #[doc = include_str!("../../docs/src/how-it-works.md")]
    struct HowItWorks;
    #[doc = include_str!("../../docs/src/cost.md")]
    struct Cost;
    #[doc = include_str!("../../docs/src/reading-dumps.md")]
    struct ReadingDumps;
    #[doc = include_str!("../../docs/src/supported-rust.md")]
    struct SupportedRust;
}
