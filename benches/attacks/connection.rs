//! A connection of an attack.

use std::io::{self, BufReader, Write as _};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::net::sockopt;

use super::attack::Session;
use super::raw_http2::{flag, frame, grpc_message, kind, preface, read_frame, request_headers};
use super::send_credit::SendCredit;
use super::target::Target;

/// The largest payload of a DATA frame that every server accepts.
const MAX_FRAME_BYTES: usize = 16_384;
/// The largest window of HTTP/2: the attack never limits what the server sends.
const MAX_WINDOW: u32 = (1 << 31) - 1;
const INITIAL_WINDOW: u32 = 65_535;
const SETTINGS_INITIAL_WINDOW_SIZE: u16 = 4;

/// An HTTP/2 connection of an attack. Dropping it closes the socket.
pub struct AttackConnection {
    stream: TcpStream,
    credit: Arc<SendCredit>,
    reader: Option<JoinHandle<()>>,
    next_stream: u32,
    authorization: Option<String>,
}

impl AttackConnection {
    /// Connects, exchanges SETTINGS, and reads every frame on a thread of its own.
    pub fn open(target: &Target, session: &Session) -> io::Result<Self> {
        let mut connection = Self::open_unread(target, session, MAX_WINDOW)?;
        let mut source = BufReader::new(connection.stream.try_clone()?);
        let credit = Arc::clone(&connection.credit);
        let reader = std::thread::Builder::new()
            .name("attack-reader".to_owned())
            .spawn(move || {
                while let Ok(frame) = read_frame(&mut source) {
                    credit.apply(&frame);
                }
                credit.close();
            })?;
        connection.reader = Some(reader);
        Ok(connection)
    }

    /// Connects and exchanges SETTINGS. Nothing reads what the server sends after them, which may be
    /// `window` bytes for each stream.
    pub fn open_unread(target: &Target, session: &Session, window: u32) -> io::Result<Self> {
        let stream = target.connect_grpc()?;
        session.count_connection();
        let credit = SendCredit::new();
        let mut setting = SETTINGS_INITIAL_WINDOW_SIZE.to_be_bytes().to_vec();
        setting.extend(window.to_be_bytes());
        let mut bytes = preface();
        bytes.extend(frame(kind::SETTINGS, flag::NONE, 0, &setting));
        if window > INITIAL_WINDOW {
            let increase = (window - INITIAL_WINDOW).to_be_bytes();
            bytes.extend(frame(kind::WINDOW_UPDATE, flag::NONE, 0, &increase));
        }
        (&stream).write_all(&bytes)?;
        sockopt::set_socket_timeout(&stream, sockopt::Timeout::Recv, Some(Duration::from_secs(5)))?;
        // The windows that the server announces count from the acknowledgement on.
        loop {
            let received = read_frame(&mut &stream)?;
            credit.apply(&received);
            if received.kind == kind::SETTINGS && received.flags & flag::ACK == 0 {
                break;
            }
        }
        (&stream).write_all(&frame(kind::SETTINGS, flag::ACK, 0, &[]))?;
        sockopt::set_socket_timeout(&stream, sockopt::Timeout::Recv, None)?;
        Ok(Self {
            stream,
            credit: Arc::new(credit),
            reader: None,
            next_stream: 1,
            authorization: target.token.as_ref().map(|token| format!("Bearer {token}")),
        })
    }

    /// The identifier of the next stream.
    pub fn new_stream(&mut self) -> u32 {
        let stream = self.next_stream;
        self.next_stream += 2;
        self.credit.open(stream);
        stream
    }

    /// The HEADERS frame of a request on `stream`, with the attack's token.
    pub fn headers(&self, stream: u32, path: &str, headers: &[(&str, &str)]) -> Vec<u8> {
        let mut all = headers.to_vec();
        if let Some(authorization) = &self.authorization {
            all.push(("authorization", authorization));
        }
        request_headers(stream, path, &all)
    }

    /// Sends bytes outside of flow control.
    pub fn send(&self, bytes: &[u8]) -> io::Result<()> {
        (&self.stream).write_all(bytes)
    }

    /// Opens a stream and sends its headers.
    pub fn start_request(&mut self, path: &str, headers: &[(&str, &str)]) -> io::Result<u32> {
        let stream = self.new_stream();
        self.send(&self.headers(stream, path, headers))?;
        Ok(stream)
    }

    /// Sends bytes in DATA frames, as flow control permits. Stops early when the attack is stopped
    /// or the server ends the stream. Returns the number of bytes that it sent.
    pub fn send_data(&self, stream: u32, bytes: &[u8], session: &Session) -> io::Result<usize> {
        let mut unsent = bytes;
        while !unsent.is_empty() {
            let taken = self.credit.take(stream, unsent.len().min(MAX_FRAME_BYTES), session)?;
            let (now, later) = unsent.split_at(taken);
            if now.is_empty() {
                break;
            }
            self.send(&frame(kind::DATA, flag::NONE, stream, now))?;
            unsent = later;
        }
        Ok(bytes.len() - unsent.len())
    }

    /// Sends a whole request.
    pub fn send_request(
        &mut self,
        path: &str,
        headers: &[(&str, &str)],
        message: &[u8],
        session: &Session,
    ) -> io::Result<u32> {
        let stream = self.start_request(path, headers)?;
        self.send_data(stream, &grpc_message(message.len(), message), session)?;
        if !self.credit.has_ended(stream) {
            self.send(&frame(kind::DATA, flag::END_STREAM, stream, &[]))?;
        }
        Ok(stream)
    }

    /// Waits until the server has answered `stream`, or the attack is stopped.
    pub fn wait_for_end(&self, stream: u32, session: &Session) -> io::Result<()> {
        self.credit.wait_for_end(stream, session)
    }

    /// Whether the server has ended `stream`, or the connection.
    pub fn has_ended(&self, stream: u32) -> bool {
        self.credit.has_ended(stream)
    }

    /// Closes the connection with a reset, as the kernel does for a process that is killed with
    /// unread answers.
    pub fn abort(mut self) -> io::Result<()> {
        sockopt::set_socket_linger(&self.stream, Some(Duration::ZERO))?;
        // Ends the reader without a word to the server.
        self.end_reader(Shutdown::Read);
        Ok(())
    }

    /// Ends the reader, whose copy of the socket would keep the connection open.
    fn end_reader(&mut self, shutdown: Shutdown) {
        if let Some(reader) = self.reader.take() {
            drop(self.stream.shutdown(shutdown));
            drop(reader.join());
        }
    }
}

impl Drop for AttackConnection {
    fn drop(&mut self) {
        self.end_reader(Shutdown::Both);
    }
}
