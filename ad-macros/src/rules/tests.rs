//! Every rule against hyper-dual numbers, whose partial derivatives are written independently: first and second
//! order, forward, reverse and both mixtures, at ordinary points and at special ones.

use std::sync::Arc;

use super::tangent;
use crate::derivatives::Derivatives;
use crate::effort::Effort;
use crate::ir::eval::{Hyper, Item, eval};
use crate::ir::verify::verify;
use crate::ir::{
    Arg, Binary, Binding, Builder, CallMode, Custom, Func, InstKind, Mark, Op, Output, Param, Role, Snippet,
    Source, Type, Unary, Value,
};
use crate::optimize::optimize;
use crate::pipeline::Product;

const F64: Type = Type::Float(crate::ir::FloatKind::F64);

/// `f(x_0, .., x_{n-1}) = body`, all floats and active.
fn function(n: usize, body: impl FnOnce(&mut Builder, &[Value]) -> Value) -> Func {
    let mut b = Builder::new(Func::new("f"));
    let mut args = Vec::new();
    for i in 0..n {
        let x = b.func.new_value(F64, Some(format!("x{i}").into()));
        let role = Role::primal(Source::Param(i));
        b.func.params.push(Param { role, binding: Binding::Value(x), active: true, size: false });
        args.push(x);
    }
    let y = body(&mut b, &args);
    b.func.outputs.push(Output { role: Role::primal(Source::Result(0)), binding: Binding::Value(y) });
    let func = b.finish();
    verify(&func).unwrap_or_else(|e| panic!("{e}\n{func}"));
    func
}

fn single(op: Op, arity: usize) -> Func {
    function(arity, |b, x| b.op(op, x))
}

fn close(a: f64, b: f64, tolerance: f64) -> bool {
    a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * (1.0 + a.abs().max(b.abs()))
}

/// Gradient and Hessian rows of `func` at `x`, by hyper-dual numbers.
fn reference(func: &Func, x: &[f64]) -> (Vec<f64>, Vec<Vec<f64>>) {
    let n = x.len();
    let mut gradient = vec![0.0; n];
    let mut hessian = vec![vec![0.0; n]; n];
    for i in 0..n {
        for j in 0..n {
            let unit = |k: usize, of: usize| if k == of { 1.0 } else { 0.0 };
            let args: Vec<Item<Hyper>> = (0..n)
                .map(|k| Item::float(Hyper { v: x[k], a: unit(k, i), b: unit(k, j), ab: 0.0 }))
                .collect();
            let y = eval(func, &args).expect("runs").floats(&[])[0];
            gradient[i] = y.a;
            hessian[i][j] = y.ab;
        }
    }
    (gradient, hessian)
}

fn run(func: &Func, args: &[f64]) -> Vec<(Role, Vec<f64>)> {
    let args: Vec<Item<f64>> = args.iter().map(|x| Item::float(*x)).collect();
    let outcome = eval(func, &args).unwrap_or_else(|e| panic!("{e:?}\n{func}"));
    outcome.outputs.iter().map(|(role, item)| (role.clone(), item.to_floats())).collect()
}

fn with_marks(outputs: &[(Role, Vec<f64>)], marks: &[Mark]) -> Vec<f64> {
    outputs.iter().filter(|(role, _)| role.marks == marks).flat_map(|(_, x)| x.clone()).collect()
}

/// All products of `func` at `x` agree with the reference.
fn check(what: &str, func: &Func, x: &[f64], tolerance: f64) {
    use Mark::{Bar, Dot};
    let n = x.len();
    let (gradient, hessian) = reference(func, x);
    let agree = |name: &str, found: &[f64], wanted: &[f64]| {
        assert!(
            found.len() == wanted.len() && found.iter().zip(wanted).all(|(a, b)| close(*a, *b, tolerance)),
            "{what} at {x:?}: {name} {found:?} instead of {wanted:?}\n{func}"
        );
    };
    let found = with_marks(&run(Derivatives::of(func, Effort::Full).product(Product::Grad), x), &[Bar]);
    agree("gradient", &found, &gradient);
    for i in 0..n {
        let mut v = vec![0.0; n];
        v[i] = 1.0;
        let both = [x, &v].concat();
        // A zero direction may meet an infinite slope: what forward mode gives then is 0 · ∞, which is NaN.
        let exact = gradient.iter().chain(hessian.iter().flatten()).all(|g| g.is_finite());
        if exact || n == 1 {
            agree(
                "slope",
                &with_marks(&run(Derivatives::of(func, Effort::Full).product(Product::Jvp), &both), &[Dot]),
                &gradient[i..=i],
            );
            let second = run(Derivatives::of(func, Effort::Full).product(Product::Curvature), &both);
            agree("curvature", &with_marks(&second, &[Dot, Dot]), &hessian[i][i..=i]);
            let column: Vec<f64> = (0..n).map(|j| hessian[j][i]).collect();
            let hvp = run(Derivatives::of(func, Effort::Full).product(Product::Hvp), &both);
            agree("hvp", &with_marks(&hvp, &[Bar, Dot]), &column);
            let hvp = run(Derivatives::of(func, Effort::Full).product(Product::HvpRev), &both);
            agree("hvp_rev", &with_marks(&hvp, &[Bar]), &column);
        }
    }
}

/// Ordinary points of a function of one argument.
fn points(f: Unary) -> &'static [f64] {
    match f {
        Unary::Sqrt | Unary::Ln | Unary::Log2 | Unary::Log10 => &[1e-8, 0.3, 1.0, 2.5, 1e5],
        Unary::Ln1p => &[-0.9, -1e-9, 1e-12, 0.3, 2.5, 1e5],
        Unary::Asin | Unary::Acos | Unary::Atanh => &[-0.99, -0.3, 1e-9, 0.0, 0.7],
        Unary::Acosh => &[1.01, 1.5, 20.0],
        Unary::Cbrt | Unary::Recip => &[-30.0, -0.2, 0.4, 7.0],
        Unary::Exp | Unary::Exp2 | Unary::ExpM1 | Unary::Sinh | Unary::Cosh => &[-5.0, -1e-9, 0.0, 0.3, 4.0],
        _ => &[-5.3, -1.2, -1e-9, 0.3, 1.4, 4.6],
    }
}

#[test]
fn functions_of_one_argument() {
    for f in Unary::ALL {
        let func = single(Op::Unary(*f), 1);
        // And inside a composition, so that tangents are not 1.
        let composed = function(1, |b, x| {
            let inner = b.mul(x[0], x[0]);
            let inner = b.mul(inner, x[0]);
            let y = b.unary(*f, inner);
            b.mul(y, x[0])
        });
        for x in points(*f) {
            check(f.method(), &func, &[*x], 1e-12);
            check(f.method(), &composed, &[x.cbrt()], 1e-11);
        }
    }
}

#[test]
fn functions_of_two_arguments() {
    for f in Binary::ALL {
        let points: &[[f64; 2]] = match f {
            Binary::Powf => &[[0.3, 1.7], [2.0, -1.5], [5.0, 0.0], [1.0, 3.0], [0.9, 1.0], [0.9, 2.0]],
            Binary::Log => &[[0.3, 2.0], [7.0, 0.4], [3.0, 10.0]],
            _ => &[[1.3, 0.4], [-2.6, 0.7], [0.2, -1.1], [-3.3, -1.2], [40.0, 0.03]],
        };
        for x in points {
            check(f.method(), &single(Op::Binary(*f), 2), x, 1e-12);
        }
    }
}

#[test]
fn arithmetic() {
    for x in [[1.3, 0.4], [-2.6, 0.7], [0.2, -1.1]] {
        for op in [Op::Add, Op::Sub, Op::Mul, Op::Div, Op::Rem] {
            check(&format!("{op:?}"), &single(op, 2), &x, 1e-12);
        }
        check("neg", &single(Op::Neg, 1), &x[..1], 1e-12);
        check("mul_add", &single(Op::MulAdd, 3), &[x[0], x[1], 0.7], 1e-12);
        let square = function(1, |b, x| b.mul(x[0], x[0]));
        check("square", &square, &x[..1], 1e-12);
    }
    for x in [-1.0, 0.0, 0.3, 1.0, 1.7] {
        check("clamp", &single(Op::Clamp, 3), &[x, 0.1, 1.2], 1e-12);
    }
}

/// `x^n`, with the exponent a literal, and an integer known only at run time.
#[test]
fn integer_powers() {
    for n in [-3, -1, 0, 1, 2, 3, 4, 7] {
        let literal = function(1, |b, x| {
            let n = b.int(&format!("{n}_i32"));
            b.op(Op::Powi, &[x[0], n])
        });
        let at_run_time = function(1, |b, x| {
            // Not a constant as far as rules see.
            let n = b.int(&n.to_string());
            let zero = b.int("0");
            let n = b.add(n, zero);
            b.op(Op::Powi, &[x[0], n])
        });
        for x in [-1.7, 0.0, 0.4, 2.5] {
            if x == 0.0 && n < 0 {
                continue;
            }
            check(&format!("powi {n}"), &literal, &[x], 1e-12);
            check(&format!("powi {n} at run time"), &at_run_time, &[x], 1e-12);
        }
    }
}

#[test]
fn the_lowest_exponent_does_not_overflow() {
    let func = function(1, |b, x| {
        let n = b.int("-2147483648");
        let zero = b.int("0");
        let n = b.add(n, zero);
        b.op(Op::Powi, &[x[0], n])
    });
    assert_eq!(
        with_marks(&run(Derivatives::of(&func, Effort::Full).product(Product::Grad), &[1.0]), &[Mark::Bar]),
        [-2_147_483_648.0]
    );
}

/// Constant exponents, each of which has a form of its own.
#[test]
fn float_powers() {
    for p in [-2.0, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 4.0, 17.0] {
        let func = function(1, |b, x| {
            let p = b.float_like(p, x[0]);
            b.binary(Binary::Powf, x[0], p)
        });
        for x in [0.3, 1.0, 2.5] {
            check(&format!("powf {p}"), &func, &[x], 1e-12);
        }
        let whole = p == p.trunc();
        if whole {
            check(&format!("powf {p}"), &func, &[-1.5], 1e-12);
        }
        if whole && p >= 0.0 {
            check(&format!("powf {p}"), &func, &[0.0], 1e-12);
        }
    }
}

fn gradient(func: &Func, x: &[f64]) -> Vec<f64> {
    with_marks(&run(Derivatives::of(func, Effort::Full).product(Product::Grad), x), &[Mark::Bar])
}
fn hvp(func: &Func, x: &[f64], v: &[f64]) -> Vec<f64> {
    let product = with_marks(
        &run(Derivatives::of(func, Effort::Full).product(Product::Hvp), &[x, v].concat()),
        &[Mark::Bar, Mark::Dot],
    );
    let other = with_marks(
        &run(Derivatives::of(func, Effort::Full).product(Product::HvpRev), &[x, v].concat()),
        &[Mark::Bar],
    );
    assert!(product.iter().zip(&other).all(|(a, b)| close(*a, *b, 1e-13)), "{product:?} and {other:?}");
    product
}

/// What the book says of kinks and limits.
#[test]
fn conventions() {
    let unary = |f: Unary| single(Op::Unary(f), 1);
    let binary = |f: Binary| single(Op::Binary(f), 2);
    let infinite = [f64::INFINITY];

    assert_eq!(gradient(&unary(Unary::Abs), &[0.0]), [0.0]);
    assert_eq!(gradient(&unary(Unary::Abs), &[-0.0]), [0.0]);
    assert!(gradient(&unary(Unary::Abs), &[f64::NAN])[0].is_nan());
    assert_eq!(hvp(&unary(Unary::Abs), &[0.0], &[1.0]), [0.0]);
    assert_eq!(hvp(&unary(Unary::Abs), &[f64::INFINITY], &[1.0]), [0.0]);

    for f in [Binary::Max, Binary::Min] {
        assert_eq!(gradient(&binary(f), &[1.0, 1.0]), [1.0, 0.0]);
        assert_eq!(gradient(&binary(f), &[f64::NAN, 1.0]), [0.0, 1.0]);
        assert_eq!(gradient(&binary(f), &[1.0, f64::NAN]), [1.0, 0.0]);
        assert_eq!(gradient(&binary(f), &[f64::NAN, f64::NAN]), [1.0, 0.0]);
    }
    assert_eq!(gradient(&single(Op::Clamp, 3), &[1.0, 1.0, 2.0]), [1.0, 0.0, 0.0]);
    assert_eq!(gradient(&single(Op::Clamp, 3), &[2.0, 1.0, 2.0]), [1.0, 0.0, 0.0]);
    assert_eq!(gradient(&single(Op::Clamp, 3), &[3.0, 1.0, 2.0]), [0.0, 0.0, 1.0]);

    assert_eq!(gradient(&unary(Unary::Sqrt), &[0.0]), infinite);
    assert_eq!(gradient(&unary(Unary::Cbrt), &[0.0]), infinite);
    assert_eq!(gradient(&unary(Unary::Ln), &[0.0]), infinite);
    assert_eq!(gradient(&unary(Unary::Asin), &[1.0]), infinite);
    assert_eq!(gradient(&unary(Unary::Acos), &[1.0]), [f64::NEG_INFINITY]);
    assert!(gradient(&binary(Binary::Hypot), &[0.0, 0.0]).iter().all(|g| g.is_nan()));
    assert!(gradient(&binary(Binary::Atan2), &[0.0, 0.0]).iter().all(|g| g.is_nan()));

    let powf = binary(Binary::Powf);
    assert_eq!(gradient(&powf, &[0.0, 0.0]), [0.0, 0.0]);
    assert_eq!(gradient(&powf, &[0.0, 1.0]), [1.0, 0.0]);
    assert_eq!(gradient(&powf, &[0.0, 2.0]), [0.0, 0.0]);
    assert_eq!(gradient(&powf, &[0.0, 0.5]), [f64::INFINITY, 0.0]);
    assert_eq!(hvp(&powf, &[0.0, 2.0], &[1.0, 0.0])[0], 2.0);
    assert_eq!(gradient(&powf, &[-2.0, 3.0])[0], 12.0);
    assert!(gradient(&powf, &[-2.0, 3.0])[1].is_nan());
    // x^p at p = 0: the mixed derivative is 1 / x.
    assert!(close(hvp(&powf, &[4.0, 0.0], &[0.0, 1.0])[0], 0.25, 1e-15));

    assert_eq!(gradient(&single(Op::Rem, 2), &[7.0, 2.0]), [1.0, -3.0]);
    assert_eq!(gradient(&unary(Unary::Floor), &[2.0]), [0.0]);
    assert_eq!(gradient(&unary(Unary::Fract), &[2.0]), [1.0]);
}

/// Where x / y rounds up to a whole number, and the remainder does not.
#[test]
fn remainders_and_their_quotients_agree() {
    for (x, y) in [(0.3, 0.1), (0.7, 0.1), (4.1, 0.1), (-0.7, 0.1), (1.1, 0.1), (7.3, -0.1), (9.0, 0.3)] {
        let slope = gradient(&single(Op::Rem, 2), &[x, y])[1];
        assert!((x % y - (x + slope * y)).abs() < 1e-12, "{x} % {y}: {slope}");
        let slope = gradient(&single(Op::Binary(Binary::RemEuclid), 2), &[x, y])[1];
        assert!((f64::rem_euclid(x, y) - (x + slope * y)).abs() < 1e-12, "{x} rem_euclid {y}: {slope}");
    }
}

/// Forms that overflow or cancel give infinite, vanishing or wrong derivatives here.
#[test]
fn accurate_far_out() {
    let unary = |f: Unary| single(Op::Unary(f), 1);
    let near = |found: f64, wanted: f64| {
        assert!((found / wanted - 1.0).abs() < 1e-13, "{found} instead of {wanted}");
    };
    near(gradient(&unary(Unary::Asinh), &[1e200])[0], 1e-200);
    near(gradient(&unary(Unary::Acosh), &[1e200])[0], 1e-200);
    near(gradient(&unary(Unary::ExpM1), &[-40.0])[0], (-40.0_f64).exp());
    near(gradient(&unary(Unary::Ln1p), &[-1.0 + 1e-10])[0], 1.0 / (1.0 + (-1.0 + 1e-10)));
    near(gradient(&unary(Unary::Atanh), &[1.0 - 2f64.powi(-40)])[0], 1.0 / (2f64.powi(-39) - 2f64.powi(-80)));
    let atan2 = gradient(&single(Op::Binary(Binary::Atan2), 2), &[3e200, 4e200]);
    near(atan2[0], 0.16e-200);
    near(atan2[1], -0.12e-200);
    let atan2 = gradient(&single(Op::Binary(Binary::Atan2), 2), &[3e-200, 4e-200]);
    near(atan2[0], 0.16e200);
    // Where the inverse of r overflows, the unit is still there.
    for op in [Binary::Hypot, Binary::Atan2] {
        let tiny = gradient(&single(Op::Binary(op), 2), &[0.0, 1e-310]);
        assert!(!tiny[1].is_nan() && (op == Binary::Atan2 || tiny == [0.0, 1.0]), "{op:?} {tiny:?}");
    }
    let hypot = gradient(&single(Op::Binary(Binary::Hypot), 2), &[3e200, 4e200]);
    near(hypot[0], 0.6);
    // Saturated: no NaN at any order.
    for x in [400.0, -400.0, 1e5] {
        assert_eq!(gradient(&unary(Unary::Tanh), &[x]), [0.0]);
        assert_eq!(hvp(&unary(Unary::Tanh), &[x], &[1.0]), [0.0]);
    }
}

/// A cast hands on the tangent in the type it is asked for.
#[test]
fn casts() {
    let func = function(1, |b, x| {
        let single = b.op(Op::Cast("f32".into()), x);
        let square = b.mul(single, single);
        b.op(Op::Cast("f64".into()), &[square])
    });
    assert_eq!(gradient(&func, &[1.5]), [3.0]);
    assert_eq!(hvp(&func, &[1.5], &[1.0]), [2.0]);
}

fn all_ops() -> Vec<(Op, usize)> {
    let mut all = vec![
        (Op::Add, 2),
        (Op::Sub, 2),
        (Op::Mul, 2),
        (Op::Div, 2),
        (Op::Rem, 2),
        (Op::Neg, 1),
        (Op::MulAdd, 3),
        (Op::Clamp, 3),
    ];
    all.extend(Unary::ALL.iter().map(|f| (Op::Unary(*f), 1)));
    all.extend(Binary::ALL.iter().map(|f| (Op::Binary(*f), 2)));
    all
}

/// Every float operation a rule emits has itself a rule, or is one of those whose derivative is zero for good: the
/// table is closed, so derivatives of every order can be taken.
#[test]
fn the_table_is_closed() {
    let flat = |op: &Op| {
        use Unary::{Ceil, Floor, Round, RoundTiesEven, Signum, Trunc};
        matches!(
            op,
            Op::Unary(Signum | Floor | Ceil | Round | RoundTiesEven | Trunc)
                | Op::Binary(Binary::DivEuclid | Binary::Copysign)
        )
    };
    let discrete = |op: &Op| {
        matches!(
            op,
            Op::Float(_) | Op::Int(_) | Op::Bool(_) | Op::Cmp(_) | Op::Test(_) | Op::And | Op::Or | Op::Not
        )
    };
    // Tested above; their operands are not all floats.
    let mixed = |op: &Op| matches!(op, Op::Select | Op::Powi | Op::Cast(_));
    for (op, arity) in all_ops() {
        for k in 0..arity {
            function(arity, |b, x| {
                let y = b.op(op.clone(), x);
                let before = b.current().insts.len();
                let slope = tangent(b, &op, x, y, k, x[0], &F64);
                assert!(slope.is_some() || flat(&op), "{op:?} has no rule for operand {k}");
                for inst in &b.current().insts[before..] {
                    let InstKind::Pure(emitted, _) = &inst.kind else { panic!("{op:?} emits an effect") };
                    let known =
                        all_ops().iter().any(|(known, _)| format!("{known:?}") == format!("{emitted:?}"));
                    assert!(
                        known || discrete(emitted) || mixed(emitted),
                        "{op:?} emits {emitted:?}, which has no rule"
                    );
                }
                slope.unwrap_or(y)
            });
        }
    }
}

/// The rule of a custom operation is a call of the user's own function, which has derivatives of its own.
#[test]
fn custom_rules_call_the_partial() {
    let path = |name: &str| Snippet::written(name);
    let custom = || {
        let partials = vec![path("by_x"), path("by_y")];
        Op::Custom(Arc::new(Custom { callee: path("f"), partials, active: vec![true, false, true] }))
    };
    let func = function(3, |b, x| {
        let y = b.op_typed(custom(), x, F64);
        for (k, name) in [(0, Some("by_x")), (1, None), (2, Some("by_y"))] {
            let before = b.current().insts.len();
            let slope = tangent(b, &custom(), x, y, k, x[0], &F64);
            assert_eq!(slope.is_some(), name.is_some());
            let emitted = &b.current().insts[before..];
            let Some(name) = name else {
                assert!(emitted.is_empty());
                continue;
            };
            let [call, product] = emitted else { panic!("{emitted:?}") };
            let InstKind::Call(called) = &call.kind else { panic!("{call:?}") };
            assert_eq!((called.callee.to_string().as_str(), called.mode), (name, CallMode::Primal));
            assert_eq!(called.args, x.iter().map(|v| Arg::Value(*v)).collect::<Vec<_>>());
            assert!(matches!(product.kind, InstKind::Pure(Op::Mul, _)));
        }
        y
    });
    // Nobody asks for the value here: the function is not called. Its partials are, and theirs.
    let hvp = Derivatives::of(&func, Effort::Full).product(Product::Hvp).to_string();
    assert!(!hvp.contains("custom") && hvp.contains("call jvp of by_x"), "{hvp}");
    let curvature = Derivatives::of(&func, Effort::Full).product(Product::Curvature).to_string();
    assert_eq!(curvature.matches("custom f(").count(), 1, "{curvature}");
}

/// Small constant exponents cost no call of `pow`.
#[test]
fn small_powers_cost_no_call() {
    for p in [1.0, 2.0, 3.0, 4.0, 0.5, 1.5] {
        let func = function(1, |b, x| {
            let p = b.float_like(p, x[0]);
            b.binary(Binary::Powf, x[0], p)
        });
        let slope = optimize(crate::transform::forward::forward(&func), Effort::Full);
        let mut calls = 0;
        slope.body.visit(&mut |inst| {
            calls += usize::from(matches!(inst.kind, InstKind::Pure(Op::Binary(Binary::Powf), _)));
        });
        assert_eq!(calls, 1, "only the function itself\n{slope}");
    }
}
