//! Any bytes on a connection to a server without models.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};

use crate::call::CallObservers;
use crate::live::CurrentSnapshot;
use crate::rpc::{self, AccessControl, Listeners};
use crate::settings::SettingsSource;

/// What a client sends first: the preface, and empty SETTINGS.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// The largest answer, in bytes. A server answers a few kilobytes of frames with less.
const MAX_ANSWER: usize = 8 << 20;

/// The time limit of a connection whose client has sent everything.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(30);

static SERVER: LazyLock<Mutex<Server>> = LazyLock::new(|| Mutex::new(Server::start()));

/// A server in this process. The process ends it.
struct Server {
    runtime: Runtime,
    folder: TempDir,
}

/// Sends the bytes after the first, and closes the sending side. An odd first byte sends the
/// preface before.
///
/// The connection ends, and the answer is bounded.
pub(super) fn connections(data: &[u8]) {
    let Some((&options, frames)) = data.split_first() else {
        return;
    };
    let server = SERVER.lock().unwrap_or_else(PoisonError::into_inner);
    let socket = server.folder.path().join("socket");
    let preface = if options & 1 == 1 { PREFACE } else { b"" };
    server.runtime.block_on(async {
        let (mut reader, mut writer) = UnixStream::connect(socket).await.unwrap().into_split();
        let sent = async {
            // The server may close the connection before it has read everything.
            let _ = writer.write_all(preface).await;
            let _ = writer.write_all(frames).await;
            drop(writer);
        };
        let received = async {
            let (mut buffer, mut length) = (vec![0; 64 << 10], 0);
            while let Ok(count @ 1..) = reader.read(&mut buffer).await {
                length += count;
                assert!(length <= MAX_ANSWER, "the answer has no end");
            }
        };
        let both = async { tokio::join!(sent, received) };
        let ended = tokio::time::timeout(CLOSE_TIMEOUT, both).await;
        assert!(ended.is_ok(), "the connection does not end");
    });
}

impl Server {
    fn start() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let folder = TempDir::new().unwrap();
        let text = format!(
            "models.standard = \"g.toml\"\nmodels.robust = \"h.toml\"\nruntime.library = \"ort.so\"\n\
             server.listen = \"127.0.0.1:0\"\nserver.unix_socket = \"{}\"\nserver.max_request_time = \"1s\"\n",
            folder.path().join("socket").display()
        );
        let source = SettingsSource::new(&folder.path().join("certimix.toml"), []);
        let settings = source.parse(&text).unwrap_or_else(|error| panic!("{error}"));
        runtime.block_on(async {
            let listeners = Listeners::bind(&settings.server).await.unwrap();
            let live = Arc::new(CurrentSnapshot::new(&settings));
            let access = AccessControl::new(&settings.access, std::time::UNIX_EPOCH).unwrap();
            let never = Box::pin(std::future::pending());
            let observers = CallObservers::default();
            let access = Arc::new(access);
            let serving = rpc::serve(listeners, live, &settings.open_inference, access, observers, never);
            let running = serving.await.unwrap();
            tokio::spawn(async move {
                let _kept = (running.health, running.connections);
                running.done.await
            });
        });
        Self { runtime, folder }
    }
}
