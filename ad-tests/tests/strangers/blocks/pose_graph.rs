//! Planar pose graph with a Geman-McClure kernel on loop closures.
use ad_runtime::{Differentiable, differentiable};
use std::f64::consts::PI;

#[derive(Debug, Clone, Copy, PartialEq, Default, Differentiable)]
pub struct Pose2 {
    pub x: f64,
    pub y: f64,
    pub theta: f64,
}

#[differentiable]
fn wrap(angle: f64) -> f64 {
    angle - 2.0 * PI * ((angle + PI) / (2.0 * PI)).floor()
}

impl Pose2 {
    pub fn new(x: f64, y: f64, theta: f64) -> Self {
        Pose2 { x, y, theta }
    }

    #[differentiable(wrt(self))]
    pub fn inverse(&self) -> Pose2 {
        let (s, c) = self.theta.sin_cos();
        Pose2 { x: -c * self.x - s * self.y, y: s * self.x - c * self.y, theta: -self.theta }
    }

    #[differentiable(wrt(self, rhs))]
    pub fn compose(&self, rhs: &Pose2) -> Pose2 {
        let (s, c) = self.theta.sin_cos();
        Pose2 {
            x: self.x + c * rhs.x - s * rhs.y,
            y: self.y + s * rhs.x + c * rhs.y,
            theta: wrap(self.theta + rhs.theta),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub enum EdgeKind {
    Odometry,
    LoopClosure { kernel: f64 },
}

#[derive(Debug, Clone)]
pub struct Edge {
    pub from: usize,
    pub to: usize,
    pub measured: Pose2,
    pub information: [f64; 3],
    pub kind: EdgeKind,
}

#[differentiable(wrt(poses))]
pub fn graph_error(poses: &[Pose2], edges: &[Edge]) -> f64 {
    let mut total = poses[0].x.powi(2) + poses[0].y.powi(2) + poses[0].theta.powi(2);
    for edge in edges {
        let relative = poses[edge.from].inverse().compose(&poses[edge.to]);
        let e = edge.measured.inverse().compose(&relative);
        let [ix, iy, it] = edge.information;
        let chi2 = ix * e.x * e.x + iy * e.y * e.y + it * e.theta * e.theta;
        total += match edge.kind {
            EdgeKind::Odometry => chi2,
            EdgeKind::LoopClosure { kernel } => kernel * chi2 / (kernel + chi2),
        };
    }
    total
}

#[cfg(test)]
const POINT: [f64; 12] = [0.1, -0.1, 0.05, 1.1, 0.2, 1.5, 0.9, 1.2, 3.0, -0.1, 0.9, -1.7];

#[cfg(test)]
fn poses(x: &[f64]) -> Vec<Pose2> {
    x.chunks_exact(3).map(|c| Pose2::new(c[0], c[1], c[2])).collect()
}

#[cfg(test)]
fn edges() -> Vec<Edge> {
    let edge = |from, to, theta, kind| Edge {
        from,
        to,
        measured: Pose2::new(1.0, 0.05, theta),
        information: [1.0, 1.5, 0.8],
        kind,
    };
    vec![
        edge(0, 1, 1.57, EdgeKind::Odometry),
        edge(1, 2, 1.55, EdgeKind::Odometry),
        edge(2, 3, 1.6, EdgeKind::Odometry),
        edge(3, 0, 1.57, EdgeKind::LoopClosure { kernel: 0.7 }),
        edge(1, 3, 2.9, EdgeKind::LoopClosure { kernel: 0.7 }),
    ]
}

#[cfg(test)]
#[test]
fn primal() {
    assert!(graph_error(&poses(&POINT), &edges()).is_finite());
}

#[test]
fn exact() {
    let data = edges();
    let flat = |g: &[Pose2]| g.iter().flat_map(|p| [p.x, p.y, p.theta]).collect::<Vec<f64>>();
    super::harness::check(
        "pose_graph",
        &POINT,
        |x| graph_error(&poses(x), &data),
        |x| {
            let mut g = vec![Pose2::default(); 4];
            let f = graph_error_grad(&poses(x), &data, &mut g);
            (f, flat(&g))
        },
        |x, v| {
            let mut h = vec![Pose2::default(); 4];
            graph_error_hvp(&poses(x), &data, &poses(v), &mut h);
            flat(&h)
        },
    );
}
