//! Products as calls into `ad_runtime`. The factors are slices; what a library's array is made of, the run time finds out.

use proc_macro2::{Ident, TokenStream};
use quote::quote;

use super::body::Body;
use super::expr;
use crate::ir::{Buffer, Factor, Layout, Product, StoreMode, Value};

impl Body<'_> {
    pub(super) fn product(&mut self, p: &Product, out: &mut TokenStream) {
        self.flush(Some(&[p.into.buffer]), out);
        let ranks = [self.rank(&p.a), self.rank(&p.b)];
        let (a, b) = (self.factor(&p.a), self.factor(&p.b));
        let sum = p.mode == StoreMode::Add;
        let path = quote!(::ad_runtime::__private::products);
        let name = match ranks {
            // Floats of a library are multiplied by one.
            [2, 2] if expr::is_generic(&self.func.buffer(p.into.buffer).elem) => quote!(multiply_any),
            [2, 2] => quote!(multiply),
            [2, _] => quote!(apply),
            _ => quote!(outer),
        };
        let (data, name_of) = (self.func.buffer(p.into.buffer), self.buffer_name(p.into.buffer));
        let call = |into: TokenStream| quote!(#path::#name(#into, #a, #b, #sum));
        let axes = self.rank(&p.into);
        out.extend(match (data.layout, axes) {
            (Layout::Ndarray, 1) => {
                let call = call(quote!(into));
                quote!(#path::write_array1(#name_of.view_mut(), |into| #call);)
            }
            (Layout::Ndarray, _) => {
                let call = call(quote!(into));
                quote!(#path::write_array2(#name_of.view_mut(), |into| #call);)
            }
            (Layout::Nalgebra, 1) => {
                let call = call(quote!(#name_of.as_mut_slice()));
                quote!(#call;)
            }
            (Layout::Nalgebra, _) => {
                let (n, m) = (quote!(#name_of.nrows()), quote!(#name_of.ncols()));
                let call = call(quote!(#path::MatrixMut::by_columns(#n, #m, #name_of.as_mut_slice())));
                quote!(#call;)
            }
            (_, 1) => {
                let call = call(quote!(&mut #name_of[..]));
                quote!(#call;)
            }
            _ => {
                let [n, m] = self.extents(&p.into);
                let data = if p.into.shape.is_some() {
                    quote!(&mut #name_of[..])
                } else {
                    quote!(#name_of.as_flattened_mut())
                };
                let call = call(quote!(#path::MatrixMut::by_rows(#n, #m, #data)));
                quote!(#call;)
            }
        });
    }

    /// A library's array as a slice of this name.
    pub(super) fn slice_of(&mut self, of: Buffer, name: &Ident, mutable: bool, out: &mut TokenStream) {
        let data = self.func.buffer(of);
        let array = self.buffer_name(of);
        let path = quote!(::ad_runtime::__private::products);
        if data.layout == Layout::Nalgebra {
            let slice = if mutable { quote!(as_mut_slice) } else { quote!(as_slice) };
            return out.extend(quote!(let #name = #array.#slice();));
        }
        let whole = self.fresh(&format!("{}_whole", data.name));
        out.extend(match (data.dims.len(), mutable) {
            (1, false) => quote!(let #whole = #path::array1(#array.view()); let #name = &#whole[..];),
            (_, false) => quote!(let #whole = #path::rows_of_array2(#array.view()); let #name = &#whole[..];),
            (1, true) => {
                quote!(let mut #whole = #path::WholeMut::of_array1(#array.view_mut()); let #name = &mut #whole[..];)
            }
            (_, true) => {
                quote!(let mut #whole = #path::WholeMut::of_array2(#array.view_mut()); let #name = &mut #whole[..];)
            }
        });
    }

    fn rank(&self, f: &Factor) -> usize {
        if f.shape.is_some() { 2 } else { self.func.buffer(f.buffer).dims.len() }
    }

    /// A factor that is read.
    fn factor(&mut self, f: &Factor) -> TokenStream {
        let name = self.buffer_name(f.buffer);
        let path = quote!(::ad_runtime::__private::products);
        let layout = self.func.buffer(f.buffer).layout;
        if self.rank(f) == 1 {
            return match layout {
                Layout::Ndarray => quote!(&#path::array1(#name.view())),
                Layout::Nalgebra => quote!(#name.as_slice()),
                _ => quote!(&#name[..]),
            };
        }
        let matrix = match layout {
            Layout::Ndarray => quote!(#path::array2(#name.view()).matrix()),
            Layout::Nalgebra => {
                quote!(#path::Matrix::by_columns(#name.nrows(), #name.ncols(), #name.as_slice()))
            }
            _ => {
                let [n, m] = self.extents(f);
                let data = if f.shape.is_some() { quote!(&#name[..]) } else { quote!(#name.as_flattened()) };
                quote!(#path::Matrix::by_rows(#n, #m, #data))
            }
        };
        if f.transposed { quote!(#matrix.t()) } else { matrix }
    }

    /// Rows and columns of what is stored by rows.
    fn extents(&mut self, f: &Factor) -> [TokenStream; 2] {
        if let Some(shape) = f.shape {
            return shape.map(|v: Value| self.take(v).tokens);
        }
        let name = self.buffer_name(f.buffer);
        let columns = match &self.func.buffer(f.buffer).dims[1] {
            crate::ir::Dim::Fixed(n) => n.parse().unwrap_or_default(),
            _ => quote!(#name[0].len()),
        };
        [quote!(#name.len()), columns]
    }
}
