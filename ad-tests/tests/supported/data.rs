//! Shapes of data: vectors, rows, structs, tuples.

use ad_runtime::{Differentiable, differentiable};

const X: [f64; 4] = [0.3, -0.8, 1.1, 0.6];

#[test]
fn vectors_that_grow() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let mut path = Vec::with_capacity(8);
        path.push(x[0]);
        for v in x {
            let last = path[path.len() - 1];
            path.push(0.5 * last + v * v);
            if path.len() > 3 {
                path.push(v.sin());
            }
        }
        let end = path.pop().unwrap();
        path.extend(x.iter().map(|v| v * 2.0));
        path.extend_from_slice(&x[..2]);
        path.truncate(7);
        let mut stack: Vec<f64> = Vec::new();
        stack.extend(path.iter());
        let mut s = end;
        while let Some(v) = stack.pop() {
            s = s * 0.9 + v * v;
        }
        s * path.len() as f64 * path.last().unwrap()
    }
    check_slice!(X);
}

#[test]
fn vectors_of_tuples_and_arrays() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let mut points: Vec<(f64, f64)> = Vec::new();
        let mut boxes: Vec<[f64; 2]> = vec![];
        for w in x.windows(2) {
            points.push((w[0], w[1] * w[1]));
            boxes.push([w[0] * w[1], w[1].exp()]);
        }
        points[1].0 *= 2.0;
        boxes[0][1] += x[3];
        points.iter().map(|&(a, b)| a * b).sum::<f64>() + boxes.iter().map(|b| b[0] * b[1]).sum::<f64>()
    }
    check_slice!(X);
}

#[test]
fn vectors_of_vectors() {
    #[differentiable(wrt(x))]
    fn f(x: &[f64], rows: &[Vec<f64>]) -> f64 {
        let mut m: Vec<Vec<f64>> =
            rows.iter().map(|r| r.iter().zip(x).map(|(a, b)| a * b).collect()).collect();
        m.push(x.to_vec());
        m.swap(0, 2);
        let mut square = vec![vec![0.0; 2]; 2];
        square[0][1] = m[0][0];
        square[1][0] += m[1][1] * m[2][1];
        m.iter().map(|r| r.iter().product::<f64>()).sum::<f64>() + square[0][1] * square[1][0]
    }
    check_slice!(X, &[vec![1.0, 2.0, 0.5], vec![-1.0, 0.3]]);
}

#[test]
fn slices_of_vectors_as_parameters() {
    #[differentiable]
    fn f(rows: &[Vec<f64>]) -> f64 {
        rows.iter().map(|r| r.iter().map(|v| v * v).product::<f64>()).sum::<f64>() * rows[1][0]
    }
    let rows = vec![vec![0.5, 2.0, -1.0], vec![1.5, 0.7]];
    let mut g = vec![vec![f64::NAN; 3], vec![f64::NAN; 2]];
    let value = f_grad(&rows, &mut g);
    let (a, b) = (0.25 * 4.0 * 1.0, 2.25 * 0.49);
    assert!((value - (a + b) * 1.5).abs() < 1e-14);
    assert!((g[0][1] - 2.0 * a / 2.0 * 1.5).abs() < 1e-14);
    assert!((g[1][0] - (2.0 * b / 1.5 * 1.5 + a + b)).abs() < 1e-13);
    // Along the first element of the second row: 3 y0² y1² has the second derivative 6 y0 y1².
    let v = vec![vec![0.0; 3], vec![1.0, 0.0]];
    let mut hv = g.clone();
    f_hvp(&rows, &v, &mut hv);
    assert!((hv[1][0] - 6.0 * 1.5 * 0.49).abs() < 1e-13, "{hv:?}");
}

#[test]
fn slices_of_arrays() {
    #[differentiable]
    fn f(points: &[[f64; 2]]) -> f64 {
        points.iter().map(|p| p[0] * p[1].exp()).sum::<f64>() * points.iter().map(|[a, b]| a * b).sum::<f64>()
    }
    let points = [[0.5, 1.0], [-0.2, 0.3]];
    let mut g = [[f64::NAN; 2]; 2];
    let value = f_grad(&points, &mut g);
    let (s, t) = (0.5 * 1.0_f64.exp() - 0.2 * 0.3_f64.exp(), 0.5 - 0.06);
    assert!((value - s * t).abs() < 1e-14);
    assert!((g[1][0] - (0.3_f64.exp() * t + s * 0.3)).abs() < 1e-14);
}

#[test]
fn slices_of_tuples_and_structs() {
    #[derive(Clone, Copy, Differentiable)]
    struct Point {
        x: f64,
        y: f64,
    }
    #[differentiable]
    fn f(pairs: &[(f64, f64)], points: &[Point]) -> f64 {
        let a: f64 = pairs.iter().map(|(u, v)| u * v.sin()).sum();
        let b: f64 = points.iter().map(|p| p.x * p.x * p.y).sum();
        a * b + points[0].y
    }
    let (pairs, points) = ([(0.5, 1.0)], [Point { x: 2.0, y: 3.0 }]);
    let (mut g, mut h) = ([(0.0, 0.0)], points);
    let value = f_grad(&pairs, &points, &mut g, &mut h);
    let (a, b) = (0.5 * 1.0_f64.sin(), 12.0);
    assert!((value - (a * b + 3.0)).abs() < 1e-14);
    assert!((g[0].1 - 0.5 * 1.0_f64.cos() * b).abs() < 1e-14);
    assert!((h[0].x - 12.0 * a).abs() < 1e-14 && (h[0].y - (4.0 * a + 1.0)).abs() < 1e-14);
    f_hvp(&pairs, &points, &[(0.0, 0.0)], &[Point { x: 1.0, y: 0.0 }], &mut g, &mut h);
    assert!((h[0].x - 6.0 * a).abs() < 1e-14 && (h[0].y - 4.0 * a).abs() < 1e-14);
    assert!((g[0].0 - 12.0 * 1.0_f64.sin()).abs() < 1e-14);
}

#[derive(Clone, Copy)]
struct Body {
    position: [f64; 2],
    speed: f64,
}

#[test]
fn local_structs() {
    struct Pair(f64, f64);
    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        let mut b = Body { position: [x, y], speed: 1.0 };
        for k in 0..2 {
            b.position[k] += 0.1 * b.speed;
            b.speed *= b.position[k];
        }
        let moved = Body { speed: b.speed + x, ..b };
        let Body { position: [p, q], speed } = moved;
        let Pair(u, v) = Pair(p * q, speed);
        u * v
    }
    check_xy!(0.7, 1.4);
}

#[derive(Clone, Differentiable)]
struct Inner {
    rate: f64,
    table: [f64; 2],
}

#[derive(Clone, Differentiable)]
struct Params {
    weights: Vec<f64>,
    inner: Inner,
    offset: f64,
    power: i32,
    name: String,
}

fn params(p: &[f64]) -> Params {
    Params {
        weights: vec![p[0], p[1]],
        inner: Inner { rate: p[2], table: [p[3], p[4]] },
        offset: p[5],
        power: 3,
        name: "model".into(),
    }
}

fn flat(p: &Params) -> Vec<f64> {
    vec![p.weights[0], p.weights[1], p.inner.rate, p.inner.table[0], p.inner.table[1], p.offset]
}

#[test]
fn structs_as_parameters() {
    #[differentiable(wrt(p))]
    fn f(p: &Params, t: f64) -> f64 {
        assert!(!p.name.is_empty());
        let mut q = p.clone();
        q.inner.rate *= t;
        let s: f64 = p.weights.iter().map(|w| w * w * q.inner.rate.sin()).sum();
        let Inner { table, .. } = &p.inner;
        (s + table[0] * table[1]).powi(p.power) + p.offset * p.offset * p.weights[0]
    }
    let x = [0.4, -0.7, 0.9, 1.1, 0.3, -0.2];
    let grad = |x: &[f64]| {
        let mut g = params(&[f64::NAN; 6]);
        let value = f_grad(&params(x), 0.8, &mut g);
        assert_eq!(value, f(&params(x), 0.8));
        flat(&g)
    };
    let v = [0.3, 1.0, -0.5, 0.2, 0.7, 0.9];
    let mut hv = params(&[f64::NAN; 6]);
    f_hvp(&params(&x), 0.8, &params(&v), &mut hv);
    let by_differences = crate::supported::difference(&x, &v, grad);
    crate::supported::close("Hv", &flat(&hv), &by_differences, 1e-8);
    let slope = crate::supported::difference(&x, &v, |x| vec![f(&params(x), 0.8)]);
    let along: f64 = grad(&x).iter().zip(v).map(|(g, v)| g * v).sum();
    crate::supported::close("slope", &[along], &slope, 1e-8);
    let mut other = params(&[f64::NAN; 6]);
    f_hvp_rev(&params(&x), 0.8, &params(&v), &mut other);
    crate::supported::close("both orders", &flat(&other), &flat(&hv), 1e-12);
}

#[test]
fn structs_and_tuples_by_value() {
    #[derive(Clone, Copy, Differentiable)]
    struct Complex {
        re: f64,
        im: f64,
    }
    #[differentiable]
    fn f(z: Complex, (a, b): (f64, f64)) -> f64 {
        z.re * z.re * a + z.im * b * b
    }
    let z = Complex { re: 2.0, im: 3.0 };
    let (value, (g, (ga, gb))) = f_grad(z, (0.5, 4.0));
    assert_eq!((value, g.re, g.im, ga, gb), (50.0, 2.0, 16.0, 4.0, 24.0));
    let (h, (ha, hb)) = f_hvp(z, (0.5, 4.0), Complex { re: 1.0, im: 0.0 }, (0.0, 1.0));
    assert_eq!((h.re, h.im, ha, hb), (1.0, 8.0, 4.0, 6.0));
}

#[test]
fn parts_of_slices() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let (a, b) = x.split_at(2);
        let mut y = [0.0; 4];
        y[..2].copy_from_slice(b);
        y[2..].copy_from_slice(a);
        y.swap(0, 3);
        y.reverse();
        for c in y.chunks_mut(2) {
            c[0] *= c[1];
        }
        let mut z = y;
        z[1..3].fill(x[0]);
        let [p, .., q] = z;
        let first = x.first().unwrap() * x.get(1).copied().unwrap_or(1.0);
        y.iter().zip(&z).map(|(u, v)| u * v * v).sum::<f64>() + p * q * first
    }
    check_slice!(X);
}

struct Model {
    stiffness: f64,
    anchors: Vec<f64>,
}

impl Model {
    const OFFSET: f64 = 0.25;

    #[differentiable]
    fn spring(&self, x: f64, anchor: f64) -> f64 {
        0.5 * self.stiffness * (x - anchor - Self::OFFSET).powi(2)
    }

    #[differentiable]
    fn energy(&self, x: &[f64]) -> f64 {
        x.iter().zip(&self.anchors).map(|(v, a)| self.spring(*v, *a).sin()).sum::<f64>() * x[0]
    }
}

#[test]
fn methods_that_call_methods() {
    let model = Model { stiffness: 1.7, anchors: vec![0.1, 0.2, 0.4, -0.3] };
    let grad = |p: &[f64]| {
        let mut g = vec![f64::NAN; p.len()];
        model.energy_grad(p, &mut g);
        g
    };
    let v = [0.3, -0.2, 1.0, 0.5];
    let mut hv = [f64::NAN; 4];
    model.energy_hvp(&X, &v, &mut hv);
    crate::supported::close("Hv", &hv, &crate::supported::difference(&X, &v, grad), 1e-8);
    let slope = crate::supported::difference(&X, &v, |p| vec![model.energy(p)]);
    let along: f64 = grad(&X).iter().zip(v).map(|(g, v)| g * v).sum();
    crate::supported::close("slope", &[along], &slope, 1e-8);
}

#[test]
fn vectors_moved_and_exchanged() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let mut a = x.to_vec();
        let mut b = vec![1.0; x.len()];
        for k in 0..3 {
            for i in 0..x.len() {
                b[i] = b[i] * 0.5 + a[i] * a[(i + 1) % x.len()] + k as f64;
            }
            std::mem::swap(&mut a, &mut b);
        }
        let kept = a;
        a = kept.iter().map(|v| v.sin()).collect();
        let t = a;
        a = b;
        b = t;
        let old = std::mem::replace(&mut b, vec![2.0]);
        kept.iter().zip(&a).zip(&old).map(|((u, v), w)| u * v * w).sum::<f64>() * b[0]
    }
    check_slice!(X);
}

#[test]
fn vectors_that_shrink_in_loops() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let mut level = x.to_vec();
        let mut s = 0.0;
        while level.len() > 1 {
            s += level[0] * level[level.len() - 1];
            level = level.windows(2).map(|w| w[0] * w[1] + w[1]).collect();
        }
        let mut rest = x;
        while let Some((head, tail)) = rest.split_first() {
            s = s * 0.5 + head * head;
            rest = tail;
        }
        s * level[0]
    }
    check_slice!(X);
}

#[test]
fn places_in_vectors_of_structs() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let mut bodies: Vec<Body> =
            x.windows(2).map(|w| Body { position: [w[0], w[1]], speed: w[0] * w[1] }).collect();
        for b in bodies.iter_mut() {
            b.speed *= 2.0;
            b.position[0] += b.speed;
        }
        for (k, b) in bodies.iter_mut().enumerate() {
            b.speed += k as f64 * b.position[1];
        }
        let first = &mut bodies[0];
        first.speed -= x[3];
        first.position[1] *= x[2];
        let mut pairs: Vec<(f64, f64)> = x.iter().map(|v| (*v, v.sin())).collect();
        for (a, b) in pairs.iter_mut() {
            *a *= *b;
            *b += 1.0;
        }
        let slot = &mut pairs[1].0;
        *slot = 3.0 * x[0];
        bodies.iter().map(|b| b.speed * b.position[0] * b.position[1]).sum::<f64>()
            + pairs.iter().map(|(a, b)| a * b).sum::<f64>()
    }
    check_slice!(X);
}

#[derive(Clone, Copy)]
struct State {
    q: [f64; 2],
    p: [f64; 2],
}

struct Layers {
    weights: Vec<f64>,
    spare: Vec<f64>,
}

#[test]
fn structs_assigned_and_exchanged() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let start = State { q: [x[0], x[1]], p: [x[2], x[3]] };
        let mut s = start;
        for _ in 0..3 {
            let next =
                State { q: [s.q[0] + 0.1 * s.p[0], s.q[1] + 0.1 * s.p[1]], p: [-s.q[1], s.q[0] * s.p[1]] };
            s = next;
        }
        s = State { q: s.p, p: s.q };
        let mut other = start;
        other.q[0] += s.q[1];
        std::mem::swap(&mut s, &mut other);
        (s, other) = (other, s);
        let mut layers = Layers { weights: x.to_vec(), spare: vec![1.0; 4] };
        for k in 0..3 {
            for i in 0..4 {
                layers.spare[i] = layers.weights[(i + k) % 4] * 0.5 + layers.spare[i] * x[i];
            }
            layers = Layers { weights: layers.spare, spare: layers.weights };
        }
        let (mut a, mut b) = (vec![x[0], x[1]], vec![x[2], x[3]]);
        (a, b) = (b, a);
        let frozen = move |k: usize| start.q[k] * a[k];
        s.q[0] * s.p[1]
            + other.q[0] * other.p[0]
            + start.q[0] * b[0]
            + frozen(1)
            + layers.weights.iter().zip(&layers.spare).map(|(u, v)| u * v).sum::<f64>()
    }
    check_slice!(X);
}

#[test]
fn copies_are_copies() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let mut a = [x[0], x[1]];
        let kept = move |k: usize| a[k];
        let b = a;
        a[0] = x[2] * b[1];
        let mut c = a;
        c[1] *= 2.0;
        let pair = (a, c);
        a[1] = 7.0;
        let mut rows = [a, b];
        let row = rows[0];
        rows[0][0] += 1.0;
        kept(0) * b[0] + pair.0[1] * pair.1[1] + a[0] * row[0] * rows[0][0] + rows[1][1]
    }
    check_slice!(X);
}

#[derive(Clone, Differentiable)]
struct Unit {
    weights: Vec<f64>,
    bias: f64,
    name: String,
}

#[derive(Clone, Differentiable)]
struct Committee {
    mixing: Vec<Vec<f64>>,
    units: Vec<Unit>,
    #[constant]
    temperature: f64,
}

#[test]
fn fields_that_are_vectors_of_anything() {
    #[differentiable]
    fn f(m: &Committee) -> f64 {
        let mut total = 0.0;
        for (unit, row) in m.units.iter().zip(&m.mixing) {
            let z: f64 = unit.weights.iter().zip(row).map(|(w, a)| w * a).sum();
            total += (z + unit.bias) * unit.name.len() as f64 / m.temperature;
        }
        total * total
    }
    let unit = Unit { weights: vec![2.0], bias: 1.0, name: "u".to_string() };
    let m = Committee { mixing: vec![vec![3.0]], units: vec![unit], temperature: 2.0 };
    let (mut g, mut v, mut hv) = (m.clone(), m.clone(), m.clone());
    (v.units[0].weights[0], v.units[0].bias, v.mixing[0][0]) = (1.0, 0.0, 0.0);
    // (2 · 3 + 1)² / 4
    assert_eq!(f_grad(&m, &mut g), 12.25);
    f_hvp(&m, &v, &mut hv);
    let parts = |m: &Committee| (m.units[0].weights[0], m.units[0].bias, m.mixing[0][0], m.temperature);
    assert_eq!(parts(&g), (10.5, 3.5, 7.0, 2.0));
    assert_eq!(parts(&hv), (4.5, 1.5, 6.5, 2.0));
}

#[derive(Clone, Copy, Default)]
struct Car {
    at: f64,
    speed: f64,
    gear: usize,
    wheels: [f64; 2],
}

impl Car {
    const START: Car = Car { at: 1.0, speed: 0.5, gear: 2, wheels: [0.5, -1.0] };
}

#[test]
fn structs_made_by_other_code() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let mut car = Car::START;
        let mut other = Car { speed: x[0], ..Default::default() };
        for (k, u) in x.iter().enumerate() {
            car.at += car.speed * u;
            car = Car { speed: car.speed * (1.0 + u * u), ..car };
            car.wheels[k % 2] += car.at * u;
            other.at += other.speed * u;
        }
        car.at * car.speed + car.wheels[0] * car.wheels[1] + car.gear as f64 * other.at
    }
    check_slice!(vec![0.7, -1.3, 0.4]);
}

#[test]
fn elements_that_change_places() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let mut line = vec![0.0; 3];
        let mut out = 0.0;
        for v in x {
            line.rotate_right(1);
            line[0] = v * out + v;
            out += line[2] * 0.5 + line[1] * line[0];
        }
        let mut padded = x.to_vec();
        padded.insert(1, out);
        let first = padded.remove(0);
        padded.rotate_left(1);
        padded.reverse();
        let mut rows: Vec<Vec<f64>> = x.iter().map(|v| vec![*v; 2]).collect();
        rows.insert(1, vec![out]);
        let taken = rows.swap_remove(0);
        padded[0] * first + padded[1] * taken[1] + rows[0][1] * rows[1][0]
    }
    check_slice!(vec![0.7, -1.3, 0.4]);
}

#[test]
fn queues() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        use std::collections::VecDeque;
        let mut queue: VecDeque<f64> = VecDeque::new();
        let mut line = VecDeque::from(vec![0.0; 2]);
        let mut out = 0.0;
        for v in x {
            queue.push_back(v * v + out);
            if queue.len() > 2 {
                out += queue.pop_front().unwrap() * 0.3;
            }
            line.push_front(*v);
            line.pop_back();
            out += queue[0] * queue.back().unwrap() + line[1] * line.front().unwrap();
        }
        out
    }
    check_slice!(vec![0.7, -1.3, 0.4]);
}

#[test]
fn wholes_compared() {
    #[derive(Clone, Copy, PartialEq, PartialOrd, Differentiable)]
    struct Pair {
        a: f64,
        b: f64,
    }
    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        let (p, q) = (Pair { a: x, b: y }, Pair { a: y, b: x });
        let (list, twice) = (vec![x, y], [x, x]);
        let mut s = if p == q {
            p.a
        } else if p < q {
            p.a * q.b
        } else {
            q.a.sin()
        };
        if (x, 1) != (y, 1) {
            s *= p.b;
        }
        if twice == [y, y] {
            s += 1.0
        } else {
            s += twice[0] * twice[1]
        }
        if list == vec![1.0, 2.0] { s } else { s * s }
    }
    check_xy!(0.7, 0.4);
    check_xy!(0.4, 0.7);
}

#[test]
fn references_taken_apart_where_they_stand() {
    struct Image {
        width: usize,
        pixels: Vec<f64>,
    }
    #[differentiable(wrt(x))]
    fn f(x: &[f64], image: &Image, limits: &(f64, Vec<f64>)) -> f64 {
        let &Image { width, ref pixels } = image;
        let &(limit, ref others) = limits;
        (0..width).map(|i| (x[i] * pixels[i] - limit).powi(2) * others[i]).sum()
    }
    let image = Image { width: 2, pixels: vec![2.0, 3.0] };
    let mut g = [f64::NAN; 2];
    f_grad(&[1.0, 2.0], &image, &(0.5, vec![1.0, 10.0]), &mut g);
    assert_eq!(g, [2.0 * 1.5 * 2.0, 20.0 * 5.5 * 3.0]);
    f_hvp(&[1.0, 2.0], &image, &(0.5, vec![1.0, 10.0]), &[1.0, 0.0], &mut g);
    assert_eq!(g, [8.0, 0.0]);
}

#[test]
fn aliases_of_types() {
    type Matrix = Vec<Vec<f64>>;
    type Pair = [f64; 2];
    #[derive(Clone, Differentiable)]
    struct Layer {
        weights: Matrix,
        bias: Pair,
    }
    #[differentiable]
    fn product(a: &Matrix, v: Pair) -> Pair {
        [a[0][0] * v[0] + a[0][1] * v[1], a[1][0] * v[0] + a[1][1] * v[1]]
    }
    #[differentiable]
    fn layered(layer: &Layer, v: Pair) -> f64 {
        let out = product(&layer.weights, v);
        (out[0] + layer.bias[0]).sin() * (out[1] + layer.bias[1])
    }
    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        let weights: Matrix = vec![vec![x, 2.0], vec![0.5, x * y]];
        let out = product(&weights, [y, x]);
        (out[0] + 0.3).sin() * (out[1] + y)
    }
    check_xy!(0.7, 0.4);
    let layer = |x: f64, y: f64| Layer { weights: vec![vec![x, 2.0], vec![0.5, x * y]], bias: [0.3, y] };
    let mut g = layer(f64::NAN, f64::NAN);
    let (value, v) = layered_grad(&layer(0.7, 0.4), [0.4, 0.7], &mut g);
    let (wanted, (dx, dy)) = f_grad(0.7, 0.4);
    let along_x = g.weights[0][0] + 0.4 * g.weights[1][1] + v[1];
    let along_y = 0.7 * g.weights[1][1] + g.bias[1] + v[0];
    assert!((value - wanted).abs() < 1e-15 && (along_x - dx).abs() < 1e-14 && (along_y - dy).abs() < 1e-14);
}

#[test]
fn aliases_under_the_attribute() {
    mod shapes {
        #[ad_runtime::differentiable]
        pub(super) type Triangle = [[f64; 2]; 3];
    }
    use shapes::Triangle;
    #[differentiable]
    fn area(t: &Triangle) -> f64 {
        let [[ax, ay], [bx, by], [cx, cy]] = *t;
        0.5 * ((bx - ax) * (cy - ay) - (cx - ax) * (by - ay))
    }
    let mut g: Triangle = [[f64::NAN; 2]; 3];
    let value = area_grad(&[[0.0, 0.0], [2.0, 0.0], [1.0, 3.0]], &mut g);
    assert_eq!(value, 3.0);
    assert_eq!(g, [[-1.5, -0.5], [1.5, -0.5], [0.0, 1.0]]);
}

#[test]
fn generic_structs() {
    #[derive(Clone, Copy, Differentiable)]
    struct Unit<const N: usize> {
        gain: [f64; N],
        bias: f64,
    }
    #[derive(Clone, Copy, Differentiable)]
    struct Both<T> {
        a: T,
        b: T,
    }
    #[differentiable]
    fn respond<const N: usize>(unit: &Unit<N>, x: &[f64; N]) -> [f64; N] {
        std::array::from_fn(|k| (unit.gain[k] * x[k] + unit.bias).tanh())
    }
    #[differentiable]
    fn energy<const N: usize>(unit: &Unit<N>, both: Both<f64>) -> f64 {
        let out = respond(unit, &[both.a; N]);
        out.iter().map(|v| v * both.b).sum()
    }
    let unit = Unit { gain: [0.4, -0.3], bias: 0.2 };
    let mut g = Unit { gain: [f64::NAN; 2], bias: f64::NAN };
    let (_, both) = energy_grad(&unit, Both { a: 0.7, b: 1.5 }, &mut g);
    let t = [0.48_f64.tanh(), (-0.01_f64).tanh()];
    let slope = |k: usize| 1.5 * (1.0 - t[k] * t[k]);
    assert!((both.b - t[0] - t[1]).abs() < 1e-15 && (both.a - 0.4 * slope(0) + 0.3 * slope(1)).abs() < 1e-15);
    assert!((g.gain[0] - 0.7 * slope(0)).abs() < 1e-15 && (g.bias - slope(0) - slope(1)).abs() < 1e-15);
}

#[test]
fn arrays_of_structs() {
    use std::ops::{AddAssign, Mul};
    #[derive(Clone, Copy, Default, Differentiable)]
    struct Complex {
        re: f64,
        im: f64,
    }
    #[differentiable]
    impl Mul for Complex {
        type Output = Complex;
        fn mul(self, o: Complex) -> Complex {
            Complex { re: self.re * o.re - self.im * o.im, im: self.re * o.im + self.im * o.re }
        }
    }
    #[differentiable]
    impl AddAssign for Complex {
        fn add_assign(&mut self, o: Complex) {
            self.re += o.re;
            self.im += o.im;
        }
    }
    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        let poles: [Complex; 2] = std::array::from_fn(|k| Complex { re: x * (k as f64 + 0.5), im: y });
        let sizes = poles.map(|p| p.re * p.re + p.im * p.im);
        let mut state = [Complex::default(); 2];
        for step in 0..3 {
            for (k, h) in state.iter_mut().enumerate() {
                *h = poles[k] * *h;
                *h += Complex { re: sizes[k], im: step as f64 };
            }
            state[0] += state[1];
        }
        state[0].re * state[1].im
    }
    check_xy!(0.7, 0.4);
}

#[test]
fn tuples_of_data_that_change() {
    #[differentiable(wrt(x))]
    fn with_points(x: &[f64], points: &[(f64, f64)]) -> f64 {
        let walk = |&start: &(f64, f64)| {
            let (a, b) = x.iter().fold(start, |(a, b), v| (b * v, a + v));
            let end = if a > 0.0 { (a * b, b) } else { start };
            end.0 * end.1
        };
        points.iter().map(walk).sum()
    }
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let mut s = 0.0;
        for k in 0..2 {
            let (p, q) = if k == 0 { (0.4, 1.2) } else { (-0.3, 0.8) };
            let (mut a, mut b) = (p, q);
            for v in x {
                (a, b) = (b * v, a + v);
            }
            s += if a > 0.0 { a * b * b } else { p * q };
        }
        s
    }
    check_slice!([0.6, 1.1, 0.9]);
    let (x, points) = ([0.6, 1.1, 0.9], [(0.4, 1.2), (-0.3, 0.8)]);
    let (mut g, mut wanted) = ([f64::NAN; 3], [f64::NAN; 3]);
    let (a, b) = (with_points_grad(&x, &points, &mut g), f_grad(&x, &mut wanted));
    assert!((a - b).abs() < 1e-15 && g.iter().zip(&wanted).all(|(g, w)| (g - w).abs() < 1e-14));
}

#[test]
fn references_collected() {
    struct Event {
        row: Vec<(usize, f64)>,
        seen: bool,
    }
    #[differentiable(wrt(x))]
    fn with_events(x: &[f64], events: &[Event]) -> f64 {
        let (yes, no): (Vec<&Event>, Vec<&Event>) = events.iter().partition(|e| e.seen);
        let long: Vec<&Event> = events.iter().filter(|e| e.row.len() > 1).collect();
        let score = |e: &Event| e.row.iter().map(|&(k, w)| x[k] * x[k] * w).sum::<f64>();
        let first: f64 = yes.iter().map(|e| score(e)).sum();
        let rest: f64 = no.iter().map(|e| score(e).sin()).sum();
        first * rest + long.iter().map(|e| score(e)).sum::<f64>()
    }
    let events =
        [Event { row: vec![(0, 1.0), (1, 2.0)], seen: true }, Event { row: vec![(1, 0.5)], seen: false }];
    let mut g = [f64::NAN; 2];
    let value = with_events_grad(&[0.5, 1.0], &events, &mut g);
    let (a, b) = (2.25, 0.5_f64);
    assert!((value - (a * b.sin() + a)).abs() < 1e-15);
    assert!((g[0] - (b.sin() + 1.0)).abs() < 1e-15);
    assert!((g[1] - (4.0 * (b.sin() + 1.0) + a * b.cos())).abs() < 1e-15);
}

#[test]
fn data_built_in_the_function() {
    use std::collections::{BTreeMap, HashSet};

    #[derive(Clone)]
    struct Generator(u32);
    impl Generator {
        fn step(&mut self) {
            self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        }
        fn unit(&self) -> f64 {
            f64::from(self.0) / f64::from(u32::MAX)
        }
    }

    #[differentiable(wrt(x))]
    fn f(x: &[f64], ids: &[usize]) -> f64 {
        let mut counts: BTreeMap<(usize, usize), usize> = BTreeMap::new();
        let mut most = 0;
        for pair in ids.windows(2) {
            let n = counts.entry((pair[0], pair[1])).or_insert(0);
            *n += 1;
            most = most.max(*n);
        }
        let mut seen = HashSet::new();
        for k in ids {
            seen.insert(*k);
        }
        let first = counts.pop_first();
        let mut random = Generator(7);
        random.step();
        let noise: Vec<f64> = (0..4)
            .map(|_| {
                random.step();
                random.unit()
            })
            .collect();
        let mut s = first.map_or(0.0, |(_, n)| n as f64) * x[1];
        for (&(a, b), &n) in &counts {
            let Some(&back) = counts.get(&(b, a)) else { continue };
            s += (n + back) as f64 / most as f64 * (x[a] - x[b]).powi(2);
        }
        for (k, (v, e)) in x.iter().zip(&noise).enumerate() {
            if seen.contains(&k) {
                s += v * s * e;
            }
        }
        if seen.insert(9) {
            s += x[0] * x[3];
        }
        s
    }
    fn plain(x: &[f64], ids: &[usize]) -> f64 {
        let count = |p, q| ids.windows(2).filter(|w| w[0] == p && w[1] == q).count() as f64;
        let (mut random, mut noise) = (Generator(7), [0.0; 4]);
        random.step();
        for e in &mut noise {
            random.step();
            *e = random.unit();
        }
        // The pairs of `IDS`; (0, 1) is the first, which goes.
        let mut s = count(0, 1) * x[1];
        for (a, b) in [(1, 3), (3, 1)] {
            s += (count(a, b) + count(b, a)) / 2.0 * (x[a] - x[b]).powi(2);
        }
        for k in [0, 1, 3] {
            s += x[k] * s * noise[k];
        }
        s + x[0] * x[3]
    }
    const IDS: [usize; 7] = [0, 1, 3, 1, 3, 0, 1];
    assert!((f(&X, &IDS) - plain(&X, &IDS)).abs() < 1e-14);
    check_slice!(X.to_vec(), &IDS);
}

/// What is assigned to a part of a row goes to the vector, however the row was reached.
#[test]
fn parts_of_rows_changed() {
    use std::ops::{Add, AddAssign, Mul};

    #[derive(Clone, Copy, Differentiable)]
    struct V {
        x: f64,
        y: f64,
    }
    #[differentiable]
    impl Add for V {
        type Output = V;
        fn add(self, o: V) -> V {
            V { x: self.x + o.x, y: self.y + o.y }
        }
    }
    #[differentiable]
    impl Mul<f64> for V {
        type Output = V;
        fn mul(self, k: f64) -> V {
            V { x: self.x * k, y: self.y * k }
        }
    }
    #[differentiable]
    impl AddAssign for V {
        fn add_assign(&mut self, o: V) {
            *self = *self + o;
        }
    }
    #[derive(Clone, Copy, Differentiable)]
    struct P {
        at: [f64; 2],
        v: V,
        w: f64,
    }
    #[differentiable]
    impl P {
        fn kick(&mut self, v: V) {
            self.v += v;
            self.at = [self.at[0] + v.y, self.at[1] * v.x];
            self.v = self.v * 1.5;
        }
    }
    /// The same code with the attribute and without it, on three rows that `$x` makes.
    macro_rules! both {
        ($($name:ident: |$ps:ident, $x:ident| { $($body:tt)* })*) => {$({
            #[differentiable]
            fn f($x: &[f64]) -> f64 {
                let mut $ps: Vec<P> = Vec::new();
                for k in 0..3 {
                    $ps.push(P { at: [$x[0], $x[1] * k as f64], v: V { x: $x[2], y: $x[0] }, w: $x[3] });
                }
                $($body)*
                let mut s = 0.0;
                for (k, p) in $ps.iter().enumerate() {
                    s += (k as f64 + 1.0) * (p.at[0] * p.v.x + p.at[1] * p.v.y * p.w + p.w * p.at[0]);
                }
                s
            }
            fn plain($x: &[f64]) -> f64 {
                let mut $ps: Vec<P> = Vec::new();
                for k in 0..3 {
                    $ps.push(P { at: [$x[0], $x[1] * k as f64], v: V { x: $x[2], y: $x[0] }, w: $x[3] });
                }
                $($body)*
                let mut s = 0.0;
                for (k, p) in $ps.iter().enumerate() {
                    s += (k as f64 + 1.0) * (p.at[0] * p.v.x + p.at[1] * p.v.y * p.w + p.w * p.at[0]);
                }
                s
            }
            let mut g = [f64::NAN; 4];
            let value = f_grad(&X, &mut g);
            assert!((value - plain(&X)).abs() < 1e-12, "{}: {value}, {}", stringify!($name), plain(&X));
            let hv = {
                let mut hv = [f64::NAN; 4];
                f_hvp(&X, &[0.3, -0.2, 0.5, 0.9], &mut hv);
                hv
            };
            for k in 0..4 {
                let along = |f: &dyn Fn(&[f64]) -> f64, d: [f64; 4]| {
                    let at = |t: f64| f(&[0, 1, 2, 3].map(|j| X[j] + t * d[j]));
                    let (a, b) = ((at(2e-3) - at(-2e-3)) / 4e-3, (at(1e-3) - at(-1e-3)) / 2e-3);
                    b + (b - a) / 3.0
                };
                let unit = [0, 1, 2, 3].map(|j| if j == k { 1.0 } else { 0.0 });
                let slope = along(&plain, unit);
                assert!((slope - g[k]).abs() < 1e-8 * (1.0 + slope.abs()), "{}: {slope}, {}", stringify!($name), g[k]);
                let gradient = |x: &[f64]| {
                    let mut g = [f64::NAN; 4];
                    f_grad(x, &mut g);
                    g[k]
                };
                let bend = along(&gradient, [0.3, -0.2, 0.5, 0.9]);
                assert!((bend - hv[k]).abs() < 1e-8 * (1.0 + bend.abs()), "{}: {bend}, {}", stringify!($name), hv[k]);
            }
        })*};
    }
    both! {
        arrays: |ps, x| { for b in ps.iter_mut() { b.at = [x[0] * x[1], 2.0]; } }
        structs: |ps, x| { for b in ps.iter_mut() { b.v = V { x: b.w * x[1], y: 0.3 }; } }
        operators: |ps, x| { for b in ps.iter_mut() { b.v += V { x: b.w * x[1], y: 0.3 }; } }
        indexed: |ps, x| { ps[1].v += V { x: x[1], y: 0.3 }; ps[2].v = V { x: x[1], y: 0.3 }; ps[0].at = [x[1], x[2]]; ps[1].at[0] += x[1]; }
        borrowed: |ps, x| { let b = &mut ps[1]; b.v += V { x: x[1], y: 0.3 }; b.at = [x[1], x[2]]; b.v = b.v * 2.0; b.w *= 2.0; }
        last: |ps, x| { if let Some(b) = ps.last_mut() { b.v += V { x: x[1], y: 0.3 }; b.at = [x[1], x[2]]; b.w *= x[0]; } }
        methods: |ps, x| { for b in ps.iter_mut() { b.kick(V { x: x[1], y: x[2] }); } ps[0].kick(V { x: x[1], y: x[2] }); }
        references: |ps, x| { for (k, b) in ps.iter_mut().enumerate() { let u = &mut b.v; *u += V { x: x[1], y: k as f64 }; u.x = 2.0 * u.y; *u = *u * x[0]; b.at = [b.at[1], b.at[0]]; } }
        taken_apart: |ps, x| { for b in ps.iter_mut() { let V { x: p, y: q } = b.v; b.v = V { x: q, y: p * p }; } }
        swapped: |ps, x| { ps.swap(0, 1); let q = &mut ps[0]; std::mem::swap(&mut q.w, &mut q.v.x); let o = std::mem::replace(&mut q.v, V { x: x[0], y: x[1] }); q.v += o; }
        read_before: |ps, x| { for b in ps.iter_mut() { b.v = b.v + b.v * x[1]; let old = b.v; b.v = old * 2.0; b.w = old.x; let q = b.at; b.at = [q[1], x[1]]; b.w += q[0]; } }
        whole_read_before: |ps, x| { for b in ps.iter_mut() { let old = *b; b.v = V { x: x[1], y: x[0] }; b.at[0] = 3.0 * x[0]; b.w = old.v.x + old.at[0] * old.w; } }
        rows_exchanged: |ps, x| { let t = ps[1]; ps[1].at[0] += x[1]; ps[1].v.x *= 2.0; ps[0].w = t.at[0] * t.v.x; let q = ps[2].at; ps[2].at = ps[1].at; ps[1].at = q; let v = ps[0].v; ps[0].v = ps[1].v; ps[1].v = v; }
        tuples: |ps, x| { let mut rows: Vec<([f64; 2], f64)> = ps.iter().map(|p| (p.at, p.w)).collect(); for r in rows.iter_mut() { r.0 = [r.1, x[0]]; r.1 += x[2]; } let (q, w) = rows[0]; rows[0].0[0] += 1.0; rows[0].1 *= 2.0; for (p, r) in ps.iter_mut().zip(&rows) { p.at = r.0; p.w = r.1 * q[0] * w; } for (pos, w) in rows.iter_mut() { *pos = [x[1], *w]; *w = pos[0]; } ps[1].at = rows[2].0; ps[1].w += rows[1].1; }
        other_rows: |ps, x| { let old: Vec<P> = ps.clone(); for (b, o) in ps.iter_mut().zip(old.iter().rev()) { b.v = o.v * x[0]; b.at = o.at; let r = &o.v; b.w += r.x; } }
        copies: |ps, x| { let mut it = ps[0]; it.v += V { x: x[0], y: x[1] }; it.at = [x[2], it.at[0]]; ps[1] = it; let u = &mut ps[2]; let keep = u.v; u.v = it.v; it.v = keep; ps[0] = it; let mut held = vec![ps[0].v, ps[1].v]; let h = held[1]; held[0] += h * x[1]; held[1] = held[0]; ps[2].v += held[1]; }
        elements: |ps, x| { for b in ps.iter_mut() { let p = &mut b.at; p[0] += x[0]; *p = [p[1], p[0]]; for c in b.at.iter_mut() { *c *= x[2]; } let w = &mut b.w; *w += x[1]; } }
        updated: |ps, x| { let mut best = ps[0]; for p in &ps { if p.at[1] > best.at[1] { best = *p; } } ps[0].v = best.v * x[0]; let f = ps[1]; let g = P { w: x[0], ..ps[1] }; ps[1].w = 7.0; ps[1].v = V { x: 0.1, ..g.v }; ps[2] = P { w: f.w + g.w, ..g }; }
    }
}

#[test]
fn options_of_arrays_from_round_to_round() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let mut before: Option<[f64; 2]> = None;
        let mut long: Option<Vec<f64>> = None;
        let mut best: Option<(usize, [f64; 2])> = Some((9, [x[0], 0.5]));
        let mut s = 0.0;
        for (k, v) in x.iter().enumerate() {
            if let Some(p) = before {
                s += p[0] * v + p[1] * s;
            }
            let sums = long.unwrap_or(vec![0.1, 1.0]);
            s += sums.iter().map(|w| w * v).sum::<f64>() * sums[0];
            before = if *v > 1.0 { None } else { Some([*v, v * v]) };
            long = Some((0..=k).map(|j| x[j] * v).collect());
            if let Some((at, p)) = best
                && p[0] < *v
            {
                s += at as f64 * p[1];
                best = Some((k, [*v, p[0]]));
            }
        }
        if let Some((at, p)) = best {
            s += at as f64 * p[0] * p[1];
        }
        s
    }
    check_slice!(X.to_vec());
}

#[test]
fn builders() {
    #[derive(Clone, Default, Differentiable)]
    struct Point {
        at: [f64; 2],
        ends: (usize, usize),
    }
    #[derive(Clone, Default, Differentiable)]
    struct World {
        points: Vec<Point>,
        pull: f64,
        drag: f64,
    }
    #[differentiable]
    impl World {
        fn new(pull: f64) -> Self {
            World { pull, ..Default::default() }
        }
        fn drag(mut self, drag: f64) -> Self {
            self.drag = drag;
            self
        }
        fn point(mut self, at: [f64; 2]) -> Self {
            let n = self.points.len();
            self.points.push(Point { at, ends: (n, n + 1) });
            self
        }
    }
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let world = World::new(1.5).drag(x[0]).point([x[1], x[2]]).point([x[3], x[0] * x[1]]);
        let s: f64 = world.points.iter().map(|p| p.at[p.ends.0] * (world.drag + p.at[1] * world.pull)).sum();
        s * world.points.len() as f64
    }
    fn plain(x: &[f64]) -> f64 {
        2.0 * (x[1] * (x[0] + 1.5 * x[2]) + x[0] * x[1] * (x[0] + x[0] * x[1] * 1.5))
    }
    assert!((f(&X) - plain(&X)).abs() < 1e-14);
    check_slice!(X.to_vec());
}
