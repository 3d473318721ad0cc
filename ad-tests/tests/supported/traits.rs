//! Traits under `#[differentiable]`: methods of values whose types are type parameters.
// Public, as traits are.
#![allow(unreachable_pub)]

use ad_runtime::{Differentiable, differentiable};

mod kernels {
    use ad_runtime::{Differentiable, differentiable};
    use num_traits::Float;

    #[differentiable]
    trait Kernel<T: Float> {
        fn eval<const D: usize>(&self, x: &[T; D], y: &[T; D]) -> T;
        fn scale(&self, t: T, by: f64) -> T;
    }

    #[derive(Differentiable)]
    struct Gaussian<T> {
        length: T,
    }

    #[derive(Differentiable)]
    struct Both<A, B>(A, B);

    #[differentiable]
    impl<T: Float> Gaussian<T> {
        fn squared(&self, r: T) -> T {
            r * r / (self.length * self.length)
        }
    }

    #[differentiable]
    impl<T: Float> Kernel<T> for Gaussian<T> {
        fn eval<const D: usize>(&self, x: &[T; D], y: &[T; D]) -> T {
            let mut sum = T::zero();
            for (&a, &b) in x.iter().zip(y) {
                sum = sum + self.squared(a - b);
            }
            (-sum).exp()
        }
        fn scale(&self, t: T, by: f64) -> T {
            t * t * T::from(by).unwrap() * self.length
        }
    }

    #[differentiable]
    impl<T: Float, A: Kernel<T>, B: Kernel<T>> Kernel<T> for Both<A, B> {
        fn eval<const D: usize>(&self, x: &[T; D], y: &[T; D]) -> T {
            self.0.eval(x, y) * self.1.eval(y, x) + self.scale(x[0], 2.0)
        }
        fn scale(&self, t: T, by: f64) -> T {
            self.0.scale(t, by) * self.1.scale(t, by)
        }
    }

    // The whole file has one `f`: a kernel between rows of a flat vector.
    #[differentiable(wrt(x))]
    fn f<K: Kernel<f64>>(x: &[f64], kernel: &K) -> f64 {
        let rows = [[x[0], x[1]], [x[2], x[0] * x[1]]];
        let mut sum = kernel.scale(x[2], 0.5);
        for a in &rows {
            for b in &rows {
                sum += kernel.eval(a, b) * a[0];
            }
        }
        sum + kernel.eval(&[x[0], x[1], x[2]], &[1.0, 0.5, x[0]])
    }

    #[differentiable(wrt(x))]
    fn of_rows<T, K, const D: usize>(kernel: &K, x: &[[T; D]]) -> T
    where
        T: Float,
        K: Kernel<T>,
    {
        let mut sum = T::zero();
        for (i, a) in x.iter().enumerate() {
            for b in &x[i + 1..] {
                sum = sum + kernel.eval(a, b);
            }
        }
        sum
    }

    pub(super) fn check() {
        let (a, b) = (Gaussian { length: 1.3 }, Gaussian { length: 0.8 });
        let all = Both(Gaussian { length: 1.1 }, Both(a, b));
        check_slice!([0.4, -0.3, 0.7], &all);
        // d/dx exp(-(x - y)^2 / 4), of one pair.
        let (one, rows) = (Gaussian { length: 2.0 }, [[0.5], [1.5]]);
        let mut g = [[0.0]; 2];
        of_rows_grad(&one, &rows, &mut g);
        assert!((g[0][0] - 0.5 * (-0.25_f64).exp()).abs() < 1e-15);
        assert!((g[1][0] + g[0][0]).abs() < 1e-15);
    }
}

#[test]
fn generic_traits() {
    kernels::check();
}

#[differentiable]
trait Model<const N: usize, const M: usize> {
    fn constraints(&self, x: &[f64; N]) -> [f64; M];
    fn both(&self, x: &[f64], shift: f64) -> (Vec<f64>, f64);
    fn pair(&self, x: f64) -> (f64, [f64; 2]);
}

#[derive(Differentiable)]
struct Plain {
    by: f64,
}

struct Early(f64);

#[differentiable]
impl Model<2, 3> for Plain {
    fn constraints(&self, [a, b]: &[f64; 2]) -> [f64; 3] {
        [a * b, a.sin() * self.by, b / a]
    }
    fn both(&self, x: &[f64], shift: f64) -> (Vec<f64>, f64) {
        let (mut all, mut sum) = (Vec::new(), 0.0);
        for v in x.iter().skip(1) {
            all.push(v * v * shift);
            sum += v.cos();
        }
        (all, sum * self.by)
    }
    fn pair(&self, x: f64) -> (f64, [f64; 2]) {
        (x * x, [x.sin(), self.by * x])
    }
}

#[differentiable]
impl Model<2, 3> for Early {
    fn constraints(&self, x: &[f64; 2]) -> [f64; 3] {
        let mut all = [0.0; 3];
        for (k, a) in all.iter_mut().enumerate() {
            if x[0] > 10.0 {
                return [x[1] * x[1], x[0], 1.0];
            }
            *a = x[k % 2].powi(k as i32 + 1) * self.0;
        }
        all
    }
    fn both(&self, x: &[f64], mut shift: f64) -> (Vec<f64>, f64) {
        shift *= 2.0;
        if x.len() < 2 {
            return (vec![], shift);
        }
        (x.iter().map(|v| v.exp() * shift).collect(), shift * x[0])
    }
    fn pair(&self, x: f64) -> (f64, [f64; 2]) {
        if x < 0.0 { (0.0, [x, -x]) } else { (x.sqrt(), [self.0, x * self.0]) }
    }
}

mod several_results {
    use super::{Early, Model, Plain};
    use ad_runtime::differentiable;

    #[differentiable(wrt(x))]
    fn f<P, const M: usize>(x: &[f64], p: &P, q: &impl Model<2, 3>) -> f64
    where
        P: Model<2, M>,
    {
        let mut sum = 0.0;
        for (k, c) in p.constraints(&[x[0], x[1]]).iter().enumerate() {
            sum += c * c * (k as f64 + 1.0);
        }
        let [a, b, c] = q.constraints(&[x[1], x[2]]);
        let (all, last) = p.both(x, a);
        for v in &all {
            sum += v * last;
        }
        let (root, [s, t]) = q.pair(b * c);
        sum + root * s - t + q.both(&x[1..], sum).0.iter().sum::<f64>()
    }

    pub(super) fn check() {
        let (p, q) = (Plain { by: 0.7 }, Early(1.3));
        check_slice!([0.4, 1.2, 0.9], &p, &q);
        check_slice!([0.4, 1.2, 0.9], &q, &p);
        check_slice!([11.0, 0.2, 0.1], &q, &q);
    }
}

#[test]
fn methods_with_several_results() {
    several_results::check();
}

mod defaults {
    use ad_runtime::differentiable;

    fn power() -> i32 {
        3
    }

    // The default is code of this module: of its `power`, not of the blocks'.
    pub(super) mod inner {
        use ad_runtime::differentiable;

        fn power() -> i32 {
            2
        }

        #[differentiable]
        pub trait Penalty<const N: usize> {
            fn residuals(&self, x: &[f64; N]) -> [f64; N];
            fn total(&self, x: &[f64; N]) -> f64 {
                let mut sum = 0.0;
                for r in self.residuals(x) {
                    if r > 0.0 {
                        sum += r.powi(power());
                    }
                }
                sum + self.weight(x[0])
            }
            fn weight(&self, t: f64) -> f64 {
                t.sin()
            }
            fn halves(&self, x: &[f64; N]) -> [f64; N] {
                self.residuals(x).map(|r| 0.5 * r * self.weight(r))
            }
            fn name(&self) -> String {
                "any".into()
            }
        }
    }
    use inner::Penalty;

    struct Kept(f64);
    struct Changed;

    #[differentiable]
    impl Penalty<2> for Kept {
        fn residuals(&self, x: &[f64; 2]) -> [f64; 2] {
            [x[0] * x[1] * self.0, x[1] - x[0]]
        }
    }

    #[differentiable]
    impl Penalty<2> for Changed {
        fn residuals(&self, x: &[f64; 2]) -> [f64; 2] {
            [x[0].powi(power()), x[1]]
        }
        fn weight(&self, t: f64) -> f64 {
            t * t * t
        }
        fn halves(&self, x: &[f64; 2]) -> [f64; 2] {
            [x[1], x[0] * x[0]]
        }
    }

    #[differentiable(wrt(x))]
    fn f<P: Penalty<2>>(x: &[f64], p: &P) -> f64 {
        let point = [x[0], x[1]];
        p.total(&point) * x[0] + p.halves(&point)[1] * p.weight(x[1])
    }

    pub(super) fn check() {
        check_slice!([0.4, 1.2], &Kept(0.7));
        check_slice!([0.4, 1.2], &Changed);
        assert_eq!(Kept(1.0).name(), "any");
    }
}

#[test]
fn methods_with_defaults() {
    defaults::check();
}

/// Two traits of one name: what one says of a method is not what the other does.
mod of_one_name {
    mod first {
        use ad_runtime::differentiable;

        #[differentiable]
        pub trait Shape {
            fn all(&self, x: f64) -> [f64; 3];
            fn cost(&self, x: f64) -> f64 {
                x * x
            }
        }
    }

    mod second {
        use ad_runtime::differentiable;

        #[differentiable]
        pub trait Shape {
            fn cost(&self, x: f64) -> f64;
            fn other(&self, x: f64) -> f64 {
                x.sin() * self.cost(x)
            }
        }
    }

    struct One;
    struct Two;

    mod blocks {
        use super::{One, Two, first, second};
        use ad_runtime::differentiable;

        #[differentiable]
        impl first::Shape for One {
            fn all(&self, x: f64) -> [f64; 3] {
                [x, x * x, x * x * x]
            }
            fn cost(&self, x: f64) -> f64 {
                x.exp()
            }
        }

        #[differentiable]
        impl second::Shape for Two {
            fn cost(&self, x: f64) -> f64 {
                x.cos()
            }
        }
    }

    use ad_runtime::differentiable;

    #[differentiable(wrt(x))]
    fn f<A: first::Shape, B: second::Shape>(x: &[f64], a: &A, b: &B) -> f64 {
        a.all(x[0])[2] * a.cost(x[1]) + b.other(x[0] * x[1]) * b.cost(x[0])
    }

    pub(super) fn check() {
        check_slice!([0.4, 1.2], &One, &Two);
    }
}

#[test]
fn traits_of_one_name() {
    of_one_name::check();
}
