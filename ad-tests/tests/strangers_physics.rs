//! Functions on physics and engineering by people who did not know what this compiler accepts, unchanged.
// The functions under test are written as users write them.
#![allow(clippy::all, clippy::pedantic, missing_docs, dead_code, unused_imports)]

#[path = "strangers/harness.rs"]
mod harness;

#[path = "strangers/physics"]
mod physics {
    use super::harness;

    mod american_put;
    mod attitude;
    mod bezier_fairness;
    mod bond_fit;
    mod conservation_law;
    mod cook_torrance;
    mod double_pendulum;
    mod feedback_gain;
    mod force_field;
    mod heat_inverse;
    mod heston;
    mod kalman_likelihood;
    mod kepler_rv;
    mod lennard_jones;
    mod n_body;
    mod nrtl;
    mod option_book;
    mod peng_robinson;
    mod phase_field;
    mod pid_tuning;
    mod planar_arm;
    mod reaction_network;
    mod reprojection;
    mod signed_distance;
    mod tapered_beam;
    mod truss;
}
