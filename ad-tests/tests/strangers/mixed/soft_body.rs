//! A little mass-spring world, stepped with semi-implicit Euler; the throw that lands where we want.
use ad_runtime::{Differentiable, differentiable};

#[derive(Debug, Clone, Copy, Differentiable)]
pub struct Particle {
    pub pos: [f64; 2],
    pub vel: [f64; 2],
    pub mass: f64,
}

#[derive(Debug, Clone, Copy, Differentiable)]
pub struct Spring {
    pub ends: (usize, usize),
    pub rest: f64,
    pub stiffness: f64,
}

#[derive(Debug, Clone, Default, Differentiable)]
pub struct World {
    particles: Vec<Particle>,
    springs: Vec<Spring>,
    gravity: f64,
    drag: f64,
}

#[differentiable]
impl World {
    pub fn new(gravity: f64) -> Self {
        World { gravity, ..Default::default() }
    }

    pub fn drag(mut self, drag: f64) -> Self {
        self.drag = drag;
        self
    }

    pub fn particle(mut self, pos: [f64; 2], vel: [f64; 2], mass: f64) -> Self {
        self.particles.push(Particle { pos, vel, mass });
        self
    }

    pub fn spring(mut self, a: usize, b: usize, stiffness: f64) -> Self {
        let (p, q) = (&self.particles[a], &self.particles[b]);
        let rest = (p.pos[0] - q.pos[0]).hypot(p.pos[1] - q.pos[1]);
        self.springs.push(Spring { ends: (a, b), rest, stiffness });
        self
    }

    fn forces(&self) -> Vec<[f64; 2]> {
        let mut f: Vec<[f64; 2]> = self
            .particles
            .iter()
            .map(|p| {
                // soft floor at y = 0
                let floor = 3.0 * (-4.0 * p.pos[1]).exp();
                [-self.drag * p.vel[0], floor - self.gravity * p.mass - self.drag * p.vel[1]]
            })
            .collect();
        for s in &self.springs {
            let (a, b) = s.ends;
            let d = [
                self.particles[b].pos[0] - self.particles[a].pos[0],
                self.particles[b].pos[1] - self.particles[a].pos[1],
            ];
            let len = (d[0] * d[0] + d[1] * d[1]).sqrt();
            let pull = s.stiffness * (len - s.rest) / len;
            for k in 0..2 {
                f[a][k] += pull * d[k];
                f[b][k] -= pull * d[k];
            }
        }
        f
    }

    pub fn step(&mut self, dt: f64) {
        let forces = self.forces();
        for (p, f) in self.particles.iter_mut().zip(&forces) {
            for k in 0..2 {
                p.vel[k] += dt * f[k] / p.mass;
                p.pos[k] += dt * p.vel[k];
            }
        }
    }

    pub fn centre(&self) -> [f64; 2] {
        let total: f64 = self.particles.iter().map(|p| p.mass).sum();
        let mut c = [0.0, 0.0];
        for p in &self.particles {
            c[0] += p.mass * p.pos[0] / total;
            c[1] += p.mass * p.pos[1] / total;
        }
        c
    }
}

#[differentiable]
pub fn landing_cost(stiffness: f64, drag: f64, kick: [f64; 2]) -> f64 {
    let mut world = World::new(1.0)
        .drag(drag)
        .particle([0.0, 0.6], kick, 1.0)
        .particle([0.8, 0.5], [0.0, 0.2], 0.7)
        .particle([0.3, 1.2], [0.1, 0.0], 0.5)
        .spring(0, 1, stiffness)
        .spring(1, 2, stiffness)
        .spring(2, 0, 0.5 * stiffness);
    for _ in 0..25 {
        world.step(0.04);
    }
    let [x, y] = world.centre();
    let effort = kick.iter().map(|k| k * k).sum::<f64>();
    (x - 1.5).powi(2) + (y - 0.7).powi(2) + 0.1 * effort
}

#[cfg(test)]
const X: &[f64] = &[2.5, 0.3, 1.1, 0.9];

#[cfg(test)]
fn value(x: &[f64]) -> f64 {
    landing_cost(x[0], x[1], [x[2], x[3]])
}

#[cfg(test)]
#[test]
fn primal() {
    assert!(value(X).is_finite());
}

#[test]
fn exact() {
    super::harness::check(
        "soft_body",
        X,
        value,
        |x| {
            let (f, (gs, gd, gk)) = landing_cost_grad(x[0], x[1], [x[2], x[3]]);
            (f, vec![gs, gd, gk[0], gk[1]])
        },
        |x, v| {
            let (hs, hd, hk) = landing_cost_hvp(x[0], x[1], [x[2], x[3]], v[0], v[1], [v[2], v[3]]);
            vec![hs, hd, hk[0], hk[1]]
        },
    );
}
