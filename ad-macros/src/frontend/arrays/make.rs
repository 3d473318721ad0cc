//! Constructors: `Array2::zeros((n, m))`, `Vector3::new(a, b, c)`, `array![..]`.

use syn::spanned::Spanned;

use crate::frontend::generic::Floats;
use crate::frontend::lower::Lower;
use crate::frontend::value::{Val, View};
use crate::ir::{Dim, FloatKind, Layout, StoreMode, Type, Value};

/// A type of one of these libraries.
struct Known {
    /// Of `nalgebra`, not `ndarray`.
    linear: bool,
    /// How many axes it has.
    rank: usize,
    /// Their lengths, if the type tells.
    fixed: Option<Vec<Dim>>,
}

/// What a type is by its name: `Array2`, `Vector3`, `Matrix2x3`; `SMatrix` by its arguments, or by the type that is wanted.
fn known(ty: &syn::PathSegment, wanted: Option<&syn::Type>, floats: &Floats) -> Option<Known> {
    let name = ty.ident.to_string();
    // A matrix of one row is made of a column.
    let name = name.strip_prefix("Row").unwrap_or(&name);
    let plain = |linear, rank| Some(Known { linear, rank, fixed: None });
    match name {
        "Array1" => return plain(false, 1),
        "Array2" => return plain(false, 2),
        "DVector" => return plain(true, 1),
        "DMatrix" => return plain(true, 2),
        _ => {}
    }
    let (ident, arguments) = (syn::Ident::new(name, ty.ident.span()), &ty.arguments);
    let told: syn::Type = match arguments {
        syn::PathArguments::AngleBracketed(arguments) => {
            let arguments = &arguments.args;
            syn::parse2(quote::quote!(#ident<#arguments>)).ok()?
        }
        _ if name.starts_with(['S', 'O']) => {
            let syn::Type::Path(wanted) = wanted? else { return None };
            if wanted.path.segments.last()?.ident != ident {
                return None;
            }
            syn::Type::Path(wanted.clone())
        }
        // A path may begin with `self`.
        _ => syn::parse2(quote::quote!(#ident<f64>)).ok()?,
    };
    let told = super::types::foreign(&told, floats)?;
    let is_told = told.dims.iter().all(|d| matches!(d, Dim::Fixed(n) if &**n != "_"));
    (told.layout == Layout::Nalgebra && is_told).then_some(Known {
        linear: true,
        rank: told.dims.len(),
        fixed: Some(told.dims),
    })
}

/// Whether a name is of a type of these libraries.
pub(in super::super) fn is_array_type(name: &str) -> bool {
    let segment = syn::Ident::new(name, proc_macro2::Span::call_site()).into();
    known(&segment, None, &<Floats as Default>::default()).is_some()
        || ["Array", "SVector", "SMatrix", "OVector", "OMatrix", "Rotation2", "Rotation3"].contains(&name)
}

impl Lower<'_> {
    /// A constructor; `None` if the path is none.
    pub(in super::super) fn make_array(&mut self, path: &syn::Path, c: &syn::ExprCall) -> Option<Val> {
        let list: Vec<String> = path.segments.iter().map(|s| s.ident.to_string()).collect();
        let [.., ty, name] = list.as_slice() else { return None };
        if ty == "Zip" && name == "from" && c.args.len() == 1 {
            return self.zipped(&c.args[0]).map(Val::Iter);
        }
        if ty.starts_with("Rotation") {
            return self.rotation(ty, name, &c.args.iter().collect::<Vec<_>>());
        }
        // A view of numbers that are somewhere else, which is read.
        if let ("ArrayView1", "from", Some(list), 1) =
            (ty.as_str(), name.as_str(), c.args.first(), c.args.len())
            && let Val::View(view) = self.expr(list).0
            && self.rank(&view) == 1
        {
            let view = self.copy_of(&view, "view");
            self.s.arrays.insert(view.buffer);
            return Some(Val::View(view));
        }
        let segment = &path.segments[path.segments.len() - 2];
        let Known { linear, rank, fixed } = known(segment, self.expected.as_ref(), &self.sig.floats)?;
        let args: Vec<&syn::Expr> = c.args.iter().collect();
        if ty.starts_with("Row") {
            let path: syn::Path = {
                let column = syn::Ident::new(ty.trim_start_matches("Row"), c.func.span());
                let name = syn::Ident::new(name, c.func.span());
                syn::parse_quote!(#column::#name)
            };
            return match self.make_array(&path, c)? {
                Val::View(view) => {
                    let dims = vec![Dim::Fixed("1".into()), fixed?.pop()?];
                    let elem = self.elem(&view);
                    Some(Val::View(self.build("row", dims, &elem, true, &mut |this, index| {
                        this.at_index(&view, &[index[1]])
                    })))
                }
                other => Some(other),
            };
        }
        let dims_of = |this: &mut Self, e: Option<&&syn::Expr>| -> Option<Vec<Dim>> {
            if let Some(dims) = &fixed {
                return Some(dims.clone());
            }
            let dims = this.shape_of(e?)?;
            (dims.len() == rank).then_some(dims)
        };
        let float = Type::Float(FloatKind::Infer);
        let view = match (name.as_str(), args.as_slice()) {
            ("zeros" | "ones", list) => {
                let dims = match (&fixed, linear, rank, list) {
                    // `DMatrix::zeros(n, m)`
                    (None, true, 2, [n, m]) => {
                        let mut dims = Vec::new();
                        for e in [n, m] {
                            let val = self.expr(e).0;
                            dims.push(Dim::Dyn(self.scalar(val, e.span())?));
                        }
                        dims
                    }
                    _ => dims_of(self, list.first())?,
                };
                let value = f64::from(u8::from(name == "ones"));
                let fill = self.s.b.float(value, float);
                self.filled(dims, fill)
            }
            ("from_elem" | "repeat" | "from_element", list) => {
                let (shape, value) = match list {
                    [value] if fixed.is_some() => (None, value),
                    [shape, value] => (Some(shape), value),
                    _ => return None,
                };
                let dims = dims_of(self, shape)?;
                let value = self.expr(value).0;
                let value = self.scalar(value, c.span())?;
                self.filled(dims, value)
            }
            ("from_shape_fn" | "from_fn", list) => {
                // `from_shape_fn((n, m), |(i, j)| ..)`, `from_fn(n, m, |i, j| ..)`
                let (f, shape) = list.split_last()?;
                let dims = match (shape, &fixed) {
                    ([], Some(_)) => dims_of(self, None)?,
                    ([shape], _) => self.shape_of(shape)?,
                    (shape, _) => {
                        let mut dims = Vec::new();
                        for e in shape {
                            let val = self.expr(e).0;
                            dims.push(Dim::Dyn(self.scalar(val, e.span())?));
                        }
                        // A vector of `nalgebra` has one column, which is not said.
                        dims
                    }
                };
                if dims.len() != rank {
                    return None;
                }
                let f = self.callee(f)?;
                let together = name == "from_shape_fn";
                let elem = Type::Float(self.sig.floats.default());
                let span = c.span();
                self.build("array", dims, &elem, linear, &mut |this, index| {
                    let mut at: Vec<Val> = index.iter().map(|i| Val::Scalar(*i)).collect();
                    for i in index {
                        this.s.ints.insert(*i, "usize".into());
                    }
                    if together && at.len() > 1 {
                        at = vec![Val::Tuple(at)];
                    }
                    if !together && at.len() == 1 {
                        at.push(Val::Scalar(this.s.b.int("0_usize")));
                    }
                    let val = this.apply(&f, at);
                    let val = this.deref(val);
                    match this.scalar(val, span) {
                        Some(v) => v,
                        None => this.s.b.float(0.0, elem.clone()),
                    }
                })
            }
            ("from_iter", [list]) if rank == 1 => {
                let it = self.iterator(list)?;
                match self.collect_vec(&it, "array", c.span()) {
                    Val::View(view) => view,
                    _ => return Some(Val::Never),
                }
            }
            ("identity" | "eye", list) => {
                let dims = match (&fixed, list.first()) {
                    (Some(dims), _) if dims[0] == dims[rank - 1] => dims.clone(),
                    (Some(_), _) => return None,
                    (None, Some(n)) => {
                        let val = self.expr(n).0;
                        let n = self.scalar(val, c.span())?;
                        vec![Dim::Dyn(n), Dim::Dyn(n)]
                    }
                    _ => return None,
                };
                let zero = self.s.b.float(0.0, float.clone());
                let view = self.filled(dims, zero);
                let (n, lo) = (self.len(&view), self.s.b.int("0"));
                let spec = crate::frontend::loops::RangeSpec::new(lo, n, false);
                self.range_loop(&spec, &mut |this, i| {
                    let one = this.s.b.float(1.0, float.clone());
                    this.store(view.buffer, vec![i, i], one, StoreMode::Set);
                    crate::frontend::lower::Flow::Falls
                });
                view
            }
            ("from_diagonal_element", [x]) if linear && rank == 2 => {
                let dims = fixed.clone().filter(|dims| dims[0] == dims[1])?;
                let x = self.number(x)?;
                let zero = self.s.b.float(0.0, float.clone());
                let view = self.filled(dims, zero);
                let (n, lo) = (self.len(&view), self.s.b.int("0"));
                let spec = crate::frontend::loops::RangeSpec::new(lo, n, false);
                self.range_loop(&spec, &mut |this, i| {
                    this.store(view.buffer, vec![i, i], x, StoreMode::Set);
                    crate::frontend::lower::Flow::Falls
                });
                view
            }
            ("from_diagonal", [diagonal]) if linear && rank == 2 => {
                let Val::View(diagonal) = self.expr(diagonal).0 else { return None };
                let dim = self.axis(&diagonal, 0);
                let elem = self.elem(&diagonal);
                let zero = self.s.b.float(0.0, elem);
                let view = self.filled(vec![dim.clone(), dim], zero);
                let (n, lo) = (self.len(&view), self.s.b.int("0"));
                let spec = crate::frontend::loops::RangeSpec::new(lo, n, false);
                self.range_loop(&spec, &mut |this, i| {
                    let v = this.at_index(&diagonal, &[i]);
                    this.store(view.buffer, vec![i, i], v, StoreMode::Set);
                    crate::frontend::lower::Flow::Falls
                });
                view
            }
            // In the order of columns, as `nalgebra` keeps them.
            ("from_iterator" | "from_iter", [it]) => {
                let it = self.iterator(it)?;
                let Val::View(all) = self.collect_vec(&it, "array", c.span()) else { return None };
                match &fixed {
                    None if rank == 1 => all,
                    None => return None,
                    Some(dims) => {
                        let Dim::Fixed(n) = &dims[0] else { return None };
                        let (elem, n) = (self.elem(&all), self.s.b.int(n));
                        self.build("array", dims.clone(), &elem, linear, &mut |this, index| {
                            let at = match index {
                                [i, j] => {
                                    let before = this.op(crate::ir::Op::Mul, &[*j, n]);
                                    this.op(crate::ir::Op::Add, &[before, *i])
                                }
                                index => index[0],
                            };
                            this.at_index(&all, &[at])
                        })
                    }
                }
            }
            ("new", list) if fixed.is_some() => {
                let mut values = Vec::new();
                for e in list {
                    let val = self.expr(e).0;
                    let val = self.deref(val);
                    values.push(self.scalar(val, e.span())?);
                }
                let dims = fixed?;
                let lengths: Option<Vec<usize>> = dims
                    .iter()
                    .map(|d| match d {
                        Dim::Fixed(n) => n.parse().ok(),
                        _ => None,
                    })
                    .collect();
                let lengths = lengths?;
                if values.len() != lengths.iter().product::<usize>() {
                    return None;
                }
                self.listed(&values, dims, lengths[rank - 1])
            }
            ("from_vec" | "from" | "from_row_slice" | "from_column_slice", [list]) if rank == 1 => {
                match self.expr(list).0 {
                    Val::View(view) => match &fixed {
                        None if name == "from_vec" || name == "from" => view,
                        None => self.copy_of(&view, "array"),
                        Some(dims) => {
                            let elem = self.elem(&view);
                            self.build("array", dims.clone(), &elem, linear, &mut |this, i| {
                                this.at_index(&view, i)
                            })
                        }
                    },
                    Val::Never => return Some(Val::Never),
                    _ => return None,
                }
            }
            _ => return None,
        };
        if linear {
            self.s.linear.insert(view.buffer, 0);
        } else {
            self.s.arrays.insert(view.buffer);
        }
        Some(Val::View(view))
    }

    /// `Zip::from(&mut a)`, `.and(&b)`: arrays of one axis, element by element.
    pub(in super::super) fn zipped(
        &mut self,
        e: &syn::Expr,
    ) -> Option<std::rc::Rc<crate::frontend::iterators::Iter>> {
        use crate::frontend::iterators::Iter;
        let it = self.iterator(e)?;
        // All elements of a matrix, not its rows.
        if let Iter::Elements { view, mutable } = &*it
            && self.rank(view) == 2
        {
            return Some(std::rc::Rc::new(Iter::Grid {
                view: view.clone(),
                mutable: *mutable,
                shaped: true,
            }));
        }
        Some(it)
    }

    /// `Zip::from(&a).and(&b).map_collect(|x, y| ..)`
    pub(in super::super) fn zip_collected(
        &mut self,
        it: &crate::frontend::iterators::Iter,
        f: &crate::frontend::iterators::Callee,
        span: proc_macro2::Span,
    ) -> Val {
        use crate::frontend::iterators::consume::{arity, spread};
        let shape = match it.grid() {
            Some(view) => {
                let view = view.clone();
                self.axes(&view)
            }
            None if it.indexed() && !it.endless() => vec![Dim::Dyn(self.length(it))],
            None => {
                self.error(span, "this is no `Zip` of arrays", "collect into a vector");
                return Val::Never;
            }
        };
        let elem = Type::Float(self.sig.floats.default());
        let (it, n, flat) = (it.clone(), arity(f), shape.len() == 1);
        let columns = if flat { None } else { it.grid().cloned() };
        Val::View(self.build("array", shape, &elem, false, &mut |this, index| {
            let k = match &columns {
                Some(view) => {
                    let m = this.extent(view, 1);
                    let start = this.op(crate::ir::Op::Mul, &[index[0], m]);
                    this.plus(start, index[1])
                }
                None => index[0],
            };
            let mut args = vec![this.item(&it, k)];
            spread(&mut args, n);
            let val = this.apply(f, args);
            let val = this.deref(val);
            match this.scalar(val, span) {
                Some(v) => v,
                None => this.s.b.float(0.0, elem.clone()),
            }
        }))
    }

    pub(in super::super) fn is_ndarray(&self, array: &super::types::Foreign) -> bool {
        array.layout == crate::ir::Layout::Ndarray
    }

    /// The elements of an array of other code, in a buffer.
    pub(in super::super) fn array_of_data(&mut self, v: Value, array: &super::types::Foreign) -> View {
        let hole = |k: usize| syn::Ident::new(&crate::ir::Verbatim::hole(k), proc_macro2::Span::call_site());
        let rank = array.dims.len();
        let (x, elem) = (hole(0), Type::Float(array.elem.clone()));
        let linear = array.layout == Layout::Nalgebra;
        let mut dims = Vec::new();
        for (axis, known) in array.dims.iter().enumerate() {
            if let Dim::Fixed(_) = known {
                dims.push(known.clone());
                continue;
            }
            let length = match (linear, axis) {
                (false, _) => quote::quote!(#x.shape()[#axis]),
                (true, 0) => quote::quote!(#x.nrows()),
                (true, _) => quote::quote!(#x.ncols()),
            };
            let len = self.pass(length, &[v], Type::Int);
            self.s.ints.insert(len, "usize".into());
            dims.push(Dim::Dyn(len));
        }
        self.build("data", dims, &elem.clone(), linear, &mut |this, index| {
            let at: Vec<syn::Ident> = (1..=rank).map(hole).collect();
            let args: Vec<Value> = std::iter::once(v).chain(index.iter().copied()).collect();
            // Only arrays of the libraries have it, whatever is called so.
            let element = quote::quote!(::ad_runtime::__private::ElementAt::<#rank>::at(&#x, [#(#at),*]));
            this.pass(element, &args, elem.clone())
        })
    }

    /// `vector![a, b]`, `matrix![a, b; c, d]`, `dvector![..]` of `nalgebra`; `None` if it is another macro.
    pub(in super::super) fn array_macro(&mut self, mac: &syn::Macro) -> Option<Val> {
        let name = mac.path.segments.last()?.ident.to_string();
        let fixed = match name.as_str() {
            "vector" | "matrix" => true,
            "dvector" => false,
            _ => return None,
        };
        let rows = mac.parse_body_with(Rows::parse).ok()?.0;
        let (n, m) = (rows.len(), rows.first().map_or(0, Vec::len));
        let is_vector = name != "matrix";
        if m == 0 || is_vector && n != 1 || rows.iter().any(|row| row.len() != m) {
            return None;
        }
        let mut values = Vec::new();
        for e in rows.iter().flatten() {
            let val = self.expr(e).0;
            let val = self.deref(val);
            values.push(self.scalar(val, e.span())?);
        }
        let dim = |this: &mut Self, n: usize| {
            if fixed { Dim::Fixed(n.to_string().into()) } else { Dim::Dyn(this.s.b.int(&n.to_string())) }
        };
        // A column is a vector.
        let dims = match (is_vector, m) {
            (true, _) => vec![dim(self, m)],
            (false, 1) => vec![dim(self, n)],
            _ => vec![dim(self, n), dim(self, m)],
        };
        let zero = self.s.b.float(0.0, Type::Float(FloatKind::Infer));
        let rank = dims.len();
        let view = self.filled(dims, zero);
        self.s.linear.insert(view.buffer, 0);
        for (at, v) in values.into_iter().enumerate() {
            let index = if rank == 1 { vec![at] } else { vec![at / m, at % m] };
            let index = index.into_iter().map(|k| self.s.b.int(&k.to_string())).collect();
            self.store(view.buffer, index, v, StoreMode::Set);
        }
        Some(Val::View(view))
    }

    fn filled(&mut self, dims: Vec<Dim>, fill: Value) -> View {
        self.declare_buffer("array", dims, fill)
    }

    /// Of numbers in the order of rows, which are of this length.
    fn listed(&mut self, values: &[Value], dims: Vec<Dim>, n: usize) -> View {
        let zero = self.s.b.float(0.0, Type::Float(FloatKind::Infer));
        let rank = dims.len();
        let view = self.filled(dims, zero);
        for (at, v) in values.iter().enumerate() {
            let index = if rank == 1 { vec![at] } else { vec![at / n, at % n] };
            let index = index.into_iter().map(|k| self.s.b.int(&k.to_string())).collect();
            self.store(view.buffer, index, *v, StoreMode::Set);
        }
        view
    }
}

/// `a, b; c, d`
struct Rows(Vec<Vec<syn::Expr>>);

impl Rows {
    fn parse(input: syn::parse::ParseStream<'_>) -> syn::Result<Rows> {
        let mut rows = vec![Vec::new()];
        while !input.is_empty() {
            let last = rows.len() - 1;
            rows[last].push(input.parse()?);
            if input.peek(syn::Token![;]) {
                input.parse::<syn::Token![;]>()?;
                rows.push(Vec::new());
            } else if !input.is_empty() {
                input.parse::<syn::Token![,]>()?;
            }
        }
        rows.retain(|row| !row.is_empty());
        Ok(Rows(rows))
    }
}
