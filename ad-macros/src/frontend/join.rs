//! Where control flow joins: what becomes of variables that the sides have changed.

use std::sync::Arc;

use proc_macro2::Span;
use rustc_hash::FxHashSet as HashSet;

use super::lower::{Flow, Lower, VarId};
use super::signature::Ret;
use super::value::{Val, View};
use crate::ir::{
    Block, Buffer, BufferData, Dim, FloatKind, InstKind, Op, Storage, StoreMode, Type, Value, Verbatim,
};

impl Lower<'_> {
    /// Something of a type, for a path on which it is not used.
    pub(super) fn dummy(&mut self, ty: &Type) -> Value {
        match ty {
            Type::Float(_) => self.s.b.float(0.0, ty.clone()),
            Type::Bool => self.s.b.boolean(false),
            Type::Int | Type::Opaque => {
                let tokens = quote::quote!(::core::default::Default::default());
                self.s.b.op_typed(Op::Verbatim(Verbatim::new(tokens, Vec::new())), &[], ty.clone())
            }
        }
    }

    /// As [`Lower::dummy`], for what has the elements of a buffer.
    pub(super) fn dummy_like(&mut self, data: &BufferData) -> Value {
        if data.sizes { self.s.b.int("0_usize") } else { self.dummy(&data.elem) }
    }

    /// Lowers both branches of an `if`, and joins what they change and what they are.
    pub(super) fn branch(
        &mut self,
        cond: Value,
        span: Span,
        then_branch: &mut dyn FnMut(&mut Self) -> (Val, Flow),
        else_branch: &mut dyn FnMut(&mut Self) -> (Val, Flow),
    ) -> (Val, Flow) {
        let before: Vec<Val> = self.s.vars.iter().map(|v| v.val.clone()).collect();
        let first_new = (self.s.b.func.values.len() as u32, self.s.b.func.buffers.len() as u32);
        let mut sides: Vec<Side> = Vec::new();
        let branches = (then_branch, else_branch);
        for side in 0..2 {
            self.s.b.open(Vec::new());
            let (val, flow) =
                if side == 0 { self.scoped(&mut *branches.0) } else { self.scoped(&mut *branches.1) };
            let diverges = self.s.b.current().diverges;
            let block = self.s.b.close(Vec::new());
            let after: Vec<Val> = self.s.vars[..before.len()].iter().map(|v| v.val.clone()).collect();
            for (var, old) in self.s.vars.iter_mut().zip(&before) {
                var.val = old.clone();
            }
            sides.push(Side { block, after, val, flow, diverges });
        }
        for k in 0..2 {
            self.level(&mut sides, k, before.len());
        }
        let mut join = Join {
            first_new,
            types: Vec::new(),
            names: Vec::new(),
            taints: Vec::new(),
            ints: Vec::new(),
            refs: Vec::new(),
            derefs: HashSet::default(),
            copies: Vec::new(),
            flat: Vec::new(),
            yields: Default::default(),
        };
        let diverge = [sides[0].diverges, sides[1].diverges];
        let mut vars = Vec::new();
        for i in 0..before.len() {
            let [t, e] =
                [0, 1].map(|k| if sides[k].diverges { Val::Never } else { sides[k].after[i].clone() });
            // What only the other side goes on with is as it was.
            let kept = |k: usize, val: &Val| sides[1 - k].diverges && *val == before[i];
            let joined = if t == e || kept(0, &t) {
                Joined::Known(t)
            } else if kept(1, &e) {
                Joined::Known(e)
            } else {
                self.join(&mut join, t, e, Some(i), span)
            };
            vars.push(joined);
        }
        let [t, e] = [0, 1].map(|k| sides[k].val.clone());
        let flows = [sides[0].flow, sides[1].flow];
        let val = if t == e { Joined::Known(t) } else { self.join(&mut join, t, e, None, span) };
        // Yields, with something in place of what a side has not set.
        let mut blocks: Vec<Block> = Vec::new();
        for (k, side) in sides.into_iter().enumerate() {
            let mut block = side.block;
            // Arrays that leave the branch.
            let copies: Vec<Copy> = join.copies.iter().filter(|c| c.side == k).cloned().collect();
            for copy in copies {
                self.s.b.open(Vec::new());
                let mut to =
                    View { buffer: copy.to, prefix: Vec::new(), range: None, by_ref: false, lent: false };
                if let Some(slot) = copy.slot {
                    let len = self.len(&copy.from);
                    let zero = self.s.b.int("0");
                    self.s.b.effect(InstKind::Grow { buffer: copy.to, len });
                    to.range = Some((zero, len));
                    join.yields[k][slot] = Some(len);
                }
                self.copy_view(&copy.from, &to, span);
                let made = self.s.b.close(Vec::new());
                block.insts.extend(made.insts);
            }
            for flat in join.flat.iter().filter(|f| f.side == k).cloned().collect::<Vec<_>>() {
                self.s.b.open(Vec::new());
                let extents = self.flatten(&flat);
                for (slot, extent) in flat.slots.iter().zip(extents) {
                    join.yields[k][*slot] = Some(extent);
                }
                let made = self.s.b.close(Vec::new());
                block.insts.extend(made.insts);
            }
            if !side.diverges {
                for (slot, ty) in join.yields[k].iter().zip(&join.types) {
                    let v = if let Some(v) = slot {
                        if join.derefs.contains(v) {
                            self.s.b.open(Vec::new());
                            let hole = syn::Ident::new(&Verbatim::hole(0), Span::call_site());
                            let read = self.pass(quote::quote!(*#hole), &[*v], ty.clone());
                            let made = self.s.b.close(Vec::new());
                            block.insts.extend(made.insts);
                            read
                        } else {
                            *v
                        }
                    } else {
                        self.s.b.open(Vec::new());
                        let v = self.dummy(ty);
                        let made = self.s.b.close(Vec::new());
                        block.insts.extend(made.insts);
                        v
                    };
                    block.yields.push(v);
                }
            }
            blocks.push(block);
        }
        let else_block = blocks.pop().unwrap_or_default();
        let then_block = blocks.pop().unwrap_or_default();
        let results = self.s.b.emit(InstKind::If { cond, then_block, else_block }, join.types.clone());
        for (k, r) in results.iter().enumerate() {
            if let Some(name) = join.names[k].clone() {
                self.s.b.name(*r, || name);
            }
            self.taint_from(*r, join.taints[k]);
            if join.refs.get(k).copied().unwrap_or(false) {
                self.s.refs.insert(*r);
            }
            if let Some(int) = join.ints[k].clone() {
                self.s.ints.insert(*r, int);
            }
        }
        let zero = self.s.b.int("0");
        for (i, joined) in vars.into_iter().enumerate() {
            self.s.vars[i].val = joined.resolve(self, &results, zero);
        }
        // A panic on one side is no exit flag: only the other side goes on.
        let flow = match (flows, diverge) {
            (_, [true, true]) => Flow::Never,
            ([_, other], [true, _]) | ([other, _], [_, true]) => other,
            ([Flow::Falls, Flow::Falls], _) => Flow::Falls,
            ([Flow::Never, Flow::Never], _) => Flow::Never,
            _ => Flow::Maybe,
        };
        (val.resolve(self, &results, zero), flow)
    }

    /// Tuples and structs of other code that one side ends with, where the other ends with ones that are made here: taken
    /// apart at the end of their side.
    fn level(&mut self, sides: &mut [Side], k: usize, vars: usize) {
        self.s.b.open(Vec::new());
        for i in 0..=vars {
            let of = |side: &Side| side.after.get(i).unwrap_or(&side.val).clone();
            let (val, other) = (of(&sides[k]), of(&sides[1 - k]));
            let leveled = self.leveled(val.clone(), &other);
            if leveled != val {
                match sides[k].after.get_mut(i) {
                    Some(after) => *after = leveled,
                    None => sides[k].val = leveled,
                }
            }
        }
        let made = self.s.b.close(Vec::new());
        sides[k].block.insts.extend(made.insts);
    }

    fn leveled(&mut self, val: Val, other: &Val) -> Val {
        if val == *other {
            return val;
        }
        if val.is_like(other) && !matches!(val, Val::Columns(_) | Val::Ragged(_)) {
            let others = other.parts().unwrap_or_default().to_vec();
            let parts = val.parts().unwrap_or_default().to_vec();
            return val.with_parts(
                parts.into_iter().zip(&others).map(|(part, other)| self.leveled(part, other)).collect(),
            );
        }
        if self.can_be_like(&val, other) {
            let types = self.types_in(other);
            return self.like(val, other, &types);
        }
        // With arrays in it, the definition tells how to take it apart.
        match (&val, other) {
            (Val::Scalar(v), Val::Struct(fields, _)) if self.is_opaque(*v) && fields.opened.is_none() => {
                self.opened_as(*v, &fields.path).filter(|opened| opened.is_like(other)).unwrap_or(val)
            }
            _ => val,
        }
    }

    /// Whether an array or vector that is made in a branch can be copied into one that is declared in front of it.
    pub(super) fn can_leave(&self, view: &View) -> bool {
        let data = self.s.b.func.buffer(view.buffer);
        let owned = !view.by_ref && view.prefix.is_empty() && !self.is_window(view);
        let fixed = |dims: &[Dim]| dims.iter().all(|d| matches!(d, Dim::Fixed(_)));
        let vector = !fixed(&data.dims[..1]);
        let copied = data.elem.is_float() || matches!(data.elem, Type::Int | Type::Bool);
        owned && copied && fixed(&data.dims[1..]) && (vector || view.range.is_none())
    }

    /// Whether a matrix that is made in a branch can leave it: element by element, in a vector.
    fn is_matrix(&self, view: &View) -> bool {
        let data = self.s.b.func.buffer(view.buffer);
        let made = !view.by_ref
            && view.prefix.is_empty()
            && !data.grows
            && data.storage == Storage::Local
            && !self.is_window(view);
        made && data.dims.len() == 2 && data.elem.is_float() && matches!(data.dims[1], Dim::Dyn(_))
    }

    /// Whether a view is a row by value, `points[i]` of `&[[f64; 3]]`, which is a copy where it leaves a branch.
    fn is_fixed_row(&self, view: &View) -> bool {
        let data = self.s.b.func.buffer(view.buffer);
        let copied = data.elem.is_float() || matches!(data.elem, Type::Int | Type::Bool);
        let rest = data.dims.get(view.prefix.len()..).unwrap_or_default();
        let fixed = !rest.is_empty() && rest.iter().all(|d| matches!(d, Dim::Fixed(_)));
        let whole = !view.by_ref && !view.lent && view.range.is_none() && !self.is_window(view);
        whole && copied && fixed && !view.prefix.is_empty()
    }

    /// Whether two arrays, vectors or rows, each of one side, can be copied into one.
    fn can_meet(&self, a: &View, b: &View) -> bool {
        let (x, y) = (self.s.b.func.buffer(a.buffer), self.s.b.func.buffer(b.buffer));
        let leaves = |view: &View| self.can_leave(view) || self.is_fixed_row(view);
        let same = |(p, q): (&Dim, &Dim)| match (p, q) {
            (Dim::Fixed(p), Dim::Fixed(q)) => p == q,
            (p, q) => !matches!(p, Dim::Fixed(_)) && !matches!(q, Dim::Fixed(_)),
        };
        let kinds = x.elem == y.elem || x.elem.is_float() && y.elem.is_float();
        if !kinds || !leaves(a) || !leaves(b) {
            return false;
        }
        let (x, y) = (&x.dims[a.prefix.len()..], &y.dims[b.prefix.len()..]);
        x.len() == y.len() && x.iter().zip(y).all(same)
    }

    /// The array or vector that the sides are copied into, declared in front of the branch.
    fn meet(&mut self, join: &mut Join, sides: [Option<View>; 2]) -> Joined {
        let made: Vec<&View> = sides.iter().flatten().collect();
        let Some(first) = made.first() else { return Joined::Known(Val::Never) };
        let like = self.s.b.func.buffer(first.buffer).clone();
        let known = |ty: &Type| *ty != Type::Float(FloatKind::Infer);
        let elems = made.iter().map(|v| self.s.b.func.buffer(v.buffer).elem.clone());
        let elem = elems.into_iter().find(known).unwrap_or(like.elem);
        let tainted = made.iter().any(|v| self.s.tainted_buffers.contains(&v.buffer));
        let mut dims = like.dims[first.prefix.len()..].to_vec();
        let vector = !matches!(dims[0], Dim::Fixed(_));
        if vector {
            dims[0] = Dim::Dyn(self.s.b.int("0_usize"));
        }
        let (sizes, name) = (like.sizes, like.name.clone());
        let fill = if sizes { self.s.b.int("0_usize") } else { self.dummy(&elem) };
        let data = BufferData { grows: vector, sizes, ..BufferData::new(name, elem, dims, Storage::Local) };
        let buffer = self.s.b.func.new_buffer(data);
        if tainted {
            self.s.tainted_buffers.insert(buffer);
        }
        self.s.b.effect(InstKind::Alloc { buffer, fill });
        let slot = vector.then(|| {
            join.types.push(Type::Int);
            join.names.push(None);
            join.taints.push(false);
            join.ints.push(Some("usize".into()));
            join.types.len() - 1
        });
        for (side, view) in sides.into_iter().enumerate() {
            if vector {
                // Set when the copy is emitted, at the end of the side.
                join.yields[side].push(None);
            }
            if let Some(from) = view {
                join.copies.push(Copy { side, from, to: buffer, slot });
            }
        }
        Joined::Meeting(buffer, slot)
    }

    /// The matrices that the sides end with: their elements leave in a vector, of which a matrix is made behind the branch.
    fn meet_flat(&mut self, join: &mut Join, sides: [Option<View>; 2]) -> Joined {
        let Some(first) = sides.iter().flatten().next().cloned() else { return Joined::Known(Val::Never) };
        let like = self.s.b.func.buffer(first.buffer).clone();
        let tainted = sides.iter().flatten().any(|v| self.s.tainted_buffers.contains(&v.buffer));
        let (zero, fill) = (self.s.b.int("0_usize"), self.dummy(&like.elem));
        let data = BufferData {
            grows: true,
            ..BufferData::new(like.name, like.elem, vec![Dim::Dyn(zero)], Storage::Local)
        };
        let buffer = self.s.b.func.new_buffer(data);
        if tainted {
            self.s.tainted_buffers.insert(buffer);
        }
        self.s.b.effect(InstKind::Alloc { buffer, fill });
        let slots = [(); 2].map(|()| {
            join.types.push(Type::Int);
            join.names.push(None);
            join.taints.push(false);
            join.ints.push(Some("usize".into()));
            join.types.len() - 1
        });
        for (side, view) in sides.into_iter().enumerate() {
            join.yields[side].extend([None, None]);
            if let Some(from) = view {
                join.flat.push(Flat { side, from, to: buffer, slots });
            }
        }
        Joined::Flat { buffer, slots, like: first }
    }

    /// The elements of a matrix, one after the other, and its extents.
    fn flatten(&mut self, flat: &Flat) -> [Value; 2] {
        let (n, m) = (self.len(&flat.from), self.extent(&flat.from, 1));
        let total = self.op(Op::Mul, &[n, m]);
        self.s.b.effect(InstKind::Grow { buffer: flat.to, len: total });
        let (from, to) = (flat.from.clone(), flat.to);
        self.for_each(&from.clone(), &mut Vec::new(), &mut |this, index| {
            let source = this.absolute(&from, index);
            let v = this.load(from.buffer, source);
            let start = this.op(Op::Mul, &[index[0], m]);
            let at = this.op(Op::Add, &[start, index[1]]);
            this.store(to, vec![at], v, StoreMode::Set);
        });
        [n, m]
    }

    /// The matrix of the elements that have left a branch.
    fn unflatten(&mut self, buffer: Buffer, dims: [Value; 2], like: &View) -> Val {
        let data = self.s.b.func.buffer(like.buffer).clone();
        let fill = self.dummy(&data.elem);
        let tainted = self.s.tainted_buffers.contains(&buffer);
        let [n, m] = dims;
        let made = BufferData::new(data.name, data.elem, vec![Dim::Dyn(n), Dim::Dyn(m)], Storage::Local);
        let made = self.s.b.func.new_buffer(made);
        self.s.b.effect(InstKind::Alloc { buffer: made, fill });
        if let Some(outer) = self.s.linear.get(&like.buffer).copied() {
            self.s.linear.insert(made, outer);
        }
        if self.s.arrays.contains(&like.buffer) {
            self.s.arrays.insert(made);
        }
        if tainted {
            self.s.tainted_buffers.insert(made);
        }
        let view = View { buffer: made, prefix: Vec::new(), range: None, by_ref: false, lent: false };
        self.for_each(&view.clone(), &mut Vec::new(), &mut |this, index| {
            let start = this.op(Op::Mul, &[index[0], m]);
            let at = this.op(Op::Add, &[start, index[1]]);
            let v = this.load(buffer, vec![at]);
            this.store(made, index.to_vec(), v, StoreMode::Set);
        });
        Val::View(view)
    }

    fn join(&mut self, join: &mut Join, t: Val, e: Val, var: Option<VarId>, span: Span) -> Joined {
        match (t, e) {
            (a, b) if a == b => Joined::Known(a),
            (Val::Never | Val::Unset, other) => self.one_side(join, 1, other, var, span),
            (other, Val::Never | Val::Unset) => self.one_side(join, 0, other, var, span),
            (Val::Scalar(a), Val::Scalar(b)) => {
                if let Some(var) = var
                    && [a, b].iter().any(|v| self.s.built.contains(v))
                {
                    let name = self.s.vars[var].name.clone();
                    self.refuse_building(&name, span);
                }
                join.refs.resize(join.types.len(), false);
                // A number and a reference to one: the number is meant.
                let refs = [a, b].map(|v| self.s.refs.contains(&v));
                if refs[0] != refs[1] {
                    join.derefs.insert(if refs[0] { a } else { b });
                }
                let slot = self.slot(join, &[a, b], var);
                join.refs.push(refs[0] && refs[1]);
                join.yields[0].push(Some(a));
                join.yields[1].push(Some(b));
                Joined::Slot(slot)
            }
            (a, b) if a.is_like(&b) => {
                let pairs = a.parts().unwrap_or_default().iter().zip(b.parts().unwrap_or_default());
                let pairs: Vec<(Val, Val)> = pairs.map(|(a, b)| (a.clone(), b.clone())).collect();
                Joined::Parts(a, pairs.into_iter().map(|(a, b)| self.join(join, a, b, None, span)).collect())
            }
            (Val::View(a), Val::View(b)) if self.is_window_of(&a, &b) || self.is_window_of(&b, &a) => {
                let [a, b] = [a, b].map(|v| Val::View(self.changeable(&v)));
                self.join(join, a, b, var, span)
            }
            (Val::View(a), Val::View(b)) if a.buffer == b.buffer && a.prefix.len() == b.prefix.len() => {
                let (a, b) = if a.range.is_none() == b.range.is_none() {
                    (a, b)
                } else {
                    // The whole as a range; its length is known where the branch ends too.
                    let (start, len) = (self.s.b.int("0"), self.len(&View { range: None, ..a.clone() }));
                    let whole = |v: View| View { range: v.range.or(Some((start, len))), ..v };
                    (whole(a), whole(b))
                };
                let mut slots = Vec::new();
                for (x, y) in a.scalars().into_iter().zip(b.scalars()) {
                    slots.push(if x == y {
                        None
                    } else {
                        let slot = self.slot(join, &[x, y], var);
                        join.yields[0].push(Some(x));
                        join.yields[1].push(Some(y));
                        Some(slot)
                    });
                }
                Joined::View(View { by_ref: a.by_ref || b.by_ref, ..a }, slots)
            }
            (Val::View(a), Val::View(b)) if self.can_meet(&a, &b) => self.meet(join, [Some(a), Some(b)]),
            (Val::View(a), Val::View(b))
                if self.is_matrix(&a) && self.is_matrix(&b) && self.is_linear(&a) == self.is_linear(&b) =>
            {
                self.meet_flat(join, [Some(a), Some(b)])
            }
            // Only what uses it afterwards is refused.
            (Val::Spent, _) | (_, Val::Spent) => Joined::Known(Val::Spent),
            (a, b) => {
                for (one, like) in [(&b, &a), (&a, &b)] {
                    match var {
                        Some(var) => self.want_like(var, &[], like),
                        // What a side ends with has a name where it was bound.
                        None => {
                            let named = (0..self.s.vars.len()).filter(|v| self.s.vars[*v].val == *one);
                            for var in named.collect::<Vec<_>>() {
                                self.want_like(var, &[], like);
                            }
                        }
                    }
                }
                self.error(
                    span,
                    "this is one array or slice in one branch and another in the other",
                    "choose an index instead, or write the elements into one local array in both branches",
                );
                Joined::Known(Val::Never)
            }
        }
    }

    /// A value that is there on one side only.
    fn one_side(&mut self, join: &mut Join, side: usize, val: Val, var: Option<VarId>, span: Span) -> Joined {
        match val {
            Val::Scalar(v) => {
                // There is nothing that a reference could point to on the other side.
                if self.s.refs.contains(&v) {
                    join.derefs.insert(v);
                }
                let slot = self.slot(join, &[v], var);
                join.yields[side].push(Some(v));
                join.yields[1 - side].push(None);
                Joined::Slot(slot)
            }
            val if val.parts().is_some() => {
                let list = val.parts().unwrap_or_default().to_vec();
                let list = list.into_iter().map(|v| self.one_side(join, side, v, None, span)).collect();
                Joined::Parts(val, list)
            }
            Val::View(view) => {
                let is_new = |v: &Value| v.0 >= join.first_new.0;
                let is_made = self.made_since(view.buffer, join.first_new);
                if !is_made && view.scalars().iter().any(is_new) {
                    // Indices made in the branch leave it as its results.
                    let mut slots = Vec::new();
                    for v in view.scalars() {
                        let slot = self.slot(join, &[v], var);
                        join.yields[side].push(Some(v));
                        join.yields[1 - side].push(None);
                        slots.push(Some(slot));
                    }
                    return Joined::View(view, slots);
                }
                if is_made && self.can_leave(&view) {
                    let mut sides = [None, None];
                    sides[side] = Some(view);
                    return self.meet(join, sides);
                }
                if is_made && self.is_matrix(&view) {
                    let mut sides = [None, None];
                    sides[side] = Some(view);
                    return self.meet_flat(join, sides);
                }
                if is_made {
                    self.error(
                        span,
                        "an array or slice that is made in one branch only cannot leave it",
                        "declare the array before the branch and write its elements in both branches",
                    );
                    return Joined::Known(Val::Never);
                }
                Joined::Known(Val::View(view))
            }
            other => Joined::Known(other),
        }
    }

    fn slot(&mut self, join: &mut Join, values: &[Value], var: Option<VarId>) -> usize {
        let types: Vec<Type> = values.iter().map(|v| self.s.b.func.ty(*v).clone()).collect();
        let known = |t: &&Type| matches!(t, Type::Float(k) if *k != FloatKind::Infer);
        let ty = types
            .iter()
            .find(known)
            .or_else(|| types.iter().find(|t| t.is_float()))
            .or_else(|| types.iter().find(|t| **t != Type::Opaque))
            .unwrap_or(&Type::Opaque)
            .clone();
        join.types.push(ty);
        join.ints.push(values.iter().find_map(|v| self.int_type(*v)));
        join.taints.push(values.iter().any(|v| self.is_tainted(*v)));
        join.names.push(var.map(|v| self.s.vars[v].name.clone()));
        join.types.len() - 1
    }

    /// The function's value where some paths have returned early through a flag.
    pub(super) fn merge_returned(&mut self, val: Val, flow: Flow) -> Val {
        let early = self.s.vars[self.return_value].val.clone();
        if flow == Flow::Never || matches!(val, Val::Never) {
            return if matches!(early, Val::Unset) { val } else { early };
        }
        if self.depth == 0 && self.sig.ret == Ret::Unit || matches!(early, Val::Unset) {
            return val;
        }
        let Val::Scalar(flag) = self.s.vars[self.returned].val else { return val };
        self.choose(flag, early, val)
    }

    /// `if flag { a } else { b }` of values that are in scope.
    pub(super) fn choose(&mut self, flag: Value, a: Val, b: Val) -> Val {
        match (a, b) {
            (Val::Scalar(a), Val::Scalar(b)) => {
                let (mut a, mut b) = (Val::Scalar(a), Val::Scalar(b));
                self.branch(
                    flag,
                    Span::call_site(),
                    &mut |_| (std::mem::replace(&mut a, Val::Never), Flow::Falls),
                    &mut |_| (std::mem::replace(&mut b, Val::Never), Flow::Falls),
                )
                .0
            }
            (a, b) if a == b => a,
            (a, b) if a.is_like(&b) => {
                let pairs = a.parts().unwrap_or_default().iter().zip(b.parts().unwrap_or_default());
                let pairs: Vec<(Val, Val)> = pairs.map(|(a, b)| (a.clone(), b.clone())).collect();
                a.with_parts(pairs.into_iter().map(|(a, b)| self.choose(flag, a, b)).collect())
            }
            (Val::Unset | Val::Never, b) => b,
            (a, Val::Unset | Val::Never) => a,
            (a, b) => {
                let (mut a, mut b) = (a, b);
                self.branch(
                    flag,
                    Span::call_site(),
                    &mut |_| (std::mem::replace(&mut a, Val::Never), Flow::Falls),
                    &mut |_| (std::mem::replace(&mut b, Val::Never), Flow::Falls),
                )
                .0
            }
        }
    }
}

/// One side of a branch, lowered.
struct Side {
    block: Block,
    after: Vec<Val>,
    val: Val,
    flow: Flow,
    diverges: bool,
}

/// The results of a join in the making.
struct Join {
    /// Values and buffers from these numbers on are made in the branches.
    first_new: (u32, u32),
    types: Vec<Type>,
    names: Vec<Option<Arc<str>>>,
    taints: Vec<bool>,
    ints: Vec<Option<Arc<str>>>,
    /// Which results are references to something foreign.
    refs: Vec<bool>,
    /// References that are read where a side ends.
    derefs: HashSet<Value>,
    /// Arrays that a side ends with, and where they go.
    copies: Vec<Copy>,
    flat: Vec<Flat>,
    yields: [Vec<Option<Value>>; 2],
}

/// A matrix that leaves a side of a branch in a vector.
#[derive(Clone)]
struct Flat {
    side: usize,
    from: View,
    to: Buffer,
    /// Which results its extents are.
    slots: [usize; 2],
}

/// An array that leaves a side of a branch.
#[derive(Clone)]
struct Copy {
    side: usize,
    from: View,
    to: Buffer,
    /// Which result its length is.
    slot: Option<usize>,
}

enum Joined {
    Known(Val),
    Slot(usize),
    /// Like the value, with other parts.
    Parts(Val, Vec<Joined>),
    /// A buffer that both sides were copied into, and which result its length is.
    Meeting(Buffer, Option<usize>),
    /// A matrix whose elements have left in this vector, and which results its extents are.
    Flat {
        buffer: Buffer,
        slots: [usize; 2],
        like: View,
    },
    /// The view, with some of its indices from the results.
    View(View, Vec<Option<usize>>),
}

impl Joined {
    fn resolve(self, lower: &mut Lower<'_>, results: &[Value], zero: Value) -> Val {
        match self {
            Joined::Known(val) => val,
            Joined::Slot(k) => Val::Scalar(results[k]),
            Joined::Parts(like, list) => {
                like.with_parts(list.into_iter().map(|j| j.resolve(lower, results, zero)).collect())
            }
            Joined::Meeting(buffer, slot) => {
                let range = slot.map(|k| (zero, results[k]));
                Val::View(View { buffer, prefix: Vec::new(), range, by_ref: false, lent: false })
            }
            Joined::Flat { buffer, slots, like } => {
                lower.unflatten(buffer, slots.map(|slot| results[slot]), &like)
            }
            Joined::View(mut view, slots) => {
                for (k, slot) in slots.into_iter().enumerate() {
                    if let Some(slot) = slot {
                        view.set_scalar(k, results[slot]);
                    }
                }
                Val::View(view)
            }
        }
    }
}
