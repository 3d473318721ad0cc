//! Like terms: what derivatives add up is collected, common factors and constants are taken out.
//!
//! The rules write `x̄ += ȳ·x` once for each use of `x`, so a square gives `p + p`, a constant factor is multiplied in
//! again and again, and signs travel from product to product. An expert would have collected them:
//!
//! ```text
//! (a + a + (b + b)) * (0.5 * u)   →   (a + b) * u
//! s + (-p * x) - (u + u) + (-p * x)   →   s - (p * x + u) * 2
//! a * x + b * x   →   (a + b) * x
//! ```
//!
//! A tree of sums, products and signs whose inner values nobody else uses is written anew, and kept if it takes fewer
//! operations. Only what belongs to a derivative alone is touched ([`crate::ir::func::ValueData::free`]): the order of
//! its sums is nobody's promise. The user's own sums stay as they are; of the user's products only constant factors and
//! signs are taken out, where a derivative is all that uses them. Terms that cancel are left alone (infinities do not
//! cancel), and so are constants of extreme size, which may hold off an overflow.

use std::rc::Rc;

use rustc_hash::FxHashMap as HashMap;

use super::terms::{Written, consumers, is_power_of_two, nice, usable};
use crate::analysis::activity::{self, Activity};
use crate::ir::{Block, Func, Inst, InstKind, Op, Value};

/// Runs the pass.
pub(crate) fn collect(mut func: Func) -> Func {
    if !func.values.iter().any(|v| v.free) {
        return func;
    }
    let own: Vec<_> = func.outputs.iter().filter(|o| o.role.marks.is_empty()).map(|o| o.binding).collect();
    let primal = activity::useful(&func, &own);
    let consumers = consumers(&func);
    let mut constants = vec![None; func.values.len()];
    func.body.visit(&mut |inst| {
        if let InstKind::Pure(Op::Float(c), _) = &inst.kind {
            constants[inst.results[0].0 as usize] = Some(*c);
        }
    });
    let mut body = std::mem::take(&mut func.body);
    let places = vec![NOWHERE; func.values.len()];
    let mut pass = Pass { func: &mut func, primal, consumers, constants, places, same: HashMap::default() };
    pass.block(&mut body);
    let same = pass.same;
    func.body = body;
    if !same.is_empty() {
        func.replace_values(&same);
    }
    func
}

/// An expression without its constant factor.
#[derive(PartialEq, Debug)]
enum Node {
    One,
    Leaf(Value),
    Mul(Rc<Node>, Rc<Node>),
    Sum(Vec<Term>),
}

/// A constant factor, and what it multiplies.
type Term = (f64, Rc<Node>);

struct Pass<'a> {
    func: &'a mut Func,
    /// What the function's own results depend on.
    primal: Activity,
    consumers: Vec<u32>,
    constants: Vec<Option<f64>>,
    /// Where in the block at hand a value is computed by arithmetic on floats.
    places: Vec<u32>,
    same: HashMap<Value, Value>,
}

/// Sums of more terms are not searched for common factors.
const MANY: usize = 32;

/// Not in this block.
const NOWHERE: u32 = u32::MAX;

/// The definitions of one block, and how expressions of it are read.
struct Reader<'a> {
    func: &'a Func,
    consumers: &'a [u32],
    constants: &'a [Option<f64>],
    insts: &'a [Inst],
    places: &'a [u32],
    /// Whether a constant factor is taken out of a value that others use too.
    peek: bool,
    /// There is such a value.
    peeked: bool,
    /// How many operations the expression takes as it is.
    cost: usize,
    /// Something that must stay as it is was found.
    failed: bool,
}

impl Pass<'_> {
    fn block(&mut self, block: &mut Block) {
        // Values that a wider expression takes in.
        let mut inner: Vec<Value> = Vec::new();
        let mut roots = Vec::new();
        for (at, inst) in block.insts.iter().enumerate() {
            if let InstKind::Pure(Op::Add | Op::Sub | Op::Mul | Op::Div | Op::Neg, args) = &inst.kind
                && self.func.is_float(inst.results[0])
            {
                self.places[inst.results[0].0 as usize] = at as u32;
                if self.is_root(inst) {
                    roots.push(at);
                    inner.extend(args.iter().filter(|a| self.consumers[a.0 as usize] == 1));
                }
            }
        }
        inner.sort_unstable();
        let mut anew: Vec<(usize, Vec<Inst>)> = Vec::new();
        for at in roots {
            let root = block.insts[at].results[0];
            if inner.binary_search(&root).is_err()
                && let Some(insts) = self.rewrite(root, &block.insts, &block.args)
            {
                anew.push((at, insts));
            }
        }
        for inst in &block.insts {
            if let Some(v) = inst.results.first() {
                self.places[v.0 as usize] = NOWHERE;
            }
        }
        for inst in &mut block.insts {
            inst.kind.blocks_mut().for_each(|nested| self.block(nested));
        }
        let mut anew = anew.into_iter().peekable();
        if anew.peek().is_none() {
            return;
        }
        let mut insts = Vec::with_capacity(block.insts.len());
        for (at, inst) in std::mem::take(&mut block.insts).into_iter().enumerate() {
            match anew.next_if(|(k, _)| *k == at) {
                Some((_, list)) => insts.extend(list),
                None => insts.push(inst),
            }
        }
        block.insts = insts;
    }

    /// Whether an instruction may be written in another way.
    fn is_root(&self, inst: &Inst) -> bool {
        let v = inst.results[0];
        let arithmetic = matches!(&inst.kind, InstKind::Pure(Op::Add | Op::Sub | Op::Mul | Op::Neg, _));
        arithmetic && self.func.value(v).free && self.func.is_float(v) && !self.primal.value(v)
    }

    fn rewrite(&mut self, root: Value, insts: &[Inst], args: &[Value]) -> Option<Vec<Inst>> {
        let mut best: Option<(usize, Vec<Inst>, Value)> = None;
        // What is tried and not taken leaves no values behind.
        let before = self.func.values.len();
        let mut needed = before;
        for peek in [false, true] {
            let mut reader = Reader {
                func: self.func,
                consumers: &self.consumers,
                constants: &self.constants,
                insts,
                places: &self.places,
                peek,
                peeked: false,
                cost: 0,
                failed: false,
            };
            let (c, node) = reader.read(root, true);
            let (old, failed, peeked) = (reader.cost, reader.failed, reader.peeked);
            let goal = best.as_ref().map_or(old, |(cost, ..)| *cost);
            if !failed && nice(c) && least(&node) < goal {
                let ty = self.func.ty(root).clone();
                let mut writer = Writer { to: Written::new(self.func, ty), args };
                let v = writer.write(&node);
                let v = writer.to.scale(c, v);
                let (new, failed, out) = (writer.to.cost(), writer.to.failed, writer.to.out);
                // A value whose type rustc alone knows does not stand for one that is known to be a float.
                let fits = self.func.ty(v) == self.func.ty(root);
                if !failed && fits && new < goal {
                    needed = self.func.values.len();
                    best = Some((new, out, v));
                }
            }
            if !peeked {
                break;
            }
        }
        self.func.values.truncate(needed);
        let added = needed - before;
        self.constants.extend(std::iter::repeat_n(None, added));
        self.places.extend(std::iter::repeat_n(NOWHERE, added));
        self.consumers.extend(std::iter::repeat_n(0, added));
        let (_, mut out, v) = best?;
        for inst in &out {
            if let InstKind::Pure(Op::Float(c), _) = &inst.kind {
                self.constants[inst.results[0].0 as usize] = Some(*c);
            }
        }
        match out.last_mut() {
            Some(last) if last.results[0] == v => last.results[0] = root,
            _ => {
                self.same.insert(root, v);
            }
        }
        Some(out)
    }
}

/// The least number of operations that an expression takes.
fn least(node: &Node) -> usize {
    match node {
        Node::One | Node::Leaf(_) => 0,
        Node::Mul(a, b) => 1 + least(a) + least(b),
        Node::Sum(terms) => {
            terms.len().saturating_sub(1) + terms.iter().map(|(_, node)| least(node)).sum::<usize>()
        }
    }
}

impl Reader<'_> {
    /// An expression as constant times node.
    fn read(&mut self, v: Value, top: bool) -> Term {
        if let Some(c) = self.constant(v) {
            return (c, Rc::new(Node::One));
        }
        let InstKind::Pure(op, args) = &self.insts[match self.places[v.0 as usize] {
            NOWHERE => return (1.0, Rc::new(Node::Leaf(v))),
            at => at as usize,
        }]
        .kind
        else {
            return (1.0, Rc::new(Node::Leaf(v)));
        };
        let sum = matches!(op, Op::Add | Op::Sub);
        let alone = self.consumers[v.0 as usize] == 1 && (!sum || self.func.value(v).free);
        if !top && !alone {
            return self.leaf(v, op, args);
        }
        match op {
            Op::Add | Op::Sub => {
                self.cost += 1;
                let sign = if matches!(op, Op::Sub) { -1.0 } else { 1.0 };
                let a = self.read(args[0], false);
                // A value that is added to itself is read once.
                let b = if args[0] == args[1] { (a.0, a.1.clone()) } else { self.read(args[1], false) };
                let mut terms = Vec::new();
                for (c, node) in [a, (sign * b.0, b.1)] {
                    match &*node {
                        Node::Sum(inner) => terms.extend(inner.iter().map(|(k, n)| (c * k, n.clone()))),
                        _ => terms.push((c, node)),
                    }
                }
                self.sum(terms)
            }
            Op::Neg => {
                self.cost += 1;
                let (c, node) = self.read(args[0], false);
                (-c, node)
            }
            Op::Mul => {
                self.cost += 1;
                let a = self.read(args[0], false);
                let b = if args[0] == args[1] { (a.0, a.1.clone()) } else { self.read(args[1], false) };
                (a.0 * b.0, product(a.1, b.1))
            }
            Op::Div if self.constant(args[1]).is_some_and(is_power_of_two) => {
                self.cost += 1;
                let (c, node) = self.read(args[0], false);
                (c / self.constant(args[1]).unwrap_or(1.0), node)
            }
            _ => (1.0, Rc::new(Node::Leaf(v))),
        }
    }

    /// A value that stays, as others use it too: its sign is taken out, and its constant factor if so wished.
    fn leaf(&mut self, v: Value, op: &Op, args: &[Value]) -> Term {
        let of = |v| Rc::new(Node::Leaf(v));
        let taken_out = match op {
            Op::Neg => return (-1.0, of(args[0])),
            Op::Add if args[0] == args[1] => Some((2.0, args[0])),
            Op::Mul => match (self.constant(args[0]), self.constant(args[1])) {
                (Some(c), None) => Some((c, args[1])),
                (None, Some(c)) => Some((c, args[0])),
                _ => None,
            },
            _ => None,
        };
        self.peeked |= taken_out.is_some();
        match taken_out.filter(|_| self.peek) {
            Some((c, inner)) => (c, of(inner)),
            None => (1.0, of(v)),
        }
    }

    fn constant(&self, v: Value) -> Option<f64> {
        usable(self.func, v, self.constants[v.0 as usize]?)
    }

    /// A sum of terms: like ones together, common factors and the common constant taken out.
    fn sum(&mut self, terms: Vec<Term>) -> Term {
        let mut list: Vec<Term> = Vec::new();
        for (c, node) in terms {
            match list.iter_mut().find(|(_, n)| *n == node) {
                Some((k, _)) => *k += c,
                None => list.push((c, node)),
            }
        }
        // The search takes the square of the number of terms for each factor found.
        while list.len() <= MANY
            && let Some(factor) = common_factor(&list)
        {
            let mut inner = Vec::new();
            let mut at = None;
            let mut rest = Vec::new();
            for (c, node) in list {
                match without(&node, &factor) {
                    Some(other) => {
                        at.get_or_insert(rest.len());
                        match &*other {
                            Node::Sum(terms) => inner.extend(terms.iter().map(|(k, n)| (c * k, n.clone()))),
                            _ => inner.push((c, other)),
                        }
                    }
                    None => rest.push((c, node)),
                }
            }
            let (c, node) = self.sum(inner);
            rest.insert(at.unwrap_or(0), (c, product(node, factor)));
            list = rest;
        }
        self.failed |= list.iter().any(|(c, _)| !nice(*c));
        if list.len() == 1 {
            return list.remove(0);
        }
        let content = content(&list);
        list.iter_mut().for_each(|(c, _)| *c /= content);
        (content, Rc::new(Node::Sum(list)))
    }
}

fn product(a: Rc<Node>, b: Rc<Node>) -> Rc<Node> {
    match (&*a, &*b) {
        (Node::One, _) => b,
        (_, Node::One) => a,
        _ => Rc::new(Node::Mul(a, b)),
    }
}

/// A factor that several terms have.
fn common_factor(list: &[Term]) -> Option<Rc<Node>> {
    let mut best: Option<(usize, Rc<Node>)> = None;
    for (at, (_, node)) in list.iter().enumerate() {
        let Node::Mul(a, b) = &**node else { continue };
        for factor in [a, b] {
            let others = list[at..].iter().filter(|(_, n)| without(n, factor).is_some()).count();
            if others > best.as_ref().map_or(1, |(n, _)| *n) {
                best = Some((others, factor.clone()));
            }
        }
    }
    best.map(|(_, factor)| factor)
}

fn without(node: &Node, factor: &Rc<Node>) -> Option<Rc<Node>> {
    match node {
        Node::Mul(a, b) if a == factor => Some(b.clone()),
        Node::Mul(a, b) if b == factor => Some(a.clone()),
        _ => None,
    }
}

/// The constant that a sum gives to what it is a factor of.
fn content(list: &[Term]) -> f64 {
    let sizes = || list.iter().map(|(c, _)| c.abs());
    let has_constant = list.iter().any(|(_, n)| **n == Node::One);
    let smallest = sizes().fold(f64::INFINITY, f64::min);
    let equal = sizes().all(|c| c == smallest);
    let size = if !has_constant && (equal || (is_power_of_two(smallest) && !sizes().any(|c| c == 1.0))) {
        smallest
    } else {
        1.0
    };
    if list.iter().all(|(c, _)| *c < 0.0) { -size } else { size }
}

/// Writes an expression as instructions.
struct Writer<'a> {
    to: Written<'a>,
    /// What the block is handed from round to round: added last, so that the next round waits for one addition.
    args: &'a [Value],
}

impl Writer<'_> {
    fn write(&mut self, node: &Node) -> Value {
        match node {
            Node::One => self.to.constant(1.0),
            Node::Leaf(v) => *v,
            Node::Mul(a, b) => {
                let (a, b) = (self.write(a), self.write(b));
                self.to.op(Op::Mul, vec![a, b])
            }
            Node::Sum(terms) => self.sum(terms),
        }
    }

    /// Terms of one constant are added up before they are multiplied by it.
    fn sum(&mut self, terms: &[Term]) -> Value {
        let mut groups: Vec<(f64, Vec<&Term>)> = Vec::new();
        let is_carried = |t: &Term| matches!(&*t.1, Node::Leaf(v) if self.args.contains(v));
        let (last, first): (Vec<&Term>, Vec<&Term>) = terms.iter().partition(|t| is_carried(t));
        for term in first {
            let size = if *term.1 == Node::One { f64::NAN } else { term.0.abs() };
            match groups.iter_mut().find(|(c, _)| *c == size) {
                Some((_, list)) => list.push(term),
                None => groups.push((size, vec![term])),
            }
        }
        groups.extend(last.into_iter().map(|term| (term.0.abs(), vec![term])));
        // Sums start with what is added, not with what is subtracted.
        let added = groups.iter().position(|(_, list)| list.iter().any(|t| t.0 > 0.0)).unwrap_or(0);
        if groups.iter().position(|(_, list)| {
            list.iter().any(|t| matches!(&*t.1, Node::Leaf(v) if self.args.contains(v)))
        }) != Some(added)
        {
            groups[..=added].rotate_right(1);
        }
        let mut total: Option<Value> = None;
        for (size, mut list) in groups {
            let sign = if list.iter().any(|t| t.0 > 0.0) { 1.0 } else { -1.0 };
            let start = list.iter().position(|t| t.0 * sign > 0.0).unwrap_or(0);
            list[..=start].rotate_right(1);
            let mut group: Option<Value> = None;
            for (c, node) in list {
                let v = if size.is_nan() { self.to.constant(c.abs()) } else { self.write(node) };
                group = Some(match group {
                    None => v,
                    Some(sum) if c * sign > 0.0 => self.to.op(Op::Add, vec![sum, v]),
                    Some(sum) => self.to.op(Op::Sub, vec![sum, v]),
                });
            }
            let Some(group) = group else { continue };
            let group = if size.is_nan() { group } else { self.to.scale(size, group) };
            total = Some(match total {
                None if sign > 0.0 => group,
                None => self.to.op(Op::Neg, vec![group]),
                Some(sum) if sign > 0.0 => self.to.op(Op::Add, vec![sum, group]),
                Some(sum) => self.to.op(Op::Sub, vec![sum, group]),
            });
        }
        total.unwrap_or_else(|| unreachable!("a sum has terms"))
    }
}
