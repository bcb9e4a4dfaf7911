//! Bearer tokens: read from a file, compared without telling by the time how much of one was right.

use std::path::Path;

use subtle::{Choice, ConstantTimeEq as _};
use tonic::Status;
use tonic::codegen::http::HeaderMap;
use tonic::codegen::http::header::AUTHORIZATION;

use super::certificates;

/// Tokens in a file, at most: every request is compared with each.
const MOST_TOKENS: usize = 64;
/// Bytes of a token: shorter ones are guessed, longer ones are no tokens.
const LENGTHS: std::ops::RangeInclusive<usize> = 16..=4096;

/// Tokens of which one must be shown. Their text appears in no message.
pub(super) struct Tokens(Vec<Vec<u8>>);

impl Tokens {
    /// The tokens in the file, one a line; empty lines and those that begin with `#` are none.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let bytes = certificates::read(path)?;
        Self::parse(&bytes).map_err(|reason| format!("{}: {reason}", path.display()))
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut tokens = Vec::new();
        for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            if !LENGTHS.contains(&line.len()) || !line.iter().all(u8::is_ascii_graphic) {
                let (least, most) = (LENGTHS.start(), LENGTHS.end());
                return Err(format!(
                    "line {}: expected one token of {least} to {most} visible ASCII characters",
                    index + 1
                ));
            }
            tokens.push(line.to_vec());
        }
        match tokens.len() {
            1..=MOST_TOKENS => Ok(Self(tokens)),
            count => Err(format!("expected 1 to {MOST_TOKENS} tokens, one a line; found {count}")),
        }
    }

    /// Whether the `authorization` header shows one of them.
    ///
    /// # Errors
    /// UNAUTHENTICATED, with what is missing and without what was found.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<(), Status> {
        let Some(shown) = headers.get(AUTHORIZATION) else {
            return Err(Status::unauthenticated(
                "this server wants a token: send the metadata \"authorization: Bearer TOKEN\"",
            ));
        };
        let shown = shown.as_bytes();
        let is_bearer = shown
            .get(..7)
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "));
        let Some(shown) = shown.get(7..).filter(|_| is_bearer) else {
            return Err(Status::unauthenticated(
                "authorization: expected \"Bearer TOKEN\", found another scheme",
            ));
        };
        let shown = shown.trim_ascii();
        // All are compared: which of them was right is nobody's business either.
        let known = self
            .0
            .iter()
            .fold(Choice::from(0), |known, token| known | token.as_slice().ct_eq(shown));
        if bool::from(known) {
            return Ok(());
        }
        Err(Status::unauthenticated(
            "the token is not one of this server's; it may have been rotated",
        ))
    }
}

#[cfg(test)]
mod tests {
    use tonic::codegen::http::HeaderValue;

    use super::*;

    const GOOD: &str = "0123456789abcdef";

    fn check(tokens: &Tokens, authorization: &str) -> Result<(), Status> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(authorization).unwrap());
        tokens.check(&headers)
    }

    #[test]
    fn one_of_them_is_enough() {
        let tokens = Tokens::parse(format!("# old\n{GOOD}\r\n\n  fedcba9876543210  \n").as_bytes()).unwrap();
        for good in [GOOD, "fedcba9876543210"] {
            check(&tokens, &format!("Bearer {good}")).unwrap();
            check(&tokens, &format!("bearer  {good}")).unwrap();
        }
        for wrong in [
            "Bearer 0123456789abcdeX",
            "Bearer 0123456789abcde",
            "Bearer 0123456789abcdefg",
            "Bearer ",
            "Bearer",
            "Basic 0123456789abcdef",
            "# old",
        ] {
            let status = check(&tokens, wrong).unwrap_err();
            assert_eq!(status.code(), tonic::Code::Unauthenticated);
            assert!(!status.message().contains("0123456789"), "{status:?}");
        }
        assert!(tokens.check(&HeaderMap::new()).is_err());
    }

    #[test]
    fn what_is_no_token_is_told_by_its_line() {
        for (text, told) in [
            ("", "found 0"),
            ("# nothing\n", "found 0"),
            ("0123456789abcdef\nshort\n", "line 2"),
            ("two words of a secret", "line 1"),
            ("0123456789abcd\u{e9}f", "line 1"),
        ] {
            let Err(reason) = Tokens::parse(text.as_bytes()) else {
                panic!("{text:?} was taken")
            };
            assert!(reason.contains(told), "{reason}");
            assert!(!reason.contains("secret"), "{reason}");
        }
    }
}
