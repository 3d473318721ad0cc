//! Random programs from a string of choices: where it ends, every choice is the simplest one, so that shorter and
//! smaller strings are simpler programs (which is how failures are shrunk).

use super::program::{ARRAYS, Assign, Cond, Expr, Int, Loop, OUT, Program, Stmt, W, X};
use crate::ir::Unary;

/// The program that these choices describe, for slices of this length; `outputs`: it writes `out` instead of returning a
/// value.
pub(super) fn program(choices: &[u8], len: i64, outputs: bool) -> Program {
    let mut g = Generator {
        len,
        choices,
        at: 0,
        next: 1,
        vars: vec![0],
        ints: Vec::new(),
        buffers: vec![(X, vec![len]), (W, vec![len])],
        labels: Vec::new(),
        outputs,
        arrays: false,
        statements: 0,
    };
    g.arrays = g.chance(4);
    let mut body = Vec::new();
    if outputs {
        // What is in `out` before is not known to an adjoint.
        let i = g.fresh();
        let element = Stmt::Store(OUT, vec![Int::Var(i)], Assign::Set, g.expr(1));
        body.push(Stmt::For(Loop {
            label: i,
            var: i,
            lo: Int::Lit(0),
            hi: Int::Len(OUT),
            inclusive: false,
            rev: false,
            step: None,
            body: vec![element],
        }));
        g.buffers.push((OUT, vec![len]));
    }
    let n = 1 + g.pick(5);
    body.extend(g.stmts(n, 3));
    let value = g.everything();
    if outputs {
        body.push(Stmt::Store(OUT, vec![Int::Lit(1)], Assign::Add, value));
        return Program { len, arrays: g.arrays, body, value: None };
    }
    Program { len, arrays: g.arrays, body, value: Some(value) }
}

struct Generator<'a> {
    len: i64,
    choices: &'a [u8],
    at: usize,
    /// Next name, of anything.
    next: usize,
    /// Float variables in scope.
    vars: Vec<usize>,
    /// Integer variables in scope, and the largest value each takes.
    ints: Vec<(usize, i64)>,
    /// Buffers in scope, and their axes.
    buffers: Vec<(usize, Vec<i64>)>,
    labels: Vec<usize>,
    outputs: bool,
    /// x and w are arrays: they are not passed on as slices.
    arrays: bool,
    statements: usize,
}

impl Generator<'_> {
    fn pick(&mut self, n: usize) -> usize {
        let choice = self.choices.get(self.at).copied().unwrap_or(0);
        self.at += 1;
        usize::from(choice) % n
    }
    fn chance(&mut self, of: usize) -> bool {
        self.pick(of) == of - 1
    }
    fn fresh(&mut self) -> usize {
        self.next += 1;
        self.next - 1
    }
    fn constant(&mut self) -> Expr {
        Expr::Const([0.5, 1.0, -0.7, 1.3, 0.0, 2.0, -1.0, 0.25][self.pick(8)])
    }
    fn var(&mut self) -> usize {
        let k = self.pick(self.vars.len());
        self.vars[self.vars.len() - 1 - k]
    }

    /// An integer from 0 up, below `n`.
    fn index(&mut self, n: i64) -> Int {
        let k = self.pick(self.ints.len() + 1);
        let Some((var, max)) = self.ints.len().checked_sub(k + 1).map(|k| self.ints[k]) else {
            return Int::Lit(self.pick(n as usize) as i64);
        };
        let i = Int::Var(var);
        match self.pick(7) {
            4 if n == self.len => Int::Around(Box::new(i), 1),
            5 if n == self.len => Int::Around(Box::new(i), -1),
            1 => Int::Mod(Box::new(Int::Add(Box::new(i), 1)), n),
            2 => Int::Mod(Box::new(Int::Mul(Box::new(i), 2)), n),
            3 if max < n => Int::Mirror(n, Box::new(i)),
            _ if max < n => i,
            _ => Int::Mod(Box::new(i), n),
        }
    }

    fn indices(&mut self, dims: &[i64]) -> Vec<Int> {
        dims.iter().map(|n| self.index(*n)).collect()
    }

    fn load(&mut self) -> Expr {
        let k = self.pick(self.buffers.len());
        let (b, dims) = self.buffers[self.buffers.len() - 1 - k].clone();
        Expr::Load(b, self.indices(&dims))
    }

    fn cond(&mut self) -> Cond {
        match self.pick(7) {
            0 | 1 => Cond::Less(self.expr(1), self.expr(0)),
            2 if !self.ints.is_empty() => Cond::IntLess(self.index(4), self.index(4)),
            3 if !self.ints.is_empty() => Cond::IntEq(self.index(3), Int::Lit(1)),
            4 => Cond::And(Box::new(self.cond()), Box::new(Cond::Less(self.expr(0), self.expr(0)))),
            5 => Cond::Or(Box::new(Cond::Less(self.expr(0), self.expr(0))), Box::new(self.cond())),
            6 => Cond::Not(Box::new(self.cond())),
            _ => Cond::Less(self.expr(0), self.constant()),
        }
    }

    fn expr(&mut self, depth: usize) -> Expr {
        if depth == 0 {
            return match self.pick(8) {
                0..=2 => Expr::Var(self.var()),
                3..=6 => self.load(),
                _ => self.constant(),
            };
        }
        let inner = |g: &mut Self| Box::new(g.expr(depth - 1));
        match self.pick(17) {
            0 | 1 => self.expr(0),
            2 | 3 => Expr::Mul(inner(self), inner(self)),
            4 => Expr::Add(inner(self), inner(self)),
            5 => Expr::Sub(inner(self), inner(self)),
            6 => Expr::Neg(inner(self)),
            7 | 8 => {
                let f = [Unary::Sin, Unary::Cos, Unary::Tanh, Unary::Atan, Unary::Abs][self.pick(5)];
                Expr::Unary(f, inner(self))
            }
            9 => Expr::Ratio(inner(self), inner(self)),
            10 => {
                let f = [Unary::Sqrt, Unary::Ln, Unary::Recip, Unary::Cbrt][self.pick(4)];
                Expr::Positive(f, inner(self))
            }
            11 if !self.ints.is_empty() && self.pick(3) == 0 => {
                let n = self.index(5);
                Expr::PowiInt(inner(self), n)
            }
            11 => {
                let n = [2, 3, 1, 0, 4][self.pick(5)];
                Expr::Powi(inner(self), n)
            }
            12 => Expr::Max(inner(self), inner(self)),
            13 => Expr::If(Box::new(self.cond()), inner(self), inner(self)),
            14 => match self.ints.len() {
                0 => self.constant(),
                _ => Expr::FromInt(self.index(5)),
            },
            15 => {
                let slices = if self.arrays { OUT } else { X };
                let vectors =
                    self.buffers.iter().filter(|(b, d)| d.len() == 1 && (slices..ARRAYS).contains(b));
                let vectors: Vec<(usize, i64)> = vectors.map(|(b, d)| (*b, d[0])).collect();
                if vectors.is_empty() {
                    return self.constant();
                }
                let (b, n) = vectors[self.pick(vectors.len())];
                let part = self.chance(2).then(|| {
                    let start = self.pick(n as usize) as i64;
                    (start, 1 + self.pick((n - start) as usize) as i64)
                });
                Expr::Call(inner(self), b, part)
            }
            _ => Expr::Unary(Unary::Sin, inner(self)),
        }
    }

    fn assign(&mut self) -> Assign {
        [Assign::Add, Assign::Set, Assign::Sub, Assign::Mul][self.pick(4)]
    }

    /// Statements in a scope of their own.
    fn block(&mut self, depth: usize) -> Vec<Stmt> {
        let (vars, ints, buffers) = (self.vars.len(), self.ints.len(), self.buffers.len());
        let n = 1 + self.pick(3);
        let body = self.stmts(n, depth);
        self.vars.truncate(vars);
        self.ints.truncate(ints);
        self.buffers.truncate(buffers);
        body
    }

    fn stmts(&mut self, n: usize, depth: usize) -> Vec<Stmt> {
        let mut body = Vec::new();
        for _ in 0..n {
            self.statements += 1;
            // Long programs show nothing that short ones do not.
            if self.statements > 30 {
                break;
            }
            self.stmt(depth, &mut body);
        }
        body
    }

    fn looped(&mut self, depth: usize, label: usize) -> Vec<Stmt> {
        self.labels.push(label);
        let body = self.block(depth);
        self.labels.pop();
        body
    }

    fn stmt(&mut self, depth: usize, body: &mut Vec<Stmt>) {
        if self.chance(7) {
            return self.arrays(body);
        }
        let choices = if depth == 0 { 8 } else { 22 };
        match self.pick(choices) {
            0 | 1 => {
                let e = self.expr(2);
                // Now and then a name that is in use: shadowing.
                let v = if self.chance(6) { self.var() } else { self.fresh() };
                self.vars.push(v);
                body.push(Stmt::Let(v, e));
            }
            2 | 3 => {
                let (v, how) = (self.var(), self.assign());
                body.push(Stmt::Set(v, how, self.expr(2)));
            }
            4 | 5 => {
                let owned: Vec<(usize, Vec<i64>)> =
                    self.buffers.iter().filter(|b| b.0 > W).cloned().collect();
                if owned.is_empty() {
                    return self.new_buffer(body);
                }
                let k = self.pick(owned.len());
                let (b, dims) = owned[owned.len() - 1 - k].clone();
                let (index, how) = (self.indices(&dims), self.assign());
                body.push(Stmt::Store(b, index, how, self.expr(2)));
            }
            6 => self.new_buffer(body),
            7 => {
                let exit = self.pick(4);
                if exit == 3 && !self.outputs && self.chance(2) {
                    body.push(Stmt::Return(self.cond(), self.expr(1)));
                } else if let Some(inner) = self.labels.last().copied() {
                    let k = self.pick(self.labels.len() + 1);
                    let to = self.labels.get(k).copied();
                    let to = if to == Some(inner) { None } else { to };
                    let cond = self.cond();
                    body.push(if exit.is_multiple_of(2) {
                        Stmt::Break(cond, to)
                    } else {
                        Stmt::Continue(cond, to)
                    });
                }
            }
            8 | 9 => {
                let cond = self.cond();
                let then = self.block(depth - 1);
                let other = if self.chance(2) { self.block(depth - 1) } else { Vec::new() };
                body.push(Stmt::If(cond, then, other));
            }
            10..=13 => self.for_loop(depth, body),
            15..=17 => self.whole(depth, body),
            14 => {
                let (var, element, label) = (self.fresh(), self.fresh(), self.fresh());
                let vectors: Vec<(usize, i64)> =
                    self.buffers.iter().filter(|b| b.1.len() == 1).map(|(b, d)| (*b, d[0])).collect();
                let (buffer, n) = vectors[self.pick(vectors.len())];
                // What is iterated over is borrowed: it cannot be written inside.
                let hidden: Vec<usize> =
                    (0..self.buffers.len()).filter(|k| self.buffers[*k].0 == buffer && buffer > W).collect();
                let taken: Vec<_> = hidden.iter().rev().map(|k| (*k, self.buffers.remove(*k))).collect();
                self.ints.push((var, n - 1));
                self.vars.push(element);
                let inner = self.looped_without(element, depth - 1, label);
                self.vars.pop();
                self.ints.pop();
                for (k, b) in taken.into_iter().rev() {
                    self.buffers.insert(k, b);
                }
                body.push(Stmt::Each { label, var, element, buffer, body: inner });
            }
            18 => self.while_loop(depth, body),
            19 => self.running_index(depth, body),
            20 => self.extreme(body),
            _ => self.layer(depth, body),
        }
    }

    /// An index of its own that counts along in a loop, or in a loop in it.
    fn running_index(&mut self, depth: usize, body: &mut Vec<Stmt>) {
        let counter = self.fresh();
        body.push(Stmt::LetInt(counter, Int::Lit(self.pick(2) as i64)));
        // Nobody else's: what it counts up to is not known here.
        let place = Int::Mod(Box::new(Int::Var(counter)), self.len);
        let by = 1 + self.pick(2) as i64;
        let count = Stmt::SetInt(counter, Int::Add(Box::new(Int::Var(counter)), by));
        let (sum, buffer) = (self.var(), [X, W][self.pick(2)]);
        let term = Expr::Mul(Box::new(Expr::Load(buffer, vec![place])), Box::new(self.expr(1)));
        let mut inner = vec![Stmt::Set(sum, self.assign(), term), count];
        if self.chance(2) {
            let mut nested = Vec::new();
            self.for_loop(depth, &mut nested);
            if let Some(Stmt::For(l)) = nested.last_mut() {
                l.body.append(&mut inner);
            }
            inner = nested;
        }
        let mut outer = Vec::new();
        self.for_loop(depth, &mut outer);
        if let Some(Stmt::For(l)) = outer.last_mut() {
            // Before anything that leaves the round.
            inner.append(&mut l.body);
            l.body = inner;
        }
        body.append(&mut outer);
    }

    /// The largest of something, by comparison or by `max`.
    fn extreme(&mut self, body: &mut Vec<Stmt>) {
        let vectors: Vec<(usize, i64)> =
            self.buffers.iter().filter(|(_, d)| d.len() == 1).map(|(b, d)| (*b, d[0])).collect();
        let (b, n) = vectors[self.pick(vectors.len())];
        let (largest, i) = (self.fresh(), self.fresh());
        let start = if self.chance(2) { self.expr(1) } else { Expr::Load(b, vec![Int::Lit(0)]) };
        body.push(Stmt::Let(largest, start));
        self.ints.push((i, n - 1));
        let candidate = match self.pick(3) {
            0 => Expr::Load(b, vec![Int::Var(i)]),
            1 => Expr::Unary(Unary::Sin, Box::new(Expr::Load(b, vec![Int::Var(i)]))),
            _ => self.expr(2),
        };
        self.ints.pop();
        let inner = if self.chance(2) {
            let value = Expr::Max(Box::new(Expr::Var(largest)), Box::new(candidate));
            vec![Stmt::Set(largest, Assign::Set, value)]
        } else {
            let v = self.fresh();
            let take = Stmt::Set(largest, Assign::Set, Expr::Var(v));
            let larger = Cond::Less(Expr::Var(largest), Expr::Var(v));
            let cond = if self.chance(3) { Cond::Not(Box::new(larger)) } else { larger };
            vec![Stmt::Let(v, candidate), Stmt::If(cond, vec![take], Vec::new())]
        };
        let label = self.fresh();
        body.push(Stmt::For(Loop {
            label,
            var: i,
            lo: Int::Lit(self.pick(2) as i64),
            hi: Int::Lit(n),
            inclusive: false,
            rev: self.chance(4),
            step: None,
            body: inner,
        }));
        self.vars.push(largest);
    }

    /// In each round: scratch vectors filled from sums over others, then something nonlinear of them.
    fn layer(&mut self, depth: usize, body: &mut Vec<Stmt>) {
        let mut inner = Vec::new();
        let mut scratch = Vec::new();
        let around = self.buffers.len();
        for _ in 0..2 {
            let buffer = self.fresh().max(OUT + 1);
            self.next = self.next.max(buffer + 1);
            let zero = Expr::Const(0.0);
            let new = Stmt::NewBuffer { buffer, dims: vec![self.len], vector: Some(Int::Var(0)), fill: zero };
            // Some are made anew in each round.
            if self.chance(3) {
                inner.push(new);
            } else {
                body.push(new);
            }
            scratch.push(buffer);
        }
        let [round, row, column, last] = [(); 4].map(|()| self.fresh());
        self.ints.push((round, 2));
        let looped = |g: &mut Self, var: usize, hi: Int, inner: Vec<Stmt>| {
            let label = g.fresh();
            let (lo, inclusive, rev, step) = (Int::Lit(0), false, g.chance(5), None);
            Stmt::For(Loop { label, var, lo, hi, inclusive, rev, step, body: inner })
        };
        let [u, m] = [scratch[0], scratch[1]];
        self.ints.push((row, self.len - 1));
        let value = self.expr(2);
        let fill = Stmt::Store(u, vec![Int::Var(row)], Assign::Set, value);
        inner.push(looped(self, row, Int::Var(0), vec![fill]));
        let t = self.fresh();
        self.ints.push((column, self.len - 1));
        let factor = self.expr(1);
        self.ints.pop();
        let term = Expr::Mul(Box::new(Expr::Load(u, vec![Int::Var(column)])), Box::new(factor));
        let sum = looped(self, column, Int::Var(0), vec![Stmt::Set(t, Assign::Add, term)]);
        let value = Expr::Unary([Unary::Tanh, Unary::Sin][self.pick(2)], Box::new(Expr::Var(t)));
        let start = self.expr(1);
        let set = Stmt::Store(m, vec![Int::Var(row)], Assign::Set, value);
        inner.push(looped(self, row, Int::Var(0), vec![Stmt::Let(t, start), sum, set]));
        self.ints.pop();
        let total = self.fresh();
        inner.push(Stmt::Let(total, Expr::Const(0.5)));
        let element = || Box::new(Expr::Load(m, vec![Int::Var(last)]));
        let square = Stmt::Set(total, Assign::Add, Expr::Mul(element(), element()));
        inner.push(looped(self, last, Int::Var(0), vec![square]));
        let into = self.var();
        let value = Expr::Unary(Unary::Sin, Box::new(Expr::Var(total)));
        inner.push(Stmt::Set(into, self.assign(), value));
        if self.chance(3) {
            self.buffers.extend(scratch.iter().map(|b| (*b, vec![self.len])));
            inner.extend(self.block(depth - 1));
        }
        self.buffers.truncate(around);
        self.ints.pop();
        body.push(looped(self, round, Int::Lit(3), inner));
    }

    /// A loop body in which `element`, an immutable binding, is only read: through a copy.
    fn looped_without(&mut self, element: usize, depth: usize, label: usize) -> Vec<Stmt> {
        let copy = self.fresh();
        let at = self.vars.len() - 1;
        self.vars[at] = copy;
        let mut inner = vec![Stmt::Let(copy, Expr::Var(element))];
        inner.extend(self.looped(depth, label));
        inner
    }

    /// The loops that people write: over a whole buffer, each element set (or added to) from others.
    fn whole(&mut self, depth: usize, body: &mut Vec<Stmt>) {
        let mut owned: Vec<(usize, Vec<i64>)> = self.buffers.iter().filter(|b| b.0 > W).cloned().collect();
        if owned.is_empty() {
            self.new_buffer(body);
            owned = self.buffers.iter().filter(|b| b.0 > W).cloned().collect();
        }
        let k = self.pick(owned.len());
        let (b, dims) = owned[owned.len() - 1 - k].clone();
        let mut loops = Vec::new();
        for (axis, n) in dims.iter().enumerate() {
            let (var, label) = (self.fresh(), self.fresh());
            let hi = match self.pick(3) {
                1 if axis == 0 && (b < ARRAYS || dims.len() == 1) => Int::Len(b),
                2 if *n == self.len => Int::Var(0),
                _ => Int::Lit(*n),
            };
            loops.push((var, label, hi));
            self.ints.push((var, n - 1));
        }
        let index: Vec<Int> = loops.iter().map(|(var, ..)| Int::Var(*var)).collect();
        let how = if self.chance(4) { self.assign() } else { Assign::Set };
        let value = match self.pick(3) {
            0 => Expr::Unary(Unary::Tanh, Box::new(self.expr(1))),
            1 => self.expr(1),
            _ => self.expr(3),
        };
        let set = Stmt::Store(b, index, how, value);
        let mut inner = vec![set];
        if self.chance(3) {
            let label = loops[loops.len() - 1].1;
            inner.extend(self.looped(depth - 1, label));
        }
        let scope = self.ints.len() - loops.len();
        self.ints.truncate(scope);
        for (var, label, hi) in loops.into_iter().rev() {
            let rev = self.chance(5);
            inner = vec![Stmt::For(Loop {
                label,
                var,
                lo: Int::Lit(0),
                hi,
                inclusive: false,
                rev,
                step: None,
                body: inner,
            })];
        }
        body.extend(inner);
    }

    /// Products, and arrays to make them of.
    fn arrays(&mut self, body: &mut Vec<Stmt>) {
        let arrays: Vec<(usize, Vec<i64>)> = self.buffers.iter().filter(|b| b.0 >= ARRAYS).cloned().collect();
        let mut fit = Vec::new();
        for (a, of_a) in &arrays {
            for (b, of_b) in &arrays {
                for (ta, tb) in [(false, false), (true, false), (false, true), (true, true)] {
                    let fits = (!ta || of_a.len() == 2) && (!tb || of_b.len() == 2);
                    let (mut p, mut q) = (of_a.clone(), of_b.clone());
                    if ta {
                        p.reverse();
                    }
                    if tb {
                        q.reverse();
                    }
                    if fits && p.len() + q.len() > 2 && p[p.len() - 1] == q[0] {
                        let dims = [&p[..p.len() - 1], &q[1..]].concat();
                        fit.push(((*a, ta), (*b, tb), dims));
                    }
                }
            }
        }
        if fit.is_empty() || self.chance(3) {
            return self.new_array(body);
        }
        let (a, b, dims) = fit[self.pick(fit.len())].clone();
        // Into an array that is there: also into one of the factors.
        let there: Vec<usize> = arrays.iter().filter(|(_, d)| *d == dims).map(|(b, _)| *b).collect();
        if !there.is_empty() && self.chance(2) {
            let buffer = there[self.pick(there.len())];
            return body.push(Stmt::Product { buffer, new: false, a, b });
        }
        let buffer = self.fresh() + ARRAYS;
        self.buffers.push((buffer, dims));
        body.push(Stmt::Product { buffer, new: true, a, b });
    }

    fn new_array(&mut self, body: &mut Vec<Stmt>) {
        let buffer = self.fresh() + ARRAYS;
        let dims = [&[2, 3][..], &[2, 2], &[3], &[3, 2], &[2], &[3, 1]][self.pick(6)].to_vec();
        let loops: Vec<usize> = dims.iter().map(|_| self.fresh()).collect();
        self.ints.extend(loops.iter().copied().zip(dims.iter().map(|n| n - 1)));
        let value = self.expr(2);
        self.ints.truncate(self.ints.len() - loops.len());
        self.buffers.push((buffer, dims.clone()));
        body.push(Stmt::NewBuffer { buffer, dims: dims.clone(), vector: None, fill: Expr::Const(0.0) });
        let index = loops.iter().map(|i| Int::Var(*i)).collect();
        let mut inner = vec![Stmt::Store(buffer, index, Assign::Set, value)];
        for (var, n) in loops.into_iter().zip(dims).rev() {
            let (lo, hi) = (Int::Lit(0), Int::Lit(n));
            let label = self.fresh();
            inner = vec![Stmt::For(Loop {
                label,
                var,
                lo,
                hi,
                inclusive: false,
                rev: false,
                step: None,
                body: inner,
            })];
        }
        body.extend(inner);
    }

    fn new_buffer(&mut self, body: &mut Vec<Stmt>) {
        let buffer = self.fresh().max(OUT + 1);
        self.next = self.next.max(buffer + 1);
        let (dims, vector) = match self.pick(6) {
            0 | 1 => (vec![2 + self.pick(3) as i64], None),
            2 => (vec![self.len], Some(Int::Var(0))),
            3 => (vec![self.len], Some(Int::Len(X))),
            4 => (vec![3], Some(Int::Lit(3))),
            _ => (vec![2, 3], None),
        };
        let fill = if self.chance(3) { self.expr(1) } else { Expr::Const(0.0) };
        self.buffers.push((buffer, dims.clone()));
        body.push(Stmt::NewBuffer { buffer, dims, vector, fill });
    }

    fn for_loop(&mut self, depth: usize, body: &mut Vec<Stmt>) {
        let (var, label) = (self.fresh(), self.fresh());
        let (mut lo, mut hi, mut max) = (Int::Lit(0), Int::Lit(4), 3);
        match self.pick(8) {
            0 => {}
            1 => (hi, max) = (Int::Var(0), self.len - 1),
            2 => (hi, max) = (Int::Len(X), self.len - 1),
            3 => (lo, hi, max) = (Int::Lit(1), Int::Lit(3), 2),
            4 => (hi, max) = (Int::Lit(2), 1),
            5 => {
                // Triangles.
                if let Some((outer, m)) = self.ints.last().copied().filter(|(_, m)| *m <= 4) {
                    (hi, max) = (Int::Var(outer), m.max(1) - 1);
                }
            }
            6 => {
                if let Some((outer, m)) = self.ints.last().copied().filter(|(_, m)| *m <= 3) {
                    (lo, hi, max) = (Int::Var(outer), Int::Lit(4), 3.max(m));
                }
            }
            _ => (lo, hi, max) = (Int::Lit(2), Int::Lit(2), 2),
        }
        let inclusive = self.chance(5);
        max += i64::from(inclusive);
        let rev = self.chance(4);
        let step = if self.chance(4) { Some([2, 3][self.pick(2)]) } else { None };
        self.ints.push((var, max));
        let inner = self.looped(depth - 1, label);
        self.ints.pop();
        body.push(Stmt::For(Loop { label, var, lo, hi, inclusive, rev, step, body: inner }));
    }

    fn while_loop(&mut self, depth: usize, body: &mut Vec<Stmt>) {
        let (counter, label) = (self.fresh(), self.fresh());
        let most = 1 + self.pick(4) as i64;
        body.push(Stmt::LetInt(counter, Int::Lit(0)));
        let mut cond = Cond::IntLess(Int::Var(counter), Int::Lit(most));
        if self.chance(2) {
            cond = Cond::And(Box::new(cond), Box::new(self.cond()));
        }
        let mut inner = vec![Stmt::SetInt(counter, Int::Add(Box::new(Int::Var(counter)), 1))];
        self.ints.push((counter, most));
        inner.extend(self.looped(depth - 1, label));
        body.push(Stmt::While { label, cond, body: inner });
    }

    /// Something of all that is left in scope, so that little is dead.
    fn everything(&mut self) -> Expr {
        let mut sum = Expr::Unary(Unary::Sin, Box::new(Expr::Var(0)));
        let mut vars = self.vars.clone();
        vars.sort_unstable();
        vars.dedup();
        let mut scale = 0.4;
        let mut term = |sum: Expr, e: Expr| {
            scale += 0.1;
            let scaled = Expr::Mul(Box::new(Expr::Const((scale * 10.0_f64).round() / 10.0)), Box::new(e));
            Expr::Add(Box::new(sum), Box::new(scaled))
        };
        for v in vars {
            sum = term(sum, Expr::Var(v));
        }
        for (b, dims) in &self.buffers {
            let last: Vec<Int> = dims.iter().map(|n| Int::Lit(n - 1)).collect();
            let first: Vec<Int> = dims.iter().map(|_| Int::Lit(0)).collect();
            let product = Expr::Mul(Box::new(Expr::Load(*b, first)), Box::new(Expr::Load(*b, last)));
            sum = term(sum, product);
        }
        sum
    }
}
