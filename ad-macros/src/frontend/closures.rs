//! Closures and functions inside the function: their code is lowered where they are called.

use std::rc::Rc;

use proc_macro2::Span;
use quote::{ToTokens, quote};
use rustc_hash::FxHashMap as HashMap;
use syn::spanned::Spanned;

use super::lower::{Flow, Lower};
use super::value::{Closure, Val};

/// Deeper than this only a function that calls itself goes.
const DEEPEST: usize = 24;

/// How often a function may be in itself: it may be called by a closure that it is given.
const MOST_NESTED: usize = 3;

impl Lower<'_> {
    /// `|x| ..`
    pub(super) fn closure(&mut self, c: &syn::ExprClosure) -> Val {
        let params: Vec<syn::Pat> = c.inputs.iter().cloned().collect();
        let mut scopes = self.scopes.clone();
        if c.capture.is_some() {
            // What is moved in stays as it is now.
            let mut moved = HashMap::default();
            for (name, var) in scopes.iter().flatten() {
                let variable = self.s.vars[*var].clone();
                let plain = !matches!(variable.val, Val::Closure(_) | Val::Iter(_) | Val::RefMut(..));
                if plain && self.lookup(name) == Some(*var) {
                    let val = self.own(variable.val, variable.mutable, name);
                    let copy = self.new_var(name, variable.mutable, val);
                    moved.insert(name.clone(), copy);
                }
            }
            scopes.push(moved);
        }
        let body = match &c.output {
            syn::ReturnType::Type(_, ty) if !matches!(&*c.body, syn::Expr::Block(_)) => {
                let body = &c.body;
                syn::parse_quote!({ let value: #ty = #body; value })
            }
            _ => (*c.body).clone(),
        };
        Val::Closure(Rc::new(
            Closure::new(params, body, scopes, c.to_token_stream(), false).returning(&c.output),
        ))
    }

    /// `fn helper(..) { .. }` inside a function.
    pub(super) fn nested_fn(&mut self, f: &syn::ItemFn) {
        let name = f.sig.ident.to_string();
        let mut params = Vec::new();
        for input in &f.sig.inputs {
            match input {
                syn::FnArg::Typed(p) => params.push(syn::Pat::Type(p.clone())),
                syn::FnArg::Receiver(_) => {}
            }
        }
        let block = &f.block;
        let body: syn::Expr = syn::parse_quote!(#block);
        // It sees the other functions, and no variables.
        let mut seen: HashMap<String, usize> = HashMap::default();
        for (name, var) in self.scopes.iter().flatten() {
            if matches!(&self.s.vars[*var].val, Val::Closure(c) if c.is_fn) {
                seen.insert(name.clone(), *var);
            }
        }
        let var = self.new_var(&name, false, Val::Unset);
        seen.insert(name.clone(), var);
        let closure = Closure::new(params, body, vec![seen], f.sig.ident.to_token_stream(), true)
            .returning(&f.sig.output)
            .of_generic(f);
        self.s.vars[var].val = Val::Closure(Rc::new(closure));
        self.declare(&name, var);
    }

    /// Lowers the body of a closure for these arguments.
    pub(super) fn inline(&mut self, c: &Rc<Closure>, args: Vec<Val>) -> Val {
        self.inline_as(c, args, None)
    }

    /// As [`Lower::inline`], where a value of this type is wanted.
    pub(super) fn inline_as(&mut self, c: &Rc<Closure>, args: Vec<Val>, wanted: Option<syn::Type>) -> Val {
        if args.contains(&Val::Never) {
            return Val::Never;
        }
        let instance = match &c.generic {
            Some(item) => match self.nested_instance(c, item, &args) {
                Some(instance) => Some(Rc::new(instance)),
                None => return Val::Never,
            },
            None => None,
        };
        let c = instance.as_ref().unwrap_or(c);
        if self.depth >= DEEPEST || self.inlined.iter().filter(|id| **id == c.id()).count() >= MOST_NESTED {
            self.diagnostics.cause(
                c.body.span(),
                "this function calls itself: it cannot be written out where it is called",
                "let it be a function of its own with `#[differentiable]` that returns one float, or write a loop (over the \
                 nodes of a tree from its leaves to its root)",
            );
            return Val::Never;
        }
        if c.params.len() != args.len() {
            self.error(
                c.body.span(),
                format!("{} arguments for {} parameters", args.len(), c.params.len()),
                "give each parameter an argument",
            );
            return Val::Never;
        }
        let scopes = std::mem::replace(&mut self.scopes, c.scopes.clone());
        self.scopes.push(HashMap::default());
        let loops = std::mem::take(&mut self.loops);
        let flag = self.bool_var("returned");
        let returned = std::mem::replace(&mut self.returned, flag);
        let slot = self.new_var("result", true, Val::Unset);
        let return_value = std::mem::replace(&mut self.return_value, slot);
        let tail = std::mem::replace(&mut self.tail, true);
        let no_exits = std::mem::replace(&mut self.no_exits, false);
        let refutable = std::mem::replace(&mut self.refutable, false);
        let output = std::mem::replace(&mut self.output, wanted.clone().or_else(|| c.output.clone()));
        let expected = std::mem::replace(&mut self.expected, wanted);
        self.depth += 1;
        self.inlined.push(c.id());
        for (pattern, val) in c.params.iter().zip(args) {
            self.bind_pattern(pattern, val, true);
        }
        let (val, flow) = self.expr(&c.body);
        let val = match flow {
            Flow::Falls => val,
            _ => self.merge_returned(val, flow),
        };
        self.depth -= 1;
        self.inlined.pop();
        self.expected = expected;
        self.output = output;
        self.tail = tail;
        self.no_exits = no_exits;
        self.refutable = refutable;
        self.return_value = return_value;
        self.returned = returned;
        self.loops = loops;
        self.scopes = scopes;
        val
    }

    /// A function by its name, as a value: `f64::max`, or one that the macro has seen.
    pub(super) fn function_value(&mut self, p: &syn::ExprPath) -> Option<Val> {
        let arity = match self.float_path(&p.path) {
            Some((_, name)) => match name.as_str() {
                "powi" => 2,
                "mul_add" | "clamp" => 3,
                name if crate::ir::Unary::from_method(name).is_some() => 1,
                name if crate::ir::Binary::from_method(name).is_some() => 2,
                name => (0..2).find(|n| super::generic::operator(name, *n).is_some())? + 1,
            },
            None => {
                let name = p.path.get_ident()?.to_string();
                // A constant may have the name of a function of another module; those are upper-case.
                if name.starts_with(char::is_uppercase) || self.sig.ident == name {
                    return None;
                }
                crate::functions::find(&name)?.item(p.span())?.sig.inputs.len()
            }
        };
        let names: Vec<syn::Ident> =
            (0..arity).map(|k| syn::Ident::new(&format!("__ad_argument_{k}"), Span::call_site())).collect();
        let params: Vec<syn::Pat> = names.iter().map(|name| syn::parse_quote!(#name)).collect();
        let body: syn::Expr = syn::parse_quote!(#p(#(#names),*));
        let closure = Closure::new(params, body, self.scopes.clone(), p.to_token_stream(), true);
        Some(Val::Closure(Rc::new(closure)))
    }

    /// Calls what a path names with values.
    pub(super) fn call_path(&mut self, path: &syn::ExprPath, args: Vec<Val>) -> Val {
        self.scoped(|this| {
            let mut names = Vec::new();
            for (k, val) in args.into_iter().enumerate() {
                let name = syn::Ident::new(&format!("__ad_argument_{k}"), Span::call_site());
                let var = this.new_var(&name.to_string(), false, val);
                this.declare(&name.to_string(), var);
                names.push(name);
            }
            match syn::parse2::<syn::Expr>(quote!(#path(#(#names),*))) {
                Ok(call) => this.expr(&call).0,
                Err(e) => {
                    this.diagnostics.push(e);
                    Val::Never
                }
            }
        })
    }
}
