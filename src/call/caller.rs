//! The caller of a request, by whom bounded resources are shared fairly.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use sha2::{Digest as _, Sha256};

/// The part of an IPv6 address that names a network. A host may use every address of its network.
const IPV6_NETWORK: u128 = !0 << 64;

/// A digest that identifies a credential without revealing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// The fingerprint of the bytes of a credential: the first half of their SHA-256.
    #[must_use]
    pub fn of(credential: &[u8]) -> Self {
        let digest: [u8; 32] = Sha256::digest(credential).into();
        let mut half = [0; 16];
        half.iter_mut().zip(digest).for_each(|(half, byte)| *half = byte);
        Self(half)
    }
}

/// The first eight hexadecimal digits: enough to tell the credentials of one server apart.
impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .take(4)
            .try_for_each(|byte| write!(formatter, "{byte:02x}"))
    }
}

/// The party that a caller acts for. Shares belong to principals, because a party may open many
/// connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Principal {
    /// The holders of a bearer token.
    Token(Fingerprint),
    /// The holders of client certificates with one subject.
    Certificate(Fingerprint),
    /// An unauthenticated host: an IPv4 address, or the /64 network of an IPv6 address.
    Address(IpAddr),
    /// A user of this machine, over the Unix socket.
    UnixUser(u32),
    /// A peer that the operating system does not name.
    Unknown,
}

impl Principal {
    /// The principal of an unauthenticated peer at `address`.
    #[must_use]
    pub fn at(address: IpAddr) -> Self {
        Self::Address(match address.to_canonical() {
            IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & IPV6_NETWORK)),
            address @ IpAddr::V4(_) => address,
        })
    }

    /// Whether the caller has shown a credential, or the permissions of the Unix socket admit it.
    #[must_use]
    pub fn is_authenticated(&self) -> bool {
        match self {
            Self::Token(_) | Self::Certificate(_) | Self::UnixUser(_) => true,
            Self::Address(_) | Self::Unknown => false,
        }
    }
}

/// As a log line names it.
impl fmt::Display for Principal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(fingerprint) => write!(formatter, "token {fingerprint}"),
            Self::Certificate(fingerprint) => write!(formatter, "certificate {fingerprint}"),
            Self::Address(address) => write!(formatter, "{address}"),
            Self::UnixUser(user) => write!(formatter, "user {user}"),
            Self::Unknown => formatter.write_str("unknown"),
        }
    }
}

/// The caller of a request: a principal on one of its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Caller {
    /// The party that the caller acts for.
    pub principal: Principal,
    /// The number of the connection, counted from the start of the server.
    pub connection: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(address: &str) -> Principal {
        Principal::at(address.parse().unwrap())
    }

    #[test]
    fn the_hosts_of_one_ipv6_network_are_one_principal() {
        assert_eq!(at("2001:db8:1:2::1"), at("2001:db8:1:2:ffff::9"));
        assert_ne!(at("2001:db8:1:2::1"), at("2001:db8:1:3::1"));
        assert_ne!(at("10.0.0.1"), at("10.0.0.2"));
        // A listener on [::] sees IPv4 peers as mapped addresses.
        assert_eq!(at("::ffff:10.0.0.1"), at("10.0.0.1"));
    }

    #[test]
    fn a_log_line_names_a_principal_without_its_credential() {
        let token = Principal::Token(Fingerprint::of(b"token"));
        assert_eq!(token.to_string(), "token 3c469e9d");
        assert_eq!(at("::ffff:10.0.0.1").to_string(), "10.0.0.1");
        assert_eq!(Principal::UnixUser(7).to_string(), "user 7");
    }

    #[test]
    fn only_a_credential_or_the_unix_socket_authenticates() {
        assert!(Principal::Token(Fingerprint::of(b"token")).is_authenticated());
        assert!(Principal::UnixUser(0).is_authenticated());
        assert!(!at("127.0.0.1").is_authenticated());
        assert!(!Principal::Unknown.is_authenticated());
        assert_ne!(Fingerprint::of(b"one"), Fingerprint::of(b"two"));
    }
}
