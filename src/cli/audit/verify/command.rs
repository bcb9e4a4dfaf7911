//! `certimix verify`.

use std::path::PathBuf;

use super::certificate_verifier::{VerificationResult, verify_certificate};
use crate::cli::audit::comparison::{FieldComparison, all_hold, comparison_table};
use crate::cli::audit::mixture_verifier::compare_mixture;
use crate::cli::audit::record_file::read_records;
use crate::cli::client::PredictionRecord;
use crate::cli::output::{self, SilentExit};

const HELP: &str = "\
The command recomputes the bounds, the radius and radius_sq_levels from the certificate's own votes, sigma, alpha, failure \
probability, target radius and losses, and compares them with the served values. A served radius may be smaller than the \
votes prove, never larger. `certimix replay` checks that the votes themselves are genuine.

It checks that a certified class_index is robust_class_index, and that mixed_logits has the votes of that class.

It also checks that robust_weight is the weight that the rule gives: alpha for a certified input and where the margin of \
the robust model is at least (1 - alpha) / alpha, else fallback_alpha. From the probabilities of both models (--components) \
it recomputes the mixed logits. Values that a record does not carry are not checked.

A certificate of a Lipschitz model depends on the model's output, which the certificate does not carry. It cannot be \
verified by itself. Nor can whole_range, which depends on the range of the inputs.

Examples:
  certimix predict cat.png --json > cat.json && certimix verify cat.json
  certimix predict *.png --json --components | certimix verify -

Exit codes:
  0  every certificate holds or claims nothing, and every mixture holds
  1  a certificate claims more than its votes prove, a mixture differs, or there was an error
  2  none does, but one certificate cannot be verified by itself; also wrong usage";

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
            let verification = Verification::of(&record);
            print_verification(&record, &verification)?;
            results.push(verification);
        }
    }
    output::line(summary(&results))?;
    match exit_code(&results) {
        0 => Ok(()),
        code => Err(SilentExit(code).into()),
    }
}

/// The results for one record.
#[derive(Debug, Clone, PartialEq)]
struct Verification {
    certificate: VerificationResult,
    /// The fields of the mixture, or the reason why it is impossible.
    mixture: Result<Vec<FieldComparison>, String>,
}

impl Verification {
    fn of(record: &PredictionRecord) -> Self {
        Self {
            certificate: verify_certificate(record),
            mixture: compare_mixture(record),
        }
    }

    fn mixture_holds(&self) -> bool {
        self.mixture.as_deref().is_ok_and(all_hold)
    }

    fn holds(&self) -> bool {
        self.certificate.holds() && self.mixture_holds()
    }

    /// Whether nothing differs, but the certificate cannot be verified by itself.
    fn is_unverifiable(&self) -> bool {
        matches!(self.certificate, VerificationResult::NotVerifiable(_)) && self.mixture_holds()
    }
}

fn print_verification(record: &PredictionRecord, verification: &Verification) -> anyhow::Result<()> {
    let title = format!(
        "{}: {}, {} ({})",
        record.file,
        record.class_text(),
        record.certificate.status,
        record.certificate.method
    );
    let mut comparisons = Vec::new();
    match &verification.certificate {
        VerificationResult::Recomputed(of_certificate) => {
            output::line(title)?;
            if covers_grid_inputs_only(record) {
                output::line(
                    "  valid for perturbed inputs on the model's grid only: no loss is subtracted for other inputs",
                )?;
            }
            comparisons.extend(of_certificate.iter().cloned());
        }
        VerificationResult::NoClaim => output::line(format_args!("{title}: claims nothing"))?,
        VerificationResult::NotVerifiable(reason) => output::line(format_args!(
            "{title}: not verifiable from the certificate alone: {reason}"
        ))?,
        VerificationResult::Impossible(reason) => output::line(format_args!("{title}: ✗ impossible: {reason}"))?,
    }
    match &verification.mixture {
        Ok(of_mixture) => comparisons.extend(of_mixture.iter().cloned()),
        Err(reason) => output::line(format_args!("  ✗ impossible mixture: {reason}"))?,
    }
    if comparisons.is_empty() {
        return Ok(());
    }
    output::table(comparison_table(&comparisons, "recomputed"))
}

/// Whether a certificate of a float32 input subtracts nothing for perturbed inputs beside the grid.
/// Older servers served such certificates.
fn covers_grid_inputs_only(record: &PredictionRecord) -> bool {
    record.is_certified() && record.input_dtype == "float32" && record.certificate.snapping_loss == 0.0
}

fn summary(results: &[Verification]) -> String {
    let unverifiable = results.iter().filter(|result| result.is_unverifiable()).count();
    let hold = results.iter().filter(|result| result.holds()).count();
    let fail = results.len() - hold - unverifiable;
    let mut text = format!("{hold} of {} hold", results.len());
    if fail > 0 {
        text.push_str(&format!(", {fail} do not hold"));
    }
    if unverifiable > 0 {
        text.push_str(&format!(", {unverifiable} cannot be verified alone"));
    }
    text
}

/// The exit code of the worst result.
fn exit_code(results: &[Verification]) -> u8 {
    if results.iter().all(Verification::holds) {
        return 0;
    }
    let holds_or_is_unverifiable = |result: &Verification| result.holds() || result.is_unverifiable();
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
        let verification = |certificate| Verification {
            certificate,
            mixture: Ok(Vec::new()),
        };
        let no_claim = verification(VerificationResult::NoClaim);
        let unverifiable = verification(VerificationResult::NotVerifiable(String::new()));
        let impossible = verification(VerificationResult::Impossible(String::new()));
        assert_eq!(exit_code(&[]), 0);
        assert_eq!(exit_code(std::slice::from_ref(&no_claim)), 0);
        assert_eq!(exit_code(&[no_claim.clone(), unverifiable.clone()]), 2);
        assert_eq!(exit_code(&[impossible.clone(), unverifiable.clone()]), 1);
        let text = summary(&[no_claim, unverifiable, impossible]);
        assert_eq!(text, "1 of 3 hold, 1 do not hold, 1 cannot be verified alone");
    }

    #[test]
    fn a_wrong_mixture_fails_whatever_the_certificate_is() {
        let mut record = certified_record();
        assert!(Verification::of(&record).holds());
        (record.robust_weight, record.provenance.fallback_alpha) = (Some(0.2), Some(0.2));
        assert_eq!(exit_code(&[Verification::of(&record)]), 1);
        record.certificate.method = "logit_lipschitz".to_owned();
        assert_eq!(exit_code(&[Verification::of(&record)]), 1);
        record.robust_weight = Some(0.76);
        assert_eq!(exit_code(&[Verification::of(&record)]), 2);
        record.provenance.fallback_alpha = Some(0.8);
        assert_eq!(exit_code(&[Verification::of(&record)]), 1);
        (record.certificate.status, record.certificate.radius) = ("abstained".to_owned(), 0.0);
        record.certificate.radius_sq_levels = 0;
        assert!(Verification::of(&record).certificate.holds());
        assert_eq!(exit_code(&[Verification::of(&record)]), 1);
    }
}
