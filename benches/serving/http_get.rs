//! A GET of the metrics port with a time limit, as a probe or a scraper sends it.
//!
//! An HTTP client of a library would add its own connection pool and retries, which hide what a
//! kubelet sees.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// The largest response that is read.
const MAX_RESPONSE_BYTES: u64 = 16 << 20;

/// Gets `path` on a new connection. Returns the status and the body. Fails after `limit`.
pub fn http_get(address: SocketAddr, path: &str, limit: Duration) -> io::Result<(u16, String)> {
    let start = Instant::now();
    let remaining = || {
        let left = limit.saturating_sub(start.elapsed());
        if left.is_zero() {
            Err(io::Error::from(io::ErrorKind::TimedOut))
        } else {
            Ok(left)
        }
    };
    let mut stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_write_timeout(Some(remaining()?))?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes())?;
    let mut response = Vec::new();
    let mut part = [0; 16_384];
    loop {
        stream.set_read_timeout(Some(remaining()?))?;
        let read = stream.read(&mut part)?;
        if read == 0 || response.len() as u64 > MAX_RESPONSE_BYTES {
            break;
        }
        response.extend(part.iter().take(read));
    }
    let text = String::from_utf8_lossy(&response);
    let (head, body) = text.split_once("\r\n\r\n").ok_or(io::ErrorKind::UnexpectedEof)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    Ok((status.ok_or(io::ErrorKind::InvalidData)?, body.to_owned()))
}
