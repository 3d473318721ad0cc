//! What `#[differentiable]` writes in builds without optimisation is less, and calls more: it computes the same. Both attributes
//! stand on the same functions here, and all that they generate is compared.

#![allow(
    clippy::assign_op_pattern,
    clippy::duplicate_mod,
    clippy::needless_lifetimes,
    clippy::needless_range_loop,
    clippy::ptr_arg,
    missing_docs,
    unreachable_pub
)]

#[path = "."]
mod full {
    pub use ad_runtime::__private::attributes::differentiable;
    #[path = "functions.rs"]
    pub mod functions;
}

#[path = "."]
mod plain {
    pub use ad_runtime::__private::attributes::differentiable_plain as differentiable;
    #[path = "functions.rs"]
    pub mod functions;
}

use std::cell::Cell;

use ad_runtime::operators::{Dense, HessianOperator as _};

/// All numbers of derivatives, one after the other.
trait Numbers {
    fn add_to(&self, list: &mut Vec<f64>);
}

impl Numbers for f64 {
    fn add_to(&self, list: &mut Vec<f64>) {
        list.push(*self);
    }
}

impl Numbers for f32 {
    fn add_to(&self, list: &mut Vec<f64>) {
        list.push(f64::from(*self));
    }
}

impl Numbers for () {
    fn add_to(&self, _: &mut Vec<f64>) {}
}

impl<T: Numbers> Numbers for Vec<T> {
    fn add_to(&self, list: &mut Vec<f64>) {
        self.iter().for_each(|part| part.add_to(list));
    }
}

impl<T: Numbers, const N: usize> Numbers for [T; N] {
    fn add_to(&self, list: &mut Vec<f64>) {
        self.iter().for_each(|part| part.add_to(list));
    }
}

impl<T: Numbers> Numbers for Option<T> {
    fn add_to(&self, list: &mut Vec<f64>) {
        self.iter().for_each(|part| part.add_to(list));
    }
}

impl<A: Numbers, B: Numbers> Numbers for (A, B) {
    fn add_to(&self, list: &mut Vec<f64>) {
        self.0.add_to(list);
        self.1.add_to(list);
    }
}

impl<A: Numbers, B: Numbers, C: Numbers> Numbers for (A, B, C) {
    fn add_to(&self, list: &mut Vec<f64>) {
        self.0.add_to(list);
        self.1.add_to(list);
        self.2.add_to(list);
    }
}

fn numbers(of: &impl Numbers) -> Vec<f64> {
    let mut list = Vec::new();
    of.add_to(&mut list);
    list
}

#[track_caller]
fn same(full: &impl Numbers, plain: &impl Numbers) {
    let (full, plain) = (numbers(full), numbers(plain));
    assert!(!full.is_empty());
    assert_eq!(full.len(), plain.len());
    for (a, b) in full.iter().zip(&plain) {
        // Singles are as exact as they are.
        let is_single = f64::from(*a as f32) == *a && f64::from(*b as f32) == *b;
        let tolerance = if is_single { 1e-5 } else { 1e-12 };
        assert!((a - b).abs() <= tolerance * (1.0 + a.abs()), "{a} and {b} in {full:?} and {plain:?}");
    }
}

/// Evaluates an expression with the functions of both, and compares.
macro_rules! both {
    ($($expr:tt)*) => {{
        let full = { use full::functions::*; $($expr)* };
        let plain = { use plain::functions::*; $($expr)* };
        same(&full, &plain);
    }};
}

/// `N` zeros for each of `n`.
fn wide<const N: usize>(n: usize) -> Vec<[f64; N]> {
    vec![[0.0; N]; n]
}

fn lanes<const N: usize>(v: &[f64]) -> Vec<[f64; N]> {
    v.iter().map(|x| std::array::from_fn(|k| x * (k as f64 - 0.7))).collect()
}

/// All that an operator tells.
macro_rules! operators {
    ($hessian:expr, $linear:expr, $v:expr) => {{
        let (hessian, linear) = ($hessian, $linear);
        let v: &[f64] = $v;
        let (mut a, mut b) = (vec![0.0; v.len()], vec![0.0; v.len()]);
        hessian.apply(v, &mut a);
        linear.apply(v, &mut b);
        assert_eq!(hessian.dim(), linear.dim());
        (vec![a, b], (linear.value(), linear.gradient().to_vec()), Dense::of(&hessian).into_entries())
    }};
}

#[test]
fn scalars() {
    let (x, y, vx, vy) = (0.7, -1.2, 0.4, 0.9);
    both!(scalars_grad(x, y));
    both!(scalars_jvp(x, y, vx, vy));
    both!(scalars_hvp(x, y, vx, vy));
    both!(scalars_grad_hvp(x, y, vx, vy));
    both!(scalars_hvp_rev(x, y, vx, vy));
    both!(scalars_curvature(x, y, vx, vy));
    both!(scalars_hvp_block::<3>(x, y, [vx, 1.0, 0.0], [vy, -1.0, 2.0]));
    both!(operators!(scalars_hessian(x, y), scalars_linearize(x, y), &[vx, vy]));
}

#[test]
fn a_slice_and_data() {
    let w = [0.3, -0.8, 1.1];
    let v = [1.0, 0.5, -0.25];
    let rows: Vec<f64> = (0..39).map(|k| (f64::from(k) * 0.37).sin()).collect();
    let labels: Vec<f64> = (0..13).map(|k| if k % 3 == 0 { 1.0 } else { -1.0 }).collect();
    both!({
        let mut g = vec![7.0; 3];
        (logistic_grad(&w, &rows, &labels, 0.1, &mut g), g)
    });
    both!(logistic_jvp(&w, &rows, &labels, 0.1, &v));
    both!(logistic_curvature(&w, &rows, &labels, 0.1, &v));
    both!({
        let (mut a, mut b) = (vec![7.0; 3], vec![7.0; 3]);
        logistic_hvp(&w, &rows, &labels, 0.1, &v, &mut a);
        logistic_hvp_rev(&w, &rows, &labels, 0.1, &v, &mut b);
        vec![a, b]
    });
    both!({
        let (mut g, mut h) = (vec![7.0; 3], vec![7.0; 3]);
        (logistic_grad_hvp(&w, &rows, &labels, 0.1, &v, &mut g, &mut h), g, h)
    });
    both!({
        let mut h = wide::<4>(3);
        logistic_hvp_block(&w, &rows, &labels, 0.1, &lanes::<4>(&v), &mut h);
        h
    });
    both!(operators!(
        logistic_hessian(&w, &rows, &labels, 0.1),
        logistic_linearize(&w, &rows, &labels, 0.1),
        &v
    ));
    assert_eq!(
        full::functions::logistic_sparsity(&w, &rows, &labels, 0.1).pattern,
        plain::functions::logistic_sparsity(&w, &rows, &labels, 0.1).pattern,
    );
}

#[test]
fn a_state_and_parameters_of_two_kinds() {
    let (p, start, vp, vs) = ([0.9, -1.5, -0.7], 0.4, [0.5, -1.0, 0.3], 0.8);
    let seen: Vec<f64> = (0..20).map(|k| (f64::from(k) * 0.9).cos()).collect();
    both!({
        let mut g = vec![7.0; 3];
        (filter_grad(&p, start, &seen, &mut g), g)
    });
    both!({
        let (mut a, mut b) = (vec![7.0; 3], vec![7.0; 3]);
        let returned = (
            filter_hvp(&p, start, &seen, &vp, vs, &mut a),
            filter_hvp_rev(&p, start, &seen, &vp, vs, &mut b),
        );
        (returned, a, b)
    });
    both!({
        let (mut g, mut h) = (vec![7.0; 3], vec![7.0; 3]);
        (filter_grad_hvp(&p, start, &seen, &vp, vs, &mut g, &mut h), g, h)
    });
    both!({
        let mut h = wide::<2>(3);
        (filter_hvp_block(&p, start, &seen, &lanes::<2>(&vp), [vs, -vs], &mut h), h)
    });
    both!(filter_curvature(&p, start, &seen, &vp, vs));
    both!(operators!(
        filter_hessian(&p, start, &seen),
        filter_linearize(&p, start, &seen),
        &[0.5, -1.0, 0.3, 0.8]
    ));
}

#[test]
fn memory_and_branches() {
    let x: Vec<f64> = (0..11).map(|k| (f64::from(k) * 1.3).sin()).collect();
    let v: Vec<f64> = (0..11).map(|k| (f64::from(k) * 0.7).cos()).collect();
    both!({
        let (mut g, mut h) = (vec![7.0; 11], vec![7.0; 11]);
        (softmax_grad_hvp(&x, &v, &mut g, &mut h), g, h)
    });
    both!({
        let mut h = wide::<5>(11);
        softmax_hvp_block(&x, &lanes::<5>(&v), &mut h);
        h
    });
    both!((softmax_jvp(&x, &v), softmax_curvature(&x, &v)));
    both!(operators!(softmax_hessian(&x), softmax_linearize(&x), &v));
}

#[test]
fn arrays_by_value_and_by_reference() {
    let (a, b, c) = ([0.3, 0.9, -0.4], [0.2, 1.5], 0.8);
    let (va, vb, vc) = ([1.0, -0.5, 0.25], [0.5, 2.0], -1.0);
    both!({
        let (mut g, mut h) = ([7.0; 2], [7.0; 2]);
        (arrays_grad_hvp(a, &b, c, va, &vb, vc, &mut g, &mut h).1, g, h)
    });
    both!({
        let mut h = [[7.0; 2]; 2];
        let returned =
            arrays_hvp_block(a, &b, c, [[1.0, 0.5]; 3], &[[0.1, 0.2], [0.3, 0.4]], [2.0, -1.0], &mut h);
        (returned, h)
    });
    both!((arrays_jvp(a, &b, c, va, &vb, vc), arrays_curvature(a, &b, c, va, &vb, vc)));
    both!(operators!(
        arrays_hessian(a, &b, c),
        arrays_linearize(a, &b, c),
        &[1.0, -0.5, 0.25, 0.5, 2.0, -1.0]
    ));
    let x = [0.4, -0.7, 1.2, 0.1];
    both!({
        let (mut g, mut h) = ([7.0; 4], [7.0; 4]);
        (sized_grad_hvp(&x, &[1.0, 2.0, -1.0, 0.5], &mut g, &mut h), g, h)
    });
    both!((sized_jvp(&x, &[1.0, 2.0, -1.0, 0.5]), sized_curvature(&x, &[1.0, 2.0, -1.0, 0.5])));
    both!(operators!(sized_hessian(&x), sized_linearize(&x), &[1.0, 2.0, -1.0, 0.5]));
}

#[test]
fn vectors_and_data_that_is_given_away() {
    let (x, v, offset) = (vec![0.3, -0.2, 0.9], vec![1.0, 0.5, -2.0], vec![0.1, 0.2, 0.3]);
    both!({
        let (mut g, mut h) = (vec![7.0; 3], vec![7.0; 3]);
        (vectors_grad_hvp(&x, offset.clone(), &v, &mut g, &mut h), g, h)
    });
    both!({
        let mut h = wide::<2>(3);
        vectors_hvp_block(&x, offset.clone(), &lanes::<2>(&v), &mut h);
        h
    });
    both!((vectors_jvp(&x, offset.clone(), &v), vectors_curvature(&x, offset.clone(), &v)));
    both!(operators!(vectors_hessian(&x, offset.clone()), vectors_linearize(&x, offset.clone()), &v));
}

#[test]
fn singles_and_lifetimes() {
    let (x, v) = ([0.5_f32, -1.5, 0.25], [1.0_f32, 2.0, -0.5]);
    both!({
        let (mut g, mut h) = (vec![7.0_f32; 3], vec![7.0_f32; 3]);
        (singles_grad_hvp(&x, &v, &mut g, &mut h), g, h)
    });
    both!({
        let mut h = vec![[7.0_f32; 2]; 3];
        singles_hvp_block(&x, &[[1.0, 0.5]; 3], &mut h);
        h
    });
    both!((singles_jvp(&x, &v), singles_curvature(&x, &v)));
    both!((singles_jvp(&[], &[]), singles_curvature(&[], &[])));
    let (x, y) = ([0.5, 0.7], [1.0, -0.3]);
    both!((
        borrowed_jvp(&x, &y, &[1.0, 2.0], &[3.0, 4.0]),
        borrowed_curvature(&x, &y, &[1.0, 2.0], &[3.0, 4.0])
    ));
    both!({
        let (mut g, mut k, mut h, mut l) = (vec![7.0; 2], vec![7.0; 2], vec![7.0; 2], vec![7.0; 2]);
        let value = borrowed_grad_hvp(&x, &y, &[1.0, 2.0], &[3.0, 4.0], &mut g, &mut k, &mut h, &mut l);
        (value, vec![g, k], vec![h, l])
    });
}

/// The companions that a caller calls.
#[test]
fn calls() {
    let x = [0.5, -0.3, 1.2, 0.7, -0.9];
    let v = [1.0, 0.5, -0.25, 2.0, 0.1];
    both!({
        let (mut g, mut h) = (vec![7.0; 5], vec![7.0; 5]);
        (caller_grad_hvp(&x, &v, &mut g, &mut h), g, h)
    });
    both!({
        let mut h = vec![7.0; 5];
        caller_hvp_rev(&x, &v, &mut h);
        (caller_curvature(&x, &v), h)
    });
    both!(operators!(caller_hessian(&x), caller_linearize(&x), &v));
}

/// What is not active at the caller, or not at the callee.
#[test]
fn calls_with_data() {
    let (x, v, data) = ([0.5, -0.3, 1.2, 0.7], [1.0, 0.5, -0.25, 2.0], [0.9, -0.4, 0.3, 0.8]);
    both!({
        let (mut g, mut h) = (vec![7.0; 4], vec![7.0; 4]);
        (mixed_caller_grad_hvp(&x, &data, &v, &mut g, &mut h), g, h)
    });
    both!({
        let mut h = vec![7.0; 4];
        mixed_caller_hvp_rev(&x, &data, &v, &mut h);
        (mixed_caller_curvature(&x, &data, &v), h)
    });
    both!(operators!(mixed_caller_hessian(&x, &data), mixed_caller_linearize(&x, &data), &v));
}

/// What a function does beside computing, and asks of data that may be another each time, is done as often as in fast code.
#[test]
fn what_is_done_is_done_once() {
    let (x, v) = ([0.5, -0.3, 1.2], [1.0, 0.5, -0.25]);
    macro_rules! count {
        ($call:expr) => {{
            let seen = Cell::new(0);
            $call(&seen);
            f64::from(seen.get())
        }};
    }
    both!(count!(|seen| noted_grad_hvp(&x, seen, &v, &mut [0.0; 3], &mut [0.0; 3])));
    both!(count!(|seen| noted_hvp_block(&x, seen, &[[1.0; 4]; 3], &mut [[0.0; 4]; 3])));
    both!(count!(|seen| drop(noted_linearize(&x, seen))));
    both!(count!(|seen| noted_by_another_grad_hvp(&x, seen, &v, &mut [0.0; 3], &mut [0.0; 3])));
    both!(count!(|seen| noted_by_another_hvp_block(&x, seen, &[[1.0; 4]; 3], &mut [[0.0; 4]; 3])));
    both!(count!(|seen| sampled_grad_hvp(&x, seen, &v, &mut [0.0; 3], &mut [0.0; 3])));
}

#[test]
fn options() {
    for y in [2.0, -2.0] {
        assert_eq!(
            full::functions::tried_grad(0.5, y).is_some(),
            plain::functions::tried_grad(0.5, y).is_some()
        );
        assert_eq!(plain::functions::tried_grad_hvp(0.5, y, 1.0, 0.5).is_some(), y > 0.0);
    }
    both!(tried_grad_hvp(0.5, 2.0, 1.0, 0.5));
    both!(tried_hvp(0.5, 2.0, 1.0, 0.5));
}

#[test]
fn methods() {
    let (x, v) = ([0.5, -0.3], [1.0, 0.5]);
    both!({
        let spring = Spring { stiffness: 2.0, rest: vec![0.1, 0.2] };
        let (mut g, mut h) = (vec![7.0; 2], vec![7.0; 2]);
        (spring.energy_grad_hvp(&x, &v, &mut g, &mut h), g, h)
    });
    both!({
        let spring = Spring { stiffness: 2.0, rest: vec![0.1, 0.2] };
        let mut h = wide::<3>(2);
        spring.energy_hvp_block(&x, &lanes::<3>(&v), &mut h);
        h
    });
    both!({
        let spring = Spring { stiffness: 2.0, rest: vec![0.1, 0.2] };
        (spring.energy_jvp(&x, &v), spring.energy_curvature(&x, &v))
    });
    both!({
        let spring = Spring { stiffness: 2.0, rest: vec![0.1, 0.2] };
        operators!(spring.energy_hessian(&x), spring.energy_linearize(&x), &v)
    });
}

#[test]
fn names_that_the_function_says() {
    let (x, y, v, w) = ([0.5, -0.3, 0.9], 1.2, [1.0, 0.5, -2.0], 0.7);
    both!((named::said_jvp(&x, y, &v, w), named::said_curvature(&x, y, &v, w)));
    both!({
        let (mut g, mut h) = (vec![7.0; 3], vec![7.0; 3]);
        (named::said_grad_hvp(&x, y, &v, w, &mut g, &mut h).1, g, h)
    });
    both!({
        let mut h = wide::<2>(3);
        (named::said_hvp_block(&x, y, &lanes::<2>(&v), [w, -w], &mut h), h)
    });
    both!({
        let (mut g, mut h) = (vec![7.0; 3], vec![7.0; 3]);
        (named::said_by_another_grad_hvp(&x, &v, &mut g, &mut h), g, h)
    });
    both!((named::said_by_another_jvp(&x, &v), named::said_by_another_curvature(&x, &v)));
}

#[test]
fn checkpoints() {
    both!(long_grad_hvp(0.5, 100, 1.0));
    both!(long_hvp_block::<2>(0.5, 100, [1.0, -3.0]));
}

/// A direction of another length is named by the function that was called.
#[test]
#[should_panic(expected = "logistic_hvp_block: argument `w_dot` has length 1, expected 2")]
fn lengths_of_lanes() {
    let mut h = wide::<2>(2);
    plain::functions::logistic_hvp_block(&[0.1, 0.2], &[1.0, 2.0], &[1.0], 0.1, &lanes::<2>(&[1.0]), &mut h);
}

#[test]
#[should_panic(expected = "logistic_grad_hvp: argument `w_bar_dot` has length 1, expected 2")]
fn lengths_of_products() {
    let (mut g, mut h) = ([0.0; 2], [0.0; 1]);
    plain::functions::logistic_grad_hvp(&[0.1, 0.2], &[1.0, 2.0], &[1.0], 0.1, &[1.0, 0.0], &mut g, &mut h);
}
