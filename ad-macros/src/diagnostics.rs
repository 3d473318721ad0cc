//! The error collector: all errors of one function are reported together, each at the exact span, each
//! saying what is wrong and what to write instead.

use proc_macro2::Span;

/// Errors found so far. Must be asked for them (`into_error`) before it is dropped: tests panic otherwise.
#[derive(Default)]
pub(crate) struct Diagnostics {
    errors: Vec<syn::Error>,
    /// Of these, the ones that all others follow from.
    causes: Vec<usize>,
    checked: bool,
}

impl Diagnostics {
    /// Records an error: what is not supported, and what to write instead.
    pub(crate) fn error(
        &mut self,
        span: Span,
        what: impl std::fmt::Display,
        instead: impl std::fmt::Display,
    ) {
        let message = format!("{what}\n  instead: {instead}");
        // The same place refused twice for the same reason tells nothing new.
        if !self.errors.iter().any(|e| e.to_string() == message && same_place(e.span(), span)) {
            self.errors.push(syn::Error::new(span, message));
        }
    }

    /// As [`Diagnostics::error`], where all other errors may follow from this one.
    pub(crate) fn cause(
        &mut self,
        span: Span,
        what: impl std::fmt::Display,
        instead: impl std::fmt::Display,
    ) {
        let before = self.errors.len();
        self.error(span, what, instead);
        if self.errors.len() > before {
            self.causes.push(before);
        }
    }

    /// How many errors there are, to go back to.
    pub(crate) fn mark(&self) -> usize {
        self.errors.len()
    }

    /// Forgets what was found since.
    pub(crate) fn back_to(&mut self, mark: usize) {
        self.errors.truncate(mark);
        self.causes.retain(|at| *at < mark);
    }

    pub(crate) fn push(&mut self, error: syn::Error) {
        self.errors.push(error);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.errors.is_empty()
    }

    /// All errors as one, or none.
    pub(crate) fn into_error(mut self) -> Option<syn::Error> {
        self.checked = true;
        let (all, causes) = (std::mem::take(&mut self.errors), std::mem::take(&mut self.causes));
        let told = |(at, e)| (causes.is_empty() || causes.contains(&at)).then_some(e);
        all.into_iter().enumerate().filter_map(told).reduce(|mut all, e| {
            all.combine(e);
            all
        })
    }
}

fn same_place(a: Span, b: Span) -> bool {
    a.start() == b.start() && a.end() == b.end()
}

impl Drop for Diagnostics {
    fn drop(&mut self) {
        assert!(!(cfg!(test) && !self.checked && !std::thread::panicking()), "diagnostics dropped unchecked");
    }
}
