//! The pattern transform: which second derivatives may be nonzero.
//!
//! Beside each value that varies goes the set of inputs that it depends on, as a number that the recorder at run time
//! (`ad_runtime::sparse`) knows it by; 0 is the empty set. Operations become operations on sets: a sum unites, a product
//! marks the pairs across, what is nonlinear in one operand marks the pairs in it (Walther 2008, "Computing sparse
//! Hessians with automatic differentiation").
//!
//! What of the function itself is not needed for its control flow is dead afterwards. Both sides of a `select`, `min` and
//! `max` are recorded, of an `if` the side that is taken: if no control flow depends on active inputs, the pattern holds
//! for all inputs.

use super::forward::{Carried, Forward};
use super::products;
use crate::analysis::activity::varied;
use crate::ir::{
    Arg, Binary, Binding, Buffer, BufferData, Builder, Dim, Func, InstKind, Op, Param, Role, Snippet, Source,
    Storage, Type, Unary, Value, Verbatim,
};

/// The name of the recorder in generated code.
pub(crate) const RECORDER: &str = "__ad_recorder";

/// The function on sets: for every active parameter, the sets of its elements are a further parameter
/// ([`Source::Saved`]); nothing is returned.
pub(crate) fn pattern(func: &Func) -> Func {
    // Sets have no products.
    let func = &products::as_loops(func.clone(), &|_, _| true);
    let seeds: Vec<Binding> = func.params.iter().filter(|p| p.active).map(|p| p.binding).collect();
    let active = varied(func, &seeds);
    let mut forward = Forward::new(func, &active, Sets);
    for (k, p) in func.params.iter().filter(|p| p.active).enumerate() {
        let binding = match p.binding {
            Binding::Value(v) => {
                let set = forward.b.func.new_value(Type::Int, Some("set".into()));
                forward.dots.insert(v, set);
                Binding::Value(set)
            }
            Binding::Buffer(b) => {
                let dims = func.buffer(b).dims.clone();
                let owned = func.buffer(b).storage == Storage::Owned;
                let data =
                    BufferData::new("sets".into(), Type::Int, vec![Dim::Slice; dims.len()], Storage::Shared);
                let sets = forward.b.func.new_buffer(data);
                // An array that the function changes changes its sets.
                let shadow = if owned { copied(&mut forward.b, sets, dims) } else { sets };
                forward.buffers.insert(b, shadow);
                Binding::Buffer(sets)
            }
        };
        forward.b.func.params.push(Param {
            role: Role::primal(Source::Saved(k)),
            binding,
            active: false,
            size: false,
        });
    }
    forward.block(&func.body);
    let mut func = forward.b.finish();
    func.outputs.clear();
    // What the user's statements would do is done when the function is run.
    func
}

/// A copy of an array of one axis.
fn copied(b: &mut Builder, from: Buffer, dims: Vec<Dim>) -> Buffer {
    let to = b.func.new_buffer(BufferData::new("sets".into(), Type::Int, dims, Storage::Local));
    let fill = b.int("0_usize");
    b.effect(InstKind::Alloc { buffer: to, fill });
    let lo = b.int("0_usize");
    let hi = b.op(Op::Len(from, 0), &[]);
    let i = b.func.new_value(Type::Int, Some("i".into()));
    b.open(vec![i]);
    let set = b.load(from, vec![i]);
    b.store(to, vec![i], set, crate::ir::StoreMode::Set);
    let body = b.close(Vec::new());
    b.effect(InstKind::For(crate::ir::ForLoop::plain(lo, hi, Vec::new(), body)));
    to
}

/// Whether the pattern holds for all inputs: no active number is left in the function on sets.
pub(crate) fn is_universal(pattern: &Func) -> bool {
    let mut inputs = Vec::new();
    for p in pattern.params.iter().filter(|p| p.active) {
        match p.binding {
            Binding::Value(v) => inputs.push(v),
            Binding::Buffer(b) => {
                let mut loaded = Vec::new();
                pattern.body.visit(&mut |inst| {
                    let mut named = false;
                    inst.kind.each_buffer(|x| named |= x == b);
                    if named && !matches!(inst.kind, InstKind::Pure(Op::Len(..), _)) {
                        loaded.push(b);
                    }
                });
                if !loaded.is_empty() {
                    return false;
                }
            }
        }
    }
    let mut used = false;
    pattern.body.each_use(&mut |v| used |= inputs.contains(&v));
    !used
}

/// Numbers of sets.
struct Sets;

fn recorded(b: &mut Builder, method: &str, sets: &[Value]) -> Value {
    b.op_typed(Op::Verbatim(noted(method, sets.len())), sets, Type::Int)
}

/// As [`recorded`], for what it marks: it stays though nobody may ask for its set.
fn marked(b: &mut Builder, method: &str, sets: &[Value]) -> Value {
    b.effect(InstKind::Effect(noted(method, sets.len()), sets.to_vec()));
    match sets {
        [a] => *a,
        _ => recorded(b, "union", sets),
    }
}

/// A call of the recorder with this many sets.
fn noted(method: &str, sets: usize) -> Verbatim {
    let holes: Vec<String> = (0..sets).map(Verbatim::hole).collect();
    Verbatim::new(Snippet::written(format!("{RECORDER}.{method}({})", holes.join(", "))), Vec::new())
}

impl Carried for Sets {
    fn ty(&self, of: &Type) -> Type {
        if of.is_float() { Type::Int } else { of.clone() }
    }

    fn zero(&self, b: &mut Builder, _: &Type) -> Value {
        b.int("0_usize")
    }

    fn added(&self, b: &mut Builder, old: Value, new: Value) -> Option<Value> {
        Some(recorded(b, "union", &[old, new]))
    }

    fn pure(&self, b: &mut Builder, op: &Op, _: &[Value], dots: &[Option<Value>], _: Value) -> Option<Value> {
        let sets: Vec<Value> = dots.iter().flatten().copied().collect();
        let all = |b: &mut Builder| sets.iter().copied().reduce(|x, y| recorded(b, "union", &[x, y]));
        match op {
            Op::Add | Op::Sub | Op::Neg | Op::Select | Op::Cast(_) | Op::Rem | Op::Clamp => all(b),
            Op::Unary(Unary::Abs | Unary::Fract | Unary::ToRadians | Unary::ToDegrees) => all(b),
            Op::Unary(
                Unary::Signum
                | Unary::Floor
                | Unary::Ceil
                | Unary::Round
                | Unary::RoundTiesEven
                | Unary::Trunc,
            ) => None,
            Op::Binary(Binary::Min | Binary::Max | Binary::AbsSub | Binary::RemEuclid | Binary::Copysign) => {
                all(b)
            }
            Op::Binary(Binary::DivEuclid) => None,
            Op::Mul => match dots {
                [Some(x), Some(y)] => Some(marked(b, "bilinear", &[*x, *y])),
                _ => all(b),
            },
            Op::Div => match dots {
                [x, Some(y)] => {
                    let y = marked(b, "nonlinear", &[*y]);
                    Some(match x {
                        Some(x) => marked(b, "bilinear", &[*x, y]),
                        None => y,
                    })
                }
                _ => all(b),
            },
            Op::MulAdd => {
                let product = match (dots[0], dots[1]) {
                    (Some(x), Some(y)) => Some(marked(b, "bilinear", &[x, y])),
                    (x, y) => x.or(y),
                };
                match (product, dots[2]) {
                    (Some(p), Some(c)) => Some(recorded(b, "union", &[p, c])),
                    (p, c) => p.or(c),
                }
            }
            // Whatever else: each may depend on its operands in any way.
            _ => {
                let all = all(b)?;
                Some(marked(b, "nonlinear", &[all]))
            }
        }
    }

    fn call(&self, b: &mut Builder, dots: &[Option<Arg>]) -> Option<Value> {
        let mut all = b.int("0_usize");
        for dot in dots.iter().flatten() {
            let set = match dot {
                Arg::Value(v) => *v,
                Arg::Buffer { buffer, prefix, range, .. } => {
                    let mut args = prefix.clone();
                    let index: String =
                        (0..prefix.len()).map(|k| format!("[{}]", Verbatim::hole(k))).collect();
                    let range = range.map_or_else(String::new, |(start, len)| {
                        args.extend([start, len]);
                        let [start, len] = [0, 1].map(|k| Verbatim::hole(prefix.len() + k));
                        format!("[{start}..][..{len}]")
                    });
                    let name = Verbatim::buffer_hole(0);
                    let code = Snippet::written(format!("{RECORDER}.union_all(&{name}{index}{range})"));
                    b.op_typed(Op::Verbatim(Verbatim::new(code, vec![*buffer])), &args, Type::Int)
                }
            };
            all = recorded(b, "union", &[all, set]);
        }
        Some(marked(b, "nonlinear", &[all]))
    }
}
