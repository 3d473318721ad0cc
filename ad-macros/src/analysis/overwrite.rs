//! Which code sets every element of a buffer: loops over its whole length, fills, stores at all constant indices; and which
//! loops have a part of a buffer for each round.

use std::collections::BTreeSet;

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use super::definitions::{Definitions, literal};

use crate::ir::{Binary, Buffer, Dim, ForLoop, Func, Inst, InstKind, Op, StoreMode, Value, ValueMap};

/// The definitions of a function's values, to look through them.
pub(crate) struct Defs<'a> {
    func: &'a Func,
    defs: ValueMap<&'a Inst>,
}

impl<'a> Defs<'a> {
    pub(crate) fn new(func: &'a Func) -> Defs<'a> {
        let mut defs = ValueMap::default();
        func.body.visit(&mut |inst| inst.results.iter().for_each(|r| defs.insert(*r, inst)));
        Defs { func, defs }
    }

    /// Whether a loop runs over exactly `0 .. length of axis`.
    pub(crate) fn covers(&self, l: &ForLoop, b: Buffer, axis: usize) -> bool {
        if l.inclusive || l.step.is_some() || !self.is_zero(l.lo) {
            return false;
        }
        match &self.func.buffer(b).dims[axis] {
            Dim::Dyn(v) => self.same(*v, l.hi),
            Dim::Fixed(n) => self.literal(l.hi).is_some_and(|text| text == **n),
            Dim::Slice => matches!(self.def(l.hi), Some(Op::Len(of, a)) if *of == b && *a == axis),
        }
    }

    /// Whether an axis is as long as that axis of a buffer, for sure.
    pub(crate) fn is_extent(&self, dim: &Dim, of: Buffer, axis: usize) -> bool {
        match (dim, &self.func.buffer(of).dims[axis]) {
            (Dim::Fixed(a), Dim::Fixed(b)) => a == b,
            (Dim::Dyn(a), Dim::Dyn(b)) => self.same(*a, *b),
            (Dim::Dyn(a), Dim::Slice) => {
                matches!(self.def(*a), Some(Op::Len(b, k)) if *b == of && *k == axis)
            }
            (Dim::Dyn(v), Dim::Fixed(n)) | (Dim::Fixed(n), Dim::Dyn(v)) => {
                self.literal(*v).is_some_and(|text| text == **n)
            }
            _ => false,
        }
    }

    /// The instruction that makes a value.
    pub(crate) fn inst(&self, v: Value) -> Option<&'a Inst> {
        self.defs.get(&v).copied()
    }

    fn def(&self, v: Value) -> Option<&'a Op> {
        match &self.defs.get(&v)?.kind {
            InstKind::Pure(op, _) => Some(op),
            _ => None,
        }
    }
    /// The text of an integer literal or constant, without suffix or blanks.
    pub(crate) fn literal(&self, v: Value) -> Option<String> {
        let InstKind::Pure(op, args) = &self.defs.get(&v)?.kind else { return None };
        let text = match op {
            Op::Int(text) => text.to_string(),
            // With operands, the same text may be another number.
            Op::Verbatim(verbatim) if verbatim.buffers.is_empty() && args.is_empty() => {
                verbatim.code.to_string()
            }
            _ => return None,
        };
        Some(text.trim_end_matches("usize").trim_end_matches('_').to_string())
    }
    fn is_zero(&self, v: Value) -> bool {
        self.literal(v).is_some_and(|t| t == "0")
    }
    /// `c` for `min(c, n / (n / c))`: as many parts of length `n / c` has what is `n` long at least, if it is cut into such at all.
    fn without_chunks(&self, v: Value) -> Value {
        let div = |v: Value| match &self.defs.get(&v)?.kind {
            InstKind::Pure(Op::Div, args) => Some((args[0], args[1])),
            _ => None,
        };
        let Some(InstKind::Pure(Op::Binary(Binary::Min), args)) = self.defs.get(&v).map(|inst| &inst.kind)
        else {
            return v;
        };
        let is_parts = |c: Value, parts: Value| div(parts).is_some_and(|(n, by)| div(by) == Some((n, c)));
        match args[..] {
            [c, parts] | [parts, c] if is_parts(c, parts) => c,
            _ => v,
        }
    }
    /// Whether two values are equal for sure. Value numbering has run before, so this need not look far.
    fn same(&self, a: Value, b: Value) -> bool {
        let (a, b) = (self.without_chunks(a), self.without_chunks(b));
        a == b || matches!((self.literal(a), self.literal(b)), (Some(a), Some(b)) if a == b)
    }

    /// Whether it makes no difference to these instructions what `b` holds before them: they wholly overwrite it before they
    /// read any of it, all together, or each round of a loop in which it is touched for itself.
    pub(crate) fn overwrites_first(&self, insts: &[Inst], b: Buffer) -> bool {
        let mut constants: BTreeSet<String> = BTreeSet::new();
        let mut in_rounds = false;
        for inst in insts {
            match &inst.kind {
                InstKind::Fill { buffer, .. } | InstKind::PopBuffer { buffer, .. } if *buffer == b => {
                    return true;
                }
                InstKind::Product(p) if p.into.buffer == b && p.mode == StoreMode::Set => return true,
                InstKind::Store { buffer, index, mode: StoreMode::Set, .. } if *buffer == b => {
                    // b[0] = ..; b[1] = ..; up to the constant length
                    let (Dim::Fixed(n), [i]) = (&self.func.buffer(b).dims[0], index.as_slice()) else {
                        return false;
                    };
                    let (Some(i), Ok(n)) = (self.literal(*i), n.parse::<usize>()) else { return false };
                    constants.insert(i);
                    if (0..n).all(|k| constants.contains(&k.to_string())) {
                        return true;
                    }
                }
                InstKind::For(l) if self.overwrites(l, b, &mut Vec::new()) => return true,
                kind => {
                    if !touches(inst, b) {
                        continue;
                    }
                    match kind {
                        // Without rounds it reads nothing; each round sees what it has made itself.
                        InstKind::For(l) if self.overwrites_first(&l.body.insts, b) => in_rounds = true,
                        _ => return false,
                    }
                }
            }
        }
        // What single stores have left is mixed with what was there.
        in_rounds && constants.is_empty()
    }

    /// Whether a loop (nest) does nothing with `b` but set a place by its variables, in each round.
    pub(crate) fn sets_each(&self, l: &ForLoop, b: Buffer) -> bool {
        let mut variables = Vec::new();
        let mut body = &l.body;
        let mut variable = l.body.args[0];
        loop {
            variables.push(variable);
            let mut touching = body.insts.iter().filter(|inst| inst.touches(b));
            match (touching.next().map(|inst| &inst.kind), touching.next()) {
                (Some(InstKind::Store { index, mode: StoreMode::Set, .. }), None) => {
                    return *index == variables;
                }
                (Some(InstKind::For(inner)), None) => {
                    body = &inner.body;
                    variable = inner.body.args[0];
                }
                _ => return false,
            }
        }
    }

    /// Whether a loop (nest) sets every element of `b` and reads none before: `for i in 0..len { b[i] = .. }`.
    fn overwrites(&self, l: &ForLoop, b: Buffer, variables: &mut Vec<Value>) -> bool {
        let axis = variables.len();
        if axis == 0 && self.overwrites_flat(l, b, &mut Vec::new()) {
            return true;
        }
        if axis >= self.func.buffer(b).dims.len() || l.body.reads().contains(&b) || !self.covers(l, b, axis) {
            return false;
        }
        variables.push(l.body.args[0]);
        let found = l.body.insts.iter().any(|inst| match &inst.kind {
            InstKind::Store { buffer, index, mode: StoreMode::Set, .. } => *buffer == b && index == variables,
            InstKind::For(inner) => self.overwrites(inner, b, variables),
            _ => false,
        });
        variables.pop();
        found
    }
}

impl Defs<'_> {
    /// The same of a vector that a nest runs over row by row: `for c in 0..k { for r in 0..d { b[c * d + r] = .. } }`, of length
    /// `k * d`.
    fn overwrites_flat(&self, l: &ForLoop, b: Buffer, loops: &mut Vec<(Value, Value)>) -> bool {
        let [Dim::Dyn(len)] = self.func.buffer(b).dims.as_slice() else { return false };
        if l.inclusive || l.step.is_some() || !self.is_zero(l.lo) || l.body.reads().contains(&b) {
            return false;
        }
        loops.push((l.body.args[0], l.hi));
        let found = l.body.insts.iter().any(|inst| match &inst.kind {
            InstKind::Store { buffer, index, mode: StoreMode::Set, .. } => {
                *buffer == b && self.is_flat(index[0], loops) && self.is_product(*len, loops)
            }
            InstKind::For(inner) => self.overwrites_flat(inner, b, loops),
            _ => false,
        });
        loops.pop();
        found
    }

    fn operands(&self, v: Value, wanted: impl Fn(&Op) -> bool) -> Option<&[Value]> {
        match &self.defs.get(&v)?.kind {
            InstKind::Pure(op, args) if wanted(op) => Some(args),
            _ => None,
        }
    }

    /// `(i * m + j) * n + k` of the variables of these loops.
    fn is_flat(&self, index: Value, loops: &[(Value, Value)]) -> bool {
        let Some(((variable, rounds), outer)) = loops.split_last() else { return false };
        if outer.is_empty() {
            return index == *variable;
        }
        let Some([row, last]) = self.operands(index, |op| matches!(op, Op::Add)) else { return false };
        let Some([row, width]) = self.operands(*row, |op| matches!(op, Op::Mul)) else { return false };
        last == variable && self.same(*width, *rounds) && self.is_flat(*row, outer)
    }

    /// `l * m * n` of the rounds of these loops.
    fn is_product(&self, len: Value, loops: &[(Value, Value)]) -> bool {
        let Some(((_, rounds), outer)) = loops.split_last() else { return false };
        if outer.is_empty() {
            return self.same(len, *rounds);
        }
        match self.operands(len, |op| matches!(op, Op::Mul)) {
            Some([rows, width]) => self.same(*width, *rounds) && self.is_product(*rows, outer),
            _ => false,
        }
    }
}

fn touches(inst: &Inst, b: Buffer) -> bool {
    inst.kind.reads().contains(&b)
        || inst.kind.writes().contains(&b)
        || inst.kind.blocks().any(|n| n.reads().contains(&b) || n.writes().contains(&b))
}

/// Which part of a buffer each round of a loop has to itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Part {
    /// `b[i]`, with all that is in it, or `b[k][i]` with these indices in front.
    Along(Vec<Value>),
    /// `b[offset + i]`
    Behind(Value),
    /// `b[i * width + r]` for `r` in `0..width`: a row of a matrix that lies flat.
    Row(Value),
}

/// The part of a buffer that a round of a loop touches, if no other round touches it.
pub(crate) fn part_of_round(defs: &Definitions, l: &ForLoop, buffer: Buffer) -> Option<Part> {
    let variable = l.body.args[0];
    let mut inside: HashSet<Value> = l.body.args.iter().copied().collect();
    // Variables of loops inside that count from zero, and where to.
    let mut counts: HashMap<Value, Value> = HashMap::default();
    l.body.visit(&mut |inst| {
        inside.extend(inst.results.iter().copied());
        for block in inst.kind.blocks() {
            inside.extend(block.args.iter().copied());
        }
        if let InstKind::For(inner) = &inst.kind
            && !inner.inclusive
            && literal(defs, inner.lo) == Some(0)
        {
            counts.insert(inner.body.args[0], inner.hi);
        }
    });
    let part = |index: &[Value]| -> Option<Part> {
        if let Some(axis) = index.iter().position(|i| *i == variable)
            && index[..axis].iter().all(|i| !inside.contains(i))
        {
            return Some(Part::Along(index[..axis].to_vec()));
        }
        let ([index], false) = (index, inside.is_empty()) else { return None };
        let (Op::Add, sum) = defs.get(index)? else { return None };
        match (sum[0] == variable, sum[1] == variable) {
            (true, false) if !inside.contains(&sum[1]) => return Some(Part::Behind(sum[1])),
            (false, true) if !inside.contains(&sum[0]) => return Some(Part::Behind(sum[0])),
            _ => {}
        }
        let width = *counts.get(&sum[1])?;
        match defs.get(&sum[0])? {
            (Op::Mul, row) if *row == [variable, width] && !inside.contains(&width) => Some(Part::Row(width)),
            _ => None,
        }
    };
    let mut found = None;
    let mut all = true;
    l.body.visit(&mut |inst| match &inst.kind {
        InstKind::Load { buffer: b, index } | InstKind::Store { buffer: b, index, .. } if *b == buffer => {
            let here = part(index);
            all &= here.is_some() && (found.is_none() || found == here);
            found = here;
        }
        InstKind::Pure(Op::Len(..), _) => {}
        kind => kind.each_buffer(|b| all &= b != buffer),
    });
    found.filter(|_| all)
}
