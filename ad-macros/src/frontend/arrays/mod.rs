//! Arrays and matrices of `ndarray` and `nalgebra`.
//!
//! Only parameters have their layout: inside the function an array is a buffer like any other, with an axis or two.
//! [`types`] recognises the types, [`elementwise`] lowers arithmetic to loops, [`products`] what mixes elements (to products
//! of the IR where a matrix is involved whose size is not fixed), [`slicing`] and [`axes`] what takes arrays apart, [`joined`] what puts them together, [`parts`] parts of matrices, [`told`] of which types arrays of data are, [`cholesky`] and [`lu`] factorisations, [`geometry`] methods that are short in terms of others, [`methods`] and
//! [`make`] the rest of what people call.
//! [`windows`] are parts that are changed where they are.
//! [`storage`] decides at the end which matrices lie in one vector.

pub(super) use make::is_array_type;

mod axes;
mod cholesky;
mod elementwise;
mod geometry;
mod joined;
mod lu;
mod make;
mod methods;
mod parts;
mod products;
pub(super) mod slicing;
pub(super) mod storage;
mod told;
pub(crate) mod types;
pub(super) mod windows;
