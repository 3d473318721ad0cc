//! The functions of the benchmark suite: what the macro makes of them against what is written by hand, and against dual numbers.
#![allow(missing_docs)]

#[allow(dead_code)]
#[path = "../benches/suite/functions/mod.rs"]
mod functions;

use ad_runtime::Workspace;
use allocation_counter::measure;
use functions::{CASES, COLUMNS, Case, Kind};

fn cases() -> impl Iterator<Item = Case> {
    CASES.iter().map(|(name, make)| make(name))
}

fn output(case: &Case, kind: Kind) -> Vec<f64> {
    let mut out = vec![f64::NAN; case.x.len()];
    case.run(kind, 1, &mut out);
    out
}

fn value(case: &Case, kind: Kind) -> f64 {
    case.run(kind, 1, &mut vec![0.0; case.x.len()])
}

/// Differences are relative to the largest component.
fn agree(case: &Case, what: Kind, a: &[f64], b: &[f64]) {
    let scale = b.iter().fold(0.0_f64, |m, b| m.max(b.abs()));
    for (i, (a, b)) in a.iter().zip(b).enumerate() {
        let error = (a - b).abs() / scale;
        assert!(error <= 1e-9, "{}, {what:?}, component {i}: {a} and {b}, error {error:e}", case.name);
    }
}

#[test]
fn gradients_by_macro_and_by_hand() {
    for case in cases() {
        let hand = output(&case, Kind::GradientByHand);
        agree(&case, Kind::Gradient, &output(&case, Kind::Gradient), &hand);
        let primal = value(&case, Kind::Primal);
        for kind in [Kind::Gradient, Kind::GradientByHand] {
            let with = value(&case, kind);
            assert!(
                (with - primal).abs() <= 1e-9 * primal.abs(),
                "{}, {kind:?}: {with}, {primal}",
                case.name
            );
        }
    }
}

#[test]
fn products_by_macro_and_by_hand() {
    for case in cases() {
        agree(&case, Kind::Hvp, &output(&case, Kind::Hvp), &output(&case, Kind::HvpByHand));
    }
}

#[test]
fn products_with_several_directions() {
    for case in cases() {
        agree(&case, Kind::HvpBlock, &output(&case, Kind::HvpBlock), &output(&case, Kind::HvpByHand));
    }
}

#[test]
fn products_and_applications_of_the_linearised_operator() {
    for case in cases() {
        let mut applied = vec![f64::NAN; case.x.len()];
        case.linearize().operator.apply(&case.v, &mut applied);
        agree(&case, Kind::Hvp, &applied, &output(&case, Kind::HvpByHand));
    }
}

#[test]
fn products_by_macro_and_by_dual_numbers() {
    for case in cases().filter(|case| case.has(Kind::DualSweep)) {
        let columns = COLUMNS.min(case.x.len());
        let dual = output(&case, Kind::DualSweep);
        agree(&case, Kind::DualSweep, &output(&case, Kind::Hvp)[..columns], &dual[..columns]);
    }
}

#[test]
fn repeated_calls_in_a_workspace_allocate_nothing() {
    for case in cases() {
        let mut workspace = Workspace::new();
        for kind in [Kind::Gradient, Kind::Hvp, Kind::HvpBlock] {
            let wanted = (output(&case, kind), value(&case, kind));
            let mut out = vec![f64::NAN; case.x.len()];
            workspace.run(|| case.run(kind, 1, &mut out));
            out.fill(f64::NAN);
            let mut value = f64::NAN;
            let info = measure(|| value = workspace.run(|| case.run(kind, 1, &mut out)));
            assert_eq!(info.count_total, 0, "{}, {kind:?}: {} bytes", case.name, info.bytes_total);
            let bits = |x: &[f64]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
            assert_eq!((bits(&out), value.to_bits()), (bits(&wanted.0), wanted.1.to_bits()), "{}", case.name);
        }
    }
}
