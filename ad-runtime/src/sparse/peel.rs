//! Taking the leaves off the two-coloured trees of a colouring: in which order the entries of a Hessian are found, and from
//! which products.

use alloc::vec;
use alloc::vec::Vec;

use super::plan::{ColoringError, Step};
use super::{Coloring, Pattern};

/// All two-coloured trees at once.
///
/// A row and a colour together are a slot: the sum of the row's entries in columns of the colour, which is what a product
/// knows. An entry off the diagonal is in one slot, its mirror in another; so slots are vertices and pairs of mirrored
/// entries are edges of a graph, whose components are exactly the two-coloured ones. A slot with a single entry that is
/// not yet known tells it.
pub(super) struct Peeling<'a> {
    pattern: &'a Pattern,
    colors: &'a [usize],
    /// By entry: the place of the entry on the other side of the diagonal.
    mirror: Vec<usize>,
    /// By entry: its slot. On the diagonal there is none.
    slot_of: Vec<usize>,
    slots: Vec<Slot>,
    /// By entry: whether it is read off a product.
    is_read: Vec<bool>,
    /// By colour: whether its product is read.
    needed: Vec<bool>,
    /// Entries in the order in which they become known, of each pair the one that is read.
    order: Vec<usize>,
}

#[derive(Clone, Copy, Default)]
struct Slot {
    /// The number of entries that are not yet known, and the exclusive or of their places.
    unknown: usize,
    places: usize,
    /// How many subtractions its sum waits for, one after another.
    depth: usize,
    /// The entry that is found from it, if any is.
    finds: Option<usize>,
}

impl<'a> Peeling<'a> {
    pub(super) fn new(pattern: &'a Pattern, coloring: &'a Coloring) -> Self {
        let colors = coloring.colors();
        let mut mirror = vec![0; pattern.nnz()];
        let mut slot_of = vec![usize::MAX; pattern.nnz()];
        let mut slots: Vec<Slot> = Vec::new();
        let mut is_read = vec![false; pattern.nnz()];
        let mut needed = vec![false; coloring.count()];
        // By row: how many of its entries have been met as mirrors, which are met in order.
        let mut next = pattern.starts()[..pattern.dim()].to_vec();
        // By colour: the last row that had it, and the slot.
        let mut last = vec![(usize::MAX, 0); coloring.count()];
        for (entry, (i, j)) in pattern.iter().enumerate() {
            mirror[entry] = next[j];
            next[j] += 1;
            let color = colors[j];
            if i == j {
                is_read[entry] = true;
                needed[color] = true;
                continue;
            }
            if last[color].0 != i {
                last[color] = (i, slots.len());
                slots.push(Slot::default());
            }
            slot_of[entry] = last[color].1;
            let slot = &mut slots[last[color].1];
            slot.unknown += 1;
            slot.places ^= entry;
        }
        Self { pattern, colors, mirror, slot_of, slots, is_read, needed, order: Vec::new() }
    }

    /// Finds the order, outermost leaves first.
    pub(super) fn run(&mut self) -> Result<(), ColoringError> {
        let mut leaves: Vec<usize> = (0..self.slots.len()).filter(|&s| self.slots[s].unknown == 1).collect();
        let mut last_of_tree = Vec::new();
        let mut known = 0;
        while let Some(&leaf) = leaves.get(known) {
            known += 1;
            if self.slots[leaf].unknown == 0 {
                continue;
            }
            let entry = self.slots[leaf].places;
            let mirror = self.mirror[entry];
            let other = self.slot_of[mirror];
            self.slots[leaf].unknown = 0;
            if self.slots[other].unknown == 1 {
                self.slots[other].unknown = 0;
                last_of_tree.push(entry);
                continue;
            }
            self.find(entry);
            let depth = self.slots[leaf].depth + 1;
            let other_slot = &mut self.slots[other];
            other_slot.unknown -= 1;
            other_slot.places ^= mirror;
            other_slot.depth = other_slot.depth.max(depth);
            if other_slot.unknown == 1 {
                leaves.push(other);
            }
        }
        for entry in last_of_tree {
            self.find_on_either_side(entry);
        }
        match self.slots.iter().position(|slot| slot.unknown > 0) {
            None => Ok(()),
            Some(stuck) => {
                let mut entries = self.slot_of.iter().zip(self.pattern.iter());
                let (i, j) = entries.find(|&(&slot, _)| slot == stuck).map_or((0, 0), |(_, entry)| entry);
                Err(ColoringError::Cycle(i, j))
            }
        }
    }

    /// The entry's slot tells it.
    fn find(&mut self, entry: usize) {
        self.slots[self.slot_of[entry]].finds = Some(entry);
        self.is_read[entry] = true;
        let color = self.color_of(entry);
        self.needed[color] = true;
        self.order.push(entry);
    }

    /// The entry is the only one left in its slot and its mirror in its own. Slots were taken in the order of their depths,
    /// so that the mirror's waited for as many others or for more: for more, and stars would need a subtraction; for as
    /// many, and the one whose product is read anyway is taken.
    fn find_on_either_side(&mut self, entry: usize) {
        let mirror = self.mirror[entry];
        let [depth, depth_of_mirror] = [entry, mirror].map(|e| self.slots[self.slot_of[e]].depth);
        let mirror_is_read_anyway = self.needed[self.color_of(mirror)] && !self.needed[self.color_of(entry)];
        self.find(if depth == depth_of_mirror && mirror_is_read_anyway { mirror } else { entry });
    }

    fn color_of(&self, entry: usize) -> usize {
        self.colors[self.pattern.columns()[entry]]
    }

    /// The entries that are known one after another, and what they are subtracted from.
    pub(super) fn steps(&self) -> Vec<Step> {
        let step = |&entry: &usize| {
            let mirror = self.mirror[entry];
            Step { entry, mirror, subtract_from: self.slots[self.slot_of[mirror]].finds }
        };
        self.order.iter().map(step).collect()
    }

    /// The greatest number of subtractions one after another.
    pub(super) fn depth(&self) -> usize {
        self.slots.iter().filter(|slot| slot.finds.is_some()).map(|slot| slot.depth).max().unwrap_or(0)
    }

    /// By colour: the number of its product, if that is read at all; and how many are.
    pub(super) fn directions(&self) -> (Vec<Option<usize>>, usize) {
        let mut count = 0;
        let number = |&needed: &bool| {
            needed.then(|| {
                count += 1;
                count - 1
            })
        };
        (self.needed.iter().map(number).collect(), count)
    }

    /// Whether an entry is read off a product.
    pub(super) fn is_read(&self, entry: usize) -> bool {
        self.is_read[entry]
    }
}
