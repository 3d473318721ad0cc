//! What is refused, and how: each case's message is in the `.stderr` beside it.

#[test]
fn refusals_teach() {
    trybuild::TestCases::new().compile_fail("tests/compile-fail/*.rs");
}
