//! The products behind generated code, against their definition: all strides, extents of zero and one.
#![allow(missing_docs)]

use ad_runtime::products::{Matrix, MatrixMut, apply, multiply, multiply_any, outer};

/// Some fixed numbers without relations among them.
fn numbers(seed: usize, n: usize) -> Vec<f64> {
    (0..n).map(|i| ((seed * 131 + i * 17 + 5) as f64 * 0.754_877_666).fract() * 2.0 - 1.0).collect()
}

const EXTENTS: [(usize, usize, usize); 12] = [
    (1, 1, 1),
    (2, 3, 4),
    (4, 8, 8),
    (5, 9, 17),
    (1, 300, 1),
    (65, 257, 9),
    (130, 20, 33),
    (3, 1, 2),
    (1, 7, 30),
    (0, 3, 2),
    (3, 0, 2),
    (3, 2, 0),
];

/// A matrix of these extents: by rows, by columns, or the transpose of one.
fn laid_out(
    data: &[f64],
    n: usize,
    m: usize,
    how: usize,
) -> (Matrix<'_, f64>, impl Fn(usize, usize) -> usize) {
    let matrix = match how {
        0 => Matrix::by_rows(n, m, data),
        1 => Matrix::by_columns(n, m, data),
        2 => Matrix::by_rows(m, n, data).t(),
        _ => Matrix::by_columns(m, n, data).t(),
    };
    (matrix, move |i, j| if how == 0 || how == 3 { i * m + j } else { j * n + i })
}

#[track_caller]
fn close(a: &[f64], b: &[f64]) {
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(b) {
        assert!((a - b).abs() <= 1e-12 * (1.0 + b.abs()), "{a:e} and {b:e}");
    }
}

type Multiply = fn(MatrixMut<'_, f64>, Matrix<'_, f64>, Matrix<'_, f64>, bool);

#[test]
fn matrix_times_matrix() {
    for (n, k, m) in EXTENTS {
        for layout in 0..32 {
            let (x, y, z) = (numbers(1, n * k), numbers(2, k * m), numbers(3, n * m));
            let (a, at) = laid_out(&x, n, k, layout % 4);
            let (b, of) = laid_out(&y, k, m, layout / 4 % 4);
            let by_rows = layout < 16;
            let place = |i, j| if by_rows { i * m + j } else { j * n + i };
            for sum in [false, true] {
                let mut wanted = if sum { z.clone() } else { vec![0.0; n * m] };
                for i in 0..n {
                    for j in 0..m {
                        wanted[place(i, j)] += (0..k).map(|l| x[at(i, l)] * y[of(l, j)]).sum::<f64>();
                    }
                }
                for product in [multiply::<f64> as Multiply, multiply_any::<f64>] {
                    let mut c = z.clone();
                    let into = if by_rows {
                        MatrixMut::by_rows(n, m, &mut c)
                    } else {
                        MatrixMut::by_columns(n, m, &mut c)
                    };
                    product(into, a, b, sum);
                    close(&c, &wanted);
                }
            }
        }
    }
}

#[test]
fn matrix_times_vector() {
    for (n, m, _) in EXTENTS {
        for layout in 0..4 {
            let (x, v, z) = (numbers(1, n * m), numbers(2, m), numbers(3, n));
            let (a, at) = laid_out(&x, n, m, layout);
            for sum in [false, true] {
                let mut y = z.clone();
                apply(&mut y, a, &v, sum);
                let start = |i: usize| if sum { z[i] } else { 0.0 };
                let wanted: Vec<f64> =
                    (0..n).map(|i| start(i) + (0..m).map(|j| x[at(i, j)] * v[j]).sum::<f64>()).collect();
                close(&y, &wanted);
            }
        }
    }
}

#[test]
fn column_times_row() {
    for (n, m, _) in EXTENTS {
        for (by_rows, sum) in [(false, false), (false, true), (true, false), (true, true)] {
            let (u, v, z) = (numbers(1, n), numbers(2, m), numbers(3, n * m));
            let mut c = z.clone();
            let into =
                if by_rows { MatrixMut::by_rows(n, m, &mut c) } else { MatrixMut::by_columns(n, m, &mut c) };
            outer(into, &u, &v, sum);
            let mut wanted = if sum { z } else { vec![0.0; n * m] };
            for i in 0..n {
                for j in 0..m {
                    wanted[if by_rows { i * m + j } else { j * n + i }] += u[i] * v[j];
                }
            }
            close(&c, &wanted);
        }
    }
}

#[test]
#[should_panic(expected = "the product of a 2 by 3 and a 2 by 2 matrix, into a 2 by 2 matrix")]
fn matrices_that_do_not_fit() {
    let mut c = [0.0; 4];
    multiply(
        MatrixMut::by_rows(2, 2, &mut c),
        Matrix::by_rows(2, 3, &[0.0; 6]),
        Matrix::by_rows(2, 2, &[0.0; 4]),
        false,
    );
}

#[test]
#[should_panic(expected = "the product of a 2 by 3 matrix and a vector of length 2, into one of length 2")]
fn a_vector_that_does_not_fit() {
    apply(&mut [0.0; 2], Matrix::by_rows(2, 3, &[0.0; 6]), &[0.0; 2], false);
}

#[test]
#[should_panic(expected = "5 elements in a 2 by 3 matrix")]
fn a_matrix_of_another_size() {
    let _ = Matrix::by_rows(2, 3, &[0.0; 5]);
}
