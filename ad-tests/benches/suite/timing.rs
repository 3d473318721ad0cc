//! Interleaved least-of-rounds timing: on a shared machine speed drifts by tens of percent within seconds, so everything that is
//! compared takes turns, round after round, and the least time of each counts. (criterion measures one function after the other,
//! so its ratios carry that drift.)

use crate::functions::{Case, Kind};
use std::time::Instant;

/// A sample lasts about this long, in seconds.
const SAMPLE: f64 = 3e-3;

/// Seconds a call of each kind, in their order; none where the case has no such run.
pub(crate) fn interleaved(case: &Case, kinds: &[Kind], rounds: usize) -> Vec<Option<f64>> {
    let mut out = vec![0.0; case.x.len()];
    let mut time = |kind, calls| {
        let start = Instant::now();
        case.run(kind, calls, &mut out);
        start.elapsed().as_secs_f64() / calls as f64
    };
    let calls_for = |seconds: f64| (SAMPLE / seconds.max(1e-9)).clamp(1.0, 1e7) as u64;
    let calls: Vec<Option<u64>> = kinds
        .iter()
        .map(|&kind| {
            case.has(kind).then(|| {
                // The first call is cold: it only says how many to take for the estimate.
                let rough = calls_for(10.0 * time(kind, 1));
                calls_for(time(kind, rough))
            })
        })
        .collect();
    let mut least: Vec<Option<f64>> = vec![None; kinds.len()];
    for _ in 0..rounds {
        for ((&kind, calls), least) in kinds.iter().zip(&calls).zip(&mut least) {
            if let Some(calls) = *calls {
                let seconds = time(kind, calls);
                *least = Some(least.map_or(seconds, |l: f64| l.min(seconds)));
            }
        }
    }
    least
}
