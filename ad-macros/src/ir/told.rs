//! Of which Rust, passed through as it is, the text tells what it is: the same text of the same operands is the same value, of the same
//! type, and may be used as often as one likes.
//!
//! That is what names a place, by a path, fields, indices, `*` and `&`, and what a pattern takes from one; of numbers and bools also the
//! methods of [`METHODS`]. Other code may count its calls or draw a random number (`rng.next()`), may be of whatever type rustc infers from
//! where it goes (`k.into()`), or may give what is moved away (`names.clone()`).
//!
//! Works on text, since tokens stay on the compiler's thread.

use super::Type;

/// Methods of integers, slices and vectors, whose result is an integer of a type that does not depend on where it goes.
const METHODS: [&str; 12] = [
    "len",
    "div_ceil",
    "saturating_sub",
    "saturating_add",
    "min",
    "max",
    "abs",
    "abs_diff",
    "rem_euclid",
    "div_euclid",
    "isqrt",
    "count_ones",
];

/// Whether the text of a value of this type tells what it is.
pub(super) fn is_told(text: &str, ty: &Type) -> bool {
    is_taken_from(text) || is_place(text, *ty != Type::Opaque)
}

/// `{ let (a, _) = value; a }`
fn is_taken_from(text: &str) -> bool {
    let Some(inner) = text.trim().strip_prefix('{').and_then(|t| t.strip_suffix('}')) else { return false };
    let (Some(rest), Some((before, name))) = (inner.trim().strip_prefix("let "), inner.rsplit_once(';'))
    else {
        return false;
    };
    let bound = before.rsplit_once('=').map(|(_, value)| value.trim());
    let is_word = |t: &str| !t.is_empty() && t.chars().all(|c| c.is_alphanumeric() || c == '_');
    rest.contains('=') && is_word(name.trim()) && bound.is_some_and(is_word)
}

/// Whether a text names a place, or borrows one; with `methods`, also what is made of integers there.
fn is_place(text: &str, methods: bool) -> bool {
    let mut chars = text.char_indices().peekable();
    // What stands before: the last sign ('a' for a word), and the last word, and whether a dot stood before that.
    let (mut last, mut word, mut of_dot) = (' ', "", false);
    // Brackets that are open, and whether numbers and commas may stand in them.
    let mut open: Vec<(char, bool)> = Vec::new();
    while let Some((at, c)) = chars.next() {
        let follows_value = matches!(last, 'a' | ']' | ')');
        if c.is_whitespace() {
            continue;
        }
        if c.is_alphanumeric() || c == '_' {
            let mut end = at + c.len_utf8();
            while let Some((k, next)) = chars.peek().copied()
                && (next.is_alphanumeric() || next == '_')
            {
                end = k + next.len_utf8();
                chars.next();
            }
            let one = &text[at..end];
            let is_number = c.is_ascii_digit();
            let may_be_number = last == '.' || open.last().is_some_and(|(b, _)| *b == '[');
            // Two words in a row: `x as usize`, but not `x as _`, `move x`, `mut x`.
            if is_number && !may_be_number || one == "_" || last == 'a' && word != "as" && one != "as" {
                return false;
            }
            (word, of_dot) = (one, last == '.');
        } else {
            match c {
                ':' | '.' => {}
                '*' | '&' if !follows_value => {}
                ',' if open.last().is_some_and(|(_, list)| *list) => {}
                // An index, and no array.
                '[' if follows_value => open.push(('[', false)),
                '(' if !follows_value => open.push(('(', false)),
                '(' if methods && of_dot && last == 'a' && METHODS.contains(&word) => open.push(('(', true)),
                ']' | ')' => match open.pop() {
                    Some(('[', _)) if c == ']' => {}
                    Some(('(', _)) if c == ')' => {}
                    _ => return false,
                },
                _ => return false,
            }
        }
        last = if c.is_alphanumeric() || c == '_' { 'a' } else { c };
    }
    open.is_empty() && !text.trim().is_empty()
}

#[cfg(test)]
mod tests {
    use super::is_told;
    use crate::ir::{FloatKind, Type};

    #[test]
    fn what_text_tells() {
        let told = [
            "HID",
            "std :: f64 :: consts :: PI",
            "* __ad_operand_0",
            "& __ad_buffer_0 [__ad_operand_0]",
            "__ad_buffer_0 [__ad_operand_0].2 [1]",
            "(& __ad_buffer_0 [__ad_operand_0]) [0]",
            "__ad_operand_0.1",
            "{ let (_, _, seen) = __ad_operand_0; seen }",
            "record . index as usize",
        ];
        for text in told {
            for ty in [Type::Int, Type::Opaque, Type::Bool, Type::Float(FloatKind::F64)] {
                assert!(is_told(text, &ty), "{text}");
            }
        }
        for text in ["__ad_operand_0.div_ceil(__ad_operand_1)", "rows . len ()", "rows [3] . len ()"] {
            assert!(is_told(text, &Type::Int), "{text}");
            assert!(!is_told(text, &Type::Opaque), "{text}");
        }
        let untold = [
            "",
            "k . into ()",
            "k as _",
            "1 << __ad_operand_0",
            "[1, 2] [__ad_operand_0]",
            "Default :: default ()",
            "names . clone ()",
            "& mut names",
            "make ()",
            "next (& counter)",
            "counter . get ()",
            "rand :: random :: < f64 > ()",
            "noise ! (x)",
            "(self . f) (x)",
            "__ad_operand_0 * __ad_operand_1",
            "(0 , 1)",
            "text . parse :: < u32 > () . unwrap ()",
            "{ let (a, b) = __ad_operand_0; make(a) }",
            "{ let a = make(); a }",
            "len ()",
            "vec ! [0 ; 3]",
        ];
        for text in untold {
            for ty in [Type::Int, Type::Opaque, Type::Bool, Type::Float(FloatKind::F64)] {
                assert!(!is_told(text, &ty), "{text}");
            }
        }
    }
}
