//! Sets of inputs, as unions that are worked out only when they are asked for.
//!
//! What they are used for is in `recorder`.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};
use core::fmt;

/// The inputs that a value may depend on: the values of a [`PatternRecorder`](super::PatternRecorder).
///
/// Of 24 bytes. Up to five inputs are in there; more are a node of a graph of unions, shared among clones, so that a clone
/// takes constant time, whatever the size. [`Default`] is the empty set, which constants have.
#[derive(Clone, Default)]
pub struct IndexSet(pub(super) Repr);

/// So many inputs need no allocation.
pub(super) const FEW: usize = 5;

#[derive(Clone)]
pub(super) enum Repr {
    Few(Few),
    Many(Rc<Node>),
}

impl Default for Repr {
    fn default() -> Self {
        Self::Few(Few::default())
    }
}

/// A short ascending list.
#[derive(Clone, Copy, Default)]
pub(super) struct Few {
    len: u8,
    indices: [u32; FEW],
}

/// A union, or what became of it.
pub(super) struct Node {
    pub(super) state: RefCell<State>,
    /// For walks of the graph: whether it has been here. False between them.
    pub(super) visited: Cell<bool>,
}

pub(super) enum State {
    Union(IndexSet, IndexSet, Extent),
    Flat(Rc<FlatSet>),
}

/// What it would take to work out a set.
#[derive(Clone, Copy, Default)]
pub(super) struct Extent {
    /// At most so many unions to visit.
    pub(super) unions: usize,
    /// The size of the largest set in it that has been worked out.
    pub(super) largest: usize,
}

/// A set that has been worked out.
pub(super) struct FlatSet {
    /// Differs from that of every other set.
    pub(super) id: u64,
    /// Ascending.
    pub(super) indices: Box<[u32]>,
    /// Whether all pairs of it are marked.
    pub(super) is_marked: Cell<bool>,
    /// While it is not marked: a subset that is. (A marked one has none, so that these make no chains.)
    pub(super) marked_part: RefCell<Option<Rc<FlatSet>>>,
    /// For walks of the graph, as in nodes.
    pub(super) visited: Cell<bool>,
}

impl Few {
    pub(super) fn one(index: u32) -> Self {
        let mut few = Self { len: 1, ..Self::default() };
        few.indices[0] = index;
        few
    }

    pub(super) fn as_slice(&self) -> &[u32] {
        &self.indices[..usize::from(self.len)]
    }

    /// The union, if it is small enough.
    pub(super) fn union(&self, other: &Self) -> Option<Self> {
        let (mut left, mut right) = (self.as_slice(), other.as_slice());
        let mut union = Self::default();
        while let Some(&next) = match (left.first(), right.first()) {
            (Some(l), Some(r)) => Some(l.min(r)),
            (l, r) => l.or(r),
        } {
            *union.indices.get_mut(usize::from(union.len))? = next;
            union.len += 1;
            left = left.strip_prefix(&[next]).unwrap_or(left);
            right = right.strip_prefix(&[next]).unwrap_or(right);
        }
        Some(union)
    }
}

impl FlatSet {
    pub(super) fn new(id: u64, indices: Box<[u32]>, marked_part: Option<Rc<Self>>) -> Rc<Self> {
        let (is_marked, visited) = (Cell::new(false), Cell::new(false));
        Rc::new(Self { id, indices, is_marked, marked_part: RefCell::new(marked_part), visited })
    }
}

/// Whether all of one ascending list are in another.
pub(super) fn is_subset(part: &[u32], all: &[u32]) -> bool {
    if part.len() < all.len() / 16 {
        return part.iter().all(|index| all.binary_search(index).is_ok());
    }
    let mut rest = all.iter();
    part.iter().all(|index| rest.by_ref().find(|&other| other >= index) == Some(index))
}

impl IndexSet {
    /// No input: a constant.
    pub fn new() -> Self {
        Self::default()
    }

    pub(super) fn few(few: Few) -> Self {
        Self(Repr::Few(few))
    }

    /// Whether it certainly has no input.
    pub fn is_empty(&self) -> bool {
        matches!(&self.0, Repr::Few(few) if few.as_slice().is_empty())
    }

    pub(super) fn extent(&self) -> Extent {
        match &self.0 {
            Repr::Few(_) => Extent::default(),
            Repr::Many(node) => match &*node.state.borrow() {
                State::Union(_, _, extent) => *extent,
                State::Flat(set) => Extent { unions: 0, largest: set.indices.len() },
            },
        }
    }

    /// The union, in constant time; and the node, if it took one.
    pub(super) fn union(&self, other: &Self) -> (Self, Option<Rc<Node>>) {
        let union = match (&self.0, &other.0) {
            (Repr::Few(a), Repr::Few(b)) => a.union(b).map(Self::few),
            (Repr::Many(_), Repr::Few(few)) => self.plainly_has(few).then(|| self.clone()),
            (Repr::Few(few), Repr::Many(_)) => other.plainly_has(few).then(|| other.clone()),
            (Repr::Many(a), Repr::Many(b)) => a.is(b).then(|| self.clone()),
        };
        if let Some(union) = union {
            return (union, None);
        }
        let (a, b) = (self.extent(), other.extent());
        let unions = a.unions.saturating_add(b.unions).saturating_add(1);
        let extent = Extent { unions, largest: a.largest.max(b.largest) };
        let state = RefCell::new(State::Union(self.clone(), other.clone(), extent));
        let node = Rc::new(Node { state, visited: Cell::new(false) });
        (Self(Repr::Many(node.clone())), Some(node))
    }

    /// Whether it is known to have these without a search of the graph.
    fn plainly_has(&self, few: &Few) -> bool {
        match &self.0 {
            Repr::Few(all) => is_subset(few.as_slice(), all.as_slice()),
            Repr::Many(node) => match &*node.state.borrow() {
                State::Flat(all) => is_subset(few.as_slice(), &all.indices),
                // What was added last, perhaps in the iteration before.
                State::Union(_, Self(Repr::Few(last)), _) => is_subset(few.as_slice(), last.as_slice()),
                State::Union(..) => few.as_slice().is_empty(),
            },
        }
    }
}

impl Node {
    /// Whether they are known to be the same set.
    fn is(&self, other: &Self) -> bool {
        if core::ptr::eq(self, other) {
            return true;
        }
        match (&*self.state.borrow(), &*other.state.borrow()) {
            (State::Flat(a), State::Flat(b)) => Rc::ptr_eq(a, b),
            _ => false,
        }
    }
}

/// A long sum is a deep graph: node after node, since a recursion would overflow the stack.
impl Drop for Node {
    fn drop(&mut self) {
        let mut orphans = Vec::new();
        self.state.get_mut().disown(&mut orphans);
        while let Some(orphan) = orphans.pop() {
            if let Some(mut node) = Rc::into_inner(orphan) {
                node.state.get_mut().disown(&mut orphans);
            }
        }
    }
}

impl State {
    fn disown(&mut self, orphans: &mut Vec<Rc<Node>>) {
        if let Self::Union(left, right, _) = self {
            for part in [left, right] {
                if let Repr::Many(node) = core::mem::take(part).0 {
                    orphans.push(node);
                }
            }
        }
    }
}

/// The inputs as far as they are worked out: a deep graph is not printed.
impl fmt::Debug for IndexSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Few(few) => f.debug_set().entries(few.as_slice()).finish(),
            Repr::Many(node) => match &*node.state.borrow() {
                State::Flat(set) => f.debug_set().entries(set.indices.iter()).finish(),
                State::Union(_, _, extent) => write!(f, "IndexSet(up to {} unions)", extent.unions),
            },
        }
    }
}
