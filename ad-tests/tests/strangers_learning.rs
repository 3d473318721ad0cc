//! Functions of machine learning by people who did not know what this compiler accepts, unchanged.

// The functions under test are written as users write them.
#![allow(clippy::all, clippy::pedantic, missing_docs, dead_code, unused_imports, unreachable_pub)]

#[path = "strangers/harness.rs"]
mod harness;

#[path = "strangers/learning"]
mod learning {
    mod batch_norm;
    mod conv1d;
    mod conv2d;
    mod coupling_flow;
    mod crf;
    mod ctc;
    mod evidence;
    mod factorization;
    mod focal;
    mod gaussian_process;
    mod gru;
    mod hmm;
    mod info_nce;
    mod lambda_rank;
    mod linear_recurrent;
    mod lstm;
    mod matrix_factorization;
    mod mixture;
    mod mlp;
    mod mmd;
    mod multi_head;
    mod self_attention;
    mod skip_gram;
    mod soft_kmeans;
    mod softmax_regression;
    mod vae;
}
