//! Signed distance of a constructive solid geometry tree with smooth unions (curvature needs the Hessian).
use ad_runtime::differentiable;

#[derive(Clone, Debug)]
enum Sdf {
    Sphere { centre: [f64; 3], radius: f64 },
    Torus { major: f64, minor: f64 },
    Slab([f64; 3], f64),
    SmoothUnion(Box<Sdf>, Box<Sdf>, f64),
    Subtract(Box<Sdf>, Box<Sdf>),
    Twist { rate: f64, child: Box<Sdf> },
}

impl Sdf {
    #[differentiable]
    fn distance(&self, p: [f64; 3]) -> f64 {
        let [x, y, z] = p;
        match self {
            Sdf::Sphere { centre: [cx, cy, cz], radius } => {
                ((x - cx).powi(2) + (y - cy).powi(2) + (z - cz).powi(2)).sqrt() - radius
            }
            Sdf::Torus { major, minor } => (x.hypot(z) - major).hypot(y) - minor,
            Sdf::Slab(normal, offset) => normal.iter().zip(&p).map(|(n, c)| n * c).sum::<f64>() - offset,
            Sdf::SmoothUnion(a, b, k) => {
                let (da, db) = (a.distance(p), b.distance(p));
                let h = (0.5 + 0.5 * (db - da) / k).clamp(0.0, 1.0);
                db + (da - db) * h - k * h * (1.0 - h)
            }
            Sdf::Subtract(a, b) => f64::max(a.distance(p), -b.distance(p)),
            Sdf::Twist { rate, child } => {
                let (s, c) = (rate * y).sin_cos();
                child.distance([c * x - s * z, y, s * x + c * z])
            }
        }
    }
}

#[test]
fn exact() {
    let scene = Sdf::Subtract(
        Box::new(Sdf::SmoothUnion(
            Box::new(Sdf::Twist {
                rate: 0.7,
                child: Box::new(Sdf::SmoothUnion(
                    Box::new(Sdf::Torus { major: 1.0, minor: 0.3 }),
                    Box::new(Sdf::Sphere { centre: [0.9, 0.3, 0.1], radius: 0.5 }),
                    0.8,
                )),
            }),
            Box::new(Sdf::Slab([0.0, 0.8, 0.6], 0.2)),
            1.2,
        )),
        Box::new(Sdf::Sphere { centre: [2.0, 0.0, 0.0], radius: 0.4 }),
    );
    let p = |x: &[f64]| [x[0], x[1], x[2]];
    super::harness::check(
        "signed_distance",
        &[0.7, 0.9, -0.4],
        |x| scene.distance(p(x)),
        |x| {
            let (value, g) = scene.distance_grad(p(x));
            (value, g.to_vec())
        },
        |x, v| scene.distance_hvp(p(x), p(v)).to_vec(),
    );
}
