//! Questions about types that generated code asks while the crate is compiled, where the macro sees names only.

use alloc::boxed::Box;
use alloc::vec::Vec;
use core::marker::PhantomData;

/// Types in which floats are stored that could be differentiated with respect to.
pub trait HoldsFloats {}

macro_rules! floats {
    ($($ty:ty),*) => {$(impl HoldsFloats for $ty {})*};
}
floats!(f32, f64);

impl<T: HoldsFloats + ?Sized> HoldsFloats for &T {}
impl<T: HoldsFloats + ?Sized> HoldsFloats for Box<T> {}
impl<T: HoldsFloats> HoldsFloats for [T] {}
impl<T: HoldsFloats, const N: usize> HoldsFloats for [T; N] {}
impl<T: HoldsFloats> HoldsFloats for Vec<T> {}
impl<T: HoldsFloats> HoldsFloats for Option<T> {}

/// `Probe::<T>::HOLDS_FLOATS`: an inherent constant goes before one of a trait, so that it is true just where `T` is
/// known to hold floats.
pub struct Probe<T: ?Sized>(PhantomData<T>);

impl<T: ?Sized + HoldsFloats> Probe<T> {
    /// It does.
    pub const HOLDS_FLOATS: bool = true;
}

/// See [`Probe`].
pub trait MayHoldFloats {
    /// Nobody knows of it.
    const HOLDS_FLOATS: bool = false;
}

impl<T: ?Sized> MayHoldFloats for Probe<T> {}

/// Data that an operator keeps, to pass it on by value as often as it is applied.
pub struct Kept<T>(T);

impl<T> Kept<T> {
    /// Keeps a value.
    pub fn new(value: T) -> Self {
        Kept(value)
    }
}

impl<T: Clone> Kept<T> {
    /// A clone. A method of the type goes before one of a trait: where `T` can be cloned, this is what is called.
    pub fn again(&self, _name: &str) -> T {
        self.0.clone()
    }
}

/// See [`Kept::again`].
pub trait NotCloned<T> {
    /// Panics, naming the argument.
    fn again(&self, name: &str) -> T;
}

impl<T> NotCloned<T> for Kept<T> {
    #[track_caller]
    fn again(&self, name: &str) -> T {
        panic!(
            "`{name}` cannot be cloned, and an operator needs it for each of its applications: take it by reference"
        );
    }
}

/// Whether two texts are the same.
pub const fn same_text(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    let mut k = 0;
    while k < a.len() {
        if a[k] != b[k] {
            return false;
        }
        k += 1;
    }
    true
}

/// What `?` asks of an `Option` or a `Result`, of which the macro does not know which it is.
pub trait Outcome {
    /// What it holds.
    type Good;
    /// Why it holds nothing.
    type Failure;
    /// Whether it holds a value.
    fn is_good(&self) -> bool;
    /// The value.
    ///
    /// # Panics
    /// If there is none.
    fn good(self) -> Self::Good;
    /// The error, where there is one.
    fn failure(self) -> Option<Self::Failure>;
}

impl<T> Outcome for Option<T> {
    type Good = T;
    type Failure = ();
    fn is_good(&self) -> bool {
        self.is_some()
    }
    fn good(self) -> T {
        let Some(value) = self else { panic!("`None` holds no value") };
        value
    }
    fn failure(self) -> Option<()> {
        None
    }
}

impl<T, E> Outcome for Result<T, E> {
    type Good = T;
    type Failure = E;
    fn is_good(&self) -> bool {
        self.is_ok()
    }
    fn good(self) -> T {
        let Ok(value) = self else { panic!("`Err` holds no value") };
        value
    }
    fn failure(self) -> Option<E> {
        self.err()
    }
}
