//! Maps: with active values, collected and then read; with data, asked for what active values meet.

mod maps_with_values {
    use std::collections::{BTreeMap, HashMap};

    use ad_runtime::differentiable;

    #[differentiable]
    fn f(x: &[f64], names: &[(&str, u32)]) -> f64 {
        let by_letter: BTreeMap<char, f64> =
            [('c', x[0] * x[1]), ('a', 2.0), ('b', x[2]), ('c', x[0].sin())].into_iter().collect();
        let by_number = x.iter().enumerate().map(|(k, v)| (10 - k, v * v)).collect::<HashMap<usize, f64>>();
        let by_name: BTreeMap<&str, f64> =
            names.iter().map(|&(name, k)| (name, x[k as usize] * x[0])).collect();
        let mut sum = by_letter[&'c'] * by_number[&8] + by_letter.len() as f64 * x[0];
        for (k, v) in &by_letter {
            if *k != 'a' {
                sum = sum * v + by_number[&10];
            }
        }
        for &(name, k) in names {
            sum += by_name[name] * by_name[&name] * f64::from(k);
            if by_name.contains_key("none") {
                sum *= 100.0;
            }
        }
        let scale = by_number.get(&9).copied().unwrap_or(5.0) + by_number.get(&99).map_or(x[1], |v| v * v);
        // In the order of keys.
        let last = by_letter.values().fold(0.0, |all, v| all * 0.5 + v * x[1]);
        sum * scale + last + by_name.iter().map(|(name, v)| v * name.len() as f64).sum::<f64>()
    }

    pub(super) fn check() {
        check_slice!([0.6, 1.1, 0.8], &[("one", 1), ("a", 2), ("one", 0), ("three", 2)]);
    }
}

#[test]
fn maps_collected_and_read() {
    maps_with_values::check();
}

mod looked_up {
    use std::collections::HashMap;

    use ad_runtime::differentiable;

    #[differentiable]
    fn f(x: &[f64], table: &HashMap<String, Vec<f64>>, names: &[&str]) -> f64 {
        let mut sum = 0.0;
        for &name in names {
            let Some(row) = table.get(name) else { continue };
            sum += row.iter().map(|v| v * x[0]).sum::<f64>() * x[1].powi(row.len() as i32);
        }
        sum
    }

    pub(super) fn check() {
        let table = [("one", vec![0.7]), ("two", vec![1.1, -0.4])].map(|(name, row)| (name.to_string(), row));
        check_slice!([0.6, 1.1], &HashMap::from(table.clone()), &["two", "none", "one"]);
    }
}

#[test]
fn rows_looked_up() {
    looked_up::check();
}
