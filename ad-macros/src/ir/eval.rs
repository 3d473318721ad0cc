//! The evaluator of the tests: runs a function on given arguments, in `f64` or in hyper-dual numbers, and counts
//! what it costs. Values are dynamically typed; whatever makes no sense is an error, never a wrong number.
//!
//! Verbatim Rust is understood as far as [`verbatim`] goes; a statement run for its effect is skipped. Calls find their
//! callee in a [`Module`].

use rustc_hash::FxHashMap as HashMap;

use super::func::{Binding, Func, Mark, Role};
use super::ops::{Binary, Block, CallMode, Cmp, ForLoop, Inst, InstKind, Op, StoreMode};
use super::snippet::Snippet;
use super::types::{Buffer, Dim, FloatKind, Stack, Storage, Type, Value};

mod call;
pub(crate) mod number;
mod product;
mod verbatim;

pub(crate) use number::{Hyper, Num};

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Scalar<N> {
    F(N),
    I(i64),
    B(bool),
}

/// Contents of a buffer, last axis contiguous.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Tensor<N> {
    pub(crate) dims: Vec<usize>,
    pub(crate) data: Vec<Scalar<N>>,
}

/// An argument, or something that comes back.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Item<N> {
    Scalar(Scalar<N>),
    Tensor(Tensor<N>),
}

impl<N: Num> Item<N> {
    pub(crate) fn float(x: N) -> Item<N> {
        Item::Scalar(Scalar::F(x))
    }
    pub(crate) fn int(i: i64) -> Item<N> {
        Item::Scalar(Scalar::I(i))
    }
    pub(crate) fn floats(xs: &[N]) -> Item<N> {
        Item::Tensor(Tensor { dims: vec![xs.len()], data: xs.iter().map(|x| Scalar::F(*x)).collect() })
    }
    /// Each float as an array of `factors.len()` lanes, each lane a multiple of it.
    pub(crate) fn widened(&self, factors: &[N]) -> Item<N> {
        let lanes = |s: &Scalar<N>| match *s {
            Scalar::F(x) => factors.iter().map(|c| Scalar::F(c.mul(x))).collect(),
            other => vec![other; factors.len()],
        };
        let (mut dims, data) = match self {
            Item::Scalar(s) => (Vec::new(), lanes(s)),
            Item::Tensor(t) => (t.dims.clone(), t.data.iter().flat_map(lanes).collect()),
        };
        dims.push(factors.len());
        Item::Tensor(Tensor { dims, data })
    }
    /// All floats in it, in order.
    pub(crate) fn to_floats(&self) -> Vec<N> {
        let of = |s: &Scalar<N>| match s {
            Scalar::F(x) => Some(*x),
            _ => None,
        };
        match self {
            Item::Scalar(s) => of(s).into_iter().collect(),
            Item::Tensor(t) => t.data.iter().filter_map(of).collect(),
        }
    }
    /// The same in shape, with these floats in place of its own.
    pub(crate) fn with_floats<M: Num>(&self, floats: &mut impl Iterator<Item = M>) -> Item<M> {
        let mut each = |s: &Scalar<N>| match s {
            Scalar::F(x) => Scalar::F(floats.next().unwrap_or_else(|| M::constant(x.value()))),
            Scalar::I(i) => Scalar::I(*i),
            Scalar::B(b) => Scalar::B(*b),
        };
        match self {
            Item::Scalar(s) => Item::Scalar(each(s)),
            Item::Tensor(t) => {
                Item::Tensor(Tensor { dims: t.dims.clone(), data: t.data.iter().map(each).collect() })
            }
        }
    }
}

/// What a run did.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Instructions executed.
    pub(crate) insts: u64,
    pub(crate) loads: u64,
    pub(crate) stores: u64,
    /// Scalars pushed (a buffer counts each element).
    pub(crate) pushed: u64,
    /// Most scalars on stacks at one time.
    pub(crate) peak: u64,
    /// `Alloc`s executed, and those among them of heap buffers.
    pub(crate) allocs: u64,
    pub(crate) heap_allocs: u64,
}

/// What comes back: the outputs by value, then the output parameters.
#[derive(Clone, Debug)]
pub(crate) struct Outcome<N> {
    pub(crate) outputs: Vec<(Role, Item<N>)>,
    pub(crate) counts: Counts,
    /// Scalars that nothing popped.
    pub(crate) left: usize,
}

impl<N: Num> Outcome<N> {
    pub(crate) fn get(&self, role: &Role) -> Option<&Item<N>> {
        self.outputs.iter().find(|(r, _)| r == role).map(|(_, item)| item)
    }
    /// The floats of all outputs whose role carries these marks.
    pub(crate) fn floats(&self, marks: &[Mark]) -> Vec<N> {
        let wanted = self.outputs.iter().filter(|(r, _)| r.marks == marks);
        wanted.flat_map(|(_, item)| item.to_floats()).collect()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum EvalError {
    /// Too many instructions.
    Fuel,
    /// A block that leaves the function was entered.
    Diverged,
    /// The function, or the arguments, make no sense.
    Wrong(String),
}

fn wrong<T>(what: impl Into<String>) -> Result<T, EvalError> {
    Err(EvalError::Wrong(what.into()))
}

/// Functions that can be called: each with its companions.
#[derive(Default)]
pub(crate) struct Module {
    funcs: HashMap<(String, CallMode), Func>,
}

impl Module {
    pub(crate) fn define(&mut self, path: &str, mode: CallMode, func: Func) {
        self.funcs.insert((path.into(), mode), func);
    }
    fn find(&self, path: &Snippet, mode: CallMode) -> Result<&Func, EvalError> {
        match self.funcs.get(&(path.to_string(), mode)) {
            Some(func) => Ok(func),
            None => wrong(format!("no function {path} ({mode:?})")),
        }
    }
}

/// Runs a function that calls no other. One argument for each parameter, in order.
pub(crate) fn eval<N: Num>(func: &Func, args: &[Item<N>]) -> Result<Outcome<N>, EvalError> {
    eval_in(&Module::default(), func, args)
}

/// Runs a function that may call those of the module.
pub(crate) fn eval_in<N: Num>(
    module: &Module,
    func: &Func,
    args: &[Item<N>],
) -> Result<Outcome<N>, EvalError> {
    let mut machine = Machine {
        module,
        func,
        values: vec![None; func.values.len()],
        buffers: vec![None; func.buffers.len()],
        windows: HashMap::default(),
        stacks: vec![Vec::new(); func.stacks.len()],
        on_stacks: 0,
        counts: Counts::default(),
    };
    if args.len() != func.params.len() {
        return wrong(format!("{} arguments for {} parameters", args.len(), func.params.len()));
    }
    for (param, arg) in func.params.iter().zip(args) {
        match (param.binding, arg) {
            (Binding::Value(v), Item::Scalar(s)) => machine.set(v, *s),
            (Binding::Buffer(b), Item::Tensor(t)) if t.dims.len() == func.buffer(b).dims.len() => {
                machine.buffers[b.0 as usize] = Some(t.clone());
            }
            _ => return wrong(format!("argument {arg:?} for {:?}", param.binding)),
        }
    }
    machine.block(&func.body)?;
    let mut outputs = Vec::new();
    for output in &func.outputs {
        let item = match output.binding {
            Binding::Value(v) => Item::Scalar(machine.get(v)?),
            Binding::Buffer(b) => Item::Tensor(machine.tensor(b)?.clone()),
        };
        outputs.push((output.role.clone(), item));
    }
    for param in &func.params {
        if let Binding::Buffer(b) = param.binding
            && func.buffer(b).storage == Storage::Output
        {
            outputs.push((param.role.clone(), Item::Tensor(machine.tensor(b)?.clone())));
        }
    }
    let left = machine.stacks.iter().flatten().map(Vec::len).sum();
    Ok(Outcome { outputs, counts: machine.counts, left })
}

const FUEL: u64 = 5_000_000;

struct Machine<'a, N> {
    module: &'a Module,
    func: &'a Func,
    values: Vec<Option<Scalar<N>>>,
    buffers: Vec<Option<Tensor<N>>>,
    /// Where each window looks: buffer, start, length.
    windows: HashMap<Buffer, (Buffer, usize, usize)>,
    /// What each push pushed.
    stacks: Vec<Vec<Vec<Scalar<N>>>>,
    on_stacks: u64,
    counts: Counts,
}

impl<N: Num> Machine<'_, N> {
    // ---------------------------------------------------------------------------------------- access

    fn set(&mut self, v: Value, to: Scalar<N>) {
        let single = matches!(self.func.ty(v), Type::Float(FloatKind::F32));
        self.values[v.0 as usize] = Some(match to {
            Scalar::F(x) if single => Scalar::F(x.single()),
            other => other,
        });
    }
    fn get(&self, v: Value) -> Result<Scalar<N>, EvalError> {
        match self.values[v.0 as usize] {
            Some(s) => Ok(s),
            None => wrong(format!("{v} has no value")),
        }
    }
    fn get_all(&self, list: &[Value]) -> Result<Vec<Scalar<N>>, EvalError> {
        list.iter().map(|v| self.get(*v)).collect()
    }
    fn set_all(&mut self, list: &[Value], to: &[Scalar<N>]) -> Result<(), EvalError> {
        if list.len() != to.len() {
            return wrong(format!("{} values for {}", to.len(), list.len()));
        }
        list.iter().zip(to).for_each(|(v, s)| self.set(*v, *s));
        Ok(())
    }
    fn int(&self, v: Value) -> Result<i64, EvalError> {
        match self.get(v)? {
            Scalar::I(i) => Ok(i),
            other => wrong(format!("{v} is {other:?}, no integer")),
        }
    }
    fn truth(&self, v: Value) -> Result<bool, EvalError> {
        match self.get(v)? {
            Scalar::B(b) => Ok(b),
            other => wrong(format!("{v} is {other:?}, no bool")),
        }
    }
    fn tensor(&self, b: Buffer) -> Result<&Tensor<N>, EvalError> {
        let b = self.windows.get(&b).map_or(b, |(of, ..)| *of);
        match &self.buffers[b.0 as usize] {
            Some(t) => Ok(t),
            None => wrong(format!("{b} has no contents")),
        }
    }
    fn tensor_mut(&mut self, b: Buffer) -> Result<&mut Tensor<N>, EvalError> {
        let b = self.windows.get(&b).map_or(b, |(of, ..)| *of);
        match &mut self.buffers[b.0 as usize] {
            Some(t) => Ok(t),
            None => wrong(format!("{b} has no contents")),
        }
    }
    fn extent(&self, dim: &Dim) -> Result<usize, EvalError> {
        let n = match dim {
            Dim::Fixed(text) => integer(text)?,
            Dim::Dyn(v) => self.int(*v)?,
            Dim::Slice => return wrong("a local buffer of unknown length"),
        };
        usize::try_from(n).or_else(|_| wrong(format!("an axis of length {n}")))
    }
    /// Where an element, or the part that fewer indices name, starts.
    fn offset(&self, b: Buffer, index: &[Value]) -> Result<usize, EvalError> {
        let tensor = self.tensor(b)?;
        let all = [tensor.data.len()];
        // The window of a whole array of two axes has one.
        let array = tensor.dims.len() > self.func.buffer(b).dims.len();
        let dims = if array { &all[..] } else { &tensor.dims };
        let window = self.windows.get(&b).map(|(_, start, len)| (*start, *len));
        let mut offset = 0;
        for (axis, (i, dim)) in index.iter().zip(dims).enumerate() {
            let at = self.int(*i)?;
            let (start, len) = if axis == 0 { window.unwrap_or((0, *dim)) } else { (0, *dim) };
            match usize::try_from(at) {
                Ok(at) if at < len => offset = offset * dim + start + at,
                _ => return wrong(format!("index {at} into {b} of {dims:?}, window {window:?}")),
            }
        }
        Ok(offset * dims[index.len()..].iter().product::<usize>())
    }

    // ---------------------------------------------------------------------------------------- control

    fn block(&mut self, block: &Block) -> Result<Vec<Scalar<N>>, EvalError> {
        for inst in &block.insts {
            self.counts.insts += 1;
            if self.counts.insts > FUEL {
                return Err(EvalError::Fuel);
            }
            self.inst(inst).map_err(|e| match e {
                EvalError::Wrong(what) if !what.contains('\n') => {
                    EvalError::Wrong(format!("{what}\n  in: {}", self.func.show(inst)))
                }
                e => e,
            })?;
        }
        if block.diverges {
            return Err(EvalError::Diverged);
        }
        self.get_all(&block.yields)
    }

    fn inst(&mut self, inst: &Inst) -> Result<(), EvalError> {
        let mut results = Vec::new();
        match &inst.kind {
            InstKind::Pure(op, args) => results.push(self.pure(op, args)?),
            InstKind::Load { buffer, index } => {
                self.counts.loads += 1;
                let at = self.offset(*buffer, index)?;
                results.push(self.tensor(*buffer)?.data[at]);
            }
            InstKind::Store { buffer, index, value, mode } => {
                self.counts.stores += 1;
                let at = self.offset(*buffer, index)?;
                let value = self.get(*value)?;
                let single = self.func.buffer(*buffer).elem == Type::Float(FloatKind::F32);
                let place = &mut self.tensor_mut(*buffer)?.data[at];
                *place = match (mode, *place, value) {
                    (StoreMode::Set, _, value) => value,
                    (StoreMode::Add, Scalar::F(a), Scalar::F(b)) if single => Scalar::F(a.add(b).single()),
                    (StoreMode::Add, Scalar::F(a), Scalar::F(b)) => Scalar::F(a.add(b)),
                    (StoreMode::Add, Scalar::I(a), Scalar::I(b)) => Scalar::I(a + b),
                    (_, a, b) => return wrong(format!("{a:?} += {b:?}")),
                };
            }
            InstKind::Alloc { buffer, fill } => {
                let axes = &self.func.buffer(*buffer).dims;
                self.counts.allocs += 1;
                self.counts.heap_allocs += u64::from(axes.iter().any(|d| matches!(d, Dim::Dyn(_))));
                let dims = axes.iter().map(|d| self.extent(d)).collect::<Result<Vec<_>, _>>()?;
                let data = vec![self.get(*fill)?; dims.iter().product()];
                self.buffers[buffer.0 as usize] = Some(Tensor { dims, data });
            }
            InstKind::Grow { buffer, len } => {
                let len = usize::try_from(self.int(*len)?).or_else(|_| wrong("a negative length"))?;
                let zero = match self.func.buffer(*buffer).elem {
                    Type::Float(_) => Scalar::F(N::constant(0.0)),
                    Type::Bool => Scalar::B(false),
                    _ => Scalar::I(0),
                };
                let tensor = self.tensor_mut(*buffer)?;
                let row: usize = tensor.dims[1..].iter().product();
                if tensor.dims[0] < len {
                    tensor.dims[0] = len;
                    tensor.data.resize(len * row, zero);
                }
            }
            InstKind::Fill { buffer, value } => {
                let value = self.get(*value)?;
                self.tensor_mut(*buffer)?.data.fill(value);
            }
            InstKind::Product(p) => self.product(p)?,
            InstKind::Push { stack, value } => {
                let value = self.get(*value)?;
                self.push(*stack, vec![value]);
            }
            InstKind::Pop { stack } => {
                let [value] = self.pop(*stack)?[..] else { return wrong("contents popped as a scalar") };
                results.push(value);
            }
            InstKind::PushBuffer { stack, buffer } => {
                let contents = self.tensor(*buffer)?.data.clone();
                self.push(*stack, contents);
            }
            InstKind::PopBuffer { stack, buffer } => {
                let contents = self.pop(*stack)?;
                let place = &mut self.tensor_mut(*buffer)?.data;
                if contents.len() != place.len() {
                    return wrong(format!("{} elements popped into {}", contents.len(), place.len()));
                }
                *place = contents;
            }
            InstKind::Window { window, of, start, len, .. } => {
                let (start, len) = (self.int(*start)?, self.int(*len)?);
                let tensor = self.tensor(*of)?;
                let array = tensor.dims.len() > self.func.buffer(*window).dims.len();
                let all = (*of, 0, if array { tensor.data.len() } else { tensor.dims[0] });
                let (of, from, whole) = self.windows.get(of).copied().unwrap_or(all);
                match (usize::try_from(start), usize::try_from(len)) {
                    (Ok(start), Ok(len)) if start + len <= whole => {
                        self.windows.insert(*window, (of, from + start, len));
                    }
                    _ => return wrong(format!("{start} for {len} of {whole}")),
                }
            }
            InstKind::If { cond, then_block, else_block } => {
                let taken = if self.truth(*cond)? { then_block } else { else_block };
                results = self.block(taken)?;
            }
            InstKind::For(l) => results = self.for_loop(l)?,
            InstKind::While { inits, cond_block, body } => {
                results = self.get_all(inits)?;
                loop {
                    self.counts.insts += 1;
                    self.set_all(&cond_block.args, &results)?;
                    match self.block(cond_block)?[..] {
                        [Scalar::B(true)] => {}
                        [Scalar::B(false)] => break,
                        ref other => return wrong(format!("a condition yields {other:?}")),
                    }
                    self.set_all(&body.args, &results)?;
                    results = self.block(body)?;
                }
            }
            InstKind::Call(call) => results = self.call(call)?,
            InstKind::Effect(..) => {}
        }
        self.set_all(&inst.results, &results)
    }

    fn for_loop(&mut self, l: &ForLoop) -> Result<Vec<Scalar<N>>, EvalError> {
        let lo = self.int(l.lo)?;
        let hi = self.int(l.hi)? + i64::from(l.inclusive);
        let step = l.step.map_or(Ok(1), |s| self.int(s))?;
        if step < 1 {
            return wrong(format!("step {step}"));
        }
        let n = (hi - lo).max(0);
        let rounds = (n + step - 1) / step;
        let mut carried = self.get_all(&l.inits)?;
        for round in 0..rounds {
            let k = if l.flipped { rounds - 1 - round } else { round };
            let i = if l.rev { hi - 1 - k * step } else { lo + k * step };
            carried.insert(0, Scalar::I(i));
            self.set_all(&l.body.args, &carried)?;
            carried = self.block(&l.body)?;
        }
        Ok(carried)
    }

    fn push(&mut self, s: Stack, what: Vec<Scalar<N>>) {
        self.counts.pushed += what.len() as u64;
        self.on_stacks += what.len() as u64;
        self.counts.peak = self.counts.peak.max(self.on_stacks);
        self.stacks[s.0 as usize].push(what);
    }
    fn pop(&mut self, s: Stack) -> Result<Vec<Scalar<N>>, EvalError> {
        match self.stacks[s.0 as usize].pop() {
            Some(what) => {
                self.on_stacks -= what.len() as u64;
                Ok(what)
            }
            None => wrong(format!("{s} is empty")),
        }
    }

    // ---------------------------------------------------------------------------------------- operations

    fn pure(&self, op: &Op, args: &[Value]) -> Result<Scalar<N>, EvalError> {
        use Scalar::{B, F, I};
        let args = self.get_all(args)?;
        if let Op::Verbatim(v) = op {
            return self.verbatim(v, &args);
        }
        if let Op::Custom(custom) = op {
            return wrong(format!("nobody looks into `{}`", custom.callee));
        }
        Ok(match (op, args.as_slice()) {
            (Op::Float(c), []) => F(N::constant(*c)),
            (Op::Int(text), []) => I(integer(text)?),
            (Op::Bool(b), []) => B(*b),
            (Op::Len(b, axis), []) => I(self.tensor(*b)?.dims[*axis].cast_signed() as i64),
            (Op::Add, [F(a), F(b)]) => F(a.add(*b)),
            (Op::Sub, [F(a), F(b)]) => F(a.sub(*b)),
            (Op::Mul, [F(a), F(b)]) => F(a.mul(*b)),
            (Op::Div, [F(a), F(b)]) => F(a.div(*b)),
            (Op::Rem, [F(a), F(b)]) => F(a.rem(*b)),
            (Op::Add, [I(a), I(b)]) => I(a + b),
            (Op::Sub, [I(a), I(b)]) => I(a - b),
            (Op::Mul, [I(a), I(b)]) => I(a * b),
            (Op::Div, [I(a), I(b)]) if *b != 0 => I(a / b),
            (Op::Rem, [I(a), I(b)]) if *b != 0 => I(a % b),
            (Op::Neg, [F(a)]) => F(a.neg()),
            (Op::Neg, [I(a)]) => I(-a),
            (Op::Unary(f) | Op::Inline(f), [F(x)]) => F(N::unary(*f, *x)),
            (Op::Binary(f), [F(x), F(y)]) => F(N::binary(*f, *x, *y)),
            (Op::Binary(Binary::Min), [I(a), I(b)]) => I(*a.min(b)),
            (Op::Powi, [F(x), I(n)]) => match i32::try_from(*n) {
                Ok(n) => F(x.powi(n)),
                Err(_) => return wrong(format!("the exponent {n} is no i32")),
            },
            (Op::MulAdd, [F(a), F(b), F(c)]) => F(a.mul_add(*b, *c)),
            (Op::Clamp, [F(x), F(lo), F(hi)]) => F(if x.value() < lo.value() {
                *lo
            } else if x.value() > hi.value() {
                *hi
            } else {
                *x
            }),
            (Op::Cmp(c), [F(a), F(b)]) => B(compare(*c, &a.value(), &b.value())),
            (Op::Cmp(c), [I(a), I(b)]) => B(compare(*c, a, b)),
            (Op::Cmp(c), [B(a), B(b)]) => B(compare(*c, a, b)),
            (Op::Not, [B(a)]) => B(!a),
            (Op::And, [B(a), B(b)]) => B(*a && *b),
            (Op::Or, [B(a), B(b)]) => B(*a || *b),
            (Op::Select, [B(c), a, b]) => *(if *c { a } else { b }),
            (Op::Cast(to), [x]) => cast(to, *x)?,
            (Op::Test(name), [F(x)]) => B(match *name {
                "is_nan" => x.value().is_nan(),
                "is_finite" => x.value().is_finite(),
                "is_infinite" => x.value().is_infinite(),
                "is_normal" => x.value().is_normal(),
                "is_subnormal" => x.value().is_subnormal(),
                "is_sign_negative" => x.value().is_sign_negative(),
                "is_sign_positive" => x.value().is_sign_positive(),
                _ => return wrong(format!("the question {name} is not known")),
            }),
            (op, args) => return wrong(format!("{op:?} of {args:?}")),
        })
    }
}

/// The value of an integer literal, suffixed or not.
fn integer(text: &str) -> Result<i64, EvalError> {
    let digits = text.find(['u', 'i']).map_or(text, |suffix| &text[..suffix]);
    digits.replace(['_', ' '], "").parse().or_else(|_| wrong(format!("`{text}` cannot be evaluated")))
}

fn compare<T: PartialOrd>(c: Cmp, a: &T, b: &T) -> bool {
    match c {
        Cmp::Eq => a == b,
        Cmp::Ne => a != b,
        Cmp::Lt => a < b,
        Cmp::Le => a <= b,
        Cmp::Gt => a > b,
        Cmp::Ge => a >= b,
    }
}

fn cast<N: Num>(to: &str, x: Scalar<N>) -> Result<Scalar<N>, EvalError> {
    let float = |x: f64| match to {
        "i32" => x as i32 as i64,
        "u32" => x as u32 as i64,
        "u8" => x as u8 as i64,
        "usize" | "u64" => (x as u64).cast_signed(),
        _ => x as i64,
    };
    Ok(match (to, x) {
        ("f64", Scalar::F(x)) => Scalar::F(x),
        ("f32", Scalar::F(x)) => Scalar::F(x.single()),
        ("f64", Scalar::I(i)) => Scalar::F(N::constant(i as f64)),
        ("f32", Scalar::I(i)) => Scalar::F(N::constant(f64::from(i as f32))),
        ("f64" | "f32", Scalar::B(_)) => return wrong("a bool cast to a float"),
        (_, Scalar::F(x)) => Scalar::I(float(x.value())),
        (_, Scalar::B(b)) => Scalar::I(i64::from(b)),
        ("i32", Scalar::I(i)) => Scalar::I(i as i32 as i64),
        (_, Scalar::I(i)) => Scalar::I(i),
    })
}
