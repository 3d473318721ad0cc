//! What an expression is to the frontend: numbers, places in buffers, and what exists only while lowering (tuples,
//! structs, options, closures, iterators).

use std::cell::Cell;
use std::rc::Rc;

use rustc_hash::FxHashMap as HashMap;

use super::iterators::Iter;
use super::lower::VarId;
use crate::ir::{Buffer, Value};

/// What an expression is.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Val {
    Scalar(Value),
    /// A place in a buffer, or the whole of it.
    View(View),
    Tuple(Vec<Val>),
    /// A struct made in this function, or an active parameter of a struct type: a value for each field.
    Struct(Rc<Fields>, Vec<Val>),
    /// An `Option` or `Result`: whether there is a value (a bool), and the value.
    Maybe(Vec<Val>),
    /// A vector of tuples or structs: the same with a vector for each part.
    Columns(Box<Val>),
    /// A vector of vectors of any lengths: all their elements one after the other, where each begins, how long it is.
    Ragged(Vec<Val>),
    /// `&mut` of a variable, or of a part of one.
    RefMut(VarId, Vec<usize>),
    Closure(Rc<Closure>),
    Iter(Rc<Iter>),
    /// How the first float compares with the second (`partial_cmp`).
    Order(Value, Value),
    /// In a trial: an empty vector of which nothing is known yet.
    Vacant(usize),
    /// Declared and not set.
    Unset,
    /// An iterator that a loop has run, to its end or to a `break`. It is another thing than the iterator was, so what joins the two
    /// or goes round with them is refused.
    Spent,
    /// Control never comes here.
    Never,
}

/// The part of a buffer at `prefix`, and of that `start .. start + len` where given.
#[derive(Clone, PartialEq, Debug)]
pub(super) struct View {
    pub(super) buffer: Buffer,
    pub(super) prefix: Vec<Value>,
    pub(super) range: Option<(Value, Value)>,
    /// Behind a reference, or the buffer itself.
    pub(super) by_ref: bool,
    /// By value in the user's function (a field of a row, an item of an array), though shared here with what it was read
    /// from: copied where one of the two may be changed. With `by_ref`: in a row that is seen through a reference.
    pub(super) lent: bool,
}

impl View {
    /// The indices in it: of the prefix, then start and length of the range.
    pub(super) fn scalars(&self) -> Vec<Value> {
        let mut list = self.prefix.clone();
        list.extend(self.range.iter().flat_map(|(a, b)| [*a, *b]));
        list
    }

    pub(super) fn set_scalar(&mut self, k: usize, v: Value) {
        let n = self.prefix.len();
        match (k.checked_sub(n), &mut self.range) {
            (None, _) => self.prefix[k] = v,
            (Some(0), Some(range)) => range.0 = v,
            (Some(_), Some(range)) => range.1 = v,
            _ => {}
        }
    }
}

/// A struct's path as written, and its fields (`0`, `1`, ... of a tuple struct).
#[derive(Clone, PartialEq, Debug)]
pub(super) struct Fields {
    pub(super) path: syn::Path,
    pub(super) names: Vec<String>,
    /// Of a struct made by other code: where it was opened. It has more fields than these, which nobody has asked for.
    pub(super) opened: Option<super::opaque::Origin>,
}

/// A closure, or a function inside the function: inlined where it is called.
#[derive(Clone, Debug)]
pub(super) struct Closure {
    id: usize,
    pub(super) params: Vec<syn::Pat>,
    pub(super) body: syn::Expr,
    /// The names it sees.
    pub(super) scopes: Vec<HashMap<String, VarId>>,
    /// The code itself, for verbatim code that names it.
    pub(super) tokens: proc_macro2::TokenStream,
    /// A `fn`: it sees no variables, and its name is no value to be filled in.
    pub(super) is_fn: bool,
    /// The type that is written behind `->`.
    pub(super) output: Option<syn::Type>,
    /// A nested `fn` with parameters of its own, which each call tells.
    pub(super) generic: Option<Rc<syn::ItemFn>>,
}

impl Closure {
    pub(super) fn new(
        params: Vec<syn::Pat>,
        body: syn::Expr,
        scopes: Vec<HashMap<String, VarId>>,
        tokens: proc_macro2::TokenStream,
        is_fn: bool,
    ) -> Closure {
        thread_local!(static NEXT: Cell<usize> = const { Cell::new(0) });
        let id = NEXT.with(|next| next.replace(next.get() + 1));
        Closure { id, params, body, scopes, tokens, is_fn, output: None, generic: None }
    }

    /// With parameters of its own.
    pub(super) fn of_generic(mut self, item: &syn::ItemFn) -> Closure {
        let has_some = item.sig.generics.params.iter().any(|p| !matches!(p, syn::GenericParam::Lifetime(_)));
        self.generic = has_some.then(|| Rc::new(item.clone()));
        self
    }

    /// The same for a call that tells its parameters.
    pub(super) fn instance(&self, item: &syn::ItemFn, lengths: HashMap<String, VarId>) -> Closure {
        let mut made = self.clone();
        let block = &item.block;
        made.params = super::calls::parameters(item);
        made.body = syn::parse_quote!(#block);
        made.scopes.push(lengths);
        made.generic = None;
        made.returning(&item.sig.output)
    }

    /// With the type that it returns.
    pub(super) fn returning(mut self, output: &syn::ReturnType) -> Closure {
        if let syn::ReturnType::Type(_, ty) = output {
            self.output = Some((**ty).clone());
        }
        self
    }

    /// Tells closures apart.
    pub(super) fn id(&self) -> usize {
        self.id
    }
}

impl PartialEq for Closure {
    fn eq(&self, other: &Closure) -> bool {
        self.id == other.id
    }
}

impl Val {
    /// The parts of what consists of several values.
    pub(super) fn parts(&self) -> Option<&[Val]> {
        match self {
            Val::Tuple(list) | Val::Struct(_, list) | Val::Maybe(list) | Val::Ragged(list) => Some(list),
            Val::Columns(inner) => inner.parts(),
            _ => None,
        }
    }

    pub(super) fn parts_mut(&mut self) -> Option<&mut Vec<Val>> {
        match self {
            Val::Tuple(list) | Val::Struct(_, list) | Val::Maybe(list) | Val::Ragged(list) => Some(list),
            Val::Columns(inner) => inner.parts_mut(),
            _ => None,
        }
    }

    /// The same with other parts.
    pub(super) fn with_parts(&self, parts: Vec<Val>) -> Val {
        match self {
            Val::Struct(fields, _) => Val::Struct(fields.clone(), parts),
            Val::Maybe(_) => Val::Maybe(parts),
            Val::Ragged(_) => Val::Ragged(parts),
            Val::Columns(inner) => Val::Columns(Box::new(inner.with_parts(parts))),
            _ => Val::Tuple(parts),
        }
    }

    /// The same with nothing set.
    pub(super) fn emptied(&self) -> Val {
        match self.parts() {
            Some(list) => self.with_parts(list.iter().map(Val::emptied).collect()),
            None => Val::Unset,
        }
    }

    /// Whether the parts of both mean the same.
    pub(super) fn is_like(&self, other: &Val) -> bool {
        match (self, other) {
            (Val::Tuple(a), Val::Tuple(b)) => a.len() == b.len(),
            (Val::Struct(a, _), Val::Struct(b, _)) => a.names == b.names,
            (Val::Maybe(_), Val::Maybe(_)) | (Val::Ragged(_), Val::Ragged(_)) => true,
            (Val::Columns(a), Val::Columns(b)) => a.is_like(b),
            _ => false,
        }
    }

    /// The field of a struct or tuple.
    pub(super) fn field(&self, name: &syn::Member) -> Option<usize> {
        match (self, name) {
            (Val::Tuple(list), syn::Member::Unnamed(i)) => Some(i.index as usize).filter(|i| *i < list.len()),
            (Val::Struct(fields, _), name) => {
                let name = match name {
                    syn::Member::Named(name) => name.to_string(),
                    syn::Member::Unnamed(i) => i.index.to_string(),
                };
                fields.names.iter().position(|n| *n == name)
            }
            _ => None,
        }
    }

    /// Whether a view is in it.
    pub(super) fn holds_view(&self) -> bool {
        matches!(self, Val::View(_) | Val::Columns(_) | Val::Ragged(_))
            || self.parts().is_some_and(|list| list.iter().any(Val::holds_view))
    }

    /// Whether something holds of a view in it.
    pub(super) fn any_view(&self, holds: &dyn Fn(&View) -> bool) -> bool {
        match self {
            Val::View(view) => holds(view),
            Val::Columns(inner) => inner.any_view(holds),
            other => other.parts().is_some_and(|list| list.iter().any(|part| part.any_view(holds))),
        }
    }

    /// Whether a buffer is its own, or that of a part of it.
    pub(super) fn owns(&self, buffer: Buffer) -> bool {
        self.any_view(&|v| v.buffer == buffer && !v.by_ref && !v.lent && v.prefix.is_empty())
    }

    /// The unit value.
    pub(super) fn unit() -> Val {
        Val::Tuple(Vec::new())
    }
}
