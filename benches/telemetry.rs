//! The cost of telemetry: the record of one call, and the metrics that observe it.
//!
//! `cargo bench --bench telemetry`
//!
//! Every request pays this cost. The smallest request takes about 25 us of processor time.

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use certimix::call::{CallObserver, CallObservers, CallRecord, CertificateCounts, Code, RequestIds, Rpc};
use certimix::domain::{
    Certificate, CertificateStatus, ClassSource, ExecutionWindow, PerRole, Prediction, RequestStage, RequestTimings,
    Role,
};
use certimix::rpc::ConnectionCounts;
use certimix::scheduler::ModelObserver;
use certimix::telemetry::metrics::{Metrics, ServerState};
use criterion::{Criterion, criterion_group, criterion_main};

fn certified_prediction() -> Prediction {
    let log_probs = vec![0.7f64.ln(), 0.2f64.ln(), 0.1f64.ln()];
    Prediction {
        class_source: ClassSource::Certificate,
        class: 0,
        robust_weight: 0.76,
        weight_rule: certimix::certificate::WeightRule::Alpha,
        mixed_logits: log_probs.clone(),
        certificate: Certificate {
            status: CertificateStatus::Certified,
            radius: 0.3,
            ..Certificate::unavailable("")
        },
        standard_log_probs: log_probs.clone(),
        robust_log_probs: log_probs,
        standard_class: 0,
        robust_class: 0,
        model_outputs: None,
    }
}

/// Fills in the record of an answered call with one input and both models.
fn fill_record(record: &mut CallRecord, predictions: &[Prediction]) {
    let at = |microseconds| record.begun + Duration::from_micros(microseconds);
    let window = ExecutionWindow {
        submitted: at(3),
        taken: at(9),
        done: at(14),
    };
    record.inputs = 1;
    record.certificates = CertificateCounts::of(predictions);
    record.timings = RequestTimings {
        models: PerRole::of(|_| Some(window)),
        mixing: Some(RequestStage::between(at(19), at(20))),
    };
    record.rows = PerRole::of(|_| 1);
}

fn telemetry(criterion: &mut Criterion) {
    let (ids, predictions) = (RequestIds::default(), [certified_prediction()]);
    let Ok(metrics) = Metrics::new().map(Arc::new) else {
        return;
    };
    for (name, observers) in [
        ("call, no observer", CallObservers::default()),
        (
            "call, with metrics",
            CallObservers::new([Arc::clone(&metrics) as Arc<dyn CallObserver>]),
        ),
    ] {
        criterion.bench_function(name, |bencher| {
            bencher.iter(|| {
                let mut record = CallRecord::new(Rpc::Predict, ids.next(), Instant::now());
                fill_record(&mut record, &predictions);
                observers.answered(&record, &predictions);
                record.code = Code::OK;
                record.total = record.begun.elapsed();
                observers.finished(black_box(&record));
            });
        });
    }
    criterion.bench_function("a batch, with metrics", |bencher| {
        bencher.iter(|| metrics.ran(black_box(Role::Robust), 8, Duration::from_micros(40)));
    });
    let connections = ConnectionCounts::default();
    let state = ServerState {
        metrics_evictions: 0,
        load: None,
        serving: false,
        connections: &connections,
        memory: Default::default(),
        certificate_expires: None,
        untrusted_authorities: 0,
        lost_spans: 0,
        dropped_log_lines: 0,
        shadow: None,
    };
    criterion.bench_function("a scrape", |bencher| {
        bencher.iter(|| metrics.text(&state).map(|text| text.len()));
    });
}

criterion_group!(benches, telemetry);
criterion_main!(benches);
