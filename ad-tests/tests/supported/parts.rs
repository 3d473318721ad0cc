//! Parts of arrays that are changed where they are, held in variables: of `ndarray`, of `nalgebra`, and rows and slices of the
//! language itself.

use ad_runtime::differentiable;
use nalgebra::{DMatrix, Matrix3, Vector3};
use ndarray::{Array1, Array2, ArrayViewMut1, ArrayViewMut2, Axis, Zip, s};

/// The value beside the function itself, and its derivatives by differences, of a function of three rows of four.
macro_rules! check {
    ($f:ident, $grad:ident, $hvp:ident) => {{
        let at: Vec<f64> = (0..12).map(|k| ((1.7 * k as f64 + 0.4).sin() + 0.2) * 0.9).collect();
        let v: Vec<f64> = (0..12).map(|k| (1.3 * k as f64 + 0.4).cos()).collect();
        let grad = |p: &[f64]| {
            let mut g = matrix(&[f64::NAN; 12]);
            let value = $grad(&matrix(p), &mut g);
            (value, g.iter().copied().collect::<Vec<_>>())
        };
        let (value, g) = grad(&at);
        crate::supported::close("value", &[value], &[$f(&matrix(&at))], 1e-13);
        let along: f64 = g.iter().zip(&v).map(|(g, v)| g * v).sum();
        let slope = crate::supported::difference(&at, &v, |p| vec![$f(&matrix(p))]);
        crate::supported::close("slope", &[along], &slope, 1e-8);
        let mut hv = matrix(&[f64::NAN; 12]);
        $hvp(&matrix(&at), &matrix(&v), &mut hv);
        let bend = crate::supported::difference(&at, &v, |p| grad(p).1);
        crate::supported::close("Hv", &hv.iter().copied().collect::<Vec<_>>(), &bend, 1e-8);
    }};
}

fn matrix(p: &[f64]) -> Array2<f64> {
    Array2::from_shape_vec((3, 4), p.to_vec()).unwrap()
}

#[differentiable]
fn scale(v: &mut ArrayViewMut1<f64>, by: f64) {
    for v in v.iter_mut() {
        *v *= by;
    }
    v[0] += by;
}

#[differentiable]
fn scale_owned(mut v: ArrayViewMut1<f64>, by: f64) {
    v *= by;
    v[1] = by;
}

#[differentiable]
fn scale_block(mut v: ArrayViewMut2<f64>, by: f64) {
    v *= by;
    v[[1, 0]] = by;
    v.column_mut(0).mapv_inplace(|x| x * x);
}

#[test]
fn blocks_and_columns_in_variables() {
    struct Parts<'a> {
        head: ArrayViewMut1<'a, f64>,
        n: usize,
    }
    #[differentiable]
    fn block_var(a: &Array2<f64>) -> f64 {
        let mut k = a.mapv(|v| v * v);
        for e in 0..2 {
            let mut block = k.slice_mut(s![e..e + 2, 2 * e..2 * e + 2]);
            block += &a.slice(s![..2, 1..3]);
            block *= 1.5;
            block[[0, 1]] = block[[1, 0]] * a[[2, 2]];
            block -= 0.3;
        }
        k.mapv(f64::sin).sum() + k[[0, 1]] * k[[1, 2]]
    }
    #[differentiable]
    fn column_var(a: &Array2<f64>) -> f64 {
        let mut k = a.mapv(f64::exp);
        let mut total = 0.0;
        for j in 0..k.ncols() {
            let mut c = k.column_mut(j);
            for v in c.iter_mut() {
                *v *= 2.0 + a[[0, 0]];
            }
            if j % 2 == 0 {
                c[1] = c[0] * c[2].sin();
            } else if a[[0, j]] > 0.0 {
                c.assign(&a.column(j));
                continue;
            }
            let s = c.sum();
            c /= s;
            total += c.dot(&a.column(0));
        }
        k.mapv(|v| v * v).sum() + total
    }
    #[differentiable]
    fn two_parts(a: &Array2<f64>) -> f64 {
        let mut k = a.clone();
        let mut left = k.slice_mut(s![.., ..2]);
        left *= &a.slice(s![.., 2..]);
        let mut right = k.slice_mut(s![1.., 1..]);
        right.mapv_inplace(|v| v.powi(2));
        let first = right[[0, 0]];
        right.fill(0.7);
        right.row_mut(1).assign(&a.slice(s![0, ..3]));
        let q = k.sum() * first;
        k.slice_mut(s![.., 3]).scaled_add(2.0, &a.column(1));
        q + k.mapv(f64::cos).sum()
    }
    #[differentiable]
    fn read_of_parts(a: &Array2<f64>) -> f64 {
        let mut k = a.mapv(|v| v * 0.5);
        let mut b = k.slice_mut(s![.., 1..4]);
        b[[0, 0]] = a[[1, 1]] * a[[2, 2]];
        let bb = b.dot(&b.t());
        let owned = b.to_owned();
        b.column_mut(0).assign(&bb.column(1));
        let n = b.nrows() * b.ncols();
        let len = b.len();
        assert!(len == 9);
        let v = b.dot(&a.column(0));
        b.row_mut(2).assign(&v);
        let sums = b.sum_axis(Axis(0));
        b -= &sums;
        b += &v.insert_axis(Axis(1));
        let x = b[[1, 1]] + b.mean().unwrap() + b.iter().map(|v| v * v).sum::<f64>();
        let trace: f64 = b.diag().sum();
        k.sum() * x + owned.mapv(f64::sin).sum() * n as f64 + trace
    }
    #[differentiable]
    fn assigned(a: &Array2<f64>) -> f64 {
        let mut k = Array2::zeros((3, 4));
        k.assign(&a.row(0));
        let mut b = k.slice_mut(s![.., 2..]);
        b.assign(&a.column(1).insert_axis(Axis(1)));
        b[[0, 0]] *= 3.0;
        let mut c = k.column_mut(0);
        c[0] = a[[2, 2]];
        c = k.column_mut(1);
        c[1] = a[[2, 3]] * c[0];
        k.mapv(f64::exp).sum()
    }
    #[differentiable]
    fn in_tuples(a: &Array2<f64>) -> f64 {
        let mut k = a.clone();
        let (mut u, w) = (k.column_mut(1), a.column(2));
        u += &w;
        let mut p = Parts { head: u, n: 2 };
        p.head[p.n] *= 2.0;
        p.head.mapv_inplace(|v| v * v);
        k.mapv(f64::sin).sum()
    }
    check!(block_var, block_var_grad, block_var_hvp);
    check!(column_var, column_var_grad, column_var_hvp);
    check!(two_parts, two_parts_grad, two_parts_hvp);
    check!(read_of_parts, read_of_parts_grad, read_of_parts_hvp);
    check!(assigned, assigned_grad, assigned_hvp);
    check!(in_tuples, in_tuples_grad, in_tuples_hvp);
}

#[test]
fn parts_with_steps() {
    #[differentiable]
    fn steps(a: &Array2<f64>) -> f64 {
        let mut f = Array1::<f64>::zeros(6);
        f.slice_mut(s![..;2]).assign(&a.slice(s![0, ..3]));
        f.slice_mut(s![1..;2]).fill(0.5);
        let mut odd = f.slice_mut(s![1..;2]);
        odd += &a.column(1);
        odd *= &a.column(2);
        let mut back = f.slice_mut(s![1..;-3]);
        back += &a.slice(s![1, 0..2]);
        let mut k = a.clone();
        k.slice_mut(s![..;2, 1..;2]).mapv_inplace(|v| v * v * v);
        k.slice_mut(s![..;-1, 0]).assign(&a.column(1));
        k.slice_mut(s![-1, ..;-2]).scaled_add(0.3, &a.slice(s![0, ..2]));
        let some = k.slice(s![..;2, ..;-1]);
        f.mapv(f64::sin).sum() + k.mapv(f64::exp).sum() + some.dot(&a.row(1)).sum()
    }
    check!(steps, steps_grad, steps_hvp);
}

#[test]
fn parts_in_branches_and_exits() {
    #[differentiable]
    fn exits(a: &Array2<f64>) -> f64 {
        let mut k = a.clone();
        let mut done = 0.0;
        for j in 0..4 {
            let mut c = k.column_mut(j);
            for i in 0..3 {
                if c[i] > 0.8 {
                    break;
                }
                c[i] = (c[i] * 1.5).sin();
                if c[i] < -0.5 {
                    done += c[i];
                    break;
                }
            }
            if c[2] > 0.25 {
                c *= 2.0;
                if j == 3 {
                    return c.sum() + k.sum() * done;
                }
            }
        }
        k.mapv(|v| v.powi(3)).sum() + done
    }
    #[differentiable]
    fn branches(a: &Array2<f64>) -> f64 {
        let mut k = a.clone();
        let n = if a[[0, 0]] > 0.0 { 1 } else { 2 };
        let mut b = k.slice_mut(s![..n, ..n]);
        if a[[1, 1]] > 5.0 {
            b *= 2.0;
        } else {
            match n {
                1 => b.fill(a[[2, 0]]),
                _ => b += 1.0,
            }
        }
        while b[[0, 0]] < 3.0 {
            b[[0, 0]] = b[[0, 0]] * 1.5 + 1.0;
        }
        k.mapv(|v| v * v).sum()
    }
    #[differentiable]
    fn carried(a: &Array2<f64>) -> f64 {
        let mut k = a.clone();
        let mut rest = k.view_mut();
        let mut t = 0.0;
        for i in 0..2 {
            let (mut head, tail) = rest.split_at(Axis(0), 1);
            head *= 2.0 + i as f64;
            t += head[[0, 1]];
            rest = tail;
        }
        rest *= 0.5;
        k.mapv(f64::sin).sum() * t
    }
    #[differentiable]
    fn chosen(a: &Array2<f64>) -> f64 {
        let mut k = a.clone();
        let n = 2;
        let mut c = if a[[0, 0]] > 0.0 { k.column_mut(n) } else { k.column_mut(1) };
        c *= 2.0;
        k.mapv(f64::sin).sum()
    }
    #[differentiable]
    fn last_block(a: &Array2<f64>) -> f64 {
        let mut k = a.clone();
        let mut c = {
            let j = if a[[0, 0]] > 3.0 { 2 } else { 1 };
            k.column_mut(j)
        };
        c *= 2.0;
        let n = k.nrows();
        let c = match n {
            3 => {
                let mut c = k.column_mut(0);
                c[0] = 1.5 * c[1];
                c
            }
            _ => k.column_mut(1),
        };
        let t = c.sum();
        k.mapv(f64::sin).sum() * t
    }
    #[differentiable]
    fn option(a: &Array2<f64>) -> f64 {
        let mut k = a.clone();
        let c = Some(k.column_mut(1));
        if let Some(mut c) = c {
            c += 1.0;
        }
        k.mapv(f64::sin).sum()
    }
    check!(exits, exits_grad, exits_hvp);
    check!(branches, branches_grad, branches_hvp);
    check!(carried, carried_grad, carried_hvp);
    check!(chosen, chosen_grad, chosen_hvp);
    check!(last_block, last_block_grad, last_block_hvp);
    check!(option, option_grad, option_hvp);
}

#[test]
fn parts_passed_on() {
    #[differentiable]
    fn passed_on(a: &Array2<f64>) -> f64 {
        let mut k = a.mapv(|v| v + 1.0);
        let mut c = k.column_mut(1);
        scale(&mut c, a[[0, 0]]);
        scale(&mut c, a[[0, 1]]);
        c[2] *= 3.0;
        scale_owned(k.column_mut(2), a[[1, 1]]);
        scale(&mut k.slice_mut(s![.., 0]), a[[2, 1]]);
        scale_owned(k.row_mut(0), a[[2, 2]]);
        scale_block(k.view_mut(), a[[0, 3]]);
        scale_block(k.slice_mut(s![1.., 1..3]), a[[0, 3]]);
        k.mapv(f64::sin).sum()
    }
    #[differentiable]
    fn closures(a: &Array2<f64>) -> f64 {
        let mut k = a.clone();
        let bump = |c: &mut ArrayViewMut1<f64>, by: f64| {
            c[0] += by;
            c[1] *= c[0];
        };
        for j in 1..3 {
            let mut c = k.column_mut(j);
            bump(&mut c, a[[0, j]]);
            bump(&mut c, a[[1, j]]);
        }
        {
            let mut b = k.slice_mut(s![..2, ..2]);
            let mut add = |v: f64| b[[0, 0]] += v;
            add(a[[2, 3]]);
            add(a[[2, 2]] * 2.0);
        }
        k.mapv(|v| v * v).sum()
    }
    check!(passed_on, passed_on_grad, passed_on_hvp);
    check!(closures, closures_grad, closures_hvp);
}

#[test]
fn views_split_and_turned() {
    #[differentiable]
    fn moved(a: &Array2<f64>) -> f64 {
        let mut k = a.clone();
        let mut whole = k.view_mut();
        whole *= 2.0;
        let (mut l, mut r) = whole.split_at(Axis(1), 1);
        l += 1.0;
        r *= &a.slice(s![.., 1..]);
        let mut t = k.view_mut().reversed_axes();
        t[[3, 0]] = t[[0, 0]] * t[[1, 2]];
        t.row_mut(2).fill(0.1);
        let mut c = k.view_mut().index_axis_move(Axis(1), 3);
        c *= a[[0, 0]];
        let mut c = k.index_axis_mut(Axis(1), 0);
        c *= a[[0, 1]];
        let mut m = k.view_mut().slice_move(s![.., 1]);
        m[0usize] = m[1usize] * m[2usize];
        k.diag_mut().mapv_inplace(|v| v * v);
        let mut d = k.diag_mut();
        d += &a.column(3);
        let (mut up, mut down) = k.view_mut().split_at(Axis(0), 1);
        up.column_mut(1).fill(a[[2, 0]]);
        down.column_mut(1)[1] *= up[[0, 0]];
        k.row_mut(2).insert_axis(Axis(1)).assign(&a.row(0).insert_axis(Axis(1)));
        k.mapv(f64::sin).sum()
    }
    check!(moved, moved_grad, moved_hvp);
}

#[test]
fn elements_and_lanes_of_parts() {
    #[differentiable]
    fn iterated(a: &Array2<f64>) -> f64 {
        let mut k = a.clone();
        for (j, mut c) in k.columns_mut().into_iter().enumerate() {
            let n = c.dot(&c).sqrt();
            c /= n;
            c[0] += a[[1, j]];
        }
        for mut c in k.axis_iter_mut(Axis(1)) {
            c[1] = c[0] * c[2];
        }
        for mut c in k.lanes_mut(Axis(0)) {
            c[2] = c[1] * c[1];
        }
        for mut c in k.axis_iter_mut(Axis(0)) {
            c[3] *= c[0];
        }
        for v in k.slice_mut(s![.., 1..3]).iter_mut() {
            *v = v.sin();
        }
        for v in k.slice_mut(s![..;2, ..;2]) {
            *v += a[[0, 0]];
        }
        for v in k.column_mut(3) {
            *v *= 2.0;
        }
        for mut r in k.slice_mut(s![.., 1..3]).rows_mut() {
            r *= a[[1, 1]];
            r[0] -= r[1];
        }
        Zip::from(&mut k.column_mut(0)).and(&a.column(1)).for_each(|x, &y| *x += y * y);
        Zip::from(k.column_mut(0)).and(&a.column(1)).for_each(|x, &y| *x *= y * y);
        k.column_mut(2).iter_mut().zip(a.row(0)).for_each(|(x, y)| *x += y);
        k.sum() + k.dot(&a.row(1)).mapv(|v| v * v).sum()
    }
    #[differentiable]
    fn whole_by_reference(a: &Array2<f64>) -> f64 {
        let mut k = a.mapv(|v| v * v);
        let mut t = 0.0;
        for v in &mut k {
            *v *= 1.5;
        }
        for (i, v) in k.iter().enumerate() {
            t += v * i as f64;
        }
        for v in k.row(1) {
            t *= v.cos();
        }
        k.mapv(f64::sin).sum() + t
    }
    #[differentiable]
    fn elements(a: &Array2<f64>) -> f64 {
        let mut k = a.mapv(|v| v * v);
        let mut t = 0.0;
        for v in &k {
            t += v.sin();
        }
        for (i, v) in k.view_mut().into_iter().enumerate() {
            *v *= i as f64;
        }
        for v in k.view() {
            t += v.cos();
        }
        for (v, w) in k.iter_mut().zip(a) {
            *v *= w;
        }
        for (v, w) in k.slice_mut(s![.., 1..3]).into_iter().zip(a.slice(s![.., 2..])) {
            *v *= w;
        }
        let mut m = DMatrix::from_fn(3, 4, |i, j| a[[i, j]]);
        for mut c in m.column_iter_mut() {
            c *= 2.0;
            c[0] += 1.0;
        }
        for (i, v) in m.iter_mut().enumerate() {
            *v *= (i * i) as f64;
        }
        for (i, v) in m.into_iter().enumerate() {
            t += v * v * i as f64;
        }
        k.mapv(f64::sin).sum() + t
    }
    #[differentiable]
    fn counted(a: &Array2<f64>) -> f64 {
        let mut k = a.clone();
        let mut n = 0.0;
        for v in &mut k {
            *v *= 2.0;
            n += 1.0;
        }
        k.mapv(|v| v * v).sum() * n
    }
    check!(iterated, iterated_grad, iterated_hvp);
    check!(whole_by_reference, whole_by_reference_grad, whole_by_reference_hvp);
    check!(elements, elements_grad, elements_hvp);
    check!(counted, counted_grad, counted_hvp);
}

#[test]
fn parts_of_matrices_of_nalgebra() {
    #[differentiable]
    fn nalgebras(a: &Array2<f64>) -> f64 {
        let mut m = Matrix3::new(
            a[[0, 0]],
            a[[0, 1]],
            a[[0, 2]],
            a[[1, 0]],
            a[[1, 1]],
            a[[1, 2]],
            a[[2, 0]],
            a[[2, 1]],
            a[[2, 2]],
        );
        for (i, v) in m.iter_mut().enumerate() {
            *v *= i as f64;
        }
        let mut c = m.column_mut(1);
        c *= 2.0;
        c[0] = a[[0, 3]];
        c += Vector3::new(a[[1, 3]], 0.0, 1.0);
        m.column_mut(2).copy_from(&Vector3::new(a[[2, 3]], 0.5, 1.0));
        let mut t = 0.0;
        for (i, v) in m.iter().enumerate() {
            t += v * v * i as f64;
        }
        t + m.determinant()
    }
    #[differentiable]
    fn dynamic_matrix(a: &Array2<f64>) -> f64 {
        let mut m = DMatrix::from_fn(3, 4, |i, j| a[[i, j]]);
        for j in 0..4 {
            let mut c = m.column_mut(j);
            let n = c.norm();
            c /= n;
            c[1] *= j as f64;
        }
        m.map(f64::sin).sum()
    }
    check!(nalgebras, nalgebras_grad, nalgebras_hvp);
    check!(dynamic_matrix, dynamic_matrix_grad, dynamic_matrix_hvp);
}

#[test]
fn rows_and_slices_in_variables() {
    #[differentiable]
    fn plain(a: &Array2<f64>) -> f64 {
        let mut k = [[a[[0, 0]], 1.0], [a[[1, 1]], 2.0], [a[[1, 2]], a[[2, 1]]]];
        let norm = |r: &[f64; 2]| r[0] * r[0] + r[1];
        let mut t = 0.0;
        let mut rows: Vec<[f64; 2]> = Vec::new();
        for r in k.iter_mut() {
            t += norm(r);
            r[0] *= 2.0;
            rows.push(*r);
            for v in r.iter_mut() {
                *v += 1.0;
            }
            for v in r {
                *v *= a[[2, 2]];
            }
        }
        let r = &mut k[1];
        r[1] = r[0].sin();
        let (x, y) = k.split_at_mut(1);
        x[0][0] = y[0][1] * y[1][0];
        for r in rows.iter_mut() {
            r[1] *= 3.0;
        }
        let mut flat = a.row(0).to_vec();
        for c in flat.chunks_mut(2) {
            c[0] *= c[1];
            let s: f64 = c.iter().sum();
            c[1] = s;
        }
        let part = &mut flat[1..3];
        part[0] += part[1];
        for v in part {
            *v *= 2.0;
        }
        let best = flat.iter_mut().max_by(|a, b| a.partial_cmp(b).unwrap()).unwrap();
        *best *= 1.5;
        let c: Vec<[f64; 2]> = rows.iter().copied().collect();
        let mut d: Vec<[f64; 2]> = rows.into_iter().map(|r| [r[1], r[0]]).collect();
        d[0][0] *= 2.0;
        k.iter().map(|r| r[0] * r[1]).sum::<f64>() * t
            + c.iter().map(norm).sum::<f64>()
            + d[0][0] * d[1][1]
            + flat.iter().map(|v| v * v).sum::<f64>()
    }
    #[differentiable]
    fn rest(a: &Array2<f64>) -> f64 {
        let mut v: Vec<f64> = a.row(0).to_vec();
        let mut rest = &mut v[..];
        let mut k = 1.0;
        while rest.len() > 1 {
            let (x, y) = rest.split_at_mut(1);
            x[0] *= y[0] * k;
            k += 1.0;
            rest = y;
        }
        rest[0] *= 7.0;
        v.iter().map(|v| v * v).sum()
    }
    #[differentiable]
    fn rest_whole(a: &Array2<f64>) -> f64 {
        let mut v = [a[[0, 0]], a[[1, 1]], a[[2, 2]]];
        let mut rest: &mut [f64] = &mut v;
        for k in 0..2 {
            let (x, y) = rest.split_at_mut(1);
            x[0] *= y[0] * k as f64;
            rest = y;
        }
        rest[0] *= 7.0;
        v.iter().map(|v| v * v).sum()
    }
    #[differentiable]
    fn left(a: &Array2<f64>) -> f64 {
        let mut k = [[a[[0, 0]], 1.0], [a[[1, 1]], 2.0], [a[[1, 2]], a[[2, 1]]]];
        let mut i = 0;
        let r = loop {
            if k[i][0] > 0.1 || i == 2 {
                break &mut k[i];
            }
            i += 1;
        };
        r[1] *= r[0];
        r[0] = 3.0;
        k.iter().map(|r| r[0] * r[1]).sum()
    }
    #[differentiable]
    fn in_helpers(a: &Array2<f64>) -> f64 {
        fn scale(r: &mut [f64; 2], by: f64) {
            r[0] *= by;
            r.swap(0, 1);
        }
        fn all(rows: &mut [[f64; 2]], by: f64) {
            for r in rows {
                scale(r, by);
            }
        }
        fn sum(r: &[f64; 2]) -> f64 {
            r[0] * 2.0 + r[1]
        }
        let mut k = [[a[[0, 0]], 1.0], [a[[1, 1]], 2.0], [a[[1, 2]], a[[2, 1]]]];
        all(&mut k, a[[0, 1]]);
        all(&mut k[1..], a[[0, 2]]);
        let mut t = 0.0;
        for r in k.iter_mut() {
            scale(r, 2.0);
            t += sum(r);
            r.sort_by(|a, b| a.partial_cmp(b).unwrap());
            r.reverse();
        }
        k.iter().enumerate().map(|(i, r)| r[0] * r[1] * i as f64).sum::<f64>() * t
    }
    #[differentiable]
    fn chosen0(a: &Array2<f64>) -> f64 {
        let mut k = [[a[[0, 0]], 1.0], [a[[1, 1]], 2.0], [a[[1, 2]], a[[2, 1]]]];
        let r = if a[[0, 0]] > 0.0 { &mut k[1] } else { &mut k[2] };
        r[1] *= r[0];
        k.iter().map(|r| r[0] * r[1]).sum()
    }
    #[differentiable]
    fn chosen1(a: &Array2<f64>) -> f64 {
        let mut k = [[a[[0, 0]], 1.0], [a[[1, 1]], 2.0], [a[[1, 2]], a[[2, 1]]]];
        let r = if a[[0, 0]] > 10.0 { &mut k[..] } else { &mut k[1..] };
        r[1][0] *= 2.0;
        k.iter().map(|r| r[0] * r[1]).sum()
    }
    #[differentiable]
    fn chosen2(a: &Array2<f64>) -> f64 {
        let mut k = [[a[[0, 0]], 1.0], [a[[1, 1]], 2.0], [a[[1, 2]], a[[2, 1]]]];
        if let Some(r) = k.last_mut() {
            r[0] = 2.0 * r[1];
        }
        k.iter().map(|r| r[0] * r[1]).sum()
    }
    #[differentiable]
    fn chosen3(a: &Array2<f64>) -> f64 {
        let mut k = [[a[[0, 0]], 1.0], [a[[1, 1]], 2.0], [a[[1, 2]], a[[2, 1]]]];
        if let Some(r) = k.get_mut(1) {
            *r = [r[1], r[0]];
        }
        k.iter().map(|r| r[0] * r[1]).sum()
    }
    #[differentiable]
    fn chosen4(a: &Array2<f64>) -> f64 {
        let mut k = [[a[[0, 0]], 1.0], [a[[1, 1]], 2.0], [a[[1, 2]], a[[2, 1]]]];
        for (r, s) in k.iter_mut().zip([1.0, 2.0, 3.0]) {
            r[0] *= s;
        }
        k.iter().map(|r| r[0] * r[1]).sum()
    }
    #[differentiable]
    fn chosen5(a: &Array2<f64>) -> f64 {
        let mut k = [[a[[0, 0]], 1.0], [a[[1, 1]], 2.0], [a[[1, 2]], a[[2, 1]]]];
        let [x, y, _] = &mut k;
        x[0] += y[1];
        y[0] *= 2.0;
        k.iter().map(|r| r[0] * r[1]).sum()
    }
    check!(plain, plain_grad, plain_hvp);
    check!(rest, rest_grad, rest_hvp);
    check!(rest_whole, rest_whole_grad, rest_whole_hvp);
    check!(left, left_grad, left_hvp);
    check!(in_helpers, in_helpers_grad, in_helpers_hvp);
    check!(chosen0, chosen0_grad, chosen0_hvp);
    check!(chosen1, chosen1_grad, chosen1_hvp);
    check!(chosen2, chosen2_grad, chosen2_hvp);
    check!(chosen3, chosen3_grad, chosen3_hvp);
    check!(chosen4, chosen4_grad, chosen4_hvp);
    check!(chosen5, chosen5_grad, chosen5_hvp);
}
