//! TLS, client certificates and tokens.

use certimix_client::{ClientBuilder, ErrorKind, Norm};

use crate::support::certificates::Certificates;
use crate::support::inputs::{clear_input, patient};
use crate::support::server_process::ServerProcess;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// Calls the server once by each kind of call.
async fn call(builder: ClientBuilder) -> Result<(), ErrorKind> {
    let client = builder.connect().await.map_err(|error| error.kind())?;
    let stream = client.predict_stream();
    for outcome in [
        client.predict(&clear_input()).await,
        stream.predict(&clear_input()).await,
    ] {
        let answer = outcome.map_err(|error| error.kind())?;
        assert!(answer.certified_beyond(0.0, Norm::L2));
    }
    Ok(())
}

#[tokio::test]
async fn a_token_over_tls() {
    let files = Certificates::new();
    files.write("tokens", &format!("tester {TOKEN}\n"));
    let token = files.write("mine", &format!("{TOKEN}\n"));
    let (certificate, key, tokens) = (files.toml("server.crt"), files.toml("server.key"), files.toml("tokens"));
    let server = ServerProcess::start(&[
        ("tls.certificate", &certificate),
        ("tls.key", &key),
        ("server.bearer_token_file", &tokens),
    ]);
    let trusting = || {
        patient(&server.https())
            .tls_ca(files.path("ca.crt"))
            .tls_server_name("localhost")
    };
    assert_eq!(call(trusting().token_file(&token)).await, Ok(()));
    assert_eq!(call(trusting()).await, Err(ErrorKind::Unauthenticated));
    // The options of TLS say which scheme an address without one has.
    let without_scheme = patient(&server.tcp())
        .tls_ca(files.path("ca.crt"))
        .tls_server_name("localhost");
    assert_eq!(call(without_scheme.token_file(&token)).await, Ok(()));
    // The name in the certificate is not this one.
    let other_name = trusting().tls_server_name("other.example").token_file(&token);
    assert_eq!(call(other_name).await, Err(ErrorKind::Unavailable));
    // Another authority signed the server's certificate.
    let stranger = Certificates::new();
    let distrusting = trusting().tls_ca(stranger.path("ca.crt")).token_file(&token);
    assert_eq!(call(distrusting).await, Err(ErrorKind::Unavailable));
    // The file decides about each call, also on a client that is connected.
    let client = trusting().token_file(&token).connect().await.unwrap();
    files.write("mine", &"f".repeat(32));
    let error = client.predict(&clear_input()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthenticated, "{error}");
    files.write("mine", TOKEN);
    client.predict(&clear_input()).await.unwrap();
}

#[tokio::test]
async fn a_client_certificate() {
    let files = Certificates::new();
    let (certificate, key, authority) = (files.toml("server.crt"), files.toml("server.key"), files.toml("ca.crt"));
    let server = ServerProcess::start(&[
        ("tls.certificate", &certificate),
        ("tls.key", &key),
        ("tls.client_ca", &authority),
    ]);
    let trusting = || {
        patient(&server.https())
            .tls_ca(files.path("ca.crt"))
            .tls_server_name("localhost")
    };
    let own = trusting().tls_identity(files.path("client.crt"), files.path("client.key"));
    assert_eq!(call(own).await, Ok(()));
    assert_eq!(call(trusting()).await, Err(ErrorKind::Unavailable));
}

#[tokio::test]
async fn wrong_options_are_named() {
    let files = Certificates::new();
    let missing = files.path("missing");
    let cases = [
        ("address", patient("https//host")),
        ("address", patient("unix:/run/c.sock").tls_ca(files.path("ca.crt"))),
        ("address", patient("http://127.0.0.1:1").tls_server_name("localhost")),
        ("tls_ca", patient("https://127.0.0.1:1")),
        ("tls_ca", patient("https://127.0.0.1:1").tls_ca(&missing)),
        (
            "tls_identity",
            patient("127.0.0.1:1")
                .tls_ca(files.path("ca.crt"))
                .tls_identity(&missing, &missing),
        ),
        ("token_file", patient("127.0.0.1:1").token_file(&missing)),
        ("deadline", patient("127.0.0.1:1").deadline(std::time::Duration::ZERO)),
    ];
    for (field, builder) in cases {
        let error = builder.clone().connect_lazy().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
        assert_eq!(error.violations()[0].field, field, "{error}");
    }
}

#[test]
fn a_client_outside_a_runtime_is_an_error() {
    let error = patient("127.0.0.1:1").connect_lazy().unwrap_err();
    assert_eq!(error.violations()[0].field, "runtime");
}
