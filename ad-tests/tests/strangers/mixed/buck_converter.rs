use ad_runtime::{Differentiable, differentiable};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Switch {
    On,
    Freewheel,
    Idle,
}

/// Asynchronous buck stage: volts, amperes, microhenries, microfarads, microseconds.
#[derive(Clone, Debug, Differentiable)]
pub struct PowerStage {
    pub v_in: f64,
    pub inductance: f64,
    pub capacitance: f64,
    pub esr: f64,
    pub load: f64,
}

const PERIOD: f64 = 1.0;
const SUBSTEPS: usize = 4;
const DIODE_DROP: f64 = 0.3;

impl Switch {
    fn next(self, step: usize, current_positive: bool) -> Switch {
        match (self, step) {
            (_, 0) => Switch::On,
            (Switch::On, SUBSTEPS) => Switch::Freewheel,
            (Switch::Freewheel, _) if !current_positive => Switch::Idle,
            (state, _) => state,
        }
    }
}

/// Start-up transient under a given duty-cycle sequence: tracking error of the output plus conduction loss.
#[differentiable]
pub fn startup_cost(stage: &PowerStage, duty: &[f64]) -> f64 {
    let target = 2.0;
    let mut il = 0.2;
    let mut vc = 0.5;
    let mut switch = Switch::Idle;
    let mut cost = 0.0;

    for d in duty {
        for step in 0..2 * SUBSTEPS {
            switch = switch.next(step, il > 0.0);
            let dt = match switch {
                Switch::On => d * PERIOD / SUBSTEPS as f64,
                Switch::Freewheel | Switch::Idle => (1.0 - d) * PERIOD / SUBSTEPS as f64,
            };
            // resistor and capacitor with its series resistance share the output node
            let v_out = (vc + stage.esr * il) / (1.0 + stage.esr / stage.load);
            let v_l = match switch {
                Switch::On => stage.v_in - v_out,
                Switch::Freewheel => -DIODE_DROP - v_out,
                Switch::Idle => {
                    il = 0.0;
                    0.0
                }
            };
            let i_mid = il + 0.5 * dt * v_l / stage.inductance;
            vc += dt * (i_mid - v_out / stage.load) / stage.capacitance;
            il += dt * v_l / stage.inductance;
            cost += dt * ((v_out - target).powi(2) + 0.05 * i_mid * i_mid);
        }
    }
    cost / (PERIOD * duty.len() as f64)
}

#[cfg(test)]
fn stage(x: &[f64]) -> PowerStage {
    PowerStage { v_in: x[0], inductance: x[1], capacitance: x[2], esr: x[3], load: x[4] }
}

#[cfg(test)]
#[test]
fn primal() {
    let c = startup_cost(&stage(&[5.0, 2.2, 3.0, 0.1, 1.5]), &[0.7, 0.6, 0.55, 0.45, 0.4, 0.45]);
    assert!(c.is_finite(), "{c}");
}

#[test]
fn exact() {
    let flat = |s: &PowerStage, d: &[f64]| -> Vec<f64> {
        [&[s.v_in, s.inductance, s.capacitance, s.esr, s.load], d].concat()
    };
    super::harness::check(
        "buck_converter",
        &[5.0, 2.2, 3.0, 0.1, 1.5, 0.7, 0.6, 0.55, 0.45, 0.4, 0.45],
        |x| startup_cost(&stage(&x[..5]), &x[5..]),
        |x| {
            let (mut gs, mut gd) = (stage(&[0.0; 5]), [0.0; 6]);
            let value = startup_cost_grad(&stage(&x[..5]), &x[5..], &mut gs, &mut gd);
            (value, flat(&gs, &gd))
        },
        |x, v| {
            let (mut hs, mut hd) = (stage(&[0.0; 5]), [0.0; 6]);
            startup_cost_hvp(&stage(&x[..5]), &x[5..], &stage(&v[..5]), &v[5..], &mut hs, &mut hd);
            flat(&hs, &hd)
        },
    );
}
