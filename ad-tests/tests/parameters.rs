//! Structs, tuples and vectors of them as parameters, with parts of every kind, against differences of the value and of
//! the gradient along random directions.
// The functions under test are written as users write them.
#![allow(clippy::all, clippy::pedantic, missing_docs, dead_code)]
use ad_runtime::{Differentiable, differentiable};

/// Its floats, one after the other, to read and to write.
trait Floats: Clone {
    fn floats(&mut self) -> Vec<&mut f64>;
}

fn moved<P: Floats>(p: &P, v: &[f64], t: f64) -> P {
    let mut p = p.clone();
    for (x, v) in p.floats().into_iter().zip(v) {
        *x += t * v;
    }
    p
}

fn numbers<P: Floats>(p: &P) -> Vec<f64> {
    p.clone().floats().into_iter().map(|x| *x).collect()
}

/// Differences at three steps, extrapolated twice.
fn slope(f: impl Fn(f64) -> Vec<f64>) -> Vec<f64> {
    let central =
        |h: f64| -> Vec<f64> { f(h).iter().zip(f(-h)).map(|(up, down)| (up - down) / (2.0 * h)).collect() };
    let better = |coarse: &[f64], fine: &[f64], k: f64| -> Vec<f64> {
        coarse.iter().zip(fine).map(|(c, f)| f + (f - c) / (k - 1.0)).collect()
    };
    let s = [central(0.01), central(0.005), central(0.0025)];
    better(&better(&s[0], &s[1], 4.0), &better(&s[1], &s[2], 4.0), 16.0)
}

fn check<P: Floats>(
    p: P,
    f: impl Fn(&P) -> f64,
    grad: impl Fn(&P, &mut P) -> f64,
    hvp: impl Fn(&P, &P, &mut P),
    grad_hvp: impl Fn(&P, &P, &mut P, &mut P) -> f64,
    hvp_rev: impl Fn(&P, &P, &mut P),
) {
    let n = numbers(&p).len();
    let v: Vec<f64> = (0..n).map(|i| (1.1 * i as f64 + 0.3).cos()).collect();
    let mut direction = p.clone();
    direction.floats().into_iter().zip(&v).for_each(|(x, v)| *x = *v);
    let unset = || {
        let mut out = p.clone();
        out.floats().into_iter().for_each(|x| *x = f64::NAN);
        out
    };
    let gradient = |p: &P| {
        let mut g = unset();
        let value = grad(p, &mut g);
        assert!((value - f(p)).abs() <= 1e-12 * (1.0 + value.abs()));
        numbers(&g)
    };
    let close = |what: &str, found: &[f64], want: &[f64], tolerance: f64| {
        let scale = 1.0 + want.iter().fold(0.0_f64, |m, w| m.max(w.abs()));
        for (a, b) in found.iter().zip(want) {
            assert!((a - b).abs() <= tolerance * scale, "{what}: {found:?}, expected {want:?}");
        }
    };
    let g = gradient(&p);
    for k in 0..n {
        let unit: Vec<f64> = (0..n).map(|i| f64::from(u8::from(i == k))).collect();
        close("gradient", &g[k..=k], &slope(|t| vec![f(&moved(&p, &unit, t))]), 1e-7);
    }
    let want = slope(|t| gradient(&moved(&p, &v, t)));
    let (mut h, mut r, mut g2, mut h2) = (unset(), unset(), unset(), unset());
    hvp(&p, &direction, &mut h);
    hvp_rev(&p, &direction, &mut r);
    grad_hvp(&p, &direction, &mut g2, &mut h2);
    close("Hv", &numbers(&h), &want, 1e-6);
    close("Hv, the other order", &numbers(&r), &numbers(&h), 1e-11);
    close("the gradient beside it", &numbers(&g2), &g, 1e-12);
    close("Hv beside the gradient", &numbers(&h2), &numbers(&h), 1e-12);
}

macro_rules! exact {
    ($name:ident, $p:expr, $f:ident $grad:ident $hvp:ident $grad_hvp:ident $hvp_rev:ident) => {
        #[test]
        fn $name() {
            check(
                $p,
                |p| $f(p),
                |p, g| $grad(p, g),
                |p, v, h| $hvp(p, v, h),
                |p, v, g, h| $grad_hvp(p, v, g, h),
                |p, v, h| $hvp_rev(p, v, h),
            );
        }
    };
}

// ------------------------------------------------------------------ vectors of vectors

#[derive(Clone, Differentiable)]
struct Weights {
    scale: f64,
    hidden: Vec<Vec<f64>>,
    bias: Vec<f64>,
}

impl Floats for Weights {
    fn floats(&mut self) -> Vec<&mut f64> {
        let rows = self.hidden.iter_mut().flatten();
        std::iter::once(&mut self.scale).chain(rows).chain(&mut self.bias).collect()
    }
}

#[differentiable]
fn weights(p: &Weights) -> f64 {
    let input = [0.4, -0.7, 1.2];
    let mut total = 0.0;
    for (row, b) in p.hidden.iter().zip(&p.bias) {
        let z: f64 = row.iter().zip(&input).map(|(w, x)| w * x).sum();
        total += p.scale * (z + b).tanh();
    }
    total * total + p.hidden[0][1] * p.hidden[1][0]
}
exact!(
    rows_in_a_struct,
    Weights { scale: 0.9, hidden: vec![vec![0.2, -0.4, 0.7], vec![1.1, 0.3]], bias: vec![0.1, -0.2] },
    weights weights_grad weights_hvp weights_grad_hvp weights_hvp_rev
);

// ------------------------------------------------------------------ vectors and arrays of structs and tuples

#[derive(Clone, Copy, Debug, PartialEq, Differentiable)]
struct Point {
    x: f64,
    y: f64,
}

#[derive(Clone, Differentiable)]
struct Scene {
    points: Vec<Point>,
    corners: [Point; 2],
    pairs: Vec<(f64, [f64; 2])>,
    names: Vec<String>,
    gain: f64,
    #[constant]
    unit: f64,
}

impl Floats for Scene {
    fn floats(&mut self) -> Vec<&mut f64> {
        let points = self.points.iter_mut().chain(&mut self.corners).flat_map(|p| [&mut p.x, &mut p.y]);
        let pairs = self.pairs.iter_mut().flat_map(|(a, b)| std::iter::once(a).chain(b));
        points.chain(pairs).chain([&mut self.gain]).collect()
    }
}

#[differentiable]
fn scene(s: &Scene) -> f64 {
    let mut energy = 0.0;
    for (i, p) in s.points.iter().enumerate() {
        for q in &s.corners {
            energy += s.gain * ((p.x - q.x).powi(2) + (p.y - q.y).powi(2)).sqrt() * s.unit;
        }
        if i > 0 {
            energy += s.points[i - 1].x * p.y;
        }
    }
    for (a, b) in &s.pairs {
        energy += a * b[0] - b[1].sin() * s.names.len() as f64;
    }
    energy * energy / 10.0
}
exact!(
    vectors_of_structs_in_a_struct,
    Scene {
        points: vec![Point { x: 0.3, y: -0.2 }, Point { x: 1.3, y: 0.9 }, Point { x: -0.6, y: 0.4 }],
        corners: [Point { x: 2.0, y: 2.5 }, Point { x: -1.5, y: 1.0 }],
        pairs: vec![(0.4, [1.2, -0.3]), (-0.8, [0.2, 0.5])],
        names: vec!["a".into(), "b".into()],
        gain: 0.7,
        unit: 1.5,
    },
    scene scene_grad scene_hvp scene_grad_hvp scene_hvp_rev
);

// ------------------------------------------------------------------ layers: rows of rows, with data between

#[derive(Clone, Copy, PartialEq, Debug)]
enum Activation {
    Identity,
    Tanh,
    Softplus,
}

#[derive(Clone, Differentiable)]
struct Layer {
    weights: Vec<Vec<f64>>,
    bias: Vec<f64>,
    activation: Activation,
    skip: bool,
    width: usize,
    name: String,
}

#[derive(Clone, Differentiable)]
struct Network {
    layers: Vec<Layer>,
    temperature: f64,
}

fn layers() -> Vec<Layer> {
    let layer = |weights: &[&[f64]], bias: &[f64], activation, skip| Layer {
        weights: weights.iter().map(|r| r.to_vec()).collect(),
        bias: bias.to_vec(),
        activation,
        skip,
        width: bias.len(),
        name: "layer".to_string(),
    };
    vec![
        layer(&[&[0.2, -0.5], &[0.7, 0.1], &[-0.3, 0.9]], &[0.1, -0.1, 0.3], Activation::Tanh, false),
        layer(
            &[&[0.4, 0.2, -0.6], &[0.5, -0.8, 0.3], &[0.1, 0.2, 0.3]],
            &[0.2, 0.0, -0.4],
            Activation::Softplus,
            true,
        ),
        layer(&[&[1.1, -0.4, 0.6]], &[0.05], Activation::Identity, false),
    ]
}

impl Floats for Vec<Layer> {
    fn floats(&mut self) -> Vec<&mut f64> {
        self.iter_mut().flat_map(|l| l.weights.iter_mut().flatten().chain(&mut l.bias)).collect()
    }
}

impl Floats for Network {
    fn floats(&mut self) -> Vec<&mut f64> {
        let layers = self.layers.iter_mut().flat_map(|l| l.weights.iter_mut().flatten().chain(&mut l.bias));
        layers.chain([&mut self.temperature]).collect()
    }
}

#[differentiable]
fn network(net: &Network) -> f64 {
    let mut h = vec![0.6, -0.9];
    for layer in &net.layers {
        let mut next = Vec::with_capacity(layer.width);
        for (row, b) in layer.weights.iter().zip(&layer.bias) {
            let z: f64 = row.iter().zip(&h).map(|(w, x)| w * x).sum::<f64>() + b;
            next.push(match layer.activation {
                Activation::Identity => z,
                Activation::Tanh => z.tanh(),
                Activation::Softplus => z.exp().ln_1p(),
            });
        }
        if layer.skip {
            for (n, x) in next.iter_mut().zip(&h) {
                *n += x;
            }
        }
        h = next;
    }
    (h[0] / net.temperature).powi(2)
}
exact!(
    layers_in_a_struct,
    Network { layers: layers(), temperature: 1.3 },
    network network_grad network_hvp network_grad_hvp network_hvp_rev
);

#[differentiable]
fn slice_of_layers(layers: &[Layer]) -> f64 {
    let mut h: Vec<f64> = vec![0.6, -0.9];
    for l in layers {
        let z: Vec<f64> = l
            .weights
            .iter()
            .zip(l.bias.iter())
            .map(|(row, b)| row.iter().zip(h.iter()).map(|(w, x)| w * x).sum::<f64>() + b)
            .collect();
        h = match &l.activation {
            Activation::Identity => z,
            Activation::Tanh => z.iter().map(|z| z.tanh()).collect(),
            Activation::Softplus => z.iter().map(|z| (1.0 + z.exp()).ln()).collect(),
        };
    }
    h.iter().map(|h| h * h).sum()
}
#[test]
fn a_slice_of_structs_with_vectors() {
    check(
        layers(),
        |p| slice_of_layers(p),
        |p, g| slice_of_layers_grad(p, g),
        |p, v, h| slice_of_layers_hvp(p, v, h),
        |p, v, g, h| slice_of_layers_grad_hvp(p, v, g, h),
        |p, v, h| slice_of_layers_hvp_rev(p, v, h),
    );
}

#[differentiable]
fn deep(weights: &[Vec<Vec<f64>>]) -> f64 {
    let mut h = vec![0.6, -0.9];
    for layer in weights {
        h = layer.iter().map(|row| row.iter().zip(&h).map(|(w, x)| w * x).sum::<f64>().tanh()).collect();
    }
    h.iter().map(|h| h * h).sum()
}
#[derive(Clone)]
struct Deep(Vec<Vec<Vec<f64>>>);
impl Floats for Deep {
    fn floats(&mut self) -> Vec<&mut f64> {
        self.0.iter_mut().flatten().flatten().collect()
    }
}
#[test]
fn rows_of_rows() {
    check(
        Deep(layers().into_iter().map(|l| l.weights).collect()),
        |p| deep(&p.0),
        |p, g| deep_grad(&p.0, &mut g.0),
        |p, v, h| deep_hvp(&p.0, &v.0, &mut h.0),
        |p, v, g, h| deep_grad_hvp(&p.0, &v.0, &mut g.0, &mut h.0),
        |p, v, h| deep_hvp_rev(&p.0, &v.0, &mut h.0),
    );
}
