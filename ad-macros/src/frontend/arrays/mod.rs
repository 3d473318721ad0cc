//! Arrays and matrices of `ndarray` and `nalgebra`.
//!
//! Only parameters have their layout: inside the function an array is a buffer like any other, with an axis or two.
//! [`types`] recognises the types, [`elementwise`] lowers arithmetic, [`products`] what mixes elements, [`methods`] and
//! [`make`] the rest of what people call.

pub(super) use make::is_array_type;

mod elementwise;
mod make;
mod methods;
mod products;
pub(crate) mod types;
