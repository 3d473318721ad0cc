//! What ends a chain: sums, folds, searches.

use std::rc::Rc;

use proc_macro2::Span;
use syn::spanned::Spanned;

use super::super::exits::Contents;
use super::super::lower::{Flow, Lower, VarId};
use super::super::signature::float_kind;
use super::super::value::Val;
use super::{Callee, Iter};
use crate::ir::{Cmp, FloatKind, Op, Type, Value};

impl Lower<'_> {
    /// A method that runs an iterator to its end; `None` if it is none that the macro knows.
    pub(in super::super) fn consume(&mut self, it: &Rc<Iter>, e: &syn::ExprMethodCall) -> Option<Val> {
        let name = e.method.to_string();
        let args: Vec<&syn::Expr> = e.args.iter().collect();
        if it.endless()
            && !matches!(
                name.as_str(),
                "next" | "nth" | "find" | "position" | "any" | "contains" | "try_fold" | "try_for_each"
            )
        {
            self.error(e.method.span(), "this iterator has no end", "bound it with `take` or `zip`");
            return Some(Val::Never);
        }
        if let Some(val) = self.consume_fallible(it, e) {
            return Some(val);
        }
        if matches!(name.as_str(), "sum" | "product") && args.is_empty() {
            let wanted = e.turbofish.as_ref().and_then(|t| match t.args.first() {
                Some(syn::GenericArgument::Type(syn::Type::Path(p))) => {
                    p.path.segments.last().map(|s| s.ident.to_string())
                }
                _ => None,
            });
            let wanted = wanted.or_else(|| self.wanted_name());
            if let Some(val) = self.own_sum(wanted, &name, Val::Iter(it.clone()), e.method.span()) {
                return Some(val);
            }
        }
        let val = match (name.as_str(), args.as_slice()) {
            ("contains", [a]) => {
                let (Iter::Range { .. } | Iter::From { .. } | Iter::Below { .. }) = &**it else {
                    return None;
                };
                let v = self.expr(super::super::calls::reached(a)).0;
                let v = self.deref(v);
                let v = self.scalar(v, a.span())?;
                let (lo, hi, inclusive) = match &**it {
                    Iter::Range { lo, hi, inclusive } => (Some(*lo), Some(*hi), *inclusive),
                    Iter::From { lo } => (Some(*lo), None, false),
                    Iter::Below { hi, inclusive } => (None, Some(*hi), *inclusive),
                    _ => return None,
                };
                let above = lo.map(|lo| self.op(Op::Cmp(Cmp::Le), &[lo, v]));
                let below =
                    hi.map(|hi| self.op(Op::Cmp(if inclusive { Cmp::Le } else { Cmp::Lt }), &[v, hi]));
                match (above, below) {
                    (Some(a), Some(b)) => Val::Scalar(self.op(Op::And, &[a, b])),
                    (Some(v), None) | (None, Some(v)) => Val::Scalar(v),
                    (None, None) => return None,
                }
            }
            ("sum", []) => {
                let start = self.start(e, 0);
                self.sum(it, start)
            }
            ("product", []) => {
                let start = self.start(e, 1);
                self.product(it, start)
            }
            ("fold", [init, f]) => {
                let init = self.expr(init).0;
                let f = self.callee(f)?;
                self.fold(it, init, &f)
            }
            ("for_each", [f]) => {
                let f = self.callee(f)?;
                let n = arity(&f);
                self.drive(it, &mut |this, v| {
                    let mut args = vec![v];
                    spread(&mut args, n);
                    this.apply(&f, args);
                    Flow::Falls
                });
                Val::unit()
            }
            ("count", []) => {
                if it.indexed() && !self.has_effects(it) {
                    Val::Scalar(self.length(it))
                } else {
                    let zero = self.s.b.int("0_usize");
                    let counter = self.new_var("count", true, Val::Scalar(zero));
                    self.drive(it, &mut |this, _| {
                        this.advance(counter);
                        Flow::Falls
                    });
                    self.s.vars[counter].val.clone()
                }
            }
            ("last", []) if it.indexed() && !self.has_effects(it) => {
                let n = self.length(it);
                let one = self.s.b.int("1");
                self.at(it, n, &mut |this| this.op(Op::Sub, &[n, one]))
            }
            ("last", []) => self.select(it, &mut |this, _, _| this.s.b.boolean(true)),
            ("next", []) if self.numbered(it) => {
                let zero = self.s.b.int("0");
                self.item_taken(it, zero, &e.receiver)
            }
            ("next", []) => return None,
            ("nth", [k]) if it.indexed() && !self.has_effects(it) => {
                let k = self.expr(k).0;
                let k = self.scalar(k, e.span())?;
                self.item_taken(it, k, &e.receiver)
            }
            ("nth", [k]) if it.indexed() => {
                let k = self.expr(k).0;
                let k = self.scalar(k, e.span())?;
                let val = self.searched_nth(it, k);
                self.spend(&e.receiver);
                val
            }
            ("reduce", [f]) => {
                let f = self.callee(f)?;
                self.reduce(it, &f)
            }
            // The last of the largest, the first of the smallest.
            ("max_by" | "min_by", [f]) => {
                let f = self.callee(f)?;
                let is_max = name == "max_by";
                self.select(it, &mut |this, best, v| {
                    let order = this.apply(&f, vec![best.clone(), v.clone()]);
                    this.order_is(&order, if is_max { Cmp::Le } else { Cmp::Gt }, e.span())
                })
            }
            ("max_by_key" | "min_by_key", [f]) => {
                let f = self.callee(f)?;
                let is_max = name == "max_by_key";
                self.select(it, &mut |this, best, v| {
                    let a = this.apply(&f, vec![best.clone()]);
                    let b = this.apply(&f, vec![v.clone()]);
                    this.compare(a, b, if is_max { Cmp::Le } else { Cmp::Gt }, e.span())
                })
            }
            ("max" | "min", []) => {
                let is_max = name == "max";
                self.select(it, &mut |this, best, v| {
                    this.compare(best.clone(), v.clone(), if is_max { Cmp::Le } else { Cmp::Gt }, e.span())
                })
            }
            ("any" | "all", [f]) => {
                let f = self.callee(f)?;
                let any = name == "any";
                let start = self.s.b.boolean(!any);
                let found = self.new_var(&name, true, Val::Scalar(start));
                self.search(it, &mut |this, v| {
                    let hit = this.ask(&f, v.clone());
                    let hit = if any { hit } else { this.op(Op::Not, &[hit]) };
                    (
                        hit,
                        Box::new(move |this: &mut Self| {
                            let answer = this.s.b.boolean(any);
                            this.set(found, Val::Scalar(answer));
                        }),
                    )
                });
                self.s.vars[found].val.clone()
            }
            ("find" | "position" | "find_map", [f]) => {
                let f = self.callee(f)?;
                let no = self.s.b.boolean(false);
                let some = self.new_var("found", true, Val::Scalar(no));
                let what = self.new_var(&name, true, Val::Unset);
                let zero = self.s.b.int("0_usize");
                let counter = self.new_var("k", true, Val::Scalar(zero));
                let position = name == "position";
                let maps = name == "find_map";
                self.search(it, &mut |this, v| {
                    let (hit, val) = if maps {
                        let val = this.apply(&f, vec![v]);
                        this.maybe(val, Span::call_site())
                    } else {
                        (this.ask(&f, v.clone()), Contents::Known(v))
                    };
                    let val = if position { Contents::Known(this.s.vars[counter].val.clone()) } else { val };
                    if position {
                        this.advance(counter);
                    }
                    (
                        hit,
                        Box::new(move |this: &mut Self| {
                            let yes = this.s.b.boolean(true);
                            this.set(some, Val::Scalar(yes));
                            let val = this.contents(&val);
                            this.set(what, val);
                        }),
                    )
                });
                let (some, what) = (self.s.vars[some].val.clone(), self.s.vars[what].val.clone());
                Val::Maybe(vec![some, what, Val::Unset])
            }
            ("remainder", []) => match &**it {
                Iter::Chunks { view, size, exact: true } => {
                    let total = self.len(view);
                    let rest = self.op(Op::Rem, &[total, *size]);
                    let start = self.op(Op::Sub, &[total, rest]);
                    Val::View(self.sub_view(view, start, rest))
                }
                _ => return None,
            },
            ("map_collect" | "par_map_collect", [f]) => {
                let f = self.callee(f)?;
                self.zip_collected(it, &f, e.method.span())
            }
            ("collect", []) | ("partition", [_]) if self.gives_references(it, e) => return None,
            ("collect", []) => return self.collect(it, e),
            ("partition", [f]) => {
                let f = self.callee(f)?;
                let sample = self.sample(it);
                let mut vars = Vec::new();
                for name in ["yes", "no"] {
                    let vector = self.growing_like(&sample, name, e.span())?;
                    vars.push(self.new_var(name, true, vector));
                }
                self.drive(it, &mut |this, v| {
                    let keep = this.ask(&f, v.clone());
                    this.when(
                        keep,
                        &mut |this| {
                            this.push_to(vars[0], &[], v.clone(), Span::call_site());
                            Flow::Falls
                        },
                        &mut |this| {
                            this.push_to(vars[1], &[], v.clone(), Span::call_site());
                            Flow::Falls
                        },
                    )
                });
                Val::Tuple(vars.into_iter().map(|v| self.s.vars[v].val.clone()).collect())
            }
            ("unzip", []) => {
                let all = self.collect_vec(it, "column", e.span());
                match all {
                    Val::Columns(parts) => *parts,
                    other => other,
                }
            }
            _ => return None,
        };
        Some(val)
    }

    /// What a sum or product starts from, where its turbofish or the place it goes to tells its type.
    fn start(&mut self, e: &syn::ExprMethodCall, number: u8) -> Option<Value> {
        let ty = match &e.turbofish {
            None => self.expected.clone(),
            Some(args) => args.args.iter().find_map(|a| match a {
                syn::GenericArgument::Type(t) => Some(t.clone()),
                _ => None,
            }),
        }?;
        if let Some(kind) = self.float_kind(&ty) {
            // Of floats nothing sums up to -0.0, which leaves all that is added to it as it is.
            let start = if number == 0 { -0.0 } else { f64::from(number) };
            return Some(self.s.b.float(start, Type::Float(kind)));
        }
        // Of integers whose type shows nowhere else rustc could not tell which sum is meant.
        let syn::Type::Path(p) = &ty else { return None };
        super::super::stmt::is_integer(&ty).then(|| {
            let name = quote::quote!(#p).to_string();
            let start = self.s.b.int(&format!("{number}_{name}"));
            self.s.ints.insert(start, name.into());
            start
        })
    }

    /// The start of a sum: `Unset` takes the type of the first term.
    fn sum(&mut self, it: &Iter, start: Option<Value>) -> Val {
        let start = start.map_or(Val::Unset, Val::Scalar);
        let sum = self.new_var("sum", true, start);
        self.drive(it, &mut |this, v| {
            let v = this.deref(v);
            let Some(v) = this.summand(v) else { return Flow::Falls };
            let next = match this.s.vars[sum].val {
                Val::Scalar(now) => this.op(Op::Add, &[now, v]),
                _ => v,
            };
            this.s.vars[sum].val = Val::Scalar(next);
            Flow::Falls
        });
        self.s.vars[sum].val.clone()
    }

    /// An item of a sum or product, which is a number.
    fn summand(&mut self, v: Val) -> Option<Value> {
        if let Val::Struct(fields, _) = &v {
            let name = fields.path.segments.last().map(|s| s.ident.to_string()).unwrap_or_default();
            self.error(
                self.here,
                format!("the macro does not see how values of `{name}` are added up"),
                format!(
                    "put `#[differentiable]` on `impl Sum for {name}`, above this function and in its module, and say what the sum is: `.sum::<{name}>()`; or `fold`"
                ),
            );
            return None;
        }
        self.scalar(v, self.here)
    }

    fn product(&mut self, it: &Iter, start: Option<Value>) -> Val {
        let start = start.unwrap_or_else(|| match self.item_kind(it) {
            Some(kind) => self.s.b.float(1.0, Type::Float(kind)),
            None => self.s.b.int("1"),
        });
        let product = self.new_var("product", true, Val::Scalar(start));
        self.drive(it, &mut |this, v| {
            let v = this.deref(v);
            let Some(v) = this.summand(v) else { return Flow::Falls };
            if let Val::Scalar(now) = this.s.vars[product].val {
                let next = this.op(Op::Mul, &[now, v]);
                this.s.vars[product].val = Val::Scalar(next);
            }
            Flow::Falls
        });
        self.s.vars[product].val.clone()
    }

    /// Which float the items are, if they are floats.
    fn item_kind(&mut self, it: &Iter) -> Option<FloatKind> {
        match self.sample(it) {
            Val::Scalar(v) => match self.sampled_type(v) {
                Type::Float(kind) => Some(kind),
                // What cannot be seen is a float more often than not.
                Type::Opaque => Some(FloatKind::Infer),
                _ => None,
            },
            _ => None,
        }
    }

    pub(in super::super) fn fold(&mut self, it: &Iter, init: Val, f: &Callee) -> Val {
        let init = self.own(init, true, "acc");
        let acc = self.new_var("acc", true, Val::Unset);
        self.set(acc, init);
        self.drive(it, &mut |this, v| {
            let now = this.s.vars[acc].val.clone();
            // `Zip` of `ndarray` hands on one argument for each array.
            let mut args = vec![v];
            spread(&mut args, arity(f).saturating_sub(1));
            args.insert(0, now);
            let next = this.apply(f, args);
            this.replace(acc, next, Span::call_site());
            Flow::Falls
        });
        self.s.vars[acc].val.clone()
    }

    /// Gives a variable another value; arrays are copied into the variable's own.
    pub(in super::super) fn replace(&mut self, var: VarId, val: Val, span: Span) {
        match (self.s.vars[var].val.clone(), val) {
            (Val::View(to), Val::View(from)) if !to.by_ref => {
                if let Some(to) = self.resized(&to, &from) {
                    self.copy_view(&from, &to, span);
                    self.set(var, Val::View(to));
                } else {
                    self.copy_view(&from, &to, span);
                }
            }
            (_, val) => self.set(var, val),
        }
    }

    fn reduce(&mut self, it: &Iter, f: &Callee) -> Val {
        if it.indexed() && !self.has_effects(it) {
            let n = self.length(it);
            let (zero, one) = (self.s.b.int("0"), self.s.b.int("1"));
            let first = self.at(it, n, &mut |_| zero);
            let Val::Maybe(parts) = first else { return first };
            let acc = self.new_var("acc", true, parts[1].clone());
            let rest = Iter::Skip(Rc::new(it.clone()), one);
            self.drive(&rest, &mut |this, v| {
                let now = this.s.vars[acc].val.clone();
                let next = this.apply(f, vec![now, v]);
                this.replace(acc, next, Span::call_site());
                Flow::Falls
            });
            return Val::Maybe(vec![parts[0].clone(), self.s.vars[acc].val.clone(), Val::Unset]);
        }
        let no = self.s.b.boolean(false);
        let some = self.new_var("some", true, Val::Scalar(no));
        let acc = self.new_var("acc", true, Val::Unset);
        self.drive(it, &mut |this, v| {
            let Val::Scalar(is_some) = this.s.vars[some].val else { return Flow::Falls };
            let now = this.s.vars[acc].val.clone();
            let next = if matches!(now, Val::Unset) {
                v
            } else {
                this.branch(
                    is_some,
                    Span::call_site(),
                    &mut |this| (this.apply(f, vec![now.clone(), v.clone()]), Flow::Falls),
                    &mut |_| (v.clone(), Flow::Falls),
                )
                .0
            };
            this.set(acc, next);
            let yes = this.s.b.boolean(true);
            this.set(some, Val::Scalar(yes));
            Flow::Falls
        });
        Val::Maybe(vec![self.s.vars[some].val.clone(), self.s.vars[acc].val.clone(), Val::Unset])
    }

    /// The item that wins: `better` says whether the second takes the place of the first.
    fn select(&mut self, it: &Iter, better: &mut dyn FnMut(&mut Self, &Val, &Val) -> Value) -> Val {
        let (some, best, rest);
        let known = it.indexed() && !self.has_effects(it);
        if known {
            let n = self.length(it);
            let (zero, one) = (self.s.b.int("0"), self.s.b.int("1"));
            let Val::Maybe(parts) = self.at(it, n, &mut |_| zero) else { return Val::Never };
            some = self.new_var("some", true, parts[0].clone());
            best = self.new_var("best", true, parts[1].clone());
            rest = Iter::Skip(Rc::new(it.clone()), one);
        } else {
            let no = self.s.b.boolean(false);
            some = self.new_var("some", true, Val::Scalar(no));
            best = self.new_var("best", true, Val::Unset);
            rest = it.clone();
        }
        self.drive(&rest, &mut |this, v| {
            let now = this.s.vars[best].val.clone();
            let Val::Scalar(is_some) = this.s.vars[some].val else { return Flow::Falls };
            let takes = if matches!(now, Val::Unset) {
                this.s.b.boolean(true)
            } else if known {
                better(this, &now, &v)
            } else {
                let (val, _) = this.branch(
                    is_some,
                    Span::call_site(),
                    &mut |this| (Val::Scalar(better(this, &now, &v)), Flow::Falls),
                    &mut |this| (Val::Scalar(this.s.b.boolean(true)), Flow::Falls),
                );
                match val {
                    Val::Scalar(v) => v,
                    _ => is_some,
                }
            };
            let next = if matches!(now, Val::Unset) {
                v
            } else {
                this.branch(takes, Span::call_site(), &mut |_| (v.clone(), Flow::Falls), &mut |_| {
                    (now.clone(), Flow::Falls)
                })
                .0
            };
            this.set(best, next);
            if !known {
                let yes = this.s.b.boolean(true);
                this.set(some, Val::Scalar(yes));
            }
            Flow::Falls
        });
        Val::Maybe(vec![self.s.vars[some].val.clone(), self.s.vars[best].val.clone(), Val::Unset])
    }

    /// An item, if there are any.
    fn at(&mut self, it: &Iter, n: Value, k: &mut dyn FnMut(&mut Self) -> Value) -> Val {
        let zero = self.s.b.int("0");
        let some = match self.literal_int(n) {
            Some(n) => self.s.b.boolean(n > 0),
            None => self.op(Op::Cmp(Cmp::Gt), &[n, zero]),
        };
        self.guarded(some, &mut |this| {
            let k = k(this);
            this.item(it, k)
        })
    }

    /// `Some(value)` if a condition holds: only then is the value computed.
    pub(in super::super) fn guarded(&mut self, some: Value, value: &mut dyn FnMut(&mut Self) -> Val) -> Val {
        if let Some(Op::Bool(true)) = self.s.b.constant(some) {
            let v = value(self);
            return Val::Maybe(vec![Val::Scalar(some), v, Val::Unset]);
        }
        let (val, _) =
            self.branch(some, Span::call_site(), &mut |this| (value(this), Flow::Falls), &mut |_| {
                (Val::Unset, Flow::Falls)
            });
        Val::Maybe(vec![Val::Scalar(some), val, Val::Unset])
    }

    /// `it.next()`, `it.nth(k)`: a variable stands for the rest from then on.
    fn item_taken(&mut self, it: &Rc<Iter>, k: Value, receiver: &syn::Expr) -> Val {
        let one = self.s.b.int("1");
        let after = self.plus(k, one);
        let val = if it.endless() {
            let yes = self.s.b.boolean(true);
            let v = self.item(it, k);
            Val::Maybe(vec![Val::Scalar(yes), v, Val::Unset])
        } else {
            let n = self.length(it);
            let inside = self.op(Op::Cmp(Cmp::Ge), &[n, after]);
            self.guarded(inside, &mut |this| this.item(it, k))
        };
        self.go_on_behind(it, receiver, after);
        val
    }

    /// The variable that holds an iterator, where that is what an expression names or refers to.
    fn iterator_variable(&self, e: &syn::Expr) -> Option<VarId> {
        let syn::Expr::Path(p) = super::super::calls::reached(e) else { return None };
        let mut var = p.path.get_ident().and_then(|i| self.lookup(&i.to_string()))?;
        while let Val::RefMut(to, path) = &self.s.vars[var].val
            && path.is_empty()
        {
            var = *to;
        }
        matches!(self.s.vars[var].val, Val::Iter(_)).then_some(var)
    }

    /// The next item of an iterator that a variable holds is one further behind.
    fn go_on_behind(&mut self, it: &Rc<Iter>, receiver: &syn::Expr, gone: Value) {
        let Some(var) = self.iterator_variable(receiver) else { return };
        let rest = match &**it {
            Iter::Skip(a, n) => {
                let n = self.plus(*n, gone);
                Iter::Skip(a.clone(), n)
            }
            _ => Iter::Skip(it.clone(), gone),
        };
        self.s.vars[var].val = Val::Iter(Rc::new(rest));
    }

    /// What is left of an iterator that a variable holds shows only in a run: whoever asks for it is told.
    pub(in super::super) fn spend(&mut self, receiver: &syn::Expr) {
        if let Some(var) = self.iterator_variable(receiver) {
            self.s.vars[var].val = Val::Spent;
        }
    }

    /// Runs until a hit, and then what is to be done.
    fn search(&mut self, it: &Iter, test: &mut dyn FnMut(&mut Self, Val) -> (Value, Box<dyn Fn(&mut Self)>)) {
        let context = self.context(None, true);
        let broken = context.broken;
        self.loops.push(context);
        self.drive(it, &mut |this, v| {
            let (hit, then) = test(this, v);
            this.when(
                hit,
                &mut |this| {
                    then(this);
                    let yes = this.s.b.boolean(true);
                    this.set(broken, Val::Scalar(yes));
                    Flow::Never
                },
                &mut |_| Flow::Falls,
            )
        });
        self.loops.pop();
    }

    /// Item `k`, with those before it run through.
    fn searched_nth(&mut self, it: &Iter, k: Value) -> Val {
        let (no, zero) = (self.s.b.boolean(false), self.s.b.int("0_usize"));
        let some = self.new_var("found", true, Val::Scalar(no));
        let what = self.new_var("nth", true, Val::Unset);
        let counter = self.new_var("k", true, Val::Scalar(zero));
        self.search(it, &mut |this, v| {
            let Val::Scalar(now) = this.s.vars[counter].val else { return (no, Box::new(|_| {})) };
            this.advance(counter);
            (
                this.op(Op::Cmp(Cmp::Eq), &[now, k]),
                Box::new(move |this: &mut Self| {
                    let yes = this.s.b.boolean(true);
                    this.set(some, Val::Scalar(yes));
                    this.set(what, v.clone());
                }),
            )
        });
        Val::Maybe(vec![self.s.vars[some].val.clone(), self.s.vars[what].val.clone(), Val::Unset])
    }

    fn advance(&mut self, counter: VarId) {
        if let Val::Scalar(now) = self.s.vars[counter].val {
            let one = self.s.b.int("1");
            let next = self.op(Op::Add, &[now, one]);
            self.set(counter, Val::Scalar(next));
        }
    }

    /// Whether a comparison came out as `cmp` says.
    pub(in super::super) fn order_is(&mut self, order: &Val, cmp: Cmp, span: Span) -> Value {
        match order {
            Val::Order(a, b) => self.op(Op::Cmp(cmp), &[*a, *b]),
            Val::Maybe(parts) => self.order_is(&parts[1].clone(), cmp, span),
            Val::Scalar(v) => {
                let hole = syn::Ident::new(&crate::ir::Verbatim::hole(0), Span::call_site());
                let method = match cmp {
                    Cmp::Le => quote::quote!(is_le),
                    Cmp::Lt => quote::quote!(is_lt),
                    Cmp::Ge => quote::quote!(is_ge),
                    Cmp::Gt => quote::quote!(is_gt),
                    Cmp::Eq => quote::quote!(is_eq),
                    Cmp::Ne => quote::quote!(is_ne),
                };
                let verbatim = crate::ir::Verbatim::new(quote::quote!(#hole.#method()), Vec::new());
                self.s.b.op_typed(Op::Verbatim(verbatim), &[*v], Type::Bool)
            }
            Val::Never => self.s.b.boolean(false),
            _ => {
                self.error(
                    span,
                    "the macro cannot follow this comparison",
                    "compare floats with `partial_cmp` or `total_cmp`",
                );
                self.s.b.boolean(false)
            }
        }
    }

    fn compare(&mut self, a: Val, b: Val, cmp: Cmp, span: Span) -> Value {
        let (a, b) = (self.deref(a), self.deref(b));
        match (self.scalar(a, span), self.scalar(b, span)) {
            (Some(a), Some(b)) => self.op(Op::Cmp(cmp), &[a, b]),
            _ => self.s.b.boolean(false),
        }
    }

    /// The float that a type of the user's names.
    pub(in super::super) fn float_kind(&self, ty: &syn::Type) -> Option<FloatKind> {
        float_kind(ty, &self.sig.floats)
    }
}

/// How many parameters a function has; one, where that is not known.
pub(in super::super) fn arity(f: &Callee) -> usize {
    match f {
        Callee::Closure(c) => c.params.len(),
        Callee::Path(_) => 1,
    }
}

/// Pairs of pairs as so many arguments.
pub(in super::super) fn spread(args: &mut Vec<Val>, n: usize) {
    while args.len() < n
        && let Some(Val::Tuple(pair)) = args.first().cloned()
    {
        args.splice(0..1, pair);
    }
}
