//! Methods of arrays and matrices, and `v.x`.

use std::rc::Rc;

use syn::spanned::Spanned;

use crate::frontend::iterators::{Callee, Iter};
use crate::frontend::lower::Lower;
use crate::frontend::place::Place;
use crate::frontend::value::{Val, View};
use crate::ir::{Dim, Op, StoreMode, Value};

impl Lower<'_> {
    /// A method of an array; `None` if there is none of this name.
    pub(in super::super) fn array_method(
        &mut self,
        view: &View,
        name: &str,
        e: &syn::ExprMethodCall,
    ) -> Option<Val> {
        if let Some(val) = self.axis_method(view, name, e) {
            return Some(val);
        }
        let args: Vec<&syn::Expr> = e.args.iter().collect();
        let rank = self.rank(view);
        let val = match (name, args.as_slice()) {
            ("dot", [b]) => {
                let b = self.argument_like(view, b)?;
                // `nalgebra`'s is the inner product, whatever the shapes.
                if self.is_linear(view) {
                    let (a, b) = (self.row_itself(view), self.row_itself(&b));
                    self.check_shapes(&a, &b);
                    self.inner_product(&a, &b)
                } else {
                    self.matrix_product(view, &b, e.span())
                }
            }
            ("sum", []) => Val::Scalar(self.total(view, &mut |_, v| v)),
            ("product", []) => return None,
            ("mean", []) => {
                let sum = self.total(view, &mut |_, v| v);
                let mean = self.over_count(view, sum);
                if self.is_linear(view) {
                    Val::Scalar(mean)
                } else {
                    let yes = self.s.b.boolean(true);
                    Val::Maybe(vec![Val::Scalar(yes), Val::Scalar(mean), Val::Unset])
                }
            }
            ("norm", []) => Val::Scalar(self.norm(view)),
            ("norm_squared", []) => Val::Scalar(self.norm_squared(view)),
            ("normalize", []) => {
                let norm = self.norm(view);
                self.mapped(view, &mut |this, v| this.op(Op::Div, &[v, norm]))
            }
            ("determinant", []) if rank == 2 => self.determinant(view),
            ("trace", []) => {
                let n = self.len(view);
                let view = view.clone();
                if rank == 1 {
                    // A row times a column.
                    let zero = self.s.b.int("0");
                    return Some(Val::Scalar(self.at_index(&view, &[zero])));
                }
                Val::Scalar(self.sum_of(n, &mut |this, k| this.at_index(&view, &[k, k])))
            }
            ("diag" | "diagonal", []) if rank == 2 => {
                let (dim, elem, linear) = (self.axis(view, 0), self.elem(view), self.is_linear(view));
                let view = view.clone();
                Val::View(self.build("diagonal", vec![dim], &elem, linear, &mut |this, i| {
                    this.at_index(&view, &[i[0], i[0]])
                }))
            }
            ("cholesky", []) if rank == 2 && self.is_linear(view) => self.cholesky(view),
            ("cross", [b]) => {
                let b = self.argument_like(view, b)?;
                self.cross(view, &b)
            }
            // The transpose of a vector is a row: a matrix of one.
            ("transpose", []) if rank == 1 && self.is_linear(view) => {
                let dims = vec![Dim::Fixed("1".into()), self.axis(view, 0)];
                let (elem, view) = (self.elem(view), view.clone());
                Val::View(
                    self.build("row", dims, &elem, true, &mut |this, index| {
                        this.at_index(&view, &[index[1]])
                    }),
                )
            }
            ("reversed_axes", []) if rank == 2 && self.is_window(view) => {
                Val::View(self.transposed_window(view, e.method.span()))
            }
            ("t" | "transpose" | "reversed_axes", []) => self.transposed(view),
            ("len", []) if rank == 2 && !self.is_plain(view) => {
                let (n, m) = (self.extent(view, 0), self.extent(view, 1));
                Val::Scalar(self.op(Op::Mul, &[n, m]))
            }
            ("lu", []) if rank == 2 && self.is_linear(view) => self.lu(view),
            ("try_inverse", []) if rank == 2 && self.is_linear(view) => {
                let factors = self.lu(view);
                return self.lu_method(&factors, e);
            }
            _ if let Some(part) = self.part_of_matrix(view, e) => part,
            _ if let Some(val) = self.geometry(view, e) => val,
            ("row_mut", [k]) if rank == 2 && self.is_linear(view) => {
                let k = self.number(k)?;
                Val::View(self.row_window(view, k, e.method.span()))
            }
            ("row_iter", _) if self.is_linear(view) => {
                self.error(
                    e.method.span(),
                    "rows of `nalgebra`'s matrices are not supported",
                    "index the matrix: `m[(i, j)]`, or take columns of its transpose",
                );
                Val::Never
            }
            ("component_mul" | "component_div", [b]) => {
                let b = self.argument_like(view, b)?;
                let op = if name == "component_mul" { Op::Mul } else { Op::Div };
                let (dims, elem, view) = (self.axes(view), self.elem(view), view.clone());
                Val::View(self.build("array", dims, &elem, true, &mut |this, index| {
                    let (x, y) = (this.at_index(&view, index), this.at_index(&b, index));
                    this.op(op.clone(), &[x, y])
                }))
            }
            ("mapv" | "map" | "mapv_into", [f]) if !self.is_plain(view) || name != "map" => {
                let f = self.callee(f)?;
                self.map_array(view, &f)
            }
            ("mapv_inplace" | "map_inplace" | "apply", [f]) => {
                let f = self.callee(f)?;
                let view = view.clone();
                self.over(&view.clone(), &mut |this, index| {
                    let place = this.absolute(&view, index);
                    let by_value = name == "mapv_inplace";
                    let arg = if by_value {
                        Val::Scalar(this.load(view.buffer, place.clone()))
                    } else {
                        Val::View(View {
                            buffer: view.buffer,
                            prefix: place.clone(),
                            range: None,
                            by_ref: true,
                            lent: false,
                        })
                    };
                    let val = this.apply(&f, vec![arg]);
                    if by_value && let Some(v) = this.scalar(val, e.span()) {
                        this.store(view.buffer, place, v, StoreMode::Set);
                    }
                });
                Val::unit()
            }
            ("scaled_add", [c, b]) => {
                let c = self.expr(c).0;
                let c = self.scalar(c, e.span())?;
                let b = self.argument_like(view, b)?;
                if self.rank(&b) != rank {
                    self.error(e.span(), "these arrays differ in their axes", "loop over the rows");
                    return Some(Val::Never);
                }
                self.check_shapes(view, &b);
                let view = view.clone();
                self.over(&view.clone(), &mut |this, index| {
                    let v = this.at_index(&b, index);
                    let v = this.op(Op::Mul, &[c, v]);
                    let place = this.absolute(&view, index);
                    this.store(view.buffer, place, v, StoreMode::Add);
                });
                Val::unit()
            }
            ("sum_axis" | "mean_axis", [axis]) if rank == 2 => {
                let axis = self.axis_of(axis).filter(|axis| *axis < 2)?;
                let kept = 1 - axis;
                let (dim, n, elem) = (self.axis(view, kept), self.extent(view, axis), self.elem(view));
                let view = view.clone();
                let sums = self.build("sums", vec![dim], &elem, false, &mut |this, index| {
                    let sum = this.sum_of(n, &mut |this, k| {
                        let at = if axis == 0 { [k, index[0]] } else { [index[0], k] };
                        this.at_index(&view, &at)
                    });
                    if name == "mean_axis" { this.divided(sum, n) } else { sum }
                });
                if name == "mean_axis" {
                    let yes = self.s.b.boolean(true);
                    Val::Maybe(vec![Val::Scalar(yes), Val::View(sums), Val::Unset])
                } else {
                    Val::View(sums)
                }
            }
            ("row", [i]) if rank == 2 => {
                let i = self.expr(i).0;
                let i = self.scalar(i, e.span())?;
                self.element(view, i, false)
            }
            ("column", [j]) if rank == 2 => {
                let j = self.expr(j).0;
                let j = self.scalar(j, e.span())?;
                self.column(view, j)
            }
            ("rows" | "outer_iter" | "row_iter", []) if rank == 2 => {
                Val::Iter(Rc::new(Iter::Elements { view: view.clone(), mutable: false }))
            }
            ("axis_iter", [axis]) if axis_number(axis) == Some(0) => {
                Val::Iter(Rc::new(Iter::Elements { view: view.clone(), mutable: false }))
            }
            ("nrows", []) => Val::Scalar(self.extent(view, 0)),
            ("ncols", []) if rank == 2 => Val::Scalar(self.extent(view, 1)),
            ("ncols", []) => Val::Scalar(self.s.b.int("1")),
            ("len_of", [axis]) => {
                let axis = self.axis_of(axis).filter(|axis| *axis < rank)?;
                Val::Scalar(self.extent(view, axis))
            }
            ("shape", []) => {
                let list: Vec<Val> = (0..rank).map(|k| Val::Scalar(self.extent(view, k))).collect();
                let numbers =
                    list.iter().filter_map(|v| if let Val::Scalar(v) = v { Some(*v) } else { None });
                let numbers: Vec<Value> = numbers.collect();
                self.lengths(&numbers)
            }
            ("dim" | "raw_dim", []) if rank == 1 => Val::Scalar(self.extent(view, 0)),
            ("dim" | "raw_dim", []) => {
                Val::Tuple((0..rank).map(|k| Val::Scalar(self.extent(view, k))).collect())
            }
            ("view_mut", []) if !self.is_plain(view) => Val::View(self.whole_window(view, e.method.span())),
            ("view" | "view_mut" | "as_view", []) => Val::View(View { by_ref: true, ..view.clone() }),
            ("slice" | "slice_mut" | "slice_move", [s]) => {
                // What takes a view that may be changed gives one.
                let changes = name == "slice_mut" || name == "slice_move" && self.is_window(view);
                self.sliced(view, s, changes)?
            }
            ("column_mut", [j]) if rank == 2 => {
                let j = self.number(j)?;
                self.lane_window(view, 1, j, e.method.span())
            }
            ("assign" | "copy_from", [b]) => {
                let b = self.argument_like(view, b)?;
                self.assign_array(view, &b, e.span());
                Val::unit()
            }
            ("indexed_iter", []) if !self.is_plain(view) => {
                let it = Rc::new(Iter::Elements { view: view.clone(), mutable: false });
                Val::Iter(Rc::new(if rank == 1 { Iter::Enumerate(it) } else { Iter::Indexed(view.clone()) }))
            }
            ("column_iter", []) if rank == 2 => {
                let Val::View(columns) = self.transposed(view) else { return Some(Val::Never) };
                Val::Iter(Rc::new(Iter::Elements { view: columns, mutable: false }))
            }
            // By columns.
            ("iter", []) if rank == 2 && self.is_linear(view) => {
                let Val::View(columns) = self.transposed(view) else { return Some(Val::Never) };
                Val::Iter(Rc::new(Iter::Flatten(Rc::new(Iter::Elements { view: columns, mutable: false }))))
            }
            ("into_iter", []) if rank == 2 && !self.is_plain(view) => {
                Val::Iter(self.iterate(Val::View(view.clone()), false, e.span())?)
            }
            ("column_iter_mut", []) if rank == 2 && self.is_linear(view) => {
                let view = self.transposed_window(view, e.method.span());
                Val::Iter(Rc::new(Iter::Elements { view, mutable: true }))
            }
            ("iter_mut", []) if rank == 2 && self.is_linear(view) => {
                let view = self.transposed_window(view, e.method.span());
                Val::Iter(Rc::new(self.all_elements(&view, true)))
            }
            ("iter" | "iter_mut", []) if rank == 2 && !self.is_plain(view) => {
                Val::Iter(Rc::new(self.all_elements(view, name == "iter_mut")))
            }
            _ => return None,
        };
        Some(val)
    }

    /// A matrix of one row as a vector.
    pub(in super::super) fn row_itself(&mut self, view: &View) -> View {
        if !self.is_row(view) {
            return view.clone();
        }
        let zero = self.s.b.int("0");
        match self.index(view, zero) {
            Place::Part(row) => row,
            _ => view.clone(),
        }
    }

    /// Whether a view is a matrix of `nalgebra` of one row.
    pub(in super::super) fn is_row(&self, view: &View) -> bool {
        self.is_linear(view)
            && self.rank(view) == 2
            && view.range.is_none()
            && matches!(&self.s.b.func.buffer(view.buffer).dims[view.prefix.len()], Dim::Fixed(n) if **n == *"1")
    }

    /// Whether a view is a slice, array or vector of the language itself, as far as is known.
    pub(in super::super) fn is_plain(&self, view: &View) -> bool {
        !self.is_linear(view)
            && self.s.b.func.buffer(view.buffer).layout == crate::ir::Layout::Nested
            && !self.s.arrays.contains(&view.buffer)
    }

    pub(super) fn array_argument(&mut self, e: &syn::Expr) -> Option<View> {
        match self.expr(e).0 {
            Val::View(view) => Some(view),
            Val::Never => None,
            _ => {
                self.error(e.span(), "an array is wanted here", "pass an array that the macro follows");
                None
            }
        }
    }

    /// As [`Lower::array_argument`], of the shape of another: one of other code too.
    fn argument_like(&mut self, like: &View, e: &syn::Expr) -> Option<View> {
        match self.expr(e).0 {
            Val::Scalar(v) if self.is_data_like(like, v) => Some(self.data_like(like, v)),
            Val::View(view) => Some(view),
            Val::Never => None,
            _ => {
                self.error(e.span(), "an array is wanted here", "pass an array that the macro follows");
                None
            }
        }
    }

    /// Whether a value can be an array of other code, of the shape of this one.
    pub(super) fn is_data_like(&self, like: &View, v: Value) -> bool {
        *self.s.b.func.ty(v) == crate::ir::Type::Opaque
            && !self.is_tainted(v)
            && (self.is_linear(like) || self.rank(like) == 1)
    }

    /// An array of other code, of the shape of this one.
    pub(super) fn data_like(&mut self, like: &View, v: Value) -> View {
        let hole = |k: usize| syn::Ident::new(&crate::ir::Verbatim::hole(k), proc_macro2::Span::call_site());
        let (array, i, j) = (hole(0), hole(1), hole(2));
        if self.rank(like) == 1 {
            let len = self.pass(quote::quote!(#array.len()), &[v], crate::ir::Type::Int);
            let wanted = self.len(like);
            self.check_lengths(wanted, len);
        }
        let (dims, elem, linear) = (self.axes(like), self.elem(like), self.is_linear(like));
        self.build("data", dims, &elem, linear, &mut |this, index| {
            let args: Vec<Value> = std::iter::once(v).chain(index.iter().copied()).collect();
            let tokens = match index.len() {
                1 => quote::quote!(#array[#i]),
                _ => quote::quote!(#array[(#i, #j)]),
            };
            this.pass(tokens, &args, elem.clone())
        })
    }

    fn map_array(&mut self, view: &View, f: &Callee) -> Val {
        let span = self.here;
        self.mapped(view, &mut |this, v| {
            let val = this.apply(f, vec![Val::Scalar(v)]);
            let val = this.deref(val);
            this.scalar(val, span).unwrap_or(v)
        })
    }

    pub(super) fn over_count(&mut self, view: &View, sum: Value) -> Value {
        let mut n = self.extent(view, 0);
        if self.rank(view) == 2 {
            let m = self.extent(view, 1);
            n = self.op(Op::Mul, &[n, m]);
        }
        self.divided(sum, n)
    }

    /// A float by a count.
    fn divided(&mut self, sum: Value, n: Value) -> Value {
        let n = self.as_float(n, sum);
        self.op(Op::Div, &[sum, n])
    }

    /// A count as a float like another.
    pub(super) fn as_float(&mut self, n: Value, like: Value) -> Value {
        let kind = self.s.b.func.ty(like).clone();
        let name = match &kind {
            crate::ir::Type::Float(crate::ir::FloatKind::F32) => "f32".into(),
            crate::ir::Type::Float(crate::ir::FloatKind::Param(name)) => name.clone(),
            _ => "f64".into(),
        };
        self.s.b.op_typed(Op::Cast(name), &[n], kind)
    }

    pub(super) fn column(&mut self, view: &View, j: Value) -> Val {
        let (dim, elem, linear) = (self.axis(view, 0), self.elem(view), self.is_linear(view));
        let view = view.clone();
        Val::View(
            self.build("column", vec![dim], &elem, linear, &mut |this, i| this.at_index(&view, &[i[0], j])),
        )
    }

    /// The lengths in `a.shape()`, to be indexed.
    fn lengths(&mut self, list: &[Value]) -> Val {
        let dims = vec![crate::ir::Dim::Fixed(list.len().to_string().into())];
        let view = self.new_vector("shape", dims, crate::ir::Type::Int);
        for (k, v) in list.iter().enumerate() {
            let index = self.s.b.int(&k.to_string());
            self.store(view.buffer, vec![index], *v, StoreMode::Set);
        }
        Val::View(view)
    }

    /// The determinant of a matrix of two to four rows.
    fn determinant(&mut self, view: &View) -> Val {
        let n = match &self.s.b.func.buffer(view.buffer).dims[view.prefix.len()] {
            crate::ir::Dim::Fixed(n) => n.parse::<usize>().unwrap_or(0),
            _ => 0,
        };
        if !(2..=4).contains(&n) {
            return self.determinant_by_lu(view);
        }
        let k: Vec<Value> = (0..n).map(|k| self.s.b.int(&k.to_string())).collect();
        Val::Scalar(self.minor(view, &k, 0, &(0..n).collect::<Vec<_>>()))
    }

    /// The determinant of the rows from one on, in these columns: along the first of them.
    fn minor(&mut self, view: &View, k: &[Value], row: usize, columns: &[usize]) -> Value {
        if let [p, q] = columns {
            let [a, b] = [(row, *p), (row + 1, *q)].map(|(i, j)| self.at_index(view, &[k[i], k[j]]));
            let [c, d] = [(row, *q), (row + 1, *p)].map(|(i, j)| self.at_index(view, &[k[i], k[j]]));
            let (x, y) = (self.op(Op::Mul, &[a, b]), self.op(Op::Mul, &[c, d]));
            return self.op(Op::Sub, &[x, y]);
        }
        let minors: Vec<Value> = columns
            .iter()
            .map(|j| {
                let others: Vec<usize> = columns.iter().copied().filter(|c| c != j).collect();
                self.minor(view, k, row + 1, &others)
            })
            .collect();
        let mut sum = None;
        for (at, (j, minor)) in columns.iter().zip(minors).enumerate() {
            let a = self.at_index(view, &[k[row], k[*j]]);
            let term = self.op(Op::Mul, &[a, minor]);
            sum = Some(match sum {
                None => term,
                Some(sum) => self.op(if at % 2 == 0 { Op::Add } else { Op::Sub }, &[sum, term]),
            });
        }
        sum.unwrap_or(k[0])
    }

    /// `v.x`
    pub(in super::super) fn component(&mut self, view: &View, member: &syn::Member) -> Option<Value> {
        let syn::Member::Named(name) = member else { return None };
        let k = match name.to_string().as_str() {
            "x" => "0",
            "y" => "1",
            "z" => "2",
            "w" => "3",
            _ => return None,
        };
        (self.is_linear(view) && self.rank(view) == 1).then(|| self.s.b.int(k))
    }
}

/// The number in `Axis(1)`.
pub(super) fn axis_number(e: &syn::Expr) -> Option<usize> {
    let syn::Expr::Call(c) = e else { return None };
    match c.args.first()? {
        syn::Expr::Lit(syn::ExprLit { lit: syn::Lit::Int(i), .. }) => i.base10_parse().ok(),
        _ => None,
    }
}
