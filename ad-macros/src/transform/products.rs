//! Products of matrices: their derivatives, which are products again, and products as loops.
//!
//! ```text
//! C += A · B     tangent  C_dot += A_dot · B;  C_dot += A · B_dot
//!                adjoint  A_bar += C_bar · Bᵀ;  B_bar += Aᵀ · C_bar
//! y += M · x     adjoint  M_bar += y_bar · xᵀ;  x_bar += Mᵀ · y_bar
//! C += u · vᵀ    adjoint  u_bar += C_bar · v;   v_bar += C_barᵀ · u
//! ```
//!
//! A factor that stands for its transpose has the transpose of these for its adjoint, which is a product too. So derivatives
//! of any order hold products and no loops over them (Giles 2008, "Collected matrix derivative results for forward and
//! reverse mode algorithmic differentiation").

use crate::ir::{
    Block, Buffer, Builder, Factor, ForLoop, Func, Inst, InstKind, Op, Product, StoreMode, Type, Value,
};

/// `C += f · g`
fn add(into: Buffer, a: Factor, b: Factor) -> Product {
    Product { into: Factor::new(into, false), a, b, mode: StoreMode::Add }
}

fn is_vector(func: &Func, f: &Factor) -> bool {
    f.shape.is_none() && func.buffer(f.buffer).dims.len() == 1
}

/// What is added to the adjoint of the first factor; `c_bar` is the adjoint of the product.
pub(super) fn adjoint_of_a(func: &Func, p: &Product, c_bar: Buffer, a_bar: Buffer) -> Product {
    let c_bar = Factor::new(c_bar, false);
    match (is_vector(func, &p.a), is_vector(func, &p.b)) {
        // y_bar · xᵀ
        (false, true) if p.a.transposed => add(a_bar, p.b.clone(), c_bar),
        (false, true) => add(a_bar, c_bar, p.b.clone()),
        // C_bar · v
        (true, _) => add(a_bar, c_bar, p.b.clone()),
        // C_bar · Bᵀ
        (false, false) if p.a.transposed => add(a_bar, p.b.clone(), c_bar.t()),
        (false, false) => add(a_bar, c_bar, p.b.t()),
    }
}

/// What is added to the adjoint of the second factor.
pub(super) fn adjoint_of_b(func: &Func, p: &Product, c_bar: Buffer, b_bar: Buffer) -> Product {
    let c_bar = Factor::new(c_bar, false);
    match (is_vector(func, &p.a), is_vector(func, &p.b)) {
        // C_barᵀ · u
        (true, _) => add(b_bar, c_bar.t(), p.a.clone()),
        // Mᵀ · y_bar
        (false, true) => add(b_bar, p.a.t(), c_bar),
        // Aᵀ · C_bar
        (false, false) if p.b.transposed => add(b_bar, c_bar.t(), p.a.clone()),
        (false, false) => add(b_bar, p.a.t(), c_bar),
    }
}

/// The tangent: a product for each factor that varies. The first of them clears where the product does.
pub(super) fn tangent(
    p: &Product,
    c_dot: Buffer,
    a_dot: Option<Buffer>,
    b_dot: Option<Buffer>,
) -> Vec<Product> {
    let mut list = Vec::new();
    list.extend(a_dot.map(|a| (p.a.of(a), p.b.clone())));
    list.extend(b_dot.map(|b| (p.a.clone(), p.b.of(b))));
    let mut mode = p.mode;
    list.into_iter()
        .map(|(a, b)| {
            let mode = std::mem::replace(&mut mode, StoreMode::Add);
            Product { into: p.into.of(c_dot), a, b, mode }
        })
        .collect()
}

/// The function with a loop nest in place of each product that `which` names.
pub(crate) fn as_loops(mut func: Func, which: &dyn Fn(&Func, &Product) -> bool) -> Func {
    let mut any = false;
    func.body.visit(&mut |inst| any |= matches!(&inst.kind, InstKind::Product(p) if which(&func, p)));
    if !any {
        return func;
    }
    let body = std::mem::take(&mut func.body);
    let mut b = Builder::new(func);
    in_block(&mut b, body, which);
    b.finish()
}

fn in_block(b: &mut Builder, block: Block, which: &dyn Fn(&Func, &Product) -> bool) {
    for mut inst in block.insts {
        for nested in inst.kind.blocks_mut() {
            let (yields, diverges) = (nested.yields.clone(), nested.diverges);
            b.open(nested.args.clone());
            in_block(b, std::mem::take(nested), which);
            *nested = b.close(yields);
            nested.diverges = diverges;
        }
        match inst {
            Inst { kind: InstKind::Product(p), .. } if which(&b.func, &p) => loops(b, &p),
            other => b.push(other),
        }
    }
}

/// One product as loops.
fn loops(b: &mut Builder, p: &Product) {
    let (column, row) = (is_vector(&b.func, &p.a), is_vector(&b.func, &p.b));
    let rows = extent(b, &p.a, 0);
    let inner = if column { None } else { Some(extent(b, &p.a, 1)) };
    // Of a matrix and a vector, the product has one column; of a column and a row, the row is along the columns.
    let columns = match (column, row) {
        (false, true) => None,
        (true, _) => Some(extent(b, &p.b, 0)),
        (false, false) => Some(extent(b, &p.b, 1)),
    };
    over(b, rows, "i", &mut |b, i| {
        over_some(b, columns, "j", &mut |b, j| {
            let mut place = vec![i];
            place.extend(j);
            if p.mode == StoreMode::Set {
                let zero = b.float(0.0, b.func.buffer(p.into.buffer).elem.clone());
                store(b, &p.into, &place, zero, StoreMode::Set);
            }
            over_some(b, inner, "k", &mut |b, k| {
                let mut left = vec![i];
                left.extend(k);
                let mut right: Vec<Value> = k.into_iter().collect();
                right.extend(j);
                let (x, y) = (load(b, &p.a, &left), load(b, &p.b, &right));
                let term = b.mul(x, y);
                store(b, &p.into, &place, term, StoreMode::Add);
            });
        });
    });
}

/// The extent of an axis of a factor, as it stands in the product.
fn extent(b: &mut Builder, f: &Factor, axis: usize) -> Value {
    let axis = if f.transposed { 1 - axis } else { axis };
    match f.shape {
        Some(shape) => shape[axis],
        None => b.op(Op::Len(f.buffer, axis), &[]),
    }
}

fn place(b: &mut Builder, f: &Factor, index: &[Value]) -> Vec<Value> {
    let mut index = index.to_vec();
    if f.transposed {
        index.reverse();
    }
    if let Some([_, columns]) = f.shape {
        let start = b.mul(index[0], columns);
        index = vec![b.add(start, index[1])];
    }
    index
}

fn load(b: &mut Builder, f: &Factor, index: &[Value]) -> Value {
    let at = place(b, f, index);
    b.load(f.buffer, at)
}

fn store(b: &mut Builder, f: &Factor, index: &[Value], value: Value, mode: StoreMode) {
    let at = place(b, f, index);
    b.store(f.buffer, at, value, mode);
}

fn over_some(b: &mut Builder, n: Option<Value>, name: &str, f: &mut dyn FnMut(&mut Builder, Option<Value>)) {
    match n {
        Some(n) => over(b, n, name, &mut |b, i| f(b, Some(i))),
        None => f(b, None),
    }
}

fn over(b: &mut Builder, n: Value, name: &str, f: &mut dyn FnMut(&mut Builder, Value)) {
    let lo = b.int("0");
    let i = b.func.new_value(Type::Int, Some(name.into()));
    b.open(vec![i]);
    f(b, i);
    let body = b.close(Vec::new());
    b.effect(InstKind::For(ForLoop::plain(lo, n, Vec::new(), body)));
}
