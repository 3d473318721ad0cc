//! Verbatim Rust, as far as tests need it: literals, arithmetic, comparison, methods of floats, elements of buffers, and
//! calls of the module's functions.

use super::{EvalError, Item, Machine, Num, Scalar, Tensor, cast, compare, eval_in, integer, wrong};
use crate::ir::{Binary, CallMode, Cmp, Unary, Verbatim};

/// One run of verbatim Rust: what stands in its holes.
struct Holes<'a, N> {
    operands: &'a [Scalar<N>],
    buffers: Vec<&'a Tensor<N>>,
}

impl<N: Num> Machine<'_, N> {
    pub(super) fn verbatim(&self, v: &Verbatim, operands: &[Scalar<N>]) -> Result<Scalar<N>, EvalError> {
        let buffers = v.buffers.iter().map(|b| self.tensor(*b)).collect::<Result<_, _>>()?;
        let Ok(expr) = syn::parse2::<syn::Expr>(v.code.tokens()) else { return unknown(&v.code) };
        match self.expr(&expr, &Holes { operands, buffers })? {
            Item::Scalar(s) => Ok(s),
            Item::Tensor(_) => unknown(&v.code),
        }
    }

    fn expr(&self, e: &syn::Expr, holes: &Holes<'_, N>) -> Result<Item<N>, EvalError> {
        let scalar = |e: &syn::Expr| match self.expr(e, holes)? {
            Item::Scalar(s) => Ok(s),
            Item::Tensor(_) => unknown(e),
        };
        Ok(Item::Scalar(match e {
            syn::Expr::Paren(e) => return self.expr(&e.expr, holes),
            syn::Expr::Group(e) => return self.expr(&e.expr, holes),
            syn::Expr::Reference(e) => return self.expr(&e.expr, holes),
            syn::Expr::Lit(lit) => match &lit.lit {
                syn::Lit::Int(i) => Scalar::I(integer(&i.to_string())?),
                syn::Lit::Float(f) => match f.base10_parse() {
                    Ok(x) => Scalar::F(N::constant(x)),
                    Err(_) => return unknown(e),
                },
                syn::Lit::Bool(b) => Scalar::B(b.value),
                _ => return unknown(e),
            },
            syn::Expr::Path(p) => {
                let Some(name) = p.path.get_ident().map(ToString::to_string) else { return unknown(e) };
                let number = |prefix: &str| name.strip_prefix(prefix).and_then(|k| k.parse::<usize>().ok());
                let operand = Verbatim::hole(0);
                let buffer = Verbatim::buffer_hole(0);
                match (number(operand.trim_end_matches('0')), number(buffer.trim_end_matches('0'))) {
                    (Some(k), _) if k < holes.operands.len() => holes.operands[k],
                    (_, Some(k)) if k < holes.buffers.len() => {
                        return Ok(Item::Tensor(holes.buffers[k].clone()));
                    }
                    _ => return unknown(e),
                }
            }
            syn::Expr::If(i) => {
                let (Scalar::B(cond), Some((_, other))) = (scalar(&i.cond)?, &i.else_branch) else {
                    return unknown(e);
                };
                match i.then_branch.stmts.as_slice() {
                    [syn::Stmt::Expr(then, None)] if cond => return self.expr(then, holes),
                    _ if !cond => return self.expr(other, holes),
                    _ => return unknown(e),
                }
            }
            syn::Expr::Block(b) => match b.block.stmts.as_slice() {
                [syn::Stmt::Expr(e, None)] => return self.expr(e, holes),
                _ => return unknown(e),
            },
            syn::Expr::Index(i) => return self.element(i, holes),
            syn::Expr::Unary(u) => match (&u.op, scalar(&u.expr)?) {
                (syn::UnOp::Neg(_), Scalar::F(x)) => Scalar::F(x.neg()),
                (syn::UnOp::Neg(_), Scalar::I(i)) => Scalar::I(-i),
                (syn::UnOp::Not(_), Scalar::B(b)) => Scalar::B(!b),
                (syn::UnOp::Deref(_), x) => x,
                _ => return unknown(e),
            },
            syn::Expr::Binary(b) => {
                let left = scalar(&b.left)?;
                match (&b.op, left) {
                    (syn::BinOp::And(_), Scalar::B(false)) | (syn::BinOp::Or(_), Scalar::B(true)) => left,
                    (op, left) => match binary(op, left, scalar(&b.right)?) {
                        Some(value) => value,
                        None => return unknown(e),
                    },
                }
            }
            syn::Expr::Cast(c) => {
                let ty = &c.ty;
                cast(&quote::quote!(#ty).to_string(), scalar(&c.expr)?)?
            }
            syn::Expr::MethodCall(m) => {
                let name = m.method.to_string();
                if name == "len"
                    && let Item::Tensor(t) = self.expr(&m.receiver, holes)?
                {
                    return Ok(Item::int(t.dims[0].cast_signed() as i64));
                }
                let args = m.args.iter().map(scalar).collect::<Result<Vec<_>, _>>()?;
                match (scalar(&m.receiver)?, args.as_slice(), Unary::from_method(&name)) {
                    (Scalar::F(x), [], Some(f)) => Scalar::F(N::unary(f, x)),
                    (Scalar::F(x), [Scalar::I(n)], _) if name == "powi" => {
                        Scalar::F(x.powi(i32::try_from(*n).unwrap_or(0)))
                    }
                    (Scalar::F(x), [Scalar::F(y)], _) => match Binary::from_method(&name) {
                        Some(f) => Scalar::F(N::binary(f, x, *y)),
                        None => return unknown(e),
                    },
                    _ => return unknown(e),
                }
            }
            syn::Expr::Call(call) => {
                let path = &call.func;
                // What stands for a value that is never looked at.
                if quote::quote!(#path).to_string() == ":: core :: default :: Default :: default" {
                    return Ok(Item::float(N::constant(f64::NAN)));
                }
                let callee = self.module.find(&quote::quote!(#path).into(), CallMode::Primal)?;
                let args = call.args.iter().map(|a| self.expr(a, holes)).collect::<Result<Vec<_>, _>>()?;
                return Ok(eval_in(self.module, callee, &args)?.outputs.remove(0).1);
            }
            _ => return unknown(e),
        }))
    }

    /// An element of a buffer, or a part of it.
    fn element(&self, e: &syn::ExprIndex, holes: &Holes<'_, N>) -> Result<Item<N>, EvalError> {
        let Item::Tensor(of) = self.expr(&e.expr, holes)? else { return unknown(e) };
        let inner: usize = of.dims[1..].iter().product();
        let at = |e: &syn::Expr| match self.expr(e, holes)? {
            Item::Scalar(Scalar::I(i)) if usize::try_from(i).is_ok_and(|i| i <= of.dims[0]) => Ok(i as usize),
            other => wrong(format!("{other:?} is no index")),
        };
        if let syn::Expr::Range(range) = &*e.index {
            let lo = range.start.as_deref().map_or(Ok(0), at)?;
            let hi = range.end.as_deref().map_or(Ok(of.dims[0]), at)?;
            let mut dims = of.dims.clone();
            dims[0] = hi - lo;
            return Ok(Item::Tensor(Tensor { dims, data: of.data[lo * inner..hi * inner].to_vec() }));
        }
        let i = at(&e.index)?;
        if i >= of.dims[0] {
            return wrong(format!("index {i} into {:?}", of.dims));
        }
        Ok(if of.dims.len() == 1 {
            Item::Scalar(of.data[i])
        } else {
            Item::Tensor(Tensor {
                dims: of.dims[1..].to_vec(),
                data: of.data[i * inner..(i + 1) * inner].to_vec(),
            })
        })
    }
}

fn unknown<T>(e: &impl quote::ToTokens) -> Result<T, EvalError> {
    wrong(format!("`{}` cannot be evaluated", e.to_token_stream()))
}

fn binary<N: Num>(op: &syn::BinOp, a: Scalar<N>, b: Scalar<N>) -> Option<Scalar<N>> {
    use Scalar::{B, F, I};
    use syn::BinOp;
    let order = match op {
        BinOp::Eq(_) => Some(Cmp::Eq),
        BinOp::Ne(_) => Some(Cmp::Ne),
        BinOp::Lt(_) => Some(Cmp::Lt),
        BinOp::Le(_) => Some(Cmp::Le),
        BinOp::Gt(_) => Some(Cmp::Gt),
        BinOp::Ge(_) => Some(Cmp::Ge),
        _ => None,
    };
    Some(match (order, op, a, b) {
        (Some(c), _, F(a), F(b)) => B(compare(c, &a.value(), &b.value())),
        (Some(c), _, I(a), I(b)) => B(compare(c, &a, &b)),
        (_, BinOp::Add(_), F(a), F(b)) => F(a.add(b)),
        (_, BinOp::Sub(_), F(a), F(b)) => F(a.sub(b)),
        (_, BinOp::Mul(_), F(a), F(b)) => F(a.mul(b)),
        (_, BinOp::Div(_), F(a), F(b)) => F(a.div(b)),
        (_, BinOp::Rem(_), F(a), F(b)) => F(a.rem(b)),
        (_, BinOp::Add(_), I(a), I(b)) => I(a + b),
        (_, BinOp::Sub(_), I(a), I(b)) => I(a - b),
        (_, BinOp::Mul(_), I(a), I(b)) => I(a * b),
        (_, BinOp::Rem(_), I(a), I(b)) if b != 0 => I(a % b),
        (_, BinOp::And(_), B(a), B(b)) => B(a && b),
        (_, BinOp::Or(_), B(a), B(b)) => B(a || b),
        _ => return None,
    })
}
