//! The verifier: the invariants of the IR, checked after every pass in tests: this package's own, and the whole
//! repository's builds (users wait for the macro, and get what has been checked here).
//!
//! - every value is defined once, before its uses, in the same block or an enclosing one;
//! - float arithmetic is on floats of one kind (or on opaque values, whose type rustc knows);
//! - loops: as many arguments, yields, inits and results as each other; `if`: both branches yield one value for
//!   each result, unless they diverge; a condition yields one value;
//! - a local buffer is declared once, before its uses; indices are as many as axes; shared parameters are not
//!   written; outputs and parameters are bound;
//! - a buffer is left alone while a window into it is in use.

use std::sync::LazyLock;

use rustc_hash::FxHashSet as HashSet;

use super::func::{Binding, Func};
use super::ops::{Block, Factor, Inst, InstKind, Op, Product};
use super::types::{Buffer, Dim, FloatKind, Layout, Storage, Type, Value};

/// Whether passes are checked: in tests, and where the environment asks for it (as this repository's `.cargo/config.toml`
/// does).
pub(crate) fn is_on() -> bool {
    static ON: LazyLock<bool> =
        LazyLock::new(|| cfg!(test) || std::env::var_os("AD_VERIFY").is_some_and(|v| v != "0"));
    *ON
}

/// Checks a function; the error says what is wrong and shows the instruction.
pub(crate) fn verify(func: &Func) -> Result<(), String> {
    let mut v = Verifier {
        func,
        scope: vec![Names::default()],
        defined: HashSet::default(),
        declared: HashSet::default(),
    };
    for p in &func.params {
        match p.binding {
            Binding::Value(value) => v.define(value)?,
            Binding::Buffer(b) => {
                if func.buffer(b).storage == Storage::Local {
                    return Err(format!("parameter bound to the local buffer {b}"));
                }
                v.declare(b)?;
            }
        }
    }
    if !func.body.args.is_empty() || !func.body.yields.is_empty() {
        return Err("the body of a function takes and yields nothing".into());
    }
    v.insts(&func.body)?;
    for o in &func.outputs {
        match o.binding {
            Binding::Value(value) => v.used(value)?,
            Binding::Buffer(b) => v.touched(b)?,
        }
    }
    Ok(())
}

/// Calls `f` on an instruction and all nested in it.
fn visit<'a>(inst: &'a Inst, f: &mut impl FnMut(&'a Inst)) {
    f(inst);
    inst.kind.blocks().for_each(|b| b.visit(f));
}

#[derive(Default)]
struct Names {
    values: HashSet<Value>,
    buffers: HashSet<Buffer>,
}

struct Verifier<'a> {
    func: &'a Func,
    scope: Vec<Names>,
    defined: HashSet<Value>,
    declared: HashSet<Buffer>,
}

impl Verifier<'_> {
    fn define(&mut self, v: Value) -> Result<(), String> {
        if v.0 as usize >= self.func.values.len() {
            return Err(format!("{v} is not in the table of values"));
        }
        if !self.defined.insert(v) {
            return Err(format!("{v} is defined twice"));
        }
        if let Some(names) = self.scope.last_mut() {
            names.values.insert(v);
        }
        Ok(())
    }

    fn declare(&mut self, b: Buffer) -> Result<(), String> {
        if !self.declared.insert(b) {
            return Err(format!("buffer {b} is declared twice"));
        }
        if let Some(names) = self.scope.last_mut() {
            names.buffers.insert(b);
        }
        Ok(())
    }

    fn used(&self, v: Value) -> Result<(), String> {
        if self.scope.iter().any(|names| names.values.contains(&v)) {
            Ok(())
        } else {
            Err(format!("{v} is used outside the scope of its definition"))
        }
    }

    fn touched(&self, b: Buffer) -> Result<(), String> {
        if self.scope.iter().any(|names| names.buffers.contains(&b)) {
            Ok(())
        } else {
            Err(format!("buffer {b} is used outside the scope of its declaration"))
        }
    }

    fn insts(&mut self, block: &Block) -> Result<(), String> {
        for inst in &block.insts {
            self.inst(inst).map_err(|e| {
                if e.contains('\n') { e } else { format!("{e}\n  in: {}", self.func.show(inst)) }
            })?;
        }
        for y in &block.yields {
            self.used(*y)?;
        }
        self.windows(block)
    }

    /// A buffer is left alone while a window into it is in use: by writers, and by all if the window is written.
    fn windows(&self, block: &Block) -> Result<(), String> {
        let mentions = |inst: &Inst, b: Buffer| {
            let mut found = false;
            visit(inst, &mut |i| i.kind.each_buffer(|other| found |= other == b));
            found
        };
        for (at, inst) in block.insts.iter().enumerate() {
            let InstKind::Window { window, of, mutable, .. } = inst.kind else { continue };
            let after = &block.insts[at + 1..];
            let end = after.iter().rposition(|i| mentions(i, window)).map_or(0, |last| last + 1);
            for other in &after[..end] {
                let mut writes = false;
                visit(other, &mut |i| {
                    writes |= i.kind.writes().contains(&of);
                    writes |= !mutable && i.kind.writes().contains(&window);
                });
                if writes || mutable && mentions(other, of) {
                    let other = self.func.show(other);
                    return Err(format!("{of} is touched while {window} is in use\n  in: {other}"));
                }
            }
        }
        Ok(())
    }

    fn nested(&mut self, block: &Block, args: usize, yields: usize) -> Result<(), String> {
        if block.args.len() != args {
            return Err(format!("a block has {} arguments and needs {args}", block.args.len()));
        }
        self.scope.push(Names::default());
        for a in &block.args {
            self.define(*a)?;
        }
        self.insts(block)?;
        self.scope.pop();
        if block.diverges {
            if !matches!(block.insts.last().map(|i| &i.kind), Some(InstKind::Effect(..))) {
                return Err("a diverging block does not end with an effect".into());
            }
        } else if block.yields.len() != yields {
            return Err(format!("a block yields {} values and needs {yields}", block.yields.len()));
        }
        Ok(())
    }

    fn inst(&mut self, inst: &Inst) -> Result<(), String> {
        let mut check = Ok(());
        inst.kind.each_operand(|v| {
            if check.is_ok() {
                check = self.used(v);
            }
        });
        check?;
        if let InstKind::Alloc { buffer, .. } = inst.kind {
            if self.func.buffer(buffer).storage != Storage::Local {
                return Err(format!("{buffer} is allocated and not local"));
            }
            let data = self.func.buffer(buffer);
            if data.layout == Layout::Flat && (data.dims.len() != 2 || data.grows || data.like.is_some()) {
                return Err(format!("{buffer} is flat and no matrix"));
            }
            for dim in &data.dims {
                match dim {
                    Dim::Dyn(v) => self.used(*v)?,
                    Dim::Slice if self.func.buffer(buffer).like.is_some() => {}
                    Dim::Slice => return Err(format!("{buffer} is local and of unknown length")),
                    Dim::Fixed(_) => {}
                }
            }
            self.declare(buffer)?;
        } else if let InstKind::Window { window, of, .. } = inst.kind {
            let axes = |b: Buffer| self.func.buffer(b).dims.len();
            let array = self.func.buffer(of).layout == Layout::Ndarray && axes(window) == 1 && axes(of) == 2;
            if self.func.buffer(window).storage != Storage::Window || axes(of) != axes(window) && !array {
                return Err(format!("{window} is no window into {of}"));
            }
            self.touched(of)?;
            self.declare(window)?;
        } else {
            let mut check = Ok(());
            inst.kind.each_buffer(|b| {
                if check.is_ok() {
                    check = self.touched(b);
                }
            });
            check?;
        }
        if let Some(b) = inst.kind.writes().iter().find(|b| self.func.buffer(**b).storage == Storage::Shared)
        {
            return Err(format!("{b} is written and shared"));
        }
        if let Some(stack) = inst.kind.stack()
            && stack.0 as usize >= self.func.stacks.len()
        {
            return Err(format!("{stack} is not in the table of stacks"));
        }
        self.shape(inst)?;
        self.blocks(inst)?;
        for r in &inst.results {
            self.define(*r)?;
        }
        Ok(())
    }

    fn blocks(&mut self, inst: &Inst) -> Result<(), String> {
        let n = inst.results.len();
        match &inst.kind {
            InstKind::If { then_block, else_block, .. } => {
                self.nested(then_block, 0, n)?;
                self.nested(else_block, 0, n)
            }
            InstKind::For(l) => {
                if l.inits.len() != n {
                    return Err(format!("{} inits for {n} results", l.inits.len()));
                }
                self.nested(&l.body, n + 1, n)
            }
            InstKind::While { inits, cond_block, body } => {
                if inits.len() != n {
                    return Err(format!("{} inits for {n} results", inits.len()));
                }
                self.nested(cond_block, n, 1)?;
                self.nested(body, n, n)
            }
            _ => Ok(()),
        }
    }

    /// Arities and types of an instruction without its blocks.
    fn shape(&self, inst: &Inst) -> Result<(), String> {
        let results = match &inst.kind {
            InstKind::Pure(op, args) => {
                self.op(op, args, inst.results.first().copied())?;
                1
            }
            InstKind::Load { buffer, index } => {
                self.index(*buffer, index)?;
                1
            }
            InstKind::Store { buffer, index, value, .. } => {
                self.index(*buffer, index)?;
                self.same_kind(&[self.func.ty(*value), &self.func.buffer(*buffer).elem])?;
                // Its derivative would be lost.
                if self.func.is_float(*value) && !self.func.buffer(*buffer).elem.is_float() {
                    return Err(format!("the float {value} goes into {buffer}, which holds none"));
                }
                0
            }
            InstKind::Pop { .. } => 1,
            InstKind::Product(p) => {
                self.product(p)?;
                0
            }
            InstKind::If { .. } | InstKind::For(_) | InstKind::While { .. } | InstKind::Call(_) => {
                inst.results.len()
            }
            _ => 0,
        };
        if inst.results.len() == results {
            Ok(())
        } else {
            Err(format!("{} results instead of {results}", inst.results.len()))
        }
    }

    /// Axes, kinds and places of the factors.
    fn product(&self, p: &Product) -> Result<(), String> {
        let data = |f: &Factor| self.func.buffer(f.buffer);
        let axes = p.factors().map(|f| if f.shape.is_some() { 2 } else { data(f).dims.len() });
        if ![[2, 2, 2], [1, 2, 1], [2, 1, 1]].contains(&axes) {
            return Err(format!("a product with axes {axes:?}"));
        }
        for (f, axes) in p.factors().into_iter().zip(axes) {
            if f.transposed && (axes == 1 || std::ptr::eq(f, &raw const p.into)) {
                return Err(format!("{} cannot be transposed here", f.buffer));
            }
            if f.shape.is_some() && data(f).dims.len() != 1 {
                return Err(format!("{} has a shape of its own", f.buffer));
            }
            if !data(f).elem.is_float() {
                return Err(format!("{} is in a product and holds no floats", f.buffer));
            }
        }
        if p.into.buffer == p.a.buffer || p.into.buffer == p.b.buffer {
            return Err(format!("the product goes into its own factor {}", p.into.buffer));
        }
        self.same_kind(&p.factors().map(|f| &data(f).elem))
    }

    fn index(&self, b: Buffer, index: &[Value]) -> Result<(), String> {
        let axes = self.func.buffer(b).dims.len();
        if index.len() != axes {
            return Err(format!("{} indices into {axes} axes", index.len()));
        }
        match index.iter().find(|i| self.func.is_float(**i)) {
            Some(i) => Err(format!("the index {i} is a float")),
            None => Ok(()),
        }
    }

    fn op(&self, op: &Op, args: &[Value], result: Option<Value>) -> Result<(), String> {
        let arity = match op {
            Op::Float(_) | Op::Int(_) | Op::Bool(_) | Op::Len(..) => 0,
            Op::Neg | Op::Unary(_) | Op::Inline(_) | Op::Not | Op::Cast(_) | Op::Test(_) => 1,
            Op::MulAdd | Op::Clamp | Op::Select => 3,
            Op::Verbatim(_) => args.len(),
            Op::Custom(custom) => custom.active.len(),
            _ => 2,
        };
        if args.len() != arity {
            return Err(format!("{} operands instead of {arity}", args.len()));
        }
        let types: Vec<&Type> = args.iter().map(|a| self.func.ty(*a)).collect();
        let result: Vec<&Type> = result.iter().map(|r| self.func.ty(*r)).collect();
        match op {
            Op::Add
            | Op::Sub
            | Op::Mul
            | Op::Div
            | Op::Rem
            | Op::Neg
            | Op::Unary(_)
            | Op::Inline(_)
            | Op::Binary(_)
            | Op::MulAdd
            | Op::Clamp => self.same_kind(&[types, result].concat()),
            Op::Select => self.same_kind(&[types[1], types[2], result[0]]),
            Op::Powi => self.same_kind(&[types[0], result[0]]),
            Op::Custom(custom) => {
                let active = custom.active.iter().filter(|a| **a).count();
                if custom.partials.len() != active {
                    return Err(format!("{} partials of {active} active operands", custom.partials.len()));
                }
                let inactive =
                    custom.active.iter().zip(&types).position(|(active, ty)| *active && !ty.is_float());
                match inactive {
                    Some(k) => Err(format!("the active operand {} is no float", args[k])),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }

    /// Floats of one kind; integers and opaque values may stand beside them where their type is not known.
    fn same_kind(&self, types: &[&Type]) -> Result<(), String> {
        let mut kinds: Vec<&FloatKind> = types
            .iter()
            .filter_map(|t| match t {
                Type::Float(FloatKind::Infer) => None,
                Type::Float(kind) => Some(kind),
                _ => None,
            })
            .collect();
        kinds.dedup();
        if kinds.len() > 1 {
            return Err(format!("floats of kinds {kinds:?} meet"));
        }
        if !kinds.is_empty() && types.iter().any(|t| **t == Type::Bool) {
            return Err("a float meets a bool".into());
        }
        Ok(())
    }
}
