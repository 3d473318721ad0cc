//! One test for each row of the table of supported Rust, and the checks that they share.
//!
//! A test declares a function `f` and lets one of the macros here compare its derivatives: the gradient with
//! differences of the value, the Hessian-vector product with differences of the gradient (both extrapolated), and
//! all generated functions with each other. The functions that the macros call are those beside `f`: names of
//! functions in macros mean what they mean where the macro is used.

/// `f(x: f64, y: f64)` at a point that is no closer than 0.05 to a kink.
macro_rules! check_xy {
    ($x:expr, $y:expr) => {
        crate::supported::check(
            &[$x, $y],
            &crate::supported::Generated {
                value: &|p| f(p[0], p[1]),
                grad: &|p| {
                    let (value, (x, y)) = f_grad(p[0], p[1]);
                    (value, vec![x, y])
                },
                jvp: &|p, v| f_jvp(p[0], p[1], v[0], v[1]),
                hvp: &|p, v| crate::supported::pair(f_hvp(p[0], p[1], v[0], v[1])),
                hvp_block: &|p, v| {
                    let (x, y) = f_hvp_block(p[0], p[1], v[0], v[1]);
                    vec![x, y]
                },
                hvp_rev: &|p, v| crate::supported::pair(f_hvp_rev(p[0], p[1], v[0], v[1])),
                grad_hvp: &|p, v| {
                    let (value, (x, y), hv) = f_grad_hvp(p[0], p[1], v[0], v[1]);
                    (value, vec![x, y], crate::supported::pair(hv))
                },
                curvature: &|p, v| f_curvature(p[0], p[1], v[0], v[1]),
            },
        )
    };
}

/// `f(x: &[f64], data..)` at such a point.
macro_rules! check_slice {
    ($x:expr $(, $data:expr)*) => {{
        let x = $x;
        let zero = vec![0.0; x.len()];
        crate::supported::check(
            &x,
            &crate::supported::Generated {
                value: &|p| f(p $(, $data)*),
                grad: &|p| {
                    // Outputs are overwritten: what was there does not matter.
                    let mut g = vec![f64::NAN; p.len()];
                    let value = f_grad(p $(, $data)*, &mut g);
                    (value, g)
                },
                jvp: &|p, v| f_jvp(p $(, $data)*, v),
                hvp: &|p, v| {
                    let mut hv = vec![f64::NAN; p.len()];
                    f_hvp(p $(, $data)*, v, &mut hv);
                    hv
                },
                hvp_block: &|p, v| {
                    let mut hv = vec![[f64::NAN; 3]; p.len()];
                    f_hvp_block(p $(, $data)*, v, &mut hv);
                    hv
                },
                hvp_rev: &|p, v| {
                    let mut hv = vec![f64::NAN; p.len()];
                    f_hvp_rev(p $(, $data)*, v, &mut hv);
                    hv
                },
                grad_hvp: &|p, v| {
                    let (mut g, mut hv) = (zero.clone(), zero.clone());
                    let value = f_grad_hvp(p $(, $data)*, v, &mut g, &mut hv);
                    (value, g, hv)
                },
                curvature: &|p, v| f_curvature(p $(, $data)*, v),
            },
        )
    }};
}

mod arrays;
mod below;
mod blocks;
mod buffers;
mod closures;
mod control;
mod copies;
mod data;
mod effects;
mod functions;
mod helpers;
mod indices;
mod iterators;
mod maps;
mod matrices;
mod methods;
mod moves;
mod names;
mod outcomes;
mod parts;
mod passing;
mod results;
mod rows;
mod shapes;
mod traits;
mod values;

/// The functions generated for one function of n numbers.
pub(crate) struct Generated<'a> {
    pub(crate) value: &'a dyn Fn(&[f64]) -> f64,
    pub(crate) grad: &'a dyn Fn(&[f64]) -> (f64, Vec<f64>),
    pub(crate) jvp: &'a dyn Fn(&[f64], &[f64]) -> (f64, f64),
    pub(crate) hvp: &'a dyn Fn(&[f64], &[f64]) -> Vec<f64>,
    pub(crate) hvp_block: &'a dyn Fn(&[f64], &[[f64; 3]]) -> Vec<[f64; 3]>,
    pub(crate) hvp_rev: &'a dyn Fn(&[f64], &[f64]) -> Vec<f64>,
    pub(crate) grad_hvp: &'a dyn Fn(&[f64], &[f64]) -> (f64, Vec<f64>, Vec<f64>),
    pub(crate) curvature: &'a dyn Fn(&[f64], &[f64]) -> (f64, f64, f64),
}

/// Differences are good to this, relative to the largest number in play.
const BY_DIFFERENCES: f64 = 2e-8;
/// Two ways of computing the same agree to this.
const BY_ROUNDING: f64 = 1e-12;

/// Checks everything at `x`, along two directions.
pub(crate) fn check(x: &[f64], f: &Generated<'_>) {
    let value = (f.value)(x);
    assert!(value.is_finite(), "f is not finite at {x:?}");
    let (with_grad, g) = (f.grad)(x);
    close("value of grad", &[with_grad], &[value], BY_ROUNDING);
    let gradient: Vec<f64> = (0..x.len())
        .map(|i| {
            let unit: Vec<f64> = (0..x.len()).map(|j| f64::from(u8::from(i == j))).collect();
            difference(x, &unit, |p| vec![(f.value)(p)])[0]
        })
        .collect();
    close("gradient and differences of the value", &g, &gradient, BY_DIFFERENCES);

    for seed in [0.9, -1.7] {
        let v: Vec<f64> = (0..x.len()).map(|i| (seed * (i as f64 + 1.0)).sin() + 0.1).collect();
        let hv = (f.hvp)(x, &v);
        close(
            "Hv and differences of the gradient",
            &hv,
            &difference(x, &v, |p| (f.grad)(p).1),
            BY_DIFFERENCES,
        );
        close("hvp and hvp_rev", &hv, &(f.hvp_rev)(x, &v), BY_ROUNDING);
        let lanes: Vec<[f64; 3]> = v.iter().zip(v.iter().rev()).map(|(v, u)| [*v, *u, -2.0 * v]).collect();
        let block = (f.hvp_block)(x, &lanes);
        for k in 0..3 {
            let direction: Vec<f64> = lanes.iter().map(|lanes| lanes[k]).collect();
            let found: Vec<f64> = block.iter().map(|lanes| lanes[k]).collect();
            close("a lane of hvp_block", &found, &(f.hvp)(x, &direction), BY_ROUNDING);
        }
        let (value_3, g_3, hv_3) = (f.grad_hvp)(x, &v);
        close("value of grad_hvp", &[value_3], &[value], BY_ROUNDING);
        close("gradient of grad_hvp", &g_3, &g, BY_ROUNDING);
        close("Hv of grad_hvp", &hv_3, &hv, BY_ROUNDING);
        let (slope, bend) = (dot(&g, &v), dot(&v, &hv));
        let (value_1, slope_1) = (f.jvp)(x, &v);
        close("jvp", &[value_1, slope_1], &[value, slope], BY_ROUNDING);
        let (value_2, slope_2, bend_2) = (f.curvature)(x, &v);
        close("curvature", &[value_2, slope_2, bend_2], &[value, slope, bend], BY_ROUNDING);
    }
}

/// What comes back for two scalars, as a list.
pub(crate) fn pair((x, y): (f64, f64)) -> Vec<f64> {
    vec![x, y]
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The derivative of `f` along `v`: central differences, extrapolated twice (error h⁶).
pub(crate) fn difference(x: &[f64], v: &[f64], f: impl Fn(&[f64]) -> Vec<f64>) -> Vec<f64> {
    let at = |t: f64| f(&x.iter().zip(v).map(|(x, v)| x + t * v).collect::<Vec<_>>());
    let central =
        |h: f64| -> Vec<f64> { at(h).iter().zip(at(-h)).map(|(up, down)| (up - down) / (2.0 * h)).collect() };
    let better = |coarse: &[f64], fine: &[f64], factor: f64| -> Vec<f64> {
        coarse.iter().zip(fine).map(|(c, f)| f + (f - c) / (factor - 1.0)).collect()
    };
    let h = 0.01;
    let steps = [central(h), central(h / 2.0), central(h / 4.0)];
    let (a, b) = (better(&steps[0], &steps[1], 4.0), better(&steps[1], &steps[2], 4.0));
    better(&a, &b, 16.0)
}

/// `a` and `b` agree to `tolerance`, relative to the largest of them or 1.
#[track_caller]
pub(crate) fn close(what: &str, a: &[f64], b: &[f64], tolerance: f64) {
    assert_eq!(a.len(), b.len(), "{what}: lengths");
    let scale = a.iter().chain(b).fold(1.0_f64, |m, x| m.max(x.abs()));
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        // Not `>`: NaN must not pass.
        assert!((a - b).abs() <= tolerance * scale, "{what}, component {i}: {a:e} and {b:e}");
    }
}
