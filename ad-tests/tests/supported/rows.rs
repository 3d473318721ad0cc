//! Slices and vectors of structs whose fields are vectors of `nalgebra`.

use ad_runtime::{Differentiable, differentiable};
use nalgebra::{SVector, Vector2, Vector3};

#[derive(Clone, Debug, Differentiable)]
struct Rod {
    at: Vector3<f64>,
    along: SVector<f64, 3>,
    #[constant]
    wind: Vector3<f64>,
    mass: f64,
    label: u8,
}
#[derive(Clone, Debug, Differentiable)]
struct Frame {
    rods: Vec<Rod>,
    bend: Vector2<f64>,
}

#[differentiable]
fn pair(a: &Rod, b: &Rod) -> f64 {
    let d = a.at - b.at;
    let n = a.along.normalize();
    d.norm() * n.dot(&b.along) + d.cross(&n).dot(&a.wind) * b.mass
}
#[differentiable(wrt(rods))]
fn cluster(rods: &[Rod], scale: f64) -> f64 {
    let mut e = 0.0;
    for (i, a) in rods.iter().enumerate() {
        for b in &rods[i + 1..] {
            e += pair(a, b) * scale;
        }
        e += a.at[0] * a.at.z * a.along[1] + f64::from(a.label);
    }
    let mean = rods.iter().map(|r| r.at * r.mass).fold(Vector3::zeros(), |s, v| s + v);
    let far: Vec<Rod> = rods.iter().filter(|r| r.mass > 0.0).cloned().collect();
    let mut moved = rods.to_vec();
    for r in moved.iter_mut() {
        r.at += r.along * 0.5;
        r.mass *= 2.0;
    }
    e + mean.norm_squared()
        + far.len() as f64 * far[0].at.dot(&far[0].along)
        + moved[1].at.norm() * moved[1].mass
        + pair(&moved[0], &rods[1])
}
#[differentiable]
fn whole(frame: &Frame) -> f64 {
    let s: f64 = frame
        .rods
        .iter()
        .zip(frame.rods.iter().skip(1))
        .map(|(a, b)| (a.at - b.at).norm() + a.along.dot(&b.along) * a.mass)
        .sum();
    s * frame.bend.norm() + frame.rods[0].at.x
}
fn rods(x: &[f64]) -> Vec<Rod> {
    let wind = Vector3::new(0.3, -0.2, 0.9);
    let rod = |c: &[f64]| Rod {
        at: Vector3::new(c[0], c[1], c[2]),
        along: SVector::from([c[3], c[4], c[5]]),
        wind,
        mass: c[6],
        label: 2,
    };
    x.chunks(7).map(rod).collect()
}

fn flat(rods: &[Rod]) -> Vec<f64> {
    rods.iter().flat_map(|r| r.at.iter().chain(r.along.iter()).copied().chain([r.mass])).collect()
}

fn frame(x: &[f64]) -> Frame {
    Frame { rods: rods(&x[..14]), bend: Vector2::new(x[14], x[15]) }
}

fn all(frame: &Frame) -> Vec<f64> {
    [flat(&frame.rods), vec![frame.bend.x, frame.bend.y]].concat()
}

/// The gradient by differences of the value, the product by differences of the gradient.
fn compare(
    n: usize,
    value: impl Fn(&[f64]) -> f64,
    grad: impl Fn(&[f64]) -> (f64, Vec<f64>),
    hvp: impl Fn(&[f64], &[f64]) -> Vec<f64>,
) {
    let x: Vec<f64> = (0..n).map(|k| (k as f64 * 1.7).sin() + 0.6).collect();
    let v: Vec<f64> = (0..n).map(|k| (k as f64 + 0.4).cos()).collect();
    let (with_gradient, g) = grad(&x);
    super::close("value", &[with_gradient], &[value(&x)], 1e-13);
    let along = super::difference(&x, &v, |p| vec![value(p)]);
    let slope: f64 = g.iter().zip(&v).map(|(g, v)| g * v).sum();
    super::close("gradient", &[slope], &along, 1e-8);
    super::close("product", &hvp(&x, &v), &super::difference(&x, &v, |p| grad(p).1), 1e-7);
}

#[test]
fn vectors_in_slices_of_structs() {
    compare(
        14,
        |x| cluster(&rods(x), 1.3),
        |x| {
            let mut g = rods(&[f64::NAN; 14]);
            (cluster_grad(&rods(x), 1.3, &mut g), flat(&g))
        },
        |x, v| {
            let mut hv = rods(&[f64::NAN; 14]);
            cluster_hvp(&rods(x), 1.3, &rods(v), &mut hv);
            flat(&hv)
        },
    );
    compare(
        16,
        |x| whole(&frame(x)),
        |x| {
            let mut g = frame(&[f64::NAN; 16]);
            (whole_grad(&frame(x), &mut g), all(&g))
        },
        |x, v| {
            let mut hv = frame(&[f64::NAN; 16]);
            whole_hvp(&frame(x), &frame(v), &mut hv);
            all(&hv)
        },
    );
}

type Triple = [f64; 3];

#[derive(Clone, Debug, Differentiable)]
struct Camera {
    turn: Triple,
    at: Triple,
    focal: f64,
}

#[differentiable]
fn dot(a: &Triple, b: &Triple) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

#[differentiable(wrt(cameras, points))]
fn seen(cameras: &[Camera], points: &[Triple], pairs: &[(usize, usize)]) -> f64 {
    let mut s = 0.0;
    for &(c, p) in pairs {
        let camera = &cameras[c];
        s += dot(&camera.turn, &points[p]) * camera.focal + dot(&cameras[c].turn, &cameras[c].at);
        s *= dot(&camera.at, &camera.at);
    }
    s
}

#[test]
fn fields_of_items_given_to_other_functions() {
    let cameras = |x: &[f64]| -> Vec<Camera> {
        let one = |c: &[f64]| Camera { turn: [c[0], c[1], c[2]], at: [c[3], c[4], c[5]], focal: c[6] };
        x[..14].chunks(7).map(one).collect()
    };
    let points = |x: &[f64]| -> Vec<Triple> { x[14..].chunks(3).map(|p| [p[0], p[1], p[2]]).collect() };
    let flat = |c: &[Camera], p: &[Triple]| -> Vec<f64> {
        let numbers = c.iter().flat_map(|c| c.turn.into_iter().chain(c.at).chain([c.focal]));
        numbers.chain(p.iter().copied().flatten()).collect()
    };
    let pairs = [(0, 1), (1, 0), (1, 1)];
    compare(
        20,
        |x| seen(&cameras(x), &points(x), &pairs),
        |x| {
            let (mut c, mut p) = (cameras(x), points(x));
            (seen_grad(&cameras(x), &points(x), &pairs, &mut c, &mut p), flat(&c, &p))
        },
        |x, v| {
            let (mut c, mut p) = (cameras(x), points(x));
            seen_hvp(&cameras(x), &points(x), &pairs, &cameras(v), &points(v), &mut c, &mut p);
            flat(&c, &p)
        },
    );
}

mod deep_vectors {
    use ad_runtime::differentiable;

    #[differentiable]
    fn f(x: &[f64], n: usize) -> f64 {
        let mut cube = vec![];
        for i in 0..n {
            let mut rows = vec![];
            for j in 0..=i {
                let mut row = Vec::new();
                for k in 0..=j {
                    row.push(x[k % x.len()] * (i + 2 * j) as f64 * x[i % x.len()]);
                }
                rows.push(row);
            }
            cube.push(rows.clone());
            // The copy stays what it was.
            rows[0][0] = 50.0 * x[0];
        }
        let mut sum = 0.0;
        for (i, rows) in cube.iter().enumerate() {
            for row in rows {
                sum += row.iter().map(|v| v * v).sum::<f64>() * rows.len() as f64;
            }
            sum += rows[i][i / 2].sin();
        }
        cube.swap(0, n - 1);
        sum += cube[0][n - 1][0] * cube.len() as f64 - cube[n - 1][0][0];
        cube[1][1][0] *= x[1];
        sum += cube[1][1][0] * cube[1].last().unwrap()[1];
        let taken = cube.pop().unwrap();
        cube.push(vec![vec![x[0], x[1] * x[2]], vec![x[2]]]);
        let last = cube.last().unwrap();
        sum + taken.iter().flatten().map(|v| v * x[1]).sum::<f64>() + last[0][1] * last[1][0]
            - cube.iter().map(|rows| rows.iter().map(Vec::len).sum::<usize>()).sum::<usize>() as f64 * x[0]
    }

    mod of_a_type {
        use ad_runtime::differentiable;

        type Matrix = Vec<Vec<f64>>;

        #[differentiable]
        fn layers(x: &[f64]) -> Vec<Matrix> {
            let mut all: Vec<Matrix> = Vec::new();
            for (k, v) in x.iter().enumerate() {
                let mut rows = vec![vec![*v; k + 1]; 2];
                rows[1][0] += x[0] * v;
                all.push(rows);
            }
            all
        }

        #[differentiable]
        fn f(x: &[f64]) -> f64 {
            let all = layers(x);
            let mut sum = 0.0;
            let mut last = &all[0];
            for rows in &all {
                sum += rows[1][0] * rows[0].iter().sum::<f64>();
                last = rows;
            }
            sum * all[2][0][1] + last[1][1]
        }

        pub(super) fn check() {
            check_slice!([0.6, 1.1, 0.8]);
        }
    }

    pub(super) fn check() {
        check_slice!([0.6, 1.1, 0.8], 3);
        of_a_type::check();
    }
}

#[test]
fn vectors_three_deep() {
    deep_vectors::check();
}
