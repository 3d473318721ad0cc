//! Functions that were refused when they were first tried, by people who did not know what this compiler accepts: data that the
//! function builds itself, arrays of data in structs, builders, helpers generic over the user's own traits.
// The functions under test are written as users write them.
#![allow(clippy::all, clippy::pedantic, missing_docs, dead_code, unused_imports, unreachable_pub)]

#[path = "strangers/harness.rs"]
mod harness;

#[path = "strangers/mixed"]
mod mixed {
    use super::harness;

    mod almgren_chriss;
    mod buck_converter;
    mod data_of_any_float;
    mod discrete_shell;
    mod gay_berne;
    mod glm_traits;
    mod hanging_rod;
    mod hartmann6;
    mod logit_panel;
    mod loop_shaping;
    mod mesh_moments;
    mod mixed_reml;
    mod nbody_fit;
    mod newton_euler;
    mod nt_xent;
    mod pma_pool;
    mod smartcore_multiclass;
    mod soft_body;
    mod von_mises_mixture;
    mod whittaker_gcv;
    mod winkler_beam;
}
