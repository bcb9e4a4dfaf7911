//! A server in this process: `certimix::app::run` on a thread and a runtime of its own.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use certimix::app::{self, AppError, Ready, Start};
use certimix::rpc::Listeners;
use certimix::rpc::proto::mixed_classifier_client::MixedClassifierClient;
use tokio::sync::oneshot;
use tonic::transport::{Channel, Endpoint};

use super::Setup;

/// Long enough for a busy machine; a test that waits this long has failed.
pub const TEST_TIMEOUT: Duration = Duration::from_secs(60);

pub type Client = MixedClassifierClient<Channel>;

/// A client of whoever listens at `address`, `http://…`; a call that is not answered in time fails its test.
pub async fn connect(address: String) -> Client {
    let endpoint = Endpoint::from_shared(address).unwrap().timeout(TEST_TIMEOUT);
    MixedClassifierClient::new(endpoint.connect().await.unwrap())
}

/// A server that stops when this is dropped. Its runtime's threads bear its name.
///
/// Dropping it waits on the thread of the test, so tests run on a `multi_thread` runtime.
pub struct TestServer {
    pub address: SocketAddr,
    pub name: String,
    /// Kept for its files.
    _setup: Setup,
    ready: Option<oneshot::Receiver<Ready>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<Result<(), AppError>>>,
}

impl TestServer {
    /// A server that serves.
    pub async fn start(setup: Setup) -> Self {
        let mut server = Self::listen(setup);
        if !server.ready().await {
            panic!("the server did not start: {:?}", server.stop().await);
        }
        server
    }

    /// A server that listens, and may still be loading.
    pub fn listen(setup: Setup) -> Self {
        static SERVERS: AtomicUsize = AtomicUsize::new(0);
        let name = format!("server-{}", SERVERS.fetch_add(1, Ordering::Relaxed));
        let (listening, address) = std::sync::mpsc::channel();
        let (tell_ready, ready) = oneshot::channel();
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
                listening.send(listeners.address()).unwrap();
                let ready = |ready| drop(tell_ready.send(ready));
                let stopped = async move { drop(stopped.await) };
                // On a worker, so that every thread that answers bears the server's name.
                let start = Start {
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

    /// Waits until it serves; false if it ended instead.
    pub async fn ready(&mut self) -> bool {
        let ready = self.ready.take().unwrap();
        tokio::time::timeout(TEST_TIMEOUT, ready)
            .await
            .expect("the server is not ready in time")
            .is_ok()
    }

    /// Tells it to stop, as a signal would.
    pub fn begin_stop(&mut self) {
        drop(self.stop.take());
    }

    /// Stops it and waits until it has ended.
    pub async fn stop(mut self) -> Result<(), AppError> {
        self.begin_stop();
        let thread = self.thread.take().unwrap();
        let joined = tokio::task::spawn_blocking(move || thread.join().unwrap());
        tokio::time::timeout(TEST_TIMEOUT, joined)
            .await
            .expect("the server does not stop")
            .unwrap()
    }

    /// A new connection.
    pub async fn channel(&self) -> Channel {
        self.endpoint().connect().await.unwrap()
    }

    /// A new connection, so narrow that hardly an answer gets through before it is read.
    pub async fn narrow_channel(&self) -> Channel {
        let endpoint = self.endpoint().initial_stream_window_size(16);
        endpoint.connect().await.unwrap()
    }

    /// Where to connect.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint::from_shared(format!("http://{}", self.address))
            .unwrap()
            .timeout(TEST_TIMEOUT)
    }

    /// A client on a connection of its own.
    pub async fn client(&self) -> Client {
        MixedClassifierClient::new(self.channel().await)
    }
}

impl Drop for TestServer {
    fn drop(&mut self) {
        self.begin_stop();
        let Some(thread) = self.thread.take() else { return };
        // A server that hangs must not hang the test too.
        for _ in 0..1000 {
            if thread.is_finished() {
                drop(thread.join());
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
