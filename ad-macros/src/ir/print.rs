//! The textual form of a function.
//!
//! ```text
//! fn f(%x.0: f64 active, %y.1: f64 active) {
//!   %2 = mul %x.0, %x.0
//!   %s.5 = for %i.3 in %lo..%n carrying %s.4 = %zero { ... yield %s.9 }
//!   return result 0: %8
//! }
//! ```

use std::fmt::{self, Display, Formatter, Write as _};

use super::func::{Binding, Func, Mark, Role, Source};
use super::ops::{Arg, BarArg, Block, Call, CallMode, Cmp, Factor, Inst, InstKind, Op, Sight, StoreMode};
use super::types::{Buffer, Dim, FloatKind, Stack, Storage, Type, Value};

impl Display for Type {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Type::Float(FloatKind::F64) => "f64",
            Type::Float(FloatKind::F32) => "f32",
            Type::Float(FloatKind::Param(name)) => name,
            Type::Float(FloatKind::Infer) => "float",
            Type::Int => "int",
            Type::Bool => "bool",
            Type::Opaque => "opaque",
        })
    }
}

impl Display for Role {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self.of {
            Source::Param(i) => write!(f, "param {i}")?,
            Source::Leaf(i, k) => write!(f, "param {i}.{k}")?,
            Source::Result(i) => write!(f, "result {i}")?,
            Source::Saved(k) => write!(f, "saved {k}")?,
        }
        for mark in &self.marks {
            f.write_str(match mark {
                Mark::Dot => " dot",
                Mark::Bar => " bar",
            })?;
        }
        Ok(())
    }
}

impl Display for Func {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let p = Printer { func: self };
        writeln!(f, "fn {}(", self.name)?;
        for param in &self.params {
            let what = match param.binding {
                Binding::Value(v) => format!("{}: {}", p.value(v), self.ty(v)),
                Binding::Buffer(b) => {
                    let storage = match self.buffer(b).storage {
                        Storage::Shared => "&",
                        Storage::Output => "&mut ",
                        Storage::Owned | Storage::Local | Storage::Window => "",
                    };
                    format!("{}: {storage}{}", p.buffer(b), p.shape(b))
                }
            };
            let active = if param.active { ", active" } else { "" };
            writeln!(f, "  {what}  ; {}{active}", param.role)?;
        }
        writeln!(f, ") {{")?;
        for i in 0..self.stacks.len() {
            let s = Stack(u32::try_from(i).unwrap_or(u32::MAX));
            if self.body_uses(s) {
                writeln!(f, "  stack {} of {}", p.stack(s), self.stack(s).elem)?;
            }
        }
        let mut text = String::new();
        p.block(&self.body, 1, &mut text)?;
        f.write_str(&text)?;
        for o in &self.outputs {
            writeln!(f, "  return {}  ; {}", p.binding(o.binding), o.role)?;
        }
        writeln!(f, "}}")
    }
}

impl Func {
    fn body_uses(&self, s: Stack) -> bool {
        let mut used = false;
        self.body.visit(&mut |inst| used |= inst.kind.stack() == Some(s));
        used
    }

    /// The text of one instruction, for messages.
    pub(crate) fn show(&self, inst: &Inst) -> String {
        let mut text = String::new();
        let _ = Printer { func: self }.inst(inst, 0, &mut text);
        text
    }
}

struct Printer<'a> {
    func: &'a Func,
}

impl Printer<'_> {
    fn value(&self, v: Value) -> String {
        match self.func.values.get(v.0 as usize).and_then(|d| d.name.as_deref()) {
            Some(name) => format!("%{name}.{}", v.0),
            None => format!("{v}"),
        }
    }
    fn buffer(&self, b: Buffer) -> String {
        format!("@{}.{}", self.func.buffer(b).name, b.0)
    }
    fn stack(&self, s: Stack) -> String {
        format!("#{}.{}", self.func.stack(s).name, s.0)
    }
    fn binding(&self, b: Binding) -> String {
        match b {
            Binding::Value(v) => self.value(v),
            Binding::Buffer(b) => self.buffer(b),
        }
    }
    fn values(&self, list: &[Value]) -> String {
        list.iter().map(|v| self.value(*v)).collect::<Vec<_>>().join(", ")
    }
    fn shape(&self, b: Buffer) -> String {
        let data = self.func.buffer(b);
        data.dims.iter().rev().fold(data.elem.to_string(), |inner, dim| match dim {
            Dim::Fixed(n) => format!("[{inner}; {n}]"),
            Dim::Dyn(v) => format!("vec[{inner}; {}]", self.value(*v)),
            Dim::Slice => format!("[{inner}]"),
        })
    }
    fn element(&self, b: Buffer, index: &[Value]) -> String {
        let index: String = index.iter().map(|i| format!("[{}]", self.value(*i))).collect();
        format!("{}{index}", self.buffer(b))
    }

    fn block(&self, block: &Block, depth: usize, out: &mut String) -> fmt::Result {
        for inst in &block.insts {
            self.inst(inst, depth, out)?;
        }
        if block.diverges {
            writeln!(out, "{}diverge", "  ".repeat(depth))?;
        } else if !block.yields.is_empty() {
            writeln!(out, "{}yield {}", "  ".repeat(depth), self.values(&block.yields))?;
        }
        Ok(())
    }

    fn inst(&self, inst: &Inst, depth: usize, out: &mut String) -> fmt::Result {
        let pad = "  ".repeat(depth);
        let results = match inst.results.as_slice() {
            [] => String::new(),
            list => format!("{} = ", self.values(list)),
        };
        write!(out, "{pad}{results}")?;
        match &inst.kind {
            InstKind::Pure(op, args) => writeln!(out, "{}", self.op(op, args)),
            InstKind::Load { buffer, index } => writeln!(out, "load {}", self.element(*buffer, index)),
            InstKind::Store { buffer, index, value, mode } => {
                let sign = if *mode == StoreMode::Set { "=" } else { "+=" };
                writeln!(out, "store {} {sign} {}", self.element(*buffer, index), self.value(*value))
            }
            InstKind::Alloc { buffer, fill } => {
                writeln!(
                    out,
                    "alloc {}: {} = {}",
                    self.buffer(*buffer),
                    self.shape(*buffer),
                    self.value(*fill)
                )
            }
            InstKind::Fill { buffer, value } => {
                writeln!(out, "fill {} = {}", self.buffer(*buffer), self.value(*value))
            }
            InstKind::Grow { buffer, len } => {
                writeln!(out, "grow {} to {}", self.buffer(*buffer), self.value(*len))
            }
            InstKind::Product(p) => {
                let sign = if p.mode == StoreMode::Set { "=" } else { "+=" };
                let (into, a, b) = (self.factor(&p.into), self.factor(&p.a), self.factor(&p.b));
                writeln!(out, "product {into} {sign} {a} · {b}")
            }
            InstKind::Push { stack, value } => {
                writeln!(out, "push {}, {}", self.stack(*stack), self.value(*value))
            }
            InstKind::Pop { stack } => writeln!(out, "pop {}", self.stack(*stack)),
            InstKind::PushBuffer { stack, buffer } => {
                writeln!(out, "push {}, all of {}", self.stack(*stack), self.buffer(*buffer))
            }
            InstKind::PopBuffer { stack, buffer } => {
                writeln!(out, "pop {}, all of {}", self.stack(*stack), self.buffer(*buffer))
            }
            InstKind::Window { window, of, start, len, mutable, sight } => {
                let (start, len) = (self.value(*start), self.value(*len));
                let kind = if *mutable { " mutable" } else { "" };
                let sight = match sight {
                    Sight::Part => "",
                    Sight::Apart => " apart",
                    Sight::Span => " span",
                };
                writeln!(
                    out,
                    "window {} ={kind}{sight} {}[{start} for {len}]",
                    self.buffer(*window),
                    self.buffer(*of)
                )
            }
            InstKind::If { cond, then_block, else_block } => {
                writeln!(out, "if {} {{", self.value(*cond))?;
                self.block(then_block, depth + 1, out)?;
                writeln!(out, "{pad}}} else {{")?;
                self.block(else_block, depth + 1, out)?;
                writeln!(out, "{pad}}}")
            }
            InstKind::For(l) => {
                let dots = if l.inclusive { "..=" } else { ".." };
                let rev = if l.rev { " rev" } else { "" };
                let step = l.step.map_or(String::new(), |s| format!(" step {}", self.value(s)));
                let flipped = if l.flipped { " flipped" } else { "" };
                let variable = l.body.args.first().map_or("?".to_string(), |v| self.value(*v));
                writeln!(
                    out,
                    "for {variable} in {}{dots}{}{rev}{step}{flipped}{} {{",
                    self.value(l.lo),
                    self.value(l.hi),
                    self.carrying(l.body.args.get(1..).unwrap_or(&[]), &l.inits)
                )?;
                self.block(&l.body, depth + 1, out)?;
                writeln!(out, "{pad}}}")
            }
            InstKind::While { inits, cond_block, body } => {
                writeln!(out, "while{} {{", self.carrying(&cond_block.args, inits))?;
                self.block(cond_block, depth + 1, out)?;
                writeln!(out, "{pad}}} do ({}) {{", self.values(&body.args))?;
                self.block(body, depth + 1, out)?;
                writeln!(out, "{pad}}}")
            }
            InstKind::Call(call) => writeln!(out, "{}", self.call(call)),
            InstKind::Effect(v, args) => {
                writeln!(out, "effect `{}` ({})", v.code, self.values(args))
            }
        }
    }

    fn factor(&self, f: &Factor) -> String {
        let shape =
            f.shape.map_or(String::new(), |s| format!(" as {} by {}", self.value(s[0]), self.value(s[1])));
        format!("{}{}{shape}", self.buffer(f.buffer), if f.transposed { "ᵀ" } else { "" })
    }

    fn carrying(&self, args: &[Value], inits: &[Value]) -> String {
        let pairs: Vec<String> =
            args.iter().zip(inits).map(|(a, i)| format!("{} = {}", self.value(*a), self.value(*i))).collect();
        if pairs.is_empty() { String::new() } else { format!(" carrying {}", pairs.join(", ")) }
    }

    fn op(&self, op: &Op, args: &[Value]) -> String {
        let args = self.values(args);
        match op {
            Op::Float(c) => format!("{c:?}"),
            Op::Int(text) => text.to_string(),
            Op::Bool(b) => b.to_string(),
            Op::Unary(u) => format!("{} {args}", u.method()),
            Op::Inline(u) => format!("inline {} {args}", u.method()),
            Op::Binary(u) => format!("{} {args}", u.method()),
            Op::Cmp(c) => {
                let name = match c {
                    Cmp::Eq => "eq",
                    Cmp::Ne => "ne",
                    Cmp::Lt => "lt",
                    Cmp::Le => "le",
                    Cmp::Gt => "gt",
                    Cmp::Ge => "ge",
                };
                format!("{name} {args}")
            }
            Op::Cast(to) => format!("cast {args} to {to}"),
            Op::Test(name) => format!("{name} {args}"),
            Op::Len(b, 0) => format!("len {}", self.buffer(*b)),
            Op::Len(b, axis) => format!("len {} axis {axis}", self.buffer(*b)),
            Op::Verbatim(v) => format!("rust `{}` ({args})", v.code),
            Op::Custom(custom) => format!("custom {}({args})", custom.callee),
            other => format!("{} {args}", format!("{other:?}").to_lowercase()),
        }
    }

    fn arg(&self, arg: &Arg) -> String {
        match arg {
            Arg::Value(v) => self.value(*v),
            Arg::Buffer { buffer, prefix, range, .. } => {
                let range = range.map_or(String::new(), |(start, len)| {
                    format!("[{} for {}]", self.value(start), self.value(len))
                });
                format!("{}{range}", self.element(*buffer, prefix))
            }
        }
    }

    fn call(&self, call: &Call) -> String {
        let mode = match call.mode {
            CallMode::Primal => "call",
            CallMode::Jvp => "call jvp of",
            CallMode::Vjp => "call vjp of",
            CallMode::VjpJvp => "call vjp-jvp of",
            CallMode::JvpJvp => "call jvp-jvp of",
            CallMode::Curvature => "call curvature of",
            CallMode::Taylor => "call taylor of",
        };
        let mut text = format!("{mode} {}(", call.callee);
        text.push_str(&call.args.iter().map(|a| self.arg(a)).collect::<Vec<_>>().join(", "));
        for group in &call.dots {
            let dots: Vec<String> =
                group.iter().map(|a| a.as_ref().map_or("-".into(), |a| self.arg(a))).collect();
            text.push_str(&format!("; dots {}", dots.join(", ")));
        }
        if !call.seeds.is_empty() {
            text.push_str(&format!("; seeds {}", self.values(&call.seeds)));
        }
        for group in &call.bars {
            let bars: Vec<String> = group
                .iter()
                .map(|a| match a {
                    None => "-".into(),
                    Some(BarArg::Result) => "result".into(),
                    Some(BarArg::Into(a)) => self.arg(a),
                })
                .collect();
            text.push_str(&format!("; bars {}", bars.join(", ")));
        }
        text.push(')');
        text
    }
}
