//! The serving benchmark: compares the server with ONNX Runtime alone, and with itself under attack.
//!
//! `make bench` measures every case and writes docs/benchmarks.md and docs/benchmarks.json.
//! `make bench-quick` takes three minutes and writes under target/.
//! `cargo bench --bench serving -- --help` lists the arguments.

mod args;
mod arrival_times;
mod async_runtime;
mod bare_runtime;
mod cases;
mod closed_loop;
mod console;
mod context;
mod echo_server;
mod http_get;
mod inputs;
mod interference;
mod latency;
mod markdown;
mod open_loop;
mod process_usage;
mod progress;
mod provenance;
mod raw_client;
mod report;
mod report_files;
mod run_plan;
mod server_process;
mod statistics;
mod testbed;

#[path = "../attacks/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the soak uses the rest")]
mod attacks;

use std::path::{Path, PathBuf};

use clap::Parser as _;

use args::Args;
use cases::CASES;
use console::print_line;
use context::BenchContext;
use interference::InterferenceMonitor;
use progress::Progress;
use provenance::Provenance;
use report::CaseReport;
use report_files::ReportFiles;
use run_plan::RunPlan;
use testbed::Testbed;

fn main() -> anyhow::Result<()> {
    // `cargo test --all-targets` and test listers also start this program, without `--bench`.
    // It has no tests.
    if !std::env::args().any(|argument| argument == "--bench" || argument == "--help") {
        return Ok(());
    }
    let args = Args::parse();
    if let Some(response) = &args.echo {
        return echo_server::serve(response);
    }
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let default_folder = if args.quick { "target/benchmarks" } else { "docs" };
    let folder = args.out.clone().unwrap_or_else(|| root.join(default_folder));
    let files = ReportFiles::new(&folder, &root)?;
    if args.render {
        return files.write(&files.read()?);
    }
    measure(&args, &root, &files)
}

/// Measures the selected cases and writes the report after each of them.
fn measure(args: &Args, root: &Path, files: &ReportFiles) -> anyhow::Result<()> {
    let library = root.join(".runtime/onnxruntime/libonnxruntime.so");
    let mut report = files.read()?;
    let provenance = Provenance::collect(root, &library, args.quick, args.server.as_deref())?;
    print_line(&provenance.line());

    let environment = bare_runtime::load_runtime(&library)?;
    let context = BenchContext {
        testbed: Testbed::new(root.to_owned(), args.server.clone(), library, environment)?,
        plan: if args.quick { RunPlan::QUICK } else { RunPlan::FULL },
        progress: Progress::new(),
    };
    for (letter, run) in CASES {
        if !args.only.is_empty() && !args.only.iter().any(|only| only == letter) {
            continue;
        }
        let monitor = InterferenceMonitor::start()?;
        let mut case = run(&context, &provenance)?;
        case.interference = monitor.finish()?;
        context.progress.print(summary(letter, &case));
        report.cases.insert((*letter).to_owned(), case);
        // The report is written after each case, so that a failure loses one case and not the run.
        files.write(&report)?;
    }
    print_line(&format!("written: {}", relative_to(&files.markdown(), root)));
    Ok(())
}

fn summary(letter: &str, case: &CaseReport) -> String {
    let measurements = markdown::measurement_table(case);
    let mut table = comfy_table::Table::new();
    table
        .load_style(comfy_table::presets::NOTHING)
        .set_header(measurements.header)
        .add_rows(measurements.rows);
    format!("\n({letter}) {}\n{table}\n{}\n", case.title, case.interference.line())
}

fn relative_to(path: &Path, root: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).display().to_string()
}
