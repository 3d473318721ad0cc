//! Products as calls into `ad_runtime`. The factors are slices; what a library's array is made of, the run time finds out.

use super::body::Body;
use super::expr;
use crate::ir::{Buffer, Dim, Factor, Layout, Product, StoreMode, Value};

/// Where products are.
const PATH: &str = "::ad_runtime::__private::products";

impl Body<'_> {
    pub(super) fn product(&mut self, p: &Product, out: &mut String) {
        self.flush(Some(&[p.into.buffer]), out);
        let ranks = [self.rank(&p.a), self.rank(&p.b)];
        let (a, b) = (self.factor(&p.a), self.factor(&p.b));
        let sum = p.mode == StoreMode::Add;
        let function = match ranks {
            // Floats of a library are multiplied by one.
            [2, 2] if expr::is_generic(&self.func.buffer(p.into.buffer).elem) => "multiply_any",
            [2, 2] => "multiply",
            [2, _] => "apply",
            _ => "outer",
        };
        let call = |into: &str| format!("{PATH}::{function}({into}, {a}, {b}, {sum})");
        let layout = self.func.buffer(p.into.buffer).layout;
        let statement = match (layout, self.rank(&p.into)) {
            (Layout::Ndarray, axes) => {
                let name = self.buffer_text(p.into.buffer);
                let write = if axes == 1 { "write_array1" } else { "write_array2" };
                format!("{PATH}::{write}({name}.view_mut(), |into| {})", call("into"))
            }
            (Layout::Nalgebra, 1) => {
                let name = self.buffer_text(p.into.buffer);
                call(&format!("{name}.as_mut_slice()"))
            }
            (Layout::Nalgebra, _) => {
                let name = self.buffer_text(p.into.buffer);
                let size = format!("{name}.nrows(), {name}.ncols()");
                call(&format!("{PATH}::MatrixMut::by_columns({size}, {name}.as_mut_slice())"))
            }
            (_, 1) => call(&format!("&mut {}[..]", self.buffer_text(p.into.buffer))),
            _ => {
                let [n, m] = self.extents(&p.into);
                let name = self.buffer_text(p.into.buffer);
                let data = if p.into.shape.is_some() {
                    format!("&mut {name}[..]")
                } else {
                    format!("{name}.as_flattened_mut()")
                };
                call(&format!("{PATH}::MatrixMut::by_rows({n}, {m}, {data})"))
            }
        };
        out.push_str(&statement);
        out.push_str(";\n");
    }

    /// A library's array as the slice that a window is.
    pub(super) fn slice_of(&mut self, of: Buffer, window: Buffer, mutable: bool, out: &mut String) {
        let data = self.func.buffer(of);
        if data.layout == Layout::Nalgebra {
            let slice = if mutable { "as_mut_slice" } else { "as_slice" };
            let (name, array) = (self.buffer_text(window), self.buffer_text(of));
            return out.push_str(&format!("let {name} = {array}.{slice}();\n"));
        }
        let whole = self.names.fresh(&format!("{}_whole", data.name));
        let (name, array) = (self.buffer_text(window), self.buffer_text(of));
        let one = data.dims.len() == 1;
        out.push_str(&if mutable {
            let function = if one { "of_array1" } else { "of_array2" };
            format!(
                "let mut {whole} = {PATH}::WholeMut::{function}({array}.view_mut()); let {name} = &mut {whole}[..];\n"
            )
        } else {
            let function = if one { "array1" } else { "rows_of_array2" };
            format!("let {whole} = {PATH}::{function}({array}.view()); let {name} = &{whole}[..];\n")
        });
    }

    fn rank(&self, f: &Factor) -> usize {
        if f.shape.is_some() { 2 } else { self.func.buffer(f.buffer).dims.len() }
    }

    /// A factor that is read.
    fn factor(&mut self, f: &Factor) -> String {
        let layout = self.func.buffer(f.buffer).layout;
        if self.rank(f) == 1 {
            let name = self.buffer_text(f.buffer);
            return match layout {
                Layout::Ndarray => format!("& {PATH}::array1({name}.view())"),
                Layout::Nalgebra => format!("{name}.as_slice()"),
                _ => format!("&{name}[..]"),
            };
        }
        let matrix = match layout {
            Layout::Ndarray => format!("{PATH}::array2({}.view()).matrix()", self.buffer_text(f.buffer)),
            Layout::Nalgebra => {
                let name = self.buffer_text(f.buffer);
                format!("{PATH}::Matrix::by_columns({name}.nrows(), {name}.ncols(), {name}.as_slice())")
            }
            _ => {
                let [n, m] = self.extents(f);
                let name = self.buffer_text(f.buffer);
                let data =
                    if f.shape.is_some() { format!("&{name}[..]") } else { format!("{name}.as_flattened()") };
                format!("{PATH}::Matrix::by_rows({n}, {m}, {data})")
            }
        };
        if f.transposed { format!("{matrix}.t()") } else { matrix }
    }

    /// Rows and columns of what is stored by rows.
    fn extents(&mut self, f: &Factor) -> [String; 2] {
        if let Some(shape) = f.shape {
            return shape.map(|v: Value| self.take(v).text);
        }
        let name = self.buffer_text(f.buffer);
        let columns = match &self.func.buffer(f.buffer).dims[1] {
            Dim::Fixed(n) => n.to_string(),
            _ => format!("{name}[0].len()"),
        };
        [format!("{name}.len()"), columns]
    }
}
