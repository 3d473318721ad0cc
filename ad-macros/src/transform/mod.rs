//! Differentiation: IR in, IR out. None of these knows `syn`, nor any other of them.
pub(crate) mod checkpoint;
pub(crate) mod forward;
pub(crate) mod lanes;
pub(crate) mod outputs;
pub(crate) mod pattern;
pub(crate) mod products;
pub(crate) mod reverse;
pub(crate) mod split;
pub(crate) mod taylor;
