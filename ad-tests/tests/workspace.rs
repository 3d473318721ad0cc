//! Repeated calls in a workspace: they allocate nothing after the first, and compute the same.
#![allow(missing_docs)]

use ad_runtime::{Workspace, differentiable};
use allocation_counter::measure;

/// The number of rounds is known at the end only.
#[differentiable]
fn until_small(x: &[f64]) -> f64 {
    let mut state = x.to_vec();
    let mut size = 1.0;
    while size > 0.01 {
        size = 0.0;
        for i in 0..state.len() {
            state[i] = 0.7 * state[i].sin();
            size += state[i] * state[i];
        }
    }
    state[0] * state[1] + size
}

/// A vector of vectors.
#[differentiable]
fn table(x: &[f64], rows: usize) -> f64 {
    let mut t = vec![vec![0.0; x.len()]; rows];
    for i in 0..rows {
        for j in 0..x.len() {
            t[i][j] = if i > 0 { (t[i - 1][j] * x[j]).cos() } else { x[j] };
        }
    }
    let mut s = 0.0;
    for i in 0..rows {
        for j in 0..x.len() {
            s += t[i][j] * t[i][j] * x[j];
        }
    }
    s
}

/// Rows of several lengths.
#[differentiable]
fn ragged(x: &[Vec<f64>]) -> f64 {
    let mut y = x.to_vec();
    for i in 0..y.len() {
        for j in 1..y[i].len() {
            y[i][j] *= y[i][j - 1];
        }
    }
    let mut s = 0.0;
    for row in &y {
        for t in row {
            s += t.exp();
        }
    }
    s
}

#[differentiable]
fn chain(x: &[f64], scale: f64) -> f64 {
    let mut h = vec![0.0; x.len()];
    let mut s = scale;
    for i in 0..x.len() {
        h[i] = (s * x[i]).tanh();
        s = s * 0.5 + h[i];
    }
    s * h[0]
}

/// Calls a function that has buffers of its own, while it holds its own. (Its gradient calls `chain` itself too, which
/// allocates.)
#[differentiable]
fn caller(x: &[f64]) -> f64 {
    let mut y = vec![0.0; x.len()];
    let mut s = 1.0;
    for i in 0..x.len() {
        y[i] = x[i] * x[i] + s;
        s = chain(&y, s);
    }
    s
}

#[differentiable]
fn small_floats(x: &[f32], n: usize) -> f32 {
    let mut s = x[0];
    let mut last = vec![0.0_f32; x.len()];
    for i in 0..n {
        s = (s * x[i % x.len()]).sin();
        last[i % x.len()] = s;
    }
    last[0] * s
}

/// Of any float: as without a workspace.
#[differentiable]
fn generic<T: num_traits::Float>(x: &[T], n: usize) -> T {
    let mut s = x[0];
    for i in 0..n {
        s = (s * x[i % x.len()]).sin();
    }
    s
}

/// Data that is moved into a function that nobody looks into.
#[differentiable]
fn moved(x: &[f64]) -> f64 {
    fn consume(list: Vec<usize>) -> usize {
        list.into_iter().sum()
    }
    let mut order = vec![0; x.len()];
    for i in 0..x.len() {
        order[i] = i;
    }
    let total = consume(order);
    let mut s = x[0];
    for i in 0..total {
        s = s * x[i % x.len()] + 0.5;
    }
    s
}

/// It returns vectors, which are the caller's.
#[differentiable]
fn returned(x: &[f64]) -> Vec<f64> {
    let mut y = vec![0.0; x.len()];
    let mut s = 1.0;
    for i in 0..x.len() {
        s = (s * x[i]).cos();
        y[i] = s * x[i];
    }
    y
}

#[differentiable]
fn may_panic(x: &[f64]) -> f64 {
    let mut y = x.to_vec();
    let mut s = 1.0;
    for i in 0..y.len() {
        s = (s * y[i]).sin();
        y[i] = s;
    }
    assert!(x[0] > 0.0, "not positive");
    s * y[0]
}

fn points(n: usize) -> (Vec<f64>, Vec<f64>) {
    (
        (0..n).map(|i| 0.4 + (i as f64 * 0.7).sin() * 0.3).collect(),
        (0..n).map(|i| (i as f64 * 1.3).cos()).collect(),
    )
}

fn bits(x: &[f64]) -> Vec<u64> {
    x.iter().map(|x| x.to_bits()).collect()
}

/// Alone, in a workspace, and there again: the same numbers, and no allocation the second time.
fn repeated(workspace: &mut Workspace, mut call: impl FnMut() -> Vec<f64>, out: usize) {
    // What it returns is counted too.
    let alone = call();
    let own = measure(|| drop(vec![0.0; out])).count_total;
    let first = workspace.run(&mut call);
    let mut second = Vec::new();
    let info = measure(|| second = workspace.run(&mut call));
    assert_eq!(info.count_total, own, "{} bytes", info.bytes_total);
    assert_eq!(bits(&alone), bits(&first));
    assert_eq!(bits(&alone), bits(&second));
}

macro_rules! repeats {
    ($($name:ident: $n:expr, $grad:expr, $hvp:expr, $block:expr;)*) => { $(
        #[test]
        fn $name() {
            let (x, v) = points($n);
            let wide: Vec<[f64; 3]> = v.iter().map(|v| [*v, 2.0 - v, v * v]).collect();
            let mut workspace = Workspace::new();
            repeated(&mut workspace, || { let mut g = vec![f64::NAN; $n]; $grad(&x, &mut g); g }, $n);
            repeated(&mut workspace, || { let mut hv = vec![f64::NAN; $n]; $hvp(&x, &v, &mut hv); hv }, $n);
            let mut products = vec![[f64::NAN; 3]; $n];
            repeated(&mut workspace, || { $block(&x, &wide, &mut products); products.as_flattened().to_vec() }, $n);
            assert!(workspace.memory() > 0);
        }
    )* };
}

repeats! {
    a_while_loop: 5,
        |x: &[f64], g: &mut [f64]| until_small_grad(x, g),
        |x: &[f64], v: &[f64], hv: &mut [f64]| until_small_hvp(x, v, hv),
        |x: &[f64], v: &[[f64; 3]], hv: &mut [[f64; 3]]| until_small_hvp_block(x, v, hv);
    vectors_of_vectors: 4,
        |x: &[f64], g: &mut [f64]| table_grad(x, 7, g),
        |x: &[f64], v: &[f64], hv: &mut [f64]| table_hvp(x, 7, v, hv),
        |x: &[f64], v: &[[f64; 3]], hv: &mut [[f64; 3]]| table_hvp_block(x, 7, v, hv);
}

#[test]
fn functions_that_call_each_other() {
    let (x, v) = points(6);
    let mut workspace = Workspace::new();
    let product = || {
        let mut hv = vec![f64::NAN; 6];
        caller_hvp(&x, &v, &mut hv);
        hv
    };
    repeated(&mut workspace, product, 6);
    // The same in slots that others have used.
    let (mut g, mut products) = ([f64::NAN; 6], [[f64::NAN; 2]; 6]);
    workspace.run(|| {
        caller_grad(&x, &mut g);
        caller_hvp_block(&x, &[[1.0, -1.0]; 6], &mut products);
    });
    repeated(&mut workspace, product, 6);
}

#[test]
fn rows_of_several_lengths() {
    let x = vec![vec![0.1, 0.2], vec![], vec![0.5, -0.3, 0.7, 0.2], vec![1.0]];
    let mut workspace = Workspace::new();
    let mut g = x.clone();
    let mut hv = x.clone();
    let mut call = || {
        ragged_grad(&x, &mut g);
        ragged_hvp(&x, &x, &mut hv);
    };
    workspace.run(&mut call);
    assert_eq!(measure(|| workspace.run(&mut call)).count_total, 0);
    let (g_inside, hv_inside) = (g.clone(), hv.clone());
    ragged_grad(&x, &mut g);
    ragged_hvp(&x, &x, &mut hv);
    assert_eq!((g_inside, hv_inside), (g, hv));
}

#[test]
fn small_and_generic_floats() {
    let x = [0.3_f32, 0.9, -0.4];
    let mut workspace = Workspace::new();
    let (mut a, mut b) = ([0.0; 3], [0.0; 3]);
    small_floats_hvp(&x, 20, &[1.0, 0.0, 2.0], &mut a);
    workspace.run(|| small_floats_hvp(&x, 20, &[1.0, 0.0, 2.0], &mut b));
    let info = measure(|| workspace.run(|| small_floats_hvp(&x, 20, &[1.0, 0.0, 2.0], &mut b)));
    assert_eq!((info.count_total, a), (0, b));
    generic_hvp(&x, 20, &[1.0, 0.0, 2.0], &mut a);
    workspace.run(|| generic_hvp(&x, 20, &[1.0, 0.0, 2.0], &mut b));
    assert_eq!(a, b);
}

#[test]
fn what_leaves_the_function_is_its_own() {
    let (x, v) = points(5);
    let mut workspace = Workspace::new();
    let mut g = [0.0; 5];
    assert_eq!(workspace.run(|| moved_grad(&x, &mut g)), moved(&x));
    let (alone, alone_dot) = returned_jvp(&x, &v);
    let (first, first_dot) = workspace.run(|| returned_jvp(&x, &v));
    let (second, second_dot) = workspace.run(|| returned_jvp(&x, &v));
    assert_eq!((&first, &first_dot), (&second, &second_dot));
    assert_eq!((alone, alone_dot), (second, second_dot));
}

#[test]
fn lengths_may_change() {
    let mut workspace = Workspace::new();
    for n in [3, 50, 7, 50, 1, 20] {
        let (x, v) = points(n);
        let (mut inside, mut alone) = (vec![f64::NAN; n], vec![f64::NAN; n]);
        let info = measure(|| workspace.run(|| caller_hvp(&x, &v, &mut inside)));
        caller_hvp(&x, &v, &mut alone);
        assert_eq!(bits(&inside), bits(&alone));
        assert!(n >= 50 || n == 3 || info.count_total == 0, "{n}: {}", info.count_total);
    }
}

#[test]
fn nothing_is_kept_outside_and_on_other_threads() {
    let (x, v) = points(20);
    let mut hv = vec![0.0; 20];
    let mut workspace = Workspace::new();
    workspace.run(|| caller_hvp(&x, &v, &mut hv));
    let memory = workspace.memory();
    assert!(measure(|| caller_hvp(&x, &v, &mut hv)).count_total > 0);
    assert!(measure(|| caller_hvp(&x, &v, &mut hv)).count_total > 0);
    let elsewhere = workspace.run(|| {
        std::thread::scope(|scope| {
            let mut hv = vec![0.0; 20];
            let (x, v) = (&x, &v);
            scope.spawn(move || measure(|| caller_hvp(x, v, &mut hv)).count_total).join().unwrap()
        })
    });
    assert!(elsewhere > 0);
    assert_eq!(workspace.memory(), memory);
    // It may go to another thread as a whole.
    let count =
        std::thread::spawn(move || measure(|| workspace.run(|| caller_hvp(&x, &v, &mut hv))).count_total);
    assert_eq!(count.join().unwrap(), 0);
}

#[test]
fn a_workspace_inside_another() {
    let (x, v) = points(20);
    let (mut outer, mut inner) = (Workspace::new(), Workspace::new());
    let (mut a, mut b) = (vec![0.0; 20], vec![0.0; 20]);
    let mut both = || {
        outer.run(|| {
            caller_hvp(&x, &v, &mut a);
            inner.run(|| until_small_grad(&x, &mut b));
            caller_hvp(&x, &v, &mut a);
        });
    };
    both();
    assert_eq!(measure(both).count_total, 0);
    assert!(inner.memory() > 0 && inner.memory() < outer.memory());
}

#[test]
fn a_panic_leaves_a_workspace_usable() {
    let mut workspace = Workspace::new();
    let mut g = [0.0; 3];
    let good = [0.3, 0.2, 0.1];
    let value = workspace.run(|| may_panic_grad(&good, &mut g));
    let failed = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        workspace.run(|| may_panic_grad(&[-0.3, 0.2, 0.1], &mut g))
    }));
    assert!(failed.is_err());
    // Outside again.
    assert!(measure(|| _ = may_panic_grad(&good, &mut g)).count_total > 0);
    assert_eq!(workspace.run(|| may_panic_grad(&good, &mut g)), value);
    assert_eq!(measure(|| _ = workspace.run(|| may_panic_grad(&good, &mut g))).count_total, 0);
    workspace.clear();
    assert_eq!(workspace.memory(), 0);
}
