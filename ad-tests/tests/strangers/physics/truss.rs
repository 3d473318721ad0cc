//! Compliance plus weight of a plane truss as a function of the member areas (direct stiffness method).
use ad_runtime::differentiable;

struct Truss {
    nodes: Vec<[f64; 2]>,
    members: Vec<(usize, usize)>,
    /// equation number of every degree of freedom, `None` where supported
    equations: Vec<[Option<usize>; 2]>,
    load: Vec<f64>,
    modulus: f64,
    density: f64,
}

#[differentiable]
fn cholesky_solve(mut a: Vec<Vec<f64>>, b: &[f64]) -> Option<Vec<f64>> {
    let n = b.len();
    for j in 0..n {
        for k in 0..j {
            for i in j..n {
                let t = a[i][k] * a[j][k];
                a[i][j] -= t;
            }
        }
        let pivot = a[j][j];
        if pivot <= 1e-12 {
            return None;
        }
        let root = pivot.sqrt();
        for row in a.iter_mut().skip(j) {
            row[j] /= root;
        }
    }
    let mut x = b.to_vec();
    for i in 0..n {
        let s: f64 = (0..i).map(|k| a[i][k] * x[k]).sum();
        x[i] = (x[i] - s) / a[i][i];
    }
    for i in (0..n).rev() {
        let s: f64 = (i + 1..n).map(|k| a[k][i] * x[k]).sum();
        x[i] = (x[i] - s) / a[i][i];
    }
    Some(x)
}

#[differentiable(wrt(areas))]
fn compliance(areas: &[f64], truss: &Truss) -> Option<f64> {
    let n = truss.load.len();
    let mut stiffness = vec![vec![0.0; n]; n];
    let mut weight = 0.0;
    for (&(i, j), &area) in truss.members.iter().zip(areas) {
        let ([xi, yi], [xj, yj]) = (truss.nodes[i], truss.nodes[j]);
        let (dx, dy) = (xj - xi, yj - yi);
        let length = dx.hypot(dy);
        let direction = [-dx / length, -dy / length, dx / length, dy / length];
        let axial = truss.modulus * area / length;
        weight += truss.density * area * length;
        let eqs =
            [truss.equations[i][0], truss.equations[i][1], truss.equations[j][0], truss.equations[j][1]];
        for (p, row) in eqs.iter().enumerate() {
            let Some(row) = *row else { continue };
            for (q, col) in eqs.iter().enumerate() {
                if let Some(col) = *col {
                    stiffness[row][col] += axial * direction[p] * direction[q];
                }
            }
        }
    }
    let displacement = cholesky_solve(stiffness, &truss.load)?;
    let work: f64 = displacement.iter().zip(&truss.load).map(|(u, f)| u * f).sum();
    Some(work + weight)
}

#[test]
fn exact() {
    let truss = Truss {
        nodes: vec![[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.1, 1.0]],
        members: vec![(0, 2), (1, 3), (2, 3), (1, 2), (0, 3)],
        equations: vec![[None, None], [None, None], [Some(0), Some(1)], [Some(2), Some(3)]],
        load: vec![0.2, -1.0, 0.5, 0.3],
        modulus: 10.0,
        density: 0.4,
    };
    super::harness::check(
        "truss",
        &[1.0, 0.8, 0.6, 1.2, 0.9],
        |x| compliance(x, &truss).unwrap(),
        |x| {
            let mut g = vec![f64::NAN; x.len()];
            let value = compliance_grad(x, &truss, &mut g).unwrap();
            (value, g)
        },
        |x, v| {
            let mut hv = vec![f64::NAN; x.len()];
            compliance_hvp(x, &truss, v, &mut hv).unwrap();
            hv
        },
    );
}
