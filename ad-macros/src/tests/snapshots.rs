//! Generated code of telling functions, as a person reads it. `INSTA_UPDATE=always cargo test` renews them.

use proc_macro2::TokenStream;
use quote::quote;

/// The product `only` of a function, formatted, without the rustdoc and attributes above it.
fn generated(only: TokenStream, item: TokenStream) -> String {
    let tokens = crate::pipeline::expand(quote!(only(#only)), item);
    let Ok(file) = syn::parse2::<syn::File>(tokens) else { return "does not parse".to_string() };
    let made: Vec<syn::Item> = file
        .items
        .into_iter()
        .skip(1)
        .map(|item| match item {
            syn::Item::Fn(mut f) => {
                f.attrs.clear();
                syn::Item::Fn(f)
            }
            other => other,
        })
        .collect();
    prettyplease::unparse(&syn::File { shebang: None, frontmatter: None, attrs: Vec::new(), items: made })
}

#[test]
fn straight_line() {
    insta::assert_snapshot!(generated(
        quote!(hvp),
        quote! { fn f(x: f64, y: f64) -> f64 { x * x * y + y.sin() } }
    ));
}

#[test]
fn reduction() {
    insta::assert_snapshot!(generated(
        quote!(hvp),
        quote! {
            fn f(x: &[f64]) -> f64 {
                let mut s = 0.0;
                for i in 0..x.len() {
                    s += x[i].exp() * x[i];
                }
                s
            }
        }
    ));
}

#[test]
fn carried_state() {
    insta::assert_snapshot!(generated(
        quote!(grad),
        quote! {
            fn f(x: f64, steps: usize) -> f64 {
                let mut s = x;
                for _ in 0..steps {
                    s = s + 0.1 * s.sin();
                }
                s
            }
        }
    ));
}
