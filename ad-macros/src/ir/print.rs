//! The textual form.
