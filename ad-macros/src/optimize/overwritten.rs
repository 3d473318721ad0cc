//! Stores that nothing sees, and copies that are made only to be read once.
//!
//! - A store is dropped if what it stores is overwritten as a whole (by a fill, by what a stack gives back) before anything reads it,
//!   or is never read again: `a_bar[k] = 0` behind its last use, where `a_bar` is cleared again in the next round; what the replay of a
//!   round computes of the state behind it. Dead code elimination keeps such stores, since the vector is read elsewhere.
//! - What is pushed and popped again in the same round, untouched in between, is read where it is; what is popped, only to be pushed
//!   on another stack and popped from there, is popped once.
//!
//! The first is liveness of whole vectors, backwards through blocks, for loops to a fixpoint (where each round has a place of its own,
//! what it stores there is for what comes behind the loop alone). It is for vectors of the function's own,
//! and not for those that the user's code or a called function gets: these may hold references.
//!
//! The pass stands among the last: transforms of what it leaves would keep what they need themselves.

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use crate::ir::{Binding, Block, Buffer, ForLoop, Func, Inst, InstKind, Op, Stack, Storage, Value};

/// Runs the pass.
pub(crate) fn overwritten(mut func: Func) -> Func {
    let own = own(&func);
    if own.is_empty() {
        return func;
    }
    let mut body = std::mem::take(&mut func.body);
    let pass = Pass { own };
    pass.block(&mut body, pass.own.clone(), true);
    let mut all = Uses::of(&body.insts);
    pass.popped_once(&func, &mut body, &mut all);
    func.body = body;
    func
}

/// The vectors and arrays whose every use is in sight.
fn own(func: &Func) -> HashSet<Buffer> {
    let is_local = |b: &Buffer| {
        let data = func.buffer(*b);
        data.storage == Storage::Local && data.field.is_none()
    };
    let mut own: HashSet<Buffer> = (0..func.buffers.len() as u32).map(Buffer).filter(is_local).collect();
    for o in &func.outputs {
        if let Binding::Buffer(b) = o.binding {
            own.remove(&b);
        }
    }
    func.body.visit(&mut |inst| match &inst.kind {
        InstKind::Pure(Op::Verbatim(_) | Op::Custom(_), _)
        | InstKind::Effect(..)
        | InstKind::Call(_)
        | InstKind::Window { .. } => inst.kind.each_buffer(|b| {
            own.remove(&b);
        }),
        _ => {}
    });
    own
}

struct Pass {
    own: HashSet<Buffer>,
}

impl Pass {
    /// Goes backwards through a block. `unread`: whose elements nothing reads behind it before they are overwritten; gives the same
    /// for what is in front of it. Drops stores if told so.
    fn block(&self, block: &mut Block, mut unread: HashSet<Buffer>, drops: bool) -> HashSet<Buffer> {
        let mut dropped: HashSet<usize> = HashSet::default();
        for (at, inst) in block.insts.iter_mut().enumerate().rev() {
            match &mut inst.kind {
                InstKind::Store { buffer, .. } => {
                    if unread.contains(buffer) {
                        dropped.insert(at);
                    }
                }
                InstKind::Fill { buffer, .. } if unread.contains(buffer) => {
                    dropped.insert(at);
                }
                InstKind::Fill { buffer, .. }
                | InstKind::Alloc { buffer, .. }
                | InstKind::PopBuffer { buffer, .. } => {
                    if self.own.contains(buffer) {
                        unread.insert(*buffer);
                    }
                }
                InstKind::If { then_block, else_block, .. } => {
                    let then_unread = self.block(then_block, unread.clone(), drops);
                    unread = both(&then_unread, self.block(else_block, unread, drops));
                }
                InstKind::For(l) => {
                    // Of these, no round sees what another stores.
                    let places = self.own_places(l);
                    let mut end = unread.clone();
                    let front = loop {
                        let mut front = self.block(&mut l.body, end.clone(), false);
                        let mut seen = front.clone();
                        seen.extend(&places);
                        let next = both(&unread, seen);
                        if next == end {
                            front.retain(|b| unread.contains(b));
                            break front;
                        }
                        end = next;
                    };
                    if drops {
                        self.block(&mut l.body, end, true);
                    }
                    unread = front;
                }
                InstKind::While { cond_block, body, .. } => {
                    let mut tested = unread.clone();
                    let front = loop {
                        let front = self.block(cond_block, tested.clone(), false);
                        let next = both(&unread, self.block(body, front.clone(), false));
                        if next == tested {
                            break front;
                        }
                        tested = next;
                    };
                    if drops {
                        self.block(body, front.clone(), true);
                        self.block(cond_block, tested, true);
                    }
                    unread = front;
                }
                InstKind::Pure(Op::Len(..), _) => {}
                kind => kind.each_buffer(|b| {
                    unread.remove(&b);
                }),
            }
        }
        if drops && !dropped.is_empty() {
            let mut at = 0;
            block.insts.retain(|_| {
                at += 1;
                !dropped.contains(&(at - 1))
            });
        }
        unread
    }

    /// The vectors of which each round of a loop touches one place alone, and no other round that place.
    fn own_places(&self, l: &ForLoop) -> HashSet<Buffer> {
        let round = l.body.args[0];
        let mut made: HashSet<Value> = l.body.args.iter().copied().collect();
        l.body.visit(&mut |inst| made.extend(&inst.results));
        // The variable of the loop, and that plus what is the same in all rounds.
        let mut injective: HashSet<Value> = HashSet::from_iter([round]);
        for inst in &l.body.insts {
            if let InstKind::Pure(Op::Add, args) = &inst.kind
                && (args[0] == round && !made.contains(&args[1])
                    || args[1] == round && !made.contains(&args[0]))
            {
                injective.extend(&inst.results);
            }
        }
        let mut places: HashMap<Buffer, Option<&[Value]>> = HashMap::default();
        l.body.visit(&mut |inst| match &inst.kind {
            InstKind::Load { buffer, index } | InstKind::Store { buffer, index, .. } => {
                let place = places.entry(*buffer).or_insert(Some(index));
                let is_own = index.iter().any(|i| injective.contains(i));
                if !is_own || place.is_some_and(|first| first != &index[..]) {
                    *place = None;
                }
            }
            InstKind::Pure(Op::Len(..), _) => {}
            kind => kind.each_buffer(|b| {
                places.insert(b, None);
            }),
        });
        let own = places.into_iter().filter(|(b, place)| place.is_some() && self.own.contains(b));
        own.map(|(b, _)| b).collect()
    }

    /// What is popped behind its push in the same block, and is there to be read: the vector is read itself, if nothing has changed it.
    /// And `pop s, x; push t, x; ..; pop t, y` becomes `pop s, y; ..`, where `x` is there for nothing else.
    fn popped_once(&self, func: &Func, block: &mut Block, all: &mut Uses) {
        for nested in block.insts.iter_mut().flat_map(|inst| inst.kind.blocks_mut()) {
            self.popped_once(func, nested, all);
        }
        let mut gone: HashSet<usize> = HashSet::default();
        for pushed in 0..block.insts.len() {
            let InstKind::PushBuffer { stack: through, buffer: x } = block.insts[pushed].kind else {
                continue;
            };
            let popped =
                block.insts.iter().enumerate().skip(pushed + 1).find_map(|(k, inst)| match inst.kind {
                    InstKind::PopBuffer { stack, buffer } if stack == through => Some((k, buffer)),
                    _ => None,
                });
            let Some((last, y)) = popped.filter(|(_, y)| *y != x) else { continue };
            let alike =
                func.buffer(x).dims == func.buffer(y).dims && func.buffer(x).elem == func.buffer(y).elem;
            if all.runs.get(&through) != Some(&2)
                || !self.own.contains(&x)
                || !self.own.contains(&y)
                || !alike
            {
                continue;
            }
            let behind = Uses::of(&block.insts[pushed + 1..]);
            let later = Uses::of(&block.insts[last + 1..]);
            let here = later.mentions.get(&y).copied().unwrap_or_default();
            if !behind.writes.contains_key(&x)
                && all.writes.get(&y) == Some(&1)
                // Its declaration, and the pop.
                && all.mentions.get(&y) == Some(&(here + 2))
            {
                for inst in &mut block.insts[last + 1..] {
                    renamed(inst, y, x);
                }
                *all.mentions.entry(x).or_default() += here;
                gone.extend([pushed, last]);
                continue;
            }
            let first = block.insts[..pushed]
                .iter()
                .rposition(|inst| matches!(inst.kind, InstKind::PopBuffer { buffer, .. } if buffer == x));
            let Some(first) = first else { continue };
            // Its declaration, the pop and the push.
            let is_passed_on = all.mentions.get(&x) == Some(&3);
            if is_passed_on && !Uses::of(&block.insts[first + 1..last]).mentions.contains_key(&y) {
                if let InstKind::PopBuffer { buffer, .. } = &mut block.insts[first].kind {
                    *buffer = y;
                }
                gone.extend([pushed, last]);
            }
        }
        let mut at = 0;
        block.insts.retain(|_| {
            at += 1;
            !gone.contains(&(at - 1))
        });
    }
}

/// How often instructions mention and write vectors, and use stacks, at any depth.
#[derive(Default)]
struct Uses {
    mentions: HashMap<Buffer, usize>,
    writes: HashMap<Buffer, usize>,
    runs: HashMap<Stack, usize>,
}

impl Uses {
    fn of(insts: &[Inst]) -> Uses {
        let mut uses = Uses::default();
        for inst in insts {
            uses.add(inst);
            inst.kind.blocks().for_each(|block| block.visit(&mut |inst| uses.add(inst)));
        }
        uses
    }

    fn add(&mut self, inst: &Inst) {
        inst.kind.each_buffer(|b| *self.mentions.entry(b).or_default() += 1);
        for b in inst.kind.writes() {
            *self.writes.entry(b).or_default() += 1;
        }
        if let Some(stack) = inst.kind.stack() {
            *self.runs.entry(stack).or_default() += 1;
        }
    }
}

/// Exchanges a vector for another, at any depth.
fn renamed(inst: &mut Inst, from: Buffer, to: Buffer) {
    let mut exchange = |b| if b == from { to } else { b };
    inst.kind.map_buffers(&mut exchange);
    for block in inst.kind.blocks_mut() {
        block.visit_mut(&mut |inst| inst.kind.map_buffers(&mut exchange));
    }
}

fn both(a: &HashSet<Buffer>, mut b: HashSet<Buffer>) -> HashSet<Buffer> {
    b.retain(|buffer| a.contains(buffer));
    b
}
