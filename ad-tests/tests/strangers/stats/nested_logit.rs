//! Nested logit discrete choice: log-sum-exp over an `impl Iterator + Clone`, fixed-size array by reference.
use ad_runtime::differentiable;

struct Alternative {
    nest: usize,
    attributes: [f64; 3],
}
struct Choice {
    menu: Vec<Alternative>,
    chosen: usize,
}

#[differentiable]
fn log_sum_exp(values: impl Iterator<Item = f64> + Clone) -> f64 {
    let max = values.clone().fold(f64::NEG_INFINITY, f64::max);
    max + values.map(|v| (v - max).exp()).sum::<f64>().ln()
}

#[differentiable(wrt(beta, dissimilarity))]
fn nested_logit(beta: &[f64; 3], dissimilarity: [f64; 2], choices: &[Choice]) -> f64 {
    let mut nll = 0.0;
    for Choice { menu, chosen } in choices {
        let utility: Vec<f64> =
            menu.iter().map(|alt| alt.attributes.iter().zip(beta.iter()).map(|(a, b)| a * b).sum()).collect();
        let inclusive: Vec<f64> = dissimilarity
            .iter()
            .enumerate()
            .map(|(m, &lambda)| {
                let members = menu.iter().zip(&utility).filter(|(alt, _)| alt.nest == m);
                log_sum_exp(members.map(|(_, u)| u / lambda))
            })
            .collect();
        let nest = menu[*chosen].nest;
        let lambda = dissimilarity[nest];
        let within = utility[*chosen] / lambda - inclusive[nest];
        let among =
            lambda * inclusive[nest] - log_sum_exp(inclusive.iter().zip(&dissimilarity).map(|(i, l)| i * l));
        nll -= within + among;
    }
    nll
}

fn choices() -> Vec<Choice> {
    let alt = |nest, attributes| Alternative { nest, attributes };
    vec![
        Choice {
            menu: vec![alt(0, [1.0, 0.3, 0.2]), alt(0, [0.4, -0.5, 1.0]), alt(1, [0.0, 1.2, -0.6])],
            chosen: 1,
        },
        Choice {
            menu: vec![
                alt(1, [0.8, 0.1, 0.4]),
                alt(0, [-0.3, 0.7, 0.9]),
                alt(1, [0.5, -1.0, 0.1]),
                alt(0, [0.2, 0.2, -0.8]),
            ],
            chosen: 0,
        },
        Choice { menu: vec![alt(1, [0.1, 0.9, 0.3]), alt(0, [1.1, 0.0, -0.2])], chosen: 1 },
    ]
}

#[test]
fn exact() {
    let data = choices();
    super::harness::check(
        "nested_logit",
        &[0.7, -0.4, 0.5, 0.6, 0.8],
        |x| nested_logit(&[x[0], x[1], x[2]], [x[3], x[4]], &data),
        |x| {
            let mut g = [f64::NAN; 3];
            let (value, l) = nested_logit_grad(&[x[0], x[1], x[2]], [x[3], x[4]], &data, &mut g);
            (value, [&g[..], &l].concat())
        },
        |x, v| {
            let mut h = [f64::NAN; 3];
            let l = nested_logit_hvp(
                &[x[0], x[1], x[2]],
                [x[3], x[4]],
                &data,
                &[v[0], v[1], v[2]],
                [v[3], v[4]],
                &mut h,
            );
            [&h[..], &l].concat()
        },
    );
}
