//! Matrix times matrix in plain Rust.
//!
//! Method: Goto and van de Geijn 2008, "Anatomy of high-performance matrix multiplication": a panel of `b` and a block of `a`
//! are packed so that the innermost loop runs over memory in order whatever the strides are, and a tile of the product is
//! summed up in registers.

use super::{Element, Matrix, MatrixMut, Vec, check_shapes, vec};

/// Rows and columns of a tile.
const TILE: (usize, usize) = (4, 8);
/// How much of the inner extent is packed at once.
const DEPTH: usize = 256;
/// Rows of `a` that are packed at once.
const ROWS: usize = 64;

/// `c = a · b`, or `c += a · b`, of any floats. Cost: `2 · rows · inner · columns` operations and a copy of both factors.
///
/// # Panics
/// If the shapes do not fit.
#[track_caller]
pub fn multiply_any<F: Element>(c: MatrixMut<'_, F>, a: Matrix<'_, F>, b: Matrix<'_, F>, sum: bool) {
    check_shapes(&c, &a, &b);
    if !sum {
        c.data.fill(F::zero());
    }
    let (n, inner, m) = (a.rows, a.columns, b.columns);
    if n == 0 || m == 0 || inner == 0 {
        return;
    }
    let mut right: Vec<F> = vec![F::zero(); DEPTH.min(inner) * m.next_multiple_of(TILE.1)];
    let mut left: Vec<F> = vec![F::zero(); DEPTH.min(inner) * ROWS.min(n).next_multiple_of(TILE.0)];
    for from in (0..inner).step_by(DEPTH) {
        let depth = DEPTH.min(inner - from);
        pack(&mut right, TILE.1, depth, m, |k, j| b.at(from + k, j));
        for top in (0..n).step_by(ROWS) {
            let rows = ROWS.min(n - top);
            pack(&mut left, TILE.0, depth, rows, |k, i| a.at(top + i, from + k));
            for (panel, j) in right.chunks_exact(depth * TILE.1).zip((0..m).step_by(TILE.1)) {
                for (block, i) in left.chunks_exact(depth * TILE.0).zip((0..rows).step_by(TILE.0)) {
                    let tile = tile(block, panel);
                    for (k, row) in tile.iter().enumerate().take(rows - i) {
                        let start = (top + i + k) * c.down + j * c.right;
                        for (l, value) in row.iter().enumerate().take(m - j) {
                            let place = &mut c.data[start + l * c.right];
                            *place = *place + *value;
                        }
                    }
                }
            }
        }
    }
}

/// Lines of `width` elements beside each other, `depth` of them one after the other, for each `width` of all; what is beyond
/// the last is zero.
fn pack<F: Element>(
    to: &mut [F],
    width: usize,
    depth: usize,
    all: usize,
    element: impl Fn(usize, usize) -> F,
) {
    for (panel, start) in to.chunks_exact_mut(depth * width).zip((0..all).step_by(width)) {
        for (k, line) in panel.chunks_exact_mut(width).enumerate() {
            for (l, place) in line.iter_mut().enumerate() {
                *place = if start + l < all { element(k, start + l) } else { F::zero() };
            }
        }
    }
}

/// The product of a packed block and a packed panel.
#[inline]
fn tile<F: Element>(block: &[F], panel: &[F]) -> [[F; TILE.1]; TILE.0] {
    let mut sums = [[F::zero(); TILE.1]; TILE.0];
    let (lefts, _) = block.as_chunks::<{ TILE.0 }>();
    let (rights, _) = panel.as_chunks::<{ TILE.1 }>();
    for (left, right) in lefts.iter().zip(rights) {
        for i in 0..TILE.0 {
            for j in 0..TILE.1 {
                sums[i][j] = sums[i][j] + left[i] * right[j];
            }
        }
    }
    sums
}
