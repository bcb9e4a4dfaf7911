//! A run that is killed goes on without losing or repeating an input.

use std::time::{Duration, Instant};

use super::{evaluate, output_path, records, write_csv};
use crate::support::Setup;
use crate::support::process;

const INPUTS: u16 = 400;

#[test]
fn a_killed_run_goes_on_where_it_stopped() {
    let setup = Setup::pair("steep_g", "half_space")
        .with("mixture.alpha", 0.8)
        .batch_size(16);
    let rows: Vec<[f32; 4]> = (0..INPUTS)
        .map(|row| [f32::from(row) / 1000.0, 0.1, -0.2, 0.3])
        .collect();
    let data = write_csv(&setup, &rows);
    let (settings, out) = (setup.write(), output_path(&setup));
    let mut child = process::spawn(&[
        "evaluate",
        data.to_str().unwrap(),
        "--config",
        settings.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
        "--votes",
        "100000",
    ]);
    // The first part is complete after a few seconds of work, and the work lasts longer.
    let part = setup.folder().join("results.parquet.partial/00000000.parquet");
    let started = Instant::now();
    while !part.exists() && started.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(part.exists() && !out.exists());
    // The rest is shorter with a limit; the limit is no condition of the records.
    let done = certimix::evaluation::RecordFileReader::open(&part)
        .unwrap()
        .record_count();
    assert!((1..u64::from(INPUTS)).contains(&done), "{done}");
    let goal = (done + 3).min(INPUTS.into());
    let limit = goal.to_string();
    let other = evaluate(&setup, &data, &["--votes", "99", "--limit", &limit]);
    let message = String::from_utf8(other.stderr).unwrap();
    assert!(message.contains("other conditions (sampling)"), "{message}");
    let output = evaluate(&setup, &data, &["--votes", "100000", "--limit", &limit]);
    assert!(output.status.success(), "{output:?}");
    let (_, records) = records(&setup);
    let indices: Vec<u64> = records.iter().map(|record| record.index).collect();
    assert_eq!(indices, (0..goal).collect::<Vec<_>>());
    assert!(!part.exists());
}
