//! Functions on statistics by people who did not know what this compiler accepts, unchanged.
// The functions under test are written as users write them.
#![allow(clippy::all, clippy::pedantic, missing_docs, dead_code, unused_imports)]

#[path = "strangers/harness.rs"]
mod harness;

#[path = "strangers/stats"]
mod stats {
    use super::harness;

    mod annuity;
    mod cfa;
    mod cox_efron;
    mod gamma_regression;
    mod gev;
    mod gjr_garch;
    mod gp_evidence;
    mod holt_winters;
    mod irt_2pl;
    mod kalman;
    mod laplace_glmm;
    mod limited_expected_value;
    mod mixture;
    mod nested_logit;
    mod poisson_gam;
    mod poisson_hmm;
    mod sar;
    mod seir;
    mod stop_loss;
    mod svensson;
    mod tetrachoric;
    mod variogram;
    mod weibull_aft;
    mod whittle;
    mod zinb;
}
