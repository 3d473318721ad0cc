//! Shuffles, splits and scales a data set. Everything is deterministic: the same file and seed give the same
//! rows in the same order on every machine.

use thiserror::Error;

use crate::dataset::Dataset;

/// Rows with features ready for a model: row after row, `columns` numbers each.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// Row after row.
    pub features: Vec<f64>,
    /// One for each row.
    pub labels: Vec<f64>,
    /// Numbers in a row.
    pub columns: usize,
    /// Where each row stands in the data set; the first has 1.
    pub numbers: Vec<usize>,
}

/// The two parts of a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// What the model is fitted to.
    pub train: Rows,
    /// What it is judged by.
    pub held_out: Rows,
}

/// Why a data set cannot be split or scaled.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum PrepareError {
    /// Both parts need rows.
    #[error("{rows} rows are too few: at least {least} are needed to fit and to judge a model")]
    TooFewRows {
        /// Rows in the data set.
        rows: usize,
        /// Rows needed.
        least: usize,
    },
    /// Chance, or a rare class, left the training part with one class.
    #[error("all {rows} training rows are of class \"{class}\": there is nothing to learn")]
    OneClass {
        /// Rows in the training part.
        rows: usize,
        /// Their class.
        class: String,
    },
    /// Mean or deviation of a column overflows.
    #[error("the numbers of column \"{name}\" are too large to scale")]
    TooLarge {
        /// The column.
        name: String,
    },
}

/// Rows that [`split`] asks for.
pub const LEAST_ROWS: usize = 5;

/// Shuffles by `seed` and holds out every fifth row; then scales both parts by mean and standard deviation of
/// the training part. A column that is constant there becomes 0.
pub fn split(data: &Dataset, seed: u64) -> Result<Split, PrepareError> {
    let rows = data.rows();
    if rows < LEAST_ROWS {
        return Err(PrepareError::TooFewRows { rows, least: LEAST_ROWS });
    }
    let order = shuffled(rows, seed);
    let (held_out, train) = order.split_at(rows / 5);
    let mut split = Split { train: pick(data, train), held_out: pick(data, held_out) };
    let first = split.train.labels[0];
    if split.train.labels.iter().all(|label| *label == first) {
        let class = data.classes[usize::from(first > 0.5)].clone();
        return Err(PrepareError::OneClass { rows: train.len(), class });
    }
    for column in 0..data.columns() {
        let scale = Scale::of(&split.train, column);
        if !(scale.mean.is_finite() && scale.deviation.is_finite()) {
            return Err(PrepareError::TooLarge { name: data.names[column].clone() });
        }
        scale.apply(&mut split.train, column);
        scale.apply(&mut split.held_out, column);
    }
    Ok(split)
}

fn pick(data: &Dataset, order: &[usize]) -> Rows {
    let columns = data.columns();
    let row = |&i: &usize| data.features[i * columns..(i + 1) * columns].iter().copied();
    Rows {
        features: order.iter().flat_map(row).collect(),
        labels: order.iter().map(|&i| data.labels[i]).collect(),
        columns,
        numbers: order.iter().map(|&i| i + 1).collect(),
    }
}

impl Rows {
    /// The same rows with the product of every two features, and every square, as further features.
    #[must_use]
    pub fn with_interactions(&self) -> Rows {
        let columns = self.columns;
        let mut features = Vec::new();
        for i in 0..self.labels.len() {
            let row = self.row(i);
            features.extend_from_slice(row);
            features.extend((0..columns).flat_map(|j| (0..=j).map(move |k| row[j] * row[k])));
        }
        let columns = columns + columns * (columns + 1) / 2;
        Rows { features, labels: self.labels.clone(), columns, numbers: self.numbers.clone() }
    }

    /// The features of a row, counted from 0.
    pub fn row(&self, i: usize) -> &[f64] {
        &self.features[i * self.columns..(i + 1) * self.columns]
    }
}

struct Scale {
    mean: f64,
    deviation: f64,
}

impl Scale {
    fn of(rows: &Rows, column: usize) -> Scale {
        let values = || rows.features.iter().skip(column).step_by(rows.columns);
        let count = rows.labels.len() as f64;
        let mean = values().sum::<f64>() / count;
        let variance = values().map(|value| (value - mean).powi(2)).sum::<f64>() / count;
        Scale { mean, deviation: variance.sqrt() }
    }

    fn apply(&self, rows: &mut Rows, column: usize) {
        // Rounding leaves a constant column a deviation of a few units in the last place of its mean.
        let constant = self.deviation <= 1e-14 * self.mean.abs();
        for value in rows.features.iter_mut().skip(column).step_by(rows.columns) {
            *value = if constant { 0.0 } else { (*value - self.mean) / self.deviation };
        }
    }
}

/// 0, 1, .. `count` in the order that Fisher and Yates give with splitmix64.
fn shuffled(count: usize, seed: u64) -> Vec<usize> {
    let mut state = seed;
    let mut next = move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    let mut order: Vec<usize> = (0..count).collect();
    for i in (1..count).rev() {
        // The high half of a 128-bit product is uniform to within 2^-64 · count.
        let j = (u128::from(next()) * (i as u128 + 1)) >> 64;
        order.swap(i, j as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data(rows: usize) -> Dataset {
        Dataset {
            names: vec!["a".into(), "same".into()],
            features: (0..rows).flat_map(|i| [i as f64, 0.1]).collect(),
            labels: (0..rows).map(|i| f64::from(u8::from(i % 2 == 0))).collect(),
            classes: ["0".into(), "1".into()],
        }
    }

    #[test]
    fn a_shuffle_is_a_permutation_and_repeatable() {
        let order = shuffled(100, 7);
        assert_eq!(order, shuffled(100, 7));
        assert_ne!(order, shuffled(100, 8));
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        assert_ne!(order, sorted);
    }

    #[test]
    fn splitmix64_is_the_published_one() {
        // The first output for seed 1234567 is 6457827717110365317; (i + 1) = 2^1 keeps its top bit.
        let order = shuffled(2, 1_234_567);
        assert_eq!(order, if 6_457_827_717_110_365_317_u64 >> 63 == 0 { [1, 0] } else { [0, 1] });
    }

    #[test]
    fn training_columns_are_scaled_and_constant_ones_are_zero() {
        let split = split(&data(50), 1).expect("a good data set");
        assert_eq!((split.train.labels.len(), split.held_out.labels.len()), (40, 10));
        let first: Vec<f64> = split.train.features.iter().step_by(2).copied().collect();
        assert!(first.iter().sum::<f64>().abs() < 1e-12);
        assert!((first.iter().map(|v| v * v).sum::<f64>() / 40.0 - 1.0).abs() < 1e-12);
        assert!(split.train.features.iter().skip(1).step_by(2).all(|v| *v == 0.0));
        assert!(split.held_out.features.iter().skip(1).step_by(2).all(|v| *v == 0.0));
    }

    #[test]
    fn interactions_follow_the_features() {
        let rows = Rows {
            features: vec![2.0, 3.0, 5.0, 7.0],
            labels: vec![0.0, 1.0],
            columns: 2,
            numbers: vec![1, 2],
        };
        let more = rows.with_interactions();
        assert_eq!(more.row(0), [2.0, 3.0, 4.0, 6.0, 9.0]);
        assert_eq!(more.row(1), [5.0, 7.0, 25.0, 35.0, 49.0]);
        assert_eq!((more.columns, more.labels), (5, rows.labels));
    }

    #[test]
    fn what_cannot_be_split_is_said() {
        assert_eq!(split(&data(4), 1), Err(PrepareError::TooFewRows { rows: 4, least: 5 }));
        let mut one = data(5);
        one.labels.fill(1.0);
        assert_eq!(split(&one, 1), Err(PrepareError::OneClass { rows: 4, class: "1".into() }));
        let mut large = data(20);
        large.features.iter_mut().step_by(2).for_each(|v| *v += 1e308);
        assert_eq!(split(&large, 1), Err(PrepareError::TooLarge { name: "a".into() }));
    }
}
