//! Seeing what the compiler made: for each annotated function a file with the IR at each stage and one with the
//! generated Rust, formatted.
//!
//! Asked for by `#[differentiable(dump)]` or by the environment variable `AD_DUMP`, which names the folder
//! (`AD_DUMP=1` is the default one). The default folder is `target/differentiable` of the crate that is compiled.

use std::fmt::Write as _;
use std::path::PathBuf;

use proc_macro2::TokenStream;

use crate::analysis::replay;
use crate::diagnostics::Diagnostics;
use crate::frontend::signature::Signature;
use crate::ir::Func;
use crate::transform::reverse::active;

/// What has been collected for one function, if anybody wants it.
pub(crate) struct Dump {
    wanted: Option<PathBuf>,
    name: String,
    span: proc_macro2::Span,
    ir: String,
    rust: TokenStream,
}

impl Dump {
    pub(crate) fn new(sig: &Signature, option: bool) -> Dump {
        let asked = std::env::var("AD_DUMP").ok().filter(|v| !v.is_empty() && v != "0");
        let default = || {
            let root = std::env::var("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
            root.join("target").join("differentiable")
        };
        let wanted = match asked {
            Some(dir) if dir != "1" => Some(PathBuf::from(dir)),
            Some(_) => Some(default()),
            None => option.then(default),
        };
        let unit = std::env::var("CARGO_CRATE_NAME").unwrap_or_else(|_| "crate".to_string());
        Dump {
            wanted,
            name: format!("{unit}.{}", sig.ident),
            span: sig.ident.span(),
            ir: String::new(),
            rust: TokenStream::new(),
        }
    }

    /// Records the IR at a stage.
    pub(crate) fn stage(&mut self, name: &str, func: &Func) {
        if self.wanted.is_some() {
            let _ = writeln!(self.ir, "; ---- {name} ----\n{func}");
        }
    }

    /// Records what the reverse sweep will recompute and save.
    pub(crate) fn plan(&mut self, func: &Func) {
        if self.wanted.is_some() {
            let _ = writeln!(
                self.ir,
                "; ---- plan of the reverse sweep ----\n{}",
                replay::plan(func, &active(func)).describe(func)
            );
        }
    }

    /// Records generated Rust.
    pub(crate) fn rust(&mut self, tokens: &TokenStream) {
        if self.wanted.is_some() {
            self.rust.extend(tokens.clone());
        }
    }

    /// Writes the files. A failure is an error at the function: who asks to see wants to know.
    pub(crate) fn write(self, diagnostics: &mut Diagnostics) {
        let Some(dir) = self.wanted else { return };
        let rust = match syn::parse2::<syn::File>(self.rust.clone()) {
            Ok(file) => prettyplease::unparse(&file),
            // Methods with `self` are no items of a file: in an `impl` they are.
            Err(_) => {
                let items = &self.rust;
                let wrapped = quote::quote!(impl Dumped { #items });
                match syn::parse2::<syn::File>(wrapped) {
                    Ok(file) => prettyplease::unparse(&file),
                    Err(_) => self.rust.to_string(),
                }
            }
        };
        let write = || -> std::io::Result<()> {
            std::fs::create_dir_all(&dir)?;
            std::fs::write(dir.join(format!("{}.ir", self.name)), &self.ir)?;
            std::fs::write(dir.join(format!("{}.rs", self.name)), rust)
        };
        if let Err(e) = write() {
            diagnostics.error(
                self.span,
                format!("the dump cannot be written to {}: {e}", dir.display()),
                "name a folder that can be written in `AD_DUMP`, or leave out `dump`",
            );
        }
    }
}
