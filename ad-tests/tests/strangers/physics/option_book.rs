//! Black-Scholes value of a book of European options (spot, vol, rate: gamma, vanna, volga, ...).
use ad_runtime::differentiable;
use std::f64::consts::PI;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    Call,
    Put,
    DigitalCall { payout: f64 },
    Forward,
}

#[derive(Clone, Debug)]
struct Leg {
    kind: Kind,
    quantity: f64,
    strike: f64,
    expiry: f64,
}

#[differentiable]
fn norm_cdf(x: f64) -> f64 {
    const B: [f64; 5] = [0.319381530, -0.356563782, 1.781477937, -1.821255978, 1.330274429];
    let t = 1.0 / (1.0 + 0.2316419 * x.abs());
    let poly = B.iter().rev().fold(0.0, |acc, b| (acc + b) * t);
    let tail = (-0.5 * x * x).exp() / (2.0 * PI).sqrt() * poly;
    if x < 0.0 { tail } else { 1.0 - tail }
}

#[differentiable]
fn book_value(spot: f64, vol: f64, rate: f64, legs: &[Leg]) -> f64 {
    legs.iter()
        .map(|&Leg { kind, quantity, strike, expiry }| {
            let discount = (-rate * expiry).exp();
            let sd = vol * expiry.sqrt();
            let d1 = ((spot / strike).ln() + (rate + 0.5 * vol * vol) * expiry) / sd;
            let d2 = d1 - sd;
            let unit = match kind {
                Kind::Call => spot * norm_cdf(d1) - strike * discount * norm_cdf(d2),
                Kind::Put => strike * discount * norm_cdf(-d2) - spot * norm_cdf(-d1),
                Kind::DigitalCall { payout } => payout * discount * norm_cdf(d2),
                Kind::Forward => spot - strike * discount,
            };
            quantity * unit
        })
        .sum()
}

#[test]
fn exact() {
    let legs = vec![
        Leg { kind: Kind::Call, quantity: 2.0, strike: 0.8, expiry: 1.5 },
        Leg { kind: Kind::Put, quantity: -1.0, strike: 1.5, expiry: 0.75 },
        Leg { kind: Kind::DigitalCall { payout: 0.5 }, quantity: 3.0, strike: 1.4, expiry: 2.0 },
        Leg { kind: Kind::Forward, quantity: -0.5, strike: 1.0, expiry: 1.0 },
    ];
    super::harness::check(
        "option_book",
        &[1.05, 0.35, 0.04],
        |x| book_value(x[0], x[1], x[2], &legs),
        |x| {
            let (value, (a, b, c)) = book_value_grad(x[0], x[1], x[2], &legs);
            (value, vec![a, b, c])
        },
        |x, v| {
            let (a, b, c) = book_value_hvp(x[0], x[1], x[2], &legs, v[0], v[1], v[2]);
            vec![a, b, c]
        },
    );
}
