//! `certimix verify`.

use std::path::PathBuf;

use super::certificate_verifier::{VerificationResult, verify_certificate};
use crate::cli::audit::comparison::comparison_table;
use crate::cli::audit::record_file::read_records;
use crate::cli::client::PredictionRecord;
use crate::cli::output::{self, SilentExit};

const HELP: &str = "\
The command recomputes the bounds, the radius and radius_sq_levels from the certificate's own votes, sigma, alpha, failure \
probability, target radius and losses, and compares them with the served values. A served radius may be smaller than the \
votes prove, never larger. `certimix replay` checks that the votes themselves are genuine.

A certificate of a Lipschitz model depends on the model's output, which the certificate does not carry. It cannot be \
verified by itself.

Examples:
  certimix predict cat.png --json > cat.json && certimix verify cat.json
  certimix predict *.png --json | certimix verify -

Exit codes:
  0  every certificate holds, or claims nothing
  1  a certificate claims more than its votes prove, or there was an error
  2  none does, but one cannot be verified by itself; also wrong usage";

/// Recompute served certificates from their own counts
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = HELP)]
pub struct VerifyArgs {
    /// Output of `certimix predict --json` or `certimix certify --json`; - for stdin
    #[arg(required = true, value_name = "CERTIFICATE")]
    pub certificates: Vec<PathBuf>,
}

/// Verifies every certificate in the files.
///
/// # Errors
/// When a file cannot be read or parsed; [`SilentExit`] with 1 or 2 when a certificate does not
/// hold.
pub fn run(args: &VerifyArgs) -> anyhow::Result<()> {
    let mut results = Vec::new();
    for path in &args.certificates {
        for record in read_records(path)? {
            let result = verify_certificate(&record);
            print_result(&record, &result)?;
            results.push(result);
        }
    }
    output::line(summary(&results))?;
    match exit_code(&results) {
        0 => Ok(()),
        code => Err(SilentExit(code).into()),
    }
}

fn print_result(record: &PredictionRecord, result: &VerificationResult) -> anyhow::Result<()> {
    let title = format!(
        "{}: {}, {} ({})",
        record.file,
        record.class_text(),
        record.certificate.status,
        record.certificate.method
    );
    match result {
        VerificationResult::Recomputed(comparisons) => {
            output::line(title)?;
            if covers_grid_inputs_only(record) {
                output::line(
                    "  valid for perturbed inputs on the model's grid only: no loss is subtracted for other inputs",
                )?;
            }
            output::table(comparison_table(comparisons, "recomputed"))
        }
        VerificationResult::NoClaim => output::line(format_args!("{title}: claims nothing")),
        VerificationResult::NotVerifiable(reason) => output::line(format_args!(
            "{title}: not verifiable from the certificate alone: {reason}"
        )),
        VerificationResult::Impossible(reason) => output::line(format_args!("{title}: ✗ impossible: {reason}")),
    }
}

/// Whether a certificate of a float32 input subtracts nothing for perturbed inputs beside the grid.
/// Older servers served such certificates.
fn covers_grid_inputs_only(record: &PredictionRecord) -> bool {
    record.is_certified() && record.input_dtype == "float32" && record.certificate.snapping_loss == 0.0
}

fn summary(results: &[VerificationResult]) -> String {
    let unverifiable = results
        .iter()
        .filter(|result| matches!(result, VerificationResult::NotVerifiable(_)))
        .count();
    let hold = results.iter().filter(|result| result.holds()).count();
    let fail = results.len() - hold - unverifiable;
    let mut text = format!("{hold} of {} hold", results.len());
    if fail > 0 {
        text.push_str(&format!(", {fail} claim more than their votes prove"));
    }
    if unverifiable > 0 {
        text.push_str(&format!(", {unverifiable} cannot be verified alone"));
    }
    text
}

/// The exit code of the worst result.
fn exit_code(results: &[VerificationResult]) -> u8 {
    if results.iter().all(VerificationResult::holds) {
        return 0;
    }
    let holds_or_is_unverifiable =
        |result: &VerificationResult| result.holds() || matches!(result, VerificationResult::NotVerifiable(_));
    if results.iter().all(holds_or_is_unverifiable) {
        2
    } else {
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::audit::test_records::certified_record;

    #[test]
    fn an_older_float_certificate_covers_grid_inputs_only() {
        let mut record = certified_record();
        record.input_dtype = "float32".to_owned();
        record.certificate.snapping_loss = 0.0;
        assert!(covers_grid_inputs_only(&record));
        assert!(verify_certificate(&record).holds());
        record.certificate.snapping_loss = 1e-9;
        assert!(!covers_grid_inputs_only(&record));
        record.certificate.snapping_loss = 0.0;
        record.input_dtype = "uint8".to_owned();
        assert!(!covers_grid_inputs_only(&record));
    }

    #[test]
    fn the_worst_result_sets_the_exit_code() {
        let unverifiable = VerificationResult::NotVerifiable(String::new());
        let impossible = VerificationResult::Impossible(String::new());
        assert_eq!(exit_code(&[]), 0);
        assert_eq!(exit_code(&[VerificationResult::NoClaim]), 0);
        assert_eq!(exit_code(&[VerificationResult::NoClaim, unverifiable.clone()]), 2);
        assert_eq!(exit_code(&[impossible.clone(), unverifiable.clone()]), 1);
        let text = summary(&[VerificationResult::NoClaim, unverifiable, impossible]);
        assert_eq!(
            text,
            "1 of 3 hold, 1 claim more than their votes prove, 1 cannot be verified alone"
        );
    }
}
