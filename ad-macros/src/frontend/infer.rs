//! Which float each float is: unsuffixed literals, and what is made of them, take the kind of what they meet. What came
//! from verbatim Rust is a float where it meets one: it would be lost to differentiation otherwise.

use crate::ir::{Binding, Block, Buffer, FloatKind, Func, Inst, InstKind, Op, Type, Value};

/// Resolves every `FloatKind::Infer`.
pub(super) fn infer(mut func: Func) -> Func {
    while opaque_to_float(&mut func) {}
    let default = func
        .params
        .iter()
        .find_map(|p| match p.binding {
            Binding::Value(v) => kind_of(func.ty(v)),
            Binding::Buffer(b) => kind_of(&func.buffer(b).elem),
        })
        // No literal is of a generic type by itself.
        .filter(|kind| !matches!(kind, FloatKind::Param(_)))
        .unwrap_or(FloatKind::F64);
    let values = func.values.len();
    // One class for each value, then one for each buffer.
    let mut classes = Classes { parent: (0..values + func.buffers.len()).collect() };
    in_block(&func, &func.body, &mut classes);
    let mut kinds: Vec<Option<FloatKind>> = vec![None; classes.parent.len()];
    for i in 0..kinds.len() {
        let ty = if i < values { &func.values[i].ty } else { &func.buffers[i - values].elem };
        if let Some(kind) = kind_of(ty) {
            let root = classes.root(i);
            kinds[root].get_or_insert(kind);
        }
    }
    let mut resolve = |i: usize, ty: &mut Type| {
        if *ty == Type::Float(FloatKind::Infer) {
            *ty = Type::Float(kinds[classes.root(i)].clone().unwrap_or_else(|| default.clone()));
        }
    };
    for i in 0..values {
        resolve(i, &mut func.values[i].ty);
    }
    for i in 0..func.buffers.len() {
        resolve(values + i, &mut func.buffers[i].elem);
    }
    pin_indices(&mut func);
    func
}

/// Gives literals that must be `usize` their suffix, where a variable or a loop starts from them.
fn pin_indices(func: &mut Func) {
    let n = func.values.len();
    // One class more than there are values: `usize`.
    let mut classes = Classes { parent: (0..=n).collect() };
    let mut starts: Vec<Value> = Vec::new();
    func.body.visit(&mut |inst| {
        let mut join = |a: Value, b: Option<Value>| classes.join(a.0 as usize, b.map_or(n, |b| b.0 as usize));
        match &inst.kind {
            InstKind::Pure(op, args) => match op {
                Op::Len(..) => join(inst.results[0], None),
                Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Rem if !func.is_float(inst.results[0]) => {
                    args.iter().for_each(|a| join(*a, Some(inst.results[0])));
                }
                Op::Cmp(_) if args.iter().all(|a| !func.is_float(*a)) => join(args[0], Some(args[1])),
                Op::Int(_) if func.value(inst.results[0]).name.is_some() => starts.push(inst.results[0]),
                _ => {}
            },
            InstKind::Load { index, .. } | InstKind::Store { index, .. } => {
                index.iter().for_each(|i| join(*i, None));
            }
            InstKind::Alloc { buffer, .. } => {
                crate::ir::walk::dim_values(&func.buffer(*buffer).dims).for_each(|v| join(v, None));
            }
            InstKind::If { then_block, else_block, .. } => {
                for block in [then_block, else_block] {
                    inst.results.iter().zip(&block.yields).for_each(|(r, y)| join(*r, Some(*y)));
                    starts.extend(&block.yields);
                }
            }
            InstKind::For(l) => {
                join(l.lo, Some(l.hi));
                join(l.lo, Some(l.body.args[0]));
                starts.extend([l.lo, l.hi]);
                starts.extend(&l.inits);
                for (k, r) in inst.results.iter().enumerate() {
                    join(*r, Some(l.inits[k]));
                    join(*r, Some(l.body.args[k + 1]));
                    l.body.yields.get(k).into_iter().for_each(|y| join(*r, Some(*y)));
                }
            }
            InstKind::While { inits, cond_block, body } => {
                starts.extend(inits);
                for (k, r) in inst.results.iter().enumerate() {
                    join(*r, Some(inits[k]));
                    join(*r, Some(cond_block.args[k]));
                    join(*r, Some(body.args[k]));
                    body.yields.get(k).into_iter().for_each(|y| join(*r, Some(*y)));
                }
            }
            _ => {}
        }
    });
    let usize_class = classes.root(n);
    let pinned: Vec<Value> =
        starts.into_iter().filter(|v| classes.root(v.0 as usize) == usize_class).collect();
    func.body.visit_mut(&mut |inst| {
        if let InstKind::Pure(Op::Int(text), _) = &mut inst.kind
            && pinned.contains(&inst.results[0])
            && text.chars().all(|c| c.is_ascii_digit() || c == '_')
        {
            *text = format!("{}_usize", text.trim_end_matches('_')).into();
        }
    });
}

/// Gives opaque places the float type of what is put into them, and opaque results that of their operands. Whether
/// anything has changed.
fn opaque_to_float(func: &mut Func) -> bool {
    let mut values: Vec<(Value, Type)> = Vec::new();
    let mut buffers: Vec<(Buffer, Type)> = Vec::new();
    func.body.visit(&mut |inst| {
        let float = |list: &[Value]| list.iter().map(|v| func.ty(*v)).find(|t| t.is_float()).cloned();
        // Groups of values that are of one type, and where to find it.
        let mut groups: Vec<(Option<Type>, Vec<Value>)> = Vec::new();
        match &inst.kind {
            InstKind::Pure(op, args) => {
                let of = match op {
                    Op::Cast(_) | Op::Verbatim(_) | Op::Custom(_) | Op::Test(_) | Op::Cmp(_) => None,
                    Op::Select => float(&args[1..]),
                    _ => float(args),
                };
                groups.push((of, inst.results.clone()));
            }
            InstKind::Load { buffer, .. } => {
                let elem = &func.buffer(*buffer).elem;
                groups.push((elem.is_float().then(|| elem.clone()), inst.results.clone()));
            }
            InstKind::Store { buffer, value, .. }
            | InstKind::Fill { buffer, value }
            | InstKind::Alloc { buffer, fill: value } => {
                if let (Type::Opaque, Some(ty)) = (&func.buffer(*buffer).elem, float(&[*value])) {
                    buffers.push((*buffer, ty));
                }
            }
            InstKind::Product(p) => {
                let elems = p.factors().map(|f| (f.buffer, func.buffer(f.buffer).elem.clone()));
                if let Some((_, ty)) = elems.iter().find(|(_, ty)| ty.is_float()) {
                    let opaque = elems.iter().filter(|(_, ty)| *ty == Type::Opaque);
                    buffers.extend(opaque.map(|(b, _)| (*b, ty.clone())));
                }
            }
            InstKind::If { then_block, else_block, .. } => {
                for (k, r) in inst.results.iter().enumerate() {
                    let yields = [then_block, else_block].map(|b| b.yields.get(k).copied());
                    let yields: Vec<Value> = yields.into_iter().flatten().collect();
                    groups.push((float(&yields), vec![*r]));
                }
            }
            InstKind::For(_) | InstKind::While { .. } => {
                let (inits, first) = match &inst.kind {
                    InstKind::For(l) => (&l.inits, 1),
                    InstKind::While { inits, .. } => (inits, 0),
                    _ => return,
                };
                let blocks = inst.kind.blocks();
                for (k, r) in inst.results.iter().enumerate() {
                    let mut carried = vec![*r];
                    carried.extend(blocks.clone().map(|b| b.args[first + k]));
                    // A condition yields something else.
                    let yielded = blocks.clone().last().and_then(|b| b.yields.get(k).copied());
                    let all: Vec<Value> = carried.iter().copied().chain(yielded).chain([inits[k]]).collect();
                    groups.push((float(&all), carried));
                }
            }
            _ => {}
        }
        for (ty, list) in groups {
            let Some(ty) = ty else { continue };
            let opaque = list.into_iter().filter(|v| *func.ty(*v) == Type::Opaque);
            values.extend(opaque.map(|v| (v, ty.clone())));
        }
    });
    let changed = !values.is_empty() || !buffers.is_empty();
    for (v, ty) in values {
        func.values[v.0 as usize].ty = ty;
    }
    for (b, ty) in buffers {
        func.buffers[b.0 as usize].elem = ty;
    }
    changed
}

fn kind_of(ty: &Type) -> Option<FloatKind> {
    match ty {
        Type::Float(FloatKind::Infer) => None,
        Type::Float(kind) => Some(kind.clone()),
        _ => None,
    }
}

struct Classes {
    parent: Vec<usize>,
}

impl Classes {
    fn root(&mut self, mut i: usize) -> usize {
        while self.parent[i] != i {
            self.parent[i] = self.parent[self.parent[i]];
            i = self.parent[i];
        }
        i
    }
    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.root(a), self.root(b));
        self.parent[a] = b;
    }
}

fn in_block(func: &Func, block: &Block, classes: &mut Classes) {
    for inst in &block.insts {
        in_inst(func, inst, classes);
        for nested in inst.kind.blocks() {
            in_block(func, nested, classes);
        }
    }
}

fn in_inst(func: &Func, inst: &Inst, classes: &mut Classes) {
    let values = func.values.len();
    let mut join = |list: &[Value]| {
        let floats: Vec<usize> = list.iter().filter(|v| func.is_float(**v)).map(|v| v.0 as usize).collect();
        floats.windows(2).for_each(|w| classes.join(w[0], w[1]));
        floats.first().copied()
    };
    match &inst.kind {
        InstKind::Pure(op, args) => match op {
            Op::Cast(_) | Op::Verbatim(_) | Op::Custom(_) | Op::Test(_) => {}
            Op::Cmp(_) => {
                join(args);
            }
            Op::Powi => {
                join(&[args[0], inst.results[0]]);
            }
            _ => {
                join(&[args.as_slice(), &inst.results].concat());
            }
        },
        InstKind::Load { buffer, .. } => {
            if let Some(v) = join(&inst.results) {
                classes.join(v, values + buffer.0 as usize);
            }
        }
        InstKind::Store { buffer, value, .. }
        | InstKind::Fill { buffer, value }
        | InstKind::Alloc { buffer, fill: value } => {
            if let Some(v) = join(&[*value])
                && func.buffer(*buffer).elem.is_float()
            {
                classes.join(v, values + buffer.0 as usize);
            }
        }
        InstKind::Product(p) => {
            let [into, a, b] = p.factors().map(|f| values + f.buffer.0 as usize);
            classes.join(a, into);
            classes.join(b, into);
        }
        InstKind::If { then_block, else_block, .. } => {
            for (k, r) in inst.results.iter().enumerate() {
                for block in [then_block, else_block] {
                    if let Some(y) = block.yields.get(k) {
                        join(&[*r, *y]);
                    }
                }
            }
        }
        InstKind::For(l) => {
            for (k, r) in inst.results.iter().enumerate() {
                join(&[*r, l.inits[k], l.body.args[k + 1]]);
                if let Some(y) = l.body.yields.get(k) {
                    join(&[*r, *y]);
                }
            }
        }
        InstKind::While { inits, cond_block, body } => {
            for (k, r) in inst.results.iter().enumerate() {
                join(&[*r, inits[k], cond_block.args[k], body.args[k]]);
                if let Some(y) = body.yields.get(k) {
                    join(&[*r, *y]);
                }
            }
        }
        _ => {}
    }
}
