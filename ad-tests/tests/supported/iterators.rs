//! Iterators: sources, adapters, what ends a chain, and where chains stand.

use ad_runtime::differentiable;

const X: [f64; 5] = [0.3, -0.8, 1.1, 0.6, -0.4];
const W: [f64; 5] = [1.2, 0.7, -0.5, 2.0, 0.9];

#[test]
fn map_and_sum() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        x.iter().map(|v| v.sin() * v).sum::<f64>()
            + (0..x.len()).map(|i| x[i].powi(3) * i as f64).sum::<f64>()
    }
    check_slice!(X);
}

#[test]
fn zip_and_enumerate() {
    #[differentiable(wrt(x))]
    fn f(x: &[f64], w: &[f64]) -> f64 {
        let weighted: f64 = x.iter().zip(w).map(|(a, b)| a * a * b).sum();
        let placed: f64 =
            x.iter().zip(w.iter()).enumerate().map(|(i, (&a, b))| (a * b).cos() * i as f64).sum();
        weighted * placed
    }
    check_slice!(X, &W);
}

#[test]
fn copied_and_cloned() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        x.iter().copied().map(f64::exp).sum::<f64>() * x.iter().cloned().map(|v| v * v).sum::<f64>()
    }
    check_slice!(X);
}

#[test]
fn rev_skip_take_and_step_by() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let a: f64 = x.iter().rev().enumerate().map(|(i, v)| v * v * (i as f64 + 1.0)).sum();
        let b: f64 = x.iter().skip(1).zip(x.iter().take(4)).map(|(u, v)| u * v).sum();
        let c: f64 = x.iter().step_by(2).map(|v| v.exp()).sum();
        let d: f64 = (1..x.len()).rev().step_by(2).map(|i| x[i] * x[i - 1]).sum();
        a * b + c * d
    }
    check_slice!(X);
}

#[test]
fn chain_and_cycle() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let around: f64 = x.iter().zip(x.iter().cycle().skip(1)).map(|(a, b)| (a - b).powi(2)).sum();
        x.iter().chain(std::iter::once(&0.5)).chain(x[..2].iter()).map(|v| v.powi(3)).sum::<f64>()
            + around.sqrt()
    }
    check_slice!(X);
}

#[test]
fn windows_and_chunks() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let rough: f64 = x.windows(2).map(|w| (w[1] - w[0]).powi(2)).sum();
        let bend: f64 = x.windows(3).map(|w| (w[0] - 2.0 * w[1] + w[2]).sin()).sum();
        let pairs: f64 = x.chunks(2).map(|c| c.iter().product::<f64>()).sum();
        let exact: f64 = x.chunks_exact(2).map(|c| c[0] * c[1] * c[1]).sum();
        rough * bend + pairs - exact
    }
    check_slice!(X);
}

#[test]
fn filter_and_filter_map() {
    #[differentiable(wrt(x))]
    fn f(x: &[f64], keep: &[bool]) -> f64 {
        let chosen: f64 = x.iter().zip(keep).filter(|(_, k)| **k).map(|(v, _)| v.exp()).sum();
        let positive: f64 = x.iter().filter(|v| **v > 0.0).map(|v| v.ln()).sum();
        let roots: f64 = x.iter().filter_map(|&v| if v > 0.1 { Some(v.sqrt()) } else { None }).sum();
        chosen * positive + roots
    }
    check_slice!(X, &[true, false, true, true, false]);
}

#[test]
fn take_while_and_skip_while() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let head: f64 = x.iter().take_while(|v| **v < 1.0).map(|v| v * v).sum();
        let tail: f64 = x.iter().skip_while(|v| **v < 1.0).map(|v| v.exp()).sum();
        head * tail + x.iter().map_while(|v| (*v > -0.9).then_some(v * v * v)).sum::<f64>()
    }
    check_slice!(X);
}

#[test]
fn scan() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        x.iter()
            .scan(1.0, |level, v| {
                *level = 0.7 * *level + v * v;
                Some(*level)
            })
            .map(|l| l.ln())
            .sum()
    }
    check_slice!(X);
}

#[test]
fn flat_map() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let n = x.len();
        (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j))).map(|(i, j)| (x[i] * x[j]).sin()).sum()
    }
    check_slice!(X);
}

#[test]
fn fold_and_product() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let (s, q) = x.iter().fold((0.0, 0.0), |(s, q), v| (s + v, q + v * v));
        let p: f64 = x.iter().map(|v| 1.0 + 0.1 * v).product();
        let powers = x.iter().fold([0.0; 2], |acc, v| [acc[0] + v.powi(3), acc[1] + v.exp()]);
        s * q * p + powers[0] * powers[1]
    }
    check_slice!(X);
}

#[test]
fn largest_and_smallest() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let top = x.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let low = x.iter().copied().fold(f64::MAX, |a, b| a.min(b));
        let far = x.iter().max_by(|a, b| a.abs().partial_cmp(&b.abs()).unwrap()).unwrap();
        let near = x.iter().copied().min_by(|a, b| a.abs().total_cmp(&b.abs())).unwrap_or(0.0);
        let best = x.iter().copied().reduce(f64::max).unwrap();
        let sum: f64 = x.iter().map(|v| (v - top).exp()).sum();
        top + sum.ln() + low * low + far * near + best
    }
    check_slice!(X);
}

#[test]
fn searches_and_ends() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let first = x.iter().find(|v| **v > 0.5).copied().unwrap_or(1.0);
        let at = x.iter().position(|v| *v > 1.0).unwrap_or(0);
        let wild = x.iter().any(|v| *v > 5.0);
        let tame = x.iter().all(|v| *v < 5.0);
        let count = x.iter().filter(|v| **v > 0.0).count() as f64;
        let last = x.iter().last().unwrap();
        let third = x.iter().nth(2).unwrap();
        if wild || !tame { 0.0 } else { first * x[at] * count + last * third * third }
    }
    check_slice!(X);
}

#[test]
fn for_each_and_for_heads() {
    #[differentiable(wrt(x))]
    fn f(x: &[f64], w: &[f64]) -> f64 {
        let mut s = 0.0;
        x.iter().zip(w).for_each(|(a, b)| s += a * a * b);
        for (i, (a, b)) in x.iter().zip(w.iter()).enumerate().skip(1) {
            s += (a * b).sin() * i as f64;
        }
        for pair in x.chunks(2) {
            if pair.len() < 2 {
                break;
            }
            s *= 1.0 + 0.1 * pair[0] * pair[1];
        }
        s
    }
    check_slice!(X, &W);
}

#[test]
fn iter_mut_in_chains() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let mut y = x.to_vec();
        for (a, b) in y.iter_mut().zip(x.iter().rev()) {
            *a = *a * b + 0.5;
        }
        y.iter_mut().for_each(|a| *a *= *a);
        y.iter().sum()
    }
    check_slice!(X);
}

#[test]
fn collect_and_unzip() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let squares: Vec<f64> = x.iter().map(|v| v * v).collect();
        let positive = x.iter().copied().filter(|v| *v > 0.0).collect::<Vec<_>>();
        let (sines, cosines): (Vec<f64>, Vec<f64>) = x.iter().map(|v| v.sin_cos()).unzip();
        let pairs: Vec<(f64, f64)> = squares.iter().copied().zip(sines).collect();
        let (above, below): (Vec<f64>, Vec<f64>) = x.iter().partition(|v| **v > 0.2);
        let mixed: f64 = pairs.iter().map(|(a, b)| a * b).sum();
        mixed
            + positive[0] * cosines[1]
            + above.iter().sum::<f64>() * below.iter().map(|v| v * v).sum::<f64>()
    }
    check_slice!(X);
}

#[test]
fn chains_kept_in_variables() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let squares = x.iter().map(|v| v * v);
        let total: f64 = squares.clone().sum();
        let mut rest = x.iter();
        let first = rest.next().unwrap();
        total * first + squares.zip(rest).map(|(a, b)| a * b).sum::<f64>()
    }
    check_slice!(X);
}

#[test]
fn nested_chains() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        x.iter().map(|a| x.iter().map(|b| (-(a - b).powi(2)).exp()).sum::<f64>().ln()).sum()
    }
    check_slice!(X);
}

struct Data {
    points: Vec<(f64, f64)>,
    weights: Vec<f64>,
}

#[test]
fn chains_over_data() {
    #[differentiable(wrt(x))]
    fn f(x: &[f64], data: &Data, table: &[(usize, f64)]) -> f64 {
        let fit: f64 = data.points.iter().map(|(t, y)| (x[0] + x[1] * t - y).powi(2)).sum();
        let weighted: f64 = data.weights.iter().zip(x).map(|(w, v)| w * v * v).sum();
        let looked_up: f64 = table.iter().map(|&(k, c)| c * x[k].exp()).sum();
        let mean = data.weights.iter().sum::<f64>() / data.weights.len() as f64;
        for &(t, y) in &data.points {
            assert!(t.is_finite() && y.is_finite());
        }
        fit * mean + weighted * looked_up
    }
    let data = Data { points: vec![(0.0, 1.0), (1.0, 0.3), (2.0, -0.2)], weights: vec![0.5, 1.5, 1.0] };
    check_slice!(X, &data, &[(0, 0.3), (4, -1.2)]);
}

#[test]
fn chains_of_options_and_results() {
    #[differentiable]
    fn f(x: &[f64]) -> Option<f64> {
        let logs: f64 = x.iter().map(|v| if *v > 0.0 { Some(v.ln()) } else { None }).sum::<Option<f64>>()?;
        let roots: Option<Vec<f64>> = x.iter().map(|v| (*v > 0.0).then(|| v.sqrt())).collect();
        let product = x.iter().try_fold(1.0, |acc, v| if *v < 9.0 { Some(acc * v) } else { None })?;
        let checked = x.iter().map(|v| if *v < 8.5 { Ok(v * v) } else { Err("large") });
        let squares = checked.collect::<Result<Vec<_>, _>>().ok()?;
        let mut total = 0.0;
        x.iter().try_for_each(|v| {
            total += v * v;
            if *v < 8.0 { Some(()) } else { None }
        })?;
        Some(logs * product + roots?.iter().sum::<f64>() * total + squares[0])
    }
    assert!(f_grad(&[0.5, -1.0], &mut [0.0; 2]).is_none());
    assert!(f_grad(&[0.5, 8.2], &mut [0.0; 2]).is_none());
    assert!(f_grad(&[0.5, 9.2], &mut [0.0; 2]).is_none());
    let (x, y) = (0.5_f64, 0.7_f64);
    let mut g = [f64::NAN; 2];
    let value = f_grad(&[x, y], &mut g).unwrap();
    let slope = |x: f64, y: f64| {
        y + (x * y).ln() * y + 0.5 / x.sqrt() * (x * x + y * y) + (x.sqrt() + y.sqrt()) * 2.0 * x + 2.0 * x
    };
    let wanted = (x * y).ln() * x * y + (x.sqrt() + y.sqrt()) * (x * x + y * y) + x * x;
    assert!((value - wanted).abs() < 1e-14 && (g[0] - slope(x, y)).abs() < 1e-13, "{value} {g:?}");
    let mut hv = [f64::NAN; 2];
    f_hvp(&[x, y], &[1.0, 0.0], &mut hv).unwrap();
    let difference = (slope(x + 1e-5, y) - slope(x - 1e-5, y)) / 2e-5;
    assert!((hv[0] - difference).abs() < 1e-8, "{hv:?} {difference}");
}

#[test]
fn imported_sources() {
    use std::iter::{once, repeat};
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let both: f64 =
            once(x[0] * x[1]).chain(x.iter().copied()).zip(repeat(x[2])).map(|(a, b)| a * b).sum();
        both.sin()
    }
    check_slice!(X);
}

#[test]
fn iterators_taken_item_by_item() {
    {
        #[differentiable]
        fn f(x: &[f64]) -> f64 {
            let mut it = x.iter().copied();
            let (a, b) = (it.nth(0).unwrap(), it.nth(1).unwrap());
            a * b * b + a * it.map(f64::sin).sum::<f64>()
        }
        check_slice!(vec![0.7, 1.3, 0.4, 0.9, 0.8]);
    }
    {
        #[differentiable]
        fn f(x: &[f64]) -> f64 {
            fn two(it: &mut std::slice::Iter<'_, f64>) -> f64 {
                it.next().unwrap() * it.next().unwrap()
            }
            let mut it = x.iter();
            let a = two(&mut it);
            let r = &mut it;
            let b = r.next().unwrap() + r.nth(1).unwrap();
            a * a * b + it.map(|v| v * v).sum::<f64>() * b
        }
        check_slice!(vec![0.7, 1.3, 0.4, 0.9, 0.8, 0.3, 1.1]);
    }
}

#[test]
fn sums_of_integers_of_a_type_told() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let mut seen: Vec<usize> = Vec::new();
        let mut counts = Vec::new();
        let mut s = 1.0;
        for k in 0..x.len() {
            if k > 1 {
                seen.push(k)
            }
            counts.push(k as u32 + 1);
            s *= x[k];
        }
        let total: u32 = counts.iter().map(|c| c * 2).sum();
        s * f64::from(total)
            + s * s * (seen.iter().sum::<usize>() + counts.iter().product::<u32>() as usize) as f64
    }
    check_slice!([0.7, 1.3, 0.4, 0.9]);
    let s = 0.7 * 1.3 * 0.4 * 0.9;
    super::close("value", &[f(&[0.7, 1.3, 0.4, 0.9])], &[s * 20.0 + s * s * (5.0 + 24.0)], 1e-14);
}

mod items_of_options {
    use ad_runtime::differentiable;

    fn kept(n: usize) -> Option<f64> {
        if n > 2 { Some(0.75) } else { None }
    }

    #[differentiable]
    fn f(x: &[f64], n: usize) -> f64 {
        let mut first = (n > 1).then(|| x[0] * x[1]);
        let second = if x[0] > 10.0 { Some(x[2]) } else { None };
        let third = x.get(n).map(|v| v.exp());
        let all = [first, second, third];
        // The array holds what they were.
        first = Some(100.0 * x[0]);
        let mut sum = all.into_iter().flatten().fold(x[2], |total, v| total * v + v);
        sum += [third, first, third].iter().flatten().rev().fold(0.0, |total, v| total * 0.5 + v * v);
        #[allow(for_loops_over_fallibles)]
        for v in third {
            sum += v * x[0];
        }
        for v in first.iter().chain(second.as_ref()) {
            sum += v * v;
        }
        sum += [kept(n), Some(x[1])].into_iter().flatten().map(|v| v * v * x[0]).sum::<f64>();
        sum + x.iter().flat_map(|&v| (v > 0.7).then(|| v * v * v)).sum::<f64>()
    }

    pub(super) fn check() {
        for n in 0..4 {
            check_slice!([0.6, 1.1, 0.8], n);
        }
        check_slice!([11.0, 0.1, 0.2], 2);
    }
}

#[test]
fn options_side_by_side() {
    items_of_options::check();
}
