//! Loops of few rounds over small arrays are written out, if then each element of the arrays is asked for by a number, so that
//! [`super::scalars`] makes scalars of them. Other loops of few rounds stay: LLVM unrolls them as well as this would.

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use super::fold::fold;
use super::round::Round;
use super::scalars::{candidates, place};
use crate::analysis::definitions::{Definitions, definitions, literal};
use crate::analysis::sizes::sizes;
use crate::ir::{Block, Buffer, ForLoop, Func, Inst, InstKind, Op, Value};

/// Loops of more rounds stay.
const ROUNDS: u64 = 4;
/// What is written out of one nest has no more instructions than this.
const LARGEST: usize = 256;

/// Runs the pass.
pub(crate) fn unroll(func: Func) -> Func {
    let arrays = candidates(&func);
    if arrays.is_empty() {
        return func;
    }
    let defs = definitions(&func);
    let mut short = Short { defs: &defs, sizes: sizes(&func), rounds: HashMap::default() };
    short.block(&func.body);
    if short.rounds.is_empty() {
        return func;
    }
    // Arrays all of whose indices are numbers once short loops are written out.
    let mut chosen: HashSet<Buffer> = arrays.keys().copied().collect();
    func.body.visit(&mut |inst| {
        if let InstKind::Load { buffer, index } | InstKind::Store { buffer, index, .. } = &inst.kind
            && !index.iter().all(|i| short.is_number(*i, 0))
        {
            chosen.remove(buffer);
        }
    });
    // The loops that it takes.
    let mut loops: HashSet<Value> = HashSet::default();
    func.body.visit(&mut |inst| {
        if let InstKind::Load { buffer, index } | InstKind::Store { buffer, index, .. } = &inst.kind
            && chosen.contains(buffer)
        {
            index.iter().for_each(|i| short.variables(*i, &mut loops));
        }
    });
    if loops.is_empty() {
        return func;
    }
    let rounds = short.rounds;
    let mut after = func.clone();
    let mut body = std::mem::take(&mut after.body);
    let mut write = Write { func: &mut after, rounds: &rounds, loops: &loops, same: HashMap::default() };
    write.block(&mut body);
    let same = write.same;
    after.body = body;
    after.replace_values(&same);
    let after = fold(after);
    // Arithmetic that is left between numbers overflows, and an index that is left is out of bounds: both are to panic where they
    // did.
    if is_settled(&after, &chosen, &arrays) { after } else { func }
}

/// Whether nothing is left to compute of numbers, and all elements of these arrays (or copies of them) are asked for by numbers.
fn is_settled(func: &Func, chosen: &HashSet<Buffer>, arrays: &HashMap<Buffer, Vec<usize>>) -> bool {
    let defs = definitions(func);
    let number = |v: &Value| literal(&defs, *v).is_some();
    let mut settled = true;
    func.body.visit(&mut |inst| match &inst.kind {
        InstKind::Pure(Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Rem, args) => {
            settled &= !args.iter().all(number);
        }
        InstKind::Load { buffer, index } | InstKind::Store { buffer, index, .. } => {
            if let Some(extents) = arrays.get(buffer).filter(|_| chosen.contains(buffer)) {
                settled &= place(&defs, extents, index).is_some();
            }
        }
        _ => {}
    });
    settled
}

/// Loops of few rounds.
struct Short<'a> {
    defs: &'a Definitions,
    sizes: HashSet<Value>,
    /// The numbers that the variables of such loops go through.
    rounds: HashMap<Value, Vec<u64>>,
}

impl Short<'_> {
    /// How many instructions a block has when they are written out.
    fn block(&mut self, block: &Block) -> usize {
        block.insts.iter().map(|inst| self.inst(inst)).sum()
    }

    fn inst(&mut self, inst: &Inst) -> usize {
        let size = 1 + inst.kind.blocks().map(|b| self.block(b)).sum::<usize>();
        let InstKind::For(l) = &inst.kind else { return size };
        let Some(rounds) = self.rounds_of(l) else { return size };
        let all = size * rounds.len().max(1);
        if all > LARGEST {
            return size;
        }
        self.rounds.insert(l.body.args[0], rounds);
        all
    }

    fn rounds_of(&self, l: &ForLoop) -> Option<Vec<u64>> {
        let (lo, hi) = (literal(self.defs, l.lo)?, literal(self.defs, l.hi)?);
        let fits = hi.checked_sub(lo)? <= ROUNDS && !l.inclusive && l.step.is_none();
        if !fits || l.body.diverges || !self.sizes.contains(&l.body.args[0]) {
            return None;
        }
        let up = lo..hi;
        Some(if l.rev == l.flipped { up.collect() } else { up.rev().collect() })
    }

    /// Whether a value is a number once short loops are written out.
    fn is_number(&self, v: Value, depth: usize) -> bool {
        self.rounds.contains_key(&v)
            || match self.defs.get(&v) {
                Some((Op::Int(_), _)) => literal(self.defs, v).is_some(),
                Some((Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Rem, args)) => {
                    depth < 8 && args.iter().all(|a| self.is_number(*a, depth + 1))
                }
                _ => false,
            }
    }

    /// The variables of short loops that a value is made of.
    fn variables(&self, v: Value, found: &mut HashSet<Value>) {
        if self.rounds.contains_key(&v) {
            found.insert(v);
        } else if let Some((_, args)) = self.defs.get(&v) {
            args.iter().for_each(|a| self.variables(*a, found));
        }
    }
}

/// Writes loops out.
struct Write<'a> {
    func: &'a mut Func,
    rounds: &'a HashMap<Value, Vec<u64>>,
    loops: &'a HashSet<Value>,
    /// What the loops that are gone have come to.
    same: HashMap<Value, Value>,
}

impl Write<'_> {
    fn block(&mut self, block: &mut Block) {
        let mut insts = Vec::with_capacity(block.insts.len());
        for mut inst in std::mem::take(&mut block.insts) {
            inst.kind.blocks_mut().for_each(|b| self.block(b));
            match inst.kind {
                InstKind::For(l) if self.loops.contains(&l.body.args[0]) => {
                    self.write(&inst.results, &l, &mut insts);
                }
                _ => insts.push(inst),
            }
        }
        block.insts = insts;
    }

    fn write(&mut self, results: &[Value], l: &ForLoop, out: &mut Vec<Inst>) {
        let mut carried = l.inits.clone();
        for round in &self.rounds[&l.body.args[0]] {
            let mut copy = Round::new(self.func, &self.same);
            let variable = copy.fresh(l.body.args[0]);
            let number = Op::Int(format!("{round}_usize").into());
            out.push(Inst { results: vec![variable], kind: InstKind::Pure(number, Vec::new()) });
            copy.values.extend(l.body.args[1..].iter().copied().zip(carried));
            out.extend(l.body.insts.iter().map(|inst| copy.inst(inst)));
            carried = l.body.yields.iter().map(|y| copy.value(*y)).collect();
        }
        self.same.extend(results.iter().copied().zip(carried));
    }
}
