//! Of which Rust, passed through as it is, the text tells what it is: the same text of the same operands is the same value, of the same
//! type, and may be used as often as one likes.
//!
//! Numbers may, if nothing is called whose code is unknown: that may count its calls, or draw a random number. But what type an integer is
//! of, rustc may infer from where it goes (`k.into()`), and what the macro knows no type of may be a value that is moved away
//! (`names.clone()`). So of these, only what names a place is taken: by a path, fields, indices, `*` and `&`, and what a pattern takes from
//! one; and methods of integers whose results have the type of what they are called on.
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
    match ty {
        Type::Float(_) | Type::Bool => calls_what_is_known(text),
        Type::Int => is_taken_from(text) || is_place(text, true),
        Type::Opaque => is_taken_from(text) || is_place(text, false),
    }
}

/// Methods and functions of the standard library that only read, beside [`METHODS`].
const READS: [&str; 73] = [
    "sqrt",
    "cbrt",
    "exp",
    "exp2",
    "exp_m1",
    "ln",
    "ln_1p",
    "log",
    "log2",
    "log10",
    "sin",
    "cos",
    "tan",
    "asin",
    "acos",
    "atan",
    "atan2",
    "sinh",
    "cosh",
    "tanh",
    "asinh",
    "acosh",
    "atanh",
    "sin_cos",
    "hypot",
    "powi",
    "powf",
    "pow",
    "recip",
    "signum",
    "copysign",
    "floor",
    "ceil",
    "round",
    "trunc",
    "fract",
    "mul_add",
    "clamp",
    "to_radians",
    "to_degrees",
    "is_nan",
    "is_finite",
    "is_infinite",
    "is_sign_negative",
    "is_sign_positive",
    "from",
    "is_empty",
    "is_some",
    "is_none",
    "unwrap",
    "unwrap_or",
    "first",
    "last",
    "iter",
    "copied",
    "cloned",
    "sum",
    "product",
    "map",
    "zip",
    "fold",
    "filter",
    "enumerate",
    "rev",
    "skip",
    "windows",
    "chunks",
    "chunks_exact",
    "any",
    "all",
    "contains",
    "contains_key",
    "as_ref",
];
/// What stands before a bracket that is no call.
const KEYWORDS: [&str; 9] = ["if", "in", "match", "while", "let", "else", "return", "move", "mut"];

/// Whether all that a text calls is known to only read.
fn calls_what_is_known(text: &str) -> bool {
    let is_known = |word: &str| METHODS.contains(&word) || READS.contains(&word);
    let mut rest = text;
    // What stands before: the last sign ('a' for a word), the last word, whether a dot stood before that, the word before a
    // path's last, and what a turbofish belongs to.
    let (mut last, mut word, mut of_dot, mut owner, mut generic) = (' ', "", false, "", None);
    while let Some(c) = rest.chars().next() {
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        if is_part(c) {
            let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
            owner = if last == ':' { word } else { "" };
            (of_dot, word, last) = (last == '.', &rest[..end], 'a');
            rest = &rest[end..];
            continue;
        }
        rest = &rest[c.len_utf8()..];
        if c.is_whitespace() {
            continue;
        }
        // Floats, integers, `core::cmp`.
        let is_std = || {
            owner.starts_with(['f', 'u', 'i']) && owner[1..].parse::<u8>().is_ok()
                || matches!(owner, "usize" | "isize" | "cmp")
        };
        let reads = of_dot && is_known(word)
            || is_std() && is_known(word)
            || word.starts_with(char::is_uppercase)
            || KEYWORDS.contains(&word);
        match c {
            '<' if last == ':' => generic = Some(reads),
            '(' if last == 'a' && !reads => return false,
            '(' if last == '>' && !generic.take().unwrap_or(true) => return false,
            '(' if matches!(last, ')' | ']') => return false,
            // `make!(..)`, but not `a != b`.
            '!' if last == 'a' && !rest.trim_start().starts_with('=') => return false,
            _ => {}
        }
        last = c;
    }
    true
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
            assert!(is_told(text, &Type::Int), "{text}");
            assert!(is_told(text, &Type::Opaque), "{text}");
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
            "__ad_operand_0 * __ad_operand_1",
            "(0 , 1)",
            "text . parse :: < u32 > () . unwrap ()",
            "{ let (a, b) = __ad_operand_0; make(a) }",
            "{ let a = make(); a }",
            "len ()",
            "vec ! [0 ; 3]",
        ];
        for text in untold {
            assert!(!is_told(text, &Type::Int), "{text}");
            assert!(!is_told(text, &Type::Opaque), "{text}");
        }
        let floats = [
            "std :: f64 :: consts :: PI",
            "f64 :: NEG_INFINITY",
            "(__ad_operand_0 - 1.0).exp() / f64 :: from (__ad_operand_1)",
            "row . w . iter () . map (| v | v * v) . sum :: < f64 > ()",
            "if (a) != b { Some (1.0) . unwrap () } else { ! c as f64 }",
            ":: core :: cmp :: max (a, b) as f64",
            "a > (b + c)",
        ];
        for text in floats {
            assert!(is_told(text, &Type::Float(FloatKind::F64)), "{text}");
        }
        let unknown = [
            "draw ()",
            "next (& counter)",
            "counter . get ()",
            "rng . next_f64 ()",
            "rand :: random :: < f64 > ()",
            "noise ! (x)",
            "(self . f) (x)",
            "2.0 * rng . sample :: < f64 > (x)",
        ];
        for text in unknown {
            assert!(!is_told(text, &Type::Float(FloatKind::F64)), "{text}");
            assert!(!is_told(text, &Type::Bool), "{text}");
        }
    }
}
