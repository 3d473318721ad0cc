//! Functions of published crates, with nothing changed but for the attribute: test problems, special functions, fits, filters.

// The functions under test are written as users write them.
#![allow(clippy::all, clippy::pedantic, missing_docs, dead_code, unused_imports, unreachable_pub)]

#[path = "strangers/harness.rs"]
mod harness;

#[path = "strangers/crates"]
mod crates {
    mod ackley;
    mod beta_reg;
    mod bundle_adjustment;
    mod carlson;
    mod chainwoo;
    mod ciede2000;
    mod cubic_bez;
    mod debye;
    mod discrete_shell;
    mod gamma_likelihood;
    mod gmm;
    mod helical_valley;
    mod hs71;
    mod hyp1f1;
    mod kowalik_osborne;
    mod levy;
    mod moog_ladder;
    mod mssim;
    mod multi_logistic;
    mod natural_spline;
    mod neohookean;
    mod parametric_eq;
    mod radial_velocity;
    mod tweedie;
    mod uniform_spline;
    mod vincenty;
}
