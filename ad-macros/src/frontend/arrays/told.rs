//! Of which type arrays of data are that methods and operators of `ndarray` give. Nothing here is lowered; rustc checks what is
//! told where the elements are read.

use quote::quote;

use super::types::foreign;
use crate::frontend::lower::Lower;
use crate::frontend::value::{Val, View};
use crate::ir::{FloatKind, Layout, Op, Type};

impl Lower<'_> {
    /// What a method of an array of this type gives; `None` if it is not known.
    pub(in super::super) fn told_by_method(
        &self,
        m: &syn::ExprMethodCall,
        receiver: &syn::Type,
    ) -> Option<syn::Type> {
        let (rank, elem) = self.told_array(receiver)?;
        let args: Vec<&syn::Expr> = m.args.iter().collect();
        match (m.method.to_string().as_str(), args.as_slice()) {
            // The same array in other hands, or with other numbers.
            ("t" | "view" | "to_owned" | "into_owned" | "reversed_axes", [])
            | ("mapv" | "mapv_into", [_]) => Some(receiver.clone()),
            ("sum_axis" | "index_axis" | "index_axis_move" | "row" | "column" | "diag", _) if rank == 2 => {
                Some(array_type(1, &elem))
            }
            ("insert_axis", [_]) if rank == 1 => Some(array_type(2, &elem)),
            ("dot", [other]) => match (rank, self.rank_of_data(other)?) {
                (1, 1) => Some(elem),
                (2, 2) => Some(array_type(2, &elem)),
                _ => Some(array_type(1, &elem)),
            },
            ("sum" | "product", []) => Some(elem),
            _ => None,
        }
    }

    /// What an operator gives of two arrays, or of an array and a number, where the sides are of these types.
    pub(in super::super) fn told_by_operator(
        &self,
        b: &syn::ExprBinary,
        types: &[Option<syn::Type>; 2],
    ) -> Option<syn::Type> {
        let sides = types.each_ref().map(|ty| self.told_array(ty.as_ref()?));
        let is_number = |e: &syn::Expr, ty: &Option<syn::Type>| {
            is_literal(e) || ty.as_ref().is_some_and(|ty| self.float_kind(ty).is_some())
        };
        match &sides {
            [Some((x, elem)), Some((y, _))] => Some(array_type(*x.max(y), elem)),
            [Some((rank, elem)), None] if is_number(&b.right, &types[1]) => Some(array_type(*rank, elem)),
            [None, Some((rank, elem))] if is_number(&b.left, &types[0]) => Some(array_type(*rank, elem)),
            _ => None,
        }
    }

    /// Arithmetic with whole arrays of data: by the library, where nothing active is in it. `None` if it is none.
    pub(in super::super) fn operator_of_arrays_of_data(&mut self, b: &syn::ExprBinary) -> Option<Val> {
        let arithmetic =
            matches!(b.op, syn::BinOp::Add(_) | syn::BinOp::Sub(_) | syn::BinOp::Mul(_) | syn::BinOp::Div(_));
        if !arithmetic {
            return None;
        }
        let types = [self.declared(&b.left), self.declared(&b.right)];
        let told = self.told_by_operator(b, &types)?;
        // What is there already is not moved.
        let side = |e: &syn::Expr, ty: &Option<syn::Type>| {
            let is_array = ty.as_ref().is_some_and(|ty| self.told_array(ty).is_some());
            if is_array && crate::frontend::members::is_place(e) {
                quote!((&(#e).view()))
            } else {
                quote!(#e)
            }
        };
        let (x, y, op) = (side(&b.left, &types[0]), side(&b.right, &types[1]), &b.op);
        let tokens = quote!((#x #op #y));
        if !self.is_passive(tokens.clone()) {
            return None;
        }
        let found = self.verbatim_operands(tokens, syn::spanned::Spanned::span(&b.op))?;
        let v = self.s.b.op(Op::Verbatim(found.verbatim), &found.args);
        self.s.declare(v, &told);
        Some(Val::Scalar(v))
    }

    /// How many axes an array has that is data, or that the macro follows and of which nothing is active.
    fn rank_of_data(&self, e: &syn::Expr) -> Option<usize> {
        let place = super::super::calls::reached(e);
        if let syn::Expr::Path(p) = place
            && let Some(var) = p.path.get_ident().and_then(|i| self.lookup(&i.to_string()))
            && let Val::View(view) = &self.s.vars[var].val
        {
            let is_data =
                self.s.arrays.contains(&view.buffer) && !self.s.tainted_buffers.contains(&view.buffer);
            return is_data.then(|| self.rank(view));
        }
        Some(self.told_array(&self.declared(e)?)?.0)
    }

    /// How many axes an array of data of this type has, and what its elements are.
    fn told_array(&self, ty: &syn::Type) -> Option<(usize, syn::Type)> {
        let array = foreign(ty, &self.sig.floats).filter(|a| a.layout == Layout::Ndarray)?;
        let elem = match &array.elem {
            FloatKind::F32 => syn::parse_quote!(f32),
            FloatKind::Param(name) => syn::parse_str(name).ok()?,
            _ => syn::parse_quote!(f64),
        };
        Some((array.dims.len(), elem))
    }

    /// An array of data beside something active that is not of its shape: an array of its own. Anything else as it is.
    pub(in super::super) fn beside_active(&mut self, val: Val, e: &syn::Expr, other: &Val) -> Val {
        let Val::Scalar(v) = val else { return val };
        if *self.s.b.func.ty(v) != Type::Opaque || self.is_tainted(v) || !self.val_tainted(other) {
            return val;
        }
        let declared = self.s.declared.get(&v).cloned().or_else(|| self.declared(e));
        let Some(array) = declared.and_then(|ty| foreign(&ty, &self.sig.floats)) else { return val };
        // Beside an array of as many axes or more, it is read element by element.
        let is_wider = match other {
            Val::Scalar(other) => self.s.b.func.is_float(*other),
            Val::View(View { .. }) if array.layout == Layout::Nalgebra => false,
            Val::View(view) => self.rank(view) < array.dims.len(),
            _ => false,
        };
        if is_wider { Val::View(self.array_of_data(v, &array)) } else { val }
    }
}

fn is_literal(e: &syn::Expr) -> bool {
    match e {
        syn::Expr::Paren(p) => is_literal(&p.expr),
        syn::Expr::Lit(_) => true,
        syn::Expr::Unary(u) => is_literal(&u.expr),
        _ => false,
    }
}

/// `Array2<f64>`
fn array_type(rank: usize, elem: &syn::Type) -> syn::Type {
    let name = syn::Ident::new(&format!("Array{rank}"), proc_macro2::Span::call_site());
    syn::parse2(quote!(#name<#elem>)).unwrap_or_else(|_| elem.clone())
}
