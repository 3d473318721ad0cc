//! Functions that were refused when they were first tried, by people who did not know what this compiler accepts: methods
//! differentiated with respect to `self`, `impl` blocks whose methods are to have derivatives, enums that derive, structs and
//! helpers below their users, options mapped to active values.
// The functions under test are written as users write them.
#![allow(clippy::all, clippy::pedantic, missing_docs, dead_code, unused_imports, unreachable_pub)]

#[path = "strangers/harness.rs"]
mod harness;

#[path = "strangers/later"]
mod later {
    use super::harness;

    mod bpr;
    mod crf;
    mod ffm;
    mod garman_kohlhagen;
    mod graded_response;
    mod gru_lm;
    mod hmm_forward;
    mod kowalik_osborne;
    mod robust_peaks;
    mod seir_poisson;
    mod sif_groups;
    mod svensson;
    mod toda_lattice;
}
