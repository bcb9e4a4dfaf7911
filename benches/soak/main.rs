//! The soak: the server for an hour under honest and abusive load.
//!
//! `make soak` runs it and writes docs/soak.md, docs/soak.json and docs/soak.svg.
//! `cargo bench --bench soak -- --help` lists the arguments.

mod args;
mod chart;
mod honest_load;
mod honest_results;
mod markdown;
mod metric_text;
mod operator;
mod plan;
mod report;
mod report_files;
mod robust_slope;
mod rules;
mod run;
mod sampler;
mod settings_files;

// The serving benchmark has the rest of these modules.
#[path = "../serving/async_runtime.rs"]
mod async_runtime;
#[path = "../attacks/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the serving benchmark uses the rest")]
mod attacks;
#[path = "../serving/console.rs"]
mod console;
#[path = "../serving/http_get.rs"]
mod http_get;
#[path = "../serving/inputs.rs"]
#[allow(dead_code, reason = "the serving benchmark uses the rest")]
mod inputs;
#[path = "../serving/interference.rs"]
mod interference;
#[path = "../serving/process_usage.rs"]
#[allow(dead_code, reason = "the serving benchmark uses the rest")]
mod process_usage;
#[path = "../serving/provenance.rs"]
mod provenance;
#[path = "../serving/raw_client.rs"]
#[allow(dead_code, reason = "the serving benchmark uses the rest")]
mod raw_client;
#[path = "../serving/server_process.rs"]
#[allow(dead_code, reason = "the serving benchmark uses the rest")]
mod server_process;
#[path = "../serving/statistics.rs"]
#[allow(dead_code, reason = "the serving benchmark uses the rest")]
mod statistics;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser as _;

use args::Args;
use console::print_line;
use report::{SoakData, Verdict};
use report_files::ReportFiles;

/// A run of this length may replace the report in docs/.
const REPORT_MINUTES: f64 = 60.0;
/// The width of a terminal.
const TABLE_WIDTH: u16 = 80;

fn main() -> anyhow::Result<ExitCode> {
    // `cargo test --all-targets` and test listers also start this program, without `--bench`.
    // It has no tests.
    if !std::env::args().any(|argument| argument == "--bench" || argument == "--help") {
        return Ok(ExitCode::SUCCESS);
    }
    let args = Args::parse();
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let default_folder = if args.minutes >= REPORT_MINUTES || args.render {
        "docs"
    } else {
        "target/soak"
    };
    let folder = args.out.clone().unwrap_or_else(|| root.join(default_folder));
    let files = ReportFiles::new(&folder);
    if args.render {
        let mut data = files.read()?;
        // The rules may have changed since.
        data.report.findings = rules::judge(&data.report, &data.samples);
        files.write(&data)?;
        return Ok(ExitCode::SUCCESS);
    }
    let data = run::run(&args, &root)?;
    files.write(&data)?;
    print_line(&summary(&data));
    print_line(&format!("written: {}", files.markdown().display()));
    let broken = data
        .report
        .findings
        .iter()
        .filter(|finding| finding.verdict == Verdict::Broken);
    let broken: Vec<&str> = broken.map(|finding| finding.rule.as_str()).collect();
    if broken.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    print_line(&format!("error: rules are broken: {}", broken.join("; ")));
    Ok(ExitCode::FAILURE)
}

fn summary(data: &SoakData) -> String {
    let mut table = comfy_table::Table::new();
    table
        .load_style(comfy_table::presets::ASCII_MARKDOWN)
        .set_content_arrangement(comfy_table::ContentArrangement::Dynamic)
        .set_width(TABLE_WIDTH)
        .set_header(["rule", "bound", "measured", "verdict"])
        .add_rows(markdown::finding_rows(&data.report.findings));
    table.to_string()
}
