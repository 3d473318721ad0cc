//! Molecular mechanics: bonds, angles, dihedrals and Coulomb terms of a topology.
use ad_runtime::differentiable;

#[derive(Clone, Debug)]
enum Term {
    Bond { atoms: [usize; 2], stiffness: f64, length: f64 },
    Morse { atoms: [usize; 2], depth: f64, width: f64, length: f64 },
    Angle { atoms: [usize; 3], stiffness: f64, degrees: f64 },
    Dihedral { atoms: [usize; 4], barriers: Vec<f64> },
    Coulomb(usize, usize, f64),
}

#[differentiable]
fn between(xyz: &[f64], from: usize, to: usize) -> [f64; 3] {
    let (a, b) = (&xyz[3 * from..3 * from + 3], &xyz[3 * to..3 * to + 3]);
    [b[0] - a[0], b[1] - a[1], b[2] - a[2]]
}
#[differentiable]
fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}
#[differentiable]
fn norm(a: [f64; 3]) -> f64 {
    dot(a, a).sqrt()
}
#[differentiable]
fn cross([ax, ay, az]: [f64; 3], [bx, by, bz]: [f64; 3]) -> [f64; 3] {
    [ay * bz - az * by, az * bx - ax * bz, ax * by - ay * bx]
}

#[differentiable]
fn potential_energy(xyz: &[f64], topology: &[Term]) -> f64 {
    topology.iter().fold(0.0, |energy, term| {
        energy
            + match term {
                Term::Bond { atoms: [i, j], stiffness, length } => {
                    0.5 * stiffness * (norm(between(xyz, *i, *j)) - length).powi(2)
                }
                &Term::Morse { atoms: [i, j], depth, width, length } => {
                    let stretch = norm(between(xyz, i, j)) - length;
                    depth * (1.0 - (-width * stretch).exp()).powi(2)
                }
                &Term::Angle { atoms: [i, j, k], stiffness, degrees } => {
                    let (u, v) = (between(xyz, j, i), between(xyz, j, k));
                    let theta = (dot(u, v) / (norm(u) * norm(v))).clamp(-1.0, 1.0).acos();
                    0.5 * stiffness * (theta - degrees.to_radians()).powi(2)
                }
                Term::Dihedral { atoms, barriers } => {
                    let [i, j, k, l] = *atoms;
                    let (b1, b2, b3) = (between(xyz, i, j), between(xyz, j, k), between(xyz, k, l));
                    let (n1, n2) = (cross(b1, b2), cross(b2, b3));
                    let phi = (norm(b2) * dot(b1, n2)).atan2(dot(n1, n2));
                    barriers
                        .iter()
                        .zip(1..)
                        .map(|(v, n)| {
                            0.5 * v
                                * (1.0
                                    + (n as f64 * phi - if n % 2 == 0 { std::f64::consts::PI } else { 0.0 })
                                        .cos())
                        })
                        .sum()
                }
                Term::Coulomb(i, j, charge2) => charge2 / norm(between(xyz, *i, *j)),
            }
    })
}

#[test]
fn exact() {
    let topology = vec![
        Term::Bond { atoms: [0, 1], stiffness: 3.0, length: 1.0 },
        Term::Bond { atoms: [1, 2], stiffness: 4.0, length: 1.3 },
        Term::Morse { atoms: [2, 3], depth: 0.8, width: 1.2, length: 1.1 },
        Term::Angle { atoms: [0, 1, 2], stiffness: 1.5, degrees: 109.5 },
        Term::Angle { atoms: [1, 2, 3], stiffness: 1.2, degrees: 112.0 },
        Term::Dihedral { atoms: [0, 1, 2, 3], barriers: vec![0.7, -0.3, 0.5] },
        Term::Coulomb(0, 3, 0.4),
    ];
    let x0 = [0.1, 0.9, 0.2, 0.0, 0.0, 0.0, 1.3, -0.1, 0.1, 1.8, 0.6, -0.7];
    super::harness::check(
        "force_field",
        &x0,
        |x| potential_energy(x, &topology),
        |x| {
            let mut g = vec![f64::NAN; x.len()];
            let value = potential_energy_grad(x, &topology, &mut g);
            (value, g)
        },
        |x, v| {
            let mut hv = vec![f64::NAN; x.len()];
            potential_energy_hvp(x, &topology, v, &mut hv);
            hv
        },
    );
}
