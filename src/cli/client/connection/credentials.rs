//! TLS and tokens, as a caller names them.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Certificate, ClientTlsConfig, Identity};

use crate::cli::output;

/// Whom to trust, and how to show who asks.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct SecurityArgs {
    /// Trust a server whose certificate this authority has signed, a PEM file. For an https:// address
    #[arg(long, value_name = "FILE", env = "CERTIMIX_TLS_CA", hide_env_values = true)]
    pub tls_ca: Option<PathBuf>,

    /// The name that the server's certificate must bear, if it is not the host of the address: through a port-forward, say
    #[arg(long, value_name = "NAME", requires = "tls_ca")]
    pub tls_name: Option<String>,

    /// Your own certificate, a PEM file, for a server that asks for one (tls.client_ca)
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_certificate: Option<PathBuf>,

    /// The private key of --tls-certificate
    #[arg(long, value_name = "FILE", requires = "tls_certificate")]
    pub tls_key: Option<PathBuf>,

    /// A file whose first line is a token, for a server that asks for one (server.bearer_token_file). A file, because what is
    /// on a command line is seen by everybody on the machine
    #[arg(long, value_name = "FILE", env = "CERTIMIX_TOKEN_FILE", hide_env_values = true)]
    pub token_file: Option<PathBuf>,
}

impl SecurityArgs {
    /// TLS for `url`, if that says https.
    pub(crate) fn tls(&self, url: &str) -> anyhow::Result<Option<ClientTlsConfig>> {
        if !url.starts_with("https://") {
            ensure!(
                self.tls_ca.is_none() && self.tls_certificate.is_none(),
                "--tls-ca and --tls-certificate are for TLS, and {url} is no https:// address"
            );
            return Ok(None);
        }
        let Some(authority) = &self.tls_ca else {
            bail!("{url} wants TLS: name the authority that has signed the server's certificate with --tls-ca FILE");
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

    /// What to show as `authorization`. Says so if it goes over a network in the clear.
    pub(crate) fn authorization(&self, url: &str) -> anyhow::Result<Option<MetadataValue<Ascii>>> {
        let Some(path) = &self.token_file else {
            return Ok(None);
        };
        let text = read(path, "--token-file")?;
        let lines = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
        let token = lines
            .into_iter()
            .find(|line| !line.is_empty() && !line.starts_with(b"#"));
        let token = token.and_then(|token| str::from_utf8(token).ok());
        let value = token.and_then(|token| MetadataValue::try_from(format!("Bearer {token}")).ok());
        let Some(mut value) = value else {
            bail!("--token-file {}: expected a token in the first line", path.display());
        };
        value.set_sensitive(true);
        if is_seen_by_others(url) {
            output::note(format!(
                "warning: the token travels in the clear to {url}; use https:// unless the network is trusted"
            ));
        }
        Ok(Some(value))
    }
}

fn read(path: &Path, flag: &str) -> anyhow::Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("{flag}: cannot read {}", path.display()))
}

/// Plaintext to another machine.
fn is_seen_by_others(url: &str) -> bool {
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
    use super::is_seen_by_others;

    #[test]
    fn only_this_machine_is_private() {
        for private in [
            "http://127.0.0.1:50051",
            "http://[::1]:1",
            "http://localhost:9/",
            "unix:/a",
            "https://far",
        ] {
            assert!(!is_seen_by_others(private), "{private}");
        }
        for public in ["http://10.0.0.1:50051", "http://certimix:50051", "http://certimix"] {
            assert!(is_seen_by_others(public), "{public}");
        }
    }
}
