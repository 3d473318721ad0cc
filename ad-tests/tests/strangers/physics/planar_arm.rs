//! Inverse kinematics cost of a planar serial arm, with obstacle and joint limit penalties.
use ad_runtime::differentiable;

struct Disc {
    centre: [f64; 2],
    radius: f64,
}

#[differentiable(wrt(q))]
fn reach_cost<const N: usize>(
    q: [f64; N],
    lengths: &[f64; N],
    target: (f64, f64),
    obstacles: &[Disc],
) -> f64 {
    let joints = q
        .iter()
        .zip(lengths)
        .scan((0.0, 0.0, 0.0), |state, (&dq, &len)| {
            let (x, y, angle) = *state;
            let heading = angle + dq;
            let (s, c) = heading.sin_cos();
            *state = (x + len * c, y + len * s, heading);
            Some(*state)
        })
        .collect::<Vec<(f64, f64, f64)>>();
    let Some(&(tip_x, tip_y, _)) = joints.last() else { return 0.0 };

    let miss = (tip_x - target.0).powi(2) + (tip_y - target.1).powi(2);
    let clearance: f64 = obstacles
        .iter()
        .flat_map(|disc| {
            joints.iter().map(move |&(x, y, _)| (x - disc.centre[0]).hypot(y - disc.centre[1]) - disc.radius)
        })
        .map(|gap| (-6.0 * gap).exp().ln_1p() / 6.0)
        .sum();
    let comfort = q.iter().skip(1).map(|a| 1.0 - a.cos()).sum::<f64>();
    miss + 0.5 * clearance + 0.01 * comfort
}

#[test]
fn exact() {
    let lengths = [1.0, 0.8, 0.6, 0.3];
    let target = (1.2, 1.4);
    let obstacles = [Disc { centre: [1.3, 0.4], radius: 0.3 }, Disc { centre: [0.2, 1.5], radius: 0.5 }];
    let q = |x: &[f64]| -> [f64; 4] { x.try_into().unwrap() };
    super::harness::check(
        "planar_arm",
        &[0.4, 0.7, -0.5, 0.9],
        |x| reach_cost(q(x), &lengths, target, &obstacles),
        |x| {
            let (value, g) = reach_cost_grad(q(x), &lengths, target, &obstacles);
            (value, g.to_vec())
        },
        |x, v| reach_cost_hvp(q(x), &lengths, target, &obstacles, q(v)).to_vec(),
    );
}
