//! Questions asked of the IR before it is transformed. Nothing here changes a function.
//!
//! - [`activity`]: what varies with the active inputs, and what reaches the outputs;
//! - [`definitions`]: how pure values are made: literals, and places that move with a loop;
//! - [`held`]: what was stored and need not be computed again;
//! - [`keep`]: what a round of a loop keeps for its reversal;
//! - [`overwrite`]: what sets every element of a buffer;
//! - [`sizes`]: which integers are `usize`;
//! - [`undo`]: which buffers a reverse sweep puts back as they were;
//! - [`replay`]: how each loop is run backwards: its body run again, or what it needs saved.

pub(crate) mod activity;
pub(crate) mod definitions;
pub(crate) mod held;
pub(crate) mod keep;
pub(crate) mod overwrite;
pub(crate) mod replay;
pub(crate) mod sizes;
pub(crate) mod state;
pub(crate) mod undo;
