//! Stacks that are pushed to side by side, and popped from side by side, three or more of them, become one of arrays: there is one check
//! for room a round, and one for whether something is left, in place of one for each scalar that a loop carries.

use rustc_hash::FxHashMap as HashMap;

use crate::ir::{
    Block, Buffer, BufferData, Dim, FloatKind, Func, Inst, InstKind, Op, Stack, StackData, Storage,
    StoreMode, Type, Value,
};

/// Fewer stay apart: to put two numbers together costs what a check does.
const LEAST: usize = 3;
/// No array is longer.
const MOST: usize = 16;

/// Runs the pass.
pub(crate) fn stacks(mut func: Func) -> Func {
    if func.stacks.len() < LEAST {
        return func;
    }
    let mut sites = Sites::default();
    sites.block(&func.body);
    let mut groups: Vec<((usize, usize), Vec<Stack>)> = Vec::new();
    for k in 0..func.stacks.len() {
        let stack = Stack(k as u32);
        let data = func.stack(stack);
        let known = matches!(data.elem, Type::Float(FloatKind::F64 | FloatKind::F32));
        let (Some([push]), Some([pop])) =
            (sites.pushes.get(&stack).map(Vec::as_slice), sites.pops.get(&stack).map(Vec::as_slice))
        else {
            continue;
        };
        if !known || data.contents.is_some() {
            continue;
        }
        let fits = |(at, list): &&mut ((usize, usize), Vec<Stack>)| {
            *at == (*push, *pop) && list.len() < MOST && func.stack(list[0]).elem == data.elem
        };
        match groups.iter_mut().find(fits) {
            Some((_, list)) => list.push(stack),
            None => groups.push(((*push, *pop), vec![stack])),
        }
    }
    groups.retain(|(_, list)| list.len() >= LEAST);
    let mut body = std::mem::take(&mut func.body);
    for (_, list) in groups {
        if is_together(&body, &list) {
            join(&mut func, &mut body, &list);
        }
    }
    func.body = body;
    func
}

/// In which blocks stacks are pushed to and popped from, block by block as they are met.
#[derive(Default)]
struct Sites {
    blocks: usize,
    pushes: HashMap<Stack, Vec<usize>>,
    pops: HashMap<Stack, Vec<usize>>,
}

impl Sites {
    fn block(&mut self, block: &Block) {
        let here = self.blocks;
        self.blocks += 1;
        for inst in &block.insts {
            match inst.kind {
                InstKind::Push { stack, .. } => self.pushes.entry(stack).or_default().push(here),
                InstKind::Pop { stack } => self.pops.entry(stack).or_default().push(here),
                _ => {}
            }
            inst.kind.blocks().for_each(|b| self.block(b));
        }
    }
}

/// Whether a block, or one in it, pushes to or pops from one of these.
fn uses(block: &Block, list: &[Stack]) -> bool {
    let mut found = false;
    block.visit(&mut |inst| found |= inst.kind.stack().is_some_and(|s| list.contains(&s)));
    found
}

/// Whether all pushes, and all pops, could as well be in one place: nothing else is done with the stacks from the first to the last.
fn is_together(block: &Block, list: &[Stack]) -> bool {
    let of_list = |stack: &Stack| list.contains(stack);
    let is_push = |inst: &Inst| matches!(&inst.kind, InstKind::Push { stack, .. } if of_list(stack));
    let is_pop = |inst: &Inst| matches!(&inst.kind, InstKind::Pop { stack } if of_list(stack));
    let nested = |inst: &Inst| inst.kind.blocks().any(|b| uses(b, list));
    let alone = |mine: &dyn Fn(&Inst) -> bool, other: &dyn Fn(&Inst) -> bool| {
        let (first, last) = (block.insts.iter().position(mine), block.insts.iter().rposition(mine));
        let between = first.zip(last).map_or(&[][..], |(first, last)| &block.insts[first..=last]);
        !between.iter().any(|inst| other(inst) || nested(inst))
    };
    alone(&is_push, &is_pop)
        && alone(&is_pop, &is_push)
        && block.insts.iter().flat_map(|inst| inst.kind.blocks()).all(|b| is_together(b, list))
}

fn join(func: &mut Func, body: &mut Block, list: &[Stack]) {
    let data = func.stack(list[0]).clone();
    let dims = vec![Dim::Fixed(list.len().to_string().into())];
    let joined = func.new_stack(StackData { contents: Some(dims.clone()), ..data.clone() });
    let mut together = Together { func, list, joined, dims, data };
    together.block(body);
}

struct Together<'a> {
    func: &'a mut Func,
    list: &'a [Stack],
    joined: Stack,
    dims: Vec<Dim>,
    data: StackData,
}

impl Together<'_> {
    fn block(&mut self, block: &mut Block) {
        let pushes = block.insts.iter().filter(|i| self.pushed(i).is_some()).count();
        let mut values: Vec<(usize, Value)> = Vec::new();
        let mut popped = false;
        let mut insts = Vec::with_capacity(block.insts.len());
        let pops: Vec<(usize, Value)> = block.insts.iter().filter_map(|i| self.popped(i)).collect();
        for mut inst in std::mem::take(&mut block.insts) {
            if let Some(pushed) = self.pushed(&inst) {
                values.push(pushed);
                if values.len() == pushes {
                    self.push(&values, &mut insts);
                }
                continue;
            }
            if self.popped(&inst).is_some() {
                if !std::mem::replace(&mut popped, true) {
                    self.pop(&pops, &mut insts);
                }
                continue;
            }
            inst.kind.blocks_mut().for_each(|b| self.block(b));
            insts.push(inst);
        }
        block.insts = insts;
    }

    fn pushed(&self, inst: &Inst) -> Option<(usize, Value)> {
        let InstKind::Push { stack, value } = inst.kind else { return None };
        Some((self.list.iter().position(|s| *s == stack)?, value))
    }

    fn popped(&self, inst: &Inst) -> Option<(usize, Value)> {
        let InstKind::Pop { stack } = inst.kind else { return None };
        Some((self.list.iter().position(|s| *s == stack)?, inst.results[0]))
    }

    fn push(&mut self, values: &[(usize, Value)], out: &mut Vec<Inst>) {
        let buffer = self.array(out);
        for (at, value) in values {
            let index = vec![self.number(*at, out)];
            let kind = InstKind::Store { buffer, index, value: *value, mode: StoreMode::Set };
            out.push(Inst { results: Vec::new(), kind });
        }
        out.push(Inst { results: Vec::new(), kind: InstKind::PushBuffer { stack: self.joined, buffer } });
    }

    fn pop(&mut self, results: &[(usize, Value)], out: &mut Vec<Inst>) {
        let buffer = self.array(out);
        out.push(Inst { results: Vec::new(), kind: InstKind::PopBuffer { stack: self.joined, buffer } });
        for (at, result) in results {
            let index = vec![self.number(*at, out)];
            out.push(Inst { results: vec![*result], kind: InstKind::Load { buffer, index } });
        }
    }

    fn array(&mut self, out: &mut Vec<Inst>) -> Buffer {
        let (name, elem) = (self.data.name.clone(), self.data.elem.clone());
        let data = BufferData::new(name, elem.clone(), self.dims.clone(), Storage::Local);
        let buffer = self.func.new_buffer(data);
        let fill = self.func.new_value(elem, None);
        out.push(Inst { results: vec![fill], kind: InstKind::Pure(Op::Float(0.0), Vec::new()) });
        out.push(Inst { results: Vec::new(), kind: InstKind::Alloc { buffer, fill } });
        buffer
    }

    fn number(&mut self, n: usize, out: &mut Vec<Inst>) -> Value {
        let v = self.func.new_value(Type::Int, None);
        let op = Op::Int(format!("{n}_usize").into());
        out.push(Inst { results: vec![v], kind: InstKind::Pure(op, Vec::new()) });
        v
    }
}
