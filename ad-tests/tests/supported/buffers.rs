//! Slices, arrays and vectors.

use ad_runtime::differentiable;

use super::{Generated, check};

#[test]
fn slices() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let mut s = 0.0;
        for i in 0..x.len() - 1 {
            let t = x[i + 1] - x[i] * x[i];
            s += 100.0 * t * t + (1.0 - x[i]) * (1.0 - x[i]);
        }
        s
    }
    check_slice!(vec![0.7, 1.3, -0.4, 0.2]);
}

#[test]
fn arrays_behind_references() {
    #[differentiable]
    fn f(x: &[f64; 3]) -> f64 {
        x[0] * x[1] * x[2] + x[1].sin() * x[0]
    }
    let at = |p: &[f64]| [p[0], p[1], p[2]];
    check(
        &[0.7, 1.3, -0.4],
        &Generated {
            value: &|p| f(&at(p)),
            grad: &|p| {
                let mut g = [0.0; 3];
                (f_grad(&at(p), &mut g), g.to_vec())
            },
            jvp: &|p, v| f_jvp(&at(p), &at(v)),
            hvp: &|p, v| {
                let mut hv = [0.0; 3];
                f_hvp(&at(p), &at(v), &mut hv);
                hv.to_vec()
            },
            hvp_block: &|p, v| {
                let mut hv = [[0.0; 3]; 3];
                f_hvp_block(&at(p), &[v[0], v[1], v[2]], &mut hv);
                hv.to_vec()
            },
            hvp_rev: &|p, v| {
                let mut hv = [0.0; 3];
                f_hvp_rev(&at(p), &at(v), &mut hv);
                hv.to_vec()
            },
            grad_hvp: &|p, v| {
                let (mut g, mut hv) = ([0.0; 3], [0.0; 3]);
                (f_grad_hvp(&at(p), &at(v), &mut g, &mut hv), g.to_vec(), hv.to_vec())
            },
            curvature: &|p, v| f_curvature(&at(p), &at(v)),
        },
    );
}

#[test]
fn arrays_by_value() {
    #[differentiable]
    fn f(x: [f64; 2]) -> f64 {
        let mut x = x;
        x[0] *= x[1];
        x[0] * x[0] + x[1].exp()
    }
    let at = |p: &[f64]| [p[0], p[1]];
    check(
        &[0.7, 1.3],
        &Generated {
            value: &|p| f(at(p)),
            grad: &|p| {
                let (value, g) = f_grad(at(p));
                (value, g.to_vec())
            },
            jvp: &|p, v| f_jvp(at(p), at(v)),
            hvp: &|p, v| f_hvp(at(p), at(v)).to_vec(),
            hvp_block: &|p, v| f_hvp_block(at(p), [v[0], v[1]]).to_vec(),
            hvp_rev: &|p, v| f_hvp_rev(at(p), at(v)).to_vec(),
            grad_hvp: &|p, v| {
                let (value, g, hv) = f_grad_hvp(at(p), at(v));
                (value, g.to_vec(), hv.to_vec())
            },
            curvature: &|p, v| f_curvature(at(p), at(v)),
        },
    );
}

#[test]
fn vectors_behind_references() {
    #[differentiable]
    fn f(x: &Vec<f64>) -> f64 {
        let mut s = 0.0;
        for i in 0..x.len() {
            s += x[i] * x[i] * x[0];
        }
        s
    }
    let (x, v) = (vec![0.5, 2.0], vec![1.0, 0.0]);
    let (mut g, mut hv) = (vec![0.0; 2], vec![0.0; 2]);
    let value = f_grad_hvp(&x, &v, &mut g, &mut hv);
    assert_eq!((value, g, hv), (2.125, vec![4.75, 2.0], vec![3.0, 4.0]));
}

#[test]
fn local_arrays() {
    #[differentiable]
    fn f(x: f64, y: f64) -> f64 {
        let mut a = [0.0; 4];
        a[0] = x * y;
        a[1] = x;
        a[2] += a[0] * a[1];
        a[3] = a[2];
        let b = [a[0], y, a[3]];
        let mut s = 0.0;
        for i in 0..4 {
            s += a[i] * a[i] * b[i % 3];
        }
        s
    }
    check_xy!(0.7, 1.3);
}

#[test]
fn local_vectors() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let n = x.len();
        let mut squares = vec![0.0; n];
        let mut sums = vec![0.0; n + 1];
        for i in 0..n {
            squares[i] = x[i] * x[i];
            sums[i + 1] = sums[i] + squares[i].sin();
        }
        let mut s = 0.0;
        for i in 0..n {
            s += sums[i + 1] * squares[n - 1 - i];
        }
        s
    }
    check_slice!(vec![0.7, 1.3, -0.4, 0.2]);
}

#[test]
fn overwriting_in_loops() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let n = x.len();
        let mut h = vec![0.1; n];
        for t in 0..5 {
            for i in 0..n {
                h[i] = (h[i] * x[i] + h[(i + 1) % n] * 0.3 + t as f64 * 0.1).tanh();
            }
            h[0] = h[0] * h[n - 1];
        }
        let mut s = 0.0;
        for i in 0..n {
            s += h[i] * h[i];
        }
        s
    }
    check_slice!(vec![0.7, 1.3, -0.4]);
}

#[test]
fn computed_indices() {
    #[differentiable]
    fn f(x: &[f64], columns: &[usize], starts: &[usize]) -> f64 {
        let mut s = 0.0;
        for row in 0..starts.len() - 1 {
            let mut t = 0.0;
            for k in starts[row]..starts[row + 1] {
                t += x[columns[k]] * x[k % x.len()];
            }
            s += t * t;
        }
        let mut o = 0;
        for r in 0..x.len() {
            for _ in 0..r {
                s += x[o % x.len()] * x[r];
                o += 1;
            }
        }
        s
    }
    check_slice!(vec![0.7, 1.3, -0.4], &[0, 2, 1, 1, 2], &[0, 2, 5]);
}

#[test]
fn nested_arrays() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let mut a = [[0.0; 3]; 2];
        for i in 0..2 {
            for j in 0..3 {
                a[i][j] = x[i] * x[j] + i as f64;
            }
        }
        a[1][0] *= a[0][2];
        let mut s = 1.0;
        for i in 0..2 {
            for j in 0..3 {
                s = s * 0.5 + a[i][j] * a[i][j];
            }
        }
        s
    }
    check_slice!(vec![0.7, 1.3, -0.4]);
}

#[test]
fn sub_slices() {
    #[differentiable]
    fn f(p: &[f64], n: usize) -> f64 {
        let w = &p[..n];
        let b = &p[n..n + 2];
        let rest = &p[n + 2..];
        let tail = &rest[1..];
        let mut s = 0.0;
        for i in 0..w.len() {
            s += w[i] * b[i % 2] * tail[0];
        }
        s * rest[0] + tail.len() as f64 * b[1] * b[1]
    }
    check_slice!(vec![0.7, 1.3, -0.4, 0.2, 0.9, 1.1, 0.6], 3);
}

#[test]
fn mutable_sub_slices() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let n = x.len();
        let mut work = vec![0.0; 2 * n];
        {
            let head = &mut work[..n];
            for i in 0..n {
                head[i] = x[i] * x[i];
            }
        }
        let tail = &mut work[n..];
        for i in 0..n {
            tail[i] = x[i].sin();
            tail[i] *= x[0];
        }
        let mut s = 0.0;
        for i in 0..2 * n {
            s += work[i] * work[(i + 1) % (2 * n)];
        }
        s
    }
    check_slice!(vec![0.7, 1.3, -0.4]);
}

#[test]
fn arrays_from_calls() {
    fn zeros(n: usize) -> Vec<f64> {
        vec![0.0; n]
    }
    const START: [f64; 2] = [1.0, 2.0];
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let mut z = zeros(x.len());
        for i in 0..x.len() {
            z[i] += x[i] * x[0];
        }
        let mut w = START;
        w[0] *= z[1];
        w[0] * w[0] + w[1] * z[0]
    }
    check_slice!(vec![0.7, 1.3]);
}

#[test]
fn array_from_fn() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let a: [f64; 3] = std::array::from_fn(|k| x[0].powi(k as i32 + 1) * x[1]);
        a[0] * a[1] + a[2]
    }
    check_slice!(vec![0.7, 1.3]);
}

#[test]
fn taking() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let mut level = x.to_vec();
        while level.len() > 1 {
            let old = std::mem::take(&mut level);
            for pair in old.windows(2) {
                level.push(pair[0] * pair[1].sin());
            }
        }
        level[0]
    }
    check_slice!(vec![0.7, 1.3, 0.4]);
}

#[test]
fn sorting() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let mut v: Vec<f64> = x.iter().map(|x| x * x).collect();
        v.sort_by(|a, b| a.total_cmp(b));
        let mut order: Vec<usize> = (0..x.len()).collect();
        order.sort_by(|&i, &j| x[j].partial_cmp(&x[i]).unwrap());
        v[0] * v[1] + x[order[0]].exp() * v[2]
    }
    check_slice!(vec![0.7, -1.3, 0.4]);
}

#[test]
fn ranges_in_variables() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let head = 0..2;
        x[head.clone()].iter().product::<f64>() * x[head][1]
    }
    check_slice!(vec![0.7, -1.3, 0.4]);
}

#[test]
fn nested_slices_of_vectors() {
    #[differentiable]
    fn f(w: &[Vec<Vec<f64>>]) -> f64 {
        w.iter().flatten().map(|row| row.iter().product::<f64>().powi(2)).sum()
    }
    let w = [vec![vec![2.0, 3.0], vec![5.0]]];
    let like = || [vec![vec![0.0; 2], vec![0.0]]];
    let (mut g, mut hv, mut v) = (like(), like(), like());
    v[0][0][0] = 1.0;
    assert_eq!(f_grad(&w, &mut g), 61.0);
    f_hvp(&w, &v, &mut hv);
    assert_eq!(g, [vec![vec![36.0, 24.0], vec![10.0]]]);
    assert_eq!(hv, [vec![vec![18.0, 24.0], vec![0.0]]]);
}
