//! Powers: a derivative that is a sum of products of powers is written as an expert would, with the powers that are there.
//!
//! Derivatives of `u⁶` are products of `u`, `u²`, `u⁴` in all combinations, which the rules multiply up one after the other:
//!
//! ```text
//! u2 = u * u;  u4 = u2 * u2;  u6 = u4 * u2;  b = 8 * u6 - 4
//! -((b * u4 + (p + p)) * u * u2 * u),  p = b * u2 * u2      →   (1 - 2 * u6) * 12 * (u6 * u2)
//! ```
//!
//! What a derivative multiplies and adds up is read as a polynomial in what it is made of, through values that others use too;
//! like terms are collected; it is written anew with a common factor and the powers that have been computed already, and
//! kept if that takes fewer operations. Only what belongs to a derivative alone is written anew, and only where a third power
//! or a higher one occurs ([`super::collect`] sees to the rest).
//!
//! A product is multiplied out over a sum only where at most one of its terms is exact (not itself a product): `(a - b) * c`
//! stays as it is, since `a * c - b * c` loses digits where `a` and `b` are near each other.

use std::rc::Rc;

use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

use crate::analysis::activity::{self, Activity};
use crate::ir::{Block, Func, Inst, InstKind, Op, Value, ValueMap};

use super::terms::{Written, consumers, is_power_of_two, nice, usable};

/// The most terms of a polynomial.
const TERMS: usize = 4;
/// The highest power of a value.
const HIGHEST: u32 = 32;
/// From which power on a polynomial is written anew.
const LEAST: u32 = 3;

/// Runs the pass.
pub(crate) fn powers(mut func: Func) -> Func {
    if !func.values.iter().any(|v| v.free) {
        return func;
    }
    let mut constants = ValueMap::default();
    func.body.visit(&mut |inst| {
        if let InstKind::Pure(Op::Float(c), _) = &inst.kind {
            constants.insert(inst.results[0], *c);
        }
    });
    let mut bounds = Bounds { list: vec![None; func.values.len()], highest: 0 };
    bounds.block(&func, &constants, &func.body);
    if bounds.highest < LEAST {
        return func;
    }
    let own: Vec<_> = func.outputs.iter().filter(|o| o.role.marks.is_empty()).map(|o| o.binding).collect();
    let primal = activity::useful(&func, &own);
    let consumers = consumers(&func);
    let mut body = std::mem::take(&mut func.body);
    let mut pass = Pass { func: &mut func, primal, consumers, constants, bounds, same: HashMap::default() };
    pass.block(&mut body);
    let same = pass.same;
    func.body = body;
    if !same.is_empty() {
        func.replace_values(&same);
    }
    func
}

/// How high powers can get in the polynomial of a value: most functions have no third powers, which is cheaply seen.
struct Bounds {
    list: Vec<Option<Bound>>,
    /// The highest in a derivative.
    highest: u32,
}

/// A set that has all the factors, more than one of which may have the same bit; and a power.
#[derive(Clone, Copy)]
struct Bound {
    factors: Factors,
    power: u32,
}

/// A set of values, by their numbers' last eight bits.
#[derive(Clone, Copy, Default)]
struct Factors([u64; 4]);

impl Factors {
    fn with(mut self, v: Value) -> Factors {
        self.0[v.0 as usize / 64 % 4] |= 1 << (v.0 % 64);
        self
    }

    fn and(self, other: Factors) -> Factors {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        Factors([a | e, b | f, c | g, d | h])
    }

    fn share_some(self, other: Factors) -> bool {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        (a & e) | (b & f) | (c & g) | (d & h) != 0
    }
}

impl Bounds {
    /// Nested blocks first: what an outer one computes is one factor in them.
    fn block(&mut self, func: &Func, constants: &ValueMap<f64>, block: &Block) {
        for inst in &block.insts {
            for nested in inst.kind.blocks() {
                self.block(func, constants, nested);
            }
        }
        for inst in &block.insts {
            let bound = match &inst.kind {
                InstKind::Pure(Op::Mul, args) => {
                    let (a, b) = (self.of(func, constants, args[0]), self.of(func, constants, args[1]));
                    let power = if a.factors.share_some(b.factors) {
                        a.power.saturating_add(b.power)
                    } else {
                        a.power.max(b.power)
                    };
                    Bound { factors: a.factors.and(b.factors), power }
                }
                InstKind::Pure(Op::Add | Op::Sub, args) => {
                    let (a, b) = (self.of(func, constants, args[0]), self.of(func, constants, args[1]));
                    Bound { factors: a.factors.and(b.factors), power: a.power.max(b.power) }
                }
                InstKind::Pure(Op::Neg, args) => self.of(func, constants, args[0]),
                _ => continue,
            };
            let v = inst.results[0];
            if func.is_float(v) {
                // It may be a factor itself.
                self.list[v.0 as usize] =
                    Some(Bound { factors: bound.factors.with(v), power: bound.power.max(1) });
                if func.value(v).free {
                    self.highest = self.highest.max(bound.power);
                }
            }
        }
    }

    fn of(&self, func: &Func, constants: &ValueMap<f64>, v: Value) -> Bound {
        if number(func, constants, v).is_some() {
            return Bound { factors: Factors::default(), power: 0 };
        }
        self.list[v.0 as usize].unwrap_or(Bound { factors: Factors::default().with(v), power: 1 })
    }
}

/// A constant, if it may take part.
fn number(func: &Func, constants: &ValueMap<f64>, v: Value) -> Option<f64> {
    usable(func, v, *constants.get(&v)?)
}

/// A product of powers, sorted by value.
type Mono = Vec<(Value, u32)>;

/// A sum of products with constants.
type Poly = Rc<Vec<(f64, Mono)>>;

struct Pass<'a> {
    func: &'a mut Func,
    /// What the function's own results depend on.
    primal: Activity,
    consumers: Vec<u32>,
    constants: ValueMap<f64>,
    bounds: Bounds,
    same: HashMap<Value, Value>,
}

impl Pass<'_> {
    fn block(&mut self, block: &mut Block) {
        for inst in &mut block.insts {
            inst.kind.blocks_mut().for_each(|nested| self.block(nested));
        }
        let can_be_high = |v: Value| {
            self.func.value(v).free
                && self.bounds.list.get(v.0 as usize).copied().flatten().is_some_and(|b| b.power >= LEAST)
        };
        if !block.insts.iter().any(|inst| inst.results.first().is_some_and(|v| can_be_high(*v))) {
            return;
        }
        let mut reader = Reader {
            func: self.func,
            constants: &self.constants,
            insts: &block.insts,
            places: ValueMap::default(),
            consumers: &self.consumers,
            known: [ValueMap::default(), ValueMap::default()],
            whole: HashSet::default(),
        };
        for (at, inst) in block.insts.iter().enumerate() {
            if let InstKind::Pure(Op::Add | Op::Sub | Op::Mul | Op::Neg, _) = &inst.kind
                && reader.func.is_float(inst.results[0])
            {
                reader.places.insert(inst.results[0], at);
            }
        }
        let is_root = |v: Value| self.func.value(v).free && !self.primal.value(v);
        // Values that a wider expression takes in.
        let mut inner: HashSet<Value> = HashSet::default();
        let mut roots = Vec::new();
        for inst in &block.insts {
            let Some(v) = inst.results.first().filter(|v| reader.places.contains_key(v) && is_root(**v))
            else {
                continue;
            };
            inst.kind.each_operand(|a| {
                if self.consumers[a.0 as usize] == 1 {
                    inner.insert(a);
                }
            });
            roots.push(*v);
        }
        let mut plans = Vec::new();
        for root in roots.into_iter().filter(|v| can_be_high(*v) && !inner.contains(v)) {
            let poly = reader.poly(root, false);
            let highest = poly.iter().flat_map(|(_, mono)| mono).map(|(_, power)| *power).max();
            if highest.is_some_and(|p| p >= LEAST) && poly.iter().all(|(c, _)| nice(*c)) {
                let mut owned = HashSet::default();
                let cost = reader.owned(root, true, &mut owned);
                plans.push((reader.places[&root], root, poly, cost, owned));
            }
        }
        if plans.is_empty() {
            return;
        }
        // Products of powers that are there, in order of appearance.
        let mut there: Vec<(usize, Mono, Value)> = Vec::new();
        let products: Vec<(usize, Value)> = block
            .insts
            .iter()
            .enumerate()
            .filter(|(_, inst)| matches!(&inst.kind, InstKind::Pure(Op::Mul, _)))
            .map(|(at, inst)| (at, inst.results[0]))
            .filter(|(_, v)| reader.places.contains_key(v))
            .collect();
        for (at, v) in products {
            if let [(1.0, mono)] = reader.poly(v, true).as_slice()
                && degree(mono) > 1
            {
                there.push((at, mono.clone(), v));
            }
        }
        let mut anew: HashMap<usize, Vec<Inst>> = HashMap::default();
        for (at, root, poly, cost, owned) in plans {
            let ty = self.func.ty(root).clone();
            let before = self.func.values.len();
            let products = there.len();
            let mut writer = Writer { to: Written::new(self.func, ty), at, there, owned };
            let v = writer.poly(&poly);
            let Writer { to, there: more, owned: gone, .. } = writer;
            let (new, failed, mut out) = (to.cost(), to.failed, to.out);
            there = more;
            if failed || new >= cost || self.func.ty(v) != self.func.ty(root) {
                there.truncate(products);
                self.func.values.truncate(before);
                continue;
            }
            there.retain(|(.., v)| !gone.contains(v));
            match out.last_mut() {
                Some(last) if last.results[0] == v => {
                    last.results[0] = root;
                    there.iter_mut().filter(|(.., made)| *made == v).for_each(|(.., made)| *made = root);
                }
                _ => {
                    self.same.insert(root, v);
                }
            }
            self.consumers.resize(self.func.values.len(), 0);
            anew.insert(at, out);
        }
        if anew.is_empty() {
            return;
        }
        let mut insts = Vec::with_capacity(block.insts.len());
        for (at, inst) in std::mem::take(&mut block.insts).into_iter().enumerate() {
            match anew.remove(&at) {
                Some(list) => insts.extend(list),
                None => insts.push(inst),
            }
        }
        block.insts = insts;
    }
}

fn degree(mono: &Mono) -> u32 {
    mono.iter().map(|(_, power)| power).sum()
}

/// Reads expressions of one block.
struct Reader<'a> {
    func: &'a Func,
    constants: &'a ValueMap<f64>,
    insts: &'a [Inst],
    /// Where sums, products and signs of the block are made.
    places: ValueMap<usize>,
    consumers: &'a [u32],
    /// Of values that stay, since others need them, and of others.
    known: [ValueMap<Poly>; 2],
    /// Sums that are not multiplied out: factors like any other value.
    whole: HashSet<Value>,
}

impl Reader<'_> {
    /// A value as a polynomial. `shared`: what it is made of stays, since others need it.
    fn poly(&mut self, v: Value, shared: bool) -> Poly {
        if let Some(poly) = self.known[usize::from(shared)].get(&v) {
            return poly.clone();
        }
        let poly = Rc::new(self.read(v, shared).unwrap_or_else(|| atom(v)));
        self.known[usize::from(shared)].insert(v, poly.clone());
        poly
    }

    /// An operand as a polynomial.
    fn operand(&mut self, v: Value, shared: bool) -> Poly {
        self.poly(v, shared || self.is_shared(v))
    }

    fn is_shared(&self, v: Value) -> bool {
        self.consumers[v.0 as usize] > 1
    }

    /// `None` of what is a factor of its own.
    fn read(&mut self, v: Value, shared: bool) -> Option<Vec<(f64, Mono)>> {
        if let Some(c) = number(self.func, self.constants, v) {
            return Some(vec![(c, Mono::new())]);
        }
        let InstKind::Pure(op, args) = &self.insts[*self.places.get(&v)?].kind else { return None };
        match op {
            Op::Neg => Some(self.operand(args[0], shared).iter().map(|(c, m)| (-c, m.clone())).collect()),
            Op::Mul => {
                let (a, b) = (self.factor(args[0], shared), self.factor(args[1], shared));
                let (a, b) = match a.len() * b.len() {
                    n if n <= TERMS => (a, b),
                    // One of them stays whole.
                    _ if a.len() > b.len() => (self.stays_whole(args[0]), b),
                    _ => (a, self.stays_whole(args[1])),
                };
                let mut terms = Vec::new();
                for (c, m) in a.iter() {
                    for (d, n) in b.iter() {
                        add(&mut terms, c * d, times(m, n)?);
                    }
                }
                (terms.len() <= TERMS && terms.iter().all(|(c, _)| nice(*c))).then_some(terms)
            }
            Op::Add | Op::Sub if self.func.value(v).free => {
                let sign = if matches!(op, Op::Sub) { -1.0 } else { 1.0 };
                let mut terms = self.operand(args[0], shared).to_vec();
                for (c, m) in self.operand(args[1], shared).iter() {
                    add(&mut terms, sign * c, m.clone());
                }
                // Terms that cancel are left alone: infinities do not cancel.
                let fine = terms.len() <= TERMS && terms.iter().all(|(c, _)| nice(*c));
                fine.then_some(terms)
            }
            _ => None,
        }
    }

    /// A factor of a product: multiplied out, if that loses no digits, and the sum is not there anyway.
    fn factor(&mut self, v: Value, shared: bool) -> Poly {
        let shared = shared || self.is_shared(v);
        let poly = self.poly(v, shared);
        let exact =
            poly.iter().filter(|(c, m)| degree(m) == 0 || degree(m) == 1 && is_power_of_two(*c)).count();
        if poly.len() > 1 && (shared || exact > 1) { self.stays_whole(v) } else { poly }
    }

    fn stays_whole(&mut self, v: Value) -> Poly {
        self.whole.insert(v);
        Rc::new(atom(v))
    }

    /// How many operations a value takes that nothing else needs, down to the factors; `owned` gets these.
    fn owned(&mut self, v: Value, top: bool, owned: &mut HashSet<Value>) -> usize {
        let alone = top || !self.is_shared(v) && !self.whole.contains(&v);
        let Some(at) = self.places.get(&v).copied() else { return 0 };
        if !alone || *self.poly(v, false) == atom(v) || !owned.insert(v) {
            return 0;
        }
        let mut operands = Vec::new();
        self.insts[at].kind.each_operand(|a| operands.push(a));
        1 + operands.into_iter().map(|a| self.owned(a, false, owned)).sum::<usize>()
    }
}

fn atom(v: Value) -> Vec<(f64, Mono)> {
    vec![(1.0, vec![(v, 1)])]
}

fn add(terms: &mut Vec<(f64, Mono)>, c: f64, mono: Mono) {
    match terms.iter_mut().find(|(_, m)| *m == mono) {
        Some((k, _)) => *k += c,
        None => terms.push((c, mono)),
    }
}

/// `None` if a power is too high.
fn times(a: &Mono, b: &Mono) -> Option<Mono> {
    let mut product = a.clone();
    for (v, power) in b {
        match product.iter_mut().find(|(w, _)| w == v) {
            Some((_, p)) => *p += power,
            None => product.push((*v, *power)),
        }
    }
    product.sort_unstable();
    product.iter().all(|(_, p)| *p <= HIGHEST).then_some(product)
}

/// `a / b`, if that is a product of powers.
fn divided(a: &Mono, b: &Mono) -> Option<Mono> {
    let mut rest = a.clone();
    for (v, power) in b {
        let (_, p) = rest.iter_mut().find(|(w, p)| w == v && p >= power)?;
        *p -= power;
    }
    rest.retain(|(_, p)| *p > 0);
    Some(rest)
}

/// Writes a polynomial as instructions.
struct Writer<'a> {
    to: Written<'a>,
    /// Where in the block.
    at: usize,
    there: Vec<(usize, Mono, Value)>,
    /// What is going to be gone.
    owned: HashSet<Value>,
}

impl Writer<'_> {
    fn poly(&mut self, poly: &[(f64, Mono)]) -> Value {
        // What all terms have in common.
        let mut common = poly[0].1.clone();
        for (_, mono) in &poly[1..] {
            common.retain_mut(|(v, p)| {
                let there = mono.iter().find(|(w, _)| w == v).map_or(0, |(_, q)| *q);
                *p = (*p).min(there);
                *p > 0
            });
        }
        let sizes = || poly.iter().map(|(c, _)| c.abs());
        let content = if poly.len() == 1 { sizes().sum() } else { sizes().fold(f64::INFINITY, f64::min) };
        let sign = if poly.iter().all(|(c, _)| *c < 0.0) { -1.0 } else { 1.0 };
        let mut sum: Option<Value> = None;
        // A sum starts with what is added.
        let (added, taken): (Vec<_>, Vec<_>) = poly.iter().partition(|(c, _)| c * sign > 0.0);
        for (c, mono) in added.into_iter().chain(taken) {
            let rest = divided(mono, &common).unwrap_or_default();
            let size = c.abs() / content;
            let term = match (rest.is_empty(), size == 1.0) {
                (true, true) if poly.len() == 1 => None,
                (true, _) => Some(self.to.constant(size)),
                (false, _) => {
                    let product = self.product(&rest);
                    Some(self.to.scale(size, product))
                }
            };
            sum = match (sum, term) {
                (None, term) => term,
                (Some(sum), Some(term)) if c * sign > 0.0 => Some(self.to.op(Op::Add, vec![sum, term])),
                (Some(sum), Some(term)) => Some(self.to.op(Op::Sub, vec![sum, term])),
                (sum, None) => sum,
            };
        }
        let factor = (!common.is_empty()).then(|| self.product(&common));
        let product = match (sum, factor) {
            (Some(sum), Some(factor)) => {
                let sum = self.to.scale(content, sum);
                self.to.op(Op::Mul, vec![sum, factor])
            }
            (Some(v), None) | (None, Some(v)) => self.to.scale(content, v),
            (None, None) => self.to.constant(content),
        };
        if sign < 0.0 { self.to.op(Op::Neg, vec![product]) } else { product }
    }

    /// A product of powers, from the largest that are there.
    fn product(&mut self, mono: &Mono) -> Value {
        if let [(v, 1)] = mono.as_slice() {
            return *v;
        }
        let (at, owned) = (self.at, &self.owned);
        let usable = self.there.iter().filter(|(from, _, v)| *from <= at && !owned.contains(v));
        let largest =
            usable.filter(|(_, m, _)| divided(mono, m).is_some()).max_by_key(|(_, m, _)| degree(m)).cloned();
        let value = match largest {
            Some((_, m, v)) => match divided(mono, &m).filter(|rest| !rest.is_empty()) {
                None => return v,
                Some(rest) => {
                    let rest = self.product(&rest);
                    self.to.op(Op::Mul, vec![v, rest])
                }
            },
            None => {
                let half: Mono = mono.iter().map(|(v, p)| (*v, p / 2)).filter(|(_, p)| *p > 0).collect();
                if half.is_empty() {
                    let rest = self.product(&mono[1..].to_vec());
                    self.to.op(Op::Mul, vec![mono[0].0, rest])
                } else {
                    let root = self.product(&half);
                    let square = self.to.op(Op::Mul, vec![root, root]);
                    let rest: Mono = mono.iter().filter(|(_, p)| p % 2 == 1).map(|(v, _)| (*v, 1)).collect();
                    if rest.is_empty() {
                        square
                    } else {
                        let rest = self.product(&rest);
                        self.to.op(Op::Mul, vec![square, rest])
                    }
                }
            }
        };
        self.there.push((at, mono.clone(), value));
        value
    }
}
