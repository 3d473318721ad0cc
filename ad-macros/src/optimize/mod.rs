//! (under construction)
pub(crate) mod hoist;
