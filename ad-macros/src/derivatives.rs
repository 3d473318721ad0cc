//! The transforms behind each product, each made once: what several products begin with is shared.
//!
//! What is wanted is made ahead of the printing, on the machine's other processors: passes know nothing of the compiler
//! that the macro runs in.
//!
//! What does not live here: which products a function gets, and how they are printed ([`crate::pipeline`]).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{LazyLock, OnceLock};

use crate::effort::Effort;
use crate::ir::{Binding, CallMode, Func, Mark, Output, Role, Source, Storage};
use crate::optimize::{bring_together, finish, finish_shaped, shape};
use crate::pipeline::{Product, optimized, verified};
use crate::transform::forward::forward;
use crate::transform::lanes::widen;
use crate::transform::outputs::{bind_seed, keep_outputs, merge_params, without_effects};
use crate::transform::pattern::{is_universal, pattern};
use crate::transform::reverse::reverse;
use crate::transform::split::{Split, split};
use crate::transform::taylor::along_one_direction;

/// Something that is wanted of a function.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Wanted {
    /// [`Derivatives::product`]
    Product(Product),
    /// [`Derivatives::block`], of so many directions
    Block(String),
    /// [`Derivatives::halves`]
    Halves,
    /// [`Derivatives::sets`]
    Sets,
    /// [`Derivatives::companion`]
    Companion(CallMode),
}

/// A function and what several of its products begin with, each made once.
pub(crate) struct Derivatives<'f> {
    f: &'f Func,
    effort: Effort,
    gradient: OnceLock<Func>,
    tangent: OnceLock<Func>,
    second: OnceLock<Func>,
    adjoint: OnceLock<Func>,
    hvp: OnceLock<Func>,
    /// As they are printed.
    products: [OnceLock<Func>; Product::ALL.len()],
    companions: [OnceLock<Func>; 7],
    faces: [OnceLock<Func>; 2],
    wide: OnceLock<Option<Func>>,
    block: OnceLock<Option<Func>>,
    halves: OnceLock<Option<Split>>,
    sets: OnceLock<(Func, bool)>,
}

impl<'f> Derivatives<'f> {
    pub(crate) fn of(f: &'f Func, effort: Effort) -> Derivatives<'f> {
        Derivatives {
            f,
            effort,
            gradient: OnceLock::new(),
            tangent: OnceLock::new(),
            second: OnceLock::new(),
            adjoint: OnceLock::new(),
            hvp: OnceLock::new(),
            products: [const { OnceLock::new() }; Product::ALL.len()],
            companions: [const { OnceLock::new() }; 7],
            faces: [const { OnceLock::new() }; 2],
            wide: OnceLock::new(),
            block: OnceLock::new(),
            halves: OnceLock::new(),
            sets: OnceLock::new(),
        }
    }

    /// Makes what is wanted on other threads, from the last to the first, while this one asks for it. Where it asks from the first
    /// on, they meet in the middle; where it does other things before, the list is given in reverse, and they are ahead of it:
    /// either way they seldom wait for each other. Gives what `ask` does.
    pub(crate) fn ahead<R>(&self, wanted: &[Wanted], ask: impl FnOnce() -> R) -> R {
        let left = AtomicUsize::new(wanted.len());
        let make = || {
            let claim = |n: usize| n.checked_sub(1);
            while let Ok(n) = left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, claim) {
                self.make(&wanted[n - 1]);
            }
        };
        std::thread::scope(|scope| {
            let spawn = || std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, make);
            // Where no thread can be had, this one does it all.
            let helpers: Vec<_> = (0..*HELPERS).map_while(|_| spawn().ok()).collect();
            let given = ask();
            left.store(0, Ordering::Relaxed);
            for helper in helpers {
                if let Err(panic) = helper.join() {
                    std::panic::resume_unwind(panic);
                }
            }
            given
        })
    }

    fn make(&self, wanted: &Wanted) {
        match wanted {
            Wanted::Product(product) => drop(self.product(*product)),
            Wanted::Block(count) => drop(self.block(count)),
            Wanted::Halves => drop(self.halves()),
            Wanted::Sets => drop(self.sets()),
            Wanted::Companion(mode) => drop(self.companion(*mode)),
        }
    }

    /// reverse(f), its seed one
    fn gradient(&self) -> &Func {
        self.gradient.get_or_init(|| {
            let seed = Role::primal(Source::Result(0)).marked(Mark::Bar);
            self.together(self.optimized("reverse", bind_seed(reverse(self.f, false), &seed, 1.0)))
        })
    }

    /// forward(f)
    fn tangent(&self) -> &Func {
        self.tangent.get_or_init(|| self.optimized("forward", forward(self.f)))
    }

    /// forward(reverse(f)): value, gradient and product
    pub(crate) fn second(&self) -> &Func {
        self.second.get_or_init(|| {
            self.optimized(
                "grad_hvp",
                keep_outputs(forward(self.gradient()), |role| role.marks != [Mark::Dot]),
            )
        })
    }

    /// forward(reverse(f)): the product alone
    fn hvp(&self) -> &Func {
        self.hvp.get_or_init(|| {
            let second = self.second().clone();
            self.optimized("hvp", keep_outputs(second, |role| role.marks == [Mark::Bar, Mark::Dot]))
        })
    }

    /// lanes(forward(reverse(f))): the product for `count` directions at once, if it can be widened
    pub(crate) fn wide(&self, count: &str) -> Option<&Func> {
        let made = self.wide.get_or_init(|| {
            let product = self.hvp().clone();
            let shaped = if self.effort == Effort::Full { shape(product) } else { product };
            let wide = widen(&shaped, count)?;
            verified("hvp_block", &wide);
            Some(wide)
        });
        made.as_ref()
    }

    /// `f_hvp_block`, as it is printed.
    pub(crate) fn block(&self, count: &str) -> Option<&Func> {
        let made = self.block.get_or_init(|| {
            let wide = self.wide(count)?.clone();
            Some(if self.effort == Effort::Full { finish_shaped(wide) } else { self.finish(wide) })
        });
        made.as_ref()
    }

    /// reverse(f) alone, its seeds given, as callers want it
    fn adjoint(&self) -> &Func {
        self.adjoint.get_or_init(|| {
            let adjoint = keep_outputs(reverse(self.f, true), |role| role.marks.contains(&Mark::Bar));
            self.together(self.optimized("reverse", adjoint))
        })
    }

    /// A product, as it is printed.
    pub(crate) fn product(&self, product: Product) -> &Func {
        self.products[product as usize].get_or_init(|| self.finish(self.raw(product)))
    }

    /// What `f_jvp` or `f_curvature` takes and gives, for code that gets it elsewhere.
    pub(crate) fn face(&self, product: Product) -> &Func {
        let jvp = self.faces[0].get_or_init(|| forward(self.f).face());
        if product != Product::Curvature {
            return jvp;
        }
        self.faces[1].get_or_init(|| {
            let mut face = jvp.clone();
            let slope = Role::primal(Source::Result(0)).marked(Mark::Dot);
            let bends = face.outputs.iter().find(|o| o.role == slope);
            let bends = bends.map(|o| Output { role: slope.marked(Mark::Dot), binding: o.binding });
            face.outputs.extend(bends);
            face
        })
    }

    /// The transforms behind each product.
    fn raw(&self, product: Product) -> Func {
        let f = self.f;
        match product {
            Product::Grad => self.gradient().clone(),
            Product::Jvp => self.tangent().clone(),
            Product::GradHvp => self.second().clone(),
            Product::Vjp => {
                let vjp = keep_outputs(reverse(f, false), |role| role.marks == [Mark::Bar]);
                self.together(self.optimized("vjp", vjp))
            }
            Product::Hvp => self.hvp().clone(),
            Product::HvpRev => {
                let slope = Role::primal(Source::Result(0)).marked(Mark::Dot);
                let jvp = self.optimized("forward", keep_outputs(forward(f), |role| *role == slope));
                let hvp = reverse(&directions_inactive(jvp), false);
                let hvp = bind_seed(hvp, &slope.marked(Mark::Bar), 1.0);
                self.together(self.optimized("hvp_rev", keep_outputs(hvp, |role| role.marks == [Mark::Bar])))
            }
            Product::Curvature => self.twice(&directions_inactive(self.tangent().clone())),
            Product::HvpBlock | Product::Hessian | Product::Linearize | Product::Sparsity => {
                unreachable!("made of other products")
            }
        }
    }

    /// forward(forward(f)), both along one direction, which bends where that of `jvp` is active.
    fn twice(&self, jvp: &Func) -> Func {
        let mut second = forward(jvp);
        // The slope is the tangent of the value twice over; the first is kept.
        let mut seen = Vec::new();
        second.outputs.retain(|o| {
            let new = !seen.contains(&o.role);
            seen.push(o.role.clone());
            new
        });
        let directions: Vec<Role> =
            self.f.params.iter().filter(|p| p.active).map(|p| p.role.marked(Mark::Dot)).collect();
        let merged = directions.iter().fold(second, merge_params);
        // That both tangents are one is seen where sums and products are written in one way.
        optimized("curvature", along_one_direction(merged), Effort::Full)
    }

    /// `f_linearize`: forward(reverse(f)) in two, what does not depend on the direction and what does.
    pub(crate) fn halves(&self) -> Option<&Split> {
        let made = self.halves.get_or_init(|| {
            let Split { fixed, varying } = split(self.second())?;
            let fixed = self.finish(self.optimized("linearize, fixed", fixed));
            let varying = self.finish(self.optimized("linearize, varying", varying));
            Some(Split { fixed, varying })
        });
        made.as_ref()
    }

    /// `f_sparsity`: f on index sets, and whether they are the same for all inputs.
    pub(crate) fn sets(&self) -> (&Func, bool) {
        let (sets, universal) = self.sets.get_or_init(|| {
            let sets = self.optimized("pattern", pattern(&without_effects(self.f.clone())));
            let universal = is_universal(&sets);
            (self.finish(sets), universal)
        });
        (sets, *universal)
    }

    /// The transforms behind a companion.
    pub(crate) fn companion(&self, mode: CallMode) -> &Func {
        if let Some(product) = Product::behind(mode) {
            return self.product(product);
        }
        self.companions[mode as usize].get_or_init(|| {
            self.finish(match mode {
                CallMode::Primal => self.f.clone(),
                CallMode::Vjp => self.adjoint().clone(),
                CallMode::VjpJvp => self.optimized("companion", forward(self.adjoint())),
                CallMode::Taylor => self.twice(self.tangent()),
                CallMode::Jvp | CallMode::Curvature | CallMode::JvpJvp => unreachable!("no body of its own"),
            })
        })
    }

    fn optimized(&self, stage: &str, func: Func) -> Func {
        optimized(stage, func, self.effort)
    }

    fn together(&self, func: Func) -> Func {
        bring_together(func, self.effort)
    }

    fn finish(&self, func: Func) -> Func {
        finish(func, self.effort)
    }
}

/// How many threads help: the compiler itself expands one macro at a time.
static HELPERS: LazyLock<usize> =
    LazyLock::new(|| std::thread::available_parallelism().map_or(0, |n| n.get().min(4) - 1));

/// The stack of a helper, in bytes: passes recurse as deep as blocks are nested, as the frontend did on the compiler's stack.
const STACK: usize = 64 << 20;

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
