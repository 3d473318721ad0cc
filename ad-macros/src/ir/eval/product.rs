//! Products, by their definition.

use super::{EvalError, Machine, Num, Scalar, Tensor, wrong};
use crate::ir::{Factor, Product, StoreMode};

/// A factor: its floats, its extents, and how far apart its rows and columns are.
struct Grid<N> {
    data: Vec<N>,
    extents: [usize; 2],
    strides: [usize; 2],
}

impl<N: Num> Machine<'_, N> {
    /// A vector is a column; `as_row`: a row.
    fn grid(&self, f: &Factor, as_row: bool) -> Result<Grid<N>, EvalError> {
        let tensor = self.tensor(f.buffer)?;
        let extents = match (f.shape, tensor.dims.as_slice()) {
            (Some([n, m]), _) => [n, m].map(|v| self.int(v).map(|n| n as usize)),
            (None, [n]) if as_row => [Ok(1), Ok(*n)],
            (None, [n]) => [Ok(*n), Ok(1)],
            (None, [n, m]) => [Ok(*n), Ok(*m)],
            (_, dims) => return wrong(format!("a factor of shape {dims:?}")),
        };
        let [n, m] = extents;
        let (mut extents, mut strides) = ([n?, m?], [1, 1]);
        strides[0] = extents[1];
        if tensor.data.len() != extents[0] * extents[1] {
            return wrong(format!("{} elements in a factor of {extents:?}", tensor.data.len()));
        }
        if f.transposed {
            extents.reverse();
            strides.reverse();
        }
        let floats = tensor.data.iter().map(|s| match s {
            Scalar::F(x) => Ok(*x),
            other => wrong(format!("{other:?} in a product")),
        });
        Ok(Grid { data: floats.collect::<Result<_, _>>()?, extents, strides })
    }

    pub(super) fn product(&mut self, p: &Product) -> Result<(), EvalError> {
        let outer = self.func.buffer(p.a.buffer).dims.len() == 1 && p.a.shape.is_none();
        let (a, b, mut c) = (self.grid(&p.a, false)?, self.grid(&p.b, outer)?, self.grid(&p.into, false)?);
        let ([n, inner], [inner_b, m]) = (a.extents, b.extents);
        if inner != inner_b || c.extents != [n, m] {
            return wrong(format!("{:?} into {:?} · {:?}", c.extents, a.extents, b.extents));
        }
        for i in 0..n {
            for j in 0..m {
                let mut sum = N::constant(0.0);
                for k in 0..inner {
                    let x = a.data[i * a.strides[0] + k * a.strides[1]];
                    sum = sum.add(x.mul(b.data[k * b.strides[0] + j * b.strides[1]]));
                }
                let place = &mut c.data[i * c.strides[0] + j];
                *place = if p.mode == StoreMode::Add { place.add(sum) } else { sum };
            }
        }
        let dims = self.tensor(p.into.buffer)?.dims.clone();
        let data = c.data.into_iter().map(Scalar::F).collect();
        *self.tensor_mut(p.into.buffer)? = Tensor { dims, data };
        Ok(())
    }
}
