//! Finite horizon cost of a linear state feedback, direct policy search over the gain matrix.
use ad_runtime::differentiable;

struct Plant<const N: usize, const M: usize> {
    a: [[f64; N]; N],
    b: [[f64; M]; N],
    q: [f64; N],
    r: [f64; M],
}

#[differentiable]
fn mat_vec<const R: usize, const C: usize>(m: &[[f64; C]; R], v: &[f64; C]) -> [f64; R] {
    std::array::from_fn(|i| m[i].iter().zip(v).map(|(a, b)| a * b).sum())
}

#[differentiable(wrt(gain))]
fn closed_loop_cost<const N: usize, const M: usize>(
    gain: [[f64; N]; M],
    plant: &Plant<N, M>,
    starts: &[[f64; N]],
    horizon: usize,
) -> f64 {
    let mut total = 0.0;
    for start in starts {
        let mut x = *start;
        for _ in 0..horizon {
            let u = mat_vec(&gain, &x).map(|ku| -ku);
            let stage = x.iter().zip(&plant.q).map(|(xi, qi)| qi * xi * xi).sum::<f64>()
                + u.iter().zip(&plant.r).map(|(ui, ri)| ri * ui * ui).sum::<f64>();
            total += 0.5 * stage;
            let (drift, push) = (mat_vec(&plant.a, &x), mat_vec(&plant.b, &u));
            x = std::array::from_fn(|i| drift[i] + push[i]);
        }
        total += x.iter().map(|xi| xi * xi).sum::<f64>();
    }
    total / starts.len() as f64
}

#[test]
fn exact() {
    let plant = Plant {
        a: [[1.0, 0.1, 0.0], [-0.05, 0.95, 0.1], [0.0, -0.1, 0.9]],
        b: [[0.0, 0.05], [0.1, 0.0], [0.02, 0.12]],
        q: [1.0, 0.3, 0.5],
        r: [0.2, 0.1],
    };
    let starts = [[0.5, -0.2, 0.3], [-0.4, 0.6, 0.1]];
    let k = |x: &[f64]| [[x[0], x[1], x[2]], [x[3], x[4], x[5]]];
    super::harness::check(
        "feedback_gain",
        &[0.8, 0.5, -0.2, 0.3, 0.1, 0.6],
        |x| closed_loop_cost(k(x), &plant, &starts, 10),
        |x| {
            let (value, g) = closed_loop_cost_grad(k(x), &plant, &starts, 10);
            (value, g.concat())
        },
        |x, v| closed_loop_cost_hvp(k(x), &plant, &starts, 10, k(v)).concat(),
    );
}
