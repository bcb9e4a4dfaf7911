//! `certimix verify`.

use std::path::PathBuf;

use crate::cli::audit::comparison as check;
use crate::cli::audit::record_file as certificates;
use crate::cli::audit::verify::certificate_verifier::{Finding, recompute};
use crate::cli::client::Record;
use crate::cli::output::{self, Exit};

const HELP: &str = "\
The bounds, the radius and radius_sq_levels are computed again from the certificate's own votes, sigma, alpha, failure \
probability, target radius and losses, and compared with those served. A radius may be smaller than what the votes prove, \
never larger. That the votes themselves are honest is for `certimix replay` to find out.

A certificate of a Lipschitz model rests on the model's output, which it does not carry: it cannot be verified alone.

Examples:
  certimix predict cat.png --json > cat.json && certimix verify cat.json
  certimix predict *.png --json | certimix verify -

Exit codes:
  0  every certificate holds, or claims nothing
  1  one claims more than its votes prove, or there was an error
  2  none does, but one cannot be verified by itself; also wrong usage";

/// Compute served certificates again from their own counts
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = HELP)]
pub struct VerifyArgs {
    /// What `certimix predict --json` or `certimix certify --json` printed; - for stdin
    #[arg(required = true, value_name = "CERTIFICATE")]
    pub certificates: Vec<PathBuf>,
}

/// Checks every certificate in the files.
///
/// # Errors
/// When a file cannot be read or holds something else; [`Exit`] with 1 or 2 when not all hold.
pub fn run(args: &VerifyArgs) -> anyhow::Result<()> {
    let mut findings = Vec::new();
    for path in &args.certificates {
        for record in certificates::read(path)? {
            let finding = recompute(&record);
            show(&record, &finding)?;
            findings.push(finding);
        }
    }
    output::line(summary(&findings))?;
    match exit_code(&findings) {
        0 => Ok(()),
        code => Err(Exit(code).into()),
    }
}

fn show(record: &Record, finding: &Finding) -> anyhow::Result<()> {
    let title = format!(
        "{}: {}, {} ({})",
        record.file, record.label, record.certificate.status, record.certificate.method
    );
    match finding {
        Finding::Checked(checks) => {
            output::line(title)?;
            if speaks_of_the_grid_alone(record) {
                output::line(
                    "  it speaks of perturbed inputs on the model's grid alone: nothing is taken off for others",
                )?;
            }
            output::line(check::table(checks, "recomputed"))
        }
        Finding::NoClaim => output::line(format_args!("{title}: claims nothing")),
        Finding::NotVerifiable(why) => output::line(format_args!(
            "{title}: not verifiable from the certificate alone: {why}"
        )),
        Finding::Impossible(why) => output::line(format_args!("{title}: ✗ cannot be: {why}")),
    }
}

/// Whether a certificate of a float32 input takes nothing off for a perturbed input beside the grid, as older servers'.
fn speaks_of_the_grid_alone(record: &Record) -> bool {
    record.is_certified() && record.input_dtype == "float32" && record.certificate.snapping_loss == 0.0
}

fn summary(findings: &[Finding]) -> String {
    let unverifiable = findings
        .iter()
        .filter(|finding| matches!(finding, Finding::NotVerifiable(_)))
        .count();
    let hold = findings.iter().filter(|finding| finding.holds()).count();
    let fail = findings.len() - hold - unverifiable;
    let mut text = format!("{hold} of {} hold", findings.len());
    if fail > 0 {
        text.push_str(&format!(", {fail} claim more than their votes prove"));
    }
    if unverifiable > 0 {
        text.push_str(&format!(", {unverifiable} cannot be verified alone"));
    }
    text
}

fn exit_code(findings: &[Finding]) -> u8 {
    if findings.iter().all(Finding::holds) {
        return 0;
    }
    let is_only_unverifiable = |finding: &Finding| finding.holds() || matches!(finding, Finding::NotVerifiable(_));
    if findings.iter().all(is_only_unverifiable) {
        2
    } else {
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::audit::verify::certificate_verifier::tests::example;

    #[test]
    fn an_older_certificate_of_floats_is_read_as_it_was_meant() {
        let mut record = example();
        record.input_dtype = "float32".to_owned();
        record.certificate.snapping_loss = 0.0;
        assert!(speaks_of_the_grid_alone(&record));
        assert!(recompute(&record).holds());
        record.certificate.snapping_loss = 1e-9;
        assert!(!speaks_of_the_grid_alone(&record));
        record.certificate.snapping_loss = 0.0;
        record.input_dtype = "uint8".to_owned();
        assert!(!speaks_of_the_grid_alone(&record));
    }

    #[test]
    fn the_worst_finding_decides() {
        let unverifiable = Finding::NotVerifiable(String::new());
        let impossible = Finding::Impossible(String::new());
        assert_eq!(exit_code(&[]), 0);
        assert_eq!(exit_code(&[Finding::NoClaim]), 0);
        assert_eq!(exit_code(&[Finding::NoClaim, unverifiable.clone()]), 2);
        assert_eq!(exit_code(&[impossible.clone(), unverifiable.clone()]), 1);
        let text = summary(&[Finding::NoClaim, unverifiable, impossible]);
        assert_eq!(
            text,
            "1 of 3 hold, 1 claim more than their votes prove, 1 cannot be verified alone"
        );
    }
}
