//! The address of a server.

use std::net::IpAddr;

use tonic::transport::Uri;

use crate::Error;

const EXPECTED: &str = "expected unix:///PATH, HOST:PORT, http://HOST:PORT or https://HOST:PORT";

/// The address of a server, without what the options of TLS add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// A Unix socket: `unix:` and its path.
    Unix(String),
    /// A host and a port.
    Tcp {
        /// `HOST:PORT`.
        authority: String,
        /// The scheme of the address, if it has one.
        scheme: Option<Scheme>,
        /// Whether the host is this machine.
        is_loopback: bool,
    },
}

/// The scheme of a TCP address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Http,
    Https,
}

impl Address {
    /// Reads an address.
    pub(crate) fn parse(address: &str) -> Result<Self, Error> {
        let wrong = || Error::invalid("address", format!("{EXPECTED}, found {address:?}"));
        if let Some(path) = address.strip_prefix("unix:") {
            return match path.trim_matches('/') {
                "" => Err(wrong()),
                _ => Ok(Self::Unix(address.to_owned())),
            };
        }
        let (scheme, rest) = match address.split_once("://") {
            None => (None, address),
            Some(("http", rest)) => (Some(Scheme::Http), rest),
            Some(("https", rest)) => (Some(Scheme::Https), rest),
            Some(_) => return Err(wrong()),
        };
        let uri: Uri = format!("http://{rest}").parse().map_err(|_| wrong())?;
        let (Some(authority), Some(host)) = (uri.authority(), uri.host()) else {
            return Err(wrong());
        };
        let has_port = authority.port_u16().is_some();
        let has_more = authority.as_str().contains('@') || uri.path() != "/" || uri.query().is_some();
        if host.is_empty() || !has_port || has_more {
            return Err(wrong());
        }
        Ok(Self::Tcp {
            authority: authority.to_string(),
            scheme,
            is_loopback: is_loopback(host),
        })
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tcp(authority: &str, scheme: Option<Scheme>, is_loopback: bool) -> Address {
        Address::Tcp {
            authority: authority.to_owned(),
            scheme,
            is_loopback,
        }
    }

    #[test]
    fn addresses_are_read() {
        for path in ["unix:/run/c.sock", "unix:///run/c.sock", "unix:beside.sock"] {
            assert_eq!(Address::parse(path).unwrap(), Address::Unix(path.to_owned()));
        }
        let parse = |address| Address::parse(address).unwrap();
        assert_eq!(parse("127.0.0.1:50051"), tcp("127.0.0.1:50051", None, true));
        assert_eq!(
            parse("http://localhost:1/"),
            tcp("localhost:1", Some(Scheme::Http), true)
        );
        assert_eq!(parse("https://[::1]:1"), tcp("[::1]:1", Some(Scheme::Https), true));
        assert_eq!(
            parse("https://a.example:1"),
            tcp("a.example:1", Some(Scheme::Https), false)
        );
        assert_eq!(parse("10.0.0.1:1"), tcp("10.0.0.1:1", None, false));
    }

    #[test]
    fn wrong_addresses_are_named() {
        for wrong in [
            "",
            "unix:",
            "unix://",
            "unix:///",
            "host",
            "host:",
            ":1",
            "host:port",
            "host:70000",
            "ftp://host:1",
            "http://host:1/path",
            "http://host:1?q",
            "me@host:1",
            "http://",
            "https://host",
            "a b:1",
        ] {
            let error = Address::parse(wrong).unwrap_err();
            assert_eq!(error.violations()[0].field, "address", "{wrong}");
            assert!(error.message().contains(&format!("{wrong:?}")), "{error}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_an_address_or_an_error(text in ".*") {
            drop(Address::parse(&text));
        }
    }
}
