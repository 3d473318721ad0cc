//! Buffers: elements by their layout, declarations, fills.

use super::body::Body;
use super::expr;
use crate::ir::{Buffer, Dim, Layout, Type, Value};

impl Body<'_> {
    pub(super) fn element(&mut self, b: Buffer, index: &[Value]) -> String {
        let index: Vec<String> = index.iter().map(|i| self.take(*i).text).collect();
        let (name, data) = (self.buffer_text(b), self.func.buffer(b));
        match (data.layout, index.len()) {
            (Layout::Ndarray, 2..) => return format!("{name}[[{}]]", index.join(", ")),
            (Layout::Nalgebra, 2..) => return format!("{name}[({})]", index.join(", ")),
            _ => {}
        }
        let mut place = name.to_string();
        for (axis, i) in index.iter().enumerate() {
            place.push_str(&format!("[{i}]"));
            if let (0, Some(field)) = (axis, &data.field) {
                place.push_str(field);
            }
        }
        place
    }

    pub(super) fn alloc(&mut self, b: Buffer, fill: Value, out: &mut String) {
        self.declare(b);
        let data = self.func.buffer(b);
        let mut init = self.take(fill).text;
        if let Some(like) = data.like {
            let rows = self.like(b, like, init);
            let name = self.buffer_text(b);
            out.push_str(&format!("let mut {name} = {rows};\n"));
            return;
        }
        let mut ty = expr::scalar_text(&data.elem).map(str::to_string);
        let mut lengths: Vec<String> = Vec::new();
        for dim in data.dims.iter().rev() {
            match dim {
                Dim::Fixed(n) => {
                    init = format!("[{init}; {n}]");
                    ty = ty.map(|t| format!("[{t}; {n}]"));
                }
                Dim::Dyn(v) => {
                    let n = self.take(*v).text;
                    if !self.pooled.contains(&b) {
                        init = format!("::ad_runtime::__private::vec![{init}; {n}]");
                    }
                    lengths.push(n);
                    ty = ty.map(|t| format!("::ad_runtime::__private::Vec < {t} >"));
                }
                Dim::Slice => {}
            }
        }
        if let [inner, outer] = &lengths[..] {
            lengths = vec![format!("::core::iter::repeat_n({inner}, {outer})")];
        }
        let init = self.taken(b, &init, &lengths).unwrap_or(init);
        let (name, ty) = (self.buffer_text(b), expr::annotation(ty.as_deref()));
        out.push_str(&format!("let mut {name}{ty} = {init};\n"));
    }

    /// A local of the lengths of another buffer, filled.
    fn like(&mut self, b: Buffer, like: Buffer, fill: String) -> String {
        let dims = &self.func.buffer(b).dims;
        let (like_name, field) =
            (self.buffer_text(like).to_string(), self.func.buffer(like).field.as_deref());
        let fixed = dims.iter().rev().map_while(|dim| match dim {
            Dim::Fixed(n) => Some(n),
            _ => None,
        });
        let element = fixed.fold(fill.clone(), |inner, n| format!("[{inner}; {n}]"));
        let row = field.unwrap_or_default();
        let lengths = match dims.iter().filter(|d| **d == Dim::Slice).count() {
            1 => format!("{like_name}.len()"),
            _ => format!("{like_name}.iter().map(|row| row{row}.len())"),
        };
        self.taken(b, &element, &[lengths]).unwrap_or_else(|| rows_like(&like_name, field, dims, fill))
    }
}

/// Rows of the lengths of these, filled. The rows may be fields of structs.
fn rows_like(like: &str, field: Option<&str>, dims: &[Dim], init: String) -> String {
    match dims {
        [] => init,
        [Dim::Fixed(n), inner @ ..] if inner.iter().all(|d| matches!(d, Dim::Fixed(_))) => {
            let inner = rows_like(like, None, inner, init);
            format!("[{inner}; {n}]")
        }
        [_] if field.is_none() => format!("::ad_runtime::__private::vec![{init}; {like}.len()]"),
        [_, inner @ ..] => {
            let inner = rows_like(&format!("row{}", field.unwrap_or_default()), None, inner, init);
            format!("{like}.iter().map(|row| {inner}).collect:: < ::ad_runtime::__private::Vec < _ > > ()")
        }
    }
}

pub(super) fn fill_all(name: &str, axes: usize, value: &str) -> String {
    if axes <= 1 {
        return format!("{name}.fill({value});\n");
    }
    let inner = fill_all("row", axes - 1, value);
    format!("for row in {name}.iter_mut() {{ {inner} }}\n")
}

/// What new elements are.
pub(super) fn zero_of(ty: &Type) -> String {
    match ty {
        Type::Float(kind) => expr::float(0.0, kind, false).text,
        Type::Bool => "false".to_string(),
        _ => "::core::default::Default::default()".to_string(),
    }
}
