//! Iterators as loops: how long one is, its n-th item, and a body run for each of its items.

use std::rc::Rc;

use proc_macro2::Span;
use quote::quote;

use super::super::exits::Contents;
use super::super::loops::RangeSpec;
use super::super::lower::{Flow, Lower, VarId};
use super::super::value::{Val, View};
use super::{Callee, Iter};
use crate::ir::{Binary, Cmp, Op, Type, Value, Verbatim};

/// What is done with an item.
pub(crate) type Round<'r, 'a> = dyn FnMut(&mut Lower<'a>, Val) -> Flow + 'r;

impl<'a> Lower<'a> {
    // ---------------------------------------------------------------------------------------- indices

    /// A literal that must be a `usize` where nothing around it says so.
    fn sized(&mut self, v: Value) -> Value {
        match self.s.b.constant(v) {
            Some(Op::Int(text)) if text.bytes().all(|c| c.is_ascii_digit()) => {
                self.s.b.int(&format!("{text}_usize"))
            }
            _ => v,
        }
    }

    /// The number of an integer literal.
    pub(in super::super) fn literal_int(&self, v: Value) -> Option<i64> {
        match self.s.b.constant(v) {
            Some(Op::Int(text)) => {
                let digits: String =
                    text.chars().take_while(|c| c.is_ascii_digit() || *c == '-' || *c == '_').collect();
                digits.replace('_', "").parse().ok()
            }
            _ => None,
        }
    }

    /// A `usize` computed by a method or function of std, named by its tokens.
    fn count_by(&mut self, tokens: proc_macro2::TokenStream, args: &[Value]) -> Value {
        let args: Vec<Value> = args.iter().map(|a| self.sized(*a)).collect();
        self.s.b.op_typed(Op::Verbatim(Verbatim::new(tokens, Vec::new())), &args, Type::Int)
    }

    pub(super) fn holes() -> [syn::Ident; 2] {
        [0, 1].map(|k| syn::Ident::new(&Verbatim::hole(k), Span::call_site()))
    }

    /// `a - b`, 0 if that is negative.
    fn less(&mut self, a: Value, b: Value) -> Value {
        match (self.literal_int(a), self.literal_int(b)) {
            (_, Some(0)) => a,
            (Some(a), Some(b)) => self.s.b.int(&(a - b).max(0).to_string()),
            _ => {
                let [x, y] = Self::holes();
                self.count_by(quote!(#x.saturating_sub(#y)), &[a, b])
            }
        }
    }

    fn least(&mut self, a: Value, b: Value) -> Value {
        if self.same_length(a, b) {
            return a;
        }
        match (self.literal_int(a), self.literal_int(b)) {
            (Some(x), Some(y)) => {
                if x <= y {
                    a
                } else {
                    b
                }
            }
            _ => {
                let args = [a, b].map(|v| self.sized(v));
                self.s.b.op_typed(Op::Binary(Binary::Min), &args, Type::Int)
            }
        }
    }

    /// `a + b` of indices.
    pub(in super::super) fn plus(&mut self, a: Value, b: Value) -> Value {
        match (self.literal_int(a), self.literal_int(b)) {
            (Some(0), _) => b,
            (_, Some(0)) => a,
            (Some(a), Some(b)) => self.s.b.int(&(a + b).to_string()),
            _ => self.op(Op::Add, &[a, b]),
        }
    }

    pub(in super::super) fn times(&mut self, a: Value, b: Value) -> Value {
        match (self.literal_int(a), self.literal_int(b)) {
            (Some(1), _) => b,
            (_, Some(1)) => a,
            _ => self.op(Op::Mul, &[a, b]),
        }
    }

    /// How many items there are. Only of what is indexed and has an end.
    pub(in super::super) fn length(&mut self, it: &Iter) -> Value {
        match it {
            Iter::Range { lo, hi, inclusive } => {
                let end = if *inclusive {
                    let one = self.s.b.int("1");
                    self.plus(*hi, one)
                } else {
                    *hi
                };
                let end = self.as_index(end);
                let lo = self.as_index(*lo);
                self.less(end, lo)
            }
            Iter::Elements { view, .. } => self.len(view),
            Iter::Grid { view, .. } => {
                let (n, m) = (self.len(view), self.extent(view, 1));
                self.times(n, m)
            }
            Iter::Columns { parts, .. } => self.length_of(parts),
            Iter::Foreign { base, .. } => {
                let [x, _] = Self::holes();
                self.count_by(quote!(#x.len()), &[*base])
            }
            Iter::Windows { .. } | Iter::RowWindows { .. } => {
                let (total, size) = match it {
                    Iter::Windows { view, size } => (self.len(view), size),
                    Iter::RowWindows { rows, size } => (self.length_of(rows), size),
                    _ => unreachable!(),
                };
                match self.literal_int(*size) {
                    Some(size) => {
                        let lost = self.s.b.int(&(size - 1).to_string());
                        self.less(total, lost)
                    }
                    None => {
                        let [x, y] = Self::holes();
                        self.count_by(quote!((#x + 1).saturating_sub(#y)), &[total, *size])
                    }
                }
            }
            Iter::Chunks { view, size, exact } => {
                let total = self.len(view);
                let [x, y] = Self::holes();
                if *exact {
                    self.op(Op::Div, &[total, *size])
                } else {
                    self.count_by(quote!(#x.div_ceil(#y)), &[total, *size])
                }
            }
            Iter::Once(_) => self.s.b.int("1"),
            Iter::Map(a, _) | Iter::Deref(a) | Iter::Enumerate(a) | Iter::Rev(a) => self.length(a),
            Iter::Zip(a, b) => match (a.endless(), b.endless()) {
                (true, _) => self.length(b),
                (_, true) => self.length(a),
                _ => {
                    let (a, b) = (self.length(a), self.length(b));
                    self.least(a, b)
                }
            },
            Iter::Skip(a, n) => {
                let total = self.length(a);
                self.less(total, *n)
            }
            Iter::Take(a, n) => {
                if a.endless() {
                    return *n;
                }
                let total = self.length(a);
                self.least(total, *n)
            }
            Iter::StepBy(a, step) => {
                let total = self.length(a);
                let [x, y] = Self::holes();
                self.count_by(quote!(#x.div_ceil(#y)), &[total, *step])
            }
            _ => unreachable!("only what is indexed and has an end has a length"),
        }
    }

    /// An integer as a `usize`, where it is known to be another.
    fn as_index(&mut self, v: Value) -> Value {
        match self.int_type(v) {
            Some(ty) if &*ty != "usize" => self.s.b.op_typed(Op::Cast("usize".into()), &[v], Type::Int),
            _ => v,
        }
    }

    /// Item `k`, for what is indexed.
    pub(in super::super) fn item(&mut self, it: &Iter, k: Value) -> Val {
        match it {
            Iter::Range { lo, .. } | Iter::From { lo } => {
                let of_end = match it {
                    Iter::Range { hi, .. } => self.int_type(*hi),
                    _ => None,
                };
                // What is below zero is signed.
                let signed = || {
                    matches!(self.s.b.constant(*lo), Some(Op::Int(text)) if text.starts_with('-'))
                        .then(|| "i32".into())
                };
                let ty = self.int_type(*lo).or(of_end).or_else(signed);
                let k = match &ty {
                    Some(ty) if &**ty != "usize" => self.s.b.op_typed(Op::Cast(ty.clone()), &[k], Type::Int),
                    _ => k,
                };
                let item = self.plus(*lo, k);
                if ty.is_none() {
                    self.s.counted.insert(item);
                }
                Val::Scalar(item)
            }
            Iter::Elements { view, mutable } => self.element(view, k, *mutable),
            Iter::Grid { view, mutable, .. } => {
                let m = self.extent(view, 1);
                let (i, j) = (self.op(Op::Div, &[k, m]), self.op(Op::Rem, &[k, m]));
                match self.element(view, i, *mutable) {
                    Val::View(row) => self.element(&row, j, *mutable),
                    other => other,
                }
            }
            Iter::Columns { parts, mutable } => self.part_at(parts, k, *mutable),
            Iter::Foreign { base, owned, refs } => {
                let [x, y] = Self::holes();
                let tokens = match (owned, refs) {
                    // References are copied; `clone` would copy what is behind them.
                    (_, true) => quote!(#x[#y]),
                    (true, false) => quote!(#x[#y].clone()),
                    (false, false) => quote!(&#x[#y]),
                };
                let v = self.s.b.op(Op::Verbatim(Verbatim::new(tokens, Vec::new())), &[*base, k]);
                if !*owned || *refs {
                    self.s.refs.insert(v);
                }
                let items = self.s.declared.get(base).and_then(super::super::signature::element);
                if let Some(ty) = items.map(|(ty, _)| ty.clone()) {
                    self.s.declare(v, &ty);
                }
                Val::Scalar(v)
            }
            Iter::Windows { view, size } => Val::View(self.sub_view(view, k, *size)),
            Iter::RowWindows { rows, size } => self.sub_rows(rows, k, *size),
            Iter::Chunks { view, size, exact } => {
                let start = self.times(k, *size);
                let len = if *exact {
                    *size
                } else {
                    let total = self.len(view);
                    let left = self.op(Op::Sub, &[total, start]);
                    self.least(left, *size)
                };
                Val::View(self.sub_view(view, start, len))
            }
            Iter::Once(val) | Iter::Repeat(val) => (**val).clone(),
            Iter::Cycle(a) => {
                let n = self.length(a);
                let k = self.op(Op::Rem, &[k, n]);
                self.item(a, k)
            }
            Iter::Map(a, f) => {
                let v = self.item(a, k);
                self.apply(f, vec![v])
            }
            Iter::Deref(a) => {
                let v = self.item(a, k);
                self.item_by_value(v)
            }
            Iter::Enumerate(a) => {
                let v = self.item(a, k);
                Val::Tuple(vec![Val::Scalar(k), v])
            }
            Iter::Zip(a, b) => {
                let a = self.item(a, k);
                let b = self.item(b, k);
                Val::Tuple(vec![a, b])
            }
            Iter::Rev(a) => {
                let n = self.length(a);
                let one = self.s.b.int("1");
                let last = self.op(Op::Sub, &[n, one]);
                let k = self.op(Op::Sub, &[last, k]);
                self.item(a, k)
            }
            Iter::Skip(a, n) => {
                let k = self.plus(k, *n);
                self.item(a, k)
            }
            Iter::Take(a, _) => self.item(a, k),
            Iter::StepBy(a, step) => {
                let k = self.times(k, *step);
                self.item(a, k)
            }
            _ => unreachable!("only what is indexed has numbered items"),
        }
    }

    /// Part `start .. start + len` of a view, known to be inside it.
    pub(in super::super) fn sub_view(&mut self, view: &View, start: Value, len: Value) -> View {
        let start = match view.range {
            Some((old, _)) => self.plus(old, start),
            None => start,
        };
        View { range: Some((start, len)), by_ref: true, lent: false, ..view.clone() }
    }

    /// Rows `start .. start + len` of a vector that is kept in parts.
    pub(in super::super) fn sub_rows(&mut self, rows: &Val, start: Value, len: Value) -> Val {
        match rows {
            Val::View(view) => Val::View(self.sub_view(view, start, len)),
            Val::Ragged(parts) => {
                let starts = self.sub_rows(&parts[1], start, len);
                let lens = self.sub_rows(&parts[2], start, len);
                Val::Ragged(vec![parts[0].clone(), starts, lens])
            }
            other => {
                let list = other.parts().unwrap_or_default().to_vec();
                other.with_parts(list.iter().map(|p| self.sub_rows(p, start, len)).collect())
            }
        }
    }

    /// `rows[a..b]` of a vector that is kept in parts.
    pub(in super::super) fn part_of_rows(&mut self, rows: &Val, range: &syn::Expr) -> Option<Val> {
        let syn::Expr::Range(r) = range else { return None };
        let bound = |this: &mut Self, e: &Option<Box<syn::Expr>>| -> Option<Option<Value>> {
            match e {
                Some(e) => {
                    let val = this.expr(e).0;
                    Some(Some(this.scalar(val, Span::call_site())?))
                }
                None => Some(None),
            }
        };
        let start = bound(self, &r.start)?;
        let end = bound(self, &r.end)?;
        let total = self.length_of(rows);
        let zero = self.s.b.int("0");
        let start = start.unwrap_or(zero);
        let end = match end {
            Some(end) if matches!(r.limits, syn::RangeLimits::Closed(_)) => {
                let one = self.s.b.int("1");
                self.plus(end, one)
            }
            Some(end) => end,
            None => total,
        };
        let len = self.op(Op::Sub, &[end, start]);
        Some(self.sub_rows(rows, start, len))
    }

    // ---------------------------------------------------------------------------------------- loops

    /// Runs `body` if a condition holds.
    pub(in super::super) fn when(
        &mut self,
        cond: Value,
        body: &mut dyn FnMut(&mut Self) -> Flow,
        otherwise: &mut dyn FnMut(&mut Self) -> Flow,
    ) -> Flow {
        let unit = |flow: Flow| if flow == Flow::Never { Val::Never } else { Val::unit() };
        self.branch(
            cond,
            Span::call_site(),
            &mut |this| {
                let flow = body(this);
                (unit(flow), flow)
            },
            &mut |this| {
                let flow = otherwise(this);
                (unit(flow), flow)
            },
        )
        .1
    }

    /// Runs `f` inside a loop that can be left by a flag, which `f` is given.
    pub(super) fn stoppable(&mut self, f: &mut dyn FnMut(&mut Self, VarId)) -> Flow {
        let before = self.exit_flags();
        let context = self.context(None, true);
        let broken = context.broken;
        self.loops.push(context);
        f(self, broken);
        self.loops.pop();
        self.flow_since(&before)
    }

    pub(super) fn stop(&mut self, flag: VarId) -> Flow {
        let yes = self.s.b.boolean(true);
        self.set(flag, Val::Scalar(yes));
        Flow::Never
    }

    fn counter(&mut self, name: &str) -> VarId {
        let zero = self.s.b.int("0");
        self.new_var(name, true, Val::Scalar(zero))
    }

    /// The value of a counter before it is moved on.
    fn tick(&mut self, counter: VarId) -> Value {
        let Val::Scalar(now) = self.s.vars[counter].val else { return self.s.b.int("0") };
        let one = self.s.b.int("1");
        let next = self.op(Op::Add, &[now, one]);
        self.set(counter, Val::Scalar(next));
        now
    }

    /// Runs `body` for each item, in order.
    pub(in super::super) fn drive(&mut self, it: &Iter, body: &mut Round<'_, 'a>) -> Flow {
        match it {
            Iter::Range { lo, hi, inclusive } => {
                let spec = RangeSpec::new(*lo, *hi, *inclusive);
                self.range_loop(&spec, &mut |this, i| body(this, Val::Scalar(i)))
            }
            Iter::Rev(a) => self.drive_reversed(a, body),
            Iter::StepBy(a, step) => match &**a {
                Iter::Range { lo, hi, inclusive } => {
                    let spec = RangeSpec { step: Some(*step), ..RangeSpec::new(*lo, *hi, *inclusive) };
                    self.range_loop(&spec, &mut |this, i| body(this, Val::Scalar(i)))
                }
                Iter::Rev(b) if let Iter::Range { lo, hi, inclusive } = &**b => {
                    let spec =
                        RangeSpec { step: Some(*step), rev: true, ..RangeSpec::new(*lo, *hi, *inclusive) };
                    self.range_loop(&spec, &mut |this, i| body(this, Val::Scalar(i)))
                }
                a if !a.indexed() || self.has_effects(a) => {
                    let counter = self.counter("seen");
                    self.drive(a, &mut |this, v| {
                        let k = this.tick(counter);
                        let rest = this.op(Op::Rem, &[k, *step]);
                        let zero = this.s.b.int("0");
                        let hit = this.op(Op::Cmp(Cmp::Eq), &[rest, zero]);
                        this.when(hit, &mut |this| body(this, v.clone()), &mut |_| Flow::Falls)
                    })
                }
                _ => self.drive_indexed(it, false, body),
            },
            Iter::Map(a, f) => self.drive(a, &mut |this, v| {
                let v = this.apply(f, vec![v]);
                body(this, v)
            }),
            Iter::Deref(a) => self.drive(a, &mut |this, v| {
                let v = this.item_by_value(v);
                body(this, v)
            }),
            // Matrices side by side: a loop over rows and one over columns.
            _ if let Some(view) = it.grid().cloned() => {
                let (lo, hi) = (self.s.b.int("0"), self.len(&view));
                let all = self.grids(it);
                self.range_loop(&RangeSpec::new(lo, hi, false), &mut |this, i| {
                    this.s.b.name(i, || "i".into());
                    let row = this.row_of_grids(&all, i);
                    this.drive(&row, body)
                })
            }
            _ if self.numbered(it) && !it.endless() => self.drive_indexed(it, false, body),
            _ if self.numbered(it) => {
                let counter = self.counter("k");
                self.endless_loop(&mut |this| {
                    let k = this.tick(counter);
                    let v = this.item(it, k);
                    body(this, v)
                })
            }
            Iter::Chain(a, b) => {
                let flow = self.drive(a, body);
                match flow {
                    Flow::Falls => self.drive(b, body),
                    Flow::Never => flow,
                    Flow::Maybe => {
                        let exited = self.exited();
                        let goes_on = self.op(Op::Not, &[exited]);
                        self.when(goes_on, &mut |this| this.drive(b, body), &mut |_| Flow::Never);
                        Flow::Maybe
                    }
                }
            }
            Iter::Filter(a, f) => self.drive(a, &mut |this, v| {
                let keep = this.ask(f, v.clone());
                this.when(keep, &mut |this| body(this, v.clone()), &mut |_| Flow::Falls)
            }),
            Iter::FilterMap(a, f) => self.drive(a, &mut |this, v| {
                let (some, v) = this.apply_maybe(f, vec![v]);
                this.when(some, &mut |this| this.on_contents(&v, body), &mut |_| Flow::Falls)
            }),
            Iter::TakeWhile(a, f) => self.stoppable(&mut |this, flag| {
                this.drive(a, &mut |this, v| {
                    let keep = this.ask(f, v.clone());
                    this.when(keep, &mut |this| body(this, v.clone()), &mut |this| this.stop(flag))
                });
            }),
            Iter::MapWhile(a, f) => self.stoppable(&mut |this, flag| {
                this.drive(a, &mut |this, v| {
                    let (some, v) = this.apply_maybe(f, vec![v]);
                    this.when(some, &mut |this| this.on_contents(&v, body), &mut |this| this.stop(flag))
                });
            }),
            Iter::Scan(a, state, f) => self.stoppable(&mut |this, flag| {
                this.drive(a, &mut |this, v| {
                    let (some, v) = this.apply_maybe(f, vec![Val::RefMut(*state, Vec::new()), v]);
                    this.when(some, &mut |this| this.on_contents(&v, body), &mut |this| this.stop(flag))
                });
            }),
            Iter::Indexed(view) => {
                let rows = Iter::Enumerate(Rc::new(Iter::Elements { view: view.clone(), mutable: false }));
                self.drive(&rows, &mut |this, row| {
                    let Val::Tuple(parts) = row else { return Flow::Falls };
                    let [i, Val::View(row)] = parts.as_slice() else { return Flow::Falls };
                    let columns =
                        Iter::Enumerate(Rc::new(Iter::Elements { view: row.clone(), mutable: false }));
                    let i = i.clone();
                    this.drive(&columns, &mut |this, v| {
                        let Val::Tuple(parts) = v else { return Flow::Falls };
                        let index = Val::Tuple(vec![i.clone(), parts[0].clone()]);
                        body(this, Val::Tuple(vec![index, parts[1].clone()]))
                    })
                })
            }
            Iter::Successors(first, f) => {
                let (some, value) = self.maybe((**first).clone(), Span::call_site());
                let item = self.new_var("item", true, Val::Unset);
                self.set_contents(some, &value, &mut |this, value| this.set(item, value));
                let some = self.new_var("some", true, Val::Scalar(some));
                self.stoppable(&mut |this, flag| {
                    this.endless_loop(&mut |this| {
                        let Val::Scalar(is_some) = this.s.vars[some].val else { return Flow::Falls };
                        let v = this.s.vars[item].val.clone();
                        this.when(
                            is_some,
                            &mut |this| {
                                let flow = body(this, v.clone());
                                if flow != Flow::Never {
                                    let (more, next) = this.apply_maybe(f, vec![v.clone()]);
                                    this.set(some, Val::Scalar(more));
                                    this.set_contents(more, &next, &mut |this, next| {
                                        this.replace(item, next, Span::call_site());
                                    });
                                }
                                flow
                            },
                            &mut |this| this.stop(flag),
                        )
                    });
                })
            }
            Iter::Calls { f, ends: true } => self.stoppable(&mut |this, flag| {
                this.endless_loop(&mut |this| {
                    let (some, v) = this.apply_maybe(f, Vec::new());
                    this.when(some, &mut |this| this.on_contents(&v, body), &mut |this| this.stop(flag))
                });
            }),
            Iter::Calls { f, ends: false } => self.endless_loop(&mut |this| {
                let v = this.apply(f, Vec::new());
                body(this, v)
            }),
            Iter::SkipWhile(a, f) => {
                let started = self.bool_var("started");
                self.drive(a, &mut |this, v| {
                    let Val::Scalar(now) = this.s.vars[started].val else { return Flow::Falls };
                    let not = this.op(Op::Not, &[now]);
                    let (skip, _) = this.branch(
                        not,
                        Span::call_site(),
                        &mut |this| (Val::Scalar(this.ask(f, v.clone())), Flow::Falls),
                        &mut |this| (Val::Scalar(this.s.b.boolean(false)), Flow::Falls),
                    );
                    let Val::Scalar(skip) = skip else { return Flow::Falls };
                    let starts = this.op(Op::Not, &[skip]);
                    this.set(started, Val::Scalar(starts));
                    this.when(starts, &mut |this| body(this, v.clone()), &mut |_| Flow::Falls)
                })
            }
            Iter::FlatMap(a, f) => self.drive(a, &mut |this, v| {
                let inner = this.apply(f, vec![v]);
                this.drive_inner(inner, false, body)
            }),
            Iter::Flatten(a) => self.drive(a, &mut |this, v| this.drive_inner(v, false, body)),
            Iter::Enumerate(a) => {
                let counter = self.counter("k");
                self.drive(a, &mut |this, v| {
                    let k = this.tick(counter);
                    body(this, Val::Tuple(vec![Val::Scalar(k), v]))
                })
            }
            Iter::Skip(a, n) => {
                let counter = self.counter("seen");
                self.drive(a, &mut |this, v| {
                    let k = this.tick(counter);
                    let past = this.op(Op::Cmp(Cmp::Ge), &[k, *n]);
                    this.when(past, &mut |this| body(this, v.clone()), &mut |_| Flow::Falls)
                })
            }
            Iter::Take(a, n) => {
                // It ends behind the last item: the one that follows is not even asked for.
                let counter = self.counter("taken");
                let zero = self.s.b.int("0");
                let any = self.op(Op::Cmp(Cmp::Gt), &[*n, zero]);
                self.when(
                    any,
                    &mut |this| {
                        this.stoppable(&mut |this, flag| {
                            this.drive(a, &mut |this, v| {
                                let k = this.tick(counter);
                                let one = this.s.b.int("1");
                                let next = this.plus(k, one);
                                if body(this, v) == Flow::Never {
                                    return Flow::Never;
                                }
                                let last = this.op(Op::Cmp(Cmp::Ge), &[next, *n]);
                                this.when(last, &mut |this| this.stop(flag), &mut |_| Flow::Falls);
                                Flow::Maybe
                            });
                        })
                    },
                    &mut |_| Flow::Falls,
                )
            }
            Iter::Zip(a, b) => {
                let collected;
                let (by_hand, numbered, swapped) =
                    match (self.numbered(a) && !self.has_effects(a), self.numbered(b)) {
                        (false, true) => (a, b, false),
                        (true, false) => (b, a, true),
                        _ => {
                            let swapped = b.may_be_endless();
                            let (by_hand, other) = if swapped { (b, a) } else { (a, b) };
                            let Some(made) = self.collected_first(other) else { return Flow::Falls };
                            collected = made;
                            (by_hand, &collected, swapped)
                        }
                    };
                let counter = self.counter("k");
                let end = (!numbered.endless()).then(|| self.length(numbered));
                self.stoppable(&mut |this, flag| {
                    this.drive(by_hand, &mut |this, v| {
                        let k = this.tick(counter);
                        let inside = match end {
                            Some(end) => this.op(Op::Cmp(Cmp::Lt), &[k, end]),
                            None => this.s.b.boolean(true),
                        };
                        this.when(
                            inside,
                            &mut |this| {
                                let other = this.item(numbered, k);
                                let pair =
                                    if swapped { vec![other, v.clone()] } else { vec![v.clone(), other] };
                                body(this, Val::Tuple(pair))
                            },
                            &mut |this| this.stop(flag),
                        )
                    });
                })
            }
            _ => {
                self.error(
                    self.here,
                    "this iterator cannot be turned into a loop",
                    "write the loop over indices",
                );
                Flow::Falls
            }
        }
    }

    /// The same, once all matrices in it are known to have as many rows and columns.
    fn grids(&mut self, it: &Iter) -> Iter {
        if let Iter::Zip(a, b) = it
            && let (Some(x), Some(y)) = (a.grid().cloned(), b.grid().cloned())
        {
            self.grids(a);
            self.grids(b);
            self.check_shapes(&x, &y);
        }
        it.clone()
    }

    /// Row `i` of matrices that are run over side by side.
    fn row_of_grids(&mut self, it: &Iter, i: Value) -> Iter {
        match it {
            Iter::Grid { view, mutable, .. } => match self.element(view, i, *mutable) {
                Val::View(view) => Iter::Elements { view, mutable: *mutable },
                _ => it.clone(),
            },
            Iter::Map(a, f) => Iter::Map(Rc::new(self.row_of_grids(a, i)), f.clone()),
            Iter::Deref(a) => Iter::Deref(Rc::new(self.row_of_grids(a, i))),
            Iter::Zip(a, b) => Iter::Zip(Rc::new(self.row_of_grids(a, i)), Rc::new(self.row_of_grids(b, i))),
            other => other.clone(),
        }
    }

    /// One of two iterators whose lengths only a run can tell, in a vector: then the other can run beside it.
    fn collected_first(&mut self, it: &Rc<Iter>) -> Option<Rc<Iter>> {
        let refuse = |this: &mut Self| {
            this.error(
                this.here,
                "two iterators whose lengths only a run can tell are zipped here",
                "collect one of them into a `Vec` first",
            );
            None
        };
        if it.may_be_endless() {
            return refuse(self);
        }
        let before: Vec<Val> = self.s.vars.iter().map(|v| v.val.clone()).collect();
        let rows = self.collect_vec(it, "zipped", self.here);
        // What runs ahead must not change what the other sees.
        let changed = |(var, old): (VarId, &Val)| self.s.vars[var].val != *old && !it.holds_state(var);
        if before.iter().enumerate().any(changed) {
            return refuse(self);
        }
        self.iterate(rows, false, self.here)
    }

    fn drive_indexed(&mut self, it: &Iter, rev: bool, body: &mut Round<'_, 'a>) -> Flow {
        self.zips_end_first(it);
        let lo = self.s.b.int("0");
        let hi = self.length(it);
        let spec = RangeSpec { rev, ..RangeSpec::new(lo, hi, false) };
        self.range_loop(&spec, &mut |this, k| {
            this.s.b.name(k, || "i".into());
            let v = this.item(it, k);
            body(this, v)
        })
    }

    fn drive_reversed(&mut self, it: &Iter, body: &mut Round<'_, 'a>) -> Flow {
        let rev = |a: &Rc<Iter>| Rc::new(Iter::Rev(a.clone()));
        match it {
            Iter::Range { lo, hi, inclusive } => {
                let spec = RangeSpec { rev: true, ..RangeSpec::new(*lo, *hi, *inclusive) };
                self.range_loop(&spec, &mut |this, i| body(this, Val::Scalar(i)))
            }
            Iter::StepBy(a, step) if let Iter::Range { lo, hi, inclusive } = &**a => {
                let spec =
                    RangeSpec { step: Some(*step), flipped: true, ..RangeSpec::new(*lo, *hi, *inclusive) };
                self.range_loop(&spec, &mut |this, i| body(this, Val::Scalar(i)))
            }
            Iter::Rev(a) => self.drive(a, body),
            Iter::Map(a, f) => self.drive(&Iter::Map(rev(a), f.clone()), body),
            Iter::Deref(a) => self.drive(&Iter::Deref(rev(a)), body),
            _ if !it.endless() && self.numbered(&Iter::Rev(Rc::new(it.clone()))) => {
                self.drive_indexed(it, true, body)
            }
            Iter::Filter(a, f) => self.drive(&Iter::Filter(rev(a), f.clone()), body),
            Iter::FilterMap(a, f) => self.drive(&Iter::FilterMap(rev(a), f.clone()), body),
            Iter::Chain(a, b) => self.drive(&Iter::Chain(rev(b), rev(a)), body),
            Iter::FlatMap(a, f) => {
                let (a, f) = (rev(a), f.clone());
                self.drive(&a, &mut |this, v| {
                    let inner = this.apply(&f, vec![v]);
                    this.drive_inner(inner, true, body)
                })
            }
            Iter::Flatten(a) => {
                let a = rev(a);
                self.drive(&a, &mut |this, v| this.drive_inner(v, true, body))
            }
            _ => {
                self.error(
                    self.here,
                    "this iterator cannot run backwards here",
                    "collect it into a `Vec` and reverse that",
                );
                Flow::Falls
            }
        }
    }

    /// Runs over what an item holds.
    fn drive_inner(&mut self, val: Val, rev: bool, body: &mut Round<'_, 'a>) -> Flow {
        if let Val::Maybe(_) = val {
            let (some, v) = self.maybe(val, Span::call_site());
            return self.when(some, &mut |this| this.on_contents(&v, body), &mut |_| Flow::Falls);
        }
        match self.inner(val, Span::call_site()) {
            Some(inner) if rev => self.drive(&Iter::Rev(inner), body),
            Some(inner) => self.drive(&inner, body),
            None => Flow::Falls,
        }
    }

    // ---------------------------------------------------------------------------------------- callees

    /// As [`Lower::apply`], where a value of this type is wanted.
    pub(in super::super) fn apply_expecting(&mut self, f: &Callee, args: Vec<Val>, ty: &syn::Type) -> Val {
        match f {
            Callee::Closure(c) => self.inline_as(c, args, Some(ty.clone())),
            Callee::Path(path) => self.call_path(path, args),
        }
    }

    pub(in super::super) fn apply(&mut self, f: &Callee, args: Vec<Val>) -> Val {
        match f {
            Callee::Closure(c) => self.inline(c, args),
            Callee::Path(path) => self.call_path(path, args),
        }
    }

    /// A predicate's answer.
    pub(super) fn ask(&mut self, f: &Callee, v: Val) -> Value {
        match self.apply(f, vec![v]) {
            Val::Scalar(v) => v,
            _ => self.s.b.boolean(false),
        }
    }

    /// What a closure that returns an `Option` gives.
    fn apply_maybe(&mut self, f: &Callee, args: Vec<Val>) -> (Value, Contents) {
        let val = self.apply(f, args);
        self.maybe(val, Span::call_site())
    }

    /// Runs a body for what an item holds.
    fn on_contents(&mut self, of: &Contents, body: &mut Round<'_, 'a>) -> Flow {
        let val = self.contents(of);
        body(self, val)
    }

    /// Puts what is held where the next round finds it, if there is anything.
    fn set_contents(&mut self, some: Value, of: &Contents, put: &mut dyn FnMut(&mut Self, Val)) {
        match of {
            Contents::Known(val) => put(self, val.clone()),
            Contents::In(..) => {
                self.when(
                    some,
                    &mut |this| {
                        let val = this.contents(of);
                        put(this, val);
                        Flow::Falls
                    },
                    &mut |_| Flow::Falls,
                );
            }
        }
    }
}
