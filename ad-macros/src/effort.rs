//! How much is done for the speed of generated code.
//!
//! In builds without optimisation (`opt-level = 0`) nobody looks for speed, and everybody waits for the compiler: what shapes
//! loops for the machine is left out there, and products that others can stand in for call those. `ad-runtime` knows how it is
//! built, and names one of the two attributes `differentiable`.
//!
//! What does not live here: what is left out ([`crate::optimize`], [`crate::derivatives`], [`crate::pipeline`]).

use std::cell::Cell;

/// How much is done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Effort {
    /// Code that runs fast.
    Full,
    /// Code that compiles fast. It computes the same, in sums of another order.
    Plain,
}

thread_local! {
    static CURRENT: Cell<Effort> = const { Cell::new(Effort::Full) };
}

impl Effort {
    /// That of the attribute that is being expanded on this thread.
    pub(crate) fn current() -> Effort {
        CURRENT.get()
    }

    /// Expands an attribute with this effort.
    pub(crate) fn with<R>(self, expand: impl FnOnce() -> R) -> R {
        let before = CURRENT.replace(self);
        let expanded = expand();
        CURRENT.set(before);
        expanded
    }
}
