//! Random programs through the whole compiler but its printer: Rust text, IR, every transform, every pass, evaluated
//! and compared with an interpreter of its own that computes in hyper-dual numbers.
//!
//! What lives here: the comparison. [`program`] has the programs and their meaning, [`generate`] makes them up.
//! `PROPTEST_CASES=20000 PROPTEST_SEED=1 cargo test --release -p ad-macros random` looks longer and elsewhere.

mod generate;
mod program;
mod snapshots;

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;

use self::program::{CALLEE, Program, Unfit, interpret};
use crate::analysis::activity;
use crate::derivatives::Derivatives;
use crate::diagnostics::Diagnostics;
use crate::effort::Effort;
use crate::frontend;
use crate::ir::eval::{EvalError, Hyper, Item, Module, Outcome, eval_in};
use crate::ir::verify::verify;
use crate::ir::{Binding, CallMode, Func, Mark, Param, Source, Storage};
use crate::optimize::{
    PASSES, accumulate, between, branches, bring_together, edges, finish, first_store, flatten, fuse, hoist,
    induction, kept, lanes, optimize, order, overwritten, parked, prepare, scalars, selection, spans, stacks,
    triangles, unflip, unroll,
};
use crate::options;
use crate::pipeline::Product;
use crate::transform::forward::{forward, forward_with};
use crate::transform::products::as_loops;
use crate::transform::reverse::{reverse, reverse_with};

const TOLERANCE: f64 = 1e-9;

/// What the frontend refuses, for good reasons of its own.
const REFUSED: &[&str] = &["a loop over a stepped and reversed range cannot be left early"];

/// The IR of a function in Rust text.
fn lower(text: &str, wrt: &str) -> Checked<Func> {
    let item: syn::ItemFn = syn::parse_str(text).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let mut diagnostics = Diagnostics::default();
    let options = options::parse(wrt.parse().expect("tokens"), &mut diagnostics);
    let lowered = frontend::lower(&item, &options, &mut diagnostics);
    if let Some(e) = diagnostics.into_error() {
        let all: Vec<String> = e.into_iter().map(|e| e.to_string()).collect();
        if all.iter().all(|e| REFUSED.iter().any(|known| e.contains(known))) {
            return Err(TestCaseError::reject("refused"));
        }
        return fail(format!("{}\n{text}", all.join("\n")));
    }
    match lowered {
        Some(lowered) => Ok(lowered.func),
        None => fail(format!("no function and no error\n{text}")),
    }
}

/// The function that programs call, with its companions.
fn callees() -> Module {
    let g = optimize(lower(CALLEE, "").expect("lowers"), Effort::Full);
    let mut module = Module::default();
    use CallMode::{Curvature, Jvp, Primal, Taylor, Vjp, VjpJvp};
    for mode in [Primal, Jvp, Vjp, VjpJvp, Curvature, Taylor] {
        module.define("g", mode, Derivatives::of(&g, Effort::Full).companion(mode).clone());
    }
    module
}

/// A point and two directions.
#[derive(Clone, Debug)]
struct Point {
    len: usize,
    x: Vec<f64>,
    w: Vec<f64>,
    /// Directions in (x, a).
    u: Vec<f64>,
    v: Vec<f64>,
}

impl Point {
    fn new(at: usize, len: usize) -> Point {
        // Some fixed numbers without relations among them.
        let number = |k: usize| ((at * 31 + k * 7 + 3) as f64 * 0.754_877_666).fract() * 2.4 - 1.2;
        let numbers = |k: usize| (0..=len).map(|i| number(k * 100 + i)).collect::<Vec<f64>>();
        Point { len, x: numbers(1), w: numbers(2)[..len].to_vec(), u: numbers(3), v: numbers(4) }
    }

    /// The program's value(s) along two directions.
    fn interpret(&self, p: &Program, u: &[f64], v: &[f64]) -> Result<Vec<Hyper>, Unfit> {
        let x: Vec<Hyper> = (0..u.len()).map(|i| Hyper { v: self.x[i], a: u[i], b: v[i], ab: 0.0 }).collect();
        interpret(p, &x[..self.len], x[self.len], &self.w)
    }

    /// An argument for each parameter, by what it is.
    fn args(&self, func: &Func, seed: &[f64]) -> Vec<Item<f64>> {
        let mut seen = std::collections::HashMap::new();
        func.params.iter().map(|p| self.arg(func, p, &mut seen, seed)).collect()
    }

    fn arg(
        &self,
        func: &Func,
        p: &Param,
        seen: &mut std::collections::HashMap<crate::ir::Role, usize>,
        seed: &[f64],
    ) -> Item<f64> {
        let nth = seen.entry(p.role.clone()).or_insert(0);
        *nth += 1;
        let is_output = matches!(p.binding, Binding::Buffer(b) if func.buffer(b).storage == Storage::Output);
        if is_output {
            // Outputs are overwritten: what they hold before must not matter.
            return Item::floats(&vec![1e100; self.len]);
        }
        let xa = match p.role.marks.as_slice() {
            [] => &self.x,
            [Mark::Dot] if *nth == 1 => &self.u,
            [Mark::Dot] => &self.v,
            _ => {
                return if matches!(p.binding, Binding::Value(_)) {
                    Item::float(1.0)
                } else {
                    Item::floats(seed)
                };
            }
        };
        match p.role.of {
            Source::Param(0) => Item::floats(&xa[..self.len]),
            Source::Param(1) => Item::float(xa[self.len]),
            Source::Param(2) => Item::floats(&self.w),
            Source::Param(3) => Item::int(self.len.cast_signed() as i64),
            _ => unreachable!("five parameters at most"),
        }
    }
}

struct Check<'a> {
    module: &'a Module,
    text: String,
    point: &'a Point,
    seed: Vec<f64>,
}

type Checked<T> = Result<T, TestCaseError>;

fn fail<T>(what: impl Into<String>) -> Checked<T> {
    Err(TestCaseError::fail(what.into()))
}

fn close(a: f64, b: f64) -> bool {
    // NaN is close to nothing.
    (a - b).abs() <= TOLERANCE * (1.0 + a.abs().max(b.abs()))
}

impl Check<'_> {
    fn run(&self, what: &str, func: &Func) -> Checked<Outcome<f64>> {
        if let Err(e) = verify(func) {
            return fail(format!("{what}: {e}\n{}\n{func}", self.text));
        }
        match eval_in(self.module, func, &self.point.args(func, &self.seed)) {
            Ok(outcome) => Ok(outcome),
            Err(EvalError::Wrong(e)) => fail(format!("{what}: {e}\n{}\n{func}", self.text)),
            Err(e) => fail(format!("{what}: {e:?}\n{}\n{func}", self.text)),
        }
    }

    fn agree(&self, what: &str, func: &Func, found: &[f64], wanted: &[f64]) -> Checked<()> {
        if found.len() == wanted.len() && found.iter().zip(wanted).all(|(a, b)| close(*a, *b)) {
            return Ok(());
        }
        fail(format!("{what}: {found:?} instead of {wanted:?}\n{}\n{func}", self.text))
    }

    /// Outputs with these marks, x before a.
    fn expect(&self, what: &str, func: &Func, marks: &[Mark], wanted: &[f64]) -> Checked<()> {
        let outcome = self.run(what, func)?;
        self.agree(what, func, &in_order(&outcome, marks), wanted)
    }

    /// What users get: outputs by their marks, and nothing left on stacks.
    fn product(&self, product: Product, f: &Func, wanted: &[(&[Mark], &[f64])]) -> Checked<()> {
        for effort in [Effort::Full, Effort::Plain] {
            let derivatives = Derivatives::of(f, effort);
            let func = derivatives.product(product);
            let what = format!("{}, {effort:?}", product.suffix());
            let outcome = self.run(&what, func)?;
            for (marks, wanted) in wanted {
                self.agree(&what, func, &in_order(&outcome, marks), wanted)?;
            }
            if outcome.left > 0 {
                return fail(format!("{what}: {} left on stacks\n{}\n{func}", outcome.left, self.text));
            }
        }
        Ok(())
    }

    /// Each lane of the product for several directions is the product with that direction: lane 0 with this point's, and
    /// the product is linear in it.
    fn lanes(&self, f: &Func, product: &[f64]) -> Checked<()> {
        let derivatives = Derivatives::of(f, Effort::Full);
        let Some(func) = derivatives.block("3") else {
            // Arrays of a library have no lanes.
            if f.buffers.iter().any(|b| b.layout == crate::ir::Layout::Ndarray) {
                return Ok(());
            }
            return fail(format!("not widened\n{}", self.text));
        };
        if let Err(e) = verify(func) {
            return fail(format!("hvp_block: {e}\n{}\n{func}", self.text));
        }
        const FACTORS: [f64; 3] = [1.0, -2.0, 0.5];
        let mut seen = std::collections::HashMap::new();
        let args: Vec<Item<f64>> = func
            .params
            .iter()
            .map(|p| {
                let single = self.point.arg(func, p, &mut seen, &self.seed);
                if p.role.marks.is_empty() {
                    return single;
                }
                single.widened(&FACTORS)
            })
            .collect();
        let outcome = match eval_in(self.module, func, &args) {
            Ok(outcome) => outcome,
            Err(e) => return fail(format!("hvp_block: {e:?}\n{}\n{func}", self.text)),
        };
        let wanted: Vec<f64> = product.iter().flat_map(|x| FACTORS.map(|c| c * x)).collect();
        self.agree("hvp_block", func, &in_order(&outcome, &[Mark::Bar, Mark::Dot]), &wanted)?;
        if outcome.left > 0 {
            return fail(format!("hvp_block: {} left on stacks\n{}\n{func}", outcome.left, self.text));
        }
        Ok(())
    }

    /// Both halves of the product: what the first gives, and what the second makes of what it has saved.
    fn linearized(&self, f: &Func, wanted: &[(&[Mark], &[f64])], product: &[f64]) -> Checked<()> {
        let derivatives = Derivatives::of(f, Effort::Full);
        let Some(split) = derivatives.halves() else {
            return fail(format!("not split\n{}", self.text));
        };
        let first = self.run("the first half", &split.fixed)?;
        let of_user = |outcome: &Outcome<f64>, marks: &[Mark]| {
            let mut outputs = outcome.outputs.clone();
            outputs.retain(|(role, _)| !matches!(role.of, Source::Saved(_)));
            in_order(&Outcome { outputs, counts: outcome.counts, left: 0 }, marks)
        };
        for (marks, wanted) in wanted {
            self.agree("the first half", &split.fixed, &of_user(&first, marks), wanted)?;
        }
        let mut seen = std::collections::HashMap::new();
        let args: Option<Vec<Item<f64>>> = split
            .varying
            .params
            .iter()
            .map(|p| match p.role.of {
                Source::Saved(_) => first.get(&p.role).cloned(),
                _ => Some(self.point.arg(&split.varying, p, &mut seen, &self.seed)),
            })
            .collect();
        let Some(args) = args else { return fail("what the second half reads is not saved") };
        match eval_in(self.module, &split.varying, &args) {
            Ok(outcome) => self.agree(
                "the second half",
                &split.varying,
                &in_order(&outcome, &[Mark::Bar, Mark::Dot]),
                product,
            ),
            Err(e) => {
                fail(format!("the second half: {e:?}\n{}\n{}\n{}", self.text, split.fixed, split.varying))
            }
        }
    }

    /// All outputs of two functions agree.
    fn same(&self, what: &str, before: &Func, after: &Func) -> Checked<()> {
        let (a, b) = (self.run(what, before)?, self.run(what, after)?);
        let floats = |o: &Outcome<f64>| o.outputs.iter().flat_map(|(_, i)| i.to_floats()).collect::<Vec<_>>();
        self.agree(what, after, &floats(&b), &floats(&a))
    }

    /// Each pass alone, and all together, keep the meaning.
    fn passes(&self, what: &str, func: &Func) -> Checked<()> {
        for pass in PASSES {
            self.same(&format!("{what}, {}", pass.name), func, &(pass.run)(func.clone()))?;
        }
        self.same(&format!("{what}, hoist"), func, &hoist::hoist(func.clone()))?;
        self.same(&format!("{what}, flatten"), func, &flatten::flatten(func.clone()))?;
        self.same(&format!("{what}, products as loops"), func, &as_loops(func.clone(), &|_, _| true))?;
        self.same(&format!("{what}, unflip"), func, &unflip::unflip(func.clone()))?;
        self.same(&format!("{what}, accumulate"), func, &accumulate::accumulate(func.clone()))?;
        self.same(&format!("{what}, first_store"), func, &first_store::first_store(func.clone()))?;
        let sums = accumulate::accumulate(func.clone());
        self.same(&format!("{what}, first_store of sums"), func, &first_store::first_store(sums))?;
        self.same(&format!("{what}, fuse"), func, &fuse::fuse(func.clone()))?;
        self.same(&format!("{what}, edges"), func, &edges::edges(func.clone()))?;
        self.same(&format!("{what}, branches"), func, &branches::branches(func.clone()))?;
        self.same(&format!("{what}, induction"), func, &induction::induction(func.clone()))?;
        self.same(&format!("{what}, selection"), func, &selection::selection(func.clone()))?;
        self.same(&format!("{what}, kept"), func, &kept::kept(func.clone()))?;
        self.same(&format!("{what}, stacks"), func, &stacks::stacks(func.clone()))?;
        let unrolled = unroll::unroll(func.clone());
        self.same(&format!("{what}, unroll"), func, &unrolled)?;
        self.same(&format!("{what}, scalars"), func, &scalars::scalars(func.clone()))?;
        self.same(&format!("{what}, unroll, scalars"), func, &scalars::scalars(unrolled))?;
        self.same(&format!("{what}, overwritten"), func, &overwritten::overwritten(func.clone()))?;
        for effort in [Effort::Full, Effort::Plain] {
            let optimised = optimize(func.clone(), effort);
            let what = format!("{what}, {effort:?}");
            self.same(&format!("{what}, optimised"), func, &optimised)?;
            self.same(&format!("{what}, prepared"), func, &prepare(optimised.clone(), effort))?;
            self.same(
                &format!("{what}, brought together"),
                func,
                &bring_together(optimised.clone(), effort),
            )?;
            self.same(&format!("{what}, finished"), func, &finish(optimised, effort))?;
        }
        let optimised = optimize(func.clone(), Effort::Full);
        self.same(&format!("{what}, branches, optimised"), func, &branches::branches(optimised.clone()))?;
        self.same(&format!("{what}, optimised, edges"), func, &edges::edges(optimised.clone()))?;
        self.same(&format!("{what}, lanes"), func, &lanes::lanes_from(optimised.clone(), 1, 0))?;
        self.same(&format!("{what}, sums"), func, &lanes::lanes_from(optimised.clone(), usize::MAX, 0))?;
        self.same(&format!("{what}, kept, optimised"), func, &kept::kept(optimised.clone()))?;
        self.same(&format!("{what}, between"), func, &between::between(optimised.clone()))?;
        self.same(&format!("{what}, order"), func, &order::order(optimised.clone()))?;
        self.same(&format!("{what}, spans"), func, &spans::spans(optimised.clone()))?;
        self.same(&format!("{what}, triangles"), func, &triangles::triangles(optimised.clone()))?;
        let joined = order::order(between::between(optimised.clone()));
        self.same(&format!("{what}, between, order, spans"), func, &spans::spans(joined))?;
        let stored = first_store::first_store(optimised.clone());
        self.same(&format!("{what}, first_store, parked"), func, &parked::parked(stored.clone()))?;
        self.same(&format!("{what}, first_store, lanes"), func, &lanes::lanes_from(stored, 1, 0))
    }
}

fn in_order(outcome: &Outcome<f64>, marks: &[Mark]) -> Vec<f64> {
    let mut found: Vec<_> = outcome.outputs.iter().filter(|(r, _)| r.marks == marks).collect();
    found.sort_by_key(|(r, _)| match r.of {
        Source::Param(i) | Source::Leaf(i, _) => i,
        Source::Result(i) | Source::Saved(i) => 100 + i,
    });
    found.iter().flat_map(|(_, item)| item.to_floats()).collect()
}

fn unfit<T>(result: Result<T, Unfit>) -> Checked<T> {
    result.map_err(|why| {
        TestCaseError::reject(match why {
            Unfit::Wild => "wild numbers",
            Unfit::Long => "too long",
        })
    })
}

fn unit(i: usize, len: usize) -> Vec<f64> {
    (0..=len).map(|k| if k == i { 1.0 } else { 0.0 }).collect()
}

/// A function with one value.
fn check_value(choices: &[u8], at: usize, len: i64) -> Checked<()> {
    use Mark::{Bar, Dot};
    let p = generate::program(choices, len, false);
    let point = Point::new(at, len as usize);
    // The value, the derivatives along u and v, and u·Hv; then the gradient and Hu, one unit vector at a time.
    let y = unfit(point.interpret(&p, &point.u, &point.v))?[0];
    let mut gradient = Vec::new();
    let mut product = Vec::new();
    for i in 0..=point.len {
        let y = unfit(point.interpret(&p, &point.u, &unit(i, point.len)))?[0];
        gradient.push(y.b);
        product.push(y.ab);
    }
    let curvature = unfit(point.interpret(&p, &point.u, &point.u))?[0].ab;

    let module = callees();
    let check = Check { module: &module, text: p.to_string(), point: &point, seed: Vec::new() };
    let raw = lower(&check.text, "wrt(x, a)")?;
    check.expect("primal", &raw, &[], &[y.v])?;
    check.passes("primal", &raw)?;
    let f = prepare(optimize(raw, Effort::Full), Effort::Full);

    let jvp = forward(&f);
    check.expect("forward", &jvp, &[Dot], &[y.a])?;
    check.expect("forward without activity", &forward_with(&f, &activity::everything(&f)), &[Dot], &[y.a])?;
    check.passes("forward", &jvp)?;
    let adjoint = reverse(&f, false);
    check.expect("reverse", &adjoint, &[Bar], &gradient)?;
    let varied = activity::varied(&f, &seeds(&f));
    check.expect("reverse without `useful`", &reverse_with(&f, false, &varied), &[Bar], &gradient)?;
    check.passes("reverse", &adjoint)?;
    let second = forward(&optimize(adjoint.clone(), Effort::Full));
    check.expect("forward of reverse", &forward(&adjoint), &[], &[y.v])?;
    check.passes("forward of reverse", &second)?;

    let primal: (&[Mark], &[f64]) = (&[], &[y.v]);
    let slope: (&[Mark], &[f64]) = (&[Dot], &[y.a]);
    check.product(Product::Grad, &f, &[primal, (&[Bar], &gradient)])?;
    check.product(Product::Jvp, &f, &[primal, slope])?;
    check.product(Product::Hvp, &f, &[(&[Bar, Dot], &product)])?;
    check.lanes(&f, &product)?;
    check.product(Product::GradHvp, &f, &[primal, (&[Bar], &gradient), (&[Bar, Dot], &product)])?;
    check.product(Product::HvpRev, &f, &[(&[Bar], &product)])?;
    check.product(Product::Curvature, &f, &[primal, slope, (&[Dot, Dot], &[curvature])])?;
    check.linearized(&f, &[primal, (&[Bar], &gradient)], &product)
}

fn seeds(func: &Func) -> Vec<Binding> {
    func.params.iter().filter(|p| p.active).map(|p| p.binding).collect()
}

/// A function with an output parameter: tangents, and cotangents against them.
fn check_outputs(choices: &[u8], at: usize, len: i64) -> Checked<()> {
    use Mark::{Bar, Dot};
    let p = generate::program(choices, len, true);
    let point = Point::new(at, len as usize);
    let y = unfit(point.interpret(&p, &point.u, &point.v))?;
    let seed: Vec<f64> = (0..point.len).map(|i| point.v[i] + 0.1).collect();
    let mut cotangent = Vec::new();
    for i in 0..=point.len {
        let y = unfit(point.interpret(&p, &point.u, &unit(i, point.len)))?;
        cotangent.push(y.iter().zip(&seed).map(|(y, s)| y.b * s).sum());
    }
    let module = callees();
    let check = Check { module: &module, text: p.to_string(), point: &point, seed };
    let raw = lower(&check.text, "wrt(x, a)")?;
    let values: Vec<f64> = y.iter().map(|y| y.v).collect();
    let tangents: Vec<f64> = y.iter().map(|y| y.a).collect();
    check.expect("primal", &raw, &[], &values)?;
    check.passes("primal", &raw)?;
    let f = prepare(optimize(raw, Effort::Full), Effort::Full);
    check.expect("forward", &forward(&f), &[Dot], &tangents)?;
    check.expect("reverse", &reverse(&f, false), &[Bar], &cotangent)?;
    check.product(Product::Jvp, &f, &[(&[], &values), (&[Dot], &tangents)])?;
    check.product(Product::Vjp, &f, &[(&[Bar], &cotangent)])
}

/// Printed in one line.
#[derive(Clone)]
struct Choices(Vec<u8>);

impl std::fmt::Debug for Choices {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:02x?}", self.0)
    }
}

fn choices() -> impl Strategy<Value = Choices> {
    prop::collection::vec(any::<u8>(), 0..160).prop_map(Choices)
}

/// Short, and longer than the blocks that loops are cut into.
fn lengths() -> impl Strategy<Value = i64> {
    prop_oneof![3 => Just(4_i64), 1 => Just(11_i64)]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(100),
        max_global_rejects: 1_000_000,
        failure_persistence: None,
        // The same programs each time, unless another seed is asked for.
        rng_seed: proptest::test_runner::RngSeed::Fixed(
            std::env::var("PROPTEST_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(20_261_123),
        ),
        max_shrink_iters: std::env::var("SHRINK").map_or(4000, |_| 0),
        ..ProptestConfig::default()
    })]

    #[test]
    fn random_functions_of_one_value(choices in choices(), at in 0_usize..50, len in lengths()) {
        check_value(&choices.0, at, len)?;
    }

    #[test]
    fn random_functions_with_outputs(choices in choices(), at in 0_usize..50, len in lengths()) {
        check_outputs(&choices.0, at, len)?;
    }
}
