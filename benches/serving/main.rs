//! The serving benchmark: the whole server against the runtime underneath, in a row of comparisons.
//!
//! `make bench` runs everything and writes docs/benchmarks.md and docs/benchmarks.json; `make bench-quick` takes three
//! minutes and writes under target/. Arguments: `cargo bench --bench serving -- --help`.

mod args;
mod arrival_times;
mod bare_runtime;
mod cases;
mod closed_loop;
mod echo_server;
mod interference;
mod markdown;
mod open_loop;
mod process_usage;
mod progress;
mod provenance;
mod raw_client;
mod report;
mod run_plan;
mod server_process;
mod statistics;
mod testbed;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::Parser as _;

use args::Args;
use cases::Bench;
use interference::Monitor;
use progress::Progress;
use provenance::Origin;
use report::Report;
use run_plan::Plan;
use testbed::World;

fn main() -> anyhow::Result<()> {
    // `cargo test --all-targets` and test listers start this program too, without `--bench`: there is nothing to test.
    if !std::env::args().any(|argument| argument == "--bench" || argument == "--help") {
        return Ok(());
    }
    let args = Args::parse();
    if let Some(answer) = &args.echo {
        return echo_server::serve(answer);
    }
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let library = root.join(".runtime/onnxruntime/libonnxruntime.so");
    let plan = if args.quick { Plan::QUICK } else { Plan::FULL };
    let usual = if args.quick { "target/benchmarks" } else { "docs" };
    let folder = args.out.clone().unwrap_or_else(|| root.join(usual));
    let mut report = Report::read(&folder.join("benchmarks.json"))?;
    let origin = Origin::now(&root, &library, args.quick, args.server.as_deref())?;
    note(&origin.line());

    let environment = bare_runtime::load_runtime(&library)?;
    let bench = Bench {
        world: World::new(root.clone(), args.server.clone(), library, environment)?,
        plan,
        progress: Progress::new(),
    };
    let tried = std::fs::read_to_string(root.join("benches/serving/experiments.md"))?;
    for (letter, run) in cases::ALL {
        if !args.only.is_empty() && !args.only.iter().any(|only| only == letter) {
            continue;
        }
        let monitor = Monitor::start()?;
        let mut section = run(&bench, &origin)?;
        section.disturbance = monitor.finish()?;
        bench.progress.tell(summary(letter, &section));
        report.sections.insert((*letter).to_owned(), section);
        // After each case: an hour's work must not hang on the last one.
        report.write(&folder, &tried)?;
    }
    note(&format!("written: {}", shown(&folder.join("benchmarks.md"), &root)));
    Ok(())
}

fn summary(letter: &str, section: &report::Section) -> String {
    let findings = markdown::findings(section);
    let mut table = comfy_table::Table::new();
    table
        .load_style(comfy_table::presets::NOTHING)
        .set_header(findings.head)
        .add_rows(findings.rows);
    format!(
        "\n({letter}) {}\n{table}\n{}\n",
        section.title,
        section.disturbance.line()
    )
}

fn shown(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}

/// One line on stderr. If that fails there is nobody left to tell.
fn note(text: &str) {
    writeln!(std::io::stderr().lock(), "{text}").unwrap_or_default();
}
