//! The evaluator of the tests.
