//! Which code sets every element of a buffer: loops over its whole length, fills, stores at all constant indices.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap as HashMap;

use crate::ir::{Buffer, Dim, ForLoop, Func, Inst, InstKind, Op, StoreMode, Value};

/// The definitions of a function's values, to look through them.
pub(crate) struct Defs<'a> {
    func: &'a Func,
    defs: HashMap<Value, &'a Inst>,
}

impl<'a> Defs<'a> {
    pub(crate) fn new(func: &'a Func) -> Defs<'a> {
        let mut defs = HashMap::default();
        func.body.visit(&mut |inst| defs.extend(inst.results.iter().map(|r| (*r, inst))));
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
                verbatim.tokens.to_string()
            }
            _ => return None,
        };
        Some(text.trim_end_matches("usize").trim_end_matches('_').to_string())
    }
    fn is_zero(&self, v: Value) -> bool {
        self.literal(v).is_some_and(|t| t == "0")
    }
    /// Whether two values are equal for sure. Value numbering has run before, so this need not look far.
    fn same(&self, a: Value, b: Value) -> bool {
        a == b || matches!((self.literal(a), self.literal(b)), (Some(a), Some(b)) if a == b)
    }

    /// Whether these instructions wholly overwrite `b` before they read any of it.
    pub(crate) fn overwrites_first(&self, insts: &[Inst], b: Buffer) -> bool {
        let mut constants: BTreeSet<String> = BTreeSet::new();
        for inst in insts {
            match &inst.kind {
                InstKind::Fill { buffer, .. } if *buffer == b => return true,
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
                    let touches = kind.reads().contains(&b)
                        || kind.writes().contains(&b)
                        || kind.blocks().iter().any(|n| n.reads().contains(&b) || n.writes().contains(&b));
                    if touches {
                        return false;
                    }
                }
            }
        }
        false
    }

    /// Whether a loop (nest) sets every element of `b` and reads none before: `for i in 0..len { b[i] = .. }`.
    fn overwrites(&self, l: &ForLoop, b: Buffer, variables: &mut Vec<Value>) -> bool {
        let axis = variables.len();
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
