//! Options and results that data gives: what they hold is taken out of them only where it is there.

use std::collections::BTreeMap;

use ad_runtime::differentiable;

/// `k` as a float, for `k` below 3.
fn found(k: usize) -> Option<f64> {
    (k < 3).then_some(k as f64)
}

fn row(k: usize) -> Option<&'static (f64, f64)> {
    const ROWS: [(f64, f64); 2] = [(1.0, 2.0), (0.5, 3.0)];
    ROWS.get(k)
}

fn list(k: usize) -> Option<Vec<f64>> {
    (k < 3).then(|| vec![1.0, 2.0])
}

fn read(k: usize) -> Result<f64, String> {
    if k < 3 { Ok(2.0) } else { Err(format!("no {k}")) }
}

#[test]
fn exits_on_data_that_holds_nothing() {
    // The first of each of these panicked at what is not there.
    #[differentiable]
    fn of_options(x: f64, data: &[Option<f64>]) -> f64 {
        data.iter()
            .filter_map(|d| {
                let m = (*d)?;
                Some(m * x * x)
            })
            .sum::<f64>()
    }
    assert_eq!(of_options_grad(3.0, &[Some(1.0), None, Some(2.0)]), (27.0, 18.0));
    assert_eq!(of_options_hvp(3.0, &[Some(1.0), None, Some(2.0)], 1.0), 6.0);
    #[differentiable]
    fn chained(x: f64, ks: &[usize]) -> f64 {
        let kept: f64 = ks.iter().filter_map(|k| list(*k)).map(|v| v[1] * x * x).sum();
        let mut y = x;
        for v in ks.iter().map_while(|k| list(*k)) {
            y = v[1] * y * y;
        }
        let first = ks.iter().find_map(|k| found(*k + 2).map(|v| v * x));
        kept * first.unwrap_or(x) + y
    }
    // 4 x^2 · 2 x + 2 x^2
    assert_eq!(chained_grad(3.0, &[0, 8, 1]), (8.0 * 27.0 + 18.0, 24.0 * 9.0 + 12.0));
    // 6 x^2 · x, and y = 2 (2 (2 x^2)^2)^2
    let (value, slope) = (6.0 * 27.0 + 128.0 * 6561.0, 18.0 * 9.0 + 1024.0 * 2187.0);
    assert_eq!(chained_grad(3.0, &[1, 2, 1, 8]), (value, slope));
    #[differentiable]
    fn of_results(x: f64, ks: &[usize]) -> Result<f64, String> {
        let mut y = x;
        for k in ks {
            let step = |z: f64| {
                let m = read(*k)?;
                Ok::<f64, String>(m * z * z)
            };
            y = step(y)?;
        }
        Ok(y)
    }
    assert_eq!(of_results_grad(3.0, &[1, 2]), Ok((648.0, 864.0)));
    assert_eq!(of_results_grad(3.0, &[1, 9, 7]), Err("no 9".to_string()));
    // References to numbers: there is no default of these.
    #[differentiable]
    fn looked_up(x: f64, table: &BTreeMap<usize, f64>, ks: &[usize]) -> f64 {
        let near = |k: usize| {
            let m = *table.get(&k)?;
            let n = table.get(&(k + 1))?;
            Some(m * x * x + n * x)
        };
        ks.iter().filter_map(|k| near(*k)).sum::<f64>()
    }
    let table = BTreeMap::from([(1, 2.0), (2, 3.0)]);
    assert_eq!(looked_up_grad(3.0, &table, &[1, 5, 2]), (27.0, 15.0));
}

#[test]
fn options_that_calls_give() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let a = found(2).map(|s| s * x[0] * x[1]).unwrap_or(0.0);
        let b = found(5).map_or(x[2] * x[2], |s| s * x[0]);
        let c = row(1).map(|r| (r.0 * x[0], r.1 * x[1] * x[2]));
        let (d, e) = c.unwrap_or((x[0], x[1]));
        let g = found(0).and_then(|s| if s > 0.5 { Some(s * x[0]) } else { None }).unwrap_or(x[1] * x[1]);
        let h = read(7).map_or(x[0].sin(), |s| s * x[0]);
        a * b + d * e + g * h
    }
    check_slice!([0.7, 1.2, -0.4]);
    #[differentiable]
    fn failing(x: f64, ks: &[usize]) -> Result<f64, String> {
        let all = ks
            .iter()
            .map(|k| row(*k).map(|r| (r.0, r.1 * x)).ok_or_else(|| k.to_string()))
            .collect::<Result<Vec<_>, _>>()?;
        let mut y = x;
        for k in ks {
            y = read(*k).map(|s| s * y * y)?;
        }
        Ok(all.iter().map(|r| r.0 * r.1).sum::<f64>() + y)
    }
    // 1·2 x + 0.5·3 x + 8 x^4
    assert_eq!(failing_grad(2.0, &[0, 1]), Ok((7.0 + 128.0, 3.5 + 256.0)));
    assert_eq!(failing_grad(2.0, &[0, 2]), Err("2".to_string()));
    #[differentiable]
    fn first_failure(x: f64, ks: &[usize]) -> Result<f64, String> {
        let mut y = x;
        for k in ks {
            y = read(*k).and_then(|s| if y > 0.0 { Ok(s * y * y) } else { Err("below".to_string()) })?;
        }
        Ok(y)
    }
    assert_eq!(first_failure_grad(3.0, &[1, 2]), Ok((648.0, 864.0)));
    assert_eq!(first_failure_grad(-3.0, &[1, 2]), Err("below".to_string()));
    assert_eq!(first_failure_grad(3.0, &[4]), Err("no 4".to_string()));
}
