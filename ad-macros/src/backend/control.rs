//! Branches and loops. What a loop carries is a mutable variable, which its arguments and results share.

use proc_macro2::{Ident, Span, TokenStream};
use quote::quote;
use rustc_hash::FxHashSet as HashSet;

use super::body::Body;
use super::expr::{self, Expr, Form, Prec};
use crate::analysis::sizes::sizes;
use crate::ir::{Block, ForLoop, Inst, InstKind, Op, Value};

impl Body<'_> {
    pub(super) fn branch(
        &mut self,
        inst: &Inst,
        cond: Value,
        then_block: &Block,
        else_block: &Block,
        out: &mut String,
    ) {
        self.flush_except(&[cond], out);
        let cond = self.take(cond);
        let mut arms = Vec::new();
        for block in [then_block, else_block] {
            let mut text = String::new();
            self.block(block, &mut text);
            let mut yields = Vec::new();
            if !block.diverges {
                for y in &block.yields {
                    yields.push(self.take(*y).text);
                }
            }
            self.flush(None, &mut text);
            if !yields.is_empty() {
                text.push_str(&expr::tuple(yields));
            }
            arms.push(text);
        }
        let (then_arm, else_arm) = (&arms[0], &arms[1]);
        let test = &cond.text;
        if inst.results.is_empty() {
            out.push_str(&if else_arm.is_empty() {
                format!("if {test} {{ {then_arm} }}\n")
            } else if then_arm.is_empty() {
                let not = cond.at(Prec::Postfix);
                format!("if ! {not} {{ {else_arm} }}\n")
            } else {
                format!("if {test} {{ {then_arm} }} else {{ {else_arm} }}\n")
            });
            return;
        }
        let names = inst.results.iter().map(|r| self.name_result(*r, "chosen")).collect();
        let types: Vec<_> = inst.results.iter().map(|r| expr::scalar_text(self.func.ty(*r))).collect();
        let names = expr::tuple(names);
        let types = types.iter().any(Option::is_some).then(|| {
            let each = types.into_iter().map(|ty| ty.unwrap_or("_").to_string());
            expr::tuple(each.collect())
        });
        let types = expr::annotation(types.as_deref());
        out.push_str(&format!("let {names}{types} = if {test} {{ {then_arm} }} else {{ {else_arm} }};\n"));
    }

    pub(super) fn flush_except(&mut self, keep: &[Value], out: &mut String) {
        let kept: Vec<_> = self.pending.iter().filter(|(v, _)| keep.contains(v)).cloned().collect();
        self.pending.retain(|(v, _)| !keep.contains(v));
        self.flush(None, out);
        self.pending.extend(kept);
    }

    /// Declares the mutable variables of a loop; `args` and `results` are their names from now on.
    pub(super) fn variables(
        &mut self,
        inits: &[Value],
        args: &[&[Value]],
        results: &[Value],
        out: &mut String,
    ) {
        for (k, init) in inits.iter().enumerate() {
            let value = self.take(*init).text;
            let hint = args.iter().find_map(|a| self.func.value(a[k]).name.clone());
            let hint = hint.or_else(|| self.func.value(results[k]).name.clone());
            let name = self.names.fresh(hint.as_deref().unwrap_or("sum"));
            let ty = expr::annotation(expr::scalar_text(self.func.ty(args[0][k])));
            out.push_str(&format!("let mut {name}{ty} = {value};\n"));
            self.mutable.insert(name.clone());
            for a in args {
                self.values.insert(a[k], name.clone());
            }
            self.values.insert(results[k], name);
        }
    }

    /// Assigns what a round yields to the variables.
    pub(super) fn assign(&mut self, args: &[Value], yields: &[Value], out: &mut String) {
        let targets: Vec<String> = args.iter().map(|a| self.value_text(*a).to_string()).collect();
        let mut assigned: HashSet<String> = HashSet::default();
        let mut clash = false;
        let mut parts = Vec::new();
        for (target, y) in targets.into_iter().zip(yields) {
            let waiting = self.waiting(&[*y]);
            let mut variables: Vec<String> = waiting.iter().flat_map(|p| p.variables.clone()).collect();
            variables.extend(self.values.get(y).cloned());
            clash |= variables.iter().any(|v| assigned.contains(v));
            let expr = self.take(*y);
            if self.pieces.said(&expr.text) != target {
                assigned.insert(target.clone());
                parts.push((target, expr, expr::is_generic(self.func.ty(*y))));
            }
        }
        self.flush(None, out);
        if clash {
            let (targets, values): (Vec<_>, Vec<_>) = parts.into_iter().map(|(t, v, _)| (t, v.text)).unzip();
            out.push_str(&format!("({}) = ({});\n", targets.join(", "), values.join(", ")));
            return;
        }
        for (target, value, generic) in parts {
            let short = if generic { None } else { self.add_assign(&target, &value) };
            out.push_str(&short.unwrap_or_else(|| format!("{target} = {};\n", value.text)));
        }
    }

    /// `s = s + e` as `s += e`, where that is the same sum.
    fn add_assign(&mut self, target: &str, value: &Expr) -> Option<String> {
        if let Form::Verbatim = value.form {
            let short = add_assign(target, self.pieces.lex(&value.text))?;
            return Some(self.pieces.add(short) + "\n");
        }
        let (left, op, right) = value.parts()?;
        let same = matches!(op, "+" | "-" | "*" | "/") && self.pieces.said(left) == target;
        same.then(|| format!("{target} {op}= {right};\n"))
    }

    /// A loop over a range of integers, which is printed as a `while`: rustc takes little more than half as long for it as for a `for`,
    /// whose iterator it has to find, check and inline, and LLVM makes the same of both.
    pub(super) fn for_loop(&mut self, inst: &Inst, l: &ForLoop, out: &mut String) {
        let heads: Vec<Value> =
            [l.lo, l.hi].into_iter().chain(l.step).chain(l.inits.iter().copied()).collect();
        self.flush_except(&heads, out);
        self.reserve(l, out);
        let args = &l.body.args[1..];
        self.variables(&l.inits, &[args], &inst.results, out);
        let variable = l.body.args[0];
        let is_used = self.uses.contains_key(&variable);
        if !self.integers.contains(variable) || l.step.is_some() || l.inclusive || runs_own_code(&l.body) {
            let range = self.range(l);
            let name = if is_used { self.name_result(variable, "i") } else { "_".to_string() };
            let text = self.round(l, args);
            out.push_str(&format!("for {name} in {range} {{ {text} }}\n"));
            return;
        }
        let is_down = l.rev != l.flipped;
        let (lo, hi) = (self.take(l.lo), self.take(l.hi));
        let (first, last) = if is_down { (hi, lo) } else { (lo, hi) };
        // Such a loop is unrolled.
        let is_known = first.is_literal() && last.is_literal();
        let last = self.end(last, out);
        let name = if is_used { self.name_result(variable, "i") } else { self.names.fresh("round") };
        let text = self.round(l, args);
        let in_order = args.iter().any(|a| self.func.is_float(*a));
        let apart = !is_known && !in_order && self.is_over_rows_of_lanes(&l.body) && self.is_size(variable);
        let step = if apart { self.one() } else { "1" };
        out.push_str(&format!("let mut {name} = {};\n", first.text));
        out.push_str(&match (is_down, l.body.diverges) {
            (true, _) => format!("while {last} < {name} {{ {name} -= {step}; {text} }}\n"),
            (false, true) => format!("while {name} < {last} {{ {text} }}\n"),
            (false, false) => format!("while {name} < {last} {{ {text} {name} += {step}; }}\n"),
        });
    }

    /// Whether each round is straight code but for loops over the lanes.
    fn is_over_rows_of_lanes(&self, body: &Block) -> bool {
        let (mut lanes, mut others) = (false, false);
        body.visit(&mut |inst| match &inst.kind {
            InstKind::For(l) if self.lane_counts.contains(&l.hi) => lanes = true,
            InstKind::For(_) | InstKind::While { .. } => others = true,
            _ => {}
        });
        lanes && !others
    }

    /// Whether a value is known to be a `usize`.
    fn is_size(&mut self, v: Value) -> bool {
        self.sizes.get_or_insert_with(|| sizes(self.func)).contains(&v)
    }

    /// The step of a loop over rows of lanes, a one of which LLVM does not know that it is: where it can count the rounds, it takes the
    /// same lane of several of them at once, which lie apart in memory, and not the lanes of one.
    fn one(&mut self) -> &str {
        self.one.get_or_insert_with(|| self.names.fresh("one"))
    }

    /// What a `for` runs over.
    fn range(&mut self, l: &ForLoop) -> String {
        let lo = self.take_at(l.lo, Prec::Add);
        let hi = self.take_at(l.hi, Prec::Add);
        let dots = if l.inclusive { "..=" } else { ".." };
        let mut range = Expr::new(format!("{lo} {dots} {hi}"), Prec::Lowest);
        if let Some(step) = l.step {
            if l.rev {
                range = range.method("rev", &[]);
            }
            let step = self.take(step).text;
            range = range.method("step_by", &[step]);
            if l.flipped {
                // Of other ranges in steps std does not know where they end.
                return if !l.inclusive && self.is_size(l.body.args[0]) {
                    range.method("rev", &[]).text
                } else {
                    format!("::ad_runtime::__private::backwards({})", range.text)
                };
            }
        } else if l.rev != l.flipped {
            range = range.method("rev", &[]);
        }
        range.text
    }

    /// The end of a loop, as what costs nothing to compare with in each round.
    fn end(&mut self, end: Expr, out: &mut String) -> String {
        if end.is_atom() {
            return end.text;
        }
        let name = self.names.fresh("end");
        out.push_str(&format!("let {name} = {};\n", end.text));
        name
    }

    /// One round of a `for`, what it carries assigned.
    fn round(&mut self, l: &ForLoop, args: &[Value]) -> String {
        let mut text = String::new();
        self.block(&l.body, &mut text);
        if !l.body.diverges {
            self.assign(args, &l.body.yields, &mut text);
        }
        text
    }

    pub(super) fn while_loop(
        &mut self,
        inst: &Inst,
        inits: &[Value],
        cond_block: &Block,
        body: &Block,
        out: &mut String,
    ) {
        self.flush_except(inits, out);
        self.variables(inits, &[&body.args, &cond_block.args], &inst.results, out);
        let mut test = String::new();
        self.block(cond_block, &mut test);
        let cond = self.take(cond_block.yields[0]);
        self.flush(None, &mut test);
        let mut text = String::new();
        self.block(body, &mut text);
        if !body.diverges {
            self.assign(&body.args, &body.yields, &mut text);
        }
        if test.is_empty() {
            out.push_str(&format!("while {} {{ {text} }}\n", cond.text));
        } else {
            let not = cond.at(Prec::Postfix);
            out.push_str(&format!("loop {{ {test} if ! {not} {{ break; }} {text} }}\n"));
        }
    }
}

/// Whether the user's own code runs in a block: it may still hold a reference to the loop's variable when the round ends.
fn runs_own_code(block: &Block) -> bool {
    let mut found = false;
    block.visit(&mut |inst| {
        found |= matches!(&inst.kind, InstKind::Pure(Op::Verbatim(_), _) | InstKind::Effect(..));
    });
    found
}

/// [`Body::add_assign`] for the user's own code.
fn add_assign(target: &str, value: TokenStream) -> Option<TokenStream> {
    let expr: syn::ExprBinary = syn::parse2(value).ok()?;
    let op = match expr.op {
        syn::BinOp::Add(_) => quote!(+=),
        syn::BinOp::Sub(_) => quote!(-=),
        syn::BinOp::Mul(_) => quote!(*=),
        syn::BinOp::Div(_) => quote!(/=),
        _ => return None,
    };
    match (&*expr.left, &expr.right) {
        (syn::Expr::Path(p), right) if p.path.is_ident(target) => {
            let target = Ident::new(target, Span::call_site());
            Some(quote!(#target #op #right;))
        }
        _ => None,
    }
}
