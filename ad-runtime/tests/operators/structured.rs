//! Operators with structure, and the algebra of operators.

use ad_runtime::operators::{
    BlockDiagonal, Dense, Diagonal, HessianOperator, HessianOperatorExt, Identity, Kronecker, LowRank,
    Properties,
};

use crate::common::{Real, SIZES, check_operator, matrix, on, random, random_symmetric};
use crate::for_both_precisions;

fn dense_forms<T: Real>() {
    for n in SIZES {
        let mut rng = fastrand::Rng::with_seed(n as u64);
        let a = random_symmetric::<T>(&mut rng, n);
        check_operator(&Dense::symmetric(n, a.clone()), &a);
        let general = random::<T>(&mut rng, n * n);
        check_operator(&Dense::general(n, general.clone()), &general);

        let diagonal = random::<T>(&mut rng, n);
        check_operator(&Diagonal::new(diagonal.clone()), &matrix(n, |i, j| on(i == j, diagonal[i])));
        check_operator(&Identity::<T>::new(n), &matrix(n, |i, j| on(i == j, T::one())));
    }
}

fn block_diagonals<T: Real>() {
    for sizes in [vec![1], vec![1, 1], vec![3, 60, 1], vec![2, 0, 63]] {
        let mut rng = fastrand::Rng::with_seed(sizes.len() as u64);
        let n: usize = sizes.iter().sum();
        let mut blocks = Vec::new();
        let mut dense = vec![T::zero(); n * n];
        let mut start = 0;
        for &size in &sizes {
            let block = random_symmetric::<T>(&mut rng, size);
            for i in 0..size {
                for j in 0..size {
                    dense[(start + i) * n + start + j] = block[i * size + j];
                }
            }
            start += size;
            blocks.push(Dense::symmetric(size, block));
        }
        check_operator(&BlockDiagonal::new(blocks.clone()), &dense);
        let boxed: Vec<Box<dyn HessianOperator<Scalar = T>>> =
            blocks.into_iter().map(|block| Box::new(block) as _).collect();
        check_operator(&BlockDiagonal::new(boxed), &dense);
    }
}

fn low_ranks<T: Real>() {
    for n in SIZES {
        for rank in [0, 1, 2, 9] {
            let mut rng = fastrand::Rng::with_seed((n * 10 + rank) as u64);
            let u = random::<T>(&mut rng, n * rank);
            let d = random::<T>(&mut rng, n);
            let core = random_symmetric::<T>(&mut rng, rank);
            let entry = |core: &dyn Fn(usize, usize) -> T, i: usize, j: usize| -> T {
                (0..rank)
                    .flat_map(|k| (0..rank).map(move |l| (k, l)))
                    .map(|(k, l)| u[i * rank + k] * core(k, l) * u[j * rank + l])
                    .sum()
            };
            let dense_core = |k: usize, l: usize| core[k * rank + l];
            let diagonal_core = |k: usize, l: usize| on(k == l, d[k % n]);

            let operator = LowRank::new(n, u.clone(), Dense::symmetric(rank, core.clone()));
            check_operator(&operator, &matrix(n, |i, j| entry(&dense_core, i, j)));
            check_operator(
                &operator.with_diagonal(d.clone()),
                &matrix(n, |i, j| entry(&dense_core, i, j) + on(i == j, d[i])),
            );
            let diagonal = (0..rank).map(|k| d[k % n]).collect();
            check_operator(
                &LowRank::new(n, u.clone(), Diagonal::new(diagonal)),
                &matrix(n, |i, j| entry(&diagonal_core, i, j)),
            );
        }
    }
}

fn kroneckers<T: Real>() {
    for (p, q) in [(1, 1), (1, 2), (2, 1), (5, 13), (8, 8), (3, 2)] {
        let mut rng = fastrand::Rng::with_seed((p * 100 + q) as u64);
        // Not symmetric, so that a transposition too many or too few shows.
        let a = random::<T>(&mut rng, p * p);
        let b = random::<T>(&mut rng, q * q);
        let dense = matrix(p * q, |i, j| a[i / q * p + j / q] * b[i % q * q + j % q]);
        check_operator(&Kronecker::new(Dense::general(p, a.clone()), Dense::general(q, b.clone())), &dense);
        let d = random::<T>(&mut rng, p);
        let dense = matrix(p * q, |i, j| on(i / q == j / q, d[i / q]) * b[i % q * q + j % q]);
        check_operator(&Kronecker::new(Diagonal::new(d), Dense::general(q, b)), &dense);
    }
}

fn algebra<T: Real>() {
    for n in SIZES {
        let mut rng = fastrand::Rng::with_seed(n as u64);
        let (a, b) = (random_symmetric::<T>(&mut rng, n), random_symmetric::<T>(&mut rng, n));
        let (dense_a, dense_b) = (Dense::symmetric(n, a.clone()), Dense::symmetric(n, b.clone()));
        let factor = T::from(-1.5).unwrap();
        check_operator(&(&dense_a).plus(&dense_b), &matrix(n, |i, j| a[i * n + j] + b[i * n + j]));
        check_operator(&(&dense_a).scaled(factor), &matrix(n, |i, j| factor * a[i * n + j]));
        check_operator(&(&dense_a).shifted(factor), &matrix(n, |i, j| a[i * n + j] + on(i == j, factor)));
        check_operator(&(&dense_a).counted(), &a);
        check_operator(&(&dense_a).assuming(Properties::POSITIVE_SEMIDEFINITE), &a);

        let mut variables: Vec<usize> = (0..n).filter(|_| rng.bool()).collect();
        rng.shuffle(&mut variables);
        variables.push(n - 1); // maybe twice
        let m = variables.len();
        check_operator(
            &(&dense_a).restricted(variables.clone()),
            &matrix(m, |i, j| a[variables[i] * n + variables[j]]),
        );
        check_operator(
            &(&dense_a).plus(&dense_b).restricted(variables.clone()).shifted(factor).scaled(factor),
            &matrix(m, |i, j| {
                let at = variables[i] * n + variables[j];
                factor * (a[at] + b[at] + on(i == j, factor))
            }),
        );
    }
}

for_both_precisions!(dense_forms, block_diagonals, low_ranks, kroneckers, algebra);

/// An operator of which nothing but products is known.
struct Opaque(Dense<f64>);

impl HessianOperator for Opaque {
    type Scalar = f64;
    fn dim(&self) -> usize {
        self.0.dim()
    }
    fn apply(&self, v: &[f64], out: &mut [f64]) {
        self.0.apply(v, out);
    }
}

#[test]
fn an_unknown_diagonal_leaves_the_output_as_it_was() {
    let known = || Dense::symmetric(2, vec![1.0, 2.0, 2.0, 3.0]);
    let unknown = || Opaque(known());
    let operators: Vec<Box<dyn HessianOperator<Scalar = f64>>> = vec![
        Box::new(known().plus(unknown())),
        Box::new(unknown().plus(known())),
        Box::new(unknown().scaled(2.0)),
        Box::new(unknown().shifted(2.0)),
        Box::new(unknown().restricted(vec![1])),
        Box::new(unknown().counted()),
        Box::new(Kronecker::new(known(), unknown())),
        Box::new(Kronecker::new(unknown(), known())),
        Box::new(BlockDiagonal::<Box<dyn HessianOperator<Scalar = f64>>>::new(vec![
            Box::new(known()),
            Box::new(unknown()),
        ])),
    ];
    for (k, operator) in operators.iter().enumerate() {
        let mut out = vec![-7.0; operator.dim()];
        assert!(!operator.diagonal(&mut out), "operator {k}");
        assert!(out.iter().all(|&out| out == -7.0), "operator {k}: {out:?}");
    }
}

#[test]
fn properties_follow_from_the_parts() {
    let semidefinite = || Diagonal::new(vec![1.0, 0.0]);
    let indefinite = || Diagonal::new(vec![1.0, -1.0]);
    let unknown = || Dense::general(2, vec![1.0, 2.0, 3.0, 4.0]);
    let is = |operator: &dyn HessianOperator<Scalar = f64>| {
        let Properties { symmetric, positive_semidefinite } = operator.properties();
        (symmetric, positive_semidefinite)
    };
    assert_eq!(is(&semidefinite()), (true, true));
    assert_eq!(is(&indefinite()), (true, false));
    assert_eq!(is(&Diagonal::new(vec![1.0, f64::NAN])), (true, false));
    assert_eq!(is(&unknown()), (false, false));
    assert_eq!(is(&Dense::of(&semidefinite())), (true, true));
    assert_eq!(is(&semidefinite().plus(semidefinite())), (true, true));
    assert_eq!(is(&semidefinite().plus(indefinite())), (true, false));
    assert_eq!(is(&semidefinite().plus(unknown())), (false, false));
    assert_eq!(is(&semidefinite().scaled(2.0)), (true, true));
    assert_eq!(is(&semidefinite().scaled(-2.0)), (true, false));
    assert_eq!(is(&semidefinite().shifted(0.5)), (true, true));
    assert_eq!(is(&semidefinite().shifted(-0.5)), (true, false));
    assert_eq!(is(&semidefinite().shifted(f64::NAN)), (true, false));
    assert_eq!(is(&semidefinite().restricted(vec![1])), (true, true));
    assert_eq!(is(&indefinite().assuming(Properties::POSITIVE_SEMIDEFINITE)), (true, true));
    assert_eq!(is(&Kronecker::new(semidefinite(), semidefinite())), (true, true));
    assert_eq!(is(&Kronecker::new(semidefinite(), indefinite())), (true, false));
    assert_eq!(is(&BlockDiagonal::new(vec![semidefinite(), indefinite()])), (true, false));
    let low_rank = || LowRank::new(2, vec![1.0; 4], semidefinite());
    assert_eq!(is(&low_rank()), (true, true));
    assert_eq!(is(&low_rank().with_diagonal(vec![0.0, 1.0])), (true, true));
    assert_eq!(is(&low_rank().with_diagonal(vec![0.0, -1.0])), (true, false));
}

#[test]
fn dense_matrices_read_one_triangle_or_all() {
    assert_eq!(Dense::symmetric(2, vec![1.0, f64::NAN, 2.0, 3.0]).entries(), [1.0, 2.0, 2.0, 3.0]);
    let general = Dense::general(2, vec![1.0, 4.0, 2.0, 3.0]);
    assert_eq!((general[(0, 1)], general[(1, 0)]), (4.0, 2.0));
    assert_eq!(general.row(0), [1.0, 4.0]);
    assert_eq!(general.into_entries(), [1.0, 4.0, 2.0, 3.0]);
}

#[test]
fn products_are_counted_from_outside() {
    let hessian = Dense::symmetric(3, vec![1.0; 9]).counted();
    let counter = hessian.counter();
    let solver: Box<dyn HessianOperator<Scalar = f64> + '_> = Box::new(hessian.shifted(1.0));
    solver.apply(&[1.0; 3], &mut [0.0; 3]);
    assert_eq!(counter.products(), 1);
    solver.apply_block(&[1.0; 12], &mut [0.0; 12]);
    assert_eq!(counter.products(), 5);
    solver.quadratic_form(&[1.0; 3]);
    assert_eq!(counter.products(), 6);
    assert!(solver.diagonal(&mut [0.0; 3]));
    assert_eq!(counter.products(), 6);
    counter.reset();
    assert_eq!(counter.products(), 0);
}

#[test]
fn an_operator_may_be_used_within_itself() {
    let a = Diagonal::new(vec![1.0, 2.0]).plus(Identity::new(2)).restricted(vec![0, 1]);
    let mut out = [0.0; 2];
    (&a).plus(&a).apply(&[1.0, 1.0], &mut out);
    assert_eq!(out, [4.0, 6.0]);
}

#[test]
fn nan_in_an_operand_is_seen() {
    let a = || Dense::symmetric(2, vec![0.0; 4]);
    let operators: Vec<Box<dyn HessianOperator<Scalar = f64>>> = vec![
        Box::new(a()),
        Box::new(Diagonal::new(vec![0.0; 2])),
        Box::new(a().plus(a())),
        Box::new(a().scaled(0.0)),
        Box::new(a().shifted(0.0)),
        Box::new(a().restricted(vec![1, 0])),
        Box::new(LowRank::new(2, vec![0.0; 4], Diagonal::new(vec![0.0; 2]))),
        Box::new(BlockDiagonal::new(vec![Diagonal::new(vec![0.0]); 2])),
        Box::new(Kronecker::new(a(), Identity::new(1))),
    ];
    for (k, operator) in operators.iter().enumerate() {
        let mut out = [0.0; 2];
        operator.apply(&[0.0, f64::NAN], &mut out);
        assert!(out[1].is_nan(), "operator {k}: {out:?}");
        assert!(operator.quadratic_form(&[0.0, f64::NAN]).is_nan(), "operator {k}");
    }
}

mod wrong_lengths {
    use super::*;

    #[test]
    #[should_panic(expected = "apply: argument `v` has length 2, expected 3, the operator's dimension")]
    fn direction() {
        Diagonal::new(vec![1.0; 3]).apply(&[1.0; 2], &mut [0.0; 3]);
    }

    #[test]
    #[should_panic(expected = "apply: argument `out` has length 4, expected 3, the operator's dimension")]
    fn product() {
        let hessian = LowRank::new(3, vec![1.0; 3], Identity::new(1));
        hessian.apply(&[1.0; 3], &mut [0.0; 4]);
    }

    #[test]
    #[should_panic(
        expected = "apply_block: arguments `directions` and `out` have lengths 6 and 5, expected the same \
                               multiple of 3, the operator's dimension"
    )]
    fn block() {
        let hessian = Identity::new(3).plus(Identity::new(3));
        hessian.apply_block(&[1.0; 6], &mut [0.0; 5]);
    }

    #[test]
    #[should_panic(
        expected = "quadratic_form: argument `v` has length 1, expected 4, the operator's dimension"
    )]
    fn quadratic_form() {
        Kronecker::new(Identity::new(2), Identity::new(2)).quadratic_form(&[1.0]);
    }

    #[test]
    #[should_panic(expected = "diagonal: argument `out` has length 1, expected 2, the operator's dimension")]
    fn diagonal() {
        let _ = BlockDiagonal::new(vec![Identity::<f64>::new(1); 2]).diagonal(&mut [0.0]);
    }

    #[test]
    #[should_panic(expected = "apply: argument `v` has length 3, expected 1, the operator's dimension")]
    fn restricted() {
        Identity::new(3).restricted(vec![2]).apply(&[1.0; 3], &mut [0.0]);
    }

    #[test]
    #[should_panic(
        expected = "restricted: argument `variables` has an entry 3, but the operator is of dimension 3"
    )]
    fn variable() {
        let _ = Identity::<f64>::new(3).restricted(vec![0, 3]);
    }

    #[test]
    #[should_panic(expected = "plus: argument `other` is of dimension 2, expected 3")]
    fn sum() {
        let _ = Identity::<f64>::new(3).plus(Identity::new(2));
    }

    #[test]
    #[should_panic(
        expected = "Dense::symmetric: argument `entries` has length 3, expected the square of `dim`, which is 2"
    )]
    fn entries() {
        let _ = Dense::symmetric(2, vec![1.0; 3]);
    }

    #[test]
    #[should_panic(
        expected = "LowRank::new: argument `factor` has length 3, expected that of 2 rows and 2 columns"
    )]
    fn factor() {
        let _ = LowRank::new(2, vec![1.0; 3], Identity::new(2));
    }

    #[test]
    #[should_panic(expected = "argument `diagonal` has length 1, expected 2, the operator's dimension")]
    fn added_diagonal() {
        let _ = LowRank::new(2, vec![1.0; 2], Identity::new(1)).with_diagonal(vec![1.0]);
    }
}
