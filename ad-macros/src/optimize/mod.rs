//! (under construction)
pub(crate) mod hoist;
pub(crate) mod dce;
