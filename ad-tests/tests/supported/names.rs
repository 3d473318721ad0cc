//! Names that mean something else in a block, in a helper, or in this file.

use ad_runtime::differentiable;

const K: f64 = 2.5;
static S: f64 = 2.0;
const N: usize = 2;

mod other {
    pub(super) const L: f64 = 5.0;
    pub(super) const SCALE: f64 = 0.5;
}

const L: f64 = 50.0;

#[test]
fn items_of_blocks() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        fn times(v: f64) -> f64 {
            v * K
        }
        let mut t = x[0] * x[0] * K;
        {
            const K: f64 = -1.5;
            static S: f64 = 5.0;
            t += x[1] * x[1] * K * S;
        }
        let a = {
            use other::L;
            x[0] * x[1] * L
        };
        // Two of one name in blocks beside each other.
        let b = {
            const M: f64 = 2.0;
            fn g(v: f64) -> f64 {
                v * v * M
            }
            g(x[2])
        };
        let c = {
            const M: f64 = 3.0;
            fn g(v: f64) -> f64 {
                v.sin() + M
            }
            g(x[0])
        };
        t * S + a * x[2] * L + b * c + times(x[1] * x[2])
    }
    check_slice!(vec![0.7, 1.3, -0.4]);
    let want = (0.49 * 2.5 + 1.69 * -1.5 * 5.0) * 2.0 + 0.91 * 5.0 * -0.4 * 50.0;
    let want = want + 0.16 * 2.0 * (0.7_f64.sin() + 3.0) + 1.3 * -0.4 * 2.5;
    crate::supported::close("value", &[f(&[0.7, 1.3, -0.4])], &[want], 1e-12);
}

struct Pair {
    a: f64,
    b: f64,
}

#[differentiable]
impl Pair {
    fn joined(&self) -> f64 {
        self.a * self.b
    }
}

#[test]
fn structs_of_blocks() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        let s = {
            struct Pair {
                a: f64,
                b: f64,
            }
            impl Pair {
                fn joined(&self) -> f64 {
                    self.a * self.a + self.b
                }
            }
            Pair { a: x[0], b: x[1] }.joined()
        };
        Pair { a: x[1], b: x[2] }.joined() * s
    }
    check_slice!(vec![0.7, 1.3, -0.4]);
    crate::supported::close("value", &[f(&[0.7, 1.3, -0.4])], &[1.3 * -0.4 * (0.49 + 1.3)], 1e-12);
}

fn pick(n: usize) -> usize {
    n + 1
}

#[differentiable(wrt(v))]
fn scaled_by_names(v: &[f64]) -> [f64; 2] {
    [v[pick(0)] * v[0] * K, v[N]]
}

#[differentiable(wrt(v))]
fn scaled_by_an_import(v: &[f64]) -> [f64; 2] {
    use other::SCALE;
    [v[0] * SCALE, v[1] * v[1]]
}

const SCALE: f64 = 3.0;

#[test]
fn names_of_helpers() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        const K: f64 = -2.0;
        const N: usize = 0;
        fn pick(n: usize) -> usize {
            n + 2
        }
        let a = scaled_by_names(x);
        let b = scaled_by_an_import(x);
        a[0] * x[pick(0)] * K + a[1] * x[N] + b[0] * b[1] * SCALE
    }
    check_slice!(vec![0.7, 1.3, -0.4]);
    let want = 1.3 * 0.7 * 2.5 * -0.4 * -2.0 - 0.4 * 0.7 + 0.7 * 0.5 * 1.69 * 3.0;
    crate::supported::close("value", &[f(&[0.7, 1.3, -0.4])], &[want], 1e-12);
}

#[differentiable]
fn constant(a: f64) -> f64 {
    a * a * 2.0
}

#[test]
fn an_own_function_constant() {
    #[differentiable]
    fn f(x: &[f64]) -> f64 {
        constant(x[2] * x[1]) * x[0]
    }
    check_slice!(vec![0.7, 1.3, -0.4]);
}
