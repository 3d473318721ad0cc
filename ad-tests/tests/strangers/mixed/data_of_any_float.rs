//! Data of a generic float in branches, loops and arrays.
use ad_runtime::{Differentiable, differentiable};
use num_traits::Float;
#[derive(Clone, Debug, Differentiable)]
pub struct Execution<T> {
    pub position: T,
    pub rate: T,
    pub many: bool,
}
impl<T: Float> Execution<T> {
    #[differentiable(wrt(x))]
    pub fn cost(&self, x: &[T]) -> T {
        let first = if self.many { self.position } else { x[0] * x[0] };
        let mut state = self.position;
        let mut low = self.rate;
        for v in x {
            if *v > low {
                low = *v * *v;
            } else {
                low = self.rate
            }
            state = state * *v + low;
        }
        let mut k = 0;
        let mut w = self.rate;
        while k < x.len() {
            w = w * x[k];
            k += 1;
        }
        let all = [self.position; 3].map(|p| p * first * state);
        all[0] * w + all[2]
    }
}
#[cfg(test)]
#[test]
fn exact() {
    for many in [false, true] {
        let e = Execution { position: 0.7, rate: 0.3, many };
        super::harness::check(
            "gen",
            &[0.8, 0.1, 0.5],
            |x| e.cost(x),
            |x| {
                let mut g = vec![0.0; 3];
                let v = e.cost_grad(x, &mut g);
                (v, g)
            },
            |x, v| {
                let mut g = vec![0.0; 3];
                e.cost_hvp(x, v, &mut g);
                g
            },
        );
    }
}
