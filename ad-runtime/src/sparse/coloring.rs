//! Colourings of a Hessian's adjacency graph (its variables are the vertices, its entries off the diagonal the edges).
//! Variables of one colour share a direction.
//!
//! What is done with the colours is in [`plan`](super::plan).

use alloc::vec;
use alloc::vec::Vec;

use super::order::neighbours;
use super::{Order, Pattern};

/// A colour for each variable, such that the entries of a Hessian can be read off one product a colour.
///
/// Two variables that share an entry never have the same colour. Moreover:
///
/// - in a **star** colouring every path of four variables has at least three colours, so that two colours induce a
///   collection of stars, and each entry stands by itself in one of the products (Coleman & Moré 1984): recovery copies,
///   and is exact;
/// - in an **acyclic** colouring every cycle has at least three colours, so that two colours induce a collection of trees,
///   and entries are found from the leaves to the roots, subtracting those already known (Coleman & Cai 1986): fewer
///   colours, but rounding errors add up along the trees.
///
/// Finding the fewest is NP-hard; these are greedy and depend on the [`Order`]. Known values:
///
/// | pattern | star | acyclic |
/// | --- | --- | --- |
/// | diagonal | 1 | 1 |
/// | arrowhead (border 1) | 2 | 2 |
/// | tridiagonal (a path), n ≥ 4 | 3 | 2 |
/// | tree, any | ≤ 3 | 2 |
/// | band of half-bandwidth k, n > 3k | 2k + 1 | k + 1 |
/// | dense | n | n |
///
/// Those of dense patterns, arrowheads and diagonals come out in every order; those of bands (the smallest possible: for
/// star colourings by Coleman & Moré 1984) in [`Order::Natural`], and those of trees as well if they are numbered breadth
/// first. A grid with the five-point stencil can do with 5 and 3 (Fertin, Godard & Raspaud 2003; Fertin, Raspaud &
/// Reed 2004) and gets 5 and 4 here.
///
/// To find a colouring takes little time next to the products it saves: where many Hessians have one pattern,
/// [`fewest`](Self::fewest) tries all orders.
///
/// ```
/// use ad_runtime::sparse::{Coloring, Order, Pattern};
///
/// let tridiagonal = Pattern::banded(1000, 1);
/// assert_eq!(Coloring::star(&tridiagonal, Order::Natural).count(), 3);
/// assert_eq!(Coloring::acyclic(&tridiagonal, Order::Natural).count(), 2);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coloring {
    colors: Vec<usize>,
    count: usize,
}

impl Coloring {
    /// A colouring of one's own. Whether it suits a pattern is checked by [`SparsePlan::new`](super::SparsePlan::new).
    pub fn new(colors: Vec<usize>) -> Self {
        let count = colors.iter().max().map_or(0, |&last| last + 1);
        Self { colors, count }
    }

    /// A star colouring by Algorithm 4.1 of Gebremedhin, Tarafdar, Manne & Pothen (2007): greedy, with a record of the
    /// two-coloured stars. Where theirs keeps a star for each edge, this keeps for each variable the colours around it and
    /// on whose side the hub is; the colours come out the same.
    ///
    /// Time: for each edge the number of colours around one end, at most `nnz` times the number of colours; linear for
    /// bands, arrowheads and meshes. Memory: linear in `dim + nnz`.
    pub fn star(pattern: &Pattern, order: Order) -> Self {
        Self::greedy::<Stars>(pattern, order)
    }

    /// An acyclic colouring by Algorithm 3.1 of Gebremedhin, Tarafdar, Manne & Pothen (2007): greedy, with the two-coloured
    /// trees in a disjoint-set forest (with one element for each variable and colour around it).
    ///
    /// Time and memory as for [`star`](Self::star), with the factor of disjoint sets, which is practically constant.
    pub fn acyclic(pattern: &Pattern, order: Order) -> Self {
        Self::greedy::<Trees>(pattern, order)
    }

    /// The one with the fewest colours over all orders.
    ///
    /// ```
    /// use ad_runtime::sparse::{Coloring, Pattern};
    ///
    /// let pattern = Pattern::banded(50, 2).union(&Pattern::arrowhead(50, 1));
    /// assert_eq!(Coloring::fewest(&pattern, Coloring::star).count(), 6);
    /// ```
    pub fn fewest(pattern: &Pattern, method: impl Fn(&Pattern, Order) -> Self) -> Self {
        Order::ALL[1..].iter().fold(method(pattern, Order::Natural), |best, &order| {
            let other = method(pattern, order);
            if other.count < best.count { other } else { best }
        })
    }

    fn greedy<R: Rule>(pattern: &Pattern, order: Order) -> Self {
        let mut colors = vec![UNCOLORED; pattern.dim()];
        let mut around = Around::new(pattern);
        let mut rule = R::new(pattern);
        // By colour: the last variable that it was forbidden to.
        let mut forbidden = Vec::new();
        for v in order.of(pattern) {
            let colored = neighbours(pattern, v).map(|w| (w, colors[w])).filter(|&(_, c)| c != UNCOLORED);
            for (_, c) in colored.clone() {
                forbidden[c] = v;
            }
            rule.forbid(v, colored.clone(), &mut around, &mut forbidden);
            let color = forbidden.iter().position(|&to| to != v).unwrap_or_else(|| {
                forbidden.push(UNCOLORED);
                forbidden.len() - 1
            });
            colored.for_each(|edge| rule.link(&mut around, (v, color), edge));
            colors[v] = color;
        }
        Self::new(colors)
    }

    /// The number of colours, which bounds the number of products.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The colour of each variable, from 0.
    pub fn colors(&self) -> &[usize] {
        &self.colors
    }
}

const UNCOLORED: usize = usize::MAX;

/// A variable and its colour.
type Colored = (usize, usize);

/// What a kind of colouring forbids, beyond the colours of the neighbours, and what it keeps for that.
trait Rule {
    /// What is kept for a variable and a colour around it.
    type State: Copy;

    fn new(pattern: &Pattern) -> Self;

    /// Marks by `v` the colours that `v` must not have, given its coloured neighbours.
    fn forbid(
        &mut self,
        v: usize,
        neighbours: impl Iterator<Item = Colored>,
        around: &mut Around<'_, Self::State>,
        forbidden: &mut [usize],
    );

    /// Takes note of the edge between `v`, which just got its colour, and `w`.
    fn link(&mut self, around: &mut Around<'_, Self::State>, v: Colored, w: Colored);
}

/// For each variable the distinct colours of its neighbours so far, with a state for each. A variable with a colour
/// around it is called a slot: it is where the variable takes part in a two-coloured component.
struct Around<'a, S> {
    /// Those of variable `v` begin here: there are never more than it has entries.
    starts: &'a [usize],
    lengths: Vec<usize>,
    slots: Vec<Option<(usize, S)>>,
}

impl<'a, S: Copy> Around<'a, S> {
    fn new(pattern: &'a Pattern) -> Self {
        Self { starts: pattern.starts(), lengths: vec![0; pattern.dim()], slots: vec![None; pattern.nnz()] }
    }

    /// The slots of a variable.
    fn of(&self, v: usize) -> core::ops::Range<usize> {
        self.starts[v]..self.starts[v] + self.lengths[v]
    }

    /// The colours around a variable, and their states.
    fn entries(&self, v: usize) -> impl Iterator<Item = (usize, S)> {
        self.slots[self.of(v)].iter().copied().flatten()
    }

    fn find(&self, v: usize, color: usize) -> Option<usize> {
        self.of(v).find(|&slot| self.slots[slot].is_some_and(|(c, _)| c == color))
    }

    fn state(&self, slot: usize) -> Option<S> {
        self.slots[slot].map(|(_, state)| state)
    }

    fn set(&mut self, slot: usize, new: S) {
        if let Some((_, state)) = &mut self.slots[slot] {
            *state = new;
        }
    }

    fn push(&mut self, v: usize, color: usize, state: S) {
        let slot = self.of(v).end;
        self.slots[slot] = Some((color, state));
        self.lengths[v] += 1;
    }
}

/// What a variable is in a two-coloured star.
#[derive(Clone, Copy)]
enum Role {
    /// One of its two ends: the star is a single edge yet, to this variable.
    End(usize),
    /// The variable in the middle.
    Hub,
    /// One of several around a hub.
    Spoke,
}

#[derive(Default)]
struct Stars {
    /// By colour: the last variable that had a neighbour of this colour, and that neighbour, until it is dealt with.
    first: Vec<(usize, Option<usize>)>,
}

impl Rule for Stars {
    type State = Role;

    fn new(_: &Pattern) -> Self {
        Self::default()
    }

    fn forbid(
        &mut self,
        v: usize,
        neighbours: impl Iterator<Item = Colored>,
        around: &mut Around<'_, Role>,
        forbidden: &mut [usize],
    ) {
        self.first.resize(forbidden.len(), (UNCOLORED, None));
        let mut forbid_around = |w, all: bool| {
            for (color, role) in around.entries(w) {
                if all || matches!(role, Role::Spoke) {
                    forbidden[color] = v;
                }
            }
        };
        for (w, color) in neighbours {
            let (last, neighbour) = &mut self.first[color];
            if *last == v {
                // A hub between these two: a further edge at either would make a path of four.
                forbid_around(w, true);
                if let Some(first) = neighbour.take() {
                    forbid_around(first, true);
                }
            } else {
                // Where `w` is on the rim, its hub's other neighbours would be the end of a path of four.
                (*last, *neighbour) = (v, Some(w));
                forbid_around(w, false);
            }
        }
    }

    fn link(&mut self, around: &mut Around<'_, Role>, (v, color_v): Colored, (w, color_w): Colored) {
        // Adds to the star on one side, where `from` now has `to` as a neighbour; tells whether it is a hub.
        let mut add = |(from, color_from): Colored, (to, color_to): Colored| {
            let Some(slot) = around.find(from, color_to) else {
                around.push(from, color_to, Role::End(to));
                return false;
            };
            if let Some(Role::End(other)) = around.state(slot) {
                around.set(slot, Role::Hub);
                let rim = around.find(other, color_from);
                rim.into_iter().for_each(|slot| around.set(slot, Role::Spoke));
            }
            true
        };
        let hub_at_w = add((w, color_w), (v, color_v));
        let hub_at_v = add((v, color_v), (w, color_w));
        let rim = match (hub_at_v, hub_at_w) {
            (true, _) => around.find(w, color_v),
            (_, true) => around.find(v, color_w),
            _ => None,
        };
        rim.into_iter().for_each(|slot| around.set(slot, Role::Spoke));
    }
}

/// A disjoint-set forest of slots, by two-coloured trees. The state of a slot is its parent, or itself at a root.
struct Trees {
    /// By root: the last variable that the tree was next to.
    seen: Vec<usize>,
}

impl Trees {
    fn root(around: &mut Around<'_, usize>, mut slot: usize) -> usize {
        while let Some(parent) = around.state(slot)
            && parent != slot
        {
            let above = around.state(parent).unwrap_or(parent);
            around.set(slot, above); // path halving
            slot = above;
        }
        slot
    }
}

impl Rule for Trees {
    type State = usize;

    fn new(pattern: &Pattern) -> Self {
        Self { seen: vec![UNCOLORED; pattern.nnz()] }
    }

    fn forbid(
        &mut self,
        v: usize,
        neighbours: impl Iterator<Item = Colored>,
        around: &mut Around<'_, usize>,
        forbidden: &mut [usize],
    ) {
        for (w, _) in neighbours {
            for slot in around.of(w) {
                let Some((color, _)) = around.slots[slot] else { continue };
                let tree = Self::root(around, slot);
                if core::mem::replace(&mut self.seen[tree], v) == v {
                    // The tree reaches `v` by two neighbours: it would be closed to a cycle.
                    forbidden[color] = v;
                }
            }
        }
    }

    fn link(&mut self, around: &mut Around<'_, usize>, (v, color_v): Colored, (w, color_w): Colored) {
        let mut slot_of = |v: usize, color: usize| {
            around.find(v, color).unwrap_or_else(|| {
                let slot = around.of(v).end;
                around.push(v, color, slot);
                slot
            })
        };
        let (at_v, at_w) = (slot_of(v, color_w), slot_of(w, color_v));
        // The older tree on top: the new slot of `v` is mostly alone.
        let (below, above) = (Self::root(around, at_v), Self::root(around, at_w));
        around.set(below, above);
    }
}
