//! Small programs as the random tests make them: their Rust text, and a direct interpreter that knows nothing of the
//! compiler. What the compiler makes of the text must agree with what the interpreter says.

use std::fmt::{self, Display, Formatter};

use crate::ir::Unary;
use crate::ir::eval::{Hyper, Num};

/// An integer: an index, a bound.
#[derive(Clone, Debug)]
pub(super) enum Int {
    Lit(i64),
    Var(usize),
    Add(Box<Int>, i64),
    Mul(Box<Int>, i64),
    Mod(Box<Int>, i64),
    /// `(i + 1) % n`, or `(i + n - 1) % n`
    Around(Box<Int>, i64),
    /// `n - 1 - i`
    Mirror(i64, Box<Int>),
    Len(usize),
}

#[derive(Clone, Debug)]
pub(super) enum Cond {
    Less(Expr, Expr),
    IntLess(Int, Int),
    IntEq(Int, Int),
    And(Box<Cond>, Box<Cond>),
    Or(Box<Cond>, Box<Cond>),
    Not(Box<Cond>),
}

#[derive(Clone, Debug)]
pub(super) enum Expr {
    Const(f64),
    Var(usize),
    Load(usize, Vec<Int>),
    Neg(Box<Expr>),
    Add(Box<Expr>, Box<Expr>),
    Sub(Box<Expr>, Box<Expr>),
    Mul(Box<Expr>, Box<Expr>),
    /// `a / (b * b + 1.5)`
    Ratio(Box<Expr>, Box<Expr>),
    /// Of what is everywhere defined.
    Unary(Unary, Box<Expr>),
    /// `(a * a + 0.7).f()`, for what is defined above 0.
    Positive(Unary, Box<Expr>),
    Powi(Box<Expr>, i32),
    PowiInt(Box<Expr>, Int),
    Max(Box<Expr>, Box<Expr>),
    If(Box<Cond>, Box<Expr>, Box<Expr>),
    FromInt(Int),
    /// `g(e, &buffer[..])` or a part of the buffer: start and length.
    Call(Box<Expr>, usize, Option<(i64, i64)>),
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Assign {
    Set,
    Add,
    Sub,
    Mul,
}

#[derive(Clone, Debug)]
pub(super) struct Loop {
    pub(super) label: usize,
    pub(super) var: usize,
    pub(super) lo: Int,
    pub(super) hi: Int,
    pub(super) inclusive: bool,
    pub(super) rev: bool,
    pub(super) step: Option<i64>,
    pub(super) body: Vec<Stmt>,
}

#[derive(Clone, Debug)]
pub(super) enum Stmt {
    Let(usize, Expr),
    Set(usize, Assign, Expr),
    LetInt(usize, Int),
    SetInt(usize, Int),
    Store(usize, Vec<Int>, Assign, Expr),
    /// `let mut b = [[0.0; ..]; ..]`, or `vec![0.0; ..]`
    NewBuffer {
        buffer: usize,
        dims: Vec<i64>,
        vector: Option<Int>,
        fill: Expr,
    },
    /// `let mut b = a.dot(&c)` of `ndarray`'s arrays, or `b = a.dot(&c)`, each factor transposed or not.
    Product {
        buffer: usize,
        new: bool,
        a: (usize, bool),
        b: (usize, bool),
    },
    If(Cond, Vec<Stmt>, Vec<Stmt>),
    For(Loop),
    /// `for (i, v) in b.iter().enumerate()`
    Each {
        label: usize,
        var: usize,
        element: usize,
        buffer: usize,
        body: Vec<Stmt>,
    },
    While {
        label: usize,
        cond: Cond,
        body: Vec<Stmt>,
    },
    Break(Cond, Option<usize>),
    Continue(Cond, Option<usize>),
    Return(Cond, Expr),
}

/// `fn f(x: &[f64], a: f64, w: &[f64], n: usize) -> f64`: x is buffer 0 and w buffer 1, a is variable 0, n integer 0. A
/// program with outputs has `out: &mut [f64]` (buffer 2) in place of the value.
#[derive(Clone, Debug)]
pub(super) struct Program {
    /// Length of x, w and out, and what `n` is.
    pub(super) len: i64,
    /// x and w are arrays of `ndarray`.
    pub(super) arrays: bool,
    pub(super) body: Vec<Stmt>,
    pub(super) value: Option<Expr>,
}

pub(super) const X: usize = 0;
pub(super) const W: usize = 1;
pub(super) const OUT: usize = 2;
/// Buffers from this on are arrays of `ndarray`.
pub(super) const ARRAYS: usize = 1000;

// -------------------------------------------------------------------------------------------- text

impl Display for Int {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Int::Lit(i) => write!(f, "{i}"),
            Int::Var(0) => write!(f, "n"),
            Int::Var(i) => write!(f, "i{i}"),
            Int::Add(i, c) => write!(f, "({i} + {c})"),
            Int::Mul(i, c) => write!(f, "({i} * {c})"),
            Int::Mod(i, c) => write!(f, "({i} % {c})"),
            Int::Around(i, 1) => write!(f, "(({i} + 1) % n)"),
            Int::Around(i, _) => write!(f, "(({i} + n - 1) % n)"),
            Int::Mirror(n, i) => write!(f, "({} - {i})", n - 1),
            Int::Len(b) => write!(f, "{}.len()", buffer(*b)),
        }
    }
}

fn buffer(b: usize) -> String {
    match b {
        X => "x".into(),
        W => "w".into(),
        OUT => "out".into(),
        b => format!("b{b}"),
    }
}

fn variable(v: usize) -> String {
    if v == 0 { "a".into() } else { format!("v{v}") }
}

impl Display for Cond {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Cond::Less(a, b) => write!(f, "({a} < {b})"),
            Cond::IntLess(a, b) => write!(f, "({a} < {b})"),
            Cond::IntEq(a, b) => write!(f, "({a} == {b})"),
            Cond::And(a, b) => write!(f, "({a} && {b})"),
            Cond::Or(a, b) => write!(f, "({a} || {b})"),
            Cond::Not(a) => write!(f, "!{a}"),
        }
    }
}

fn element(b: usize, index: &[Int]) -> String {
    if let (true, [i, j]) = (b >= ARRAYS, index) {
        return format!("{}[[{i}, {j}]]", buffer(b));
    }
    let index: Vec<String> = index.iter().map(|i| format!("[{i}]")).collect();
    format!("{}{}", buffer(b), index.concat())
}

impl Display for Expr {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Expr::Const(c) => write!(f, "{c:?}"),
            Expr::Var(v) => write!(f, "{}", variable(*v)),
            Expr::Load(b, index) => write!(f, "{}", element(*b, index)),
            Expr::Neg(a) => write!(f, "(-{a})"),
            Expr::Add(a, b) => write!(f, "({a} + {b})"),
            Expr::Sub(a, b) => write!(f, "({a} - {b})"),
            Expr::Mul(a, b) => write!(f, "({a} * {b})"),
            Expr::Ratio(a, b) => write!(f, "({a} / ({b} * {b} + 1.5))"),
            Expr::Unary(u, a) => write!(f, "({a}).{}()", u.method()),
            Expr::Positive(u, a) => write!(f, "({a} * {a} + 0.7).{}()", u.method()),
            Expr::Powi(a, n) => write!(f, "({a}).powi({n})"),
            Expr::PowiInt(a, n) => write!(f, "({a}).powi(({n}) as i32)"),
            Expr::Max(a, b) => write!(f, "({a}).max({b})"),
            Expr::If(c, a, b) => write!(f, "(if {c} {{ {a} }} else {{ {b} }})"),
            Expr::FromInt(i) => write!(f, "({i} as f64)"),
            Expr::Call(e, b, None) => write!(f, "g({e}, &{}[..])", buffer(*b)),
            Expr::Call(e, b, Some((start, len))) => {
                write!(f, "g({e}, &{}[{start}..{}])", buffer(*b), start + len)
            }
        }
    }
}

impl Assign {
    fn text(self) -> &'static str {
        match self {
            Assign::Set => "=",
            Assign::Add => "+=",
            Assign::Sub => "-=",
            Assign::Mul => "*=",
        }
    }
}

fn label(of: Option<usize>) -> String {
    of.map_or(String::new(), |l| format!(" 'l{l}"))
}

fn block(body: &[Stmt], depth: usize, f: &mut Formatter<'_>) -> fmt::Result {
    for s in body {
        stmt(s, depth, f)?;
    }
    Ok(())
}

fn stmt(s: &Stmt, depth: usize, f: &mut Formatter<'_>) -> fmt::Result {
    let pad = "    ".repeat(depth);
    match s {
        Stmt::Let(v, e) => writeln!(f, "{pad}let mut {} = {e};", variable(*v)),
        Stmt::Set(v, how, e) => writeln!(f, "{pad}{} {} {e};", variable(*v), how.text()),
        Stmt::LetInt(i, e) => writeln!(f, "{pad}let mut i{i}: usize = {e};"),
        Stmt::SetInt(i, e) => writeln!(f, "{pad}i{i} = {e};"),
        Stmt::Store(b, index, how, e) => writeln!(f, "{pad}{} {} {e};", element(*b, index), how.text()),
        Stmt::NewBuffer { buffer: b, dims, fill, .. } if *b >= ARRAYS => match dims.as_slice() {
            [n] => writeln!(f, "{pad}let mut b{b} = Array1::from_elem({n}, {fill});"),
            _ => writeln!(f, "{pad}let mut b{b} = Array2::from_elem(({}, {}), {fill});", dims[0], dims[1]),
        },
        Stmt::Product { buffer: b, new, a, b: c } => {
            let factor = |(b, transposed): &(usize, bool)| {
                format!("{}{}", buffer(*b), if *transposed { ".t()" } else { "" })
            };
            let start = if *new { "let mut " } else { "" };
            writeln!(f, "{pad}{start}b{b} = {}.dot(&{});", factor(a), factor(c))
        }
        Stmt::NewBuffer { buffer: b, vector: Some(n), fill, .. } => {
            writeln!(f, "{pad}let mut b{b} = vec![{fill}; {n}];")
        }
        Stmt::NewBuffer { buffer: b, dims, fill, .. } => {
            let text = dims.iter().rev().fold(fill.to_string(), |text, n| format!("[{text}; {n}]"));
            writeln!(f, "{pad}let mut b{b} = {text};")
        }
        Stmt::If(c, t, e) => {
            writeln!(f, "{pad}if {c} {{")?;
            block(t, depth + 1, f)?;
            if !e.is_empty() {
                writeln!(f, "{pad}}} else {{")?;
                block(e, depth + 1, f)?;
            }
            writeln!(f, "{pad}}}")
        }
        Stmt::For(l) => {
            let dots = if l.inclusive { "..=" } else { ".." };
            let mut range = format!("{}{dots}{}", l.lo, l.hi);
            if l.rev || l.step.is_some() {
                range = format!("({range})");
            }
            if l.rev {
                range.push_str(".rev()");
            }
            if let Some(step) = l.step {
                range.push_str(&format!(".step_by({step})"));
            }
            writeln!(f, "{pad}'l{}: for i{} in {range} {{", l.label, l.var)?;
            block(&l.body, depth + 1, f)?;
            writeln!(f, "{pad}}}")
        }
        Stmt::Each { label, var, element, buffer: b, body } => {
            writeln!(f, "{pad}'l{label}: for (i{var}, &v{element}) in {}.iter().enumerate() {{", buffer(*b))?;
            block(body, depth + 1, f)?;
            writeln!(f, "{pad}}}")
        }
        Stmt::While { label, cond, body } => {
            writeln!(f, "{pad}'l{label}: while {cond} {{")?;
            block(body, depth + 1, f)?;
            writeln!(f, "{pad}}}")
        }
        Stmt::Break(c, to) => writeln!(f, "{pad}if {c} {{ break{}; }}", label(*to)),
        Stmt::Continue(c, to) => writeln!(f, "{pad}if {c} {{ continue{}; }}", label(*to)),
        Stmt::Return(c, e) => writeln!(f, "{pad}if {c} {{ return {e}; }}"),
    }
}

impl Display for Program {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let ty = if self.arrays { "&Array1<f64>" } else { "&[f64]" };
        match &self.value {
            Some(_) => writeln!(f, "fn f(x: {ty}, a: f64, w: {ty}, n: usize) -> f64 {{")?,
            None => writeln!(f, "fn f(x: {ty}, a: f64, w: {ty}, n: usize, out: &mut [f64]) {{")?,
        }
        writeln!(f, "    let mut a = a;")?;
        block(&self.body, 1, f)?;
        if let Some(value) = &self.value {
            writeln!(f, "    {value}")?;
        }
        writeln!(f, "}}")
    }
}

// -------------------------------------------------------------------------------------------- meaning

struct Array {
    dims: Vec<i64>,
    data: Vec<Hyper>,
}

/// What a statement did with control.
enum Flow {
    Next,
    Break(Option<usize>),
    Continue(Option<usize>),
    Return(Hyper),
}

/// What follows a round of a loop.
enum After {
    Round,
    Loop,
    Leave(Flow),
}

impl Flow {
    fn after_round(self, label: usize) -> After {
        match self {
            Flow::Next => After::Round,
            Flow::Continue(to) if to.is_none_or(|to| to == label) => After::Round,
            Flow::Break(to) if to.is_none_or(|to| to == label) => After::Loop,
            other => After::Leave(other),
        }
    }
}

/// Why a run is of no use.
pub(super) enum Unfit {
    /// Numbers beyond what tolerances can be stated for.
    Wild,
    /// It runs for too long.
    Long,
}

#[derive(Default)]
struct Interpreter {
    vars: Vec<(usize, Hyper)>,
    ints: Vec<(usize, i64)>,
    buffers: Vec<(usize, Array)>,
    steps: u32,
}

/// The value (or the contents of `out`) of a program.
pub(super) fn interpret(p: &Program, x: &[Hyper], a: Hyper, w: &[f64]) -> Result<Vec<Hyper>, Unfit> {
    let array = |data: Vec<Hyper>| Array { dims: vec![data.len() as i64], data };
    let mut run = Interpreter::default();
    run.vars.push((0, a));
    run.ints.push((0, p.len));
    run.buffers.push((X, array(x.to_vec())));
    run.buffers.push((W, array(w.iter().map(|w| Hyper::constant(*w)).collect())));
    run.buffers.push((OUT, array(vec![Hyper::constant(0.0); p.len as usize])));
    match (run.stmts(&p.body)?, &p.value) {
        (Flow::Return(y), _) => Ok(vec![y]),
        (_, Some(value)) => Ok(vec![run.expr(value)?]),
        (_, None) => Ok(std::mem::take(&mut run.buffers[OUT].1.data)),
    }
}

/// What `g(p, q)` is: `g` is the same in all programs.
pub(super) const CALLEE: &str = "fn g(p: f64, q: &[f64]) -> f64 {
    let mut s = p.cos();
    for i in 0..q.len() {
        s += (q[i] * p).sin() + 0.5 * s * q[i];
    }
    s
}";

fn callee(p: Hyper, q: &[Hyper]) -> Hyper {
    let half = Hyper::constant(0.5);
    q.iter().fold(Hyper::unary(Unary::Cos, p), |s, q| {
        s.add(Hyper::unary(Unary::Sin, q.mul(p)).add(half.mul(s).mul(*q)))
    })
}

impl Interpreter {
    fn step(&mut self) -> Result<(), Unfit> {
        self.steps += 1;
        if self.steps > 20_000 { Err(Unfit::Long) } else { Ok(()) }
    }

    fn stmts(&mut self, body: &[Stmt]) -> Result<Flow, Unfit> {
        for s in body {
            match self.stmt(s)? {
                Flow::Next => {}
                flow => return Ok(flow),
            }
        }
        Ok(Flow::Next)
    }

    fn block(&mut self, body: &[Stmt]) -> Result<Flow, Unfit> {
        let (vars, ints, buffers) = (self.vars.len(), self.ints.len(), self.buffers.len());
        let flow = self.stmts(body)?;
        self.vars.truncate(vars);
        self.ints.truncate(ints);
        self.buffers.truncate(buffers);
        Ok(flow)
    }

    fn var(&mut self, v: usize) -> &mut Hyper {
        let (_, slot) = self.vars.iter_mut().rev().find(|(name, _)| *name == v).expect("bound");
        slot
    }
    fn array(&self, b: usize) -> &Array {
        let (_, array) = self.buffers.iter().rev().find(|(name, _)| *name == b).expect("bound");
        array
    }

    fn int(&self, i: &Int) -> i64 {
        match i {
            Int::Lit(i) => *i,
            Int::Var(v) => self.ints.iter().rev().find(|(name, _)| name == v).expect("bound").1,
            Int::Add(i, c) => self.int(i) + c,
            Int::Mul(i, c) => self.int(i) * c,
            Int::Mod(i, c) => self.int(i) % c,
            Int::Around(i, c) => {
                let n = self.int(&Int::Var(0));
                (self.int(i) + n + c) % n
            }
            Int::Mirror(n, i) => n - 1 - self.int(i),
            Int::Len(b) => self.array(*b).dims[0],
        }
    }

    fn offset(&self, b: usize, index: &[Int]) -> usize {
        let array = self.array(b);
        let at = index.iter().zip(&array.dims).fold(0, |at, (i, n)| {
            let i = self.int(i);
            assert!((0..*n).contains(&i), "index {i} into an axis of {n}");
            at * n + i
        });
        at as usize
    }

    fn cond(&mut self, c: &Cond) -> Result<bool, Unfit> {
        Ok(match c {
            Cond::Less(a, b) => self.expr(a)?.v < self.expr(b)?.v,
            Cond::IntLess(a, b) => self.int(a) < self.int(b),
            Cond::IntEq(a, b) => self.int(a) == self.int(b),
            Cond::And(a, b) => self.cond(a)? && self.cond(b)?,
            Cond::Or(a, b) => self.cond(a)? || self.cond(b)?,
            Cond::Not(a) => !self.cond(a)?,
        })
    }

    fn expr(&mut self, e: &Expr) -> Result<Hyper, Unfit> {
        self.step()?;
        let c = Hyper::constant;
        let value = match e {
            Expr::Const(x) => c(*x),
            Expr::Var(v) => *self.var(*v),
            Expr::Load(b, index) => self.array(*b).data[self.offset(*b, index)],
            Expr::Neg(a) => self.expr(a)?.neg(),
            Expr::Add(a, b) => self.expr(a)?.add(self.expr(b)?),
            Expr::Sub(a, b) => self.expr(a)?.sub(self.expr(b)?),
            Expr::Mul(a, b) => self.expr(a)?.mul(self.expr(b)?),
            Expr::Ratio(a, b) => {
                let (a, b) = (self.expr(a)?, self.expr(b)?);
                a.div(b.mul(b).add(c(1.5)))
            }
            Expr::Unary(f, a) => Hyper::unary(*f, self.expr(a)?),
            Expr::Positive(f, a) => {
                let a = self.expr(a)?;
                Hyper::unary(*f, a.mul(a).add(c(0.7)))
            }
            Expr::Powi(a, n) => self.expr(a)?.powi(*n),
            Expr::PowiInt(a, n) => self.expr(a)?.powi(self.int(n) as i32),
            Expr::Max(a, b) => Hyper::binary(crate::ir::Binary::Max, self.expr(a)?, self.expr(b)?),
            Expr::If(c, a, b) => {
                if self.cond(c)? {
                    self.expr(a)?
                } else {
                    self.expr(b)?
                }
            }
            Expr::FromInt(i) => c(self.int(i) as f64),
            Expr::Call(e, b, part) => {
                let p = self.expr(e)?;
                let data = &self.array(*b).data;
                let (start, len) = part.map_or((0, data.len()), |(s, l)| (s as usize, l as usize));
                callee(p, &data[start..start + len])
            }
        };
        let wild = [value.v, value.a, value.b, value.ab].iter().any(|x| !x.is_finite() || x.abs() > 1e4);
        if wild { Err(Unfit::Wild) } else { Ok(value) }
    }

    /// A vector on the left is a row, on the right a column.
    fn product(&mut self, a: (usize, bool), b: (usize, bool)) -> Result<Array, Unfit> {
        let at = |array: &Array, transposed: bool, index: &[i64]| {
            let mut index = index.to_vec();
            if transposed {
                index.reverse();
            }
            let offset = index.iter().zip(&array.dims).fold(0, |at, (i, n)| at * n + i);
            array.data[offset as usize]
        };
        let (x, y) = (self.array(a.0), self.array(b.0));
        let shape = |array: &Array, transposed: bool| {
            let mut dims = array.dims.clone();
            if transposed {
                dims.reverse();
            }
            dims
        };
        let (p, q) = (shape(x, a.1), shape(y, b.1));
        let (left, inner, right) = (&p[..p.len() - 1], p[p.len() - 1], &q[1..]);
        assert_eq!(inner, q[0], "a product of arrays that do not fit");
        let dims = [left, right].concat();
        let mut data = Vec::new();
        for i in 0..left.iter().product() {
            for j in 0..right.iter().product() {
                let mut sum = Hyper::constant(0.0);
                for k in 0..inner {
                    let (i, j) = (&[i][..left.len()], &[j][..right.len()]);
                    let (u, v) = (at(x, a.1, &[i, &[k]].concat()), at(y, b.1, &[&[k], j].concat()));
                    sum = sum.add(u.mul(v));
                }
                if [sum.v, sum.a, sum.b, sum.ab].iter().any(|x| !x.is_finite() || x.abs() > 1e4) {
                    return Err(Unfit::Wild);
                }
                data.push(sum);
            }
        }
        self.steps += data.len() as u32;
        Ok(Array { dims, data })
    }

    fn assign(old: Hyper, how: Assign, new: Hyper) -> Hyper {
        match how {
            Assign::Set => new,
            Assign::Add => old.add(new),
            Assign::Sub => old.sub(new),
            Assign::Mul => old.mul(new),
        }
    }

    fn stmt(&mut self, s: &Stmt) -> Result<Flow, Unfit> {
        self.step()?;
        match s {
            Stmt::Let(v, e) => {
                let e = self.expr(e)?;
                self.vars.push((*v, e));
            }
            Stmt::Set(v, how, e) => {
                let e = self.expr(e)?;
                let slot = self.var(*v);
                *slot = Self::assign(*slot, *how, e);
            }
            Stmt::LetInt(i, e) => {
                let e = self.int(e);
                self.ints.push((*i, e));
            }
            Stmt::SetInt(i, e) => {
                let e = self.int(e);
                let slot = self.ints.iter_mut().rev().find(|(name, _)| name == i).expect("bound");
                slot.1 = e;
            }
            Stmt::Store(b, index, how, e) => {
                let e = self.expr(e)?;
                let at = self.offset(*b, index);
                let (_, array) = self.buffers.iter_mut().rev().find(|(name, _)| name == b).expect("bound");
                array.data[at] = Self::assign(array.data[at], *how, e);
            }
            Stmt::NewBuffer { buffer, dims, vector, fill } => {
                let fill = self.expr(fill)?;
                let dims = vector.as_ref().map_or(dims.clone(), |n| vec![self.int(n)]);
                let data = vec![fill; dims.iter().product::<i64>() as usize];
                self.buffers.push((*buffer, Array { dims, data }));
            }
            Stmt::Product { buffer, new, a, b } => {
                let product = self.product(*a, *b)?;
                if *new {
                    self.buffers.push((*buffer, product));
                } else {
                    let place = self.buffers.iter_mut().rev().find(|(name, _)| name == buffer);
                    place.expect("bound").1 = product;
                }
            }
            Stmt::If(c, t, e) => {
                let taken = if self.cond(c)? { t } else { e };
                return self.block(taken);
            }
            Stmt::For(l) => {
                let (lo, hi) = (self.int(&l.lo), self.int(&l.hi) + i64::from(l.inclusive));
                let mut rounds: Vec<i64> = (lo..hi).collect();
                if l.rev {
                    rounds.reverse();
                }
                for i in rounds.into_iter().step_by(l.step.unwrap_or(1) as usize) {
                    self.ints.push((l.var, i));
                    let flow = self.block(&l.body)?;
                    self.ints.pop();
                    match flow.after_round(l.label) {
                        After::Round => {}
                        After::Loop => break,
                        After::Leave(flow) => return Ok(flow),
                    }
                }
            }
            Stmt::Each { label, var, element, buffer, body } => {
                for i in 0..self.array(*buffer).data.len() {
                    let value = self.array(*buffer).data[i];
                    self.ints.push((*var, i as i64));
                    self.vars.push((*element, value));
                    let flow = self.block(body)?;
                    self.ints.pop();
                    self.vars.pop();
                    match flow.after_round(*label) {
                        After::Round => {}
                        After::Loop => break,
                        After::Leave(flow) => return Ok(flow),
                    }
                }
            }
            Stmt::While { label, cond, body } => {
                while self.cond(cond)? {
                    self.step()?;
                    match self.block(body)?.after_round(*label) {
                        After::Round => {}
                        After::Loop => break,
                        After::Leave(flow) => return Ok(flow),
                    }
                }
            }
            Stmt::Break(c, to) => {
                if self.cond(c)? {
                    return Ok(Flow::Break(*to));
                }
            }
            Stmt::Continue(c, to) => {
                if self.cond(c)? {
                    return Ok(Flow::Continue(*to));
                }
            }
            Stmt::Return(c, e) => {
                if self.cond(c)? {
                    return Ok(Flow::Return(self.expr(e)?));
                }
            }
        }
        Ok(Flow::Next)
    }
}
