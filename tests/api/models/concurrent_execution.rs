//! The two models of one request run at the same time: the trace proves it.

use std::collections::HashMap;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Instant;

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::LookupSpan;

use crate::support::{Setup, TestServer, messages};

/// One `infer` span of one request.
#[derive(Debug, Clone)]
struct Run {
    server: String,
    request: u64,
    model: String,
    rows: u64,
    batch: u64,
    start: Instant,
    end: Instant,
}

static RUNS: Mutex<Vec<Run>> = Mutex::new(Vec::new());

/// Keeps the runs of every server of this process. A request belongs to the server whose thread opened its span.
struct Recorder;

struct OpenedBy(String);

#[derive(Default)]
struct Fields {
    words: HashMap<&'static str, String>,
    numbers: HashMap<&'static str, u64>,
}

impl Visit for Fields {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.numbers.insert(field.name(), value);
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.words.insert(field.name(), value.to_owned());
    }
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.words.insert(field.name(), format!("{value:?}"));
    }
}

impl<S: tracing::Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Recorder {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let span = context.span(id).unwrap();
        let thread = std::thread::current().name().unwrap_or_default().to_owned();
        span.extensions_mut().insert(OpenedBy(thread));
        if attributes.metadata().name() == "infer" {
            let mut fields = Fields::default();
            attributes.record(&mut fields);
            span.extensions_mut().insert((fields, Instant::now()));
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let end = Instant::now();
        let span = context.span(&id).unwrap();
        let (Some((fields, start)), Some(parent)) =
            (span.extensions_mut().remove::<(Fields, Instant)>(), span.parent())
        else {
            return;
        };
        let server = parent.extensions().get::<OpenedBy>().unwrap().0.clone();
        let run = Run {
            server,
            request: parent.id().into_u64(),
            model: fields.words["model"].clone(),
            rows: fields.numbers["rows"],
            batch: fields.numbers["batch"],
            start,
            end,
        };
        RUNS.lock().unwrap_or_else(PoisonError::into_inner).push(run);
    }
}

fn record() {
    static RECORDING: OnceLock<()> = OnceLock::new();
    RECORDING.get_or_init(|| {
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(Recorder)).unwrap();
    });
}

fn runs_of(server: &TestServer) -> Vec<Run> {
    let runs = RUNS.lock().unwrap_or_else(PoisonError::into_inner);
    runs.iter().filter(|run| run.server == server.name).cloned().collect()
}

fn overlap(runs: &[Run]) -> bool {
    let of = |model: &'static str| runs.iter().filter(move |run| run.model == model);
    of("standard").any(|standard| of("robust").any(|robust| standard.start < robust.end && robust.start < standard.end))
}

/// Sends requests of one input one after the other and returns the runs of each. Two inputs would overlap with each other.
async fn requests(server: &TestServer, count: usize) -> Vec<Vec<Run>> {
    let mut client = server.client().await;
    let mut requests = Vec::new();
    for _ in 0..count {
        let before = runs_of(server).len();
        client
            .predict(messages::predict_request(messages::floats(&[[0.5; 4]])))
            .await
            .unwrap();
        // The spans close just before the answer is delivered.
        let runs = runs_of(server).split_off(before);
        assert!(!runs.is_empty());
        requests.push(runs);
    }
    requests
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_two_models_of_a_request_run_at_the_same_time() {
    record();
    let server = TestServer::start(Setup::pair("slow_g", "slow_h").with("runtime.executors", 2)).await;
    let requests = requests(&server, 8).await;
    for runs in &requests {
        for model in ["standard", "robust"] {
            let rows: u64 = runs.iter().filter(|run| run.model == model).map(|run| run.rows).sum();
            assert_eq!(rows, 1, "{runs:#?}");
        }
        assert!(
            runs.iter()
                .all(|run| run.request == runs[0].request && run.rows <= run.batch),
            "{runs:#?}"
        );
    }
    // A busy machine may start one thread late, but not always.
    assert!(
        requests.iter().any(|runs| overlap(runs)),
        "never at the same time: {requests:#?}"
    );
}

/// The standard model does not wait for the votes, nor they for it.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn votes_are_drawn_while_the_standard_model_runs() {
    record();
    let setup = Setup::pair("slow_g", "slow_smoothed")
        .with("runtime.executors", 2)
        .batch_size(2)
        .with("certificate.selection_votes", 2)
        .with("certificate.predict_votes", 4);
    let server = TestServer::start(setup).await;
    let requests = requests(&server, 4).await;
    for runs in &requests {
        let votes: u64 = runs
            .iter()
            .filter(|run| run.model == "robust")
            .map(|run| run.rows)
            .sum();
        assert_eq!(votes, 2 + 4, "{runs:#?}");
    }
    assert!(
        requests.iter().any(|runs| overlap(runs)),
        "never at the same time: {requests:#?}"
    );
}
