//! What tests by `check(..)` need of parameters: their active numbers in one vector, and back.

use alloc::vec::Vec;

/// Something whose active numbers can be laid out in a vector, one after the other. Derived by `Differentiable` too.
#[diagnostic::on_unimplemented(
    message = "`check(..)` cannot move `{Self}` along a direction of `{T}`",
    note = "all active numbers must be of one type, `f32` or `f64`; else write a test with `ad_runtime::check`"
)]
pub trait Flat<T> {
    /// Appends the numbers.
    fn flatten(&self, to: &mut Vec<T>);

    /// Takes as many numbers from the front as there are here.
    ///
    /// # Panics
    /// If there are too few, which callers rule out: they pass as many as `flatten` made.
    fn fill(&mut self, from: &mut &[T]);
}

macro_rules! number {
    ($($t:ty),*) => {
        $(
            impl Flat<$t> for $t {
                fn flatten(&self, to: &mut Vec<$t>) {
                    to.push(*self);
                }
                fn fill(&mut self, from: &mut &[$t]) {
                    let Some((first, rest)) = from.split_first() else { panic!("too few numbers") };
                    (*self, *from) = (*first, rest);
                }
            }
        )*
    };
}
number!(f32, f64);

/// Data beside numbers, as in `(f64, usize)`.
macro_rules! data {
    ($($t:ty),*) => {
        $(
            impl<T> Flat<T> for $t {
                fn flatten(&self, _: &mut Vec<T>) {}
                fn fill(&mut self, _: &mut &[T]) {}
            }
        )*
    };
}
data!(bool, char, i8, i16, i32, i64, i128, isize, u8, u16, u32, u64, u128, usize);

/// What has the numbers of its items, in their order.
macro_rules! items {
    ($([$($generics:tt)*] $item:ty, $t:ty;)*) => {
        $(
            impl<T, $($generics)*> Flat<T> for $t
            where
                $item: Flat<T>,
            {
                fn flatten(&self, to: &mut Vec<T>) {
                    self.iter().for_each(|item| item.flatten(to));
                }
                fn fill(&mut self, from: &mut &[T]) {
                    self.iter_mut().for_each(|item| item.fill(from));
                }
            }
        )*
    };
}
items! {
    [A, const N: usize] A, [A; N];
    [A] A, Vec<A>;
}

#[cfg(feature = "ndarray")]
items! {
    [A] A, ndarray::Array1<A>;
    [A] A, ndarray::Array2<A>;
}

#[cfg(feature = "nalgebra")]
impl<T, A, R, C, S> Flat<T> for nalgebra::Matrix<A, R, C, S>
where
    A: Flat<T>,
    R: nalgebra::Dim,
    C: nalgebra::Dim,
    S: nalgebra::RawStorageMut<A, R, C>,
{
    fn flatten(&self, to: &mut Vec<T>) {
        self.iter().for_each(|item| item.flatten(to));
    }
    fn fill(&mut self, from: &mut &[T]) {
        self.iter_mut().for_each(|item| item.fill(from));
    }
}

macro_rules! tuples {
    ($(($($name:ident)+))*) => {
        $(
            impl<T, $($name: Flat<T>),+> Flat<T> for ($($name,)+) {
                #[allow(non_snake_case)]
                fn flatten(&self, to: &mut Vec<T>) {
                    let ($($name,)+) = self;
                    $($name.flatten(to);)+
                }
                #[allow(non_snake_case)]
                fn fill(&mut self, from: &mut &[T]) {
                    let ($($name,)+) = self;
                    $($name.fill(from);)+
                }
            }
        )*
    };
}
tuples! { (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) (A B C D E F G) (A B C D E F G H) }
