//! Orders in which greedy colourings visit the vertices: a good one saves colours.

use alloc::vec;
use alloc::vec::Vec;

use super::Pattern;

/// The order in which a greedy colouring visits the variables. All are found in time linear in `dim + nnz`; ties go to
/// the variable with the smaller index, or, where degrees are counted as they change, to the one that changed last.
///
/// None is best for every pattern. [`SmallestLast`](Self::SmallestLast) mostly needs the fewest colours;
/// [`Natural`](Self::Natural) is right where the variables already come in an order that means something, as in bands and
/// grids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Order {
    /// As they are numbered.
    Natural,
    /// By falling degree (Welsh & Powell 1967).
    LargestFirst,
    /// Backwards: the last is one of smallest degree, the last but one has the smallest degree without it, and so on
    /// (Matula, Marble & Isaacson 1972).
    #[default]
    SmallestLast,
    /// Next is one with the most neighbours among those already taken (Coleman & Moré 1984).
    IncidenceDegree,
    /// Next is one with the most neighbours among those not yet taken (Gebremedhin, Tarafdar, Manne & Pothen 2007).
    DynamicLargestFirst,
}

impl Order {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::Natural,
        Self::LargestFirst,
        Self::SmallestLast,
        Self::IncidenceDegree,
        Self::DynamicLargestFirst,
    ];

    /// The variables in this order.
    pub fn of(self, pattern: &Pattern) -> Vec<usize> {
        let degree = |v: usize| neighbours(pattern, v).count();
        match self {
            Self::Natural => (0..pattern.dim()).collect(),
            Self::LargestFirst => {
                let mut buckets = Buckets::new((0..pattern.dim()).map(degree));
                core::iter::from_fn(|| buckets.take_largest()).collect()
            }
            Self::SmallestLast => {
                let mut buckets = Buckets::new((0..pattern.dim()).map(degree));
                let mut order = Vec::with_capacity(pattern.dim());
                while let Some(v) = buckets.take_smallest() {
                    neighbours(pattern, v).for_each(|w| buckets.decrement(w));
                    order.push(v);
                }
                order.reverse();
                order
            }
            Self::IncidenceDegree => {
                let mut buckets = Buckets::new((0..pattern.dim()).map(|_| 0));
                let mut order = Vec::with_capacity(pattern.dim());
                while let Some(v) = buckets.take_largest() {
                    neighbours(pattern, v).for_each(|w| buckets.increment(w));
                    order.push(v);
                }
                order
            }
            Self::DynamicLargestFirst => {
                let mut buckets = Buckets::new((0..pattern.dim()).map(degree));
                let mut order = Vec::with_capacity(pattern.dim());
                while let Some(v) = buckets.take_largest() {
                    neighbours(pattern, v).for_each(|w| buckets.decrement(w));
                    order.push(v);
                }
                order
            }
        }
    }
}

/// The variables that share an entry with `v`, itself excepted: its neighbours in the adjacency graph.
pub(super) fn neighbours(pattern: &Pattern, v: usize) -> impl Iterator<Item = usize> + Clone + '_ {
    pattern.row(v).iter().copied().filter(move |&w| w != v)
}

/// Vertices by degree, in doubly linked lists: degrees change by one in constant time, and the extreme one is found in
/// constant time, amortised.
struct Buckets {
    /// The first vertex of each degree.
    heads: Vec<usize>,
    nodes: Vec<Node>,
    smallest: usize,
    largest: usize,
}

#[derive(Clone, Copy)]
struct Node {
    /// `TAKEN` once it is out of the lists.
    degree: usize,
    previous: usize,
    next: usize,
}

const NONE: usize = usize::MAX;
const TAKEN: usize = usize::MAX;

impl Buckets {
    fn new(degrees: impl Iterator<Item = usize>) -> Self {
        let unlinked = |degree| Node { degree, previous: NONE, next: NONE };
        let nodes: Vec<Node> = degrees.map(unlinked).collect();
        let mut buckets = Self { heads: vec![NONE; nodes.len() + 1], nodes, smallest: 0, largest: 0 };
        for v in (0..buckets.nodes.len()).rev() {
            buckets.link(v, buckets.nodes[v].degree);
        }
        buckets.smallest = 0;
        buckets
    }

    fn link(&mut self, v: usize, degree: usize) {
        let next = core::mem::replace(&mut self.heads[degree], v);
        self.nodes[v] = Node { degree, previous: NONE, next };
        if next != NONE {
            self.nodes[next].previous = v;
        }
        self.smallest = self.smallest.min(degree);
        self.largest = self.largest.max(degree);
    }

    fn unlink(&mut self, v: usize) {
        let Node { degree, previous, next } = self.nodes[v];
        match previous {
            NONE => self.heads[degree] = next,
            _ => self.nodes[previous].next = next,
        }
        if next != NONE {
            self.nodes[next].previous = previous;
        }
    }

    fn take(&mut self, v: usize) -> usize {
        self.unlink(v);
        self.nodes[v].degree = TAKEN;
        v
    }

    fn take_smallest(&mut self) -> Option<usize> {
        while *self.heads.get(self.smallest)? == NONE {
            self.smallest += 1;
        }
        Some(self.take(self.heads[self.smallest]))
    }

    fn take_largest(&mut self) -> Option<usize> {
        while self.heads[self.largest] == NONE {
            self.largest = self.largest.checked_sub(1)?;
        }
        Some(self.take(self.heads[self.largest]))
    }

    /// Of a vertex not yet taken; otherwise nothing happens.
    fn decrement(&mut self, v: usize) {
        if self.nodes[v].degree != TAKEN {
            self.unlink(v);
            self.link(v, self.nodes[v].degree - 1);
        }
    }

    /// Of a vertex not yet taken; otherwise nothing happens.
    fn increment(&mut self, v: usize) {
        if self.nodes[v].degree != TAKEN {
            self.unlink(v);
            self.link(v, self.nodes[v].degree + 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definitions, followed to the letter in quadratic time; says whether `order` is one of those they allow.
    fn allows(order: Order, pattern: &Pattern, found: &[usize]) -> bool {
        let n = pattern.dim();
        let among = |v: usize, set: &[usize]| neighbours(pattern, v).filter(|w| set.contains(w)).count();
        (0..n).all(|k| {
            let (before, v, after) = (&found[..k], found[k], &found[k + 1..]);
            match order {
                Order::Natural => v == k,
                Order::LargestFirst => after.iter().all(|&w| {
                    let degrees = among(v, found).cmp(&among(w, found));
                    degrees.is_gt() || (degrees.is_eq() && v < w)
                }),
                Order::SmallestLast => before.iter().all(|&w| among(v, before) <= among(w, &found[..=k])),
                Order::IncidenceDegree => after.iter().all(|&w| among(v, before) >= among(w, before)),
                Order::DynamicLargestFirst => after.iter().all(|&w| among(v, after) >= among(w, &found[k..])),
            }
        })
    }

    #[test]
    fn orders_are_what_they_are_called() {
        let mut random = 1u64;
        let mut pairs = Vec::new();
        for _ in 0..90 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            pairs.push(((random >> 33) as usize % 40, (random >> 45) as usize % 40));
        }
        let random = Pattern::from_pairs(40, pairs).unwrap();
        for pattern in
            [random, Pattern::arrowhead(12, 2), Pattern::banded(15, 2), Pattern::dense(6), Pattern::empty(4)]
        {
            for order in Order::ALL {
                let found = order.of(&pattern);
                let mut sorted = found.clone();
                sorted.sort_unstable();
                assert!(sorted.into_iter().eq(0..pattern.dim()), "{order:?}");
                assert!(allows(order, &pattern, &found), "{order:?}: {found:?}");
            }
        }
        assert!(Order::ALL.iter().all(|order| order.of(&Pattern::empty(0)).is_empty()));
    }
}
