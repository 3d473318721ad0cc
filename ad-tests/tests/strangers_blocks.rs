//! Functions that were refused when they were first tried, by people who did not know what this compiler accepts: methods that
//! carry the attribute themselves, in blocks that are generic, a trait's, or of data; options of blocks; arrays of libraries in
//! structs; factorisations of small matrices.
// The functions under test are written as users write them.
#![allow(clippy::all, clippy::pedantic, missing_docs, dead_code, unused_imports, unreachable_pub)]

#[path = "strangers/harness.rs"]
mod harness;

#[path = "strangers/blocks"]
mod blocks {
    use super::harness;

    mod almost_ideal;
    mod alpha_pinene;
    mod bard;
    mod blp_share;
    mod composition;
    mod cook_torrance;
    mod de_boor_alignment;
    mod dtlz2_pbi;
    mod evidential;
    mod gmm_euler;
    mod gravity_survey;
    mod gulf_research;
    mod helium_gto;
    mod hs_catalogue;
    mod mt_sounding;
    mod nfw_shear;
    mod pid_ise;
    mod pose_graph;
    mod quadrotor_mpc;
    mod riccati_cost;
    mod richardson_lucy;
    mod saha_mix;
    mod schaffers_f17;
    mod sdirk_kinetics;
    mod yeo_johnson;
}
