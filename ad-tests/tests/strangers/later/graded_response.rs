//! Samejima's graded response model, marginal likelihood by Gauss-Hermite quadrature.
use ad_runtime::{Differentiable, differentiable};

#[derive(Debug, Clone, Differentiable)]
pub struct Item {
    pub slope: f64,
    /// increasing category thresholds
    pub thresholds: Vec<f64>,
}

// five nodes for the standard normal
const NODES: [(f64, f64); 5] = [
    (-2.856970013872806, 0.011257411327720693),
    (-1.355626179974266, 0.22207592200561266),
    (0.0, 0.5333333333333333),
    (1.355626179974266, 0.22207592200561266),
    (2.856970013872806, 0.011257411327720693),
];

#[differentiable]
fn category_probability(item: &Item, theta: f64, category: usize) -> f64 {
    let at_least = |k: usize| -> f64 {
        if k == 0 {
            1.0
        } else if k > item.thresholds.len() {
            0.0
        } else {
            1.0 / (1.0 + (-item.slope * (theta - item.thresholds[k - 1])).exp())
        }
    };
    at_least(category) - at_least(category + 1)
}

/// Marginal log likelihood per respondent; `responses[person][item]` is the category, None when skipped.
#[differentiable]
pub fn grm_marginal(items: &[Item], responses: &[Vec<Option<usize>>]) -> f64 {
    let person = |row: &Vec<Option<usize>>| -> f64 {
        NODES
            .iter()
            .map(|&(theta, weight)| {
                weight
                    * items
                        .iter()
                        .zip(row)
                        .filter_map(|(item, answer)| answer.map(|k| category_probability(item, theta, k)))
                        .product::<f64>()
            })
            .sum::<f64>()
            .ln()
    };
    responses.iter().map(person).sum::<f64>() / responses.len() as f64
}

fn bank(x: &[f64]) -> Vec<Item> {
    vec![
        Item { slope: x[0], thresholds: vec![x[1], x[2]] },
        Item { slope: x[3], thresholds: vec![x[4]] },
        Item { slope: x[5], thresholds: vec![x[6], x[7], x[8]] },
    ]
}

fn flat(items: &[Item]) -> Vec<f64> {
    items.iter().flat_map(|i| std::iter::once(i.slope).chain(i.thresholds.clone())).collect()
}

fn answers() -> Vec<Vec<Option<usize>>> {
    vec![
        vec![Some(0), Some(1), Some(2)],
        vec![Some(2), Some(1), Some(3)],
        vec![Some(1), None, Some(0)],
        vec![Some(1), Some(0), Some(1)],
    ]
}

#[test]
fn primal() {
    let x = [1.2, -0.7, 0.8, 0.9, 0.1, 1.5, -1.1, 0.2, 1.0];
    assert_eq!(flat(&bank(&x)), x);
    assert!(grm_marginal(&bank(&x), &answers()).is_finite());
}

#[test]
fn exact() {
    super::harness::check(
        "graded_response",
        &[1.2, -0.7, 0.8, 0.9, 0.1, 1.5, -1.1, 0.2, 1.0],
        |x| grm_marginal(&bank(x), &answers()),
        |x| {
            let mut g = bank(&[0.0; 9]);
            let value = grm_marginal_grad(&bank(x), &answers(), &mut g);
            (value, flat(&g))
        },
        |x, v| {
            let mut h = bank(&[0.0; 9]);
            grm_marginal_hvp(&bank(x), &answers(), &bank(v), &mut h);
            flat(&h)
        },
    );
}
