//! The typed stack on which a loop with carried state keeps what its reversal needs.

use alloc::vec::Vec;

/// A last-in-first-out store. A new one allocates nothing until something is pushed.
#[derive(Debug)]
pub struct Tape<T> {
    items: Vec<T>,
}

impl<T> Tape<T> {
    /// An empty tape, without memory.
    #[inline]
    pub fn new() -> Tape<T> {
        Tape { items: Vec::new() }
    }

    /// One with the room that the last one of this slot left to the workspace that runs, if one does.
    #[doc(hidden)]
    #[inline]
    pub fn taken(slot: usize) -> Tape<T>
    where
        T: Send + 'static,
    {
        Tape { items: crate::workspace::emptied(slot) }
    }

    /// Gives it back.
    #[doc(hidden)]
    #[inline]
    pub fn give(self, slot: usize)
    where
        T: Copy + Send + 'static,
    {
        crate::workspace::give(slot, self.items);
    }

    /// Makes room for `n` more items at once.
    #[inline]
    pub fn reserve(&mut self, n: usize) {
        self.items.reserve(n);
    }

    /// Makes room for `n` more items at once. If there is no such room, those who push find out: they may end before, in a panic.
    #[doc(hidden)]
    #[inline]
    pub fn reserve_known(&mut self, n: usize) {
        if n > self.items.capacity() - self.items.len() {
            let _ = self.items.try_reserve(n);
        }
    }

    /// Keeps an item.
    #[inline(always)]
    pub fn push(&mut self, item: T) {
        self.items.push(item);
    }

    /// Takes the item kept last.
    ///
    /// # Panics
    /// If there is none: generated code pops what it pushed.
    #[inline(always)]
    pub fn pop(&mut self) -> T {
        match self.items.pop() {
            Some(item) => item,
            None => empty(),
        }
    }
}

impl<T: Copy> Tape<T> {
    /// Keeps a copy of a whole slice.
    #[inline]
    pub fn push_all(&mut self, items: &[T]) {
        self.items.extend_from_slice(items);
    }

    /// Takes the slice kept last, which was as long as `items`, into `items`.
    ///
    /// # Panics
    /// If less is on the tape.
    #[inline]
    pub fn pop_all(&mut self, items: &mut [T]) {
        let Some(start) = self.items.len().checked_sub(items.len()) else { empty() };
        items.copy_from_slice(&self.items[start..]);
        self.items.truncate(start);
    }
}

impl<T> Default for Tape<T> {
    fn default() -> Tape<T> {
        Tape::new()
    }
}

#[cold]
#[inline(never)]
fn empty() -> ! {
    panic!("a tape was popped more often than pushed: this is a bug of the differentiation compiler");
}

#[cfg(test)]
mod tests {
    use super::Tape;

    #[test]
    fn gives_back_in_reverse_order() {
        let mut tape = Tape::new();
        tape.push(1);
        tape.push_all(&[2, 3]);
        let mut pair = [0; 2];
        tape.pop_all(&mut pair);
        assert_eq!((pair, tape.pop()), ([2, 3], 1));
    }
}
