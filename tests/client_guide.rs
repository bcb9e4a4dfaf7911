//! The commands and programs of `docs/guides/clients.md` for tools that are not Python, as they are written, against
//! the real binary. A tool that this machine lacks skips its test, which says so. `tests/python_client.rs` runs the
//! Python of the guide.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test stops at the first surprise"
)]

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use support::Setup;
use support::process::ServerProcess;

#[path = "api/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the API tests use the rest")]
mod support;

/// Where Debian's packages have the sources of Go's libraries.
const DEBIAN_GO: &str = "/usr/share/gocode";

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The code block of `language` in the section `heading` of the guide.
fn block(heading: &str, language: &str) -> String {
    let guide = fs::read_to_string(repository().join("docs/guides/clients.md")).unwrap();
    let section = guide
        .split("\n## ")
        .find(|section| section.starts_with(&format!("{heading}\n")));
    let section = section.unwrap_or_else(|| panic!("the guide has no section {heading}"));
    let start = format!("```{language}\n");
    let (_, rest) = section.split_once(&start).expect("a code block");
    rest.split_once("```\n")
        .expect("the end of the code block")
        .0
        .to_owned()
}

/// Whether `check` succeeds, a command that looks for tools. Otherwise the test says that it skips.
fn has_tools(heading: &str, check: &str) -> bool {
    let found = Command::new("sh").args(["-c", check]).output().unwrap();
    if !found.status.success() {
        eprintln!(
            "SKIPPED: the section {heading} of docs/guides/clients.md was not run: `{check}` fails on this machine"
        );
    }
    found.status.success()
}

/// A server with the address and the socket that replace those of the guide.
struct GuideServer {
    setup: Setup,
    address: SocketAddr,
    socket: PathBuf,
    _server: ServerProcess,
}

impl GuideServer {
    fn start() -> Self {
        let setup = Setup::pair("linear_g", "linear_h");
        let socket = setup.folder().join("certimix.sock");
        let setup = setup.path("server.unix_socket", &socket);
        let server = ServerProcess::spawn(&setup.write());
        Self {
            setup,
            address: server.address(),
            socket,
            _server: server,
        }
    }

    fn localized(&self, text: &str) -> String {
        let address = self.address.to_string();
        let socket = self.socket.to_str().unwrap();
        text.replace("127.0.0.1:50051", &address)
            .replace("/run/certimix.sock", socket)
    }

    /// Runs the lines of `script` in `folder`, and returns what they print.
    fn run(&self, script: &str, folder: &Path, variables: &[(&str, String)]) -> String {
        let output = Command::new("sh")
            .args(["-euc", &self.localized(script)])
            .current_dir(folder)
            .env("no_proxy", "127.0.0.1")
            .envs(variables.iter().cloned())
            .output()
            .unwrap();
        let printed = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}\n{printed}\n{errors}", output.status);
        printed
    }

    /// A new folder with the program `file`, beside the folder `proto`.
    fn program(&self, folder: &str, file: &str, text: &str) -> PathBuf {
        let folder = self.setup.folder().join(folder);
        fs::create_dir_all(&folder).unwrap();
        // The machine of a test may be slower than a control loop allows.
        let text = text
            .replace(", time.Second)", ", 60*time.Second)")
            .replace("seconds(1)", "seconds(60)");
        fs::write(folder.join(file), self.localized(&text)).unwrap();
        std::os::unix::fs::symlink(repository().join("proto"), folder.join("proto")).unwrap();
        folder
    }
}

#[test]
fn the_commands_of_grpcurl_run() {
    let script = block("grpcurl", "sh");
    if !has_tools("grpcurl", "command -v grpcurl") {
        return;
    }
    let server = GuideServer::start();
    let printed = server.run(&script, server.setup.folder(), &[]);
    for expected in [
        "configRevision",
        "certimix.v1.MixedClassifier\n",
        "CERTIFICATE_STATUS_ABSTAINED",
    ] {
        assert!(printed.contains(expected), "no {expected} in {printed}");
    }
}

#[test]
fn the_program_in_go_runs() {
    let (script, program) = (block("Go", "sh"), block("Go", "go"));
    // Libraries in GOPATH, because a test fetches no modules. grpc-go is that of Debian 12, and golang/protobuf has
    // to know the generated code, as 1.4 and later do.
    let libraries = std::env::var("GOPATH").map_or(DEBIAN_GO.to_owned(), |own| format!("{own}:{DEBIAN_GO}"));
    let tools = format!(
        "command -v go && command -v protoc && command -v protoc-gen-go && command -v protoc-gen-go-grpc && \
         export GO111MODULE=off GOPATH={libraries} && go list google.golang.org/grpc && \
         go list -f '{{{{.Imports}}}}' github.com/golang/protobuf/proto | grep google.golang.org/protobuf"
    );
    if !has_tools("Go", &tools) {
        return;
    }
    // What the guide says of the library of Debian 12.
    let program = program
        .replace("\t\"google.golang.org/grpc/credentials/insecure\"\n", "")
        .replace(
            "grpc.WithTransportCredentials(insecure.NewCredentials())",
            "grpc.WithInsecure()",
        )
        .replace("grpc.NewClient(", "grpc.Dial(");
    let server = GuideServer::start();
    let folder = server.program("go/src/example.org/loop", "loop.go", &program);
    let home = server.setup.folder().join("go");
    let variables = [
        ("GO111MODULE", "off".to_owned()),
        ("GOPATH", format!("{}:{libraries}", home.display())),
        ("GOCACHE", home.join("cache").display().to_string()),
    ];
    let printed = server.run(&script, &folder, &variables);
    assert!(
        printed.starts_with("hold: CERTIFICATE_STATUS_ABSTAINED 0 "),
        "{printed}"
    );
}

#[test]
fn the_program_in_cpp_runs() {
    let (script, program) = (block("C++", "sh"), block("C++", "cpp"));
    let tools =
        "command -v g++ && command -v protoc && command -v grpc_cpp_plugin && pkg-config --exists grpc++ protobuf";
    if !has_tools("C++", tools) {
        return;
    }
    let server = GuideServer::start();
    let folder = server.program("cpp", "loop.cpp", &program);
    let printed = server.run(&script, &folder, &[]);
    assert!(
        printed.starts_with("hold: CERTIFICATE_STATUS_ABSTAINED 0 "),
        "{printed}"
    );
}
