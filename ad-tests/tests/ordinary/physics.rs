use super::*;
// Physics, engineering and numerical methods, as ordinary Rust. The includer provides: `check`, `D`
// (num_dual::HyperDual64), `num_dual::DualNum`, and the macros `differentiable`, `Differentiable`.

fn triples(p: &[f64]) -> Vec<[f64; 3]> {
    p.chunks(3).map(|c| [c[0], c[1], c[2]]).collect()
}

const EPSILON: f64 = 0.8;
const SIGMA: f64 = 1.1;

/// Lennard-Jones cluster: all pairs from flat_map over nested ranges
#[differentiable]
fn lennard_jones(positions: &[[f64; 3]]) -> f64 {
    let n = positions.len();
    (0..n)
        .flat_map(|i| (i + 1..n).map(move |j| (i, j)))
        .map(|(i, j)| {
            let r2: f64 = positions[i].iter().zip(positions[j].iter()).map(|(a, b)| (a - b).powi(2)).sum();
            let s6 = (SIGMA * SIGMA / r2).powi(3);
            4.0 * EPSILON * (s6 * s6 - s6)
        })
        .sum()
}

fn lennard_jones_ref(x: &[D]) -> D {
    let n = x.len() / 3;
    let mut e = D::from_re(0.0);
    for i in 0..n {
        for j in 0..i {
            let mut r2 = D::from_re(0.0);
            for k in 0..3 {
                let d = x[3 * i + k] - x[3 * j + k];
                r2 += d * d;
            }
            let q = r2.recip() * (1.1 * 1.1);
            let s6 = q * q * q;
            e += (s6 * s6 - s6) * 3.2;
        }
    }
    e
}
#[test]
fn lennard_jones_is_exact() {
    check(
        "lennard_jones",
        &[0.0, 0.1, 0.0, 1.2, 0.0, 0.1, 0.5, 1.1, -0.1, 0.6, 0.4, 1.0],
        |p| lennard_jones(&triples(p)),
        |p, g| {
            let mut d = triples(&[0.0; 12]);
            let value = lennard_jones_grad(&triples(p), &mut d);
            g.copy_from_slice(&d.concat());
            value
        },
        |p, v, hv| {
            let mut d = triples(&[0.0; 12]);
            lennard_jones_hvp(&triples(p), &triples(v), &mut d);
            hv.copy_from_slice(&d.concat());
        },
        |p| lennard_jones_ref(p),
    );
}

struct Charges {
    q: Vec<f64>,
    screening: f64,
}

impl Charges {
    const COULOMB: f64 = 1.44;

    /// Distance in the plane: an associated function, differentiable by itself
    #[differentiable]
    fn distance(a: &[f64], b: &[f64]) -> f64 {
        let (dx, dy) = (a[0] - b[0], a[1] - b[1]);
        (dx * dx + dy * dy).sqrt()
    }

    /// Screened Coulomb energy in the plane: a method, a labelled continue, an associated helper
    #[differentiable]
    fn energy(&self, xy: &[f64]) -> f64 {
        let mut total = 0.0;
        'outer: for (i, a) in xy.chunks(2).enumerate() {
            for (j, b) in xy.chunks(2).enumerate() {
                if j >= i {
                    continue 'outer;
                }
                let r = Self::distance(a, b);
                total += Self::COULOMB * self.q[i] * self.q[j] / r * (-r / self.screening).exp();
            }
        }
        total
    }
}

fn charges_ref(x: &[D], q: &[f64], l: f64) -> D {
    let mut e = D::from_re(0.0);
    for i in 0..q.len() {
        for j in i + 1..q.len() {
            let u = x[2 * i] - x[2 * j];
            let w = x[2 * i + 1] - x[2 * j + 1];
            let r = (u * u + w * w).sqrt();
            e += (-(r / l)).exp() / r * (1.44 * q[i] * q[j]);
        }
    }
    e
}
#[test]
fn charges_energy_is_exact() {
    let sys = Charges { q: vec![1.0, -1.0, 0.5, 2.0], screening: 3.0 };
    assert!(Charges::distance(&[0.0, 3.0], &[4.0, 0.0]) == 5.0);
    check(
        "charges energy",
        &[0.0, 0.1, 1.0, 0.0, 0.3, 1.2, -0.9, -0.8],
        |p| sys.energy(p),
        |p, g| sys.energy_grad(p, g),
        |p, v, hv| sys.energy_hvp(p, v, hv),
        |p| charges_ref(p, &[1.0, -1.0, 0.5, 2.0], 3.0),
    );
}

struct Spring {
    ends: (usize, usize),
    k: f64,
    rest: f64,
}

/// Planar spring network under gravity: a local struct Point, struct data, patterns
#[differentiable(wrt(xy))]
fn spring_network(xy: &[f64], springs: &[Spring], mass: f64) -> f64 {
    struct Point {
        x: f64,
        y: f64,
    }
    let points: Vec<Point> = xy.chunks_exact(2).map(|c| Point { x: c[0], y: c[1] }).collect();
    let elastic: f64 = springs
        .iter()
        .map(|Spring { ends: (a, b), k, rest }| {
            let (p, q) = (&points[*a], &points[*b]);
            let stretch = (p.x - q.x).hypot(p.y - q.y) - rest;
            0.5 * k * stretch * stretch
        })
        .sum();
    let gravity: f64 = points.iter().map(|p| mass * 9.81 * p.y).sum();
    elastic + gravity
}

fn web() -> Vec<Spring> {
    vec![
        Spring { ends: (0, 1), k: 10.0, rest: 1.0 },
        Spring { ends: (1, 2), k: 12.0, rest: 0.8 },
        Spring { ends: (2, 3), k: 9.0, rest: 1.1 },
        Spring { ends: (0, 2), k: 4.0, rest: 1.5 },
    ]
}
fn spring_network_ref(x: &[D]) -> D {
    let a = [0usize, 1, 2, 0];
    let b = [1usize, 2, 3, 2];
    let k = [10.0, 12.0, 9.0, 4.0];
    let l = [1.0, 0.8, 1.1, 1.5];
    let mut e = D::from_re(0.0);
    for s in 0..4 {
        let u = x[2 * a[s]] - x[2 * b[s]];
        let w = x[2 * a[s] + 1] - x[2 * b[s] + 1];
        let d = (u * u + w * w).sqrt() - l[s];
        e += d * d * (0.5 * k[s]);
    }
    for i in 0..4 {
        e += x[2 * i + 1] * (0.2 * 9.81);
    }
    e
}
#[test]
fn spring_network_is_exact() {
    let springs = web();
    check(
        "spring_network",
        &[0.0, 0.0, 0.9, -0.4, 1.7, -0.5, 2.6, 0.1],
        |p| spring_network(p, &springs, 0.2),
        |p, g| spring_network_grad(p, &springs, 0.2, g),
        |p, v, hv| spring_network_hvp(p, &springs, 0.2, v, hv),
        |p| spring_network_ref(p),
    );
}

/// Double pendulum by RK4 with the derivative in a closure; the final energy-like cost
#[differentiable]
fn double_pendulum(initial: [f64; 4], length: f64) -> f64 {
    let g = 9.81;
    let deriv = |s: [f64; 4]| -> [f64; 4] {
        let [t1, t2, w1, w2] = s;
        let delta = t1 - t2;
        let den = length * (3.0 - (2.0 * delta).cos());
        let a1 = (-3.0 * g * t1.sin()
            - g * (t1 - 2.0 * t2).sin()
            - 2.0 * delta.sin() * length * (w2 * w2 + w1 * w1 * delta.cos()))
            / den;
        let a2 = 2.0
            * delta.sin()
            * (2.0 * w1 * w1 * length + 2.0 * g * t1.cos() + w2 * w2 * length * delta.cos())
            / den;
        [w1, w2, a1, a2]
    };
    let axpy = |s: &[f64; 4], k: &[f64; 4], h: f64| {
        let mut out = *s;
        for (o, ki) in out.iter_mut().zip(k.iter()) {
            *o += h * ki;
        }
        out
    };
    let dt = 0.05;
    let mut s = initial;
    for _ in 0..6 {
        let k1 = deriv(s);
        let k2 = deriv(axpy(&s, &k1, dt / 2.0));
        let k3 = deriv(axpy(&s, &k2, dt / 2.0));
        let k4 = deriv(axpy(&s, &k3, dt));
        for i in 0..4 {
            s[i] += dt / 6.0 * (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i]);
        }
    }
    (s[0] - 0.3).powi(2) + s[1].powi(2) + 0.1 * (s[2] * s[3]).sin()
}

fn pendulum_rate(s: &[D], l: D) -> Vec<D> {
    let d = s[0] - s[1];
    let den = l * (-(d * 2.0).cos() + 3.0);
    let a = s[0].sin() * (-3.0 * 9.81)
        - (s[0] - s[1] * 2.0).sin() * 9.81
        - d.sin() * l * (s[3] * s[3] + s[2] * s[2] * d.cos()) * 2.0;
    let b = d.sin() * (s[2] * s[2] * l * 2.0 + s[0].cos() * (2.0 * 9.81) + s[3] * s[3] * l * d.cos()) * 2.0;
    vec![s[2], s[3], a / den, b / den]
}
fn double_pendulum_ref(x: &[D]) -> D {
    let l = x[4];
    let mut s = vec![x[0], x[1], x[2], x[3]];
    for _ in 0..6 {
        let k1 = pendulum_rate(&s, l);
        let mut t = s.clone();
        for i in 0..4 {
            t[i] = s[i] + k1[i] * 0.025;
        }
        let k2 = pendulum_rate(&t, l);
        for i in 0..4 {
            t[i] = s[i] + k2[i] * 0.025;
        }
        let k3 = pendulum_rate(&t, l);
        for i in 0..4 {
            t[i] = s[i] + k3[i] * 0.05;
        }
        let k4 = pendulum_rate(&t, l);
        for i in 0..4 {
            s[i] += (k1[i] + k2[i] * 2.0 + k3[i] * 2.0 + k4[i]) * (0.05 / 6.0);
        }
    }
    (s[0] - 0.3) * (s[0] - 0.3) + s[1] * s[1] + (s[2] * s[3]).sin() * 0.1
}
#[test]
fn double_pendulum_is_exact() {
    let a = |p: &[f64]| [p[0], p[1], p[2], p[3]];
    check(
        "double_pendulum",
        &[0.8, 0.5, -0.2, 0.4, 1.3],
        |p| double_pendulum(a(p), p[4]),
        |p, g| {
            let (value, (ds, dl)) = double_pendulum_grad(a(p), p[4]);
            g[..4].copy_from_slice(&ds);
            g[4] = dl;
            value
        },
        |p, v, hv| {
            let (hs, hl) = double_pendulum_hvp(a(p), p[4], a(v), v[4]);
            hv[..4].copy_from_slice(&hs);
            hv[4] = hl;
        },
        |p| double_pendulum_ref(p),
    );
}

/// Lorenz parameters against an observed track: tuples as state, data by zip and step_by
#[differentiable(wrt(sigma, rho, beta))]
fn lorenz_misfit(sigma: f64, rho: f64, beta: f64, observed: &[f64]) -> f64 {
    let dt = 0.01;
    let step = |(x, y, z): (f64, f64, f64)| {
        (x + dt * sigma * (y - x), y + dt * (x * (rho - z) - y), z + dt * (x * y - beta * z))
    };
    let mut state = (1.0, 1.0, 20.0);
    let mut track = Vec::with_capacity(16);
    for _ in 0..16 {
        state = step(state);
        track.push(state);
    }
    track.iter().step_by(4).zip(observed).map(|(&(x, _, z), obs)| (x + 0.1 * z - obs).powi(2)).sum()
}

fn lorenz_misfit_ref(p: &[D]) -> D {
    let obs = [3.0, 2.9, 2.7, 2.6];
    let (mut x, mut y, mut z) = (D::from_re(1.0), D::from_re(1.0), D::from_re(20.0));
    let mut s = D::from_re(0.0);
    for k in 0..16 {
        let a = (y - x) * p[0];
        let b = x * (p[1] - z) - y;
        let c = x * y - p[2] * z;
        x += a * 0.01;
        y += b * 0.01;
        z += c * 0.01;
        if k % 4 == 0 {
            let r = x + z * 0.1 - obs[k / 4];
            s += r * r;
        }
    }
    s
}
#[test]
fn lorenz_misfit_is_exact() {
    let obs = [3.0, 2.9, 2.7, 2.6];
    check(
        "lorenz_misfit",
        &[10.0, 28.0, 2.6],
        |p| lorenz_misfit(p[0], p[1], p[2], &obs),
        |p, g| {
            let (value, (a, b, c)) = lorenz_misfit_grad(p[0], p[1], p[2], &obs);
            g.copy_from_slice(&[a, b, c]);
            value
        },
        |p, v, hv| {
            let (a, b, c) = lorenz_misfit_hvp(p[0], p[1], p[2], &obs, v[0], v[1], v[2]);
            hv.copy_from_slice(&[a, b, c]);
        },
        |p| lorenz_misfit_ref(p),
    );
}

#[derive(Clone, Differentiable)]
struct Orbit {
    position: [f64; 2],
    velocity: [f64; 2],
}

/// Kepler orbit by symplectic Euler, a struct parameter cloned and advanced in place
#[differentiable]
fn kepler_miss(start: &Orbit, gm: f64) -> f64 {
    let mut o = start.clone();
    let h = 0.1;
    let mut closest = f64::INFINITY;
    for _ in 0..8 {
        let r3 = (o.position[0].powi(2) + o.position[1].powi(2)).powf(1.5);
        for k in 0..2 {
            o.velocity[k] -= h * gm * o.position[k] / r3;
            o.position[k] += h * o.velocity[k];
        }
        let miss = (o.position[0] - 0.5).hypot(o.position[1] - 0.6);
        closest = closest.min(miss);
    }
    closest + 0.5 * (o.velocity[0] * o.velocity[0] + o.velocity[1] * o.velocity[1])
}

fn kepler_miss_ref(x: &[D]) -> D {
    let mut p = [x[0], x[1]];
    let mut w = [x[2], x[3]];
    let mut best = D::from_re(1e300);
    for _ in 0..8 {
        let r2 = p[0] * p[0] + p[1] * p[1];
        let r3 = r2 * r2.sqrt();
        for k in 0..2 {
            w[k] -= x[4] * p[k] / r3 * 0.1;
            p[k] += w[k] * 0.1;
        }
        let a = p[0] - 0.5;
        let b = p[1] - 0.6;
        let m = (a * a + b * b).sqrt();
        if m.re < best.re {
            best = m;
        }
    }
    best + (w[0] * w[0] + w[1] * w[1]) * 0.5
}
#[test]
fn kepler_miss_is_exact() {
    let o = |p: &[f64]| Orbit { position: [p[0], p[1]], velocity: [p[2], p[3]] };
    let put = |d: &Orbit, out: &mut [f64]| {
        out[..2].copy_from_slice(&d.position);
        out[2..4].copy_from_slice(&d.velocity);
    };
    check(
        "kepler_miss",
        &[1.0, 0.05, -0.1, 0.9, 1.1],
        |p| kepler_miss(&o(p), p[4]),
        |p, g| {
            let mut d = o(&[0.0; 4]);
            let (value, dgm) = kepler_miss_grad(&o(p), p[4], &mut d);
            put(&d, g);
            g[4] = dgm;
            value
        },
        |p, v, hv| {
            let mut d = o(&[0.0; 4]);
            let hgm = kepler_miss_hvp(&o(p), p[4], &o(v), v[4], &mut d);
            put(&d, hv);
            hv[4] = hgm;
        },
        |p| kepler_miss_ref(p),
    );
}

/// Explicit heat equation with temperature-dependent conductivity: two buffers swapped
#[differentiable]
fn heat_rod(initial: &[f64], alpha: f64) -> f64 {
    let n = initial.len();
    let mut u = initial.to_vec();
    let mut next = vec![0.0; n];
    for _ in 0..5 {
        next[0] = u[0];
        next[n - 1] = u[n - 1];
        for i in 1..n - 1 {
            let k = alpha * (1.0 + 0.1 * u[i]);
            next[i] = u[i] + k * (u[i - 1] - 2.0 * u[i] + u[i + 1]);
        }
        std::mem::swap(&mut u, &mut next);
    }
    u.iter().map(|t| t.powi(2)).sum::<f64>() / n as f64
}

fn heat_rod_ref(x: &[D]) -> D {
    let n = x.len() - 1;
    let mut u = vec![D::from_re(0.0); n];
    for i in 0..n {
        u[i] = x[i];
    }
    for _ in 0..5 {
        let old = u.clone();
        for i in 1..n - 1 {
            u[i] = old[i] + x[n] * (old[i] * 0.1 + 1.0) * (old[i - 1] + old[i + 1] - old[i] * 2.0);
        }
    }
    let mut s = D::from_re(0.0);
    for i in 0..n {
        s += u[i] * u[i] / n as f64;
    }
    s
}
#[test]
fn heat_rod_is_exact() {
    check(
        "heat_rod",
        &[0.0, 0.4, 1.0, 0.7, 0.2, -0.1, 0.2],
        |p| heat_rod(&p[..6], p[6]),
        |p, g| {
            let (value, da) = heat_rod_grad(&p[..6], p[6], &mut g[..6]);
            g[6] = da;
            value
        },
        |p, v, hv| {
            let ha = heat_rod_hvp(&p[..6], p[6], &v[..6], v[6], &mut hv[..6]);
            hv[6] = ha;
        },
        |p| heat_rod_ref(p),
    );
}

/// Nonlinear wave by leapfrog: clone, copy_from_slice, fill, windows(3), iter_mut with zip
#[differentiable]
fn wave_energy(shape: &[f64]) -> f64 {
    let n = shape.len();
    let c2 = 0.25;
    let mut previous = shape.to_vec();
    let mut current = previous.clone();
    let mut accel = vec![0.0; n];
    for _ in 0..6 {
        accel.fill(0.0);
        for (a, w) in accel[1..n - 1].iter_mut().zip(current.windows(3)) {
            *a = c2 * (w[0] - 2.0 * w[1] + w[2]) - 0.05 * w[1].powi(3);
        }
        let saved = current.clone();
        for ((c, p), a) in current.iter_mut().zip(previous.iter()).zip(accel.iter()) {
            *c = 2.0 * *c - p + a;
        }
        previous.copy_from_slice(&saved);
    }
    let kinetic: f64 = current.iter().zip(&previous).map(|(c, p)| 0.5 * (c - p) * (c - p)).sum();
    let potential: f64 = current.windows(2).map(|w| 0.5 * c2 * (w[1] - w[0]).powi(2)).sum();
    kinetic + potential
}

fn wave_energy_ref(x: &[D]) -> D {
    let n = x.len();
    let mut a = x.to_vec();
    let mut b = x.to_vec();
    for _ in 0..6 {
        let mut c = b.clone();
        for i in 0..n {
            c[i] = b[i] * 2.0 - a[i];
        }
        for i in 1..n - 1 {
            c[i] += (b[i - 1] + b[i + 1] - b[i] * 2.0) * 0.25 - b[i] * b[i] * b[i] * 0.05;
        }
        a = b;
        b = c;
    }
    let mut e = D::from_re(0.0);
    for i in 0..n {
        let d = b[i] - a[i];
        e += d * d * 0.5;
        if i > 0 {
            let s = b[i] - b[i - 1];
            e += s * s * 0.125;
        }
    }
    e
}
#[test]
fn wave_energy_is_exact() {
    check(
        "wave_energy",
        &[0.1, 0.5, 1.2, 0.8, -0.3, 0.2],
        |p| wave_energy(p),
        |p, g| wave_energy_grad(p, g),
        |p, v, hv| wave_energy_hvp(p, v, hv),
        |p| wave_energy_ref(p),
    );
}

/// Discrete beam bending energy with a tip load: array destructuring in windows(3)
#[differentiable(wrt(w, stiffness))]
fn beam_energy(w: &[f64], stiffness: &[f64], load: f64) -> f64 {
    let bending: f64 = w
        .windows(3)
        .zip(stiffness)
        .map(|(v, ei)| match v {
            [a, b, c] => 0.5 * ei * (a - 2.0 * b + c).powi(2),
            _ => unreachable!(),
        })
        .sum();
    let slope = w.first().map_or(0.0, |w0| 100.0 * w0.powi(2));
    let Some(tip) = w.last() else { return 0.0 };
    bending + slope - load * tip
}

fn beam_energy_ref(x: &[D]) -> D {
    let mut e = x[0] * x[0] * 100.0 - x[4] * 0.7;
    for i in 0..3 {
        let k = x[i] - x[i + 1] * 2.0 + x[i + 2];
        e += x[5 + i] * k * k * 0.5;
    }
    e
}
#[test]
fn beam_energy_is_exact() {
    check(
        "beam_energy",
        &[0.01, 0.05, 0.2, 0.45, 0.8, 6.0, 5.0, 4.0],
        |p| beam_energy(&p[..5], &p[5..], 0.7),
        |p, g| {
            let (a, b) = g.split_at_mut(5);
            beam_energy_grad(&p[..5], &p[5..], 0.7, a, b)
        },
        |p, v, hv| {
            let (a, b) = hv.split_at_mut(5);
            beam_energy_hvp(&p[..5], &p[5..], 0.7, &v[..5], &v[5..], a, b);
        },
        |p| beam_energy_ref(p),
    );
}

/// Peng-Robinson pressure as an Option: None below the co-volume
#[differentiable(wrt(t, v))]
fn peng_robinson(t: f64, v: f64, tc: f64, pc: f64, omega: f64) -> Option<f64> {
    const R: f64 = 8.314;
    let a = 0.45724 * R.powi(2) * tc.powi(2) / pc;
    let b = 0.07780 * R * tc / pc;
    if v <= b {
        return None;
    }
    let kappa = 0.37464 + 1.54226 * omega - 0.26992 * omega * omega;
    let alpha = (1.0 + kappa * (1.0 - (t / tc).sqrt())).powi(2);
    Some((R * t / (v - b) - a * alpha / (v * v + 2.0 * b * v - b * b)) / 1e5)
}

fn peng_robinson_ref(x: &[D]) -> D {
    let (tc, pc, om) = (304.2, 7.38e6, 0.225);
    let a = 0.45724 * 8.314 * 8.314 * tc * tc / pc;
    let b = 0.07780 * 8.314 * tc / pc;
    let k = 0.37464 + 1.54226 * om - 0.26992 * om * om;
    let s = (-((x[0] / tc).sqrt()) + 1.0) * k + 1.0;
    let q = x[1] * x[1] + x[1] * (2.0 * b) - b * b;
    (x[0] * 8.314 / (x[1] - b) - s * s * a / q) / 1e5
}
#[test]
fn peng_robinson_is_exact() {
    let (tc, pc, om) = (304.2, 7.38e6, 0.225);
    // volumes in m3/kmol in the check, so that the second derivatives are of ordinary size
    check(
        "peng_robinson",
        &[350.0, 0.9],
        |p| peng_robinson(p[0], p[1] * 1e-3, tc, pc, om).unwrap(),
        |p, g| {
            let (value, (a, b)) = peng_robinson_grad(p[0], p[1] * 1e-3, tc, pc, om).unwrap();
            g.copy_from_slice(&[a, b * 1e-3]);
            value
        },
        |p, v, hv| {
            let (a, b) = peng_robinson_hvp(p[0], p[1] * 1e-3, tc, pc, om, v[0], v[1] * 1e-3).unwrap();
            hv.copy_from_slice(&[a, b * 1e-3]);
        },
        |p| {
            let s = [p[0], p[1] * 1e-3];
            peng_robinson_ref(&s)
        },
    );
    assert!(peng_robinson_grad(300.0, 1e-6, tc, pc, om).is_none());
    assert!(peng_robinson_hvp(300.0, 1e-6, tc, pc, om, 1.0, 0.0).is_none());
}

#[derive(Clone, Copy)]
enum Fluid {
    Water,
    Ethanol,
    Custom { a: f64, b: f64, c: f64 },
}

/// Antoine vapour pressure: match on enum data with guards, `?` on a lookup, log10 by powf
#[differentiable(wrt(t))]
fn vapour_pressure(fluid: Fluid, t: f64) -> Option<f64> {
    let coefficients = |celsius: f64| match fluid {
        Fluid::Water if celsius > 100.0 => Some((8.14019, 1810.94, 244.485)),
        Fluid::Water => Some((8.07131, 1730.63, 233.426)),
        Fluid::Ethanol => Some((8.20417, 1642.89, 230.300)),
        Fluid::Custom { c, .. } if c + celsius <= 0.0 => None,
        Fluid::Custom { a, b, c } => Some((a, b, c)),
    };
    let (a, b, c) = coefficients(t)?;
    Some(10f64.powf(a - b / (c + t)) / 760.0)
}

fn vapour_pressure_ref(t: D, a: f64, b: f64, c: f64) -> D {
    ((-((t + c).recip() * b) + a) * 10f64.ln()).exp() / 760.0
}
#[test]
fn vapour_pressure_is_exact() {
    let cases = [
        (Fluid::Water, 80.0, (8.07131, 1730.63, 233.426)),
        (Fluid::Water, 120.0, (8.14019, 1810.94, 244.485)),
        (Fluid::Ethanol, 60.0, (8.20417, 1642.89, 230.300)),
        (Fluid::Custom { a: 7.0, b: 1200.0, c: 220.0 }, 50.0, (7.0, 1200.0, 220.0)),
    ];
    for (fluid, t, (a, b, c)) in cases {
        check(
            "vapour_pressure",
            &[t],
            |p| vapour_pressure(fluid, p[0]).unwrap(),
            |p, g| {
                let (value, d) = vapour_pressure_grad(fluid, p[0]).unwrap();
                g[0] = d;
                value
            },
            |p, v, hv| hv[0] = vapour_pressure_hvp(fluid, p[0], v[0]).unwrap(),
            |p| vapour_pressure_ref(p[0], a, b, c),
        );
    }
    assert!(vapour_pressure(Fluid::Custom { a: 7.0, b: 1200.0, c: 220.0 }, -230.0).is_none());
}

/// Van der Waals molar volume by Newton iteration with a break, then the compressibility
#[differentiable]
fn van_der_waals_z(pressure: f64, temperature: f64) -> f64 {
    let (r, a, b) = (0.08314, 3.64, 0.04267);
    let residual = |v: f64| (pressure + a / (v * v)) * (v - b) - r * temperature;
    let slope = |v: f64| pressure - a / (v * v) + 2.0 * a * b / (v * v * v);
    let mut v = r * temperature / pressure;
    let mut iterations = 0;
    while iterations < 50 {
        let dv = residual(v) / slope(v);
        v -= dv;
        if dv.abs() < 1e-15 * v {
            break;
        }
        iterations += 1;
    }
    pressure * v / (r * temperature)
}

fn van_der_waals_z_ref(x: &[D]) -> D {
    let (r, a, b) = (0.08314, 3.64, 0.04267);
    let mut v = x[1] * r / x[0];
    for _ in 0..60 {
        let f = (x[0] + (v * v).recip() * a) * (v - b) - x[1] * r;
        let s = x[0] - (v * v).recip() * a + (v * v * v).recip() * (2.0 * a * b);
        v = v - f / s;
    }
    x[0] * v / (x[1] * r)
}
#[test]
fn van_der_waals_z_is_exact() {
    check(
        "van_der_waals_z",
        &[20.0, 350.0],
        |p| van_der_waals_z(p[0], p[1]),
        |p, g| {
            let (value, (a, b)) = van_der_waals_z_grad(p[0], p[1]);
            g.copy_from_slice(&[a, b]);
            value
        },
        |p, v, hv| {
            let (a, b) = van_der_waals_z_hvp(p[0], p[1], v[0], v[1]);
            hv.copy_from_slice(&[a, b]);
        },
        |p| van_der_waals_z_ref(p),
    );
}

/// Morse pair potential, differentiable by itself
#[differentiable(wrt(r))]
fn morse(r: f64, depth: f64, a: f64, r0: f64) -> f64 {
    depth * (1.0 - (-a * (r - r0)).exp()).powi(2)
}

/// Bond and angle energy of a bent triatomic molecule, calling the differentiable `morse`
#[differentiable]
fn triatomic(atoms: &[[f64; 3]; 3]) -> f64 {
    fn sub(a: &[f64; 3], b: &[f64; 3]) -> [f64; 3] {
        [a[0] - b[0], a[1] - b[1], a[2] - b[2]]
    }
    let dot = |a: &[f64; 3], b: &[f64; 3]| a.iter().zip(b).map(|(x, y)| x * y).sum::<f64>();
    let u = sub(&atoms[0], &atoms[1]);
    let v = sub(&atoms[2], &atoms[1]);
    let (ru, rv) = (dot(&u, &u).sqrt(), dot(&v, &v).sqrt());
    let angle = (dot(&u, &v) / (ru * rv)).acos();
    let bonds: f64 = [ru, rv].iter().map(|&r| morse(r, 4.5, 1.9, 0.96)).sum();
    bonds + 0.5 * 3.3 * (angle - 104.5_f64.to_radians()).powi(2)
}

fn triatomic_ref(x: &[D]) -> D {
    let mut uu = D::from_re(0.0);
    let mut vv = D::from_re(0.0);
    let mut uv = D::from_re(0.0);
    for k in 0..3 {
        let u = x[k] - x[3 + k];
        let v = x[6 + k] - x[3 + k];
        uu += u * u;
        vv += v * v;
        uv += u * v;
    }
    let (ru, rv) = (uu.sqrt(), vv.sqrt());
    let a = (uv / (ru * rv)).acos() - 104.5 * std::f64::consts::PI / 180.0;
    let e1 = -((ru - 0.96) * -1.9).exp() + 1.0;
    let e2 = -((rv - 0.96) * -1.9).exp() + 1.0;
    (e1 * e1 + e2 * e2) * 4.5 + a * a * 1.65
}
#[test]
fn triatomic_is_exact() {
    let m = |p: &[f64]| [[p[0], p[1], p[2]], [p[3], p[4], p[5]], [p[6], p[7], p[8]]];
    check(
        "triatomic",
        &[0.9, 0.1, 0.0, 0.0, -0.1, 0.05, -0.3, 0.95, 0.1],
        |p| triatomic(&m(p)),
        |p, g| {
            let mut d = [[0.0; 3]; 3];
            let value = triatomic_grad(&m(p), &mut d);
            g.copy_from_slice(&d.concat());
            value
        },
        |p, v, hv| {
            let mut d = [[0.0; 3]; 3];
            triatomic_hvp(&m(p), &m(v), &mut d);
            hv.copy_from_slice(&d.concat());
        },
        |p| triatomic_ref(p),
    );
    let (value, d) = morse_grad(1.1, 4.5, 1.9, 0.96);
    let e = (-1.9f64 * 0.14).exp();
    assert!((value - 4.5 * (1.0 - e) * (1.0 - e)).abs() < 1e-14);
    assert!((d - 2.0 * 4.5 * 1.9 * (1.0 - e) * e).abs() < 1e-13);
}

struct Surface {
    curvature: f64,
    thickness: f64,
    index: f64,
}

/// Spot height of a ray through spherical surfaces by Snell's law: Result with `?`
#[differentiable(wrt(height, angle))]
fn trace_ray(height: f64, angle: f64, lens: &[Surface]) -> Result<f64, String> {
    let refract = |sin_in: f64, ratio: f64| -> Result<f64, String> {
        let s = ratio * sin_in;
        if s.abs() > 1.0 { Err(String::from("total internal reflection")) } else { Ok(s.asin()) }
    };
    let (mut y, mut u, mut n) = (height, angle, 1.0);
    for (i, s) in lens.iter().enumerate() {
        let normal = (y * s.curvature).asin();
        let out = refract((u + normal).sin(), n / s.index).map_err(|e| format!("{e} at {i}"))?;
        u = out - normal;
        let sag = (1.0 - (1.0 - (y * s.curvature).powi(2)).sqrt()) / s.curvature;
        y += (s.thickness - sag) * u.tan();
        n = s.index;
    }
    Ok(y)
}

fn doublet() -> Vec<Surface> {
    vec![
        Surface { curvature: 0.02, thickness: 4.0, index: 1.5168 },
        Surface { curvature: -0.025, thickness: 1.5, index: 1.6727 },
        Surface { curvature: -0.006, thickness: 40.0, index: 1.0 },
    ]
}
fn trace_ray_ref(x: &[D]) -> D {
    let c = [0.02, -0.025, -0.006];
    let t = [4.0, 1.5, 40.0];
    let m = [1.0, 1.5168, 1.6727, 1.0];
    let (mut y, mut u) = (x[0], x[1]);
    for i in 0..3 {
        let k = y * c[i];
        let a = k.asin();
        u = ((u + a).sin() * (m[i] / m[i + 1])).asin() - a;
        let sag = (-((-(k * k) + 1.0).sqrt()) + 1.0) / c[i];
        y = y + (-sag + t[i]) * u.tan();
    }
    y
}
#[test]
fn trace_ray_is_exact() {
    let lens = doublet();
    check(
        "trace_ray",
        &[6.0, 0.05],
        |p| trace_ray(p[0], p[1], &lens).unwrap(),
        |p, g| {
            let (value, (a, b)) = trace_ray_grad(p[0], p[1], &lens).unwrap();
            g.copy_from_slice(&[a, b]);
            value
        },
        |p, v, hv| {
            let (a, b) = trace_ray_hvp(p[0], p[1], &lens, v[0], v[1]).unwrap();
            hv.copy_from_slice(&[a, b]);
        },
        |p| trace_ray_ref(p),
    );
    let glass = [Surface { curvature: 0.02, thickness: 1.0, index: 0.5 }];
    assert!(trace_ray_grad(5.0, 1.0, &glass).is_err());
}

#[derive(Clone, Copy)]
struct Vec3 {
    x: f64,
    y: f64,
    z: f64,
}

/// Pinhole reprojection error, rotation by a normalised quaternion: a plain struct Vec3 as a local
#[differentiable(wrt(camera))]
fn reprojection(camera: &[f64; 7], focal: f64, pairs: &[([f64; 3], [f64; 2])]) -> f64 {
    let (q, t) = camera.split_at(4);
    let norm = q.iter().map(|c| c * c).sum::<f64>().sqrt();
    let (w, v) = (q[0] / norm, Vec3 { x: q[1] / norm, y: q[2] / norm, z: q[3] / norm });
    let cross = |a: Vec3, b: Vec3| Vec3 {
        x: a.y * b.z - a.z * b.y,
        y: a.z * b.x - a.x * b.z,
        z: a.x * b.y - a.y * b.x,
    };
    let mut error = 0.0;
    for (point, pixel) in pairs {
        let p = Vec3 { x: point[0], y: point[1], z: point[2] };
        let c = cross(v, p);
        let cc = cross(v, c);
        let r = Vec3 {
            x: p.x + 2.0 * (w * c.x + cc.x) + t[0],
            y: p.y + 2.0 * (w * c.y + cc.y) + t[1],
            z: p.z + 2.0 * (w * c.z + cc.z) + t[2],
        };
        let (dx, dy) = (focal * r.x / r.z - pixel[0], focal * r.y / r.z - pixel[1]);
        error += dx * dx + dy * dy;
    }
    error / pairs.len() as f64
}

const PAIRS: [([f64; 3], [f64; 2]); 3] =
    [([0.1, 0.2, 1.0], [0.2, 0.1]), ([-0.5, 0.4, 1.5], [-0.3, 0.4]), ([0.7, -0.3, 0.8], [0.4, -0.1])];
fn reprojection_ref(x: &[D]) -> D {
    let n2 = x[0] * x[0] + x[1] * x[1] + x[2] * x[2] + x[3] * x[3];
    let (a, b, c, d) = (x[0], x[1], x[2], x[3]);
    let m = [
        a * a + b * b - c * c - d * d,
        (b * c - a * d) * 2.0,
        (b * d + a * c) * 2.0,
        (b * c + a * d) * 2.0,
        a * a - b * b + c * c - d * d,
        (c * d - a * b) * 2.0,
        (b * d - a * c) * 2.0,
        (c * d + a * b) * 2.0,
        a * a - b * b - c * c + d * d,
    ];
    let mut s = D::from_re(0.0);
    for k in 0..3 {
        let mut r = [x[4], x[5], x[6]];
        for i in 0..3 {
            for j in 0..3 {
                r[i] += m[3 * i + j] / n2 * PAIRS[k].0[j];
            }
        }
        for i in 0..2 {
            let e = r[i] / r[2] * 1.4 - PAIRS[k].1[i];
            s += e * e / 3.0;
        }
    }
    s
}
#[test]
fn reprojection_is_exact() {
    let a = |p: &[f64]| -> [f64; 7] { p.try_into().unwrap() };
    check(
        "reprojection",
        &[0.9, 0.1, -0.2, 0.15, 0.1, -0.1, 2.0],
        |p| reprojection(&a(p), 1.4, &PAIRS),
        |p, g| reprojection_grad(&a(p), 1.4, &PAIRS, g.try_into().unwrap()),
        |p, v, hv| {
            reprojection_hvp(&a(p), 1.4, &PAIRS, &a(v), hv.try_into().unwrap());
        },
        |p| reprojection_ref(p),
    );
}

/// Inverse kinematics of a planar arm: `scan` for cumulative angles, unzip, `last`
#[differentiable(wrt(joints))]
fn arm_cost(joints: &[f64], lengths: &[f64], target: (f64, f64)) -> f64 {
    let mut heading = 0.0;
    let mut advance = |q: f64| {
        heading += q;
        heading
    };
    let (xs, ys): (Vec<f64>, Vec<f64>) = joints
        .iter()
        .zip(lengths)
        .map(|(&q, l)| {
            let h = advance(q);
            (l * h.cos(), l * h.sin())
        })
        .unzip();
    let tip_x = xs
        .iter()
        .scan(0.0, |acc, dx| {
            *acc += dx;
            Some(*acc)
        })
        .last()
        .unwrap_or(0.0);
    let tip_y: f64 = ys.iter().sum();
    let bends = joints.iter().skip(1).map(|q| q.powi(2)).sum::<f64>();
    (tip_x - target.0).powi(2) + (tip_y - target.1).powi(2) + 0.02 * bends
}

fn arm_cost_ref(x: &[D]) -> D {
    let l = [1.0, 0.8, 0.5, 0.3];
    let mut h = D::from_re(0.0);
    let mut a = D::from_re(-1.1);
    let mut b = D::from_re(-0.9);
    let mut s = D::from_re(0.0);
    for i in 0..4 {
        h += x[i];
        a += h.cos() * l[i];
        b += h.sin() * l[i];
        if i > 0 {
            s += x[i] * x[i] * 0.02;
        }
    }
    s + a * a + b * b
}
#[test]
fn arm_cost_is_exact() {
    let l = [1.0, 0.8, 0.5, 0.3];
    check(
        "arm_cost",
        &[0.3, 0.5, -0.2, 0.4],
        |p| arm_cost(p, &l, (1.1, 0.9)),
        |p, g| arm_cost_grad(p, &l, (1.1, 0.9), g),
        |p, v, hv| arm_cost_hvp(p, &l, (1.1, 0.9), v, hv),
        |p| arm_cost_ref(p),
    );
}

#[derive(Clone, Differentiable)]
struct Rocket {
    thrust: f64,
    dry_mass: f64,
    fuel: f64,
    drag: f64,
}

impl Rocket {
    const DT: f64 = 0.5;

    /// Mass flow at full thrust
    #[differentiable]
    fn flow(thrust: f64) -> f64 {
        thrust / 250.0
    }
}

/// Rocket ascent until burnout: a labelled loop with break, a struct parameter, a match on ranges
#[differentiable]
fn burnout_altitude(rocket: &Rocket) -> f64 {
    let (mut h, mut v, mut fuel) = (0.0, 0.0, rocket.fuel);
    let mut step = 0;
    'flight: loop {
        let throttle = match step {
            0..=3 => 1.0,
            4 | 5 => 0.8,
            _ => 0.6,
        };
        let burnt = throttle * Rocket::flow(rocket.thrust) * Rocket::DT;
        if burnt > fuel || step >= 40 {
            break 'flight;
        }
        fuel -= burnt;
        let m = rocket.dry_mass + fuel;
        let density = (-h / 85.0_f64).exp();
        let a = throttle * rocket.thrust / m - 9.81 - rocket.drag * density * v * v / m;
        v += a * Rocket::DT;
        h += v * Rocket::DT;
        step += 1;
    }
    h + v.powi(2) / (2.0 * 9.81)
}

fn burnout_altitude_ref(x: &[D]) -> D {
    let mut h = D::from_re(0.0);
    let mut v = D::from_re(0.0);
    let mut fuel = x[2];
    for k in 0..40 {
        let t = if k < 4 {
            1.0
        } else if k < 6 {
            0.8
        } else {
            0.6
        };
        let burnt = x[0] * (t * 0.5 / 250.0);
        if burnt.re > fuel.re {
            break;
        }
        fuel = fuel - burnt;
        let m = x[1] + fuel;
        let a = (x[0] * t - x[3] * (-(h / 85.0)).exp() * v * v) / m - 9.81;
        v += a * 0.5;
        h += v * 0.5;
    }
    h + v * v / 19.62
}
#[test]
fn burnout_altitude_is_exact() {
    let r = |p: &[f64]| Rocket { thrust: p[0], dry_mass: p[1], fuel: p[2], drag: p[3] };
    let put = |d: &Rocket, out: &mut [f64]| out.copy_from_slice(&[d.thrust, d.dry_mass, d.fuel, d.drag]);
    check(
        "burnout_altitude",
        &[60.0, 2.0, 0.93, 0.01],
        |p| burnout_altitude(&r(p)),
        |p, g| {
            let mut d = r(&[0.0; 4]);
            let value = burnout_altitude_grad(&r(p), &mut d);
            put(&d, g);
            value
        },
        |p, v, hv| {
            let mut d = r(&[0.0; 4]);
            burnout_altitude_hvp(&r(p), &r(v), &mut d);
            put(&d, hv);
        },
        |p| burnout_altitude_ref(p),
    );
}

/// Trajectory optimisation, a car steered by controls: a closure mutating the state, rev, take, chain
#[differentiable(wrt(controls))]
fn parking_cost(controls: &[f64], wheelbase: f64) -> f64 {
    let mut path: Vec<[f64; 3]> = vec![[0.0, 0.0, 0.0]];
    let mut drive = |speed: f64, steer: f64| {
        let [x, y, heading] = path[path.len() - 1];
        path.push([
            x + 0.2 * speed * heading.cos(),
            y + 0.2 * speed * heading.sin(),
            heading + 0.2 * speed * steer.tan() / wheelbase,
        ]);
    };
    for c in controls.chunks(2) {
        drive(c[0], c[1]);
    }
    let late: f64 = path.iter().rev().take(2).map(|s| s[1].powi(2) + s[2].powi(2)).sum();
    let effort: f64 =
        controls.iter().step_by(2).chain(controls.iter().skip(1).step_by(2)).map(|c| 0.01 * c * c).sum();
    let [x, ..] = path[path.len() - 1];
    late + effort + (x - 1.0).powi(2)
}

fn parking_cost_ref(u: &[D]) -> D {
    let n = u.len() / 2;
    let mut x = D::from_re(0.0);
    let mut y = D::from_re(0.0);
    let mut a = D::from_re(0.0);
    let mut s = D::from_re(0.0);
    for k in 0..n {
        if k == n - 1 {
            s += y * y + a * a;
        }
        x += u[2 * k] * a.cos() * 0.2;
        y += u[2 * k] * a.sin() * 0.2;
        a += u[2 * k] * u[2 * k + 1].tan() * (0.2 / 1.2);
        s += (u[2 * k] * u[2 * k] + u[2 * k + 1] * u[2 * k + 1]) * 0.01;
    }
    s + y * y + a * a + (x - 1.0) * (x - 1.0)
}
#[test]
fn parking_cost_is_exact() {
    check(
        "parking_cost",
        &[1.0, 0.3, 1.2, -0.2, 0.8, 0.4, 1.1, -0.5],
        |p| parking_cost(p, 1.2),
        |p, g| parking_cost_grad(p, 1.2, g),
        |p, v, hv| parking_cost_hvp(p, 1.2, v, hv),
        |p| parking_cost_ref(p),
    );
}

/// Simpson quadrature of a closure over the parameters
#[differentiable]
fn debye_integral(t: f64, power: f64) -> f64 {
    let integrand = |x: f64| (x + 0.1).powf(power) / ((x / t).exp() + 1.0);
    let n = 10;
    let (a, b) = (0.0, 2.0);
    let h = (b - a) / n as f64;
    let odd: f64 = (1..n).step_by(2).map(|i| integrand(a + i as f64 * h)).sum();
    let even: f64 = (2..n).step_by(2).map(|i| integrand(a + i as f64 * h)).sum();
    h / 3.0 * (integrand(a) + 4.0 * odd + 2.0 * even + integrand(b))
}

fn debye_integral_ref(x: &[D]) -> D {
    let mut s = D::from_re(0.0);
    for i in 0..11 {
        let u = i as f64 * 0.2;
        let w = if i == 0 || i == 10 {
            1.0
        } else if i % 2 == 1 {
            4.0
        } else {
            2.0
        };
        s += (x[1] * (u + 0.1).ln()).exp() / ((x[0].recip() * u).exp() + 1.0) * (w * 0.2 / 3.0);
    }
    s
}
#[test]
fn debye_integral_is_exact() {
    check(
        "debye_integral",
        &[0.9, 2.5],
        |p| debye_integral(p[0], p[1]),
        |p, g| {
            let (value, (a, b)) = debye_integral_grad(p[0], p[1]);
            g.copy_from_slice(&[a, b]);
            value
        },
        |p, v, hv| {
            let (a, b) = debye_integral_hvp(p[0], p[1], v[0], v[1]);
            hv.copy_from_slice(&[a, b]);
        },
        |p| debye_integral_ref(p),
    );
}

/// Horner by rev + fold, over Clenshaw by a loop from the end; coefficients and argument both active
#[differentiable]
fn polynomial_ratio(x: f64, power: &[f64], cheb: &[f64]) -> f64 {
    let numerator = power.iter().rev().fold(0.0, |acc, &c| acc * x + c);
    let (mut b1, mut b2) = (0.0, 0.0);
    for &c in cheb.iter().skip(1).rev() {
        let b0 = c + 2.0 * x * b1 - b2;
        b2 = b1;
        b1 = b0;
    }
    numerator / (cheb[0] + x * b1 - b2)
}

fn polynomial_ratio_ref(p: &[D]) -> D {
    let x = p[0];
    let mut num = D::from_re(0.0);
    let mut den = D::from_re(0.0);
    let mut pw = D::from_re(1.0);
    let mut t0 = D::from_re(1.0);
    let mut t1 = x;
    for i in 0..4 {
        num += p[1 + i] * pw;
        pw = pw * x;
        den += p[5 + i] * t0;
        let t2 = x * t1 * 2.0 - t0;
        t0 = t1;
        t1 = t2;
    }
    num / den
}
#[test]
fn polynomial_ratio_is_exact() {
    check(
        "polynomial_ratio",
        &[0.7, 1.0, -0.5, 0.3, 0.8, 2.0, 0.4, -0.3, 0.1],
        |p| polynomial_ratio(p[0], &p[1..5], &p[5..]),
        |p, g| {
            let (head, rest) = g.split_at_mut(1);
            let (a, b) = rest.split_at_mut(4);
            let (value, dx) = polynomial_ratio_grad(p[0], &p[1..5], &p[5..], a, b);
            head[0] = dx;
            value
        },
        |p, v, hv| {
            let (head, rest) = hv.split_at_mut(1);
            let (a, b) = rest.split_at_mut(4);
            head[0] = polynomial_ratio_hvp(p[0], &p[1..5], &p[5..], v[0], &v[1..5], &v[5..], a, b);
        },
        |p| polynomial_ratio_ref(p),
    );
}

/// Catmull-Rom spline on uneven knots: the segment by take_while + count, let else
#[differentiable(wrt(t, values))]
fn spline_at(t: f64, knots: &[f64], values: &[f64]) -> f64 {
    let after = knots.iter().take_while(|&&k| k <= t).count();
    let Some(i) = after.checked_sub(1).filter(|&i| i + 1 < knots.len()) else {
        return values[values.len() - 1];
    };
    let slope = |k: usize| {
        let lo = k.saturating_sub(1);
        let hi = (k + 1).min(knots.len() - 1);
        (values[hi] - values[lo]) / (knots[hi] - knots[lo])
    };
    let h = knots[i + 1] - knots[i];
    let s = (t - knots[i]) / h;
    let (s2, s3) = (s * s, s * s * s);
    (2.0 * s3 - 3.0 * s2 + 1.0) * values[i]
        + (s3 - 2.0 * s2 + s) * h * slope(i)
        + (-2.0 * s3 + 3.0 * s2) * values[i + 1]
        + (s3 - s2) * h * slope(i + 1)
}

const KNOTS: [f64; 5] = [0.0, 0.7, 1.5, 2.6, 3.0];
fn spline_at_ref(p: &[D]) -> D {
    let (i, lo, hi) = (1usize, 0usize, 3usize);
    let h = KNOTS[i + 1] - KNOTS[i];
    let s = (p[0] - KNOTS[i]) / h;
    let m0 = (p[1 + i + 1] - p[1 + lo]) / (KNOTS[i + 1] - KNOTS[lo]);
    let m1 = (p[1 + hi] - p[1 + i]) / (KNOTS[hi] - KNOTS[i]);
    let r = -s + 1.0;
    (s * 2.0 + 1.0) * r * r * p[1 + i] + s * r * r * m0 * h + s * s * (-(s * 2.0) + 3.0) * p[2 + i]
        - s * s * r * m1 * h
}
#[test]
fn spline_at_is_exact() {
    check(
        "spline_at",
        &[1.1, 0.2, 0.9, 0.4, -0.5, 0.1],
        |p| spline_at(p[0], &KNOTS, &p[1..]),
        |p, g| {
            let (value, dt) = spline_at_grad(p[0], &KNOTS, &p[1..], &mut g[1..]);
            g[0] = dt;
            value
        },
        |p, v, hv| {
            let ht = spline_at_hvp(p[0], &KNOTS, &p[1..], v[0], &v[1..], &mut hv[1..]);
            hv[0] = ht;
        },
        |p| spline_at_ref(p),
    );
}

/// Thomas tridiagonal solve with reversed back substitution; the energy of the solution
#[differentiable]
fn tridiagonal_energy(diag: &[f64], off: &[f64], rhs: &[f64]) -> f64 {
    let n = diag.len();
    let mut c = vec![0.0; n];
    let mut d = rhs.to_vec();
    let mut pivot = diag[0];
    d[0] /= pivot;
    for i in 1..n {
        c[i - 1] = off[i - 1] / pivot;
        pivot = diag[i] - off[i - 1] * c[i - 1];
        d[i] = (d[i] - off[i - 1] * d[i - 1]) / pivot;
    }
    for i in (0..n - 1).rev() {
        d[i] -= c[i] * d[i + 1];
    }
    let x = d;
    0.5 * rhs.iter().zip(&x).map(|(b, xi)| b * xi).sum::<f64>()
}

fn tridiagonal_energy_ref(p: &[D]) -> D {
    // three unknowns by Cramer's rule
    let (a, b, c, e, f) = (p[0], p[1], p[2], p[3], p[4]);
    let (r, s, t) = (p[5], p[6], p[7]);
    let det = a * b * c - a * f * f - c * e * e;
    let x = (r * (b * c - f * f) - s * e * c + t * e * f) / det;
    let y = (-(r * e * c) + s * a * c - t * a * f) / det;
    let z = (r * e * f - s * a * f + t * (a * b - e * e)) / det;
    (r * x + s * y + t * z) * 0.5
}
#[test]
fn tridiagonal_energy_is_exact() {
    check(
        "tridiagonal_energy",
        &[2.1, 3.0, 2.4, -0.9, 0.7, 1.0, -0.4, 0.6],
        |p| tridiagonal_energy(&p[..3], &p[3..5], &p[5..]),
        |p, g| {
            let (a, rest) = g.split_at_mut(3);
            let (b, c) = rest.split_at_mut(2);
            tridiagonal_energy_grad(&p[..3], &p[3..5], &p[5..], a, b, c)
        },
        |p, v, hv| {
            let (a, rest) = hv.split_at_mut(3);
            let (b, c) = rest.split_at_mut(2);
            tridiagonal_energy_hvp(&p[..3], &p[3..5], &p[5..], &v[..3], &v[3..5], &v[5..], a, b, c);
        },
        |p| tridiagonal_energy_ref(p),
    );
}

/// Gauss elimination with partial pivoting: max_by partial_cmp, swap of rows, None if singular
#[differentiable]
fn solve_norm(a: &[Vec<f64>], b: &[f64]) -> Option<f64> {
    let n = b.len();
    let mut m: Vec<Vec<f64>> =
        a.iter().zip(b).map(|(row, &bi)| row.iter().copied().chain(std::iter::once(bi)).collect()).collect();
    for col in 0..n {
        let pivot = (col..n).max_by(|&i, &j| m[i][col].abs().partial_cmp(&m[j][col].abs()).unwrap())?;
        if m[pivot][col].abs() < 1e-12 {
            return None;
        }
        m.swap(col, pivot);
        for row in col + 1..n {
            let factor = m[row][col] / m[col][col];
            for k in col..=n {
                m[row][k] -= factor * m[col][k];
            }
        }
    }
    let mut x = vec![0.0; n];
    for i in (0..n).rev() {
        let known: f64 = (i + 1..n).map(|k| m[i][k] * x[k]).sum();
        x[i] = (m[i][n] - known) / m[i][i];
    }
    Some(x.iter().map(|v| v * v).sum::<f64>().sqrt())
}

fn solve_norm_ref(p: &[D]) -> D {
    let m = |i: usize, j: usize| p[3 * i + j];
    let det = |c: [[D; 3]; 3]| {
        c[0][0] * (c[1][1] * c[2][2] - c[1][2] * c[2][1]) - c[0][1] * (c[1][0] * c[2][2] - c[1][2] * c[2][0])
            + c[0][2] * (c[1][0] * c[2][1] - c[1][1] * c[2][0])
    };
    let full = [[m(0, 0), m(0, 1), m(0, 2)], [m(1, 0), m(1, 1), m(1, 2)], [m(2, 0), m(2, 1), m(2, 2)]];
    let mut s = D::from_re(0.0);
    for k in 0..3 {
        let mut c = full;
        for i in 0..3 {
            c[i][k] = p[9 + i];
        }
        let x = det(c) / det(full);
        s += x * x;
    }
    s.sqrt()
}
#[test]
fn solve_norm_is_exact() {
    let rows = |p: &[f64]| -> Vec<Vec<f64>> { p[..9].chunks(3).map(|r| r.to_vec()).collect() };
    check(
        "solve_norm",
        &[0.2, 1.5, -0.7, 2.0, 0.3, 0.9, -1.1, 0.8, 1.6, 1.0, -0.5, 0.7],
        |p| solve_norm(&rows(p), &p[9..]).unwrap(),
        |p, g| {
            let mut d = rows(&[0.0; 12]);
            let value = solve_norm_grad(&rows(p), &p[9..], &mut d, &mut g[9..]).unwrap();
            g[..9].copy_from_slice(&d.concat());
            value
        },
        |p, v, hv| {
            let mut d = rows(&[0.0; 12]);
            solve_norm_hvp(&rows(p), &p[9..], &rows(v), &v[9..], &mut d, &mut hv[9..]).unwrap();
            hv[..9].copy_from_slice(&d.concat());
        },
        |p| solve_norm_ref(p),
    );
    let mut d = rows(&[0.0; 12]);
    assert!(solve_norm_grad(&rows(&[0.0; 12]), &[1.0; 3], &mut d, &mut [0.0; 3]).is_none());
}

/// Bilinear terrain height at a point: floor to an index, clamp, if let on `get`
#[differentiable(wrt(x, y, heights))]
fn terrain(x: f64, y: f64, heights: &[[f64; 3]]) -> f64 {
    let i = (y.floor() as usize).clamp(0, heights.len() - 2);
    let j = (x.floor() as usize).min(1);
    let (fx, fy) = (x - j as f64, y - i as f64);
    let lerp = |a: f64, b: f64, t: f64| a + t * (b - a);
    let low = lerp(heights[i][j], heights[i][j + 1], fx);
    if let Some(row) = heights.get(i + 1) { lerp(low, lerp(row[j], row[j + 1], fx), fy).powi(2) } else { low }
}

fn terrain_ref(p: &[D]) -> D {
    let a = p[0] - 1.0;
    let b = p[1];
    let na = -a + 1.0;
    let nb = -b + 1.0;
    let h = na * nb * p[2 + 1] + a * nb * p[2 + 2] + na * b * p[2 + 4] + a * b * p[2 + 5];
    h * h
}
#[test]
fn terrain_is_exact() {
    check(
        "terrain",
        &[1.3, 0.6, 0.1, 0.5, 0.9, 1.2, 0.7, 0.3, -0.2, 0.4, 0.8],
        |p| terrain(p[0], p[1], &triples(&p[2..])),
        |p, g| {
            let mut d = triples(&[0.0; 9]);
            let (value, (a, b)) = terrain_grad(p[0], p[1], &triples(&p[2..]), &mut d);
            g[0] = a;
            g[1] = b;
            g[2..].copy_from_slice(&d.concat());
            value
        },
        |p, v, hv| {
            let mut d = triples(&[0.0; 9]);
            let (a, b) = terrain_hvp(p[0], p[1], &triples(&p[2..]), v[0], v[1], &triples(&v[2..]), &mut d);
            hv[0] = a;
            hv[1] = b;
            hv[2..].copy_from_slice(&d.concat());
        },
        |p| terrain_ref(p),
    );
}

/// Energy in a band of the plain DFT: sin_cos, tuples in a fold, cloned, take_while
#[differentiable(wrt(signal))]
fn band_energy(signal: &[f64], cutoff: f64) -> f64 {
    let n = signal.len() as f64;
    (0..signal.len())
        .map(|k| 2.0 * std::f64::consts::PI * k as f64 / n)
        .take_while(|&omega| omega < cutoff)
        .map(|omega| {
            let (re, im) = signal.iter().cloned().enumerate().fold((0.0, 0.0), |(re, im), (t, s)| {
                let (sin, cos) = (omega * t as f64).sin_cos();
                (re + s * cos, im - s * sin)
            });
            (1.0 + re * re + im * im).ln()
        })
        .sum()
}

fn band_energy_ref(x: &[D]) -> D {
    let mut e = D::from_re(0.0);
    for k in 0..3 {
        let mut a = D::from_re(0.0);
        let mut b = D::from_re(0.0);
        for t in 0..6 {
            let w = std::f64::consts::PI / 3.0 * (k * t) as f64;
            a += x[t] * w.cos();
            b += x[t] * w.sin();
        }
        e += (a * a + b * b + 1.0).ln();
    }
    e
}
#[test]
fn band_energy_is_exact() {
    check(
        "band_energy",
        &[0.3, 1.1, -0.4, 0.6, 0.2, -0.9],
        |p| band_energy(p, 2.5),
        |p, g| band_energy_grad(p, 2.5, g),
        |p, v, hv| band_energy_hvp(p, 2.5, v, hv),
        |p| band_energy_ref(p),
    );
}

/// Minimal surface over a const-generic grid, the rim fixed: extend, nested rows, two nested loops
#[differentiable]
fn soap_film<const W: usize>(interior: &[f64]) -> f64 {
    let rim = |i: usize| 0.3 * (i as f64).sin();
    let mut grid: Vec<Vec<f64>> = Vec::with_capacity(W + 2);
    grid.push((0..W + 2).map(rim).collect());
    for row in interior.chunks(W) {
        let mut line = Vec::with_capacity(W + 2);
        line.push(0.1);
        line.extend(row.iter());
        line.push(-0.2);
        grid.push(line);
    }
    grid.push(vec![0.0; W + 2]);
    let mut area = 0.0;
    for rows in grid.windows(2) {
        for j in 0..W + 1 {
            let (du, dv) = (rows[0][j + 1] - rows[0][j], rows[1][j] - rows[0][j]);
            area += (1.0 + du * du + dv * dv).sqrt();
        }
    }
    area
}

fn soap_film_ref(x: &[D]) -> D {
    let h = x.len() / 3 + 2;
    let mut z = vec![D::from_re(0.0); h * 5];
    for i in 0..5 {
        z[i] = D::from_re(0.3 * (i as f64).sin());
    }
    for i in 1..h - 1 {
        z[i * 5] = D::from_re(0.1);
        z[i * 5 + 4] = D::from_re(-0.2);
        for j in 0..3 {
            z[i * 5 + 1 + j] = x[(i - 1) * 3 + j];
        }
    }
    let mut s = D::from_re(0.0);
    for i in 0..h - 1 {
        for j in 0..4 {
            let a = z[i * 5 + j + 1] - z[i * 5 + j];
            let b = z[i * 5 + 5 + j] - z[i * 5 + j];
            s += (a * a + b * b + 1.0).sqrt();
        }
    }
    s
}
#[test]
fn soap_film_is_exact() {
    check(
        "soap_film",
        &[0.2, 0.4, -0.1, 0.3, 0.0, 0.5, -0.3, 0.1, 0.2],
        |p| soap_film::<3>(p),
        |p, g| soap_film_grad::<3>(p, g),
        |p, v, hv| soap_film_hvp::<3>(p, v, hv),
        |p| soap_film_ref(p),
    );
}

/// Reverse-Polish evaluation of a formula in the variables: a stack with push and pop, match on ops
#[differentiable(wrt(vars))]
fn evaluate(program: &[Op], vars: &[f64]) -> Result<f64, &'static str> {
    let mut stack = Vec::new();
    for op in program {
        match op {
            Op::Push(c) => stack.push(*c),
            Op::Var(i) if *i < vars.len() => stack.push(vars[*i]),
            Op::Var(_) => return Err("no such variable"),
            Op::Sin => {
                let a: f64 = stack.pop().ok_or("empty stack")?;
                stack.push(a.sin());
            }
            Op::Add | Op::Mul => {
                let (b, a) = (stack.pop().ok_or("empty stack")?, stack.pop().ok_or("empty stack")?);
                stack.push(if matches!(op, Op::Add) { a + b } else { a * b });
            }
        }
    }
    stack.pop().ok_or("no result")
}

enum Op {
    Push(f64),
    Var(usize),
    Add,
    Mul,
    Sin,
}

fn evaluate_ref(x: &[D]) -> D {
    (x[0] * x[1] + 0.5).sin() * x[2] + x[0]
}
#[test]
fn evaluate_is_exact() {
    use Op::*;
    let program = [Var(0), Var(1), Mul, Push(0.5), Add, Sin, Var(2), Mul, Var(0), Add];
    check(
        "evaluate",
        &[0.8, -1.1, 1.7],
        |p| evaluate(&program, p).unwrap(),
        |p, g| evaluate_grad(&program, p, g).unwrap(),
        |p, v, hv| {
            evaluate_hvp(&program, p, v, hv).unwrap();
        },
        |p| evaluate_ref(p),
    );
    assert_eq!(evaluate_grad(&[Var(7)], &[1.0], &mut [0.0]).err(), Some("no such variable"));
    assert_eq!(evaluate_grad(&[Push(1.0), Add], &[1.0], &mut [0.0]).err(), Some("empty stack"));
}

/// Two diffusive smoothing passes in place over rows: chunks_mut, iter_mut, swap, split_at_mut
#[differentiable]
fn smoothed_roughness(field: &[f64], rate: f64) -> f64 {
    let mut f = field.to_vec();
    for _ in 0..2 {
        for row in f.chunks_mut(3) {
            let mean = row.iter().sum::<f64>() / row.len() as f64;
            row.iter_mut().for_each(|v| *v += rate * (mean - *v));
            row.swap(0, 2);
        }
    }
    let (top, bottom) = f.split_at_mut(3);
    for (t, b) in top.iter_mut().zip(bottom.iter()) {
        *t *= 1.0 + b * b;
    }
    f.iter().zip(f.iter().skip(1)).map(|(a, b)| (b - a).powi(2)).sum()
}

fn smoothed_roughness_ref(x: &[D]) -> D {
    let mut f = [x[0], x[1], x[2], x[3], x[4], x[5]];
    for _ in 0..2 {
        for r in 0..2 {
            let m = (f[3 * r] + f[3 * r + 1] + f[3 * r + 2]) / 3.0;
            let mut new = [m; 3];
            for k in 0..3 {
                new[2 - k] = f[3 * r + k] + x[6] * (m - f[3 * r + k]);
            }
            for k in 0..3 {
                f[3 * r + k] = new[k];
            }
        }
    }
    for k in 0..3 {
        f[k] = f[k] * (f[3 + k] * f[3 + k] + 1.0);
    }
    let mut s = D::from_re(0.0);
    for k in 1..6 {
        s += (f[k] - f[k - 1]) * (f[k] - f[k - 1]);
    }
    s
}
#[test]
fn smoothed_roughness_is_exact() {
    check(
        "smoothed_roughness",
        &[0.4, 1.1, -0.6, 0.9, 0.2, -1.3, 0.35],
        |p| smoothed_roughness(&p[..6], p[6]),
        |p, g| {
            let (value, dr) = smoothed_roughness_grad(&p[..6], p[6], &mut g[..6]);
            g[6] = dr;
            value
        },
        |p, v, hv| {
            let hr = smoothed_roughness_hvp(&p[..6], p[6], &v[..6], v[6], &mut hv[..6]);
            hv[6] = hr;
        },
        |p| smoothed_roughness_ref(p),
    );
}

/// RC low-pass filter error in f32: an in-place filter, cloned, peak by max_by
#[differentiable(wrt(alpha, gain))]
fn filter_error_f32(alpha: f32, gain: f32, input: &[f32], wanted: &[f32]) -> f32 {
    let mut y = 0.0f32;
    let output: Vec<f32> = input
        .iter()
        .cloned()
        .map(|u| {
            y += alpha * (gain * u - y);
            y
        })
        .collect();
    let peak = output.iter().copied().max_by(|a, b| a.partial_cmp(b).unwrap()).unwrap_or(0.0);
    let sse: f32 = output.iter().zip(wanted).map(|(o, w)| (o - w) * (o - w)).sum();
    sse + 0.1 * peak * peak
}

fn filter_error_f32_ref(x: &[D]) -> D {
    let input = [1.0, 0.5, -0.25, 0.75];
    let want = [0.25, 0.5, 0.25, 0.5];
    let mut y = D::from_re(0.0);
    let mut peak = D::from_re(-1e9);
    let mut s = D::from_re(0.0);
    for i in 0..4 {
        y = y + x[0] * (x[1] * input[i] - y);
        if y.re > peak.re {
            peak = y;
        }
        s += (y - want[i]) * (y - want[i]);
    }
    s + peak * peak * 0.1
}
#[test]
fn filter_error_f32_is_close() {
    let (input, want) = ([1.0f32, 0.5, -0.25, 0.75], [0.25f32, 0.5, 0.25, 0.5]);
    let plain = filter_error_f32(0.4, 1.2, &input, &want);
    let reference = |a: D, b: D| filter_error_f32_ref(&[a, b]);
    let (a, b) = (D::from_re(0.4), D::from_re(1.2));
    assert!((plain as f64 - reference(a, b).re).abs() < 1e-5);
    let (value, (da, db)) = filter_error_f32_grad(0.4, 1.2, &input, &want);
    assert!((value - plain).abs() < 1e-6);
    assert!((da as f64 - reference(a.derivative1(), b).eps1).abs() < 1e-4);
    assert!((db as f64 - reference(a, b.derivative1()).eps1).abs() < 1e-4);
    let (ha, hb) = filter_error_f32_hvp(0.4, 1.2, &input, &want, 1.0, 0.0);
    assert!((ha as f64 - reference(a.derivative1().derivative2(), b).eps1eps2).abs() < 1e-3);
    assert!((hb as f64 - reference(a.derivative1(), b.derivative2()).eps1eps2).abs() < 1e-3);
}

/// Thermal shelter of stacked layers by a while-let over a drained queue, and a heater schedule
#[differentiable(wrt(layers))]
fn wall_loss(layers: &[(f64, f64)], indoor: f64, outdoor: f64) -> f64 {
    let mut queue = layers.to_vec();
    let mut resistance = 0.13;
    let mut profile = vec![];
    while let Some((thickness, conductivity)) = queue.pop() {
        resistance += thickness / conductivity;
        profile.push(resistance);
    }
    let flux = (indoor - outdoor) / (resistance + 0.04);
    let warm: f64 = profile.iter().map(|r| (indoor - flux * r).max(0.0)).sum();
    let thick: f64 = layers.iter().map(|l| l.0).sum();
    flux + 0.01 * warm + 5.0 * thick * thick
}

fn wall_loss_ref(x: &[D]) -> D {
    let mut r = D::from_re(0.13);
    let mut rs = vec![];
    let mut th = D::from_re(0.0);
    for k in 0..3 {
        let i = 2 - k;
        r += x[2 * i] / x[2 * i + 1];
        rs.push(r);
        th += x[2 * i];
    }
    let q = (r + 0.04).recip() * 25.0;
    let mut s = q + th * th * 5.0;
    for k in 0..3 {
        let t = -(q * rs[k]) + 20.0;
        if t.re > 0.0 {
            s += t * 0.01;
        }
    }
    s
}
#[test]
fn wall_loss_is_exact() {
    let l = |p: &[f64]| -> Vec<(f64, f64)> { p.chunks(2).map(|c| (c[0], c[1])).collect() };
    let put = |d: &[(f64, f64)], out: &mut [f64]| {
        for i in 0..3 {
            out[2 * i] = d[i].0;
            out[2 * i + 1] = d[i].1;
        }
    };
    check(
        "wall_loss",
        &[0.12, 0.7, 0.15, 0.3, 0.02, 0.5],
        |p| wall_loss(&l(p), 20.0, -5.0),
        |p, g| {
            let mut d = l(&[0.0; 6]);
            let value = wall_loss_grad(&l(p), 20.0, -5.0, &mut d);
            put(&d, g);
            value
        },
        |p, v, hv| {
            let mut d = l(&[0.0; 6]);
            wall_loss_hvp(&l(p), 20.0, -5.0, &l(v), &mut d);
            put(&d, hv);
        },
        |p| wall_loss_ref(p),
    );
}

/// Clearance of a swept path from obstacles: unzip, take, count, min_by, fold(f64::MIN, f64::max)
#[differentiable(wrt(path))]
fn clearance(path: &[f64], obstacles: &[(f64, f64, f64)]) -> f64 {
    let (even, odd): (Vec<(usize, f64)>, Vec<(usize, f64)>) =
        path.iter().copied().enumerate().partition(|&(i, _)| i % 2 == 0);
    let points = even.iter().zip(&odd).map(|(&(_, x), &(_, y))| (x, y)).collect::<Vec<_>>();
    let (xs, ys): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
    let gaps = points
        .iter()
        .take(points.len() - 1)
        .map(|&(x, y)| {
            obstacles
                .iter()
                .map(|&(ox, oy, radius)| (x - ox).hypot(y - oy) - radius)
                .min_by(|a, b| a.partial_cmp(b).unwrap())
                .unwrap()
        })
        .collect::<Vec<_>>();
    let tight = gaps.iter().filter(|&&g| g < 0.5).count() as f64;
    let highest = ys.iter().copied().fold(f64::MIN, f64::max);
    let leftmost = xs.iter().cloned().fold(f64::INFINITY, f64::min);
    gaps.iter().map(|g| (-2.0 * g).exp()).sum::<f64>() * (1.0 + tight) + highest.powi(2) - leftmost.cos()
}

const ROCKS: [(f64, f64, f64); 3] = [(0.5, 0.9, 0.3), (1.4, -0.4, 0.2), (2.2, 1.0, 0.4)];
fn clearance_ref(x: &[D]) -> D {
    let mut s = D::from_re(0.0);
    let mut tight = 1.0;
    for i in 0..3 {
        let mut best = D::from_re(1e9);
        for k in 0..3 {
            let u = x[2 * i] - ROCKS[k].0;
            let w = x[2 * i + 1] - ROCKS[k].1;
            let g = (u * u + w * w).sqrt() - ROCKS[k].2;
            if g.re < best.re {
                best = g;
            }
        }
        if best.re < 0.5 {
            tight += 1.0;
        }
        s += (best * -2.0).exp();
    }
    let (mut hi, mut lo) = (x[1], x[0]);
    for i in 1..4 {
        if x[2 * i + 1].re > hi.re {
            hi = x[2 * i + 1];
        }
        if x[2 * i].re < lo.re {
            lo = x[2 * i];
        }
    }
    s * tight + hi * hi - lo.cos()
}
#[test]
fn clearance_is_exact() {
    check(
        "clearance",
        &[0.1, 0.2, 0.9, 0.4, 1.6, 0.3, 2.4, 0.1],
        |p| clearance(p, &ROCKS),
        |p, g| clearance_grad(p, &ROCKS, g),
        |p, v, hv| clearance_hvp(p, &ROCKS, v, hv),
        |p| clearance_ref(p),
    );
}

/// Multi-level smoothing of a signal: fill and chunks_mut on a buffer, extend, extend_from_slice, truncate
#[differentiable]
fn pyramid_detail(signal: &[f64]) -> f64 {
    let mut level = signal.to_vec();
    let mut details = Vec::new();
    let mut expanded = vec![0.0; signal.len()];
    while level.len() > 1 {
        let coarse: Vec<f64> = level.chunks(2).map(|c| 0.5 * (c[0] + c[1])).collect();
        expanded.truncate(level.len());
        expanded.fill(0.0);
        for (pair, c) in expanded.chunks_mut(2).zip(coarse.iter()) {
            pair.fill(*c);
        }
        details.extend(level.iter().zip(expanded.iter()).map(|(a, b)| (a - b).sinh()));
        level = coarse;
    }
    details.extend_from_slice(&level);
    details
        .iter()
        .zip(details.iter().skip(1).chain(details.iter().take(1)))
        .map(|(a, b)| a * a * (1.0 + b))
        .sum()
}

fn pyramid_detail_ref(x: &[D]) -> D {
    let mut level = x.to_vec();
    let mut d = vec![];
    while level.len() > 1 {
        let mut next = vec![];
        for i in 0..level.len() / 2 {
            let h = (level[2 * i] - level[2 * i + 1]) * 0.5;
            d.push(h.sinh());
            d.push((-h).sinh());
            next.push((level[2 * i] + level[2 * i + 1]) * 0.5);
        }
        level = next;
    }
    d.push(level[0]);
    let n = d.len();
    let mut s = D::from_re(0.0);
    for i in 0..n {
        s += d[i] * d[i] * (d[(i + 1) % n] + 1.0);
    }
    s
}
#[test]
fn pyramid_detail_is_exact() {
    check(
        "pyramid_detail",
        &[0.3, 1.2, -0.5, 0.8, 0.1, 0.9, -0.7, 0.4],
        |p| pyramid_detail(p),
        |p, g| pyramid_detail_grad(p, g),
        |p, v, hv| pyramid_detail_hvp(p, v, hv),
        |p| pyramid_detail_ref(p),
    );
}
