//! `docs/reference/memory.md` is rendered from the bounds in the code.

use std::fmt::Write as _;
use std::fs;

use certimix::app::memory_bound;
use certimix::settings::{ServerSettings, Settings};

use crate::{assert_rendered, repository};

const PATH: &str = "docs/reference/memory.md";
const HEADER: &str = "| memory | MiB |\n|---|---|\n";
/// The memory of the container that the document assumes, in bytes.
const CONTAINER_BYTES: usize = 4 << 30;
/// The default of `server.request_memory_bytes` in that container.
const REQUEST_MEMORY_BYTES: usize = CONTAINER_BYTES / 4;

fn default_limits() -> ServerSettings {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("certimix.toml");
    let models = "[models]\nstandard = \"g.toml\"\nrobust = \"h.toml\"\n";
    let runtime = "[runtime]\nlibrary = \"libonnxruntime.so\"\n";
    let server = format!("[server]\nrequest_memory_bytes = {REQUEST_MEMORY_BYTES}\n");
    fs::write(&file, format!("{models}{runtime}{server}")).unwrap();
    let settings: Settings = certimix::settings::load(&file, std::iter::empty()).unwrap();
    settings.server
}

#[test]
fn the_worst_case_of_memory_is_current() {
    let committed = fs::read_to_string(repository(PATH)).unwrap();
    let (before, rest) = committed.split_once(HEADER).unwrap();
    let after = rest.find("\n\n").map_or("\n", |end| &rest[end + 1..]);
    let after = if rest.starts_with('|') { after } else { rest };
    let mebibytes = |bytes: usize| bytes.div_ceil(1 << 20);
    let mut table = HEADER.to_owned();
    let parts = memory_bound(&default_limits());
    for part in &parts {
        writeln!(table, "| {} | {} |", part.name, mebibytes(part.bytes)).unwrap();
    }
    let sum: usize = parts.iter().map(|part| part.bytes).sum();
    // A quarter is left for the models and the process.
    assert!(sum <= CONTAINER_BYTES / 4 * 3, "{sum} bytes do not fit the container");
    writeln!(table, "| **sum** | **{}** |", mebibytes(sum)).unwrap();
    assert_rendered(PATH, &format!("{before}{table}{after}"));
}
