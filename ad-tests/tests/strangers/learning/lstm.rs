use ad_runtime::{Differentiable, differentiable};

#[derive(Clone, Debug, Differentiable)]
struct Gate {
    input: Vec<f64>,
    recurrent: Vec<Vec<f64>>,
    bias: Vec<f64>,
}

#[derive(Clone, Debug, Differentiable)]
struct Lstm {
    forget: Gate,
    update: Gate,
    output: Gate,
    candidate: Gate,
    readout: Vec<f64>,
}

#[derive(Clone, Debug, Differentiable)]
struct State {
    h: Vec<f64>,
    c: Vec<f64>,
}

#[differentiable]
fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[differentiable]
impl Gate {
    fn activate(&self, x: f64, h: &[f64]) -> Vec<f64> {
        self.input
            .iter()
            .zip(&self.recurrent)
            .zip(&self.bias)
            .map(|((w, u), b)| w * x + u.iter().zip(h).map(|(u, h)| u * h).sum::<f64>() + b)
            .collect()
    }
}

#[differentiable]
impl Lstm {
    fn step(&self, state: State, x: f64) -> State {
        let State { h, c } = state;
        let forget = self.forget.activate(x, &h);
        let update = self.update.activate(x, &h);
        let output = self.output.activate(x, &h);
        let candidate = self.candidate.activate(x, &h);
        let c: Vec<f64> = (0..c.len())
            .map(|k| sigmoid(forget[k]) * c[k] + sigmoid(update[k]) * candidate[k].tanh())
            .collect();
        let h = c.iter().zip(output).map(|(c, o)| sigmoid(o) * c.tanh()).collect();
        State { h, c }
    }

    fn predict(&self, state: &State) -> f64 {
        self.readout.iter().zip(state.h.iter()).map(|(&r, &h)| r * h).sum()
    }
}

/// One-step-ahead prediction error of an LSTM over a scalar series.
#[differentiable(wrt(net))]
fn forecast_loss(net: &Lstm, series: &[f64]) -> f64 {
    let width = net.readout.len();
    let mut state = State { h: vec![0.0; width], c: vec![0.0; width] };
    let mut loss = 0.0;
    for pair in series.windows(2) {
        let &[now, next] = pair else { unreachable!() };
        state = net.step(state, now);
        loss += 0.5 * (net.predict(&state) - next).powi(2);
    }
    loss / (series.len() - 1) as f64
}

const SERIES: [f64; 6] = [0.4, 0.9, 0.2, -0.5, -0.8, 0.1];
fn unpack(x: &[f64]) -> Lstm {
    let gate = |k: usize| {
        let x = &x[8 * k..8 * k + 8];
        Gate {
            input: x[..2].to_vec(),
            recurrent: vec![x[2..4].to_vec(), x[4..6].to_vec()],
            bias: x[6..].to_vec(),
        }
    };
    Lstm { forget: gate(0), update: gate(1), output: gate(2), candidate: gate(3), readout: x[32..].to_vec() }
}
fn pack(p: &Lstm) -> Vec<f64> {
    let mut all = vec![];
    for gate in [&p.forget, &p.update, &p.output, &p.candidate] {
        all.extend(&gate.input);
        all.extend(gate.recurrent.iter().flatten());
        all.extend(&gate.bias);
    }
    all.extend(&p.readout);
    all
}
fn point() -> Vec<f64> {
    (0..34).map(|i| (2.3 * i as f64 + 0.7).cos() * 0.9).collect()
}
fn value(x: &[f64]) -> f64 {
    forecast_loss(&unpack(x), &SERIES)
}
#[test]
fn exact() {
    crate::harness::check(
        "lstm",
        &point(),
        value,
        |x| {
            let mut g = unpack(&vec![f64::NAN; x.len()]);
            let value = forecast_loss_grad(&unpack(x), &SERIES, &mut g);
            (value, pack(&g))
        },
        |x, v| {
            let mut hv = unpack(&vec![f64::NAN; x.len()]);
            forecast_loss_hvp(&unpack(x), &SERIES, &unpack(v), &mut hv);
            pack(&hv)
        },
    );
}
