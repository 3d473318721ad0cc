//! Memory that one call of generated code leaves to the next.
//!
//! Generated code takes its vectors and stacks by [`filled`], [`rows`] and [`emptied`], and gives them back by [`give`] and
//! [`give_rows`] at the end of the block that made them. Each has a slot: its number within the generated function. While
//! [`Workspace::run`] runs on this thread, a slot holds what was given back, of each type, last in first out: a call finds
//! in its slots what the call before it left there, and functions called inside find what their predecessors left
//! underneath. So a call that is repeated allocates nothing, without a search for memory of the right size, and functions
//! that run one after the other share slots. Otherwise vectors are plain vectors.

use alloc::vec;
use alloc::vec::Vec;

#[cfg(feature = "std")]
pub use pool::Workspace;

/// A vector of `n` copies.
#[inline]
pub fn filled<T: Copy + Send + 'static>(slot: usize, fill: T, n: usize) -> Vec<T> {
    #[cfg(feature = "std")]
    if pool::is_active() {
        let items = pool::filled(slot, fill, n);
        // Known on both ways, so that loops over it need no checks of bounds.
        assert!(items.len() == n);
        return items;
    }
    let _ = slot;
    let items = fresh(fill, n);
    assert!(items.len() == n);
    items
}

/// How many bytes a vector may have for it to matter where it lies.
const SMALL: usize = 512;
/// Of the machine's memory, at least.
const PAGE: usize = 4096;

/// How many vectors in a row may lie badly.
const TRIES: usize = 12;

/// A vector of `n` copies, from the allocator. A small one that loops write to and read from lies in one page: a store and a load across the
/// boundary of two take several times as long on some processors, and all loops over such a vector meet it.
#[inline]
fn fresh<T: Copy>(fill: T, n: usize) -> Vec<T> {
    let items = vec![fill; n];
    if lies_across(&items) { elsewhere(items, fill, TRIES) } else { items }
}

/// Whether a small vector begins in one page and ends in another.
#[inline]
fn lies_across<T>(items: &[T]) -> bool {
    let bytes = size_of_val(items);
    bytes <= SMALL && items.as_ptr() as usize % PAGE + bytes > PAGE
}

/// Another vector like this one, which is freed when the other has its place, so that it is not the other. It is only for speed: some more
/// tries, since allocators give what was freed last.
#[cold]
#[inline(never)]
fn elsewhere<T: Copy>(items: Vec<T>, fill: T, tries: usize) -> Vec<T> {
    let other = vec![fill; items.len()];
    if tries > 0 && lies_across(&other) { elsewhere(other, fill, tries - 1) } else { other }
}

/// Vectors of these lengths.
#[inline]
pub fn rows<T: Copy + Send + 'static>(
    slot: usize,
    fill: T,
    lengths: impl Iterator<Item = usize>,
) -> Vec<Vec<T>> {
    #[cfg(feature = "std")]
    if pool::is_active() {
        let mut rows = pool::emptied(slot);
        rows.extend(lengths.map(|n| pool::filled(slot, fill, n)));
        return rows;
    }
    let _ = slot;
    lengths.map(|n| vec![fill; n]).collect()
}

/// A vector without elements, perhaps with room.
#[inline]
pub fn emptied<T: Send + 'static>(slot: usize) -> Vec<T> {
    #[cfg(feature = "std")]
    if pool::is_active() {
        return pool::emptied(slot);
    }
    let _ = slot;
    Vec::new()
}

/// Gives back a vector that was taken from this slot.
#[inline]
pub fn give<T: Copy + Send + 'static>(slot: usize, items: Vec<T>) {
    #[cfg(feature = "std")]
    if pool::is_active() {
        return pool::give(slot, items);
    }
    let _ = slot;
    drop(items);
}

/// As [`give`], for [`rows`].
#[inline]
pub fn give_rows<T: Copy + Send + 'static>(slot: usize, rows: Vec<Vec<T>>) {
    #[cfg(feature = "std")]
    if pool::is_active() {
        return pool::give_rows(slot, rows);
    }
    let _ = slot;
    drop(rows);
}

#[cfg(feature = "std")]
mod pool {
    use alloc::boxed::Box;
    use alloc::vec::Vec;
    use core::any::{Any, TypeId};
    use core::cell::{Cell, RefCell};
    use core::mem;
    use std::thread_local;

    /// Memory for the buffers and stacks of generated functions, kept from call to call.
    ///
    /// A generated function allocates what vectors and stacks it needs, and frees them when it returns. Inside
    /// [`run`](Workspace::run) it takes them from the workspace and puts them back, so that from the second call on nothing is
    /// allocated. The values are the same.
    ///
    /// ```
    /// use ad_runtime::{Workspace, differentiable};
    ///
    /// #[differentiable]
    /// fn energy(x: &[f64], steps: usize) -> f64 {
    ///     let mut state = x.to_vec();
    ///     for _ in 0..steps {
    ///         for i in 1..state.len() {
    ///             state[i] = (state[i] + state[i - 1]).sin();
    ///         }
    ///     }
    ///     state.iter().map(|s| s * s).sum()
    /// }
    ///
    /// let (x, mut g) = ([0.3, 0.2, 0.1], [0.0; 3]);
    /// let mut workspace = Workspace::new();
    /// for _ in 0..100 {
    ///     let value = workspace.run(|| energy_grad(&x, 50, &mut g)); // the first allocates
    ///     assert_eq!(value, energy(&x, 50));
    /// }
    /// ```
    ///
    /// Any function can run in any workspace, with arguments of any lengths, and a closure can call several: a whole
    /// minimisation, say. They share memory. For each buffer of a function a workspace holds one that is as long as the longest so far;
    /// functions that call each other have buffers of their own, and so has each row of a matrix of vectors. It is freed when the
    /// workspace is dropped, or by [`clear`](Workspace::clear).
    ///
    /// This is about generated code. Your own functions allocate what you wrote, also where a derivative calls them for their value;
    /// operators (`f_hessian`, `f_linearize`) and solvers allocate what they keep. Of generated code, these allocate as ever:
    /// vectors that are returned, products of large matrices, functions of floats of a generic type, adjoints that a called function computes and nobody wants, and vectors that code which the
    /// macro does not look into may take away.
    #[derive(Default)]
    pub struct Workspace {
        pool: Pool,
    }

    impl Workspace {
        /// One without memory.
        pub const fn new() -> Workspace {
            Workspace { pool: Pool::new() }
        }

        /// Calls a function with this memory for the generated code in it, on this thread.
        ///
        /// It costs some twenty nanoseconds. A workspace that runs inside another's closure takes its place until it is done. Threads
        /// that the closure starts are not concerned.
        ///
        /// # Panics
        /// If the closure does. The workspace remains usable; what was in use is freed.
        pub fn run<R>(&mut self, call: impl FnOnce() -> R) -> R {
            let outer = swap(mem::take(&mut self.pool), true);
            let _installed = Installed { workspace: self, outer };
            call()
        }

        /// How many bytes it holds.
        pub fn memory(&self) -> usize {
            self.pool.bytes()
        }

        /// Frees them.
        pub fn clear(&mut self) {
            self.pool = Pool::new();
        }
    }

    impl core::fmt::Debug for Workspace {
        fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
            f.debug_struct("Workspace").field("memory", &self.memory()).finish()
        }
    }

    thread_local! {
        static ACTIVE: Cell<bool> = const { Cell::new(false) };
        static POOL: RefCell<Pool> = const { RefCell::new(Pool::new()) };
    }

    /// Makes another pool this thread's; what was there before.
    fn swap(pool: Pool, active: bool) -> (Pool, bool) {
        // A thread that is about to end has none any more.
        let before = POOL.try_with(|current| current.replace(pool)).ok();
        let active = active && before.is_some();
        (before.unwrap_or_default(), ACTIVE.replace(active))
    }

    /// Puts everything back where it was, also when the closure panics.
    struct Installed<'w> {
        workspace: &'w mut Workspace,
        outer: (Pool, bool),
    }

    impl Drop for Installed<'_> {
        fn drop(&mut self) {
            let (pool, active) = mem::take(&mut self.outer);
            self.workspace.pool = swap(pool, active).0;
        }
    }

    /// What is not in use at the moment.
    #[derive(Default)]
    struct Pool {
        /// The most frequent kind, which is found without a search.
        numbers: Typed<f64>,
        /// The others, a handful: by the types of elements.
        kinds: Vec<Kind>,
    }

    struct Kind {
        of: TypeId,
        slots: Box<dyn Slots>,
    }

    trait Slots: Any + Send {
        fn bytes(&self) -> usize;
    }

    /// By slot, the vectors that were given back, last in first out.
    #[derive(Default)]
    struct Typed<T>(Vec<Vec<Vec<T>>>);

    impl<T: Send + 'static> Slots for Typed<T> {
        fn bytes(&self) -> usize {
            self.0.iter().flatten().map(|items| items.capacity() * mem::size_of::<T>()).sum()
        }
    }

    impl Pool {
        const fn new() -> Pool {
            Pool { numbers: Typed(Vec::new()), kinds: Vec::new() }
        }

        fn bytes(&self) -> usize {
            self.numbers.bytes() + self.kinds.iter().map(|kind| kind.slots.bytes()).sum::<usize>()
        }

        #[inline]
        fn slot<T: Send + 'static>(&mut self, slot: usize) -> Option<&mut Vec<Vec<T>>> {
            // Decided at compile time.
            let slots: &mut dyn Any =
                if TypeId::of::<T>() == TypeId::of::<f64>() { &mut self.numbers } else { self.kind::<T>() };
            let Typed(slots) = slots.downcast_mut::<Typed<T>>()?;
            if slots.len() <= slot {
                slots.resize_with(slot + 1, Vec::new);
            }
            slots.get_mut(slot)
        }

        fn kind<T: Send + 'static>(&mut self) -> &mut dyn Any {
            let of = TypeId::of::<T>();
            let at = self.kinds.iter().position(|kind| kind.of == of).unwrap_or_else(|| {
                self.kinds.push(Kind { of, slots: Box::new(Typed::<T>(Vec::new())) });
                self.kinds.len() - 1
            });
            &mut *self.kinds[at].slots
        }
    }

    /// Whether a workspace runs on this thread.
    #[inline]
    pub(super) fn is_active() -> bool {
        ACTIVE.get()
    }

    fn take<T: Send + 'static>(slot: usize) -> Option<Vec<T>> {
        POOL.try_with(|pool| pool.borrow_mut().slot(slot)?.pop()).ok()?
    }

    #[inline(never)]
    pub(super) fn filled<T: Copy + Send + 'static>(slot: usize, fill: T, n: usize) -> Vec<T> {
        match take(slot) {
            Some(mut items) if items.capacity() >= n => {
                items.resize(n, fill);
                items
            }
            // Too short: its memory goes before there is another.
            short => {
                drop(short);
                super::fresh(fill, n)
            }
        }
    }

    #[inline(never)]
    pub(super) fn emptied<T: Send + 'static>(slot: usize) -> Vec<T> {
        take(slot).unwrap_or_default()
    }

    // Those without memory too: they keep their place among those that are in use at the same time.
    #[inline(never)]
    pub(super) fn give<T: Copy + Send + 'static>(slot: usize, mut items: Vec<T>) {
        items.clear();
        give_emptied(slot, items);
    }

    #[inline(never)]
    pub(super) fn give_rows<T: Copy + Send + 'static>(slot: usize, mut rows: Vec<Vec<T>>) {
        // The first row is the first to be taken again.
        while let Some(row) = rows.pop() {
            give(slot, row);
        }
        give_emptied(slot, rows);
    }

    fn give_emptied<T: Send + 'static>(slot: usize, items: Vec<T>) {
        let mut items = Some(items);
        let _ = POOL.try_with(|pool| {
            if let (Some(list), Some(items)) = (pool.borrow_mut().slot(slot), items.take()) {
                list.push(items);
            }
        });
    }
}

#[cfg(all(test, feature = "std"))]
mod tests {
    use super::{Workspace, emptied, filled, give, give_rows, rows};
    use crate::Tape;
    use alloc::vec;
    use alloc::vec::Vec;
    use core::iter::repeat_n;

    #[test]
    fn small_vectors_lie_in_one_page() {
        // Of all places of ten numbers in a page, nine lie across its end.
        let memory = vec![0.5; 2 * super::PAGE / size_of::<f64>()];
        let places = memory.windows(10).take(super::PAGE / size_of::<f64>());
        assert_eq!(places.filter(|items| super::lies_across(items)).count(), 9);
        // Larger ones lie where they lie, and one without elements nowhere.
        assert!(!super::lies_across(&memory) && !super::lies_across::<f64>(&[]));
        // Where they lie is the allocator's affair; what they are is not.
        for n in 0..200 {
            let placed = super::elsewhere(filled(0, 0.5, n), 0.5, super::TRIES);
            assert_eq!((filled(0, 0.5, n), placed), (vec![0.5; n], vec![0.5; n]));
        }
    }

    #[test]
    fn a_slot_gives_what_it_got_last() {
        let mut workspace = Workspace::new();
        let address = workspace.run(|| {
            let (a, b) = (filled(3, 1.5, 4), filled(3, 2.5, 2));
            let address = (a.as_ptr(), b.as_ptr());
            assert_eq!((a.as_slice(), b.as_slice()), (&[1.5; 4][..], &[2.5; 2][..]));
            give(3, b);
            give(3, a);
            address
        });
        assert_eq!(workspace.memory(), 6 * size_of::<f64>());
        workspace.run(|| {
            let (a, other) = (filled(3, 0.5, 3), filled(3, true, 3));
            let b: Vec<f64> = emptied(3);
            assert_eq!((a.as_ptr(), b.as_ptr()), address);
            assert_eq!((a.as_slice(), other.as_slice(), b.len()), (&[0.5; 3][..], &[true; 3][..], 0));
            // What is not given back is lost, and no harm done.
        });
        assert_eq!(workspace.memory(), 0);
    }

    #[test]
    fn the_longest_so_far_is_held() {
        let mut workspace = Workspace::new();
        for n in [2, 7, 0, 5] {
            workspace.run(|| {
                let items = filled(0, n, n);
                assert_eq!(items, vec![n; n]);
                give(0, items);
            });
        }
        assert_eq!(workspace.memory(), 7 * size_of::<usize>());
        workspace.clear();
        assert_eq!(workspace.memory(), 0);
    }

    #[test]
    fn rows_keep_their_order() {
        let mut workspace = Workspace::new();
        let mut addresses = Vec::new();
        for _ in 0..3 {
            let found = workspace.run(|| {
                let list = rows(1, [0.5, 1.0], [3, 0, 9].into_iter());
                assert_eq!(list, [vec![[0.5, 1.0]; 3], vec![], vec![[0.5, 1.0]; 9]]);
                let found: Vec<_> = [0, 2].map(|i: usize| list[i].as_ptr()).to_vec();
                give_rows(1, list);
                found
            });
            addresses.push(found);
        }
        assert_eq!(addresses[0], addresses[2]);
        assert_eq!(addresses[1], addresses[2]);
    }

    #[test]
    fn tapes_keep_their_room() {
        let mut workspace = Workspace::new();
        for _ in 0..2 {
            workspace.run(|| {
                let mut tape = Tape::taken(0);
                tape.reserve_known(10);
                (0..10).for_each(|i| tape.push(i as f64));
                assert_eq!(tape.pop(), 9.0);
                tape.give(0);
            });
            assert_eq!(workspace.memory(), 10 * size_of::<f64>());
        }
        // Nobody has so much room: nothing is reserved.
        Tape::<f64>::new().reserve_known(usize::MAX);
    }

    #[test]
    fn without_a_workspace_these_are_plain_vectors() {
        let list = rows(0, 1.0, repeat_n(2, 3));
        assert_eq!((list.len(), filled(0, 2, 3), emptied::<f64>(0)), (3, vec![2; 3], vec![]));
        give_rows(0, list);
    }

    #[test]
    fn runs_inside_one_another() {
        let (mut outer, mut inner) = (Workspace::new(), Workspace::new());
        outer.run(|| {
            give(0, vec![1.0; 4]);
            inner.run(|| assert_eq!(emptied::<f64>(0).capacity(), 0));
            assert_eq!(emptied::<f64>(0).capacity(), 4);
        });
    }
}
