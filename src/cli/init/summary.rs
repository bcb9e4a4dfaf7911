//! What was found and written, as text and as JSON.

use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Value, json};

use super::guarantee_answer::Guarantee;
use super::manifest_text::{ManifestDraft, kind_name};
use super::output_files::OutputPaths;
use crate::app::ConfigCheck;
use crate::cli::output;
use crate::domain::{PerRole, Role};

/// What was found and written.
pub(super) struct Summary<'a> {
    pub(super) paths: &'a OutputPaths,
    pub(super) drafts: &'a PerRole<ManifestDraft>,
    /// How the kind of each output was found.
    pub(super) kind_reasons: &'a PerRole<String>,
    pub(super) check: &'a ConfigCheck,
}

impl Summary<'_> {
    /// Prints the summary, and on stderr what the operator should know and can do next.
    ///
    /// # Errors
    /// If stdout cannot be written.
    pub(super) fn print(&self, as_json: bool) -> anyhow::Result<()> {
        if as_json {
            output::line(self.json())?;
        } else {
            output::table(self.table())?;
        }
        for warning in &self.check.warnings.0 {
            output::note(format_args!("warning: {}: {}", warning.field, warning.message));
        }
        let config = self.paths.config.display();
        output::note(format_args!("next: certimix serve {config}"));
        Ok(())
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table
            .load_style(presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic);
        for role in Role::ALL {
            let (draft, reason) = (&self.drafts[role], &self.kind_reasons[role]);
            let manifest = self.paths.manifests[role].display().to_string();
            table.add_row([format!("{} model", role.name()), manifest]);
            table.add_row([
                "  input".to_owned(),
                format!(
                    "\"{}\", {} {:?}, values from {} to {}",
                    draft.input_name,
                    draft.element.name(),
                    draft.shape,
                    draft.range[0],
                    draft.range[1]
                ),
            ]);
            table.add_row([
                "  output".to_owned(),
                format!(
                    "\"{}\", {} of {} classes: {reason}",
                    draft.output_name,
                    kind_name(draft.kind),
                    draft.labels.len()
                ),
            ]);
            table.add_row(["  guarantee".to_owned(), guarantee_text(&draft.guarantee)]);
        }
        table.add_row(["settings".to_owned(), self.paths.config.display().to_string()]);
        table
    }

    fn json(&self) -> Value {
        let model = |role: Role| {
            let draft = &self.drafts[role];
            json!({
                "manifest": self.paths.manifests[role],
                "onnx": self.paths.models[role],
                "input": draft.input_name,
                "dtype": draft.element.name(),
                "shape": draft.shape,
                "range": draft.range,
                "output": draft.output_name,
                "kind": kind_name(draft.kind),
                "kind_reason": self.kind_reasons[role],
                "classes": draft.labels.len(),
                "guarantee": guarantee_text(&draft.guarantee),
            })
        };
        let warnings: Vec<Value> = self
            .check
            .warnings
            .0
            .iter()
            .map(|warning| json!({"key": warning.field, "message": warning.message}))
            .collect();
        json!({
            "config": self.paths.config,
            "standard": model(Role::Standard),
            "robust": model(Role::Robust),
            "warnings": warnings,
        })
    }
}

fn guarantee_text(guarantee: &Guarantee) -> String {
    match guarantee {
        Guarantee::None => "none".to_owned(),
        Guarantee::Smoothing { sigma, .. } => format!("Gaussian smoothing with sigma {sigma}"),
        Guarantee::Lipschitz {
            norm,
            constant,
            error_bound,
            is_claimed,
            ..
        } => {
            let basis = if *is_claimed {
                "claimed by a person"
            } else {
                "proved by the prover"
            };
            format!("logits {constant}-Lipschitz in {norm}, each to within {error_bound:e}; {basis}")
        }
    }
}
