//! empfindung / delta_e: CIEDE2000 on (L, a, b) tuples with hue branches and weighting struct.
use ad_runtime::differentiable;
use std::f64::consts::{PI, TAU};

#[derive(Clone, Copy, PartialEq, PartialOrd, Debug)]
pub struct KSubParams {
    pub l: f64,
    pub c: f64,
    pub h: f64,
}

impl Default for KSubParams {
    fn default() -> Self {
        Self { l: 1.0, c: 1.0, h: 1.0 }
    }
}

const TWENTY_FIVE_TO_SEVENTH: f64 = 6103515625f64;

#[differentiable]
fn get_h_prime(b: f64, a_prime: f64) -> f64 {
    if b == 0.0 && a_prime == 0.0 {
        return 0.0;
    }
    let rad = b.atan2(a_prime);
    if rad < 0.0 { rad + TAU } else { rad }
}

#[differentiable]
fn get_delta_h_prime(c1: f64, c2: f64, h_prime_1: f64, h_prime_2: f64) -> f64 {
    if 0.0 == c1 || 0.0 == c2 {
        return 0.0;
    }
    let diff = h_prime_2 - h_prime_1;
    if diff.abs() <= PI {
        diff
    } else if h_prime_2 <= h_prime_1 {
        diff + TAU
    } else {
        diff - TAU
    }
}

#[differentiable]
fn get_upcase_t(h: f64) -> f64 {
    const THIRTY_DEG_IN_RAD: f64 = TAU / 12.0;
    const SIX_DEG_IN_RAD: f64 = TAU / 60.0;
    const SIXTY_THREE_DEG_IN_RAD: f64 = TAU * 0.175;
    1.0 - 0.17 * (h - THIRTY_DEG_IN_RAD).cos()
        + 0.24 * (2.0 * h).cos()
        + 0.32 * (3.0 * h + SIX_DEG_IN_RAD).cos()
        - 0.20 * (4.0 * h - SIXTY_THREE_DEG_IN_RAD).cos()
}

#[differentiable]
fn get_r_sub_t(c_prime_bar: f64, upcase_h_prime_bar: f64) -> f64 {
    let c7 = c_prime_bar.powi(7);
    let h = upcase_h_prime_bar * (14.4 / TAU) - 11.0;
    -2.0 * (c7 / (c7 + TWENTY_FIVE_TO_SEVENTH)).sqrt() * ((-h.powi(2)).exp() * (TAU / 6.0)).sin()
}

#[differentiable(wrt(color_1, color_2))]
pub fn diff_with_params(color_1: (f64, f64, f64), color_2: (f64, f64, f64), ksub: KSubParams) -> f64 {
    let l_bar = (color_1.0 + color_2.0) * 0.5;
    let delta_l = color_2.0 - color_1.0;

    let c1 = color_1.1.hypot(color_1.2);
    let c2 = color_2.1.hypot(color_2.2);

    let tmp = ((c1 + c2) * 0.5).powi(7);
    let tmp = 1.5 - (tmp / (tmp + TWENTY_FIVE_TO_SEVENTH)).sqrt() * 0.5;
    let a_prime_1 = color_1.1 * tmp;
    let a_prime_2 = color_2.1 * tmp;

    let c_prime_1 = a_prime_1.hypot(color_1.2);
    let c_prime_2 = a_prime_2.hypot(color_2.2);
    let c_prime_bar = (c_prime_1 + c_prime_2) * 0.5;
    let delta_c_prime = c_prime_2 - c_prime_1;

    let tmp = (l_bar - 50.0).powi(2);
    let s_sub_l = 1.0 + (0.015 * tmp) / (20.0 + tmp).sqrt();
    let s_sub_c = 1.0 + 0.045 * c_prime_bar;

    let h_prime_1 = get_h_prime(color_1.2, a_prime_1);
    let h_prime_2 = get_h_prime(color_2.2, a_prime_2);
    let delta_h_prime = get_delta_h_prime(c1, c2, h_prime_1, h_prime_2);
    let delta_upcase_h_prime = 2.0 * (c_prime_1 * c_prime_2).sqrt() * (0.5 * delta_h_prime).sin();
    let upcase_h_prime_bar = if (h_prime_1 - h_prime_2).abs() > PI {
        (h_prime_1 + h_prime_2) * 0.5 + PI
    } else {
        (h_prime_1 + h_prime_2) * 0.5
    };
    let upcase_t = get_upcase_t(upcase_h_prime_bar);
    let s_sub_upcase_h = 1.0 + 0.015 * c_prime_bar * upcase_t;

    let lightness = delta_l / (ksub.l * s_sub_l);
    let chroma = delta_c_prime / (ksub.c * s_sub_c);
    let hue = delta_upcase_h_prime / (ksub.h * s_sub_upcase_h);
    let r_sub_t = get_r_sub_t(c_prime_bar, upcase_h_prime_bar);

    (lightness.powi(2) + chroma.powi(2) + hue.powi(2) + r_sub_t * chroma * hue).sqrt()
}

// a reddish and a violet colour on the two sides of hue zero
const X: &[f64] = &[38.972, 48.991, 17.138, 54.528, 42.416, -14.497];
fn t(x: &[f64]) -> (f64, f64, f64) {
    (x[0], x[1], x[2])
}
fn at(x: &[f64]) -> f64 {
    diff_with_params(t(&x[..3]), t(&x[3..]), KSubParams::default())
}
#[test]
fn exact() {
    let k = KSubParams::default();
    crate::harness::check(
        "ciede2000",
        X,
        at,
        |x| {
            let (value, (p, q)) = diff_with_params_grad(t(&x[..3]), t(&x[3..]), k);
            (value, vec![p.0, p.1, p.2, q.0, q.1, q.2])
        },
        |x, v| {
            let (p, q) = diff_with_params_hvp(t(&x[..3]), t(&x[3..]), k, t(&v[..3]), t(&v[3..]));
            vec![p.0, p.1, p.2, q.0, q.1, q.2]
        },
    );
}
