//! What changes something beside its value: swaps by reference, closures that count, methods that return `&mut self`, clones that
//! are no copies.

use ad_runtime::differentiable;

#[test]
fn swaps_through_references() {
    #[derive(Clone, Copy)]
    struct Side {
        q: [f64; 2],
    }
    struct Pair {
        a: Side,
        b: Side,
    }
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        fn exchange(p: &mut Pair) {
            std::mem::swap(&mut p.a, &mut p.b);
        }
        fn exchange_both(p: &mut [f64; 2], q: &mut [f64; 2]) {
            (*p, *q) = (*q, *p);
        }
        fn put(place: &mut f64, v: f64) -> f64 {
            std::mem::replace(place, v)
        }
        let (mut a, mut b) = ([x[0], x[1]], [x[2], x[3]]);
        for (p, q) in a.iter_mut().zip(b.iter_mut()) {
            std::mem::swap(p, q);
        }
        exchange_both(&mut a, &mut b);
        std::mem::swap(&mut a[0], &mut b[1]);
        let mut rows = vec![(a[0], x[1]), (a[1], x[3])];
        let mut others = rows.clone();
        for (p, q) in rows.iter_mut().zip(others.iter_mut().rev()) {
            std::mem::swap(p, q);
        }
        let mut pair = Pair { a: Side { q: a }, b: Side { q: b } };
        exchange(&mut pair);
        let old = put(&mut a[1], x[0] * x[2]);
        let taken: f64 = b.iter_mut().map(|v| std::mem::take(v) * x[1]).sum();
        pair.a.q[0] * pair.a.q[0] * pair.b.q[1] + old * a[1] + taken + b[0] + rows[0].0 * rows[1].1
    }
    check_slice!([0.7, 1.3, 0.4, 0.2]);
}

#[test]
fn closures_that_change_variables() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let (mut n, mut s) = (0, 1.0);
        let grown = || x.iter().map(|v| v * 2.0);
        let doubled: f64 = grown().skip(1).sum();
        let a: f64 = (0..4)
            .map(|i| {
                n += 2;
                x[i] * n as f64
            })
            .skip(2)
            .sum();
        let mut t = 1.0;
        let mut scaled = |v: &f64| {
            t *= 0.9;
            v * t
        };
        let b: f64 = x.iter().map(&mut scaled).step_by(2).sum();
        let c = x.iter().map(&mut scaled).last().unwrap();
        let d = x.iter().map(&mut scaled).nth(2).unwrap();
        let e = x.iter().map(&mut scaled).count();
        let kept: Vec<f64> = x
            .iter()
            .map(|v| {
                s += v;
                s * v
            })
            .skip(1)
            .collect();
        let best = x
            .iter()
            .map(|v| {
                s += v;
                s * v
            })
            .max_by(|a, b| a.total_cmp(b))
            .unwrap();
        a * n as f64 + b * t + c + d * e as f64 + kept[0] * kept[2] * s + best * doubled
    }
    check_slice!([0.7, 1.3, 0.4, 0.2]);
}

struct Chain {
    q: f64,
}
#[differentiable]
impl Chain {
    fn add(&mut self, k: f64) -> &mut Self {
        self.q += k;
        self
    }
    fn double(&mut self) {
        self.q *= 2.0;
    }
    fn place(&mut self) -> &mut f64 {
        &mut self.q
    }
}

#[test]
fn methods_on_what_methods_return() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let mut b = Chain { q: x[0] };
        b.add(x[1]).add(x[2] * x[0]).double();
        let again = b.add(x[3]);
        again.double();
        *b.place() *= x[2];
        let mut all = vec![Chain { q: x[0] }, Chain { q: x[1] }];
        for c in all.iter_mut() {
            c.add(x[1]).double();
        }
        all[0].add(x[2]).double();
        b.q * b.q + all[0].q * all[1].q
    }
    check_slice!([0.7, 1.3, 0.4, 0.2]);
}

struct Doubling {
    v: f64,
    w: [f64; 2],
}
#[differentiable]
impl Clone for Doubling {
    fn clone(&self) -> Self {
        Doubling { v: self.v * 2.0, w: [self.w[1], self.w[0]] }
    }
}

#[test]
fn clones_of_ones_own() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let a = Doubling { v: x[0], w: [x[2], x[3]] };
        let mut pair = (a.clone(), x[0]).clone();
        pair.0.w[0] *= x[1];
        let list = vec![a.clone(), pair.0];
        let cloned: Vec<Doubling> = list.iter().cloned().collect();
        let sum: f64 = list.iter().map(|d| d.clone().v).sum();
        a.v * cloned[0].v * cloned[1].v * sum + cloned[1].w[0] * a.w[0] * cloned[0].w[1]
    }
    check_slice!([0.7, 1.3, 0.4, 0.2]);
}

#[test]
fn rows_replaced_by_rows() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let mut rows = vec![x[..2].to_vec(), x.to_vec(), x[1..].to_vec()];
        rows[0] = vec![x[1] * x[2]; 2];
        rows[1] = x.iter().map(|v| v * v).collect();
        let kept = rows[2].clone();
        rows[2] = kept.iter().map(|v| v * x[0]).collect();
        rows[0].iter().sum::<f64>() * rows[1][3] + rows[2][0] * rows[1][0]
    }
    check_slice!([0.7, 1.3, 0.4, 0.2]);
}

#[test]
#[should_panic(expected = "of the same length only")]
fn rows_of_other_lengths_panic() {
    #[differentiable(only(grad))]
    fn f(x: &[f64]) -> f64 {
        let mut rows = vec![x[..2].to_vec(), x.to_vec()];
        rows[0] = vec![x[1]; 3];
        rows[0].iter().sum::<f64>()
    }
    let x = [0.7, 1.3, 0.4, 0.2];
    assert!((f(&x) - 3.9).abs() < 1e-12);
    f_grad(&x, &mut [0.0; 4]);
}
