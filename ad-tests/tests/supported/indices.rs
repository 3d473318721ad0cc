//! Index operators of own structs, and patterns of arrays of structs.

use ad_runtime::{Differentiable, differentiable};
use std::ops::{Index, IndexMut, Mul, Range, RangeInclusive};

const X: [f64; 4] = [0.7, -0.4, 1.3, 0.2];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Axis {
    X,
    Y,
}

#[derive(Clone, Copy, Debug, Differentiable)]
struct Pair {
    x: f64,
    y: f64,
}

#[differentiable]
impl Index<Axis> for Pair {
    type Output = f64;
    fn index(&self, axis: Axis) -> &f64 {
        match axis {
            Axis::X => &self.x,
            Axis::Y => &self.y,
        }
    }
}
#[differentiable]
impl Index<usize> for Pair {
    type Output = f64;
    fn index(&self, k: usize) -> &f64 {
        if k == 0 { &self.x } else { &self.y }
    }
}

#[derive(Clone, Debug, Differentiable)]
struct Grid {
    cells: Vec<f64>,
    width: usize,
}

#[differentiable]
impl Index<(usize, usize)> for Grid {
    type Output = f64;
    fn index(&self, (i, j): (usize, usize)) -> &f64 {
        &self.cells[i * self.width + j]
    }
}
#[differentiable]
impl IndexMut<(usize, usize)> for Grid {
    fn index_mut(&mut self, (i, j): (usize, usize)) -> &mut f64 {
        &mut self.cells[i * self.width + j]
    }
}

#[derive(Clone, Copy, Debug, Differentiable)]
struct V<const N: usize>([f64; N]);
#[differentiable]
impl<const N: usize> Index<usize> for V<N> {
    type Output = f64;
    fn index(&self, k: usize) -> &f64 {
        &self.0[k]
    }
}
#[differentiable]
impl<const N: usize> IndexMut<usize> for V<N> {
    fn index_mut(&mut self, k: usize) -> &mut f64 {
        &mut self.0[k]
    }
}
#[differentiable]
impl<const N: usize> Mul<f64> for V<N> {
    type Output = Self;
    fn mul(self, k: f64) -> Self {
        V(std::array::from_fn(|i| self.0[i] * k))
    }
}

#[test]
fn index_operators_of_own_structs() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let axes = [Axis::Y, Axis::X];
        let p = Pair { x: x[0] * x[1], y: x[2] };
        let second: Axis = axes[1];
        let mut s = p[Axis::X] * p[Axis::Y].sin() + p[0] * p[second];
        for k in 0..2 {
            let at: Axis = axes[k];
            s += p[k] * p[at] * x[3];
        }
        let mut g = Grid { cells: vec![0.0; 4], width: 2 };
        for i in 0..2 {
            for j in 0..2 {
                g[(i, j)] = x[i] * x[2 + j];
                g[(i, j)] += s;
            }
        }
        g[(0, 1)] *= g[(1, 0)];
        let mut v = V([x[0], x[1], x[2]]) * 0.5;
        v[1] = v[0] * g[(0, 1)];
        v[2] -= x[3];
        s + g[(0, 1)] + g[(1, 1)] * v[1] * v[2]
    }
    fn plain(x: &[f64]) -> f64 {
        let (px, py) = (x[0] * x[1], x[2]);
        let mut s = px * py.sin() + px * px;
        s += px * py * x[3];
        s += py * px * x[3];
        let mut g = [[0.0; 2]; 2];
        for i in 0..2 {
            for j in 0..2 {
                g[i][j] = x[i] * x[2 + j] + s;
            }
        }
        g[0][1] *= g[1][0];
        let v = [0.5 * x[0], 0.5 * x[0] * g[0][1], 0.5 * x[2] - x[3]];
        s + g[0][1] + g[1][1] * v[1] * v[2]
    }
    assert!((f(&X) - plain(&X)).abs() < 1e-14);
    check_slice!(X.to_vec());
}

#[test]
fn arrays_of_structs_taken_apart() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let b: [[f64; 2]; 2] = std::array::from_fn(|i| std::array::from_fn(|j| x[i] * x[2 + j]));
        let [p, q] = b.map(V);
        let mut rows = [p, q, V([x[0], x[3]])];
        let [a, .., z] = rows;
        let [first, rest @ ..] = rows;
        rows[0][1] = 7.0 * x[1];
        rows[2][0] = x[2] * x[3];
        let ends = match &rows[..] {
            [l, m, r] => l[1] * m[0] + r[0],
            _ => 0.0,
        };
        let more = if let [one, two] = &rows[..] { one[0] * two[0] } else { x[0] * 0.1 };
        let tail: f64 = rest.iter().map(|v| v[0] * v[1]).sum();
        let sums = rows.map(|v| v[0] + v[1]);
        let [s0, s1, s2] = sums;
        a[1] * z[0] + first[0] * ends + more + tail + s0 * s1 * s2
    }
    fn plain(x: &[f64]) -> f64 {
        let p = [x[0] * x[2], x[0] * x[3]];
        let q = [x[1] * x[2], x[1] * x[3]];
        let r = [x[0], x[3]];
        let (n0, n2) = ([p[0], 7.0 * x[1]], [x[2] * x[3], r[1]]);
        let ends = n0[1] * q[0] + n2[0];
        p[1] * r[0]
            + p[0] * ends
            + x[0] * 0.1
            + q[0] * q[1]
            + r[0] * r[1]
            + (n0[0] + n0[1]) * (q[0] + q[1]) * (n2[0] + n2[1])
    }
    assert!((f(&X) - plain(&X)).abs() < 1e-14);
    check_slice!(X.to_vec());
}

#[test]
fn what_is_taken_of_an_array_stays_as_it_was() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let mut a = [x[0], x[1], x[2]];
        let [first, rest @ ..] = a;
        a[1] = 5.0;
        let mut m = [[x[0], x[1]], [x[2], x[3]]];
        let [p, mut q] = m;
        let [.., last] = m;
        let [[u, w], ..] = m;
        m[0][0] = x[3] * 3.0;
        m[1][1] = 2.0;
        q[1] += 1.0;
        let mut t = [x[3], x[2], x[0]];
        #[allow(irrefutable_let_patterns)]
        if let [k, mut more @ ..] = t {
            t[2] = 4.0;
            more[0] += k;
            t[0] = more[1] * more[0];
        }
        {
            let [head, tail @ ..] = &mut t;
            *head *= 2.0;
            tail[1] += x[1];
        }
        first * rest[0] * rest[1]
            + a[1]
            + p[0] * q[1] * last[1] * u * w
            + m[0][0] * m[1][1]
            + t[0] * t[1] * t[2]
    }
    fn plain(x: &[f64]) -> f64 {
        let more = [x[2] + x[3], x[0]];
        let t = [2.0 * more[1] * more[0], x[2], 4.0 + x[1]];
        let fixed = x[0] * x[1] * x[2] + 5.0 + x[0] * (x[3] + 1.0) * x[3] * x[0] * x[1];
        fixed + 6.0 * x[3] + t[0] * t[1] * t[2]
    }
    assert!((f(&X) - plain(&X)).abs() < 1e-13);
    check_slice!(X.to_vec());
}

struct Group {
    rows: Range<usize>,
    weight: f64,
}

#[test]
fn ranges_that_are_data() {
    #[differentiable(wrt(x))]
    fn f(
        x: &[f64],
        groups: &[Group],
        parts: &[Range<usize>],
        all: RangeInclusive<usize>,
        one: &Range<usize>,
    ) -> f64 {
        let mut s = 0.0;
        for g in groups {
            let part = &x[g.rows.clone()];
            s += g.weight * part.iter().map(|v| v * v).sum::<f64>() * part[0];
            for i in g.rows.clone() {
                s += (x[i] * g.weight).sin();
            }
            let rows = g.rows.clone();
            s += rows.map(|i| x[i] * g.weight).sum::<f64>() * x[g.rows.start] + g.rows.len() as f64 * x[1];
        }
        for p in parts {
            s += x[p.clone()].iter().product::<f64>();
        }
        let mut y = x.to_vec();
        y[parts[1].clone()][0] *= 2.0;
        for v in &mut y[one.clone()] {
            *v *= x[0];
        }
        s + x[all].iter().sum::<f64>().powi(2) + y.iter().map(|v| v.exp()).sum::<f64>()
    }
    let x = [0.7, 1.3, 0.4, 0.9, 0.8];
    let groups = [Group { rows: 0..2, weight: 0.5 }, Group { rows: 2..5, weight: 1.5 }];
    check_slice!(x, &groups, &[0..3, 3..5], 1..=3, &(2..4));
    let group = |part: &[f64], w: f64| {
        let sum: f64 = part.iter().sum();
        w * part.iter().map(|v| v * v).sum::<f64>() * part[0]
            + part.iter().map(|v| (v * w).sin()).sum::<f64>()
            + sum * w * part[0]
            + part.len() as f64 * 1.3
    };
    let y: [f64; 5] = [0.7, 1.3, 0.4 * 0.7, 0.9 * 2.0 * 0.7, 0.8];
    let wanted = group(&x[..2], 0.5)
        + group(&x[2..], 1.5)
        + 0.7 * 1.3 * 0.4
        + 0.9 * 0.8
        + (1.3_f64 + 0.4 + 0.9).powi(2)
        + y.iter().map(|v| v.exp()).sum::<f64>();
    super::close("value", &[f(&x, &groups, &[0..3, 3..5], 1..=3, &(2..4))], &[wanted], 1e-13);
}
