//! Where the segments of a long loop begin whose reversal is to need little memory: the binomial schedule.
//!
//! Generated code calls this; what it does with it is told in the book's chapter on how it works. Only numbers live here, no states.
//!
//! Of a loop whose reversal may keep `s` states and run its rounds `t` times (the last of them within the reversal), the
//! first segment is what `s` states and `t - 1` runs can reverse, the next what `s - 1` states can, since one is kept for where the
//! first began, and so on. So it is `C(s + t - 1, t)` rounds that can be reversed: the best that any schedule can do (Griewank,
//! *Achieving logarithmic growth of temporal and spatial complexity in reverse automatic differentiation* (1992); Griewank and
//! Walther, *Algorithm 799: revolve* (2000)), but for the state that a segment begins with, which is kept twice.

/// `C(n, k)`, or the largest number there is.
fn binomial(n: usize, k: u32) -> usize {
    let mut c: usize = 1;
    for i in 0..k as usize {
        // Exact: `C(n, i + 1)` is whole.
        c = match c.checked_mul(n.saturating_sub(i)) {
            Some(product) => product / (i + 1),
            None => return wide_binomial(n, k),
        };
    }
    c
}

/// The same in numbers of twice the size, which take their time.
#[cold]
fn wide_binomial(n: usize, k: u32) -> usize {
    let mut c: u128 = 1;
    for i in 0..u128::from(k) {
        c = match c.checked_mul((n as u128).saturating_sub(i)) {
            Some(product) => product / (i + 1),
            None => return usize::MAX,
        };
    }
    usize::try_from(c).unwrap_or(usize::MAX)
}

/// How many rounds can be reversed with so many states and runs.
fn rounds(states: usize, runs: u32) -> usize {
    binomial(states.saturating_add(runs as usize) - 1, runs)
}

/// The least number of states with which a loop of `n` rounds can be reversed, each round being run at most `runs` times, which is
/// above zero. Time O(log n).
#[must_use]
pub fn states(n: usize, runs: u32) -> usize {
    let (mut below, mut enough) = (0, 1);
    while rounds(enough, runs) < n {
        (below, enough) = (enough, enough.saturating_mul(2));
    }
    while enough - below > 1 {
        let middle = below + (enough - below) / 2;
        if rounds(middle, runs) < n { below = middle } else { enough = middle }
    }
    enough
}

/// The round that a segment begins with: of the segments `0..states`, and for `states` the number of rounds that all of them have.
#[must_use]
pub fn begin(states: usize, runs: u32, segment: usize) -> usize {
    rounds(states, runs) - rounds(states.saturating_sub(segment), runs)
}

#[cfg(test)]
mod tests {
    use super::{begin, rounds, states};

    #[test]
    fn numbers_of_rounds() {
        assert_eq!((rounds(0, 1), rounds(5, 1), rounds(5, 2), rounds(5, 3)), (0, 5, 15, 35));
        assert_eq!(rounds(usize::MAX / 2, 6), usize::MAX);
        for runs in 1..=7 {
            for n in [1, 2, 3, 10, 35, 36, 1000, 1_000_000] {
                let s = states(n, runs);
                assert!(rounds(s, runs) >= n && rounds(s - 1, runs) < n, "{n} rounds, {runs} runs");
            }
        }
        assert_eq!((states(0, 2), states(1_000_000, 1), states(1_000_000, 2)), (1, 1_000_000, 1414));
        assert_eq!((states(1_000_000, 3), states(1_000_000, 4)), (181, 69));
    }

    /// The segments are what the next level can reverse with the states that are left.
    #[test]
    fn segments() {
        for (s, runs) in [(1, 2), (4, 2), (5, 3), (9, 4)] {
            assert_eq!((begin(s, runs, 0), begin(s, runs, s)), (0, rounds(s, runs)));
            for j in 0..s {
                assert_eq!(begin(s, runs, j + 1) - begin(s, runs, j), rounds(s - j, runs - 1));
            }
        }
    }

    /// Reversing as generated code does, with a count of what is kept: no more than the states there are, and one for each level.
    #[test]
    fn states_kept_at_once() {
        fn reverse(
            lo: usize,
            hi: usize,
            s: usize,
            runs: u32,
            kept: usize,
            most: &mut usize,
            done: &mut usize,
        ) {
            *most = (*most).max(kept);
            if runs == 1 {
                *most = (*most).max(kept + hi - lo);
                for k in (lo..hi).rev() {
                    assert_eq!(k + 1, *done);
                    *done = k;
                }
                return;
            }
            let at = |j| (lo + begin(s, runs, j)).min(hi);
            let used = (0..s).filter(|j| at(*j) < hi).count();
            for j in (0..used).rev() {
                reverse(at(j), at(j + 1), s - j, runs - 1, kept + j + 1, most, done);
            }
        }
        for runs in 1..=5 {
            for n in [0, 1, 2, 17, 100, 999, 4096] {
                let (s, mut most, mut done) = (states(n, runs), 0, n);
                reverse(0, n, s, runs, 0, &mut most, &mut done);
                assert_eq!(done, 0);
                assert!(most < s + runs as usize, "{n} rounds, {runs} runs: {most} of {s}");
            }
        }
    }
}
