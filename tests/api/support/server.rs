//! A server in the test's process: `certimix::app::run` on its own thread and runtime.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use certimix::app::{self, AppError, ReadyReport, ServerInputs};
use certimix::rpc::Listeners;
use certimix::rpc::proto::mixed_classifier_client::MixedClassifierClient;
use tokio::sync::oneshot;
use tonic::transport::{Channel, Endpoint};

use super::Setup;

/// The longest wait of a test. It is long enough for a busy machine.
pub const TEST_TIMEOUT: Duration = Duration::from_secs(60);

pub type Client = MixedClassifierClient<Channel>;

/// Connects to `address`, of the form `http://…`. A call without a timely answer fails its test.
pub async fn connect(address: String) -> Client {
    let endpoint = Endpoint::from_shared(address).unwrap().timeout(TEST_TIMEOUT);
    MixedClassifierClient::new(endpoint.connect().await.unwrap())
}

/// A server that stops on drop. The threads of its runtime have its name.
///
/// The drop blocks the thread of the test, so tests use a `multi_thread` runtime.
pub struct TestServer {
    pub address: SocketAddr,
    pub name: String,
    /// Keeps the files of the settings.
    _setup: Setup,
    ready: Option<oneshot::Receiver<ReadyReport>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), AppError>>>,
}

impl TestServer {
    /// Starts a server, and waits until it serves.
    pub async fn start(setup: Setup) -> Self {
        let mut server = Self::listen(setup);
        if !server.ready().await {
            panic!("the server did not start: {:?}", server.stop().await);
        }
        server
    }

    /// Starts a server that listens. It may still load its models.
    pub fn listen(setup: Setup) -> Self {
        static SERVERS: AtomicUsize = AtomicUsize::new(0);
        let name = format!("server-{}", SERVERS.fetch_add(1, Ordering::Relaxed));
        let (address_sender, address) = std::sync::mpsc::channel();
        let (ready_sender, ready) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let (settings, secret, thread_name) = (setup.settings(), setup.noise_secret(), name.clone());
        let source = setup.source();
        let thread = std::thread::spawn(move || {
            let mut runtime = tokio::runtime::Builder::new_multi_thread();
            let runtime = runtime
                .worker_threads(2)
                .thread_name(thread_name)
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async move {
                let listeners = Listeners::bind(&settings.server).await.unwrap();
                address_sender.send(listeners.address()).unwrap();
                let ready = |ready| drop(ready_sender.send(ready));
                let stopped = async move { drop(stopped.await) };
                // The application runs on a worker, so that every thread that answers has the
                // server's name.
                let start = ServerInputs {
                    settings,
                    source,
                    listeners,
                    secret,
                    logs: None,
                    reload: Arc::default(),
                };
                tokio::spawn(app::run(start, ready, stopped)).await.unwrap()
            })
        });
        let address = address.recv_timeout(TEST_TIMEOUT).unwrap();
        Self {
            address,
            name,
            _setup: setup,
            ready: Some(ready),
            stop: Some(stop),
            thread: Some(thread),
        }
    }

    /// Waits until it serves. Returns false if it ended instead.
    pub async fn ready(&mut self) -> bool {
        let ready = self.ready.take().unwrap();
        tokio::time::timeout(TEST_TIMEOUT, ready)
            .await
            .expect("the server is not ready in time")
            .is_ok()
    }

    /// Requests a shutdown, as a signal does.
    pub fn begin_stop(&mut self) {
        drop(self.stop.take());
    }

    /// Requests a shutdown, and waits until the server has ended.
    pub async fn stop(mut self) -> Result<(), AppError> {
        self.begin_stop();
        let thread = self.thread.take().unwrap();
        let joined = tokio::task::spawn_blocking(move || thread.join().unwrap());
        tokio::time::timeout(TEST_TIMEOUT, joined)
            .await
            .expect("the server does not stop")
            .unwrap()
    }

    /// Opens a new connection.
    pub async fn channel(&self) -> Channel {
        self.endpoint().connect().await.unwrap()
    }

    /// Opens a connection with a flow-control window of 16 bytes. The server can send almost
    /// nothing before the client reads.
    pub async fn narrow_channel(&self) -> Channel {
        let endpoint = self.endpoint().initial_stream_window_size(16);
        endpoint.connect().await.unwrap()
    }

    /// Returns the endpoint to connect to.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint::from_shared(format!("http://{}", self.address))
            .unwrap()
            .timeout(TEST_TIMEOUT)
    }

    /// Opens a new connection, and returns a client on it.
    pub async fn client(&self) -> Client {
        MixedClassifierClient::new(self.channel().await)
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.begin_stop();
        let Some(thread) = self.thread.take() else { return };
        // A server that does not stop must not block the test.
        for _ in 0..1000 {
            if thread.is_finished() {
                drop(thread.join());
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
