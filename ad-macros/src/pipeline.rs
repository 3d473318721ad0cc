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

use proc_macro2::TokenStream;
use quote::quote;

use crate::backend::{self, Part, Reach};
use crate::blocks::Owner;
use crate::derivatives::{Derivatives, Wanted};
use crate::diagnostics::Diagnostics;
use crate::dump::Dump;
use crate::effort::Effort;
use crate::file;
use crate::frontend;
use crate::frontend::signature::{Ret, Signature, is_helper};
use crate::ir::verify::verify;
use crate::ir::{CallMode, Func, InstKind, Op};
use crate::optimize::{optimize, prepare};
use crate::options::{self, Options};
use crate::transform::checkpoint::in_segments;

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

    /// The product whose body a companion has.
    pub(crate) fn behind(mode: CallMode) -> Option<Product> {
        match mode {
            CallMode::Jvp => Some(Product::Jvp),
            CallMode::Curvature => Some(Product::Curvature),
            _ => None,
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
    // Nearly all items are functions: each attempt to read another kind costs a walk through the tokens.
    let function = syn::parse2::<syn::ItemFn>(item.clone()).ok();
    if function.is_none() {
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
    }
    let mut around = None;
    let generated = match function.map(|function| (file::around(&function), function)) {
        Some((file::Around::Block(block), method)) => {
            let generated = of_method(attributes, &method, &block, &mut diagnostics);
            around = Some((block, method));
            generated
        }
        Some((place, function)) => {
            let stands = if matches!(place, file::Around::NoBlock) { Stands::Free } else { Stands::Unknown };
            let options = options::parse(attributes, &mut diagnostics);
            of_function(function, options, stands, &mut diagnostics)
        }
        None => not_a_function(attributes, item.clone(), &mut diagnostics),
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

/// What is generated for a type alias or a block; all else is refused.
fn not_a_function(attributes: TokenStream, item: TokenStream, diagnostics: &mut Diagnostics) -> TokenStream {
    if let Ok(alias) = syn::parse2::<syn::ItemType>(item.clone()) {
        crate::aliases::keep(&alias);
        return TokenStream::new();
    }
    if let Ok(block) = syn::parse2::<syn::ItemImpl>(item.clone()) {
        return crate::blocks::expand(attributes, block, diagnostics);
    }
    drop(options::parse(attributes, diagnostics));
    if let Err(e) = syn::parse2::<syn::ItemFn>(item) {
        diagnostics.error(
            e.span(),
            "`#[differentiable]` stands on a function with a body",
            "put it on a `fn` or on a method in an `impl` block",
        );
    }
    TokenStream::new()
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
    let effort = Effort::current();
    let mut primal = prepare(optimized("primal", primal, effort), effort);
    if let Some((every, span)) = options.checkpoint {
        match in_segments(primal.clone(), every) {
            Some(cut) => primal = optimized("checkpoint", cut, effort),
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
    let derivatives = Derivatives::of(&primal, effort);
    let reach = match stands {
        Stands::Free => Reach::Name,
        Stands::In(_) => Reach::OfSelf,
        Stands::Unknown if sig.receiver.is_some() => Reach::OfSelf,
        Stands::Unknown => Reach::No,
    };
    let chosen = chosen(&sig, &options, diagnostics);
    let has_companions = options.only.as_ref().is_none_or(|only| only.calls)
        && (sig.opening.is_none() || of.is_some_and(|owner| owner.asked) && !sig.params[0].active)
        && is_scalar(&sig)
        && backend::can_be_called(&sig);
    let lanes = backend::lanes_name(&sig, &primal);
    let runs_twice = can_run_twice(&primal);
    let is_leaf = runs_twice && backend::can_be_called_twice(&sig, reach);
    let callable =
        (effort == Effort::Plain && runs_twice).then(|| Callable::of(&sig, &chosen, reach)).flatten();
    let mut wanted = wanted(&sig, &chosen, has_companions, &lanes, callable.as_ref());
    // The product that a companion calls in place of having a body, if it takes and gives the same.
    let beside = |mode: CallMode| {
        let product = Product::behind(mode).filter(|product| chosen.contains(product))?;
        let operators = backend::is_as_the_product(&sig).then(|| backend::Operators::new(&sig))??;
        operators.beside(product, reach)
    };
    // Where others stand in for that product, what it takes and gives is all that there is of it.
    let has_face = |mode: CallMode| callable.is_some() && beside(mode).is_some();
    let companion = |mode: CallMode| match Product::behind(mode) {
        Some(product) if has_face(mode) => derivatives.face(product),
        _ => derivatives.companion(mode),
    };
    wanted.retain(|w| match w {
        Wanted::Companion(CallMode::Taylor) => !is_leaf,
        Wanted::Companion(mode) => {
            !has_face(*mode) && !callable.as_ref().is_some_and(|callable| callable.scaled(*mode))
        }
        _ => true,
    });
    let companions = || -> TokenStream {
        let of = |mode: CallMode| {
            if mode == CallMode::Taylor && is_leaf {
                return backend::emit_taylor(&sig, companion(CallMode::Curvature), reach);
            }
            let scaled = callable.as_ref().filter(|callable| callable.scaled(mode)).and_then(|callable| {
                let curvature = companion(CallMode::Curvature);
                backend::emit_scaled(&sig, mode, curvature, (&callable.grad, &callable.hvp))
            });
            scaled.unwrap_or_else(|| {
                backend::emit_companion(&sig, mode, companion(mode), beside(mode).as_ref())
            })
        };
        if has_companions { COMPANIONS.into_iter().map(of).collect() } else { TokenStream::new() }
    };
    let stand_in = |product: Product| callable.as_ref()?.stand_in(product, &derivatives, &lanes);
    // What calls others and waits for no body is printed first: meanwhile the bodies are made, in the order of printing.
    let calls_first = callable.as_ref().is_some_and(|callable| callable.in_companions);
    if calls_first {
        wanted.reverse();
    }
    derivatives.ahead(&wanted, || {
        let waits_for_none = |product: &&Product| calls_first && Callable::waits_for_none(**product);
        let mut printed: Vec<(Product, TokenStream)> =
            chosen.iter().filter(waits_for_none).filter_map(|p| Some((*p, stand_in(*p)?))).collect();
        let printed_companions = calls_first.then(companions);
        for product in &chosen {
            let at = printed.iter().position(|(p, _)| p == product);
            let calls = at.map(|at| printed.swap_remove(at).1).or_else(|| stand_in(*product));
            let tokens = match product {
                _ if let Some(calls) = calls => calls,
                Product::Hessian | Product::Linearize | Product::Sparsity => {
                    let how =
                        Operator { chosen: &chosen, lanes: &lanes, reach, in_blocks: callable.is_none() };
                    operator(*product, &sig, &derivatives, &how, &options, diagnostics)
                }
                _ => {
                    let func = match product {
                        Product::HvpBlock => derivatives.block(&lanes),
                        _ => Some(derivatives.product(*product)),
                    };
                    let Some(func) = func else {
                        no_block(&sig, &options, diagnostics);
                        continue;
                    };
                    dump.stage(product.suffix(), func);
                    backend::emit(&sig, *product, func)
                }
            };
            dump.rust(&tokens);
            out.extend(tokens);
        }
        out.extend(printed_companions.unwrap_or_else(companions));
    });
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

/// What is around a method of a trait.
pub(crate) struct Around<'a> {
    /// The parameters of the trait, or of its `impl` block.
    pub(crate) generics: &'a syn::Generics,
    /// The receiver, where it is the first parameter.
    pub(crate) own: Option<crate::receivers::Own>,
    /// That the type around it has the trait.
    pub(crate) known: syn::WherePredicate,
}

/// The companions of a method alone, whose generics are joined with those around it, and the assertions that go with them. `None` if
/// it can have none, or after an error.
pub(crate) fn companions(
    mut function: syn::ItemFn,
    options: &Options,
    around: Around<'_>,
    diagnostics: &mut Diagnostics,
) -> Option<(TokenStream, TokenStream)> {
    let aliases = crate::aliases::in_function(&mut function);
    let generics = function.sig.generics.clone();
    function.sig.generics.make_where_clause().predicates.push(around.known);
    let frontend::Lowered { mut sig, func, mut assumptions } =
        frontend::lower(&function, options, diagnostics)?;
    sig.generics = generics;
    sig.around = around.generics.params.iter().map(frontend::signature::param_name).collect();
    if let Some(own) = around.own {
        sig.receiver = Some(own.receiver);
        sig.opening = Some(own.opening);
    }
    let is_active = sig.opening.is_some() && sig.params[0].active;
    if is_active || !is_scalar(&sig) || !backend::can_be_called(&sig) {
        return None;
    }
    let effort = Effort::current();
    let primal = prepare(optimized("primal", func, effort), effort);
    let derivatives = Derivatives::of(&primal, effort);
    let wanted = COMPANIONS.map(Wanted::Companion);
    let made: TokenStream = derivatives.ahead(&wanted, || {
        COMPANIONS
            .iter()
            .map(|mode| backend::emit_companion(&sig, *mode, derivatives.companion(*mode), None))
            .collect()
    });
    assumptions.push(aliases);
    Some((made, backend::guards(&sig, options, assumptions)))
}

/// What callers of a function call.
const COMPANIONS: [CallMode; 5] =
    [CallMode::Jvp, CallMode::Vjp, CallMode::VjpJvp, CallMode::Curvature, CallMode::Taylor];

/// Where code need not run fast: the products that others can call in place of having bodies.
struct Callable<'s> {
    operators: backend::Operators<'s>,
    grad: TokenStream,
    hvp: TokenStream,
    /// Whether companions call them too.
    in_companions: bool,
}

impl<'s> Callable<'s> {
    /// `None` if gradient and product are not both there, or cannot be reached, or what a function takes is given away.
    fn of(sig: &'s Signature, chosen: &[Product], reach: Reach) -> Option<Callable<'s>> {
        let operators = backend::Operators::new(sig).filter(backend::Operators::can_call_twice)?;
        let path = |product| chosen.contains(&product).then(|| operators.beside(product, reach)).flatten();
        let (grad, hvp) = (path(Product::Grad)?, path(Product::Hvp)?);
        Some(Callable { operators, grad, hvp, in_companions: backend::is_as_the_product(sig) })
    }

    /// Whether this companion calls them too.
    fn scaled(&self, mode: CallMode) -> bool {
        self.in_companions && matches!(mode, CallMode::Vjp | CallMode::VjpJvp)
    }

    /// Whether others stand in for this one.
    fn stands_in(product: Product) -> bool {
        matches!(
            product,
            Product::Jvp | Product::GradHvp | Product::HvpBlock | Product::Curvature | Product::Linearize
        )
    }

    /// Whether what stands in for this one can be printed before any body is made.
    fn waits_for_none(product: Product) -> bool {
        matches!(product, Product::Jvp | Product::Curvature | Product::Linearize)
    }

    fn stand_in(&self, product: Product, derivatives: &Derivatives<'_>, lanes: &str) -> Option<TokenStream> {
        match product {
            Product::Jvp => Some(self.operators.along(derivatives.face(product), &self.grad, None)),
            Product::Curvature => {
                Some(self.operators.along(derivatives.face(product), &self.grad, Some(&self.hvp)))
            }
            Product::GradHvp => {
                Some(self.operators.grad_hvp(&derivatives.second().face(), &self.grad, &self.hvp))
            }
            Product::HvpBlock => self.operators.lane_by_lane(&derivatives.wide(lanes)?.face(), &self.hvp),
            Product::Linearize => Some(self.operators.whole(&self.grad, &self.hvp)),
            _ => None,
        }
    }
}

/// What these products, and companions, are made of, in the order in which their bodies are printed.
fn wanted(
    sig: &Signature,
    chosen: &[Product],
    has_companions: bool,
    lanes: &str,
    callable: Option<&Callable<'_>>,
) -> Vec<Wanted> {
    let has_operators = backend::Operators::new(sig).is_some();
    let mut wanted = Vec::new();
    for product in chosen {
        match product {
            _ if callable.is_some() && Callable::stands_in(*product) => {}
            Product::HvpBlock => wanted.push(Wanted::Block(lanes.to_string())),
            Product::Hessian | Product::Linearize | Product::Sparsity if !has_operators => {}
            Product::Hessian => {
                wanted.extend([Product::Hvp, Product::Grad].map(Wanted::Product));
                if callable.is_none() {
                    wanted.push(Wanted::Block(lanes.to_string()));
                }
            }
            Product::Linearize => wanted.push(Wanted::Halves),
            Product::Sparsity => wanted.push(Wanted::Sets),
            _ => wanted.push(Wanted::Product(*product)),
        }
    }
    if has_companions {
        wanted.extend(COMPANIONS.map(Wanted::Companion));
    }
    wanted
}

/// Whether a function that runs twice gives the same and does no more than one that runs once. It calls no others, of which that is
/// not known, does nothing beside computing, and asks nothing of data that may be another each time.
fn can_run_twice(func: &Func) -> bool {
    let mut can = true;
    func.body.visit(&mut |inst| {
        can &= match &inst.kind {
            InstKind::Call(_) => false,
            InstKind::Effect(code, _) => code.is_check(),
            InstKind::Pure(Op::Verbatim(code), _) => code.is_told(func.ty(inst.results[0])),
            _ => true,
        };
    });
    can
}

/// Whether a function calls others that the macro has not seen: rustc would miss their derivatives, where nobody may have asked
/// for this one's.
fn calls_strangers(func: &Func, diagnostics: &mut Diagnostics) -> bool {
    let mut found = None;
    func.body.visit(&mut |inst| {
        if let InstKind::Call(call) = &inst.kind {
            let name = call.callee.tokens().into_iter().last().map(|t| t.to_string()).unwrap_or_default();
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

/// How an operator is made.
struct Operator<'a> {
    chosen: &'a [Product],
    lanes: &'a str,
    reach: Reach,
    /// Whether it takes several directions at once.
    in_blocks: bool,
}

/// `f_hessian`, `f_linearize` or `f_sparsity`, if the function can have them; an error if it cannot and they are asked for.
fn operator(
    product: Product,
    sig: &Signature,
    derivatives: &Derivatives<'_>,
    how: &Operator<'_>,
    options: &Options,
    diagnostics: &mut Diagnostics,
) -> TokenStream {
    let made = backend::Operators::new(sig).and_then(|operators| match product {
        Product::Hessian => {
            let part = |p: Product| -> Option<Part<'_>> {
                // There is none of some functions.
                let is_block = p == Product::HvpBlock;
                if is_block {
                    derivatives.wide(how.lanes)?;
                }
                if let Some(path) = how.chosen.contains(&p).then(|| operators.beside(p, how.reach)).flatten()
                {
                    return Some(Part::Beside(path));
                }
                let func = if is_block { derivatives.block(how.lanes) } else { Some(derivatives.product(p)) };
                func.map(Part::Brought)
            };
            let block = how.in_blocks.then(|| part(Product::HvpBlock)).flatten();
            Some(operators.hessian(&part(Product::Hvp)?, block.as_ref(), &part(Product::Grad)?))
        }
        Product::Linearize => Some(operators.linearize(derivatives.halves()?)),
        _ => {
            let (sets, universal) = derivatives.sets();
            Some(operators.sparsity(sets, universal))
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

/// Verifies and optimises.
pub(crate) fn optimized(stage: &str, func: Func, effort: Effort) -> Func {
    verified(stage, &func);
    optimize(func, effort)
}

/// Verifies, where that is on.
pub(crate) fn verified(stage: &str, func: &Func) {
    if crate::ir::verify::is_on()
        && let Err(e) = verify(func)
    {
        panic!("after {stage}: {e}\n{func}");
    }
}
