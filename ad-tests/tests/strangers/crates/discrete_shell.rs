//! Discrete shells with nalgebra vectors: hinge angles by atan2, edge stretch; index lists as data.
use ad_runtime::differentiable;
use nalgebra::Vector3;

pub struct Hinge {
    pub edge: (usize, usize),
    pub wings: (usize, usize),
    pub rest_angle: f64,
}

pub struct Shell {
    pub hinges: Vec<Hinge>,
    pub springs: Vec<(usize, usize, f64)>,
    pub bending: f64,
    pub stretch: f64,
}

impl Shell {
    #[differentiable]
    pub fn energy(&self, vertices: &[f64]) -> f64 {
        let p = |i: usize| Vector3::new(vertices[3 * i], vertices[3 * i + 1], vertices[3 * i + 2]);
        let bend: f64 = self
            .hinges
            .iter()
            .map(|Hinge { edge: (a, b), wings: (c, d), rest_angle }| {
                let e = p(*b) - p(*a);
                let n1 = e.cross(&(p(*c) - p(*a)));
                let n2 = (p(*d) - p(*a)).cross(&e);
                let angle = n1.cross(&n2).dot(&e.normalize()).atan2(n1.dot(&n2));
                let area = 0.5 * (n1.norm() + n2.norm());
                3.0 * e.norm_squared() / area * (angle - rest_angle).powi(2)
            })
            .sum();
        let stretch = self.springs.iter().fold(0.0, |acc, &(i, j, rest)| {
            let strain = (p(i) - p(j)).norm() / rest - 1.0;
            acc + rest * strain * strain
        });
        self.bending * bend + 0.5 * self.stretch * stretch
    }
}

const X: &[f64] = &[0.0, 0.0, 0.1, 1.1, 0.1, 0.0, 0.4, 0.9, 0.3, 0.6, -0.8, 0.4, 1.5, 0.9, -0.2];
fn shell() -> Shell {
    Shell {
        hinges: vec![
            Hinge { edge: (0, 1), wings: (2, 3), rest_angle: 0.1 },
            Hinge { edge: (1, 2), wings: (0, 4), rest_angle: -0.2 },
        ],
        springs: vec![
            (0, 1, 1.0),
            (1, 2, 1.2),
            (0, 2, 0.9),
            (0, 3, 1.0),
            (1, 3, 1.1),
            (1, 4, 0.8),
            (2, 4, 1.3),
        ],
        bending: 0.4,
        stretch: 3.0,
    }
}
fn at(x: &[f64]) -> f64 {
    shell().energy(x)
}
#[test]
fn exact() {
    let s = shell();
    crate::harness::check(
        "discrete_shell",
        X,
        at,
        |x| {
            let mut g = vec![f64::NAN; 15];
            let value = s.energy_grad(x, &mut g);
            (value, g)
        },
        |x, v| {
            let mut hv = vec![f64::NAN; 15];
            s.energy_hvp(x, v, &mut hv);
            hv
        },
    );
}
