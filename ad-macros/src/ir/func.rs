//! Functions: parameters, outputs, and the tables of values, buffers and stacks.

use std::sync::Arc;

use rustc_hash::FxHashMap as HashMap;

use super::ops::{Block, InstKind, Op};
use super::types::{Buffer, Dim, Layout, Stack, Storage, Type, Value};

/// What a transform has done to a quantity, in order: `x` then `[Bar, Dot]` is `x_bar_dot`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Mark {
    /// The tangent of it.
    Dot,
    /// The adjoint (cotangent) of it.
    Bar,
}

/// Which quantity of the user's function a parameter or output belongs to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Source {
    /// The i-th parameter.
    Param(usize),
    /// A number or array in the i-th parameter, which is a struct or tuple: the k-th in it.
    Leaf(usize, usize),
    /// The i-th component of what the function returns.
    Result(usize),
    /// The k-th buffer of what one half of a split function keeps for the other.
    Saved(usize),
}

#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Role {
    pub(crate) of: Source,
    pub(crate) marks: Vec<Mark>,
}

impl Source {
    /// The parameter that it is, or is part of.
    pub(crate) fn param(self) -> Option<usize> {
        match self {
            Source::Param(i) | Source::Leaf(i, _) => Some(i),
            Source::Result(_) | Source::Saved(_) => None,
        }
    }
}

impl Role {
    pub(crate) fn primal(of: Source) -> Role {
        Role { of, marks: Vec::new() }
    }
    pub(crate) fn marked(&self, mark: Mark) -> Role {
        let mut marks = self.marks.clone();
        marks.push(mark);
        Role { of: self.of, marks }
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Binding {
    Value(Value),
    Buffer(Buffer),
}

/// A parameter. Output parameters (`&mut`) are parameters bound to a buffer of [`Storage::Output`].
#[derive(Clone, Debug)]
pub(crate) struct Param {
    pub(crate) role: Role,
    pub(crate) binding: Binding,
    /// Whether the function is differentiated with respect to it.
    pub(crate) active: bool,
    /// Whether it is known to be a `usize`.
    pub(crate) size: bool,
}

/// Something returned by value: a scalar, or a local or owned array or vector.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    pub(crate) role: Role,
    pub(crate) binding: Binding,
}

#[derive(Clone, Debug)]
pub(crate) struct ValueData {
    pub(crate) ty: Type,
    /// The name that a person would give it; `None` for a nameless intermediate.
    pub(crate) name: Option<Arc<str>>,
    /// An intermediate of a derivative: its rounding is no promise, so what it sums up may be reordered.
    pub(crate) free: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct BufferData {
    pub(crate) name: Arc<str>,
    pub(crate) elem: Type,
    pub(crate) dims: Vec<Dim>,
    pub(crate) storage: Storage,
    /// Whether some `Grow` makes it longer than its axes say.
    pub(crate) grows: bool,
    /// Of a parameter that is a slice of structs or tuples: the field that this buffer stands for (`.x`, `.0`). All
    /// buffers of one parameter share its variable.
    pub(crate) field: Option<Arc<str>>,
    /// A local of the lengths of this buffer, whose rows may differ in length.
    pub(crate) like: Option<Buffer>,
    pub(crate) layout: Layout,
    /// Whether its integers are known to be `usize`, which rustc cannot always see where they are made.
    pub(crate) sizes: bool,
}

impl BufferData {
    pub(crate) fn new(name: Arc<str>, elem: Type, dims: Vec<Dim>, storage: Storage) -> BufferData {
        BufferData {
            name,
            elem,
            dims,
            storage,
            grows: false,
            field: None,
            like: None,
            layout: Layout::Nested,
            sizes: false,
        }
    }

    /// The layout of a local like this buffer: matrices of a library, and copies of flat ones, are flat.
    pub(crate) fn local_layout(&self) -> Layout {
        let fixed = self.dims.iter().all(|d| matches!(d, Dim::Fixed(_)));
        if self.layout != Layout::Nested && self.dims.len() == 2 && !fixed {
            Layout::Flat
        } else {
            Layout::Nested
        }
    }

    /// Whether rows may differ in length.
    pub(crate) fn is_ragged(&self) -> bool {
        self.layout == Layout::Nested && self.dims.len() > 1 && self.dims[1..].contains(&Dim::Slice)
    }
}

#[derive(Clone, Debug)]
pub(crate) struct StackData {
    pub(crate) name: Arc<str>,
    /// Type of what is pushed; for whole buffers, of their elements.
    pub(crate) elem: Type,
    /// `Some` where whole contents are pushed: the buffer's axes.
    pub(crate) contents: Option<Vec<Dim>>,
}

/// A function. The body takes no arguments (parameters are bound by [`Param::binding`]) and yields nothing:
/// what is returned is named by `outputs`.
#[derive(Clone, Debug)]
pub(crate) struct Func {
    pub(crate) name: Arc<str>,
    pub(crate) params: Vec<Param>,
    pub(crate) body: Block,
    pub(crate) outputs: Vec<Output>,
    pub(crate) values: Vec<ValueData>,
    pub(crate) buffers: Vec<BufferData>,
    pub(crate) stacks: Vec<StackData>,
    /// For how many directions at once it is: the constant parameter that says so.
    pub(crate) lanes: Option<Arc<str>>,
    /// Loops were cut into segments, which are to be replayed.
    pub(crate) segmented: bool,
    /// What the function looked like, in a number, when it was optimised last.
    pub(crate) settled: Option<u64>,
}

impl Func {
    pub(crate) fn new(name: &str) -> Func {
        Func {
            name: name.into(),
            params: Vec::new(),
            body: Block::default(),
            outputs: Vec::new(),
            values: Vec::new(),
            buffers: Vec::new(),
            stacks: Vec::new(),
            lanes: None,
            segmented: false,
            settled: None,
        }
    }
    /// What it takes and gives. Of the body nothing is left but the user's own code, without order: what is printed in its place may
    /// not take the names that it says.
    pub(crate) fn face(&self) -> Func {
        let mut body = Block::default();
        self.body.visit(&mut |inst| {
            if matches!(
                inst.kind,
                InstKind::Pure(Op::Verbatim(_) | Op::Custom(_), _) | InstKind::Effect(..) | InstKind::Call(_)
            ) {
                body.insts.push(inst.clone());
            }
        });
        Func {
            body,
            params: self.params.clone(),
            outputs: self.outputs.clone(),
            values: self.values.clone(),
            buffers: self.buffers.clone(),
            lanes: self.lanes.clone(),
            ..Func::new(&self.name)
        }
    }
    pub(crate) fn new_value(&mut self, ty: Type, name: Option<Arc<str>>) -> Value {
        self.values.push(ValueData { ty, name, free: false });
        Value(u32::try_from(self.values.len() - 1).unwrap_or(u32::MAX))
    }
    /// A new value like another: of its type and name, and as free to be reordered.
    pub(crate) fn like(&mut self, v: Value) -> Value {
        let data = self.value(v).clone();
        let new = self.new_value(data.ty, data.name);
        self.values[new.0 as usize].free = data.free;
        new
    }
    pub(crate) fn new_buffer(&mut self, data: BufferData) -> Buffer {
        self.buffers.push(data);
        Buffer(u32::try_from(self.buffers.len() - 1).unwrap_or(u32::MAX))
    }
    pub(crate) fn new_stack(&mut self, data: StackData) -> Stack {
        self.stacks.push(data);
        Stack(u32::try_from(self.stacks.len() - 1).unwrap_or(u32::MAX))
    }
    /// Replaces values by others, wherever they are referred to.
    pub(crate) fn replace_values(&mut self, same: &HashMap<Value, Value>) {
        let end = |mut v: Value| {
            while let Some(next) = same.get(&v) {
                v = *next;
            }
            v
        };
        self.body.map_uses(&mut |v| end(v));
        for o in &mut self.outputs {
            if let Binding::Value(v) = &mut o.binding {
                *v = end(*v);
            }
        }
        for data in &mut self.buffers {
            for dim in &mut data.dims {
                if let Dim::Dyn(v) = dim {
                    *v = end(*v);
                }
            }
        }
    }
    pub(crate) fn value(&self, v: Value) -> &ValueData {
        &self.values[v.0 as usize]
    }
    pub(crate) fn ty(&self, v: Value) -> &Type {
        &self.values[v.0 as usize].ty
    }
    pub(crate) fn is_float(&self, v: Value) -> bool {
        self.ty(v).is_float()
    }
    pub(crate) fn buffer(&self, b: Buffer) -> &BufferData {
        &self.buffers[b.0 as usize]
    }
    pub(crate) fn stack(&self, s: Stack) -> &StackData {
        &self.stacks[s.0 as usize]
    }
}
