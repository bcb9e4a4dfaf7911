//! The Rust of the documents is compiled here, and runs against the real server.
//!
//! Each block of a document stands in a function below, line by line. The functions see types of this file in place of some names:
//! a `Client` that finds the test's server at every address, and a `Duration` that suits a busy machine.

use std::fmt::Display;
use std::sync::{Mutex, OnceLock};

use certimix_client::{CertifiedClass, CertifyOptions, ClientBuilder, Error, Norm, Tensor};

use crate::support::inputs::{PATIENCE, clear_input};
use crate::support::server_process::ServerProcess;

const DOCUMENTS: [(&str, &str); 3] = [
    ("clients/rust/README.md", include_str!("../../clients/rust/README.md")),
    ("docs/guides/clients.md", include_str!("../../docs/guides/clients.md")),
    ("clients/rust/src/lib.rs", include_str!("../../clients/rust/src/lib.rs")),
];

/// The address of the test's server.
static ADDRESS: OnceLock<String> = OnceLock::new();

struct Client;

impl Client {
    fn builder(address: &str) -> ClientBuilder {
        let address = if address.starts_with("https") {
            address
        } else {
            ADDRESS.get().unwrap()
        };
        certimix_client::Client::builder(address)
    }

    async fn connect(address: &str) -> Result<certimix_client::Client, Error> {
        Self::builder(address).deadline(PATIENCE).connect().await
    }
}

struct Duration;

impl Duration {
    fn from_millis(_: u64) -> std::time::Duration {
        PATIENCE
    }

    fn from_secs(_: u64) -> std::time::Duration {
        PATIENCE
    }
}

/// What the controller of the documents did.
static ACTIONS: Mutex<Vec<String>> = Mutex::new(Vec::new());
const HOLD: &str = "hold";

fn act(action: &str) {
    ACTIONS.lock().unwrap().push(action.to_owned());
}

fn hold(_: &impl Display) {
    act(HOLD);
}

fn images() -> std::vec::IntoIter<Tensor> {
    let border = Tensor::float32(&[4], &[0.1; 4]).unwrap();
    vec![clear_input(), border].into_iter()
}

#[rustfmt::skip]
async fn readme() -> Result<(), Error> {
    let camera = images();
let client = Client::builder("unix:///run/certimix.sock").deadline(Duration::from_millis(500)).connect().await?;
let stream = client.predict_stream();
for image in camera {
    match stream.predict(&image).await {
        Ok(answer) => match answer.class_if_certified(0.1, Norm::L2) {
            Some(class) => act(class.label()),
            None => hold(&answer),
        },
        Err(error) => hold(&error), // late, refused, or no server
    }
}
    let image = clear_input();
let options = CertifyOptions::default().target_radius(0.2).deadline(Duration::from_secs(5));
let mut steps = client.certify_stream(&image, &options).await?;
while let Some(step) = steps.next().await? {
    println!("{step}, final: {}", step.is_final());
}
    Ok(())
}

#[rustfmt::skip]
fn steer(class: &CertifiedClass) -> f64 {
    if class.label() == "left" { -0.045 } else { 0.045 }
}

/// The files of these credentials do not exist, so this is compiled only.
#[allow(dead_code, reason = "compiled only")]
#[rustfmt::skip]
async fn credentials() -> Result<(), Error> {
Client::connect("unix:///run/certimix.sock").await?;
Client::connect("127.0.0.1:50051").await?;
let tls = Client::builder("https://certimix.example:50051").tls_ca("ca.crt");
tls.clone().token_file("token").connect().await?;
tls.clone().tls_identity("me.crt", "me.key").connect().await?;
tls.connect_lazy()?; // connects with the first call
    Ok(())
}

#[rustfmt::skip]
async fn guide() -> Result<Option<CertifiedClass>, Error> {
    let image = clear_input();
let client = Client::connect("unix:///run/certimix.sock").await?;
let answer = client.predict(&image).await?;
println!("{answer}");
let class: Option<CertifiedClass> = answer.class_if_certified(0.1, Norm::L2);
    let mut images = images();
    let mut observe = || images.next();
let stream = client.with_deadline(Duration::from_millis(50)).predict_stream();
while let Some(image) = observe() {
    let answer = stream.predict(&image).await;
    let class = answer.ok().and_then(|answer| answer.class_if_certified(0.1, Norm::L2));
    act(class.as_ref().map_or(HOLD, CertifiedClass::label));
}
    Ok(class)
}

#[rustfmt::skip]
async fn crate_documentation(image: &Tensor) -> Result<(), Error> {
let client = Client::connect("unix:///run/certimix.sock").await?;
let answer = client.predict(image).await?;
match answer.class_if_certified(0.1, Norm::L2) {
    Some(class) => println!("{} is certified", class.label()),
    None => println!("{answer}"),
}
    Ok(())
}

#[tokio::test]
async fn the_rust_of_the_documents_runs() {
    let server = ServerProcess::start(&[]);
    ADDRESS.set(server.unix()).unwrap();
    readme().await.unwrap();
    let class = guide().await.unwrap().unwrap();
    assert_eq!((class.label(), steer(&class)), ("left", -0.045));
    crate_documentation(&clear_input()).await.unwrap();
    let actions = ACTIONS.lock().unwrap().clone();
    assert_eq!(actions, ["left", HOLD, "left", HOLD]);
}

/// The blocks of Rust in a document or in the documentation of a crate, without the lines that rustdoc hides.
fn blocks(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| line.strip_prefix("//!").unwrap_or(line).trim());
    let mut blocks = Vec::new();
    let mut block: Option<Vec<&str>> = None;
    for line in lines {
        match &mut block {
            Some(_) if line == "```" => blocks.extend(block.take().map(|lines| lines.join("\n"))),
            Some(lines) if !line.starts_with("# ") && !line.starts_with("use ") && !line.is_empty() => lines.push(line),
            Some(_) => {}
            None => {
                block = line
                    .starts_with("```rust")
                    .then(Vec::new)
                    .or(line.starts_with("```no_run").then(Vec::new))
            }
        }
    }
    blocks
}

#[test]
fn every_block_of_a_document_is_compiled() {
    let source = include_str!("documents.rs");
    let source = source.lines().map(str::trim).collect::<Vec<_>>().join("\n");
    let mut checked = 0;
    for (document, text) in DOCUMENTS {
        for block in blocks(text) {
            assert!(
                !block.is_empty() && source.contains(&block),
                "{document}: no function has this:\n{block}"
            );
            checked += 1;
        }
    }
    assert_eq!(checked, 7);
}
