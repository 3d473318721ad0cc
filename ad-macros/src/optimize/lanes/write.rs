//! What [`super::rows`] and [`super::jam`] ask and write alike: what may run again, instructions, places for a value of each of four rows, and a loop in blocks of four
//! rounds. Which loops are written so is theirs to say.

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use super::plain_loop;
use crate::analysis::definitions::{Definitions, literal};
use crate::analysis::replay::is_expensive;
use crate::ir::{
    Binary, Block, Buffer, BufferData, Cmp, Dim, ForLoop, Func, Inst, InstKind, Op, Storage, Type, Value,
};

/// How many rows run at once.
pub(super) const ROWS: usize = 4;
/// More work in a round hides its own latency, or takes more registers for four rows than there are.
pub(super) const LIGHT: usize = 12;
/// Loops that are known to be shorter are left alone.
pub(super) const SHORT: u64 = 8;

/// Whether a loop is over the rounds of a block of up to four.
pub(super) fn is_of_rows(defs: &Definitions, l: &ForLoop) -> bool {
    literal(defs, l.lo) == Some(0)
        && matches!(defs.get(&l.hi), Some((Op::Binary(Binary::Min), args))
            if args.iter().any(|v| literal(defs, *v) == Some(ROWS as u64)))
}

/// What a loop's body writes, or makes.
pub(super) fn written(body: &Block) -> HashSet<Buffer> {
    let mut all: HashSet<Buffer> = body.writes().into_iter().collect();
    body.visit(&mut |inst| {
        if let InstKind::Alloc { buffer, .. } | InstKind::Window { window: buffer, .. } = &inst.kind {
            all.insert(*buffer);
        }
    });
    all
}

/// Where in a body its values are made.
pub(super) fn made(body: &Block) -> HashMap<Value, usize> {
    let each = body.insts.iter().enumerate();
    each.flat_map(|(k, inst)| inst.results.iter().map(move |r| (*r, k))).collect()
}

/// Whether an instruction of a loop's body may as well run again, before its round or after it: it is cheap, and reads nothing that the
/// loop writes or makes (`written`).
pub(super) fn runs_again(func: &Func, inst: &Inst, written: &HashSet<Buffer>) -> bool {
    let mut reads_written = false;
    inst.kind.each_buffer(|b| reads_written |= written.contains(&b));
    // What is handed in has the length that it has.
    let is_length = matches!(&inst.kind, InstKind::Pure(Op::Len(b, _), _)
        if func.buffer(*b).storage == Storage::Output && !func.buffer(*b).grows);
    (!reads_written || is_length)
        && match &inst.kind {
            InstKind::Pure(Op::Verbatim(v), _) => v.is_told(func.ty(inst.results[0])),
            InstKind::Pure(op, _) => !is_expensive(op),
            InstKind::Load { .. } => true,
            _ => false,
        }
}

pub(super) struct Writer<'a> {
    pub(super) func: &'a mut Func,
    /// The declarations of what values of rows lie in.
    pub(super) arrays: &'a mut Vec<Inst>,
    /// The variables of loops that run for several rows already.
    pub(super) together: &'a mut HashSet<Value>,
}

/// A block of up to four rounds, for what fills it.
pub(super) struct Rounds<'b> {
    /// The first of the rounds.
    pub(super) start: Value,
    /// One behind the last of the loop.
    pub(super) hi: Value,
    /// How many rounds there are.
    pub(super) count: Value,
    /// What the loop has carried up to here.
    pub(super) carried: &'b [Value],
}

impl Writer<'_> {
    pub(super) fn op(
        &mut self,
        op: Op,
        args: Vec<Value>,
        ty: Type,
        name: Option<&str>,
        out: &mut Vec<Inst>,
    ) -> Value {
        let v = self.func.new_value(ty, name.map(Into::into));
        out.push(Inst { results: vec![v], kind: InstKind::Pure(op, args) });
        v
    }

    pub(super) fn int(&mut self, n: usize, out: &mut Vec<Inst>) -> Value {
        self.op(Op::Int(format!("{n}_usize").into()), Vec::new(), Type::Int, None, out)
    }

    pub(super) fn like(&mut self, v: Value) -> Value {
        self.func.like(v)
    }

    pub(super) fn load(&mut self, buffer: Buffer, at: Value, like: Value, out: &mut Vec<Inst>) -> Value {
        let v = self.like(like);
        out.push(Inst { results: vec![v], kind: InstKind::Load { buffer, index: vec![at] } });
        v
    }

    pub(super) fn clone_insts(
        &mut self,
        insts: &[&Inst],
        map: &mut HashMap<Value, Value>,
        out: &mut Vec<Inst>,
    ) {
        for inst in insts {
            let mut inst = (*inst).clone();
            inst.kind.map_operands(|v| *map.get(&v).unwrap_or(&v));
            for r in &mut inst.results {
                let new = self.like(*r);
                map.insert(*r, new);
                *r = new;
            }
            out.push(inst);
        }
    }

    /// A place for a value of each row, declared where arrays are.
    pub(super) fn array(&mut self, like: Value) -> Buffer {
        let data = self.func.value(like).clone();
        let mut out = Vec::new();
        let fill = self.op(Op::Float(0.0), Vec::new(), data.ty.clone(), None, &mut out);
        let name = data.name.as_deref().unwrap_or("sum");
        let buffer = self.func.new_buffer(BufferData::new(
            format!("{name}_rows").into(),
            data.ty,
            vec![Dim::Fixed(ROWS.to_string().into())],
            Storage::Local,
        ));
        out.push(Inst { results: Vec::new(), kind: InstKind::Alloc { buffer, fill } });
        self.arrays.extend(out);
        buffer
    }

    /// Which of the rows of a block.
    pub(super) fn row(&mut self) -> Value {
        self.func.new_value(Type::Int, Some("row".into()))
    }

    /// A loop over the rounds of a block; `body` is that of the loop that was, but for what carries on to it.
    pub(super) fn each_row(
        &mut self,
        rounds: &Rounds<'_>,
        row: Value,
        mut body: Block,
        out: &mut Vec<Inst>,
    ) -> Vec<Value> {
        let zero = self.int(0, out);
        let i = std::mem::replace(&mut body.args[0], row);
        let kind = InstKind::Pure(Op::Add, vec![rounds.start, row]);
        body.insts.insert(0, Inst { results: vec![i], kind });
        let after: Vec<Value> = body.yields.iter().map(|v| self.like(*v)).collect();
        let in_rows = ForLoop { inits: rounds.carried.to_vec(), ..plain_loop(zero, rounds.count, body) };
        out.push(Inst { results: after.clone(), kind: InstKind::For(in_rows) });
        after
    }

    /// A plain loop in blocks of up to four rounds; `fill` writes a block, and gives what the loop has carried up to its end.
    pub(super) fn in_blocks(
        &mut self,
        defs: &Definitions,
        of: &ForLoop,
        results: Vec<Value>,
        fill: impl FnOnce(&mut Self, &Rounds<'_>, &mut Vec<Inst>) -> Vec<Value>,
    ) -> Vec<Inst> {
        let (lo, hi) = (of.lo, of.hi);
        let from_zero = literal(defs, lo) == Some(0);
        let mut out = Vec::new();
        let rounds = if from_zero { hi } else { self.op(Op::Sub, vec![hi, lo], Type::Int, None, &mut out) };
        let (four, three) = (self.int(ROWS, &mut out), self.int(ROWS - 1, &mut out));
        let up = self.op(Op::Add, vec![rounds, three], Type::Int, None, &mut out);
        let blocks = self.op(Op::Div, vec![up, four], Type::Int, None, &mut out);
        let zero = self.int(0, &mut out);

        let block = self.func.new_value(Type::Int, Some("block".into()));
        let mut insts = Vec::new();
        let offset = self.op(Op::Mul, vec![block, four], Type::Int, None, &mut insts);
        let start =
            if from_zero { offset } else { self.op(Op::Add, vec![lo, offset], Type::Int, None, &mut insts) };
        let left = self.op(Op::Sub, vec![hi, start], Type::Int, None, &mut insts);
        let count = self.op(Op::Binary(Binary::Min), vec![left, four], Type::Int, Some("count"), &mut insts);
        let carried: Vec<Value> = of.body.args[1..].iter().map(|v| self.like(*v)).collect();
        let yields = fill(self, &Rounds { start, hi, count, carried: &carried }, &mut insts);
        let args = std::iter::once(block).chain(carried).collect();
        let in_blocks = Block { args, insts, yields, ..Block::default() };
        let main = ForLoop { inits: of.inits.clone(), ..plain_loop(zero, blocks, in_blocks) };
        if from_zero {
            out.push(Inst { results, kind: InstKind::For(main) });
            return out;
        }
        // The range may be empty the wrong way round.
        let totals: Vec<Value> = results.iter().map(|v| self.like(*v)).collect();
        out.push(Inst { results: totals.clone(), kind: InstKind::For(main) });
        let then_block = Block { insts: out, yields: totals, ..Block::default() };
        let else_block = Block { yields: of.inits.clone(), ..Block::default() };
        let mut out = Vec::new();
        let cond = self.op(Op::Cmp(Cmp::Lt), vec![lo, hi], Type::Bool, None, &mut out);
        out.push(Inst { results, kind: InstKind::If { cond, then_block, else_block } });
        out
    }
}
