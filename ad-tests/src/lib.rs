//! End-to-end tests of the compiler live in `tests/`.
