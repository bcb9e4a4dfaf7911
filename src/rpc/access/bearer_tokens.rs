//! Bearer tokens: reads them from a file and compares them in constant time.

use std::path::Path;

use subtle::{ConditionallySelectable as _, ConstantTimeEq as _};
use tonic::Status;
use tonic::codegen::http::HeaderMap;
use tonic::codegen::http::header::AUTHORIZATION;

use super::credential_file::{PathKind, read_file, shown};
use crate::call::{Fingerprint, Principal};
use crate::domain::is_caller_name;

/// The most tokens in a file. Each request is compared with every token.
const MAX_TOKENS: usize = 64;
/// The length of a token in bytes. A shorter token is easy to guess; a longer line is no token.
const TOKEN_LENGTHS: std::ops::RangeInclusive<usize> = 16..=4096;

/// The accepted tokens. A request must carry one of them. No message shows their text.
pub(super) struct BearerTokens(Vec<AcceptedToken>);

struct AcceptedToken {
    token: Vec<u8>,
    /// That of the name, so that tokens with one name are one principal while a token is replaced. That
    /// of the token itself if it has no name.
    fingerprint: Fingerprint,
}

impl BearerTokens {
    /// Reads the tokens in the file at `path`, one a line, each with an optional name before it. Empty
    /// lines and lines that start with `#` are skipped.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let bytes = read_file(path, PathKind::Secret)?;
        Self::parse(&bytes).map_err(|reason| format!("{}: {reason}", shown(path, PathKind::Secret)))
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let mut tokens = Vec::new();
        for (index, line) in bytes.split(|&byte| byte == b'\n').enumerate() {
            let line = line.trim_ascii();
            if line.is_empty() || line.starts_with(b"#") {
                continue;
            }
            let (name, token) = match line.iter().position(u8::is_ascii_whitespace) {
                Some(end) => (line.get(..end), line.get(end..).unwrap_or_default().trim_ascii()),
                None => (None, line),
            };
            // A wrong line, such as `token: SECRET`, is not taken for a name and a token.
            let is_named = name.is_none_or(|name| std::str::from_utf8(name).is_ok_and(is_caller_name));
            if !is_named || !TOKEN_LENGTHS.contains(&token.len()) || !is_visible(token) {
                let (min, max) = (TOKEN_LENGTHS.start(), TOKEN_LENGTHS.end());
                return Err(format!(
                    "line {}: expected one token of {min} to {max} visible ASCII characters, or a name of up to 64 (letters, digits, ., _ and -) and a token",
                    index + 1
                ));
            }
            tokens.push(AcceptedToken {
                token: token.to_vec(),
                fingerprint: Fingerprint::of(name.unwrap_or(token)),
            });
        }
        match tokens.len() {
            1..=MAX_TOKENS => Ok(Self(tokens)),
            count => Err(format!("expected 1 to {MAX_TOKENS} tokens, one a line; found {count}")),
        }
    }

    /// The number of tokens.
    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    /// Checks that the `authorization` header carries one of the tokens, and returns its principal.
    ///
    /// # Errors
    /// UNAUTHENTICATED. The message states what is missing and never shows what the caller sent.
    pub(super) fn check(&self, headers: &HeaderMap) -> Result<Principal, Status> {
        let Some(value) = headers.get(AUTHORIZATION) else {
            return Err(Status::unauthenticated(
                "this server requires a token: send the metadata \"authorization: Bearer TOKEN\"",
            ));
        };
        let value = value.as_bytes();
        let is_bearer = value
            .get(..7)
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "));
        let Some(token) = value.get(7..).filter(|_| is_bearer) else {
            return Err(Status::unauthenticated(
                "authorization: expected \"Bearer TOKEN\", found another scheme",
            ));
        };
        let token = token.trim_ascii();
        // This compares every token, so that the time taken does not reveal which one matched.
        let place = (1..).zip(&self.0).fold(0, |place: u64, (other, accepted)| {
            u64::conditional_select(&place, &other, accepted.token.as_slice().ct_eq(token))
        });
        let place = usize::try_from(place).unwrap_or_default();
        if let Some(accepted) = place.checked_sub(1).and_then(|index| self.0.get(index)) {
            return Ok(Principal::Token(accepted.fingerprint));
        }
        Err(Status::unauthenticated(
            "the token is not one of this server's tokens; it may have been rotated",
        ))
    }
}

fn is_visible(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_graphic)
}

#[cfg(test)]
mod tests {
    use tonic::codegen::http::HeaderValue;

    use super::*;

    const GOOD: &str = "0123456789abcdef";

    fn check(tokens: &BearerTokens, authorization: &str) -> Result<Principal, Status> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(authorization).unwrap());
        tokens.check(&headers)
    }

    #[test]
    fn any_listed_token_is_accepted() {
        let tokens = BearerTokens::parse(format!("# old\n{GOOD}\r\n\n  fedcba9876543210  \n").as_bytes()).unwrap();
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
    fn tokens_with_one_name_are_one_principal() {
        let tokens = format!("planner {GOOD}\nplanner\tfedcba9876543210\n0000111122223333\n");
        let tokens = BearerTokens::parse(tokens.as_bytes()).unwrap();
        let principal = |token: &str| check(&tokens, &format!("Bearer {token}")).unwrap();
        let planner = Principal::Token(Fingerprint::of(b"planner"));
        assert_eq!((principal(GOOD), principal("fedcba9876543210")), (planner, planner));
        assert_ne!(principal("0000111122223333"), planner);
        check(&tokens, &format!("Bearer planner {GOOD}")).unwrap_err();
    }

    #[test]
    fn an_invalid_token_is_reported_by_its_line() {
        for (text, expected) in [
            ("", "found 0"),
            ("# nothing\n", "found 0"),
            ("0123456789abcdef\nshort\n", "line 2"),
            ("two words of a secret", "line 1"),
            ("0123456789abcd\u{e9}f", "line 1"),
        ] {
            let Err(reason) = BearerTokens::parse(text.as_bytes()) else {
                panic!("{text:?} was accepted")
            };
            assert!(reason.contains(expected), "{reason}");
            assert!(!reason.contains("secret"), "{reason}");
        }
    }
}
