//! Branches and loops. What a loop carries is a mutable variable, which its arguments and results share.

use proc_macro2::{Ident, TokenStream};
use quote::quote;
use rustc_hash::FxHashSet as HashSet;

use super::body::Body;
use super::expr::{self, Expr, Prec};
use crate::ir::{Block, ForLoop, Inst, Value};

impl Body<'_> {
    pub(super) fn branch(
        &mut self,
        inst: &Inst,
        cond: Value,
        then_block: &Block,
        else_block: &Block,
        out: &mut TokenStream,
    ) {
        self.flush_except(&[cond], out);
        let cond = self.take(cond);
        let mut arms = Vec::new();
        for block in [then_block, else_block] {
            let mut tokens = TokenStream::new();
            self.block(block, &mut tokens);
            let mut yields = Vec::new();
            if !block.diverges {
                for y in &block.yields {
                    yields.push(self.take(*y).tokens);
                }
            }
            self.flush(None, &mut tokens);
            if !yields.is_empty() {
                let value = super::signature::tuple(yields);
                tokens.extend(value);
            }
            arms.push(tokens);
        }
        let (then_arm, else_arm) = (&arms[0], &arms[1]);
        let test = &cond.tokens;
        if inst.results.is_empty() {
            out.extend(if else_arm.is_empty() {
                quote!(if #test { #then_arm })
            } else if then_arm.is_empty() {
                let not = cond.at(Prec::Postfix);
                quote!(if !#not { #else_arm })
            } else {
                quote!(if #test { #then_arm } else { #else_arm })
            });
            return;
        }
        let names: Vec<TokenStream> = inst
            .results
            .iter()
            .map(|r| {
                let name = self.names.fresh(self.func.value(*r).name.as_deref().unwrap_or("chosen"));
                self.values.insert(*r, name.clone());
                quote!(#name)
            })
            .collect();
        let types: Vec<_> = inst.results.iter().map(|r| expr::scalar_type(self.func.ty(*r))).collect();
        let names = super::signature::tuple(names);
        let types = types.iter().any(Option::is_some).then(|| {
            let types =
                super::signature::tuple(types.into_iter().map(|t| t.unwrap_or_else(|| quote!(_))).collect());
            quote!(: #types)
        });
        out.extend(quote!(let #names #types = if #test { #then_arm } else { #else_arm };));
    }

    pub(super) fn flush_except(&mut self, keep: &[Value], out: &mut TokenStream) {
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
        out: &mut TokenStream,
    ) {
        for (k, init) in inits.iter().enumerate() {
            let value = self.take(*init).tokens;
            let hint = args.iter().find_map(|a| self.func.value(a[k]).name.clone());
            let hint = hint.or_else(|| self.func.value(results[k]).name.clone());
            let name = self.names.fresh(hint.as_deref().unwrap_or("sum"));
            let ty = expr::scalar_type(self.func.ty(args[0][k])).map(|t| quote!(: #t));
            out.extend(quote!(let mut #name #ty = #value;));
            self.mutable.insert(name.to_string());
            for a in args {
                self.values.insert(a[k], name.clone());
            }
            self.values.insert(results[k], name);
        }
    }

    /// Assigns what a round yields to the variables.
    pub(super) fn assign(&mut self, args: &[Value], yields: &[Value], out: &mut TokenStream) {
        let targets: Vec<Ident> = args.iter().map(|a| self.value_name(*a)).collect();
        let mut assigned: HashSet<String> = HashSet::default();
        let mut clash = false;
        let mut parts = Vec::new();
        for (target, y) in targets.iter().zip(yields) {
            let waiting = self.waiting(&[*y]);
            let mut variables: HashSet<String> = waiting.iter().flat_map(|p| p.variables.clone()).collect();
            variables.extend(self.values.get(y).map(ToString::to_string));
            clash |= variables.iter().any(|v| assigned.contains(v));
            let expr = self.take(*y).tokens;
            if *target != expr.to_string() {
                assigned.insert(target.to_string());
                parts.push((target.clone(), expr, expr::is_generic(self.func.ty(*y))));
            }
        }
        self.flush(None, out);
        if clash {
            let (targets, values): (Vec<_>, Vec<_>) = parts.into_iter().map(|(t, v, _)| (t, v)).unzip();
            out.extend(quote!((#(#targets),*) = (#(#values),*);));
            return;
        }
        for (target, value, generic) in parts {
            let short = if generic { None } else { add_assign(&target, &value) };
            out.extend(short.unwrap_or_else(|| quote!(#target = #value;)));
        }
    }

    pub(super) fn for_loop(&mut self, inst: &Inst, l: &ForLoop, out: &mut TokenStream) {
        let heads: Vec<Value> =
            [l.lo, l.hi].into_iter().chain(l.step).chain(l.inits.iter().copied()).collect();
        self.flush_except(&heads, out);
        let args = &l.body.args[1..];
        self.variables(&l.inits, &[args], &inst.results, out);
        let lo = self.take_at(l.lo, Prec::Add);
        let hi = self.take_at(l.hi, Prec::Add);
        let dots = if l.inclusive { quote!(..=) } else { quote!(..) };
        let mut range = Expr { tokens: quote!(#lo #dots #hi), prec: Prec::Lowest };
        if let Some(step) = l.step {
            if l.rev {
                range = range.method("rev", &[]);
            }
            let step = self.take(step).tokens;
            range = range.method("step_by", &[step]);
            if l.flipped {
                range = range.method("rev", &[]);
            }
        } else if l.rev != l.flipped {
            range = range.method("rev", &[]);
        }
        let variable = l.body.args[0];
        let name = if self.uses.contains_key(&variable) {
            let name = self.names.fresh(self.func.value(variable).name.as_deref().unwrap_or("i"));
            self.values.insert(variable, name.clone());
            quote!(#name)
        } else {
            quote!(_)
        };
        let mut tokens = TokenStream::new();
        self.block(&l.body, &mut tokens);
        if !l.body.diverges {
            self.assign(args, &l.body.yields, &mut tokens);
        }
        let range = range.tokens;
        out.extend(quote!(for #name in #range { #tokens }));
    }

    pub(super) fn while_loop(
        &mut self,
        inst: &Inst,
        inits: &[Value],
        cond_block: &Block,
        body: &Block,
        out: &mut TokenStream,
    ) {
        self.flush_except(inits, out);
        self.variables(inits, &[&body.args, &cond_block.args], &inst.results, out);
        let mut test = TokenStream::new();
        self.block(cond_block, &mut test);
        let cond = self.take(cond_block.yields[0]);
        self.flush(None, &mut test);
        let mut tokens = TokenStream::new();
        self.block(body, &mut tokens);
        if !body.diverges {
            self.assign(&body.args, &body.yields, &mut tokens);
        }
        if test.is_empty() {
            let cond = cond.tokens;
            out.extend(quote!(while #cond { #tokens }));
        } else {
            let not = cond.at(Prec::Postfix);
            out.extend(quote!(loop { #test if !#not { break; } #tokens }));
        }
    }
}

/// `s = s + e` as `s += e`, where that is the same sum.
fn add_assign(target: &Ident, value: &TokenStream) -> Option<TokenStream> {
    let expr: syn::ExprBinary = syn::parse2(value.clone()).ok()?;
    let op = match expr.op {
        syn::BinOp::Add(_) => quote!(+=),
        syn::BinOp::Sub(_) => quote!(-=),
        syn::BinOp::Mul(_) => quote!(*=),
        syn::BinOp::Div(_) => quote!(/=),
        _ => return None,
    };
    match (&*expr.left, &expr.right) {
        (syn::Expr::Path(p), right) if p.path.is_ident(target) => Some(quote!(#target #op #right;)),
        _ => None,
    }
}
