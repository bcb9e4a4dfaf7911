//! The client's TLS settings and its bearer token.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

use crate::cli::output;

/// The authority that the client trusts, and the client's own certificate and token.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct CredentialArgs {
    /// Trust a server whose certificate is signed by this authority, a PEM file. Required for an
    /// https:// address
    #[arg(long, value_name = "FILE", env = "CERTIMIX_TLS_CA", hide_env_values = true)]
    pub tls_ca: Option<PathBuf>,

    /// The name in the server's certificate, if it is not the host of the address (for example
    /// through a port-forward)
    #[arg(
        long,
        value_name = "NAME",
        requires = "tls_ca",
        env = "CERTIMIX_TLS_NAME",
        hide_env_values = true
    )]
    pub tls_name: Option<String>,

    /// Your own certificate, a PEM file, for a server that requires one (tls.client_ca)
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_key",
        env = "CERTIMIX_TLS_CERTIFICATE",
        hide_env_values = true
    )]
    pub tls_certificate: Option<PathBuf>,

    /// The private key of --tls-certificate, a PEM file
    #[arg(
        long,
        value_name = "FILE",
        requires = "tls_certificate",
        env = "CERTIMIX_TLS_KEY",
        hide_env_values = true
    )]
    pub tls_key: Option<PathBuf>,

    /// A file whose first line is a token, for a server that requires one
    /// (server.bearer_token_file). There is no option for the token itself, because every user of a
    /// machine can read its command lines
    #[arg(long, value_name = "FILE", env = "CERTIMIX_TOKEN_FILE", hide_env_values = true)]
    pub token_file: Option<PathBuf>,
}

impl CredentialArgs {
    /// The TLS configuration for `url`; `None` unless it is an `https://` address.
    pub(super) fn tls_config(&self, url: &str) -> anyhow::Result<Option<ClientTlsConfig>> {
        if !url.starts_with("https://") {
            ensure!(
                self.tls_ca.is_none() && self.tls_certificate.is_none(),
                "--address {url}: expected an https:// address with --tls-ca or --tls-certificate"
            );
            return Ok(None);
        }
        let Some(authority) = &self.tls_ca else {
            bail!("--tls-ca is missing: {url} uses TLS, name the authority that signed the server's certificate");
        };
        let mut tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read(authority, "--tls-ca")?));
        if let Some(name) = &self.tls_name {
            tls = tls.domain_name(name);
        }
        if let (Some(certificate), Some(key)) = (&self.tls_certificate, &self.tls_key) {
            let certificate = read(certificate, "--tls-certificate")?;
            tls = tls.identity(Identity::from_pem(certificate, read(key, "--tls-key")?));
        }
        Ok(Some(tls))
    }

    /// The `authorization` header, if there is a token file. Warns if the token is sent over a
    /// network without encryption.
    pub(super) fn authorization(&self, url: &str) -> anyhow::Result<Option<MetadataValue<Ascii>>> {
        let Some(path) = &self.token_file else {
            return Ok(None);
        };
        let text = read(path, "--token-file")?;
        let token = first_token(&text).and_then(|token| str::from_utf8(token).ok());
        let value = token.and_then(|token| MetadataValue::try_from(format!("Bearer {token}")).ok());
        let Some(mut value) = value else {
            bail!("--token-file {}: expected a token in the first line", path.display());
        };
        value.set_sensitive(true);
        if is_plaintext_to_another_machine(url) {
            output::note(format!(
                "warning: the token is sent to {url} without encryption; use https:// unless the network is trusted"
            ));
        }
        Ok(Some(value))
    }
}

/// The first line that is neither empty nor a comment.
fn first_token(text: &[u8]) -> Option<&[u8]> {
    text.split(|&byte| byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .find(|line| !line.is_empty() && !line.starts_with(b"#"))
}

fn read(path: &Path, option: &str) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("{option}: cannot read {}", path.display()))
}

fn is_plaintext_to_another_machine(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://") else {
        return false;
    };
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host != "localhost" && !host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_unix_and_tls_are_not_plaintext_to_another_machine() {
        for private in [
            "http://127.0.0.1:50051",
            "http://[::1]:1",
            "http://localhost:9/",
            "unix:/a",
            "https://far",
        ] {
            assert!(!is_plaintext_to_another_machine(private), "{private}");
        }
        for public in ["http://10.0.0.1:50051", "http://certimix:50051", "http://certimix"] {
            assert!(is_plaintext_to_another_machine(public), "{public}");
        }
    }

    #[test]
    fn comments_and_empty_lines_before_the_token_are_skipped() {
        assert_eq!(first_token(b"# rotated\n\n  secret \nolder\n"), Some(&b"secret"[..]));
        assert_eq!(first_token(b"# nothing\n\n"), None);
    }
}
