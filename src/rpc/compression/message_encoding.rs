//! Reads how the messages of a request may be compressed.

use tonic::Status;
use tonic::codegen::http::HeaderMap;

use crate::rpc::common::status;

/// The header of a request that names the compression of its messages.
pub(in crate::rpc) const GRPC_ENCODING: &str = "grpc-encoding";

/// How the messages of a request may be compressed. Each message says whether it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::rpc) enum MessageEncoding {
    /// No message is compressed.
    Identity,
    /// Messages may be compressed with gzip (RFC 1952).
    Gzip,
}

/// The encoding that `headers` declare. `accepts_gzip` is the setting.
///
/// # Errors
/// UNIMPLEMENTED for an encoding that the server does not accept.
pub(in crate::rpc) fn read_message_encoding(
    headers: &HeaderMap,
    accepts_gzip: bool,
) -> Result<MessageEncoding, Box<Status>> {
    let mut encodings = headers.get_all(GRPC_ENCODING).iter();
    let Some(encoding) = encodings.next() else {
        return Ok(MessageEncoding::Identity);
    };
    match encoding.as_bytes() {
        // Two names contradict each other.
        _ if encodings.next().is_some() => {}
        b"identity" => return Ok(MessageEncoding::Identity),
        b"gzip" if accepts_gzip => return Ok(MessageEncoding::Gzip),
        b"gzip" => return Err(Box::new(status::gzip_is_off())),
        _ => {}
    }
    Err(Box::new(status::unknown_message_encoding(accepts_gzip)))
}

#[cfg(test)]
mod tests {
    use tonic::Code;
    use tonic::codegen::http::HeaderValue;

    use super::*;

    fn read(names: &[&'static str], accepts_gzip: bool) -> Result<MessageEncoding, Box<Status>> {
        let mut headers = HeaderMap::new();
        for name in names {
            headers.append(GRPC_ENCODING, HeaderValue::from_static(name));
        }
        read_message_encoding(&headers, accepts_gzip)
    }

    #[test]
    fn gzip_is_accepted_if_the_operator_allows_it() {
        for accepts_gzip in [false, true] {
            assert_eq!(read(&[], accepts_gzip).unwrap(), MessageEncoding::Identity);
            assert_eq!(read(&["identity"], accepts_gzip).unwrap(), MessageEncoding::Identity);
        }
        assert_eq!(read(&["gzip"], true).unwrap(), MessageEncoding::Gzip);
        let refusal = read(&["gzip"], false).unwrap_err();
        assert!(refusal.message().contains("server.accept_gzip"), "{refusal:?}");
    }

    #[test]
    fn other_encodings_are_refused_with_those_that_are_accepted() {
        for (names, accepts_gzip, accepted) in [
            (&["zstd"][..], true, "gzip,identity"),
            (&["GZIP"], true, "gzip,identity"),
            (&["gzip", "gzip"], true, "gzip,identity"),
            (&["gzip"], false, "identity"),
            (&["deflate"], false, "identity"),
        ] {
            let refusal = read(names, accepts_gzip).unwrap_err();
            assert_eq!(refusal.code(), Code::Unimplemented, "{names:?}");
            let header = refusal.metadata().get("grpc-accept-encoding").unwrap();
            assert_eq!(header, accepted, "{names:?}");
        }
    }
}
