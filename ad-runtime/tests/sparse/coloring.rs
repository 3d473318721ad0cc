//! Colourings against their definitions, and against the numbers of colours that are known.

use ad_runtime::sparse::{Coloring, Order, Pattern};
use proptest::prelude::*;

use crate::common::{grid, patterns, tree};

/// What breaks a star colouring, by the definition: an edge of one colour, or a path of four in two colours.
fn check_star(pattern: &Pattern, colors: &[usize]) -> Result<(), String> {
    check_proper(pattern, colors)?;
    let neighbours = |v: usize| pattern.row(v).iter().copied().filter(move |&w| w != v);
    for a in 0..pattern.dim() {
        for b in neighbours(a) {
            for c in neighbours(b).filter(|&c| c != a && colors[c] == colors[a]) {
                if let Some(d) = neighbours(c).find(|&d| d != b && colors[d] == colors[b]) {
                    return Err(format!("the path {a} {b} {c} {d} is in two colours"));
                }
            }
        }
    }
    Ok(())
}

/// What breaks an acyclic colouring, by the definition: an edge of one colour, or a cycle in two colours.
fn check_acyclic(pattern: &Pattern, colors: &[usize]) -> Result<(), String> {
    check_proper(pattern, colors)?;
    let count = colors.iter().max().map_or(0, |last| last + 1);
    for (first, second) in (0..count).flat_map(|second| (0..second).map(move |first| (first, second))) {
        // By vertex: one vertex of its component, the same for all. An edge within a component closes a cycle.
        let mut component: Vec<usize> = (0..pattern.dim()).collect();
        for (a, b) in pattern.iter().filter(|&(a, b)| colors[a] == first && colors[b] == second) {
            let (from, to) = (component[a], component[b]);
            if from == to {
                return Err(format!("a cycle through {a} and {b} is in two colours"));
            }
            component.iter_mut().filter(|of| **of == from).for_each(|of| *of = to);
        }
    }
    Ok(())
}

fn check_proper(pattern: &Pattern, colors: &[usize]) -> Result<(), String> {
    match pattern.iter().find(|&(a, b)| a != b && colors[a] == colors[b]) {
        Some((a, b)) => Err(format!("the neighbours {a} and {b} are in one colour")),
        None => Ok(()),
    }
}

#[test]
fn the_checks_refuse() {
    let path = Pattern::banded(4, 1);
    assert!(check_proper(&path, &[0, 0, 1, 2]).unwrap_err().contains("neighbours 0 and 1"));
    assert!(check_star(&path, &[0, 1, 0, 1]).unwrap_err().contains("path"));
    assert_eq!(check_acyclic(&path, &[0, 1, 0, 1]), Ok(()));
    let cycle = Pattern::from_pairs(4, [(0, 1), (1, 2), (2, 3), (3, 0)]).unwrap();
    assert!(check_acyclic(&cycle, &[0, 1, 0, 1]).unwrap_err().contains("cycle"));
    assert_eq!(check_star(&cycle, &[0, 1, 0, 2]), Ok(()));
}

proptest! {
    #[test]
    fn random_graphs(pattern in patterns(30)) {
        for order in Order::ALL {
            let star = Coloring::star(&pattern, order);
            prop_assert_eq!(check_star(&pattern, star.colors()), Ok(()));
            prop_assert_eq!(check_acyclic(&pattern, star.colors()), Ok(()));
            prop_assert!(star.count() >= Coloring::fewest(&pattern, Coloring::star).count());
            let acyclic = Coloring::acyclic(&pattern, order);
            prop_assert_eq!(check_acyclic(&pattern, acyclic.colors()), Ok(()));
        }
    }
}

/// The numbers of colours of a star and of an acyclic colouring, checked.
fn counts(pattern: &Pattern, order: Order) -> (usize, usize) {
    let (star, acyclic) = (Coloring::star(pattern, order), Coloring::acyclic(pattern, order));
    assert_eq!(check_star(pattern, star.colors()), Ok(()));
    assert_eq!(check_acyclic(pattern, acyclic.colors()), Ok(()));
    (star.count(), acyclic.count())
}

#[test]
fn every_order_finds_the_fewest_where_it_is_easy() {
    for order in Order::ALL {
        assert_eq!(counts(&Pattern::empty(0), order), (0, 0));
        assert_eq!(counts(&Pattern::empty(5), order), (1, 1));
        assert_eq!(counts(&Pattern::banded(5, 0), order), (1, 1));
        assert_eq!(counts(&Pattern::dense(1), order), (1, 1));
        assert_eq!(counts(&Pattern::dense(9), order), (9, 9));
        assert_eq!(counts(&Pattern::arrowhead(40, 1), order), (2, 2));
        assert_eq!(counts(&Pattern::arrowhead(40, 3), order), (4, 4));
        assert_eq!(counts(&Pattern::banded(65, 1), order), (3, 2));
    }
}

/// Both are the smallest possible. k + 1 variables all share entries with each other; and an exhaustive search for star
/// colourings, for k ≤ 4 and n < 16, found that 2k + 1 are needed from n = 3k + 1 on, and fewer before.
#[test]
fn bands() {
    for k in 0..7 {
        for n in [3 * k + 1, 3 * k + 2, 64, 65, 300] {
            assert_eq!(
                counts(&Pattern::banded(n, k), Order::Natural),
                (2 * k + 1, k + 1),
                "n = {n}, k = {k}"
            );
        }
    }
    assert_eq!(counts(&Pattern::banded(9, 3), Order::Natural).1, 4);
}

#[test]
fn trees() {
    for (n, arity) in [(200, 2), (200, 3), (200, 9)] {
        let tree = tree(n, arity);
        assert_eq!(counts(&tree, Order::Natural), (3, 2));
        for order in [Order::SmallestLast, Order::IncidenceDegree, Order::DynamicLargestFirst] {
            assert_eq!(counts(&tree, order).1, 2, "{order:?}");
        }
    }
    for order in Order::ALL {
        assert_eq!(counts(&tree(50, 49), order), (2, 2), "{order:?}"); // one star
    }
}

#[test]
fn grids() {
    let grid = grid(20, 30);
    assert_eq!(counts(&grid, Order::Natural), (5, 4));
    for order in Order::ALL {
        let (star, acyclic) = counts(&grid, order);
        assert!(star >= 5 && acyclic >= 3, "{order:?}");
    }
}

#[test]
fn a_million_variables_take_linear_time() {
    let n = 1_000_000;
    for (pattern, star, acyclic) in [(Pattern::banded(n, 1), 3, 2), (Pattern::arrowhead(n, 1), 2, 2)] {
        for order in [Order::Natural, Order::SmallestLast] {
            assert_eq!(Coloring::star(&pattern, order).count(), star);
            assert_eq!(Coloring::acyclic(&pattern, order).count(), acyclic);
        }
    }
}
