//! Value numbering: one computation for equal expressions, across primal, adjoint and tangent.
//!
//! A pure operation whose operands are the same as those of an earlier one, in the same block or an enclosing one,
//! is replaced by it. Loads are expressions too, as long as nothing in between may have written their buffer: a
//! buffer's *version* changes at each write, and a loop starts with new versions of what its body writes. A load
//! right after a store to the same place is what was stored. Rust that nobody looks into is compared by its text, where that tells what
//! it is.
//!
//! Branches of one condition know of each other ([`branches`]): what the later one computes again, the earlier one hands out.

mod branches;
mod table;

use std::sync::Arc;

use rustc_hash::FxHashMap as HashMap;

use branches::Branches;
use table::Table;

use crate::ir::{Block, Buffer, Func, Inst, InstKind, Op, Snippet, StoreMode, Type, Value, ValueMap};

/// Runs the pass.
pub(crate) fn gvn(mut func: Func) -> Func {
    let mut body = std::mem::take(&mut func.body);
    let mut gvn = Gvn {
        func: &mut func,
        seen: Table::default(),
        choices: Vec::new(),
        same: ValueMap::default(),
        versions: HashMap::default(),
        next: 0,
        branches: Branches::default(),
    };
    gvn.branches.enter();
    gvn.block(&mut body);
    let same = std::mem::take(&mut gvn.same);
    let exports = std::mem::take(&mut gvn.branches.exports);
    branches::hand_out(&mut func, &mut body, &exports);
    for o in &mut func.outputs {
        if let crate::ir::Binding::Value(v) = &mut o.binding {
            *v = same.or_itself(*v);
        }
    }
    for data in &mut func.buffers {
        for dim in &mut data.dims {
            if let crate::ir::Dim::Dyn(v) = dim {
                *v = same.or_itself(*v);
            }
        }
    }
    func.body = body;
    func
}

/// What makes two computations equal.
#[derive(PartialEq, Eq)]
enum Key {
    Op(Code, Vec<Value>, Type),
    Load(Buffer, Vec<Value>, u32),
    /// Rust that is passed through, with the versions of what it reads.
    Told(Snippet, Vec<Value>, Vec<(Buffer, u32)>, Type),
}

/// A choice between values that are computed or loaded: the condition, and what both branches do, their own values numbered from
/// zero.
#[derive(PartialEq, Eq)]
struct Choice {
    cond: Value,
    text: String,
    loads: Vec<(Buffer, u32)>,
    types: Vec<Type>,
}

impl Key {
    /// A hash, of what tells most keys apart.
    fn digest(&self) -> u64 {
        let (mut sum, values) = match self {
            Key::Op(Code::Plain(which, carried), args, _) => {
                (u64::from(*which) ^ carried.rotate_left(8), args)
            }
            Key::Op(Code::Text(which, text), args, _) => {
                let start = text.bytes().next().unwrap_or_default();
                (u64::from(*which) | (u64::from(start) << 8) | ((text.len() as u64) << 16), args)
            }
            Key::Op(Code::Test(name), args, _) => (name.len() as u64 | 1 << 32, args),
            Key::Op(Code::Len(buffer, axis), args, _) => (u64::from(buffer.0) | ((*axis as u64) << 33), args),
            Key::Load(buffer, index, version) => {
                (u64::from(buffer.0) | (u64::from(*version) << 24) | 1 << 60, index)
            }
            Key::Told(code, args, buffers, _) => {
                let start = code.text().bytes().find(|c| !c.is_ascii_punctuation()).unwrap_or_default();
                (
                    u64::from(start)
                        | (code.text().len() as u64) << 16
                        | (buffers.len() as u64) << 48
                        | 1 << 61,
                    args,
                )
            }
        };
        for v in values {
            sum = sum.rotate_left(20).wrapping_mul(5) ^ u64::from(v.0);
        }
        sum.wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// The same computation of other values.
    fn map(&self, of: impl Fn(Value) -> Value) -> Key {
        match self {
            Key::Op(code, args, ty) => {
                let mut args: Vec<Value> = args.iter().map(|v| of(*v)).collect();
                if code.commutes() && ty.is_float() {
                    args.sort_unstable();
                }
                Key::Op(code.clone(), args, ty.clone())
            }
            Key::Load(buffer, index, version) => {
                Key::Load(*buffer, index.iter().map(|v| of(*v)).collect(), *version)
            }
            Key::Told(code, args, buffers, ty) => {
                Key::Told(code.clone(), args.iter().map(|v| of(*v)).collect(), buffers.clone(), ty.clone())
            }
        }
    }
}

/// An operation without its operands.
#[derive(Clone, PartialEq, Eq)]
enum Code {
    /// Which it is, and what it carries.
    Plain(u8, u64),
    Text(u8, Arc<str>),
    Test(&'static str),
    Len(Buffer, usize),
}

impl Code {
    /// Whether the order of the operands makes no difference.
    fn commutes(&self) -> bool {
        matches!(self, Code::Plain(ADD | MUL, _))
    }
}

const ADD: u8 = 2;
const MUL: u8 = 4;

/// `None` of code that nobody looks into.
fn code(op: &Op) -> Option<Code> {
    Some(match op {
        // 0.0 and -0.0 are equal and differ; NaN is not equal to itself: the bits tell.
        Op::Float(c) => Code::Plain(0, c.to_bits()),
        Op::Bool(b) => Code::Plain(1, u64::from(*b)),
        Op::Add => Code::Plain(ADD, 0),
        Op::Sub => Code::Plain(3, 0),
        Op::Mul => Code::Plain(MUL, 0),
        Op::Div => Code::Plain(5, 0),
        Op::Rem => Code::Plain(6, 0),
        Op::Neg => Code::Plain(7, 0),
        Op::Unary(f) => Code::Plain(8, *f as u64),
        Op::Binary(f) => Code::Plain(9, *f as u64),
        Op::Powi => Code::Plain(10, 0),
        Op::MulAdd => Code::Plain(11, 0),
        Op::Clamp => Code::Plain(12, 0),
        Op::Cmp(c) => Code::Plain(13, *c as u64),
        Op::Not => Code::Plain(14, 0),
        Op::And => Code::Plain(15, 0),
        Op::Or => Code::Plain(16, 0),
        Op::Select => Code::Plain(17, 0),
        Op::Inline(f) => Code::Plain(18, *f as u64),
        Op::Int(text) => Code::Text(0, text.clone()),
        Op::Cast(to) => Code::Text(1, to.clone()),
        Op::Test(name) => Code::Test(name),
        Op::Len(buffer, axis) => Code::Len(*buffer, *axis),
        Op::Verbatim(_) | Op::Custom(_) => return None,
    })
}

struct Gvn<'a> {
    func: &'a mut Func,
    seen: Table,
    /// Choices, and their results.
    choices: Vec<(Choice, Vec<Value>)>,
    /// Values that are replaced, by what.
    same: ValueMap<Value>,
    versions: HashMap<Buffer, u32>,
    next: u32,
    branches: Branches,
}

impl Gvn<'_> {
    fn version(&self, b: Buffer) -> u32 {
        self.versions.get(&b).copied().unwrap_or(0)
    }

    fn written(&mut self, b: Buffer) {
        self.next += 1;
        self.versions.insert(b, self.next);
    }

    fn replace(&mut self, old: Value, new: Value) {
        // The user's name survives.
        if self.func.value(new).name.is_none() {
            self.func.values[new.0 as usize].name = self.func.value(old).name.clone();
        }
        // One of them may have to stay as it is.
        let free = self.func.value(old).free;
        self.func.values[new.0 as usize].free &= free;
        self.same.insert(old, new);
    }

    /// The block of a loop.
    fn nested(&mut self, block: &mut Block) {
        let began = self.inside(block);
        self.seen.leave(began);
    }

    /// A branch. Gives what it computes.
    fn branch(&mut self, block: &mut Block) -> Table {
        let began = self.inside(block);
        self.seen.take_from(began)
    }

    /// Gives where what it computes begins.
    fn inside(&mut self, block: &mut Block) -> usize {
        let (began, choices) = (self.seen.enter(), self.choices.len());
        self.branches.enter();
        self.block(block);
        self.branches.leave();
        self.choices.truncate(choices);
        began
    }

    /// An `if` whose branches only compute and load.
    fn choice(&self, inst: &Inst) -> Option<Choice> {
        let InstKind::If { cond, then_block, else_block } = &inst.kind else { return None };
        let mut text = String::new();
        let mut loads = Vec::new();
        for block in [then_block, else_block] {
            if block.diverges {
                return None;
            }
            let mut own: HashMap<Value, usize> = HashMap::default();
            let name = |own: &HashMap<Value, usize>, v: Value| {
                let v = self.same.or_itself(v);
                own.get(&v).map_or_else(|| format!("{v}"), |k| format!("#{k}"))
            };
            for inst in &block.insts {
                let [result] = inst.results.as_slice() else { return None };
                let (what, args) = match &inst.kind {
                    InstKind::Pure(Op::Verbatim(_) | Op::Custom(_) | Op::Len(..), _) => return None,
                    InstKind::Pure(op, args) => (format!("{op:?}"), args),
                    InstKind::Load { buffer, index } => {
                        loads.push((*buffer, self.version(*buffer)));
                        (format!("load {buffer:?}"), index)
                    }
                    _ => return None,
                };
                let args: Vec<String> = args.iter().map(|v| name(&own, *v)).collect();
                // A constant's type is not in its name.
                text.push_str(&format!("{what}({}):{:?}", args.join(","), self.func.ty(*result)));
                own.insert(*result, own.len());
            }
            let yields: Vec<String> = block.yields.iter().map(|v| name(&own, *v)).collect();
            text.push_str(&format!("->{};", yields.join(",")));
        }
        let types = inst.results.iter().map(|r| self.func.ty(*r).clone()).collect();
        Some(Choice { cond: self.same.or_itself(*cond), text, loads, types })
    }

    fn block(&mut self, block: &mut Block) {
        let mut insts = Vec::with_capacity(block.insts.len());
        for mut inst in std::mem::take(&mut block.insts) {
            inst.kind.map_operands(|v| self.same.or_itself(v));
            let key = match &inst.kind {
                InstKind::Pure(op, args) => self.key(op, args, inst.results[0]),
                InstKind::Load { buffer, index } => {
                    Some(Key::Load(*buffer, index.clone(), self.version(*buffer)))
                }
                _ => None,
            };
            if let Some(key) = key {
                let found = self.seen.get(&key).or_else(|| self.branches.find(self.func, &key, &inst));
                if let Some(found) = found {
                    self.replace(inst.results[0], found);
                    continue;
                }
                self.seen.insert(key, inst.results[0]);
                insts.push(inst);
                continue;
            }
            if let Some(choice) = self.choice(&inst) {
                let found = self.choices.iter().rev().find(|(seen, _)| *seen == choice);
                if let Some(found) = found.map(|(_, results)| results.clone()) {
                    for (old, new) in inst.results.iter().zip(found) {
                        self.replace(*old, new);
                    }
                    continue;
                }
                self.choices.push((choice, inst.results.clone()));
            }
            match &mut inst.kind {
                InstKind::Store { buffer, index, value, mode } => {
                    let (buffer, index, value) = (*buffer, index.clone(), *value);
                    self.written(buffer);
                    if *mode == StoreMode::Set && self.func.ty(value) == &self.func.buffer(buffer).elem {
                        self.seen.insert(Key::Load(buffer, index, self.version(buffer)), value);
                    }
                }
                InstKind::Alloc { buffer, .. } => self.written(*buffer),
                InstKind::If { cond, then_block, else_block } => {
                    let before = self.versions.clone();
                    let mut computed = Vec::new();
                    for (side, block) in [&mut *then_block, &mut *else_block].into_iter().enumerate() {
                        self.versions = before.clone();
                        self.branches.assume(*cond, side);
                        computed.push(self.branch(block));
                        self.branches.forget();
                    }
                    self.versions = before;
                    let written = [then_block.writes(), else_block.writes()].concat();
                    written.into_iter().for_each(|b| self.written(b));
                    let blocks = [&*then_block, &*else_block];
                    for (old, new) in self.branches.equal(*cond, blocks, &inst.results, self.func) {
                        self.replace(old, new);
                    }
                    self.branches.keep(*cond, computed, blocks, &inst.results);
                }
                InstKind::For(l) => {
                    let written = l.body.writes();
                    written.iter().for_each(|b| self.written(*b));
                    self.nested(&mut l.body);
                    written.into_iter().for_each(|b| self.written(b));
                }
                InstKind::While { cond_block, body, .. } => {
                    let written = [cond_block.writes(), body.writes()].concat();
                    written.iter().for_each(|b| self.written(*b));
                    let versions = self.versions.clone();
                    self.nested(cond_block);
                    self.versions = versions;
                    self.nested(body);
                    written.into_iter().for_each(|b| self.written(b));
                }
                kind => kind.writes().into_iter().for_each(|b| self.written(b)),
            }
            insts.push(inst);
        }
        block.insts = insts;
        for y in &mut block.yields {
            *y = self.same.or_itself(*y);
        }
    }

    fn key(&self, op: &Op, args: &[Value], result: Value) -> Option<Key> {
        if let Op::Verbatim(v) = op {
            let ty = self.func.ty(result);
            let buffers = || v.buffers.iter().map(|b| (*b, self.version(*b))).collect();
            return v.is_told(ty).then(|| Key::Told(v.code.clone(), args.to_vec(), buffers(), ty.clone()));
        }
        let code = code(op)?;
        let mut args = args.to_vec();
        if code.commutes() && self.func.is_float(result) {
            args.sort_unstable();
        }
        Some(Key::Op(code, args, self.func.ty(result).clone()))
    }
}
