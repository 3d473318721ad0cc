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

/// A reference to a value of the type `It`, behind whatever references and boxes `value` stands. Not by `Deref`, which would lead
/// to other types.
pub fn exactly<It: ?Sized, Given: Is<It, Way> + ?Sized, Way>(value: &Given) -> &It {
    value.it()
}

/// Values that are of a type, or references to such.
#[diagnostic::on_unimplemented(
    message = "the macro took this for a `{It}`, whose code it has seen, and it is another: call the function of the type that is \
               meant by its path (`Type::name(&value, ..)`)"
)]
pub trait Is<It: ?Sized, Way> {
    /// The value.
    fn it(&self) -> &It;
}

/// The value itself.
pub struct Here;

/// One reference or box further.
pub struct Behind<Way>(core::marker::PhantomData<Way>);

impl<It: ?Sized> Is<It, Here> for It {
    fn it(&self) -> &It {
        self
    }
}

macro_rules! behind {
    ($($pointer:ty),*) => {
        $(impl<It: ?Sized, Given: Is<It, Way> + ?Sized, Way> Is<It, Behind<Way>> for $pointer {
            fn it(&self) -> &It {
                (**self).it()
            }
        })*
    };
}

behind!(&Given, &mut Given, alloc::boxed::Box<Given>, alloc::rc::Rc<Given>);
#[cfg(target_has_atomic = "ptr")]
behind!(alloc::sync::Arc<Given>);

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
    /// A reference to the value.
    ///
    /// # Panics
    /// If there is none.
    fn held(&self) -> &Self::Good;
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
    fn held(&self) -> &T {
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
    fn held(&self) -> &T {
        let Ok(value) = self else { panic!("`Err` holds no value") };
        value
    }
    fn failure(self) -> Option<E> {
        self.err()
    }
}

/// Something in the place of what an outcome does not hold: `(&Blank::of(&outcome)).blank()`. Methods are looked for on the value
/// before they are on references to it, so a default goes first.
pub struct Blank<O>(PhantomData<O>);

impl<O> Blank<O> {
    /// For an outcome of this type.
    pub fn of(_: &O) -> Self {
        Blank(PhantomData)
    }
}

/// See [`Blank`].
pub trait BlankByDefault {
    /// What the outcome would hold.
    type Good;
    /// The default.
    fn blank(&self) -> Self::Good;
}

impl<O: Outcome<Good: Default>> BlankByDefault for Blank<O> {
    type Good = O::Good;
    fn blank(&self) -> O::Good {
        Default::default()
    }
}

/// See [`Blank`].
pub trait BlankByReference {
    /// What the outcome would hold.
    type Good;
    /// A reference to a number.
    fn blank(&self) -> Self::Good;
}

impl<'n, T: Number, O: Outcome<Good = &'n T>> BlankByReference for &Blank<O> {
    type Good = &'n T;
    fn blank(&self) -> &'n T {
        T::ZERO
    }
}

/// Types with a value that references can lead to.
pub trait Number: 'static {
    /// It.
    const ZERO: &'static Self;
}

macro_rules! numbers {
    ($($ty:ty: $zero:expr),*) => {$(impl Number for $ty { const ZERO: &'static Self = &$zero; })*};
}
numbers!(f32: 0.0, f64: 0.0, i8: 0, i16: 0, i32: 0, i64: 0, i128: 0, isize: 0, u8: 0, u16: 0, u32: 0, u64: 0, u128: 0);
numbers!(usize: 0, bool: false, char: ' ');

/// What stands beside an array in arithmetic and is not looked into: a number, which is the same everywhere, or an array.
pub trait ElementAt<const RANK: usize> {
    /// The float.
    type Float;
    /// Panics unless there is an element for each index below these.
    fn check(&self, shape: [usize; RANK]);
    /// The element at an index.
    fn at(&self, index: [usize; RANK]) -> Self::Float;
}

impl<const RANK: usize> ElementAt<RANK> for f64 {
    type Float = f64;
    fn check(&self, _: [usize; RANK]) {}
    #[inline(always)]
    fn at(&self, _: [usize; RANK]) -> f64 {
        *self
    }
}

impl<const RANK: usize> ElementAt<RANK> for f32 {
    type Float = f32;
    fn check(&self, _: [usize; RANK]) {}
    #[inline(always)]
    fn at(&self, _: [usize; RANK]) -> f32 {
        *self
    }
}

impl<const RANK: usize, T: ElementAt<RANK>> ElementAt<RANK> for &T {
    type Float = T::Float;
    fn check(&self, shape: [usize; RANK]) {
        (**self).check(shape);
    }
    #[inline(always)]
    fn at(&self, index: [usize; RANK]) -> T::Float {
        (**self).at(index)
    }
}

#[cfg(feature = "ndarray")]
impl<F: Copy, S: ndarray::Data<Elem = F>> ElementAt<1> for ndarray::ArrayBase<S, ndarray::Ix1> {
    type Float = F;
    fn check(&self, shape: [usize; 1]) {
        assert_eq!(self.shape(), shape, "arrays of different shapes");
    }
    #[inline(always)]
    fn at(&self, index: [usize; 1]) -> F {
        self[index]
    }
}

#[cfg(feature = "ndarray")]
impl<F: Copy, S: ndarray::Data<Elem = F>> ElementAt<2> for ndarray::ArrayBase<S, ndarray::Ix1> {
    type Float = F;
    fn check(&self, shape: [usize; 2]) {
        assert_eq!(self.len(), shape[1], "arrays of different shapes");
    }
    #[inline(always)]
    fn at(&self, index: [usize; 2]) -> F {
        self[index[1]]
    }
}

#[cfg(feature = "ndarray")]
impl<F: Copy, S: ndarray::Data<Elem = F>> ElementAt<2> for ndarray::ArrayBase<S, ndarray::Ix2> {
    type Float = F;
    fn check(&self, shape: [usize; 2]) {
        assert_eq!(self.shape(), shape, "arrays of different shapes");
    }
    #[inline(always)]
    fn at(&self, index: [usize; 2]) -> F {
        self[index]
    }
}

/// A vector is a matrix of one column.
#[cfg(feature = "nalgebra")]
impl<const RANK: usize, F, R, C, S> ElementAt<RANK> for nalgebra::Matrix<F, R, C, S>
where
    F: Copy + nalgebra::Scalar,
    R: nalgebra::Dim,
    C: nalgebra::Dim,
    S: nalgebra::RawStorage<F, R, C>,
{
    type Float = F;
    fn check(&self, shape: [usize; RANK]) {
        let columns = shape.get(1).copied().unwrap_or(1);
        assert_eq!(self.shape(), (shape[0], columns), "matrices of different shapes");
    }
    #[inline(always)]
    fn at(&self, index: [usize; RANK]) -> F {
        self[(index[0], index.get(1).copied().unwrap_or(0))]
    }
}
