//! Arrays of a library that a function goes through element by element are taken as slices, once, at its start.
//!
//! An index into an array of `ndarray` multiplies by strides and checks a bound, each time; of a slice, the pass that follows
//! takes both out of loops. What is contiguous is borrowed; what is not is copied, and copied back if it is written. Parameters
//! that only stand in products stay as they are: those see to it themselves.
//!
//! Runs after matrices were flattened, with which these windows share the form of an index.

use rustc_hash::FxHashMap as HashMap;

use crate::ir::{
    Binding, Block, Buffer, BufferData, Dim, Func, Inst, InstKind, Layout, Op, Sight, Storage, Type, Value,
};

/// Runs the pass.
pub(crate) fn slices(mut func: Func) -> Func {
    let mut windows: HashMap<Buffer, Window> = HashMap::default();
    let mut start: Vec<Inst> = Vec::new();
    for p in func.params.clone() {
        if let Binding::Buffer(b) = p.binding
            && is_taken(&func, b)
        {
            let window = Window::new(&mut func, b, &mut start);
            windows.insert(b, window);
        }
    }
    if windows.is_empty() {
        return func;
    }
    let mut body = std::mem::take(&mut func.body);
    let mut same: HashMap<Value, Value> = HashMap::default();
    in_block(&mut func, &windows, &mut same, &mut body);
    body.map_uses(&mut |v| *same.get(&v).unwrap_or(&v));
    for dim in func.buffers.iter_mut().flat_map(|b| &mut b.dims) {
        if let Dim::Dyn(v) = dim {
            *v = *same.get(v).unwrap_or(v);
        }
    }
    for o in &mut func.outputs {
        if let Binding::Value(v) = &mut o.binding {
            *v = *same.get(v).unwrap_or(v);
        }
    }
    body.insts.splice(0..0, start);
    func.body = body;
    func
}

/// The slice of a parameter.
struct Window {
    buffer: Buffer,
    extents: Vec<Value>,
    mutable: bool,
}

impl Window {
    fn new(func: &mut Func, of: Buffer, out: &mut Vec<Inst>) -> Window {
        let data = func.buffer(of).clone();
        let mut op = |op: Op, args: Vec<Value>| {
            let v = func.new_value(Type::Int, None);
            out.push(Inst { results: vec![v], kind: InstKind::Pure(op, args) });
            v
        };
        let extents: Vec<Value> =
            (0..data.dims.len()).map(|axis| op(Op::Len(of, axis), Vec::new())).collect();
        let zero = op(Op::Int("0_usize".into()), Vec::new());
        let len = match extents[..] {
            [n, m] => op(Op::Mul, vec![n, m]),
            _ => extents[0],
        };
        let mutable = data.storage == Storage::Output;
        let name = format!("{}_part", data.name).into();
        let buffer = func.new_buffer(BufferData::new(name, data.elem, vec![Dim::Slice], Storage::Window));
        let kind = InstKind::Window { window: buffer, of, start: zero, len, mutable, sight: Sight::Part };
        out.push(Inst { results: Vec::new(), kind });
        Window { buffer, extents, mutable }
    }
}

/// Whether a parameter is one of these arrays, and elements of it are loaded or stored.
fn is_taken(func: &Func, b: Buffer) -> bool {
    let data = func.buffer(b);
    let vector = data.dims.len() == 1 && data.layout == Layout::Nalgebra && data.dims[0] == Dim::Slice;
    let known = vector || data.layout == Layout::Ndarray;
    if !known || data.field.is_some() || !matches!(data.storage, Storage::Shared | Storage::Output) {
        return false;
    }
    let (mut touched, mut called) = (false, false);
    func.body.visit(&mut |inst| match &inst.kind {
        InstKind::Load { buffer, .. } | InstKind::Store { buffer, .. } => touched |= *buffer == b,
        InstKind::Call(_) | InstKind::Effect(..) | InstKind::Pure(Op::Verbatim(_), _) => {
            inst.kind.each_buffer(|of| called |= of == b);
        }
        _ => {}
    });
    touched && !(called && data.storage == Storage::Output)
}

fn in_block(
    func: &mut Func,
    windows: &HashMap<Buffer, Window>,
    same: &mut HashMap<Value, Value>,
    block: &mut Block,
) {
    let mut out = Vec::with_capacity(block.insts.len());
    for mut inst in std::mem::take(&mut block.insts) {
        inst.kind.blocks_mut().for_each(|b| in_block(func, windows, same, b));
        match &mut inst.kind {
            InstKind::Pure(Op::Len(buffer, axis), _) => {
                if let Some(window) = windows.get(buffer) {
                    same.insert(inst.results[0], window.extents[*axis]);
                    continue;
                }
            }
            InstKind::Load { buffer, index } | InstKind::Store { buffer, index, .. } => {
                if let Some(window) = windows.get(buffer) {
                    if let ([_, columns], [i, j]) = (&window.extents[..], &index[..]) {
                        let mut op = |op: Op, args: Vec<Value>| {
                            let v = func.new_value(Type::Int, None);
                            out.push(Inst { results: vec![v], kind: InstKind::Pure(op, args) });
                            v
                        };
                        let start = op(Op::Mul, vec![*i, *columns]);
                        *index = vec![op(Op::Add, vec![start, *j])];
                    }
                    *buffer = window.buffer;
                }
            }
            InstKind::Fill { buffer, .. } => {
                if let Some(window) = windows.get(buffer) {
                    *buffer = window.buffer;
                }
            }
            InstKind::Product(p) => {
                for f in p.factors_mut() {
                    // What is only read is as good as it was.
                    if let Some(window) = windows.get(&f.buffer).filter(|w| w.mutable) {
                        f.buffer = window.buffer;
                        if let [n, m] = window.extents[..] {
                            f.shape = Some([n, m]);
                        }
                    }
                }
            }
            _ => {}
        }
        out.push(inst);
    }
    block.insts = out;
}
