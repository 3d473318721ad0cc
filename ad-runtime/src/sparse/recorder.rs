//! Finding the pattern of a Hessian: a function is run on the sets of inputs that its values depend on.
//!
//! The sets themselves are in `index_set`, what the pattern is used for in `coloring` and `plan`.

use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::rc::Rc;
use alloc::vec;
use alloc::vec::Vec;
use core::cmp::Ordering;
use core::mem;

use super::Pattern;
use super::index_set::{Extent, Few, FlatSet, IndexSet, Node, Repr, State, is_subset};
use super::marks::Marks;

/// Finds which entries of a Hessian may be nonzero, from the operations that make up the function (index sets: Walther
/// 2008, "Computing sparse Hessians with automatic differentiation"; nonlinear interaction domains).
///
/// Each value of the function is replaced by the [`IndexSet`] of the inputs that it depends on; each operation by one of
///
/// | operation | here |
/// | --- | --- |
/// | an input, the `i`-th | `input(i)` |
/// | a constant, a comparison, `floor`, `signum` | `IndexSet::new()` |
/// | `-a`, `2.0 * a`, `a.abs()` | the same set |
/// | `a + b`, `a - b`, `a.max(b)`, `a.min(b)` | `union(&a, &b)` |
/// | `a * b` | `bilinear(&a, &b)` |
/// | `a / b` | `bilinear(&a, &nonlinear(&b))` |
/// | `a.sin()`, `a.powi(3)`, `a.sqrt()`, every other function of one value | `nonlinear(&a)` |
/// | `a.powf(b)`, `a.atan2(b)`, `a.hypot(b)` | `nonlinear(&union(&a, &b))` |
///
/// The pattern never lacks an entry of what was run, but may have more: it counts what cancels, and values that in the end
/// are not used or are multiplied by zero.
///
/// **For all inputs or for one.** If the operations that are recorded do not depend on the inputs' values, the pattern is
/// valid for all inputs. Where a function branches on them, it is if both branches are recorded and united; if only the
/// branch that one input takes is recorded, the pattern is valid for this input and those that take the same branches
/// throughout.
///
/// # Cost
///
/// `union` takes constant time in a sum, however long: the set is not worked out before something nonlinear is done with
/// it. (Now and then it is all the same, for the sake of memory. At worst, where values of up to 8192 inputs are spread over
/// many others, a union takes time in proportion to its size; above, constant time, amortised.) `nonlinear` takes time in
/// proportion to the sets that its argument is a union of and, if this set has not been marked before, to the pairs in it
/// that are new; `bilinear` likewise, with the pairs across.
///
/// Memory is that of the pattern, some `16 · dim` bytes, and the sets of the values that are alive: a value of up to 8192
/// inputs keeps at most 128 of the unions it is made of, so that long loops do not keep their past. Larger ones may: then
/// memory can grow with the number of unions.
///
/// ```
/// use ad_runtime::sparse::{IndexSet, PatternRecorder};
///
/// // x₀ · sin(x₁) + (x₁ + x₂) + 5 x₃²
/// let mut recorder = PatternRecorder::new(4);
/// let x: Vec<IndexSet> = recorder.inputs(0..4);
/// let sine = recorder.nonlinear(&x[1]);
/// let product = recorder.bilinear(&x[0], &sine);
/// let linear = recorder.union(&x[1], &x[2]);
/// let square = recorder.nonlinear(&x[3]);
/// let sum = recorder.union(&product, &linear);
/// let sum = recorder.union(&sum, &square);
/// assert_eq!(recorder.indices(&sum), [0, 1, 2, 3]);
///
/// let pattern = recorder.finish();
/// assert!(pattern.iter().eq([(0, 1), (1, 0), (1, 1), (3, 3)]));
/// ```
pub struct PatternRecorder {
    dim: usize,
    marks: Marks,
    /// By input: the number of the walk that last met it.
    met: Vec<u32>,
    walk: u32,
    /// The number of nodes and inputs met, on all walks.
    work: u64,
    /// How much of it may be done for unions that nothing asked for yet, so that they take constant time, amortised.
    credit: i64,
    /// Sets that were worked out, so that equal ones become one; how many inputs they hold, altogether.
    known: BTreeSet<ByContent>,
    known_size: usize,
    next_id: u64,
    /// The sets of which all pairs across are marked, by their ids.
    products: BTreeSet<(u64, u64)>,
}

impl PatternRecorder {
    /// For a function of `dim` inputs. Takes `4 · dim` bytes.
    ///
    /// # Panics
    /// If `dim` does not fit 32 bits.
    pub fn new(dim: usize) -> Self {
        assert!(u32::try_from(dim).is_ok(), "PatternRecorder::new: argument `dim` is {dim}, above 2³² - 1");
        Self {
            dim,
            marks: Marks::new(dim),
            met: vec![0; dim],
            walk: 0,
            work: 0,
            credit: 0,
            known: BTreeSet::new(),
            known_size: 0,
            next_id: 0,
            products: BTreeSet::new(),
        }
    }

    /// The number of inputs.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// The `i`-th input.
    ///
    /// # Panics
    /// If `i` is not below `dim`.
    #[track_caller]
    pub fn input(&self, i: usize) -> IndexSet {
        assert!(
            i < self.dim,
            "input: argument `i` is {i}, expected less than {}, the number of inputs",
            self.dim
        );
        IndexSet::few(Few::one(i as u32))
    }

    /// Several inputs: a vector that is a parameter.
    ///
    /// # Panics
    /// If one is not below `dim`.
    #[track_caller]
    pub fn inputs(&self, indices: core::ops::Range<usize>) -> Vec<IndexSet> {
        indices.map(|i| self.input(i)).collect()
    }

    /// What is linear in both: a sum, a difference.
    #[must_use]
    pub fn union(&mut self, a: &IndexSet, b: &IndexSet) -> IndexSet {
        let (union, node) = a.union(b);
        if let Some(node) = node {
            self.credit += CREDIT;
            let Extent { unions, largest } = union.extent();
            let worth_it = if largest <= SMALL {
                unions >= MIN_UNIONS.max(largest / 64)
            } else {
                unions >= self.dim && self.credit > 0
            };
            if worth_it {
                let before = self.work;
                self.flatten(&node);
                self.credit -= (self.work - before) as i64;
            }
        }
        union
    }

    /// What is linear in all: a sum of many.
    #[must_use]
    pub fn union_all<'a>(&mut self, sets: impl IntoIterator<Item = &'a IndexSet>) -> IndexSet {
        sets.into_iter().fold(IndexSet::new(), |union, set| self.union(&union, set))
    }

    /// A function of one value with a second derivative: marks all pairs of its inputs.
    #[must_use]
    pub fn nonlinear(&mut self, a: &IndexSet) -> IndexSet {
        match &a.0 {
            Repr::Few(few) => self.marks.all_pairs(few.as_slice()),
            Repr::Many(node) => {
                let set = self.flatten(node);
                self.mark(&set);
            }
        }
        a.clone()
    }

    /// A product: marks the pairs of an input of `a` and an input of `b`, but not those of two inputs of `a`.
    #[must_use]
    pub fn bilinear(&mut self, a: &IndexSet, b: &IndexSet) -> IndexSet {
        match (&a.0, &b.0) {
            (Repr::Few(a), Repr::Few(b)) => self.marks.pairs_across(a.as_slice(), b.as_slice()),
            (Repr::Many(node), Repr::Few(few)) | (Repr::Few(few), Repr::Many(node)) => {
                let set = self.flatten(node);
                if !(set.is_marked.get() && is_subset(few.as_slice(), &set.indices)) {
                    self.marks.pairs_across(few.as_slice(), &set.indices);
                }
            }
            (Repr::Many(a), Repr::Many(b)) => {
                let (a, b) = (self.flatten(a), self.flatten(b));
                if Rc::ptr_eq(&a, &b) {
                    self.mark(&a);
                } else {
                    self.mark_across(&a, &b);
                }
            }
        }
        self.union(a, b)
    }

    /// The inputs that a value depends on, ascending: the pattern of a gradient.
    pub fn indices(&mut self, a: &IndexSet) -> Vec<usize> {
        let indices = |slice: &[u32]| slice.iter().map(|&i| i as usize).collect();
        match &a.0 {
            Repr::Few(few) => indices(few.as_slice()),
            Repr::Many(node) => indices(&self.flatten(node).indices),
        }
    }

    /// The pattern of the Hessian. Linear in its size.
    pub fn finish(self) -> Pattern {
        self.marks.into_pattern()
    }

    /// All pairs of a set, unless they are marked already; those of a part that is are left out.
    fn mark(&mut self, set: &FlatSet) {
        if set.is_marked.replace(true) {
            return;
        }
        match set.marked_part.take() {
            None => self.marks.all_pairs(&set.indices),
            Some(part) => {
                let is_new = |index: &&u32| part.indices.binary_search(index).is_err();
                let new: Vec<u32> = set.indices.iter().filter(is_new).copied().collect();
                self.marks.all_pairs(&new);
                self.marks.pairs_across(&new, &part.indices);
            }
        }
    }

    fn mark_across(&mut self, a: &FlatSet, b: &FlatSet) {
        let covers =
            |all: &FlatSet, part: &FlatSet| all.is_marked.get() && is_subset(&part.indices, &all.indices);
        if !covers(a, b) && !covers(b, a) && self.products.insert((a.id.min(b.id), a.id.max(b.id))) {
            self.marks.pairs_across(&a.indices, &b.indices);
        }
    }

    /// Works out a union; the node keeps the set in place of the graph.
    fn flatten(&mut self, root: &Rc<Node>) -> Rc<FlatSet> {
        if let State::Flat(set) = &*root.state.borrow() {
            return set.clone();
        }
        self.walk = self.walk.checked_add(1).unwrap_or_else(|| {
            self.met.fill(0);
            1
        });
        let mut indices = Vec::new();
        let mut marked_part: Option<Rc<FlatSet>> = None;
        let mut nodes = vec![root.clone()];
        let mut sets: Vec<Rc<FlatSet>> = Vec::new();
        let mut at = 0;
        root.visited.set(true);
        while let Some(node) = nodes.get(at).cloned() {
            at += 1;
            match &*node.state.borrow() {
                State::Flat(set) => {
                    if !set.visited.replace(true) {
                        self.meet(&set.indices, &mut indices);
                        let largest = marked_part.as_ref().map_or(0, |part| part.indices.len());
                        if set.is_marked.get() && set.indices.len() > largest {
                            marked_part = Some(set.clone());
                        }
                        sets.push(set.clone());
                    }
                }
                State::Union(left, right, _) => {
                    for part in [left, right] {
                        match &part.0 {
                            Repr::Few(few) => self.meet(few.as_slice(), &mut indices),
                            Repr::Many(next) if !next.visited.replace(true) => nodes.push(next.clone()),
                            Repr::Many(_) => {}
                        }
                    }
                }
            }
        }
        nodes.iter().for_each(|node| node.visited.set(false));
        sets.iter().for_each(|set| set.visited.set(false));
        indices.sort_unstable();
        let set = self.unique(indices.into_boxed_slice(), marked_part);
        *root.state.borrow_mut() = State::Flat(set.clone());
        set
    }

    /// Collects those that this walk has not met.
    fn meet(&mut self, found: &[u32], indices: &mut Vec<u32>) {
        self.work += 1 + found.len() as u64;
        for &index in found {
            if mem::replace(&mut self.met[index as usize], self.walk) != self.walk {
                indices.push(index);
            }
        }
    }

    /// The one set that has these inputs.
    fn unique(&mut self, indices: Box<[u32]>, marked_part: Option<Rc<FlatSet>>) -> Rc<FlatSet> {
        self.next_id += 1;
        let set = ByContent::new(FlatSet::new(self.next_id, indices, marked_part));
        if let Some(known) = self.known.get(&set) {
            return known.set.clone();
        }
        // Forgetting costs time only; remembering, no more memory than the pattern.
        let room = self.marks.room().max(self.dim).max(MIN_ROOM);
        self.known_size += set.set.indices.len();
        if self.known_size > room {
            self.known.clear();
            self.known_size = set.set.indices.len();
        }
        if self.products.len() > room {
            self.products.clear();
        }
        let unique = set.set.clone();
        self.known.insert(set);
        unique
    }
}

/// When unions are worked out that nothing asked for yet. If this were never done, a value that is added to in a long loop
/// would keep all its past.
///
/// Sets of up to so many inputs are whenever there are so many unions in them, or more as they grow, so that a sum of many
/// terms stays cheap. This is what bounds memory.
const SMALL: usize = 1 << 13;
const MIN_UNIONS: usize = 32;

/// Larger ones are when there are as many unions as inputs, and as long as it takes no more work than so much for each
/// union that has been made: they may be shared by many values, and be worked out for each.
const CREDIT: i64 = 64;

/// The sets that are remembered may hold so many inputs in any case.
const MIN_ROOM: usize = 1 << 16;

/// Sets ordered by their contents, compared by size and a hash first.
struct ByContent {
    hash: u64,
    set: Rc<FlatSet>,
}

impl ByContent {
    fn new(set: Rc<FlatSet>) -> Self {
        let mix = |hash: u64, &index: &u32| {
            (hash ^ u64::from(index)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
        };
        Self { hash: set.indices.iter().fold(0, mix), set }
    }
}

impl Ord for ByContent {
    fn cmp(&self, other: &Self) -> Ordering {
        let key = |it: &Self| (it.set.indices.len(), it.hash);
        key(self).cmp(&key(other)).then_with(|| self.set.indices.cmp(&other.set.indices))
    }
}

impl PartialOrd for ByContent {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for ByContent {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for ByContent {}
