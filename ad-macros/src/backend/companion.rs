//! The hidden companions of a differentiable function, which other differentiable functions call.
//!
//! Their interface is uniform, so that a caller need know nothing of the callee but its path: after the primal
//! arguments come, group by group, one slot for each parameter. An inactive argument's slot takes `()`. The
//! traits of `ad_runtime::call` turn slots into tangents and cotangents.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote};

use super::body::Body;
use super::expr::float_type;
use super::operators::Reach;
use crate::frontend::signature::{Class, Floats, Ret, Signature};
use crate::ir::{Binding, CallMode, Func, Mark, Param, Source, Storage};

/// Whether a function can have companions: one float comes back, all active parameters are scalars or slices, and of
/// types that the slots are for.
pub(crate) fn possible(sig: &Signature) -> bool {
    matches!(sig.ret, Ret::Scalar)
        && sig.wrapper.is_none()
        && sig.params.iter().all(|p| match &p.class {
            Class::Array { .. } => !is_nested(&p.ty),
            Class::Output { .. } => false,
            Class::Foreign(_) => !p.active,
            Class::Record(_) | Class::Records(..) => !p.active,
            Class::RefArray { .. } | Class::RefSlice { .. } | Class::RefVec { .. } => {
                !is_nested(&p.ty) && !p.is_owned_vec()
            }
            _ => true,
        })
}

/// The first parameter that callers give: not one that stands for the receiver.
fn first(sig: &Signature) -> usize {
    usize::from(sig.opening.is_some())
}

fn is_nested(ty: &syn::Type) -> bool {
    let inner = match ty {
        syn::Type::Reference(r) => &*r.elem,
        other => other,
    };
    crate::frontend::signature::shape(inner, &Floats::default()).is_some_and(|(dims, _)| dims.len() > 1)
}

/// One slot: its parameter in the signature and the code that unpacks it.
pub(super) struct Slot {
    pub(super) bound: TokenStream,
    pub(super) unpack: TokenStream,
    /// What the body takes of it, with its type, and what it is given.
    handed: Option<(TokenStream, TokenStream)>,
}

impl Slot {
    /// Of a parameter without this derivative.
    fn empty(bound: TokenStream, slot: &Ident) -> Slot {
        Slot { bound, unpack: quote!(let _ = #slot;), handed: None }
    }
}

/// The companion of a mode. `func` is the transformed function, all its outputs kept (but the value in `Vjp`
/// modes). `beside` is a path to a function that computes the same, of the same parameters and directions
/// ([`is_as_the_product`]): it is called, and `func` may be a face.
pub(crate) fn emit(
    sig: &Signature,
    mode: CallMode,
    func: &Func,
    beside: Option<&TokenStream>,
) -> TokenStream {
    let function = super::call::companion(&sig.ident.to_string(), mode);
    let mut body = Body::new(func);
    let mut generics = sig.own_generics();
    let primal = || {
        let is_given = |p: &&Param| matches!(p.role.of, Source::Param(i) if i >= first(sig));
        func.params.iter().filter(|p| p.role.marks.is_empty()).filter(is_given)
    };
    let mut params: Vec<TokenStream> =
        primal().map(|p| super::signature::parameter(sig, func, &body, p)).collect();
    // What the body takes, and what it is given.
    let mut handed: Vec<(TokenStream, TokenStream)> = Vec::new();
    for (p, param) in primal().zip(&params) {
        let name = bound_name(&body, p);
        handed.push((param.clone(), quote!(#name)));
    }
    let mut unpack = TokenStream::new();
    // Where the adjoints of arrays by value go: parameter and slot, group by group.
    let mut arrays: Vec<Vec<(usize, Ident)>> = Vec::new();
    let mut slots = 0_usize;
    let mut group = |body: &mut Body<'_>,
                     params: &mut Vec<TokenStream>,
                     handed: &mut Vec<(TokenStream, TokenStream)>,
                     unpack: &mut TokenStream,
                     find: &dyn Fn(usize) -> Option<Param>,
                     out: bool| {
        if out {
            arrays.push(Vec::new());
        }
        // The receiver is an argument like the others, and never active.
        if sig.receiver.is_some() {
            let ty = format_ident!("Slot{}", slots);
            let name = body.fresh(&format!("slot_{slots}"));
            slots += 1;
            let bound =
                if out { quote!(::ad_runtime::call::Unused) } else { quote!(::ad_runtime::call::Inactive) };
            generics.params.push(syn::parse_quote!(#ty: #bound));
            params.push(quote!(#name: #ty));
            unpack.extend(quote!(let _ = #name;));
        }
        for i in first(sig)..sig.params.len() {
            let name = body.fresh(&format!("slot_{slots}"));
            let ty = format_ident!("Slot{}", slots);
            slots += 1;
            let slot = slot(sig, func, body, find(i).as_ref(), i, &name, out);
            handed.extend(slot.handed);
            let bound = slot.bound;
            if let (true, Class::Array { .. }, Some(list)) =
                (out && sig.params[i].active, &sig.params[i].class, arrays.last_mut())
            {
                list.push((i, name.clone()));
            }
            generics.params.push(syn::parse_quote!(#ty: #bound));
            params.push(quote!(#name: #ty));
            unpack.extend(slot.unpack);
        }
    };
    let seed = |body: &Body<'_>, marks: &[Mark]| -> (TokenStream, TokenStream) {
        let found =
            func.params.iter().find(|p| matches!(p.role.of, Source::Result(_)) && p.role.marks == marks);
        match found.map(|p| p.binding) {
            Some(Binding::Value(v)) => {
                let name = body.value_name(v);
                let ty = super::expr::scalar_type(func.ty(v));
                (quote!(#name: #ty), quote!(#name))
            }
            _ => unreachable!("a companion has the seeds of its mode"),
        }
    };
    // What belongs to parameter i.
    let find = |i: usize, marks: &[Mark]| -> Option<Param> {
        func.params.iter().find(|p| p.role.of == Source::Param(i) && p.role.marks == marks).cloned()
    };
    use Mark::{Bar, Dot};
    match mode {
        CallMode::Primal | CallMode::JvpJvp => {}
        CallMode::Jvp | CallMode::Curvature => {
            group(&mut body, &mut params, &mut handed, &mut unpack, &|i| find(i, &[Dot]), false);
        }
        CallMode::Taylor => {
            group(&mut body, &mut params, &mut handed, &mut unpack, &|i| find(i, &[Dot]), false);
            group(&mut body, &mut params, &mut handed, &mut unpack, &|i| find(i, &[Dot, Dot]), false);
        }
        CallMode::Vjp => {
            let seed_bar = seed(&body, &[Bar]);
            params.push(seed_bar.0.clone());
            handed.push(seed_bar);
            group(&mut body, &mut params, &mut handed, &mut unpack, &|i| find(i, &[Bar]), true);
        }
        CallMode::VjpJvp => {
            let seed_bar = seed(&body, &[Bar]);
            params.push(seed_bar.0.clone());
            handed.push(seed_bar);
            group(&mut body, &mut params, &mut handed, &mut unpack, &|i| find(i, &[Dot]), false);
            let seed_bar_dot = seed(&body, &[Bar, Dot]);
            params.push(seed_bar_dot.0.clone());
            handed.push(seed_bar_dot);
            group(&mut body, &mut params, &mut handed, &mut unpack, &|i| find(i, &[Bar]), true);
            group(&mut body, &mut params, &mut handed, &mut unpack, &|i| find(i, &[Bar, Dot]), true);
        }
    }
    let called = beside.map(|path| {
        let args = super::signature::ordered(func).into_iter().map(|p| bound_name(&body, p));
        quote!(#path(#(#args),*))
    });
    let mut statements = if called.is_some() { TokenStream::new() } else { body.statements() };
    for (group, marks) in arrays.iter().zip([&[Bar][..], &[Bar, Dot][..]]) {
        for (i, slot) in group {
            let found = func.outputs.iter().find(|o| o.role.of == Source::Param(*i) && o.role.marks == marks);
            if let Some(Binding::Buffer(b)) = found.map(|o| o.binding) {
                let name = body.buffer_name(b);
                statements.extend(quote!(::ad_runtime::__private::add_to(#slot, &#name[..]);));
            }
        }
    }
    let (ret, value) = match mode {
        CallMode::Vjp => bars(sig, func, &mut body, &[&[Bar]]),
        CallMode::VjpJvp => bars(sig, func, &mut body, &[&[Bar], &[Bar, Dot]]),
        _ if called.is_some() => (tangent_types(func), quote!(#called)),
        _ => tangents(func, &mut body),
    };
    let (vis, receiver) = (&sig.vis, sig.receiver.as_ref().map(|r| quote!(#r,)));
    let attrs = sig.attrs.iter().filter(|a| a.path().is_ident("cfg"));
    let where_clause = generics.where_clause.clone();
    let (allow, opening) = (super::allowed(), &sig.opening);
    // Beside type parameters, rustc takes twice as long for each operator: the body goes where there are none.
    let is_plain = sig.receiver.is_none()
        && sig.opening.is_none()
        && sig.around.is_empty()
        && sig.generics.params.iter().all(|p| matches!(p, syn::GenericParam::Lifetime(_)));
    let (statements, value) = if called.is_none() && is_plain && !super::operators::mentions_self(&statements)
    {
        let (own, (taken, given)) = (sig.own_generics(), handed.into_iter().unzip::<_, _, Vec<_>, Vec<_>>());
        let clause = &own.where_clause;
        let body = quote! {
            #[inline]
            #allow
            fn __ad_body #own (#(#taken),*) -> #ret #clause {
                #statements
                #value
            }
        };
        (body, quote!(__ad_body(#(#given),*)))
    } else {
        (statements, value)
    };
    quote! {
        #(#attrs)*
        #[doc(hidden)]
        #[inline]
        #allow
        #vis fn #function #generics (#receiver #(#params),*) -> #ret #where_clause {
            #opening
            #unpack
            #statements
            #value
        }
    }
}

/// Whether [`emit_taylor`] will do: what the function takes may be given twice.
pub(crate) fn can_be_called_twice(sig: &Signature, reach: Reach) -> bool {
    let copies = |ty: &syn::Type| match ty {
        syn::Type::Reference(r) => r.mutability.is_none(),
        syn::Type::Path(p) => {
            let numbers = "usize u8 u16 u32 u64 u128 isize i8 i16 i32 i64 i128 f32 f64 bool char";
            numbers.split(' ').any(|known| p.path.is_ident(known))
        }
        _ => false,
    };
    reach != Reach::No
        && is_as_the_product(sig)
        && sig.params.iter().all(|p| matches!(p.class, Class::Array { .. }) || copies(&p.ty))
}

/// The companion along a curve, of two others: the function's curvature along the direction, and its slope along the second one.
/// `curvature` has the parameters of the first.
pub(crate) fn emit_taylor(sig: &Signature, curvature: &Func, reach: Reach) -> TokenStream {
    let name = |mode| {
        let name = super::call::companion(&sig.ident.to_string(), mode);
        if reach == Reach::OfSelf { quote!(Self::#name) } else { quote!(#name) }
    };
    let mut body = Body::new(curvature);
    let mut generics = sig.own_generics();
    let primal = || curvature.params.iter().filter(|p| p.role.marks.is_empty());
    let args: Vec<Ident> = primal().map(|p| bound_name(&body, p)).collect();
    let mut params: Vec<_> =
        primal().map(|p| super::signature::parameter(sig, curvature, &body, p)).collect();
    let mut slots = [Vec::new(), Vec::new()];
    for (group, slots) in slots.iter_mut().enumerate() {
        for i in 0..sig.params.len() {
            let direction = curvature
                .params
                .iter()
                .find(|p| p.role.of == Source::Param(i) && p.role.marks == [Mark::Dot])
                .cloned();
            let (name, ty) = (body.fresh("slot"), format_ident!("Slot{}", group * sig.params.len() + i));
            let bound = slot(sig, curvature, &body, direction.as_ref(), i, &name, false).bound;
            generics.params.push(syn::parse_quote!(#ty: #bound));
            params.push(quote!(#name: #ty));
            slots.push(name);
        }
    }
    let [once, bent] = &slots;
    let [value, slope, bend, turn] = ["value", "slope", "bend", "turn"].map(|hint| body.fresh(hint));
    let [along, jvp] = [CallMode::Curvature, CallMode::Jvp].map(name);
    let ident = super::call::companion(&sig.ident.to_string(), CallMode::Taylor);
    let (ret, vis, allow) = (tangent_types(curvature), &sig.vis, super::allowed());
    let attrs = sig.attrs.iter().filter(|a| a.path().is_ident("cfg"));
    let where_clause = generics.where_clause.clone();
    quote! {
        #(#attrs)*
        #[doc(hidden)]
        #[inline]
        #allow
        #vis fn #ident #generics (#(#params),*) -> #ret #where_clause {
            let (#value, #slope, #bend) = #along(#(#args,)* #(#once),*);
            let (_, #turn) = #jvp(#(#args,)* #(#bent),*);
            (#value, #slope, #bend + #turn)
        }
    }
}

pub(super) fn slot(
    sig: &Signature,
    func: &Func,
    body: &Body<'_>,
    param: Option<&Param>,
    i: usize,
    slot: &Ident,
    out: bool,
) -> Slot {
    let inactive = || Slot::empty(quote!(::ad_runtime::call::Inactive), slot);
    let elem = match &sig.params[i].class {
        Class::Scalar(k) => float_type(k),
        Class::RefSlice { elem } | Class::RefVec { elem } | Class::RefArray { elem } => float_type(elem),
        Class::Array { elem } => {
            return array_slot(sig, func, body, param, (i, &float_type(elem)), slot, out);
        }
        _ => return inactive(),
    };
    if !sig.params[i].active {
        return inactive();
    }
    match param.map(|p| p.binding) {
        Some(Binding::Value(v)) => {
            let name = body.value_name(v);
            Slot {
                bound: quote!(::ad_runtime::call::Dot<#elem>),
                unpack: quote!(let #name: #elem = ::ad_runtime::call::Dot::tangent(#slot);),
                handed: Some((quote!(#name: #elem), quote!(#name))),
            }
        }
        Some(Binding::Buffer(b)) => {
            let name = body.buffer_name(b);
            let primal = primal_name(func, body, i);
            let store = Ident::new(&format!("{name}_store"), Span::call_site());
            if func.buffer(b).storage == Storage::Output {
                Slot {
                    bound: quote!(::ad_runtime::call::BarSlice<#elem>),
                    unpack: quote! {
                        let mut #store = ::ad_runtime::call::BarSlice::cotangent(#slot, #primal.len());
                        let #name: &mut [#elem] = ::core::convert::AsMut::as_mut(&mut #store);
                    },
                    handed: Some((quote!(#name: &mut [#elem]), quote!(#name))),
                }
            } else {
                Slot {
                    bound: quote!(::ad_runtime::call::DotSlice<#elem>),
                    unpack: quote! {
                        let #store = ::ad_runtime::call::DotSlice::tangent(&#slot, #primal.len());
                        let #name: &[#elem] = &#store;
                    },
                    handed: Some((quote!(#name: &[#elem]), quote!(#name))),
                }
            }
        }
        // A scalar's adjoint comes back as a result: its slot is never used.
        None if out => Slot::empty(quote!(::ad_runtime::call::Unused), slot),
        None => inactive(),
    }
}

/// The slot of an array by value: its tangent is copied out of a slice, its cotangent is added to one at the end.
fn array_slot(
    sig: &Signature,
    func: &Func,
    body: &Body<'_>,
    param: Option<&Param>,
    (i, elem): (usize, &TokenStream),
    slot: &Ident,
    out: bool,
) -> Slot {
    let inactive = || Slot::empty(quote!(::ad_runtime::call::Inactive), slot);
    if !sig.params[i].active {
        return inactive();
    }
    let primal = primal_name(func, body, i);
    if out {
        let store = Ident::new(&format!("{slot}_store"), Span::call_site());
        return Slot {
            bound: quote!(::ad_runtime::call::BarSlice<#elem>),
            unpack: quote! {
                let mut #store = ::ad_runtime::call::BarSlice::cotangent(#slot, #primal.len());
                let #slot: &mut [#elem] = ::core::convert::AsMut::as_mut(&mut #store);
            },
            handed: Some((quote!(#slot: &mut [#elem]), quote!(#slot))),
        };
    }
    let Some(Binding::Buffer(b)) = param.map(|p| p.binding) else { return inactive() };
    let (name, ty) = (body.buffer_name(b), &sig.params[i].ty);
    let store = Ident::new(&format!("{name}_store"), Span::call_site());
    Slot {
        bound: quote!(::ad_runtime::call::DotSlice<#elem>),
        unpack: quote! {
            let #store = ::ad_runtime::call::DotSlice::tangent(&#slot, #primal.len());
            let mut #name = #primal;
            #name.copy_from_slice(&#store);
        },
        handed: Some((quote!(mut #name: #ty), quote!(#name))),
    }
}

/// What a parameter is called.
pub(super) fn bound_name(body: &Body<'_>, p: &Param) -> Ident {
    match p.binding {
        Binding::Value(v) => body.value_name(v),
        Binding::Buffer(b) => body.buffer_name(b),
    }
}

fn primal_name(func: &Func, body: &Body<'_>, i: usize) -> Ident {
    for p in &func.params {
        if let (Source::Param(of), Binding::Buffer(b)) = (p.role.of, p.binding)
            && of == i
            && p.role.marks.is_empty()
        {
            return body.buffer_name(b);
        }
    }
    unreachable!("a direction belongs to a parameter")
}

/// Groups of n-tuples: the adjoint of a scalar, `()` for everything else.
fn bars(sig: &Signature, func: &Func, body: &mut Body<'_>, groups: &[&[Mark]]) -> (TokenStream, TokenStream) {
    let mut types = Vec::new();
    let mut values = Vec::new();
    for marks in groups {
        let mut group_types = Vec::new();
        let mut group_values = Vec::new();
        if sig.receiver.is_some() {
            group_types.push(quote!(()));
            group_values.push(quote!(()));
        }
        for i in first(sig)..sig.params.len() {
            let found = func
                .outputs
                .iter()
                .find(|o| o.role.of == Source::Param(i) && o.role.marks == *marks)
                .map(|o| o.binding);
            if let Some(Binding::Value(v)) = found {
                let ty = super::expr::scalar_type(func.ty(v));
                group_types.push(quote!(#ty));
                group_values.push(body.output(Binding::Value(v)));
            } else {
                group_types.push(quote!(()));
                group_values.push(quote!(()));
            }
        }
        types.push(quote!((#(#group_types,)*)));
        values.push(quote!((#(#group_values,)*)));
    }
    (super::signature::tuple(types), super::signature::tuple(values))
}

/// Whether the function that users call takes what the slots unpack to, and nothing else.
pub(crate) fn is_as_the_product(sig: &Signature) -> bool {
    let is_plain =
        |class: &Class| matches!(class, Class::Scalar(_) | Class::RefSlice { .. } | Class::Array { .. });
    sig.receiver.is_none()
        && sig.opening.is_none()
        && sig.generics.params.iter().all(|p| matches!(p, syn::GenericParam::Lifetime(_)))
        && sig.params.iter().all(|p| !p.active || is_plain(&p.class))
}

/// `(y, y_dot)` or `(y, y_dot, y_dot_dot)`: outputs in the order in which the transforms appended them.
fn tangents(func: &Func, body: &mut Body<'_>) -> (TokenStream, TokenStream) {
    let values = func.outputs.iter().filter(|o| matches!(o.binding, Binding::Value(_)));
    let values: Vec<_> = values.map(|o| body.output(o.binding)).collect();
    (tangent_types(func), quote!((#(#values),*)))
}

fn tangent_types(func: &Func) -> TokenStream {
    let types = func.outputs.iter().filter_map(|o| match o.binding {
        Binding::Value(v) => Some(super::expr::scalar_type(func.ty(v))),
        Binding::Buffer(_) => None,
    });
    quote!((#(#types),*))
}
