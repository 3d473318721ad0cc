//! Products take whole buffers, while what is saved is values: a factor that does not depend on the directions, and is no
//! parameter, is copied in front of a product that does, and the elements that the copy loads are saved.

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use crate::analysis::activity::Activity;
use crate::ir::{
    Block, Buffer, BufferData, Builder, Dim, ForLoop, Func, InstKind, Op, Storage, StoreMode, Type, Value,
};

/// The function with such copies, and the values to save.
pub(super) fn factors(mut func: Func, active: &Activity) -> (Func, HashSet<Value>) {
    let mut any = false;
    func.body.visit(&mut |inst| any |= matches!(inst.kind, InstKind::Product(_)));
    if !any {
        return (func, HashSet::default());
    }
    let body = std::mem::take(&mut func.body);
    let mut pin = Pin { b: Builder::new(func), active, values: HashSet::default() };
    pin.block(body, HashMap::default());
    (pin.b.finish(), pin.values)
}

struct Pin<'a> {
    b: Builder,
    active: &'a Activity,
    values: HashSet<Value>,
}

impl Pin<'_> {
    /// `copies`: those that still hold what their buffers do.
    fn block(&mut self, block: Block, mut copies: HashMap<Buffer, Buffer>) {
        for mut inst in block.insts {
            let written: Vec<Buffer> = inst.kind.blocks().flat_map(Block::writes).collect();
            copies.retain(|b, _| !written.contains(b));
            for nested in inst.kind.blocks_mut() {
                let (yields, diverges) = (nested.yields.clone(), nested.diverges);
                self.b.open(nested.args.clone());
                self.block(std::mem::take(nested), copies.clone());
                *nested = self.b.close(yields);
                nested.diverges = diverges;
            }
            if let InstKind::Product(p) = &mut inst.kind
                && self.active.buffer_contains(p.into.buffer)
            {
                for f in [&mut p.a, &mut p.b] {
                    let local = self.b.func.buffer(f.buffer).storage == Storage::Local;
                    if local && !self.active.buffer_contains(f.buffer) {
                        f.buffer = *copies.entry(f.buffer).or_insert_with(|| self.copy(f.buffer));
                    }
                }
            }
            let written = inst.kind.writes();
            copies.retain(|b, _| !written.contains(b));
            self.b.push(inst);
        }
    }

    fn copy(&mut self, of: Buffer) -> Buffer {
        let data = self.b.func.buffer(of).clone();
        let fill = self.b.float(0.0, data.elem.clone());
        let copy = self.b.func.new_buffer(BufferData { name: format!("{}_kept", data.name).into(), ..data });
        self.b.effect(InstKind::Alloc { buffer: copy, fill });
        self.axes(of, copy, &mut Vec::new());
        copy
    }

    fn axes(&mut self, of: Buffer, copy: Buffer, index: &mut Vec<Value>) {
        let dims = &self.b.func.buffer(of).dims;
        let Some(dim) = dims.get(index.len()).cloned() else {
            let value = self.b.load(of, index.clone());
            self.values.insert(value);
            return self.b.store(copy, index.clone(), value, StoreMode::Set);
        };
        let lo = self.b.int("0_usize");
        let hi = match dim {
            Dim::Dyn(n) => n,
            _ => self.b.op(Op::Len(of, index.len()), &[]),
        };
        let i = self.b.func.new_value(Type::Int, Some("i".into()));
        self.b.open(vec![i]);
        index.push(i);
        self.axes(of, copy, index);
        index.pop();
        let body = self.b.close(Vec::new());
        self.b.effect(InstKind::For(ForLoop::plain(lo, hi, Vec::new(), body)));
    }
}
