//! Iterators: known while lowering, gone in the IR. [`sources`] makes them from method calls, [`drive`] turns them into
//! loops, [`consume`] lowers what ends a chain (`sum`, `fold`, `collect`, ...).
//!
//! Those whose length and n-th item are known (`Iter::indexed`) become a `for` over indices, whatever is zipped,
//! mapped or reversed on top of them. The others (`filter`, `chain`, ...) wrap the body of the loop below them.

mod collect;
pub(super) mod consume;
mod drive;
mod effects;
mod fallible;
mod sources;

pub(super) use collect::Sampled;
pub(super) use sources::{is_chain, mentions};

use std::rc::Rc;

use super::lower::VarId;
use super::value::{Closure, Val, View};
use crate::ir::Value;

/// What is called with the items of an iterator.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Callee {
    Closure(Rc<Closure>),
    /// `f64::abs`, the name of a differentiable function.
    Path(syn::ExprPath),
}

/// An iterator.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Iter {
    Range {
        lo: Value,
        hi: Value,
        inclusive: bool,
    },
    /// `lo..`
    From {
        lo: Value,
    },
    /// `..hi`: for indices and comparisons only.
    Below {
        hi: Value,
        inclusive: bool,
    },
    /// Elements of an array, slice or vector.
    Elements {
        view: View,
        mutable: bool,
    },
    /// All elements of a matrix, row by row. `shaped`: as `Zip` takes them, whose arrays have one shape.
    Grid {
        view: View,
        mutable: bool,
        shaped: bool,
    },
    /// Elements of a vector of tuples or structs, which is kept as one vector for each part.
    Columns {
        parts: Box<Val>,
        mutable: bool,
    },
    /// Items of something the macro does not look into, behind this value; references to them unless `owned`.
    Foreign {
        base: Value,
        owned: bool,
        /// Each item is a reference, kept in a vector of these.
        refs: bool,
    },
    /// Elements of an array of two axes, with their indices.
    Indexed(View),
    Windows {
        view: View,
        size: Value,
    },
    RowWindows {
        rows: Box<Val>,
        size: Value,
    },
    Chunks {
        view: View,
        size: Value,
        exact: bool,
    },
    Once(Box<Val>),
    Repeat(Box<Val>),
    Cycle(Rc<Iter>),
    Map(Rc<Iter>, Callee),
    Deref(Rc<Iter>),
    Enumerate(Rc<Iter>),
    Zip(Rc<Iter>, Rc<Iter>),
    Rev(Rc<Iter>),
    Skip(Rc<Iter>, Value),
    Take(Rc<Iter>, Value),
    StepBy(Rc<Iter>, Value),
    Chain(Rc<Iter>, Rc<Iter>),
    Filter(Rc<Iter>, Callee),
    FilterMap(Rc<Iter>, Callee),
    TakeWhile(Rc<Iter>, Callee),
    SkipWhile(Rc<Iter>, Callee),
    MapWhile(Rc<Iter>, Callee),
    FlatMap(Rc<Iter>, Callee),
    Flatten(Rc<Iter>),
    /// With the variable that holds its state.
    Scan(Rc<Iter>, VarId, Callee),
    /// The first item, an option, and what follows an item, another.
    Successors(Box<Val>, Callee),
    /// What a function gives until it gives `None`; `ends`: what it gives are options.
    Calls {
        f: Callee,
        ends: bool,
    },
}

/// Methods that take an iterator by reference, and leave it where an item decides.
pub(super) const STOP_ANYWHERE: [&str; 7] =
    ["any", "all", "find", "find_map", "position", "try_fold", "try_for_each"];

impl Iter {
    /// Whether its length and n-th item are known without running through it.
    pub(super) fn indexed(&self) -> bool {
        match self {
            Iter::Range { .. }
            | Iter::From { .. }
            | Iter::Elements { .. }
            | Iter::Grid { .. }
            | Iter::Columns { .. }
            | Iter::Foreign { .. }
            | Iter::Windows { .. }
            | Iter::RowWindows { .. }
            | Iter::Chunks { .. }
            | Iter::Once(_)
            | Iter::Repeat(_) => true,
            Iter::Rev(a) => a.indexed() && !a.endless(),
            Iter::Zip(a, b) => a.indexed() && b.indexed(),
            other => other.adapted().is_some_and(Iter::indexed),
        }
    }

    /// A matrix whose elements it runs over, if that is all that it runs over.
    pub(super) fn grid(&self) -> Option<&View> {
        match self {
            Iter::Grid { view, .. } => Some(view),
            Iter::Map(a, _) | Iter::Deref(a) => a.grid(),
            Iter::Zip(a, b) if a.is_shaped() && b.is_shaped() => b.grid().and(a.grid()),
            _ => None,
        }
    }

    fn is_shaped(&self) -> bool {
        match self {
            Iter::Grid { shaped, .. } => *shaped,
            Iter::Zip(a, b) => a.is_shaped() && b.is_shaped(),
            _ => false,
        }
    }

    /// What an adapter takes its items from one by one, by their numbers.
    pub(super) fn adapted(&self) -> Option<&Iter> {
        match self {
            Iter::Map(a, _)
            | Iter::Cycle(a)
            | Iter::Deref(a)
            | Iter::Enumerate(a)
            | Iter::Rev(a)
            | Iter::Skip(a, _)
            | Iter::Take(a, _)
            | Iter::StepBy(a, _) => Some(a),
            _ => None,
        }
    }

    /// Whether it has no end.
    pub(super) fn endless(&self) -> bool {
        match self {
            Iter::From { .. } | Iter::Repeat(_) | Iter::Cycle(_) | Iter::Calls { ends: false, .. } => true,
            Iter::Map(a, _)
            | Iter::Deref(a)
            | Iter::Enumerate(a)
            | Iter::Skip(a, _)
            | Iter::StepBy(a, _)
            | Iter::Filter(a, _)
            | Iter::FilterMap(a, _)
            | Iter::SkipWhile(a, _)
            | Iter::FlatMap(a, _) => a.endless(),
            Iter::Zip(a, b) => a.endless() && b.endless(),
            Iter::Chain(a, b) => a.endless() || b.endless(),
            _ => false,
        }
    }

    /// Whether a variable is the state of a `scan` in it.
    pub(super) fn holds_state(&self, var: VarId) -> bool {
        match self {
            Iter::Scan(a, state, _) => *state == var || a.holds_state(var),
            Iter::Map(a, _)
            | Iter::Deref(a)
            | Iter::Enumerate(a)
            | Iter::Rev(a)
            | Iter::Skip(a, _)
            | Iter::Take(a, _)
            | Iter::StepBy(a, _)
            | Iter::Cycle(a)
            | Iter::Filter(a, _)
            | Iter::FilterMap(a, _)
            | Iter::TakeWhile(a, _)
            | Iter::SkipWhile(a, _)
            | Iter::MapWhile(a, _)
            | Iter::FlatMap(a, _)
            | Iter::Flatten(a) => a.holds_state(var),
            Iter::Zip(a, b) | Iter::Chain(a, b) => a.holds_state(var) || b.holds_state(var),
            _ => false,
        }
    }

    /// Whether it may have no end: `successors` has one if what it is given has one.
    pub(super) fn may_be_endless(&self) -> bool {
        match self {
            Iter::Successors(..) | Iter::Calls { .. } => true,
            Iter::Map(a, _)
            | Iter::Deref(a)
            | Iter::Enumerate(a)
            | Iter::Skip(a, _)
            | Iter::StepBy(a, _)
            | Iter::Filter(a, _)
            | Iter::FilterMap(a, _)
            | Iter::SkipWhile(a, _)
            | Iter::FlatMap(a, _)
            | Iter::Scan(a, ..) => a.may_be_endless(),
            Iter::Zip(a, b) => a.may_be_endless() && b.may_be_endless(),
            Iter::Chain(a, b) => a.may_be_endless() || b.may_be_endless(),
            other => other.endless(),
        }
    }
}
