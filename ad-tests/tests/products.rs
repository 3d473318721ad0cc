//! Products of arrays of `ndarray` and matrices of `nalgebra` against closed forms, in all layouts and shapes.

use ad_runtime::differentiable;
use ad_runtime::operators::HessianOperator;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Axis, ShapeBuilder, array, s};

/// Some fixed numbers without relations among them.
fn numbers(seed: usize, n: usize) -> Vec<f64> {
    (0..n).map(|i| ((seed * 131 + i * 17 + 5) as f64 * 0.754_877_666).fract() * 2.0 - 1.0).collect()
}

fn matrix(seed: usize, n: usize, m: usize) -> Array2<f64> {
    Array2::from_shape_vec((n, m), numbers(seed, n * m)).unwrap()
}

fn vector(seed: usize, n: usize) -> Array1<f64> {
    Array1::from_vec(numbers(seed, n))
}

/// The derivative of `f` along a line through 0: central differences, extrapolated twice.
fn difference(f: impl Fn(f64) -> Array2<f64>) -> Array2<f64> {
    let central = |h: f64| (f(h) - f(-h)) / (2.0 * h);
    let h = 0.01;
    let (a, b, c) = (central(h), central(h / 2.0), central(h / 4.0));
    let (p, q) = (&b + (&b - &a) / 3.0, &c + (&c - &b) / 3.0);
    &q + (&q - &p) / 15.0
}

#[track_caller]
fn close(what: &str, a: &Array2<f64>, b: &Array2<f64>, tolerance: f64) {
    assert_eq!(a.dim(), b.dim(), "{what}");
    let scale = a.iter().chain(b).fold(1.0_f64, |m, x| m.max(x.abs()));
    for (a, b) in a.iter().zip(b) {
        // Not `>`: NaN must not pass.
        assert!((a - b).abs() <= tolerance * scale, "{what}: {a:e} and {b:e}");
    }
}

#[track_caller]
fn close1(what: &str, a: &Array1<f64>, b: &Array1<f64>, tolerance: f64) {
    close(what, &a.clone().insert_axis(Axis(0)), &b.clone().insert_axis(Axis(0)), tolerance);
}

/// ‖XW - Y‖²/2, of W: gradient Xᵀ(XW - Y), Hessian-vector product XᵀXV.
#[differentiable(wrt(w))]
fn least_squares(w: &Array2<f64>, x: &Array2<f64>, y: &Array2<f64>) -> f64 {
    let e = x.dot(w) - y;
    0.5 * e.mapv(|e| e * e).sum()
}

#[test]
fn least_squares_of_matrices() {
    // Extents of zero and one too.
    for (n, k, m) in
        [(7, 5, 3), (1, 4, 2), (4, 1, 3), (3, 2, 1), (1, 1, 1), (40, 33, 19), (0, 3, 2), (3, 0, 2), (3, 2, 0)]
    {
        let (x, y) = (matrix(1, n, k), matrix(2, n, m));
        let (w, v) = (matrix(3, k, m), matrix(4, k, m));
        let e = x.dot(&w) - &y;
        let (gradient, product) = (x.t().dot(&e), x.t().dot(&x.dot(&v)));
        let nan = || Array2::from_elem((k, m), f64::NAN);
        let (mut g, mut hv, mut rev) = (nan(), nan(), nan());
        let value = least_squares_grad(&w, &x, &y, &mut g);
        assert!((value - least_squares(&w, &x, &y)).abs() <= 1e-12 * (1.0 + value));
        close("gradient", &g, &gradient, 1e-12);
        least_squares_hvp(&w, &x, &y, &v, &mut hv);
        close("hvp", &hv, &product, 1e-12);
        least_squares_hvp_rev(&w, &x, &y, &v, &mut rev);
        close("hvp_rev", &rev, &product, 1e-12);
        let (value, slope, curvature) = least_squares_curvature(&w, &x, &y, &v);
        assert!((slope - (&gradient * &v).sum()).abs() <= 1e-11 * (1.0 + value));
        assert!((curvature - (&product * &v).sum()).abs() <= 1e-11 * (1.0 + curvature));
    }
}

/// All kinds of products, each factor transposed or not.
#[differentiable]
fn all_kinds(a: &Array2<f64>, b: &Array2<f64>, x: &Array1<f64>) -> f64 {
    let ab = a.dot(b);
    let atb = a.t().dot(&b.t());
    let xa = x.dot(a);
    let bx = b.dot(x) + b.t().dot(&a.dot(&xa));
    let outer = ab.dot(&atb.t().slice(s![.., ..]));
    let square = ab.dot(&ab);
    let gram = a.t().dot(a);
    xa.dot(&bx)
        + ab.mapv(f64::sin).sum()
        + outer.mapv(f64::tanh).sum()
        + square.sum() * gram.dot(x).sum()
        + atb[[0, 1]]
}

#[test]
fn every_kind_of_product() {
    let n = 4;
    let split = |p: &Array2<f64>| {
        let rows = |from: usize| p.slice(s![from..from + n, ..]).to_owned();
        (rows(0), rows(n), p.row(2 * n).to_owned())
    };
    let (p, v) = (matrix(5, 2 * n + 1, n), matrix(6, 2 * n + 1, n));
    let join = |a: &Array2<f64>, b: &Array2<f64>, x: &Array1<f64>| {
        let mut all = Array2::zeros((2 * n + 1, n));
        all.slice_mut(s![..n, ..]).assign(a);
        all.slice_mut(s![n..2 * n, ..]).assign(b);
        all.row_mut(2 * n).assign(x);
        all
    };
    let value = |p: &Array2<f64>| {
        let (a, b, x) = split(p);
        all_kinds(&a, &b, &x)
    };
    let grad = |p: &Array2<f64>| {
        let (a, b, x) = split(p);
        let (mut ga, mut gb, mut gx) = (a.clone(), b.clone(), x.clone());
        let value = all_kinds_grad(&a, &b, &x, &mut ga, &mut gb, &mut gx);
        (value, join(&ga, &gb, &gx))
    };
    let (with_grad, g) = grad(&p);
    assert!((with_grad - value(&p)).abs() < 1e-12 * (1.0 + with_grad.abs()));
    for i in 0..p.len() {
        let mut unit = Array2::zeros(p.dim());
        unit[[i / n, i % n]] = 1.0;
        let d = difference(|t| Array2::from_elem((1, 1), value(&(&p + &(&unit * t)))));
        let wanted = Array2::from_elem((1, 1), g[[i / n, i % n]]);
        close("gradient", &wanted, &d, 1e-9);
    }
    let hv = difference(|t| grad(&(&p + &(&v * t))).1);
    let ((a, b, x), (va, vb, vx)) = (split(&p), split(&v));
    let (mut ha, mut hb, mut hx) = (a.clone(), b.clone(), x.clone());
    all_kinds_hvp(&a, &b, &x, &va, &vb, &vx, &mut ha, &mut hb, &mut hx);
    let product = join(&ha, &hb, &hx);
    close("hvp", &product, &hv, 1e-9);
    all_kinds_hvp_rev(&a, &b, &x, &va, &vb, &vx, &mut ha, &mut hb, &mut hx);
    close("hvp_rev", &join(&ha, &hb, &hx), &product, 1e-12);
    let (value, slope, curvature) = all_kinds_curvature(&a, &b, &x, &va, &vb, &vx);
    let size = 1.0 + value.abs() + curvature.abs();
    assert!(
        (slope - (&g * &v).sum()).abs() < 1e-11 * size
            && (curvature - (&product * &v).sum()).abs() < 1e-11 * size
    );
}

/// Two layers, ‖tanh(X·W₁ + b₁)·W₂ - Y‖²/n.
#[differentiable(wrt(w1, b1, w2))]
fn network(
    w1: ArrayView2<f64>,
    b1: ArrayView1<f64>,
    w2: ArrayView2<f64>,
    x: ArrayView2<f64>,
    y: ArrayView2<f64>,
) -> f64 {
    let hidden = (x.dot(&w1) + b1).mapv(f64::tanh);
    let error = hidden.dot(&w2) - y;
    error.mapv(|e| e * e).sum() / x.nrows() as f64
}

#[test]
fn network_of_two_layers() {
    let (n, inputs, width, outputs) = (6, 4, 5, 2);
    let (x, y) = (matrix(7, n, inputs), matrix(8, n, outputs));
    let (w1, b1, w2) = (matrix(9, inputs, width), vector(10, width), matrix(11, width, outputs));
    let (v1, c1, v2) = (matrix(12, inputs, width), vector(13, width), matrix(14, width, outputs));
    // By hand.
    let h = (x.dot(&w1) + &b1).mapv(f64::tanh);
    let e = h.dot(&w2) - &y;
    let scale = 2.0 / n as f64;
    let e_bar = &e * scale;
    let z_bar = e_bar.dot(&w2.t()) * h.mapv(|h| 1.0 - h * h);
    let z_dot = x.dot(&v1) + &c1;
    let h_dot = &z_dot * &h.mapv(|h| 1.0 - h * h);
    let e_bar_dot = (h_dot.dot(&w2) + h.dot(&v2)) * scale;
    let z_bar_dot = (e_bar_dot.dot(&w2.t()) + e_bar.dot(&v2.t())) * h.mapv(|h| 1.0 - h * h)
        - e_bar.dot(&w2.t()) * 2.0 * &h * &h_dot;
    let (mut g1, mut gb, mut g2) = (w1.clone(), b1.clone(), w2.clone());
    let value = network_grad(
        w1.view(),
        b1.view(),
        w2.view(),
        x.view(),
        y.view(),
        g1.view_mut(),
        gb.view_mut(),
        g2.view_mut(),
    );
    assert!((value - network(w1.view(), b1.view(), w2.view(), x.view(), y.view())).abs() < 1e-13);
    close("w1_bar", &g1, &x.t().dot(&z_bar), 1e-12);
    close1("b1_bar", &gb, &z_bar.sum_axis(Axis(0)), 1e-12);
    close("w2_bar", &g2, &h.t().dot(&e_bar), 1e-12);
    let wanted =
        (x.t().dot(&z_bar_dot), z_bar_dot.sum_axis(Axis(0)), h_dot.t().dot(&e_bar) + h.t().dot(&e_bar_dot));
    for rev in [false, true] {
        let hvp = if rev { network_hvp_rev } else { network_hvp };
        let (mut h1, mut hb, mut h2) = (w1.clone(), b1.clone(), w2.clone());
        hvp(
            w1.view(),
            b1.view(),
            w2.view(),
            x.view(),
            y.view(),
            v1.view(),
            c1.view(),
            v2.view(),
            h1.view_mut(),
            hb.view_mut(),
            h2.view_mut(),
        );
        close("w1", &h1, &wanted.0, 1e-12);
        close1("b1", &hb, &wanted.1, 1e-12);
        close("w2", &h2, &wanted.2, 1e-12);
    }
}

/// A recurrence: the state is overwritten each round.
#[differentiable]
fn recurrent(u: &Array2<f64>, x: &Array1<f64>, steps: usize) -> f64 {
    let mut h = x.clone();
    let mut m = u.clone();
    for _ in 0..steps {
        h = (u.dot(&h) + x).mapv(f64::sin);
        m = m.dot(u) * 0.5;
    }
    h.dot(&h) + m.mapv(|m| m * m).sum()
}

#[test]
fn products_in_loops() {
    let n = 3;
    let (u, x, vu, vx) = (matrix(15, n, n), vector(16, n), matrix(17, n, n), vector(18, n));
    let grad = |t: f64| {
        let (u, x) = (&u + &(&vu * t), &x + &(&vx * t));
        let (mut gu, mut gx) = (u.clone(), x.clone());
        recurrent_grad(&u, &x, 4, &mut gu, &mut gx);
        gu.push_row(gx.view()).unwrap();
        gu
    };
    let slope =
        difference(|t| Array2::from_elem((1, 1), recurrent(&(&u + &(&vu * t)), &(&x + &(&vx * t)), 4)));
    let mut v = vu.clone();
    v.push_row(vx.view()).unwrap();
    close("gradient", &Array2::from_elem((1, 1), (&grad(0.0) * &v).sum()), &slope, 1e-10);
    let (mut hu, mut hx) = (u.clone(), x.clone());
    recurrent_hvp(&u, &x, 4, &vu, &vx, &mut hu, &mut hx);
    hu.push_row(hx.view()).unwrap();
    close("hvp", &hu, &difference(grad), 1e-9);
    let (mut ru, mut rx) = (u.clone(), x.clone());
    recurrent_hvp_rev(&u, &x, 4, &vu, &vx, &mut ru, &mut rx);
    ru.push_row(rx.view()).unwrap();
    close("hvp_rev", &hu, &ru, 1e-12);
}

/// Views that are not contiguous, for everything that comes in and goes out.
#[test]
fn strided_views() {
    let (n, k, m) = (5, 4, 3);
    let (x, y) = (matrix(1, n, k), matrix(2, n, m));
    let (w, v) = (matrix(3, k, m), matrix(4, k, m));
    let wanted = x.t().dot(&x.dot(&v)) + 2.0 * &v;
    #[differentiable(wrt(w))]
    fn f(w: ArrayView2<f64>, x: ArrayView2<f64>, y: ArrayView2<f64>) -> f64 {
        let e = x.dot(&w) - y;
        0.5 * e.mapv(|e| e * e).sum() + w.mapv(|w| w * w).sum()
    }
    // Every other element of larger arrays; columns first.
    let spread = |a: &Array2<f64>| {
        let mut large = Array2::from_elem((2 * a.nrows(), 3 * a.ncols()), f64::NAN);
        large.slice_mut(s![..;2, ..;3]).assign(a);
        large
    };
    let turned = |a: &Array2<f64>| {
        let mut copy = Array2::zeros(a.dim().f());
        copy.assign(a);
        copy
    };
    let (wide_x, wide_w, wide_v) = (spread(&x), spread(&w), spread(&v));
    let mut out = spread(&v);
    f_hvp(
        wide_w.slice(s![..;2, ..;3]),
        wide_x.slice(s![..;2, ..;3]),
        y.view(),
        wide_v.slice(s![..;2, ..;3]),
        out.slice_mut(s![..;2, ..;3]),
    );
    close("spread", &out.slice(s![..;2, ..;3]).to_owned(), &wanted, 1e-12);
    let (fx, fw, fv, mut out) = (turned(&x), turned(&w), turned(&v), turned(&v));
    f_hvp(fw.view(), fx.view(), y.view(), fv.view(), out.view_mut());
    close("turned", &out, &wanted, 1e-12);
    let (mut back, flipped) = (v.clone(), x.slice(s![..;-1, ..]).to_owned());
    let y_back = y.slice(s![..;-1, ..]);
    f_hvp(w.view(), flipped.slice(s![..;-1, ..]), y_back, v.view(), back.slice_mut(s![.., ..]));
    close("flipped", &back, &wanted, 1e-12);
}

/// The operators: what does not depend on the direction is computed once.
#[test]
fn of_one_vector() {
    #[differentiable(wrt(w))]
    fn f(w: &[f64], x: &Array2<f64>, u: &Array2<f64>) -> f64 {
        let w = Array1::from_vec(w.to_vec());
        let hidden = x.dot(&w).mapv(f64::tanh);
        let out = u.dot(&hidden) * hidden[0];
        out.dot(&out)
    }
    let (x, u) = (matrix(1, 4, 3), matrix(2, 2, 4));
    let (w, v) = (numbers(3, 3), numbers(4, 3));
    let mut hv = vec![f64::NAN; 3];
    f_hvp(&w, &x, &u, &v, &mut hv);
    let mut rev = vec![f64::NAN; 3];
    f_hvp_rev(&w, &x, &u, &v, &mut rev);
    let mut lin = vec![f64::NAN; 3];
    f_linearize(&w, &x, &u).apply(&v, &mut lin);
    for i in 0..3 {
        assert!((hv[i] - rev[i]).abs() < 1e-12 && (hv[i] - lin[i]).abs() < 1e-12, "{hv:?} {rev:?} {lin:?}");
    }
    let grad = |t: f64| {
        let p: Vec<f64> = w.iter().zip(&v).map(|(w, v)| w + t * v).collect();
        let mut g = vec![0.0; 3];
        f_grad(&p, &x, &u, &mut g);
        Array2::from_shape_vec((1, 3), g).unwrap()
    };
    close("hvp", &Array2::from_shape_vec((1, 3), hv).unwrap(), &difference(grad), 1e-9);
    assert_eq!(f_sparsity(&w, &x, &u).pattern.nnz(), 9);
}

/// Of nalgebra's matrices whose size is not fixed.
#[test]
fn dynamic_matrices() {
    use nalgebra::{DMatrix, DVector};
    #[differentiable]
    fn f(a: &DMatrix<f64>, x: &DVector<f64>) -> f64 {
        let both = a.transpose() * a;
        let y = &both * x;
        let z = a * &y;
        z.norm_squared() + (&both * &both).trace()
    }
    let (n, m) = (4, 3);
    let (a, x) = (DMatrix::from_vec(n, m, numbers(1, n * m)), DVector::from_vec(numbers(2, m)));
    let (va, vx) = (DMatrix::from_vec(n, m, numbers(3, n * m)), DVector::from_vec(numbers(4, m)));
    let grad = |t: f64| {
        let (a, x) = (&a + &va * t, &x + &vx * t);
        let (mut ga, mut gx) = (a.clone(), x.clone());
        let value = f_grad(&a, &x, &mut ga, &mut gx);
        assert!((value - f(&a, &x)).abs() < 1e-10 * value.abs());
        Array2::from_shape_vec((1, n * m + m), ga.iter().chain(&gx).copied().collect()).unwrap()
    };
    let (mut ha, mut hx) = (a.clone(), x.clone());
    f_hvp(&a, &x, &va, &vx, &mut ha, &mut hx);
    let hv = Array2::from_shape_vec((1, n * m + m), ha.iter().chain(&hx).copied().collect()).unwrap();
    close("hvp", &hv, &difference(grad), 1e-9);
    f_hvp_rev(&a, &x, &va, &vx, &mut ha, &mut hx);
    let rev = Array2::from_shape_vec((1, n * m + m), ha.iter().chain(&hx).copied().collect()).unwrap();
    close("hvp_rev", &hv, &rev, 1e-12);
}

/// Other floats.
#[test]
fn floats_of_other_types() {
    #[differentiable(wrt(w))]
    fn single(w: &Array2<f32>, x: &Array2<f32>) -> f32 {
        let e = x.dot(w);
        e.mapv(|e| e * e).sum() * 0.5
    }
    let (x, w) = (array![[1.0_f32, 2.0], [0.5, -1.0], [3.0, 0.25]], array![[1.0_f32, -2.0], [0.5, 4.0]]);
    let (mut g, mut hv) = (w.clone(), w.clone());
    single_grad(&w, &x, &mut g);
    single_hvp(&w, &x, &w, &mut hv);
    assert_eq!(g, x.t().dot(&x.dot(&w)));
    assert_eq!(hv, g);
}

#[test]
fn wrong_shapes_panic() {
    let (w, x, y) = (matrix(1, 3, 2), matrix(2, 5, 4), matrix(3, 5, 2));
    let mut g = w.clone();
    let error =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| least_squares_grad(&w, &x, &y, &mut g)));
    let message = *error.expect_err("the shapes do not fit").downcast::<String>().expect("a message");
    assert!(message.contains("as many columns in the first as rows in the second"), "{message}");
}

#[test]
fn generic_floats() {
    #[differentiable(wrt(w))]
    fn f<T: num_traits::Float + 'static>(w: &Array2<T>, x: &Array2<T>, y: &Array1<T>) -> T {
        let e = x.dot(w).dot(y);
        e.dot(&e) * T::from(0.5).unwrap()
    }
    let (x, w, y) = (matrix(1, 5, 4), matrix(2, 4, 3), vector(3, 3));
    let (v, mut g, mut hv) = (matrix(4, 4, 3), w.clone(), w.clone());
    let outer = |e: &Array1<f64>| {
        let column = x.t().dot(e);
        Array2::from_shape_fn((4, 3), |(i, j)| column[i] * y[j])
    };
    f_grad(&w, &x, &y, &mut g);
    close("gradient", &g, &outer(&x.dot(&w).dot(&y)), 1e-12);
    f_hvp(&w, &x, &y, &v, &mut hv);
    close("hvp", &hv, &outer(&x.dot(&v).dot(&y)), 1e-12);
    f_hvp_rev(&w, &x, &y, &v, &mut g);
    close("hvp_rev", &g, &hv, 1e-12);
    let single = |a: &Array2<f64>| a.mapv(|a| a as f32);
    let mut g = single(&w);
    f_hvp(&single(&w), &single(&x), &y.mapv(|a| a as f32), &single(&v), &mut g);
    close("f32", &g.mapv(f64::from), &hv, 1e-5);
}
