//! Connections from many addresses. Every address of 127.0.0.0/8 belongs to this machine.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use tokio::net::TcpSocket;
use tokio::runtime::Builder;
use tokio::time::timeout;
use tonic::transport::{Channel, Endpoint};

use crate::support::server::TEST_TIMEOUT;

/// An address of this machine. The host number 1 is 127.0.0.1.
pub fn host(number: u16) -> Ipv4Addr {
    let [high, low] = number.to_be_bytes();
    Ipv4Addr::new(127, 0, high, low)
}

/// Connects from `host` to `address`; `None` if the server does not accept in time.
pub async fn connect_from(host: Ipv4Addr, address: SocketAddr) -> Option<tokio::net::TcpStream> {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::from((host, 0))).unwrap();
    timeout(TEST_TIMEOUT, socket.connect(address)).await.ok()?.ok()
}

/// A channel whose connection comes from `host`.
pub async fn channel_from(host: Ipv4Addr, address: SocketAddr) -> Result<Channel, tonic::transport::Error> {
    Endpoint::from_shared(format!("http://{address}"))
        .unwrap()
        .local_address(Some(host.into()))
        .timeout(TEST_TIMEOUT)
        .connect()
        .await
}

/// Open connections that send nothing more.
pub struct SilentConnections(Vec<TcpStream>);

impl SilentConnections {
    /// Opens `count` connections from `hosts` addresses, beginning with `first_host`, and sends
    /// `bytes` on each.
    pub fn open(address: SocketAddr, count: usize, first_host: u16, hosts: u16, bytes: &[u8]) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().unwrap();
        let open = |number| {
            let stream = runtime.block_on(connect_from(host(first_host + number), address));
            let mut stream = stream.unwrap().into_std().unwrap();
            stream.set_nonblocking(false).unwrap();
            // The server may have closed the connection already.
            let _ = stream.write_all(bytes);
            stream
        };
        Self((0..hosts).cycle().take(count).map(open).collect())
    }

    /// Opens connections as [`SilentConnections::open`] does, and waits on each until the server has
    /// sent `answer`.
    pub fn open_answered(
        address: SocketAddr,
        count: usize,
        first_host: u16,
        hosts: u16,
        bytes: &[u8],
        answer: &[u8],
    ) -> Self {
        let mut all = Vec::new();
        for number in (0..hosts).cycle().take(count) {
            let Self(mut one) = Self::open(address, 1, first_host + number, 1, bytes);
            let stream = &mut one[0];
            stream.set_read_timeout(Some(TEST_TIMEOUT)).unwrap();
            let (mut received, mut buffer) = (Vec::<u8>::new(), [0_u8; 4096]);
            while !received.windows(answer.len()).any(|window| window == answer) {
                match stream.read(&mut buffer).unwrap() {
                    0 => panic!("the server sends no answer"),
                    read => received.extend(&buffer[..read]),
                }
            }
            all.append(&mut one);
        }
        Self(all)
    }

    /// The number of connections that the server has not closed.
    pub fn count_open(&self) -> usize {
        let is_open = |stream: &&TcpStream| {
            stream.set_nonblocking(true).unwrap();
            let (mut stream, mut bytes) = (*stream, [0; 4096]);
            loop {
                match stream.read(&mut bytes) {
                    Ok(0) => return false,
                    Ok(_) => {}
                    Err(error) => return error.kind() == ErrorKind::WouldBlock,
                }
            }
        };
        self.0.iter().filter(is_open).count()
    }

    /// Waits until the server has closed all connections.
    pub fn wait_until_closed(&self) {
        let start = std::time::Instant::now();
        while self.count_open() > 0 {
            assert!(start.elapsed() < TEST_TIMEOUT, "{} are open", self.count_open());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
