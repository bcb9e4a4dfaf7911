//! A server with the models of `tests/fixtures`, in this process.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tonic::transport::{Channel, Endpoint};

use crate::app::{self, ServerInputs};
use crate::certificate::noise::NoiseSecret;
use crate::rpc::Listeners;
use crate::settings::SettingsSource;

/// The time limit for the start of a server.
const START_TIMEOUT: Duration = Duration::from_secs(120);

/// A running server and a channel to it. The process ends it.
pub(super) struct ModelServer {
    pub(super) runtime: Runtime,
    pub(super) channel: Channel,
    _folder: TempDir,
}

impl ModelServer {
    /// Serves the fixtures `standard` and `robust`, one executor each.
    pub(super) fn start(standard: &str, robust: &str) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let folder = TempDir::new().unwrap();
        let channel = runtime.block_on(start(folder.path(), standard, robust));
        Self {
            runtime,
            channel,
            _folder: folder,
        }
    }
}

async fn start(folder: &Path, standard: &str, robust: &str) -> Channel {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let fixtures = repository.join("tests/fixtures");
    let library = repository.join(".runtime/onnxruntime/libonnxruntime.so");
    assert!(
        library.exists(),
        "expected ONNX Runtime in {}: run `make runtime`",
        library.display()
    );
    // A vote takes microseconds, so the longest request is short too.
    let text = format!(
        "models.standard = \"{0}/{standard}.toml\"\nmodels.robust = \"{0}/{robust}.toml\"\n\
         runtime.library = \"{1}\"\nruntime.provider = \"cpu\"\nruntime.executors = 1\n\
         runtime.standard_batch_size = 4\nruntime.robust_batch_size = 16\nruntime.pin_executors = \"never\"\n\
         server.listen = \"127.0.0.1:0\"\nserver.max_inputs = 4\nserver.max_request_time = \"100ms\"\n\
         metrics.listen = \"\"\n\
         certificate.max_votes = 2000\ncertificate.certify_votes = 200\ncertificate.predict_votes = 100\n\
         certificate.interactive_votes = 200\n",
        fixtures.display(),
        library.display(),
    );
    let path = folder.join("certimix.toml");
    std::fs::write(&path, &text).unwrap();
    let source = SettingsSource::new(&path, []);
    let settings = source.parse(&text).unwrap_or_else(|error| panic!("{error}"));
    let listeners = Listeners::bind(&settings.server).await.unwrap();
    let endpoint = Endpoint::from_shared(format!("http://{}", listeners.address())).unwrap();
    let inputs = ServerInputs {
        settings,
        source,
        listeners,
        secret: NoiseSecret::new([7; 32]),
        logs: None,
        reload: Arc::default(),
    };
    let (ready, is_ready) = oneshot::channel();
    let never = std::future::pending::<()>();
    let on_ready = |report| {
        let _ = ready.send(report);
    };
    let server = tokio::spawn(app::run(inputs, on_ready, never));
    match tokio::time::timeout(START_TIMEOUT, is_ready).await {
        Ok(Ok(_)) => endpoint.connect_lazy(),
        Ok(Err(_)) => panic!("the server ended: {:?}", server.await),
        Err(_) => panic!("the server does not start"),
    }
}
