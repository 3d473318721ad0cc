//! What the macro assumes of types by their names, as assertions that the compiler checks once it knows the types.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};
use syn::spanned::Spanned;
use syn::visit::Visit;

use crate::frontend::records::mentions_float;
use crate::frontend::signature::{Class, Signature};
use crate::options::Options;

/// The assertions about a function's parameters, behind those that its body needs: structs are those that were seen, and what passes for data (where
/// nobody said so) holds no floats. They stand in a constant, which is an item both of modules and of `impl` blocks.
pub(crate) fn guards(sig: &Signature, options: &Options, assumptions: Vec<TokenStream>) -> TokenStream {
    let mut checks: TokenStream = assumptions.into_iter().collect();
    for p in &sig.params {
        let ty = match &p.ty {
            syn::Type::Reference(r) => &*r.elem,
            other => other,
        };
        if !can_stand_outside(ty, sig) {
            continue;
        }
        match &p.class {
            Class::Record(_) | Class::Records(..) => checks.extend(crate::structs::same(ty)),
            Class::Other
                if options.wrt.is_none()
                    && options.data.as_ref() != Some(&p.ident)
                    && !mentions_float(ty)
                    && names_a_type(ty) =>
            {
                let message = format!(
                    "`{}` holds floats, but its type does not tell the macro so: write the type out (no alias; a struct \
                     derives `Differentiable` and stands above), or name the active parameters in `wrt(..)`",
                    p.ident
                );
                checks.extend(quote_spanned!(ty.span()=>
                    const _: () = {
                        #[allow(unused_imports)]
                        use ::ad_runtime::__private::MayHoldFloats as _;
                        assert!(!::ad_runtime::__private::Probe::<#ty>::HOLDS_FLOATS, #message);
                    };
                ));
            }
            _ => {}
        }
    }
    if checks.is_empty() {
        return checks;
    }
    let name = Ident::new(
        &format!("__DIFFERENTIABLE_{}_TYPES", super::plain(&sig.ident).to_uppercase()),
        Span::call_site(),
    );
    quote! {
        #[doc(hidden)]
        #[allow(dead_code)]
        const #name: () = { #checks };
    }
}

/// A path that is no integer and the like.
fn names_a_type(ty: &syn::Type) -> bool {
    const PLAIN: [&str; 5] = ["bool", "char", "str", "String", "Self"];
    match ty {
        syn::Type::Path(p) => {
            !crate::frontend::is_integer(ty)
                && p.path.segments.last().is_some_and(|s| !PLAIN.iter().any(|known| s.ident == known))
        }
        syn::Type::Slice(s) => names_a_type(&s.elem),
        syn::Type::Array(a) => names_a_type(&a.elem),
        syn::Type::Reference(r) => names_a_type(&r.elem),
        _ => false,
    }
}

/// Whether a type means the same outside the function: no generics, no `Self`, no lifetimes.
fn can_stand_outside(ty: &syn::Type, sig: &Signature) -> bool {
    struct Finder<'s> {
        sig: &'s Signature,
        found: bool,
    }
    impl<'ast> Visit<'ast> for Finder<'_> {
        fn visit_ident(&mut self, ident: &'ast Ident) {
            let is_param = |p: &syn::GenericParam| match p {
                syn::GenericParam::Type(t) => t.ident == *ident,
                syn::GenericParam::Const(c) => c.ident == *ident,
                syn::GenericParam::Lifetime(_) => false,
            };
            // A single capital is a parameter of the `impl` block around.
            let text = ident.to_string();
            let capital = text.len() == 1
                && text.starts_with(char::is_uppercase)
                && crate::structs::find(&text).is_none();
            self.found |= text == "Self" || capital || self.sig.generics.params.iter().any(is_param);
        }
        fn visit_lifetime(&mut self, _: &'ast syn::Lifetime) {
            self.found = true;
        }
        fn visit_type_impl_trait(&mut self, _: &'ast syn::TypeImplTrait) {
            self.found = true;
        }
        fn visit_type_infer(&mut self, _: &'ast syn::TypeInfer) {
            self.found = true;
        }
    }
    let mut finder = Finder { sig, found: false };
    finder.visit_type(ty);
    !finder.found
}
