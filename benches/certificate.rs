//! The time that the mathematics of one certificate takes. It must be negligible beside one row of
//! inference.
//!
//! `cargo bench --bench certificate`

use std::hint::black_box;

use certimix::certificate::{
    Alpha, BoundMethod, CertificateError, FailureProbability, LogitConstant, RadiusMethod, Sides, Sigma, SmoothingPlan,
    Tally, Temperature, certify, decide, logit_radius, mixed_logits,
};
use criterion::{Criterion, criterion_group, criterion_main};

fn plan(sides: Sides, bound_method: BoundMethod) -> Result<SmoothingPlan, CertificateError> {
    Ok(SmoothingPlan {
        alpha: Alpha::new(0.76)?,
        sigma: Sigma::new(0.25)?,
        radius_method: RadiusMethod::Tight,
        bound_method,
        failure_probability: FailureProbability::new(1e-6)?,
        sides,
        target_radius: Some(36.0 / 255.0),
        total_variation: 1e-13,
    })
}

fn smoothed(criterion: &mut Criterion) {
    let tally = Tally {
        votes: 240,
        votes_for_class: 222,
        votes_for_runner_up: 9,
    };
    let plans = [
        ("anytime, one-sided", plan(Sides::OneSided, BoundMethod::Anytime)),
        ("anytime, two-sided", plan(Sides::TwoSided, BoundMethod::Anytime)),
        (
            "Clopper-Pearson",
            plan(Sides::OneSided, BoundMethod::ClopperPearson { votes: 240 }),
        ),
    ];
    for (name, plan) in plans {
        let Ok(plan) = plan else { continue };
        criterion.bench_function(&format!("certify and decide, {name}"), |bencher| {
            bencher.iter(|| (certify(black_box(&plan), black_box(tally)), decide(&plan, tally, 1000)));
        });
    }
}

fn lipschitz(criterion: &mut Criterion) {
    let (Ok(alpha), Ok(temperature)) = (Alpha::new(0.76), Temperature::new(0.05)) else {
        return;
    };
    let logits: Vec<f32> = (0..10u8).map(|class| f32::from(class % 7) / 3.0).collect();
    criterion.bench_function("logit-Lipschitz radius", |bencher| {
        bencher.iter(|| logit_radius(alpha, black_box(&logits), temperature, LogitConstant::Vector(1.0), 1e-5));
    });
    let log_probs: Vec<f64> = (0..10).map(|class| -f64::from(class)).collect();
    criterion.bench_function("mixed logits", |bencher| {
        bencher.iter(|| mixed_logits(alpha, black_box(&log_probs), black_box(&log_probs)));
    });
}

criterion_group!(benches, smoothed, lipschitz);
criterion_main!(benches);
