//! Interleaved least-of-rounds timing: on a shared machine speed drifts by tens of percent within seconds, so everything that is
//! compared takes turns, round after round, and the least time of each counts. (criterion measures one function after the other,
//! so its ratios carry that drift.)

use std::time::Instant;

/// A sample lasts about this long, in seconds.
const SAMPLE: f64 = 3e-3;

/// Runs something as often as it is told.
pub(crate) type Run<'a> = Box<dyn FnMut(u64) + 'a>;

/// Least seconds a call of each of several things, over rounds in which they take turns.
pub(crate) fn interleaved(mut runs: Vec<Run>, rounds: usize) -> Vec<f64> {
    let time = |run: &mut Run, calls: u64| {
        let start = Instant::now();
        run(calls);
        start.elapsed().as_secs_f64() / calls as f64
    };
    let calls_for = |seconds: f64| (SAMPLE / seconds.max(1e-9)).clamp(1.0, 1e7) as u64;
    let calls: Vec<u64> = runs
        .iter_mut()
        .map(|run| {
            // The first call is cold: it only says how many to take for the estimate.
            let rough = calls_for(10.0 * time(run, 1));
            calls_for(time(run, rough))
        })
        .collect();
    let mut least = vec![f64::INFINITY; runs.len()];
    for _ in 0..rounds {
        for ((run, calls), least) in runs.iter_mut().zip(&calls).zip(&mut least) {
            *least = least.min(time(run, *calls));
        }
    }
    least
}
