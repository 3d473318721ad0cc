//! Matrices that are flat become vectors: `a[i][j]` of a buffer laid out [`Layout::Flat`] becomes `a[i * columns + j]`.
//!
//! Rows then lie side by side: products take the whole as one slice, and the windows of the pass after the next take a row of
//! it with one check. Runs late, because the analyses know more of an index of two numbers.

use rustc_hash::FxHashMap as HashMap;

use crate::ir::{
    Arg, BarArg, Binding, Block, Buffer, Dim, Factor, Func, Inst, InstKind, Layout, Op, Snippet, Type, Value,
};

/// Runs the pass.
pub(crate) fn flatten(mut func: Func) -> Func {
    if func.buffers.iter().all(|b| b.layout != Layout::Flat) {
        return func;
    }
    let mut body = std::mem::take(&mut func.body);
    let mut pass = Pass { func: &mut func, shapes: HashMap::default(), same: HashMap::default() };
    pass.block(&mut body);
    let same = pass.same;
    let end = |mut v: Value| {
        while let Some(next) = same.get(&v) {
            v = *next;
        }
        v
    };
    body.map_uses(&mut |v| end(v));
    for o in &mut func.outputs {
        if let Binding::Value(v) = &mut o.binding {
            *v = end(*v);
        }
    }
    for dim in func.buffers.iter_mut().flat_map(|b| &mut b.dims) {
        if let Dim::Dyn(v) = dim {
            *v = end(*v);
        }
    }
    func.body = body;
    func
}

struct Pass<'a> {
    func: &'a mut Func,
    /// Rows and columns of what was flat.
    shapes: HashMap<Buffer, [Value; 2]>,
    /// Lengths, and what they are.
    same: HashMap<Value, Value>,
}

impl Pass<'_> {
    fn block(&mut self, block: &mut Block) {
        let mut out = Vec::with_capacity(block.insts.len());
        for mut inst in std::mem::take(&mut block.insts) {
            inst.kind.blocks_mut().for_each(|b| self.block(b));
            match &mut inst.kind {
                InstKind::Alloc { buffer, .. } if self.func.buffer(*buffer).layout == Layout::Flat => {
                    self.declare(*buffer, &mut out);
                }
                InstKind::Pure(Op::Len(buffer, axis), _) => {
                    if let Some(shape) = self.shapes.get(buffer) {
                        self.same.insert(inst.results[0], shape[*axis]);
                        continue;
                    }
                }
                InstKind::Load { buffer, index } | InstKind::Store { buffer, index, .. } => {
                    if let Some([_, columns]) = self.shapes.get(buffer).copied() {
                        let start = self.op(Op::Mul, vec![index[0], columns], &mut out);
                        *index = vec![self.op(Op::Add, vec![start, index[1]], &mut out)];
                    }
                }
                InstKind::Product(p) => p.factors_mut().into_iter().for_each(|f| self.factor(f)),
                InstKind::Call(call) => {
                    let bars = call.bars.iter_mut().flatten().flatten().filter_map(|bar| match bar {
                        BarArg::Into(arg) => Some(arg),
                        BarArg::Result => None,
                    });
                    let args = call.args.iter_mut().chain(call.dots.iter_mut().flatten().flatten());
                    args.chain(bars).for_each(|arg| self.arg(arg, &mut out));
                }
                _ => {}
            }
            out.push(inst);
        }
        block.insts = out;
    }

    fn op(&mut self, op: Op, args: Vec<Value>, out: &mut Vec<Inst>) -> Value {
        let v = self.func.new_value(Type::Int, None);
        out.push(Inst { results: vec![v], kind: InstKind::Pure(op, args) });
        v
    }

    fn declare(&mut self, buffer: Buffer, out: &mut Vec<Inst>) {
        let dims = self.func.buffer(buffer).dims.clone();
        let mut shape = Vec::new();
        for dim in dims {
            shape.push(match dim {
                Dim::Dyn(v) => v,
                Dim::Fixed(n) if n.chars().all(|c| c.is_ascii_digit()) => {
                    self.op(Op::Int(format!("{n}_usize").into()), Vec::new(), out)
                }
                Dim::Fixed(n) => {
                    let code = Snippet::written(n.clone());
                    self.op(Op::Verbatim(crate::ir::Verbatim::new(code, Vec::new())), Vec::new(), out)
                }
                Dim::Slice => unreachable!("the verifier has seen a length for each axis"),
            });
        }
        let all = self.op(Op::Mul, shape.clone(), out);
        self.shapes.insert(buffer, [shape[0], shape[1]]);
        let data = &mut self.func.buffers[buffer.0 as usize];
        data.dims = vec![Dim::Dyn(all)];
        data.layout = Layout::Nested;
    }

    fn factor(&mut self, f: &mut Factor) {
        if let Some(shape) = self.shapes.get(&f.buffer) {
            f.shape = Some(*shape);
        }
    }

    /// A row, or a part of one.
    fn arg(&mut self, arg: &mut Arg, out: &mut Vec<Inst>) {
        let Arg::Buffer { buffer, prefix, range, .. } = arg else { return };
        let Some([_, columns]) = self.shapes.get(buffer).copied() else { return };
        let [row] = prefix[..] else { return };
        let mut start = self.op(Op::Mul, vec![row, columns], out);
        let mut len = columns;
        if let Some((from, n)) = *range {
            start = self.op(Op::Add, vec![start, from], out);
            len = n;
        }
        prefix.clear();
        *range = Some((start, len));
    }
}
