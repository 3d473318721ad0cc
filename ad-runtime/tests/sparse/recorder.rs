//! Patterns that are found, against those that are known and against sets worked out at once.

use std::collections::BTreeSet;

use ad_runtime::sparse::{Coloring, IndexSet, Order, Pattern, PatternRecorder};
use proptest::prelude::*;

use crate::common::grid;

/// `100 (x[i + 1] - x[i]²)² + (1 - x[i])²`
fn rosenbrock_term(recorder: &mut PatternRecorder, x: &[IndexSet]) -> IndexSet {
    let square = recorder.bilinear(&x[0], &x[0]);
    let difference = recorder.union(&x[1], &square);
    let first = recorder.nonlinear(&difference);
    let second = recorder.nonlinear(&x[0]);
    recorder.union(&first, &second)
}

fn rosenbrock(n: usize) -> (PatternRecorder, IndexSet) {
    let mut recorder = PatternRecorder::new(n);
    let x = recorder.inputs(0..n);
    let mut total = IndexSet::new();
    for x in x.windows(2) {
        let term = rosenbrock_term(&mut recorder, x);
        total = recorder.union(&total, &term);
    }
    (recorder, total)
}

#[test]
fn chained_rosenbrock_is_tridiagonal() {
    for n in [2, 3, 5, 6, 64, 65, 1000, 3000] {
        let (mut recorder, total) = rosenbrock(n);
        assert_eq!(recorder.indices(&total), (0..n).collect::<Vec<_>>());
        assert_eq!(recorder.finish(), Pattern::banded(n, 1));
    }
}

#[test]
fn a_million_variables_take_linear_memory() {
    let n = 1_000_000;
    let mut found = Pattern::empty(0);
    let memory = allocation_counter::measure(|| {
        let (recorder, total) = rosenbrock(n);
        drop(total);
        found = recorder.finish();
    });
    assert_eq!(found, Pattern::banded(n, 1));
    assert!(memory.bytes_max < 400 * n as u64, "{} bytes a variable", memory.bytes_max / n as u64);
    let coloring = Coloring::star(&found, Order::Natural);
    assert_eq!(coloring.count(), 3);
}

/// What the recorder computes, without laziness.
#[derive(Default)]
struct Reference(BTreeSet<(usize, usize)>);

type Set = BTreeSet<usize>;

impl Reference {
    fn mark(&mut self, a: &Set, b: &Set) {
        for &i in a {
            self.0.extend(b.iter().flat_map(|&j| [(i, j), (j, i)]));
        }
    }
}

proptest! {
    #[test]
    fn random_programs(
        n in 1usize..40,
        spread in prop::sample::select(vec![1, 200]), // few inputs, and more than there are bits for
        operations in prop::collection::vec((0..6, any::<prop::sample::Index>(), any::<prop::sample::Index>()), 1..200),
    ) {
        let mut recorder = PatternRecorder::new(n * spread);
        let mut reference = Reference::default();
        let mut values: Vec<(IndexSet, Set)> = vec![(IndexSet::new(), Set::new())];
        values.extend((0..n).map(|i| i * spread).map(|i| (recorder.input(i), Set::from([i]))));
        for (kind, a, b) in operations {
            let (a, b) = (&values[a.index(values.len())], &values[b.index(values.len())]);
            let both: Set = a.1.union(&b.1).copied().collect();
            let value = match kind {
                0 => {
                    reference.mark(&a.1, &a.1);
                    (recorder.nonlinear(&a.0), a.1.clone())
                }
                1 => {
                    reference.mark(&a.1, &b.1);
                    (recorder.bilinear(&a.0, &b.0), both)
                }
                _ => (recorder.union(&a.0, &b.0), both),
            };
            prop_assert!(!value.0.is_empty() || value.1.is_empty());
            values.push(value);
        }
        for (found, expected) in &values[values.len().saturating_sub(3)..] {
            prop_assert!(recorder.indices(found).iter().eq(expected));
        }
        prop_assert!(recorder.finish().iter().eq(reference.0));
    }
}

#[test]
fn products_mark_across_only() {
    let mut recorder = PatternRecorder::new(20);
    let x = recorder.inputs(0..20);
    let (left, right) = (recorder.union_all(&x[..7]), recorder.union_all(&x[7..16]));
    for _ in 0..3 {
        let product = recorder.bilinear(&left, &right);
        assert_eq!(recorder.indices(&product).len(), 16);
        let _ = recorder.bilinear(&x[19], &left);
    }
    let across = (0..7).flat_map(|i| (7..16).chain([19]).map(move |j| (i, j)));
    assert_eq!(recorder.finish(), Pattern::from_pairs(20, across).unwrap());
}

#[test]
fn linear_functions_have_no_pattern() {
    let mut recorder = PatternRecorder::new(65);
    let x = recorder.inputs(0..65);
    let sum = recorder.union_all(&x);
    let constant = IndexSet::new();
    let scaled = recorder.bilinear(&sum, &constant);
    assert_eq!(recorder.indices(&scaled), (0..65).collect::<Vec<_>>());
    assert!(recorder.nonlinear(&constant).is_empty());
    assert_eq!(recorder.finish(), Pattern::empty(65));
}

/// Squares of sums of neighbours: the five-point stencil squared.
#[test]
fn a_discretised_equation() {
    let (rows, columns) = (12, 9);
    let stencil = grid(rows, columns);
    let n = stencil.dim();
    let mut recorder = PatternRecorder::new(n);
    let u = recorder.inputs(0..n);
    let mut total = IndexSet::new();
    for row in stencil.rows() {
        let residual = recorder.union_all(row.iter().map(|&j| &u[j]));
        let square = recorder.nonlinear(&residual);
        total = recorder.union(&total, &square);
    }
    let squared =
        stencil.rows().flat_map(|row| row.iter().flat_map(move |&i| row.iter().map(move |&j| (i, j))));
    assert_eq!(recorder.finish(), Pattern::from_pairs(n, squared).unwrap());
}

/// Each state depends on all controls before: no more work than there are entries, although sets of all sizes are marked.
#[test]
fn a_recurrence() {
    for n in [2000, 100_000] {
        let mut recorder = PatternRecorder::new(n);
        let mut state = IndexSet::new();
        for control in recorder.inputs(0..2000) {
            let sum = recorder.union(&state, &control);
            state = recorder.nonlinear(&sum);
        }
        assert_eq!(recorder.finish().nnz(), 2000 * 2000);
    }
}

/// Equal sets count as one, however they were made: a layer of a network in each of many samples.
#[test]
fn equal_sets_are_marked_once() {
    for n in [500, 100_000] {
        let mut recorder = PatternRecorder::new(n);
        let weights = recorder.inputs(0..500);
        for _ in 0..2000 {
            let units = [recorder.union_all(&weights), recorder.union_all(&weights[..300])];
            let squashed = recorder.nonlinear(&units[0]);
            let _ = recorder.bilinear(&squashed, &units[1]);
        }
        assert_eq!(recorder.finish().nnz(), 500 * 500);
    }
}

/// Powers of two of paths lead through this graph.
#[test]
fn shared_parts_are_visited_once() {
    let mut recorder = PatternRecorder::new(100);
    let x = recorder.inputs(0..100);
    let (mut a, mut b) = (recorder.union_all(&x[..50]), recorder.union_all(&x[50..99]));
    for _ in 0..10_000 {
        let c = recorder.union(&a, &b);
        (a, b) = (b, c);
    }
    assert_eq!(recorder.indices(&b), (0..99).collect::<Vec<_>>());
}

#[test]
fn a_long_loop_does_not_keep_its_past() {
    for n in [300, 5000] {
        let memory = allocation_counter::measure(|| {
            let mut recorder = PatternRecorder::new(n);
            let x = recorder.inputs(0..n);
            let mut state = x[..300].to_vec();
            for step in 0..1000 {
                let old = state.clone();
                for i in 0..300 {
                    let flow = recorder.union(&old[i], &old[(i + 1) % 300]);
                    state[i] = recorder.union(&state[i], &flow);
                }
                let _ = recorder.nonlinear(&state[step % 300]);
                if step % 7 == 0 {
                    state[step % 300] = recorder.union(&x[step % 300], &x[0]);
                }
            }
        });
        assert!(memory.bytes_max < 20_000_000, "{} bytes", memory.bytes_max);
    }
}

/// A value that many unions build on, with so many nodes that they are not kept, is not worked out for each.
#[test]
fn unions_take_constant_time() {
    let n = 200_000;
    let mut recorder = PatternRecorder::new(n);
    let x = recorder.inputs(0..n);
    let base = recorder.union_all(&x[..n - 10]);
    let mut last = IndexSet::new();
    for i in 0..n {
        let first = recorder.union(&base, &x[n - 1 - i % 9]);
        let second = recorder.union(&first, &x[n - 2 - i % 7]);
        last = recorder.union(&second, &x[i]);
    }
    assert!(recorder.indices(&last).len() > n - 10);
    assert_eq!(recorder.finish(), Pattern::empty(n));
}

/// Neither dropping nor printing nor working out a deep graph recurses.
#[test]
fn deep_graphs_do_not_overflow_the_stack() {
    let deep = || {
        let n = 300_000;
        let mut recorder = PatternRecorder::new(n);
        let x = recorder.inputs(0..n);
        let left = recorder.union_all(&x);
        let right = x.iter().fold(IndexSet::new(), |sum, x| recorder.union(x, &sum));
        assert!(format!("{left:?} {right:?}").contains("union"));
        let both = recorder.union(&left, &right);
        let copy = both.clone();
        drop((left, right, both));
        drop(copy);
        let again = recorder.union_all(&x);
        assert_eq!(recorder.indices(&again).len(), n);
        drop(recorder);
        drop(again);
    };
    std::thread::Builder::new().stack_size(64 * 1024).spawn(deep).unwrap().join().unwrap();
}

#[test]
fn sets_are_printed() {
    let mut recorder = PatternRecorder::new(9);
    let x = recorder.inputs(0..9);
    let few = recorder.union(&x[4], &x[2]);
    assert_eq!(format!("{few:?}"), "{2, 4}");
    let all = recorder.union_all(&x[1..8]);
    let _ = recorder.indices(&all);
    assert_eq!(format!("{all:?}"), "{1, 2, 3, 4, 5, 6, 7}");
}

#[test]
fn no_inputs() {
    let mut recorder = PatternRecorder::new(0);
    let sum = recorder.union_all(&[]);
    assert!(recorder.nonlinear(&sum).is_empty());
    assert_eq!(recorder.finish(), Pattern::empty(0));
}

#[test]
#[should_panic(expected = "argument `i` is 3, expected less than 3")]
fn an_input_out_of_range() {
    let _ = PatternRecorder::new(3).inputs(1..4);
}
