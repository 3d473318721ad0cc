//! The door of the compiler: `#[differentiable]` enters here and everything is delegated.
#![forbid(unsafe_code)]
#![allow(dead_code)]
use proc_macro::TokenStream;

mod aliases;
mod analysis;
mod backend;
mod below;
mod blocks;
mod derivatives;
mod diagnostics;
mod dump;
mod effort;
mod file;
mod frontend;
mod functions;
mod ir;
mod optimize;
mod options;
mod pipeline;
mod receivers;
mod rules;
mod structs;
#[cfg(test)]
mod tests;
mod traits;
mod transform;

use effort::Effort;

/// See `ad_runtime::differentiable`, where users meet it.
#[proc_macro_attribute]
pub fn differentiable(attributes: TokenStream, item: TokenStream) -> TokenStream {
    expand(Effort::Full, attributes, item)
}

/// [`macro@differentiable`] in builds without optimisation: less code, and simpler.
#[proc_macro_attribute]
pub fn differentiable_plain(attributes: TokenStream, item: TokenStream) -> TokenStream {
    expand(Effort::Plain, attributes, item)
}

fn expand(effort: Effort, attributes: TokenStream, item: TokenStream) -> TokenStream {
    let _keeping = ir::Keeping;
    effort.with(|| pipeline::expand(attributes.into(), item.into())).into()
}

/// See `ad_runtime::Differentiable`, where users meet it.
#[proc_macro_derive(Differentiable, attributes(constant))]
pub fn derive_differentiable(item: TokenStream) -> TokenStream {
    structs::derive(item.into()).into()
}
