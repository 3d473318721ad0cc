//! The ordered list of passes: the one place to read first.
//!
//! ```text
//! syn ── frontend ──> IR ── optimise ──> f
//!     f_grad          reverse(f)
//!     f_jvp           forward(f)
//!     f_vjp           reverse(f), seeds given by the caller
//!     f_hvp           forward(reverse(f)), the product alone
//!     f_grad_hvp      forward(reverse(f)), all it computes
//!     f_hvp_rev       reverse(forward(f)), of the slope
//!     f_curvature     forward(forward(f)), both along one direction
//!     f_hessian       f_hvp and f_grad as an operator
//!     f_sparsity      pattern(f), what runs on index sets
//!     f_linearize     split(forward(reverse(f))), both halves as an operator
//!     f_check         a test that compares f, f_grad and f_hvp
//! ── optimise ── backend ──> tokens
//! ```

use std::borrow::Cow;
use std::cell::OnceCell;

use proc_macro2::TokenStream;
use quote::quote;
use rustc_hash::FxHashMap as HashMap;

use crate::backend::{self, Part, Reach};
use crate::blocks::Owner;
use crate::diagnostics::Diagnostics;
use crate::dump::Dump;
use crate::file::Around;
use crate::frontend;
use crate::frontend::signature::{Ret, Signature, is_helper};
use crate::ir::verify::verify;
use crate::ir::{Binding, CallMode, Func, InstKind, Mark, Role, Source, Storage};
use crate::optimize::{bring_together, finish, finish_shaped, optimize, prepare, shape};
use crate::options::{self, Options};
use crate::transform::checkpoint::in_segments;
use crate::transform::forward::forward;
use crate::transform::lanes::widen;
use crate::transform::outputs::{bind_seed, keep_outputs, merge_params, without_effects};
use crate::transform::pattern::{is_universal, pattern};
use crate::transform::reverse::reverse;
use crate::transform::split::{Split, split};

/// A function generated for the user.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) enum Product {
    /// `f_grad`: reverse(f)
    Grad,
    /// `f_jvp`: forward(f)
    Jvp,
    /// `f_vjp`: reverse(f), for several outputs
    Vjp,
    /// `f_hvp`: forward(reverse(f)), the Hessian-vector product alone
    Hvp,
    /// `f_hvp_block`: lanes(forward(reverse(f))), for several directions at once
    HvpBlock,
    /// `f_grad_hvp`: forward(reverse(f)), everything it computes
    GradHvp,
    /// `f_hvp_rev`: reverse(forward(f))
    HvpRev,
    /// `f_curvature`: forward(forward(f)) along one direction
    Curvature,
    /// `f_hessian`: an operator that applies `f_hvp`
    Hessian,
    /// `f_linearize`: an operator of the two halves of split(forward(reverse(f)))
    Linearize,
    /// `f_sparsity`: the pattern of the Hessian
    Sparsity,
}

impl Product {
    pub(crate) const ALL: [Product; 11] = [
        Product::Grad,
        Product::Jvp,
        Product::Vjp,
        Product::Hvp,
        Product::HvpBlock,
        Product::GradHvp,
        Product::HvpRev,
        Product::Curvature,
        Product::Hessian,
        Product::Linearize,
        Product::Sparsity,
    ];

    /// What stands behind the function's name.
    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Product::Grad => "grad",
            Product::Jvp => "jvp",
            Product::Vjp => "vjp",
            Product::Hvp => "hvp",
            Product::HvpBlock => "hvp_block",
            Product::GradHvp => "grad_hvp",
            Product::HvpRev => "hvp_rev",
            Product::Curvature => "curvature",
            Product::Hessian => "hessian",
            Product::Linearize => "linearize",
            Product::Sparsity => "sparsity",
        }
    }

    /// The product named in `only(..)`.
    pub(crate) fn from_word(word: &str) -> Option<Product> {
        Product::ALL.into_iter().find(|p| p.suffix() == word)
    }

    /// What a function of this signature gets.
    fn of(sig: &Signature) -> &'static [Product] {
        if is_scalar(sig) {
            &[
                Product::Grad,
                Product::Jvp,
                Product::Hvp,
                Product::HvpBlock,
                Product::GradHvp,
                Product::HvpRev,
                Product::Curvature,
                Product::Hessian,
                Product::Linearize,
                Product::Sparsity,
            ]
        } else {
            &[Product::Jvp, Product::Vjp]
        }
    }
}

/// One float comes back and nothing else goes out.
pub(crate) fn is_scalar(sig: &Signature) -> bool {
    use crate::frontend::signature::Class;
    matches!(sig.ret, Ret::Scalar) && !sig.params.iter().any(|p| matches!(p.class, Class::Output { .. }))
}

/// Expands one annotated item: the item untouched (but for traits, whose methods get companions), then what is generated, or the
/// errors.
pub(crate) fn expand(attributes: TokenStream, item: TokenStream) -> TokenStream {
    let mut diagnostics = Diagnostics::default();
    if let (true, Ok(declared)) = (attributes.is_empty(), syn::parse2::<syn::ItemTrait>(item.clone())) {
        return crate::traits::declare(declared);
    }
    if let Ok(block) = syn::parse2::<syn::ItemImpl>(item.clone())
        && let Some((whole, beside)) = crate::traits::define(&block, &mut diagnostics)
    {
        let kept = crate::blocks::expand(attributes, block, &mut diagnostics);
        return match diagnostics.into_error() {
            Some(errors) => {
                let errors = errors.to_compile_error();
                quote!(#whole #errors)
            }
            None => quote!(#whole #beside #kept),
        };
    }
    let function = syn::parse2::<syn::ItemFn>(item.clone()).ok();
    let (mut around, mut stands) = (None, Stands::Unknown);
    if let Some(function) = function {
        match crate::file::around(&function) {
            Around::Block(block) => around = Some((block, function)),
            Around::NoBlock => stands = Stands::Free,
            Around::Unknown => {}
        }
    }
    let generated = match &around {
        Some((block, method)) => of_method(attributes, method, block, &mut diagnostics),
        None => generate(attributes, item.clone(), stands, &mut diagnostics),
    };
    match diagnostics.into_error() {
        Some(errors) => {
            let errors = errors.to_compile_error();
            quote!(#item #errors)
        }
        None if let Some((block, method)) = around
            && block.trait_.is_some() =>
        {
            crate::blocks::inside(method, &block, &generated)
        }
        // A user may call the derivatives alone.
        None => quote!(#[allow(dead_code)] #item #generated),
    }
}

fn generate(
    attributes: TokenStream,
    item: TokenStream,
    stands: Stands<'_>,
    diagnostics: &mut Diagnostics,
) -> TokenStream {
    if let Ok(alias) = syn::parse2::<syn::ItemType>(item.clone()) {
        crate::aliases::keep(&alias);
        return TokenStream::new();
    }
    if let Ok(block) = syn::parse2::<syn::ItemImpl>(item.clone()) {
        return crate::blocks::expand(attributes, block, diagnostics);
    }
    let options = options::parse(attributes, diagnostics);
    let function = match syn::parse2::<syn::ItemFn>(item) {
        Ok(function) => function,
        Err(e) => {
            diagnostics.error(
                e.span(),
                "`#[differentiable]` stands on a function with a body",
                "put it on a `fn` or on a method in an `impl` block",
            );
            return TokenStream::new();
        }
    };
    of_function(function, options, stands, diagnostics)
}

/// What is generated for a method in a block that its file tells.
fn of_method(
    attributes: TokenStream,
    method: &syn::ItemFn,
    block: &syn::ItemImpl,
    diagnostics: &mut Diagnostics,
) -> TokenStream {
    let options = options::parse(attributes, diagnostics);
    match crate::blocks::Owner::of(block, true).filter(|_| options.partials.is_none()) {
        Some(owner) => crate::blocks::method(method, options, block, &owner, diagnostics),
        None => of_function(method.clone(), options, Stands::Unknown, diagnostics),
    }
}

/// What is known of the place of a function.
#[derive(Clone, Copy)]
pub(crate) enum Stands<'o> {
    /// Outside of `impl` blocks.
    Free,
    /// In a block of this type: what the block keeps of it is not kept again.
    In(&'o Owner<'o>),
    Unknown,
}

/// What is generated for a function, or for a method.
pub(crate) fn of_function(
    mut function: syn::ItemFn,
    mut options: Options,
    stands: Stands<'_>,
    diagnostics: &mut Diagnostics,
) -> TokenStream {
    let of = match stands {
        Stands::In(owner) => Some(owner),
        Stands::Free | Stands::Unknown => None,
    };
    let aliases = crate::aliases::in_function(&mut function);
    crate::below::see(&function);
    if let Some(owner) = of {
        function.sig.generics = crate::functions::joined(owner.generics, &function.sig.generics);
    }
    let Ok(own) = crate::receivers::open(&mut function, &mut options, of, diagnostics) else {
        return TokenStream::new();
    };
    let is_changed = frontend::signature::is_changed(&function.sig, options.wrt.as_ref());
    if options.partials.is_none() && (is_changed || is_helper(&function, of.is_some_and(|owner| owner.asked)))
    {
        let receiver = own.as_ref().map(|own| &own.receiver).or(function.sig.receiver());
        let made = helper(&function, &options, of, receiver, diagnostics);
        return quote!(#aliases #made);
    }
    let Some(lowered) = frontend::lower(&function, &options, diagnostics) else {
        return TokenStream::new();
    };
    let frontend::Lowered { mut sig, func: primal, mut assumptions } = lowered;
    if of.is_some_and(|owner| !owner.asked) && calls_strangers(&primal, diagnostics) {
        return TokenStream::new();
    }
    sig.around = of
        .iter()
        .flat_map(|owner| owner.generics.params.iter().map(frontend::signature::param_name))
        .collect();
    if let Some(own) = &own {
        sig.receiver = Some(own.receiver.clone());
        sig.opening = Some(own.opening.clone());
    }
    assumptions.push(aliases);
    let mut dump = Dump::new(&sig, options.dump);
    dump.stage("primal", &primal);
    let mut primal = prepare(optimized("primal", primal));
    if let Some((every, span)) = options.checkpoint {
        match in_segments(primal.clone(), every) {
            Some(cut) => primal = optimized("checkpoint", cut),
            None => diagnostics.error(
                span,
                format!("`{}` has no loop that can be cut into segments", sig.ident),
                "a loop is cut that hands floats on from round to round, and runs over `lo..hi`; leave out `checkpoint` where \
                 there is none",
            ),
        }
    }
    dump.stage("primal, optimised", &primal);
    dump.plan(&primal);

    let mut out = TokenStream::new();
    let derivatives = Derivatives::of(&primal);
    let mut made: HashMap<Product, Func> = HashMap::default();
    let reach = match stands {
        Stands::Free => Reach::Name,
        Stands::In(_) => Reach::OfSelf,
        Stands::Unknown if sig.receiver.is_some() => Reach::OfSelf,
        Stands::Unknown => Reach::No,
    };
    for product in chosen(&sig, &options, diagnostics) {
        if matches!(product, Product::Hessian | Product::Linearize | Product::Sparsity) {
            let tokens = operator(product, &sig, &derivatives, (&made, reach), &options, diagnostics);
            dump.rust(&tokens);
            out.extend(tokens);
            continue;
        }
        let func = match product {
            Product::HvpBlock => {
                let Some(func) = derivatives.block(&backend::lanes_name(&sig, &primal)) else {
                    no_block(&sig, &options, diagnostics);
                    continue;
                };
                func
            }
            _ => derivatives.product(product),
        };
        dump.stage(product.suffix(), &func);
        let tokens = backend::emit(&sig, product, &func);
        made.insert(product, func);
        dump.rust(&tokens);
        out.extend(tokens);
    }
    if options.only.as_ref().is_none_or(|only| only.calls)
        && (sig.opening.is_none() || of.is_some_and(|owner| owner.asked) && !sig.params[0].active)
        && is_scalar(&sig)
        && backend::can_be_called(&sig)
    {
        for mode in [CallMode::Jvp, CallMode::Vjp, CallMode::VjpJvp, CallMode::JvpJvp] {
            let func = match mode {
                CallMode::Jvp => made.remove(&Product::Jvp),
                _ => None,
            };
            let func = func.unwrap_or_else(|| derivatives.companion(mode));
            out.extend(backend::emit_companion(&sig, mode, &func));
        }
    }
    out.extend(backend::checks(&sig, &options, diagnostics));
    out.extend(backend::guards(&sig, &options, assumptions));
    if options.partials.is_none() && sig.receiver.is_none() && of.is_none() {
        let can_be_called = backend::can_be_called(&sig);
        out.extend(crate::functions::keep(&function, can_be_called));
    }
    // Methods of the same struct may call this one with an active `self`.
    let method = match own {
        _ if of.is_some() => None,
        Some(own) => Some((own.name, function)),
        None => crate::receivers::of_method(&function),
    };
    if let (Some((ty, function)), None) = (&method, &options.partials) {
        out.extend(crate::functions::keep_method(ty, function));
    }
    dump.write(diagnostics);
    out
}

/// The companions of a function alone, and the assertions that go with them. `None` if it can have none, or after an error.
pub(crate) fn companions(
    mut function: syn::ItemFn,
    options: &Options,
    diagnostics: &mut Diagnostics,
) -> Option<(TokenStream, TokenStream)> {
    let aliases = crate::aliases::in_function(&mut function);
    let frontend::Lowered { sig, func, mut assumptions } = frontend::lower(&function, options, diagnostics)?;
    if !is_scalar(&sig) || !backend::can_be_called(&sig) {
        return None;
    }
    let primal = prepare(optimized("primal", func));
    let derivatives = Derivatives::of(&primal);
    let made = [CallMode::Jvp, CallMode::Vjp, CallMode::VjpJvp, CallMode::JvpJvp]
        .map(|mode| backend::emit_companion(&sig, mode, &derivatives.companion(mode)));
    assumptions.push(aliases);
    Some((made.into_iter().collect(), backend::guards(&sig, options, assumptions)))
}

/// Whether a function calls others that the macro has not seen: rustc would miss their derivatives, where nobody may have asked
/// for this one's.
fn calls_strangers(func: &Func, diagnostics: &mut Diagnostics) -> bool {
    let mut found = None;
    func.body.visit(&mut |inst| {
        if let InstKind::Call(call) = &inst.kind {
            let name = call.callee.clone().into_iter().last().map(|t| t.to_string()).unwrap_or_default();
            if crate::functions::find(&name).is_none_or(|known| !known.can_be_called) {
                found.get_or_insert(name);
            }
        }
    });
    if let Some(name) = &found {
        diagnostics.error(
            proc_macro2::Span::call_site(),
            format!("the macro has not seen `{name}`, which it calls"),
            format!("put `#[differentiable]` on `{name}`"),
        );
    }
    found.is_some()
}

/// A function without derivatives of its own, kept for those that call it.
/// `of`: the type of the block that keeps it.
fn helper(
    function: &syn::ItemFn,
    options: &Options,
    of: Option<&Owner<'_>>,
    receiver: Option<&syn::Receiver>,
    diagnostics: &mut Diagnostics,
) -> TokenStream {
    let name = &function.sig.ident;
    for (product, span) in options.only.iter().flat_map(|only| &only.products) {
        diagnostics.error(
            *span,
            format!("`{name}` cannot have `{}`: what it takes or returns has no derivative of its own", product.suffix()),
            "return `f64`, an array, a `Vec<f64>` or a tuple of these, or write to `&mut [f64]` and take what it depends on as \
             other parameters; without `only(..)`, other `#[differentiable]` functions can call it",
        );
    }
    // What is active, its callers say; what is named here must be there all the same.
    for word in options.wrt.iter().flatten() {
        if !frontend::signature::has_param(&function.sig, word) {
            diagnostics.error(
                word.span(),
                format!("there is no parameter `{word}`"),
                "name parameters; or leave out `wrt(..)`: a function without derivatives of its own has them as its callers say",
            );
        }
    }
    for check in &options.checks {
        diagnostics.error(
            check.span,
            format!("`{name}` has no derivatives of its own that could be checked"),
            "leave out `check(..)` here, and check the functions that call it",
        );
    }
    let kept = of.is_none().then(|| crate::functions::keep(function, false));
    // A type may have several operators of one name.
    let products: &[Product] = match of {
        Some(owner) if owner.of_a_trait => &[],
        _ => &[Product::Grad, Product::Jvp, Product::Vjp, Product::Hvp],
    };
    let absent = backend::absent(function, products, receiver);
    quote!(#kept #absent)
}

/// `f_hessian`, `f_linearize` or `f_sparsity`, if the function can have them; an error if it cannot and they are asked for.
fn operator(
    product: Product,
    sig: &Signature,
    derivatives: &Derivatives<'_>,
    (made, reach): (&HashMap<Product, Func>, Reach),
    options: &Options,
    diagnostics: &mut Diagnostics,
) -> TokenStream {
    let made = backend::Operators::new(sig).and_then(|operators| match product {
        Product::Hessian => {
            let part = |p: Product| -> Option<Part<'_>> {
                if let Some(func) = made.get(&p) {
                    let beside = operators.beside(p, reach);
                    return Some(
                        beside.map_or_else(|| Part::Brought(Box::new(Cow::Borrowed(func))), Part::Beside),
                    );
                }
                let func = match p {
                    Product::HvpBlock => derivatives.block(&backend::lanes_name(sig, derivatives.f))?,
                    _ => derivatives.product(p),
                };
                Some(Part::Brought(Box::new(Cow::Owned(func))))
            };
            let block = part(Product::HvpBlock);
            Some(operators.hessian(&part(Product::Hvp)?, block.as_ref(), &part(Product::Grad)?))
        }
        Product::Linearize => Some(operators.linearize(&derivatives.linearize()?)),
        _ => {
            let sets = optimized("pattern", pattern(&without_effects(derivatives.f.clone())));
            let universal = is_universal(&sets);
            Some(operators.sparsity(&finish(sets), universal))
        }
    });
    if let (None, Some(only)) = (&made, &options.only)
        && let Some((_, span)) = only.products.iter().find(|(p, _)| *p == product)
    {
        diagnostics.error(
            *span,
            format!("`{}` cannot have `{}`", sig.ident, product.suffix()),
            "the active parameters must be floats, or arrays or slices (of one axis) of the same float type; the others \
             references, or of types that can be cloned; and the result a plain float",
        );
    }
    made.unwrap_or_default()
}

/// An error if the product of several directions is asked for, of a function that cannot have it.
fn no_block(sig: &Signature, options: &Options, diagnostics: &mut Diagnostics) {
    let asked = options.only.iter().flat_map(|only| &only.products).find(|(p, _)| *p == Product::HvpBlock);
    if let Some((_, span)) = asked {
        diagnostics.error(
            *span,
            format!("`{}` cannot have `hvp_block`", sig.ident),
            "the active parameters must be floats, or arrays, slices or vectors of floats, with rows of one length; apply \
             `hvp` to one direction after another",
        );
    }
}

/// The products to generate.
fn chosen(sig: &Signature, options: &Options, diagnostics: &mut Diagnostics) -> Vec<Product> {
    let all = Product::of(sig);
    let Some(only) = &options.only else { return all.to_vec() };
    for (product, span) in &only.products {
        if !all.contains(product) {
            let words: Vec<String> = all.iter().map(|p| format!("`{}`", p.suffix())).collect();
            let what = if is_scalar(sig) { "one float" } else { "several outputs" };
            diagnostics.error(
                *span,
                format!("a function with {what} has no `{}`", product.suffix()),
                format!("choose among {}", words.join(", ")),
            );
        }
    }
    all.iter().copied().filter(|p| only.products.iter().any(|(q, _)| p == q)).collect()
}

/// A function and what several of its products begin with, each made once.
pub(crate) struct Derivatives<'f> {
    f: &'f Func,
    gradient: OnceCell<Func>,
    tangent: OnceCell<Func>,
    second: OnceCell<Func>,
    adjoint: OnceCell<Func>,
    hvp: OnceCell<Func>,
}

impl<'f> Derivatives<'f> {
    pub(crate) fn of(f: &'f Func) -> Derivatives<'f> {
        Derivatives {
            f,
            gradient: OnceCell::new(),
            tangent: OnceCell::new(),
            second: OnceCell::new(),
            adjoint: OnceCell::new(),
            hvp: OnceCell::new(),
        }
    }

    /// reverse(f), its seed one
    fn gradient(&self) -> &Func {
        self.gradient.get_or_init(|| {
            let seed = Role::primal(Source::Result(0)).marked(Mark::Bar);
            bring_together(optimized("reverse", bind_seed(reverse(self.f, false), &seed, 1.0)))
        })
    }

    /// forward(f)
    fn tangent(&self) -> &Func {
        self.tangent.get_or_init(|| optimized("forward", forward(self.f)))
    }

    /// forward(reverse(f)): value, gradient and product
    fn second(&self) -> &Func {
        self.second.get_or_init(|| {
            optimized("grad_hvp", keep_outputs(forward(self.gradient()), |role| role.marks != [Mark::Dot]))
        })
    }

    /// forward(reverse(f)): the product alone
    fn hvp(&self) -> &Func {
        self.hvp.get_or_init(|| {
            let second = self.second().clone();
            optimized("hvp", keep_outputs(second, |role| role.marks == [Mark::Bar, Mark::Dot]))
        })
    }

    /// `f_hvp_block`: the product for `count` directions at once, if it can be widened.
    pub(crate) fn block(&self, count: &str) -> Option<Func> {
        let wide = widen(&shape(self.hvp().clone()), count)?;
        verified("hvp_block", &wide);
        Some(finish_shaped(wide))
    }

    /// reverse(f) alone, its seeds given, as callers want it
    fn adjoint(&self) -> &Func {
        self.adjoint.get_or_init(|| {
            let adjoint = keep_outputs(reverse(self.f, true), |role| role.marks.contains(&Mark::Bar));
            bring_together(optimized("reverse", adjoint))
        })
    }

    /// The transforms behind each product.
    pub(crate) fn product(&self, product: Product) -> Func {
        let f = self.f;
        let func = match product {
            Product::Grad => self.gradient().clone(),
            Product::Jvp => self.tangent().clone(),
            Product::GradHvp => self.second().clone(),
            Product::Vjp => {
                let vjp = keep_outputs(reverse(f, false), |role| role.marks == [Mark::Bar]);
                bring_together(optimized("vjp", vjp))
            }
            Product::Hvp => self.hvp().clone(),
            Product::HvpRev => {
                let slope = Role::primal(Source::Result(0)).marked(Mark::Dot);
                let jvp = optimized("forward", keep_outputs(forward(f), |role| *role == slope));
                let hvp = reverse(&directions_inactive(jvp), false);
                let hvp = bind_seed(hvp, &slope.marked(Mark::Bar), 1.0);
                bring_together(optimized("hvp_rev", keep_outputs(hvp, |role| role.marks == [Mark::Bar])))
            }
            Product::Curvature => {
                let jvp = directions_inactive(self.tangent().clone());
                let mut second = forward(&jvp);
                // The slope is the tangent of the value twice over; the first is kept.
                let mut seen = Vec::new();
                second.outputs.retain(|o| {
                    let new = !seen.contains(&o.role);
                    seen.push(o.role.clone());
                    new
                });
                let directions: Vec<Role> =
                    f.params.iter().filter(|p| p.active).map(|p| p.role.marked(Mark::Dot)).collect();
                optimized("curvature", directions.iter().fold(second, merge_params))
            }
            Product::HvpBlock | Product::Hessian | Product::Linearize | Product::Sparsity => {
                unreachable!("made of other products")
            }
        };
        finish(func)
    }

    /// `f_linearize`: forward(reverse(f)) in two, what does not depend on the direction and what does.
    pub(crate) fn linearize(&self) -> Option<Split> {
        let Split { fixed, varying } = split(self.second())?;
        let fixed = finish(optimized("linearize, fixed", fixed));
        let varying = finish(optimized("linearize, varying", varying));
        Some(Split { fixed, varying })
    }

    /// The transforms behind a companion.
    pub(crate) fn companion(&self, mode: CallMode) -> Func {
        finish(match mode {
            CallMode::Primal => self.f.clone(),
            CallMode::Jvp => self.tangent().clone(),
            CallMode::JvpJvp => optimized("companion", forward(self.tangent())),
            CallMode::Vjp => self.adjoint().clone(),
            CallMode::VjpJvp => optimized("companion", forward(self.adjoint())),
        })
    }
}

/// Directions are not differentiated with respect to.
fn directions_inactive(mut func: Func) -> Func {
    for p in &mut func.params {
        let is_output =
            matches!(p.binding, Binding::Buffer(b) if func.buffers[b.0 as usize].storage == Storage::Output);
        if !p.role.marks.is_empty() && !is_output {
            p.active = false;
        }
    }
    func
}

/// Verifies and optimises.
fn optimized(stage: &str, func: Func) -> Func {
    verified(stage, &func);
    optimize(func)
}

/// Verifies, where that is on.
fn verified(stage: &str, func: &Func) {
    if crate::ir::verify::is_on()
        && let Err(e) = verify(func)
    {
        panic!("after {stage}: {e}\n{func}");
    }
}
