//! Products look through copies: a factor that is a copy of another buffer, or a transposed one, is read where it was copied
//! from.
//!
//! ```text
//! for i { for j { t[i][j] = a[j][i] } }   product c = t · b      becomes      product c = aᵀ · b
//! ```
//!
//! The copy must be made beside the declaration of `t`, all of it from all of `a`; nothing else may write `t`, and nothing
//! after it, in its block, `a`. The copy is dead then, if nothing else reads it.

use rustc_hash::FxHashMap as HashMap;

use crate::analysis::overwrite::Defs;
use crate::ir::{Block, Buffer, Dim, Func, Inst, InstKind, Layout, Op, Storage, StoreMode, Value};

/// Runs the pass.
pub(crate) fn copies(mut func: Func) -> Func {
    let mut factors: HashMap<Buffer, usize> = HashMap::default();
    func.body.visit(&mut |inst| {
        if let InstKind::Product(p) = &inst.kind {
            for f in [&p.a, &p.b] {
                factors.insert(f.buffer, 0);
            }
        }
    });
    if factors.is_empty() {
        return func;
    }
    func.body.visit(&mut |inst| {
        for b in inst.kind.writes() {
            factors.entry(b).and_modify(|n| *n += 1);
        }
    });
    let mut sources: HashMap<Buffer, (Buffer, bool)> = HashMap::default();
    let pass = Pass { func: &func, defs: Defs::new(&func), factors };
    pass.block(&func.body, &mut sources);
    func.body.visit_mut(&mut |inst| {
        if let InstKind::Product(p) = &mut inst.kind {
            for f in [&mut p.a, &mut p.b] {
                // Copies of copies.
                while let Some((of, transposed)) = sources.get(&f.buffer) {
                    f.buffer = *of;
                    f.transposed ^= transposed;
                }
            }
        }
    });
    func
}

struct Pass<'a> {
    func: &'a Func,
    defs: Defs<'a>,
    /// What stands in products, and how many instructions write it.
    factors: HashMap<Buffer, usize>,
}

impl Pass<'_> {
    fn block(&self, block: &Block, sources: &mut HashMap<Buffer, (Buffer, bool)>) {
        for (at, inst) in block.insts.iter().enumerate() {
            inst.kind.blocks().for_each(|b| self.block(b, sources));
            let InstKind::Alloc { buffer, .. } = inst.kind else { continue };
            if self.factors.get(&buffer) != Some(&1) {
                continue;
            }
            let Some(first) = (at + 1..block.insts.len()).find(|k| block.insts[*k].touches(buffer)) else {
                continue;
            };
            let Some((of, transposed)) = self.copied(&block.insts[first], buffer) else { continue };
            let changed = block.insts[first + 1..]
                .iter()
                .any(|i| i.kind.writes().contains(&of) || i.kind.blocks().any(|b| b.writes().contains(&of)));
            if !changed {
                sources.insert(buffer, (of, transposed));
            }
        }
    }

    /// What a loop nest copies into all of a buffer, and whether it transposes it.
    fn copied(&self, inst: &Inst, to: Buffer) -> Option<(Buffer, bool)> {
        let axes = self.func.buffer(to).dims.len();
        let mut variables = Vec::new();
        let mut inst = inst;
        while variables.len() < axes {
            let InstKind::For(l) = &inst.kind else { return None };
            if !self.defs.covers(l, to, variables.len()) || !l.inits.is_empty() || l.body.diverges {
                return None;
            }
            variables.push(l.body.args[0]);
            // The loop inside, or the load and the store.
            let mut rest = l
                .body
                .insts
                .iter()
                .filter(|i| !matches!(i.kind, InstKind::Pure(Op::Int(_) | Op::Len(..), _)));
            let (next, after) = (rest.next()?, rest.next());
            match (&next.kind, after.map(|i| &i.kind), rest.next()) {
                (InstKind::For(_), None, None) => inst = next,
                (
                    InstKind::Load { buffer, index },
                    Some(InstKind::Store { buffer: into, index: place, value, mode: StoreMode::Set }),
                    None,
                ) if variables.len() == axes
                    && *into == to
                    && *value == next.results[0]
                    && *place == variables =>
                {
                    return self.is_whole(*buffer, index, to, &variables).map(|t| (*buffer, t));
                }
                _ => return None,
            }
        }
        None
    }

    /// Whether an index runs over all of a buffer: in order, or transposed.
    fn is_whole(&self, of: Buffer, index: &[Value], to: Buffer, variables: &[Value]) -> Option<bool> {
        let data = self.func.buffer(of);
        let fixed = data.dims.iter().all(|d| matches!(d, Dim::Fixed(_)));
        let plain = data.layout != Layout::Nested || data.dims.len() == 1 || fixed;
        if of == to
            || !plain
            || data.grows
            || data.field.is_some()
            || !matches!(data.storage, Storage::Shared | Storage::Local)
            || data.dims.len() != variables.len()
        {
            return None;
        }
        let transposed = index.len() == 2 && index[0] == variables[1] && index[1] == variables[0];
        if !transposed && index != variables {
            return None;
        }
        let last = variables.len() - 1;
        let same = (0..=last).all(|axis| {
            let from = if transposed { last - axis } else { axis };
            self.defs.is_extent(&self.func.buffer(to).dims[axis], of, from)
        });
        same.then_some(transposed)
    }
}
