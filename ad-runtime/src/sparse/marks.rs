//! Pairs of inputs, in whichever form is smaller: a bit for each there may be, or a list of those there are.

use alloc::vec;
use alloc::vec::Vec;

use super::Pattern;

/// A symmetric set of pairs of indices below a dimension.
pub(super) enum Marks {
    /// For dimensions up to [`FEW_INPUTS`]: marking what is marked costs a word operation for 64 pairs.
    Bits(Bits),
    List(List),
}

/// At most 2 MB of bits.
const FEW_INPUTS: usize = 1 << 12;

impl Marks {
    pub(super) fn new(dim: usize) -> Self {
        if dim <= FEW_INPUTS { Self::Bits(Bits::new(dim)) } else { Self::List(List::new(dim)) }
    }

    /// All pairs of a set, and of each with itself.
    pub(super) fn all_pairs(&mut self, set: &[u32]) {
        match self {
            Self::Bits(bits) => bits.across(set, set),
            Self::List(list) => list.all(set),
        }
    }

    /// The pairs of one of `a` and one of `b`.
    pub(super) fn pairs_across(&mut self, a: &[u32], b: &[u32]) {
        match self {
            Self::Bits(bits) => {
                bits.across(a, b);
                bits.across(b, a);
            }
            Self::List(list) => list.across(a, b),
        }
    }

    /// How many words it takes, about.
    pub(super) fn room(&self) -> usize {
        match self {
            Self::Bits(bits) => bits.words.len(),
            Self::List(list) => list.pairs.len(),
        }
    }

    pub(super) fn into_pattern(self) -> Pattern {
        match self {
            Self::Bits(bits) => Pattern::from_valid_pairs(bits.dim, bits.iter()),
            Self::List(mut list) => {
                list.compact();
                let pairs = list.pairs.iter().map(|&(low, high)| (low as usize, high as usize));
                Pattern::from_valid_pairs(list.dim, pairs)
            }
        }
    }
}

/// A square of bits, row by row, each row of whole words.
pub(super) struct Bits {
    dim: usize,
    words: Vec<u64>,
    /// A row to put together.
    row: Vec<u64>,
}

impl Bits {
    fn new(dim: usize) -> Self {
        let width = dim.div_ceil(64);
        Self { dim, words: vec![0; dim * width], row: vec![0; width] }
    }

    /// In the rows of `a` the columns of `b`.
    fn across(&mut self, a: &[u32], b: &[u32]) {
        let Self { words, row, .. } = self;
        let width = row.len();
        let row_of = |i: u32| i as usize * width..(i as usize + 1) * width;
        if b.len() <= width {
            for &i in a {
                let row = &mut words[row_of(i)];
                b.iter().for_each(|&j| row[j as usize / 64] |= 1 << (j % 64));
            }
        } else {
            row.fill(0);
            b.iter().for_each(|&j| row[j as usize / 64] |= 1 << (j % 64));
            for &i in a {
                words[row_of(i)].iter_mut().zip(&*row).for_each(|(word, new)| *word |= new);
            }
        }
    }

    /// The pairs whose row is not above their column.
    fn iter(&self) -> impl Iterator<Item = (usize, usize)> + Clone {
        let has = |i: usize, j: usize| self.words[i * self.row.len() + j / 64] >> (j % 64) & 1 == 1;
        (0..self.dim).flat_map(move |i| (i..self.dim).filter(move |&j| has(i, j)).map(move |j| (i, j)))
    }
}

/// Pairs of inputs, the smaller first; repeated ones are thrown out whenever they may be half of all.
pub(super) struct List {
    dim: usize,
    pairs: Vec<(u32, u32)>,
    compact_at: usize,
}

impl List {
    fn new(dim: usize) -> Self {
        let mut list = Self { dim, pairs: Vec::new(), compact_at: 0 };
        list.set_limit();
        list
    }

    fn set_limit(&mut self) {
        self.compact_at = (2 * self.pairs.len()).max(4 * self.dim).max(1 << 12);
    }

    fn all(&mut self, set: &[u32]) {
        for (at, &low) in set.iter().enumerate() {
            self.pairs.extend(set[at..].iter().map(|&high| (low, high)));
            self.compact_if_long();
        }
    }

    fn across(&mut self, a: &[u32], b: &[u32]) {
        for &i in a {
            self.pairs.extend(b.iter().map(|&j| (i.min(j), i.max(j))));
            self.compact_if_long();
        }
    }

    fn compact_if_long(&mut self) {
        if self.pairs.len() > self.compact_at {
            self.compact();
        }
    }

    /// Sorts by both (two bucket passes, linear) and removes what is repeated.
    fn compact(&mut self) {
        let mut other = vec![(0, 0); self.pairs.len()];
        let mut starts = vec![0; self.dim + 1];
        bucket(&self.pairs, &mut other, &mut starts, |pair| pair.1);
        bucket(&other, &mut self.pairs, &mut starts, |pair| pair.0);
        self.pairs.dedup();
        self.set_limit();
    }
}

/// Stable, by a key below the number of buckets.
fn bucket(
    from: &[(u32, u32)],
    to: &mut [(u32, u32)],
    starts: &mut [usize],
    key: impl Fn(&(u32, u32)) -> u32,
) {
    starts.fill(0);
    from.iter().for_each(|pair| starts[key(pair) as usize + 1] += 1);
    for at in 1..starts.len() {
        starts[at] += starts[at - 1];
    }
    for pair in from {
        let place = &mut starts[key(pair) as usize];
        to[*place] = *pair;
        *place += 1;
    }
}
