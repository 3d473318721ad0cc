//! How much of a stack a nest of loops fills, where that is known before the outermost of them: it is reserved there at once.
//!
//! Known is what is pushed in each round of plain `for` loops whose bounds do not depend on the rounds of those outside.
//! Loops that may end early are `while` loops here. What an `if` pushes is not known, and neither is a triangle: their stacks
//! grow by doubling, rather than hold what may never come.

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use super::body::{Body, is_array};
use super::expr::{Expr, Prec};
use crate::ir::{Block, Buffer, ForLoop, Func, InstKind, Op, Stack, Value, ValueSet};

/// A push in each round of a nest of loops.
#[derive(Clone)]
pub(super) struct Pushed<'f> {
    stack: Stack,
    /// Outermost first.
    nest: Vec<&'f ForLoop>,
    /// Of the whole of a vector, element by element.
    contents: Option<Buffer>,
}

/// What nests push, by the variable of their outermost loop.
pub(super) type Plan<'f> = HashMap<Value, Vec<Pushed<'f>>>;

/// Of all nests that are in no loop.
pub(super) fn plan(func: &Func) -> Plan<'_> {
    let mut plan = Plan::default();
    outermost(func, &func.body, &mut plan);
    plan
}

fn outermost<'f>(func: &'f Func, block: &'f Block, plan: &mut Plan<'f>) {
    for inst in &block.insts {
        match &inst.kind {
            InstKind::For(l) => {
                let mut inside = ValueSet::default();
                inside.add_all(&l.body.args);
                l.body.visit(&mut |inst| {
                    // A literal is known everywhere.
                    if !matches!(inst.kind, InstKind::Pure(Op::Int(_), _)) {
                        inside.add_all(&inst.results);
                    }
                    inst.kind.blocks().for_each(|block| inside.add_all(&block.args));
                });
                let mut pushed = Vec::new();
                nest(func, &inside, &mut vec![l], &mut pushed);
                // What is popped in the loop again does not pile up.
                let mut popped: HashSet<Stack> = HashSet::default();
                l.body.visit(&mut |inst| match &inst.kind {
                    InstKind::Pop { stack } | InstKind::PopBuffer { stack, .. } => {
                        popped.insert(*stack);
                    }
                    _ => {}
                });
                pushed.retain(|p| !popped.contains(&p.stack));
                if !pushed.is_empty() {
                    plan.insert(l.body.args[0], pushed);
                }
            }
            InstKind::If { then_block, else_block, .. } => {
                outermost(func, then_block, plan);
                outermost(func, else_block, plan);
            }
            _ => {}
        }
    }
}

/// What the innermost of these loops pushes, and those in it.
fn nest<'f>(func: &'f Func, inside: &ValueSet, loops: &mut Vec<&'f ForLoop>, pushed: &mut Vec<Pushed<'f>>) {
    let Some(l) = loops.last().copied().filter(|l| !l.body.diverges) else { return };
    for inst in &l.body.insts {
        let (stack, contents) = match &inst.kind {
            InstKind::Push { stack, .. } => (*stack, None),
            InstKind::PushBuffer { stack, buffer } => {
                let data = func.buffer(*buffer);
                let array = is_array(&data.dims);
                if data.grows || !array && data.dims.len() > 1 {
                    continue;
                }
                (*stack, (!array).then_some(*buffer))
            }
            InstKind::For(inner) => {
                if [inner.lo, inner.hi].into_iter().chain(inner.step).all(|v| !inside.contains(v)) {
                    loops.push(inner);
                    nest(func, inside, loops, pushed);
                    loops.pop();
                }
                continue;
            }
            _ => continue,
        };
        pushed.push(Pushed { stack, nest: loops.clone(), contents });
    }
}

impl Body<'_> {
    /// Reserves what a loop and those in it push.
    pub(super) fn reserve(&mut self, l: &ForLoop, out: &mut String) {
        let Some(mut pushed) = self.reserved.remove(&l.body.args[0]) else { return };
        // Of a vector that is declared inside, nothing is known.
        pushed.retain(|p| p.contents.is_none_or(|b| self.buffers.contains_key(&b)));
        let mut stacks: Vec<Stack> = pushed.iter().map(|p| p.stack).collect();
        stacks.dedup();
        let mut seen = HashSet::default();
        stacks.retain(|s| seen.insert(*s));
        for stack in stacks {
            let mut all: Option<String> = None;
            for p in pushed.iter().filter(|p| p.stack == stack) {
                let rounds = p.nest.iter().map(|l| self.rounds(l, out)).collect::<Vec<_>>().into_iter();
                let each = p.contents.map(|b| format!("{}.len()", self.buffer_text(b)));
                let product = rounds.chain(each).reduce(|a, b| format!("{a}.saturating_mul({b})"));
                all = all.into_iter().chain(product).reduce(|a, b| format!("{a}.saturating_add({b})"));
            }
            if let Some(all) = all {
                let stack = self.stack_name(stack);
                out.push_str(&format!("{stack}.reserve_known({all});\n"));
            }
        }
    }

    /// The number of rounds of a loop, as text.
    fn rounds(&mut self, l: &ForLoop, out: &mut String) -> String {
        let [lo, hi] = [l.lo, l.hi].map(|v| self.bound(v, out));
        let dots = if l.inclusive { "..=" } else { ".." };
        let step = l.step.map(|step| format!(".step_by({})", self.bound(step, out))).unwrap_or_default();
        format!("({lo} {dots} {hi}){step}.size_hint().0")
    }

    /// A value that is also used later.
    fn bound(&mut self, v: Value, out: &mut String) -> String {
        if let Some(at) = self.pending.iter().position(|(p, _)| *p == v) {
            let (_, pending) = self.pending.remove(at);
            self.bind(v, &pending.expr, out);
        }
        if self.values.contains_key(&v) || self.constants.contains_key(&v) {
            return self.take_at(v, Prec::Add);
        }
        // A literal of an inner loop.
        let mut literal = None;
        self.func.body.visit(&mut |inst| match &inst.kind {
            InstKind::Pure(Op::Int(text), _) if inst.results[0] == v => literal = Some(Expr::int(text)),
            _ => {}
        });
        literal.map_or_else(|| self.value_text(v).to_string(), |e| e.at(Prec::Add).into_owned())
    }
}
