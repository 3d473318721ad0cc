//! Values that a buffer still holds when they are needed again: what was stored is read instead of computed once more.
//!
//! Two cases. A *replayed* loop stores `b[place] = v`, and nothing overwrites that place before the loop is reversed
//! ([`in_replayed`]). In a *saved* block, a store that the reverse sweep takes back still stands when the block's reversal begins
//! ([`in_saved`]).

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use super::definitions::Definitions;
use super::replay::{Plan, is_expensive};
use crate::ir::{Block, Buffer, ForLoop, Func, InstKind, Op, StoreMode, Value};

/// A value, the buffer that holds it, and where.
pub(crate) type Held = (Value, Buffer, Vec<Value>);

/// Of a loop that is replayed: what a buffer that the loop only writes, and nothing later, still holds.
pub(crate) fn in_replayed(func: &Func, defs: &Definitions, l: &ForLoop, buffer: Buffer) -> Vec<Held> {
    let nest = Nest::new(defs, l);
    let mut search = Search { func, nest, buffer, stores: Vec::new(), others: false };
    search.in_loop(l);
    let stores = &search.stores;
    let apart = |a: &Store, b: &Store| match (a.place, b.place) {
        (Some(a), Some(b)) => search.nest.apart(a, b),
        _ => false,
    };
    let alone = |k: usize| stores.iter().enumerate().all(|(m, other)| m == k || apart(&stores[k], other));
    let kept = (0..stores.len()).filter(|k| !search.others && stores[*k].place.is_some() && alone(*k));
    kept.filter_map(|k| stores[k].held.clone()).collect()
}

/// A store of a loop nest that goes to another place in each of its rounds: the body it stands in, and where there.
pub(crate) struct Filled<'f> {
    pub(crate) body: &'f Block,
    pub(crate) at: usize,
    pub(crate) buffer: Buffer,
    pub(crate) index: &'f [Value],
}

/// Such stores of a loop.
pub(crate) fn filled<'f>(defs: &Definitions, l: &'f ForLoop) -> Vec<Filled<'f>> {
    let mut found = Vec::new();
    Nest::new(defs, l).fills(l, &mut found);
    found
}

/// Of a block that is saved: what the stores at its end leave behind, if the reverse sweep takes them back.
pub(crate) fn in_saved(func: &Func, plan: &Plan, block: &Block) -> Vec<Held> {
    let mut made: HashMap<Value, usize> = HashMap::default();
    for (at, inst) in block.insts.iter().enumerate() {
        made.extend(inst.results.iter().map(|r| (*r, at)));
    }
    let mut later: HashSet<Buffer> = HashSet::default();
    let mut found = Vec::new();
    for inst in block.insts.iter().rev() {
        if let InstKind::Store { buffer, index, value, mode: StoreMode::Set } = &inst.kind
            && plan.is_undone(inst)
            && !later.contains(buffer)
            && func.ty(*value) == &func.buffer(*buffer).elem
            && let Some(at) = made.get(value)
            // What a load brings needs no other.
            && !matches!(block.insts[*at].kind, InstKind::Load { .. } | InstKind::Pure(Op::Float(_), _))
            // The place must be known where the value is asked for.
            && index.iter().all(|i| made.get(i).is_none_or(|of_index| of_index < at))
        {
            found.push((*value, *buffer, index.clone()));
        }
        later.extend(inst.kind.writes());
        inst.kind.blocks().for_each(|b| later.extend(b.writes()));
    }
    found
}

/// Where a store of a loop nest goes: to another place in each round.
#[derive(Clone, Copy)]
enum Place {
    /// `b[i]`, `b[i][j]`, `b[offset + i]`
    Along,
    /// `b[i * width + column]`, the column below the width and another one in each round of one `i`.
    Flat { width: Value, column: Value },
}

struct Store {
    place: Option<Place>,
    /// The value, where it is worth to be read back.
    held: Option<Held>,
}

/// A nest of loops, down to where we are.
struct Nest<'a> {
    defs: &'a Definitions,
    /// What is not the same in all rounds.
    inside: HashSet<Value>,
    /// Variables of the loops around.
    loops: Vec<Value>,
    /// What the variables stay below, or (`true`) do not exceed.
    ends: HashMap<Value, (Value, bool)>,
}

impl<'a> Nest<'a> {
    /// Around the outermost loop.
    fn new(defs: &'a Definitions, l: &ForLoop) -> Nest<'a> {
        let mut inside: HashSet<Value> = l.body.args.iter().copied().collect();
        l.body.visit(&mut |inst| {
            inside.extend(inst.results.iter().copied());
            inst.kind.blocks().for_each(|b| inside.extend(b.args.iter().copied()));
        });
        Nest { defs, inside, loops: Vec::new(), ends: HashMap::default() }
    }

    fn enter(&mut self, l: &ForLoop) {
        self.loops.push(l.body.args[0]);
        self.ends.insert(l.body.args[0], (l.hi, l.inclusive));
    }

    fn leave(&mut self) {
        self.loops.pop();
    }

    fn fills<'f>(&mut self, l: &'f ForLoop, found: &mut Vec<Filled<'f>>) {
        self.enter(l);
        for (at, inst) in l.body.insts.iter().enumerate() {
            match &inst.kind {
                InstKind::Store { buffer, index, mode: StoreMode::Set, .. }
                    if self.place(index).is_some() =>
                {
                    found.push(Filled { body: &l.body, at, buffer: *buffer, index });
                }
                InstKind::For(inner) => self.fills(inner, found),
                _ => {}
            }
        }
        self.leave();
    }

    fn place(&self, index: &[Value]) -> Option<Place> {
        if index == self.loops {
            return Some(Place::Along);
        }
        let ([index], [row, inner @ ..]) = (index, self.loops.as_slice()) else { return None };
        let (Op::Add, sum) = self.defs.get(index)? else { return None };
        [(sum[0], sum[1]), (sum[1], sum[0])].into_iter().find_map(|(start, column)| {
            if inner.is_empty() && column == *row && !self.inside.contains(&start) {
                return Some(Place::Along);
            }
            let (Op::Mul, product) = self.defs.get(&start)? else { return None };
            let width = match product.as_slice() {
                [i, width] | [width, i] if i == row => *width,
                _ => return None,
            };
            let own = match inner {
                [] => column == *row,
                [variable] => column == *variable,
                _ => false,
            };
            let fits = own && !self.inside.contains(&width) && self.is_below(column, width);
            fits.then_some(Place::Flat { width, column })
        })
    }

    /// Whether a variable is less than a bound, since it ends there or at a variable that is.
    fn is_below(&self, variable: Value, bound: Value) -> bool {
        let below = |(end, reached): &(Value, bool)| *end == bound && !reached || self.is_below(*end, bound);
        self.ends.get(&variable).is_some_and(below)
    }

    /// Whether two stores never go to the same place.
    fn apart(&self, a: Place, b: Place) -> bool {
        match (a, b) {
            (Place::Flat { width: w, column: a }, Place::Flat { width, column: b }) => {
                w == width && (self.is_below(a, b) || self.is_below(b, a))
            }
            _ => false,
        }
    }
}

/// What is stored to one buffer.
struct Search<'a> {
    func: &'a Func,
    nest: Nest<'a>,
    buffer: Buffer,
    stores: Vec<Store>,
    /// Something else writes the buffer.
    others: bool,
}

impl Search<'_> {
    fn in_loop(&mut self, l: &ForLoop) {
        self.nest.enter(l);
        for inst in &l.body.insts {
            match &inst.kind {
                InstKind::Store { buffer, index, value, mode: StoreMode::Set } if *buffer == self.buffer => {
                    let worth =
                        self.func.ty(*value) == &self.func.buffer(*buffer).elem && costs(&l.body, *value);
                    let held = worth.then(|| (*value, *buffer, index.clone()));
                    self.stores.push(Store { place: self.nest.place(index), held });
                }
                InstKind::For(inner) => self.in_loop(inner),
                kind => {
                    let nested = kind.blocks().any(|b| b.writes().contains(&self.buffer));
                    self.others |= nested || kind.writes().contains(&self.buffer);
                }
            }
        }
        self.nest.leave();
    }
}

/// Whether a value is made in this block by something dearer than a load.
fn costs(block: &Block, v: Value) -> bool {
    let made = block.insts.iter().find(|i| i.results.contains(&v));
    made.is_some_and(|inst| match &inst.kind {
        InstKind::Pure(op, _) => is_expensive(op) || matches!(op, Op::Div | Op::Unary(_)),
        InstKind::If { .. } | InstKind::For(_) | InstKind::While { .. } | InstKind::Call(_) => true,
        _ => false,
    })
}
