//! `certimix info`.

use std::time::{Duration, UNIX_EPOCH};

use comfy_table::presets::NOTHING;
use comfy_table::{Attribute, Cell, ContentArrangement, Table};
use serde_json::{Value, json};

use crate::cli::client::alpha::command as alpha;
use crate::cli::client::connection::server_connection::{Connection, ConnectionArgs};
use crate::cli::client::results::enum_names as names;
use crate::cli::client::results::prediction_record::ProvenanceRecord;
use crate::cli::client::results::summary::short_revision;
use crate::cli::client::results::table;
use crate::cli::output::{self, EXIT_CODES};
use crate::rpc::proto::{
    CertificateBasis, CertificationLimits, ConfigStatus, GetModelInfoResponse, InputInfo, ModelInfo, Provenance,
};

/// Show what the server serves: models, guarantee, alpha, limits
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = format!("Example:\n  certimix info --json | jq .robust.guarantee\n\n{EXIT_CODES}"))]
pub struct InfoArgs {
    /// The server
    #[command(flatten)]
    pub connection: ConnectionArgs,

    /// One JSON object instead: certimix.v1's GetModelInfoResponse
    #[arg(long)]
    pub json: bool,
}

/// Asks the server what it serves.
///
/// # Errors
/// A server that cannot be reached.
pub async fn run(args: InfoArgs) -> anyhow::Result<()> {
    let connection = Connection::open(&args.connection).await?;
    let info = connection.model_info().await?;
    if args.json {
        return output::line(as_json(&info));
    }
    output::line(format_args!("{}\n", connection.address))?;
    let mut table = Table::new();
    table
        .load_style(NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic);
    for (title, text) in rows(&info) {
        table.add_row([Cell::new(title).add_attribute(Attribute::Bold), Cell::new(text)]);
    }
    output::line(table.trim_fmt())
}

/// A title and what there is to say, in the order of interest.
fn rows(info: &GetModelInfoResponse) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    let provenance = info.provenance.clone().unwrap_or_default();
    let revision = short_revision(&provenance.config_revision);
    rows.push((
        "server",
        format!("Certimix {}, config {revision}", provenance.server_version),
    ));
    rows.push((
        "mixture",
        format!(
            "alpha {} (weight of the robust model), temperature {}",
            provenance.alpha, provenance.robust_temperature
        ),
    ));
    rows.push(("runs on", runs_on(&provenance)));
    for (title, model) in [("standard", &info.standard), ("robust", &info.robust)] {
        if let Some(model) = model {
            rows.push((title, model_text(model)));
        }
    }
    if let Some(input) = &info.input {
        rows.push(("input", input_text(input)));
    }
    rows.push(("classes", format!("{}: {}", info.labels.len(), info.labels.join(", "))));
    rows.push(("certificate", certificate_text(info)));
    if let Some(limits) = &info.certification {
        rows.push(("predict", predict_text(limits)));
        rows.push(("certify", certify_text(limits)));
    }
    rows.push((
        "requests",
        format!("up to {} inputs, {} bytes", info.max_inputs, info.max_message_bytes),
    ));
    if let Some(config) = &info.config {
        rows.push(("config", config_text(config)));
    }
    rows
}

fn config_text(config: &ConfigStatus) -> String {
    let since = UNIX_EPOCH + Duration::from_millis(config.since_unix_ms);
    let mut text = format!(
        "in force since {}, {} reload(s), {} refused",
        humantime::format_rfc3339_seconds(since),
        config.reloads,
        config.failed_reloads
    );
    if let Some(pending) = &config.pending_error {
        let wrong = alpha::lines(&pending.violations);
        text.push_str(&format!("\nNOT IN FORCE is what its files say now:{wrong}"));
    }
    text
}

/// What replicas of one configuration may differ in.
fn runs_on(provenance: &Provenance) -> String {
    let Provenance {
        standard_batch_size,
        robust_batch_size,
        runtime_version,
        processor,
        ..
    } = provenance;
    format!(
        "{processor}, ONNX Runtime {runtime_version}; one run is of {standard_batch_size} standard or {robust_batch_size} robust rows"
    )
}

fn model_text(model: &ModelInfo) -> String {
    let note = if model.provider_note.is_empty() {
        String::new()
    } else {
        format!(" ({})", model.provider_note)
    };
    let source = if model.guarantee_source.is_empty() {
        String::new()
    } else {
        format!(" ({})", model.guarantee_source)
    };
    let basis = match model.guarantee_basis() {
        CertificateBasis::Unspecified => String::new(),
        CertificateBasis::Proven => format!("\nPROVEN: {}", model.guarantee_basis_reason),
        CertificateBasis::Claimed => format!("\nCLAIMED, not proven: {}", model.guarantee_basis_reason),
    };
    let rows = if model.one_row_reason.is_empty() {
        format!("batches up to {}", model.max_batch_size)
    } else {
        format!(
            "one row at a time\nNOT PROVEN TO WORK ROW BY ROW: {}",
            model.one_row_reason
        )
    };
    format!(
        "{} on {}{note}, {} session(s), {rows}\nguarantee: {}{source}{basis}\nsha256 {}",
        model.name, model.provider, model.sessions, model.guarantee, model.sha256
    )
}

fn input_text(input: &InputInfo) -> String {
    let types = if input.accepts_uint8 {
        "uint8 or float32"
    } else {
        "float32"
    };
    let grid = if input.grid_step > 0.0 {
        format!(", grid step {:.6}", input.grid_step)
    } else {
        String::new()
    };
    format!(
        "{} {:?}, {types} in [{}, {}]{grid}",
        input.name, input.shape, input.low, input.high
    )
}

fn certificate_text(info: &GetModelInfoResponse) -> String {
    if !info.unavailable_reason.is_empty() {
        return format!("none: {}", info.unavailable_reason);
    }
    let (method, norm) = (names::method(info.method), names::norm(info.norm));
    let largest = match info.largest_possible_radius {
        radius if radius > 0.0 => format!(", radius at most {}", table::radius(radius)),
        _ => String::new(),
    };
    format!("{}, {norm}{largest}", table::method(&method))
}

fn predict_text(limits: &CertificationLimits) -> String {
    if limits.predict_votes == 0 {
        return "no votes needed".to_owned();
    }
    let target = match limits.predict_target_radius {
        radius if radius > 0.0 => format!("stops at radius {radius}"),
        _ => "uses them all".to_owned(),
    };
    format!("up to {} votes, {target}", limits.predict_votes)
}

fn certify_text(limits: &CertificationLimits) -> String {
    if limits.max_votes == 0 {
        return "no votes needed".to_owned();
    }
    format!(
        "{} votes unless asked otherwise, up to {}, after {} selection votes\n\
         bound {}, failure probability {:e}, at least {:e}\n{}",
        limits.default_votes,
        limits.max_votes,
        limits.selection_votes,
        names::bound(limits.bound),
        limits.failure_probability,
        limits.min_failure_probability,
        match limits.interactive_votes {
            0 => "never with priority interactive".to_owned(),
            votes => format!("priority interactive with up to {votes} votes"),
        },
    )
}

fn as_json(info: &GetModelInfoResponse) -> Value {
    json!({
        "provenance": info.provenance.clone().map(ProvenanceRecord::from),
        "standard": info.standard.as_ref().map(model_json),
        "robust": info.robust.as_ref().map(model_json),
        "labels": info.labels,
        "input": info.input.as_ref().map(|input| json!({
            "name": input.name, "shape": input.shape, "low": input.low, "high": input.high,
            "accepts_uint8": input.accepts_uint8, "grid_step": input.grid_step,
        })),
        "norm": names::norm(info.norm),
        "method": names::method(info.method),
        "unavailable_reason": info.unavailable_reason,
        "certification": info.certification.as_ref().map(limits_json),
        "max_inputs": info.max_inputs,
        "max_message_bytes": info.max_message_bytes,
        "largest_possible_radius": info.largest_possible_radius,
        "config": info.config.as_ref().map(config_json),
    })
}

fn config_json(config: &ConfigStatus) -> Value {
    json!({
        "file_sha256": config.file_sha256, "since_unix_ms": config.since_unix_ms, "target_alpha": config.target_alpha,
        "reloads": config.reloads, "failed_reloads": config.failed_reloads,
        "pending_error": config.pending_error.as_ref().map(|pending| json!({
            "file_sha256": pending.file_sha256, "since_unix_ms": pending.since_unix_ms,
            "violations": pending.violations.iter()
                .map(|wrong| json!({"field": wrong.field, "description": wrong.description}))
                .collect::<Vec<_>>(),
        })),
    })
}

fn model_json(model: &ModelInfo) -> Value {
    json!({
        "name": model.name, "sha256": model.sha256, "provider": model.provider, "provider_note": model.provider_note,
        "guarantee": model.guarantee, "guarantee_source": model.guarantee_source,
        "guarantee_basis": names::basis(model.guarantee_basis), "guarantee_basis_reason": model.guarantee_basis_reason,
        "sessions": model.sessions, "max_batch_size": model.max_batch_size,
        "one_row_reason": model.one_row_reason,
    })
}

fn limits_json(limits: &CertificationLimits) -> Value {
    json!({
        "default_votes": limits.default_votes, "max_votes": limits.max_votes, "selection_votes": limits.selection_votes,
        "failure_probability": limits.failure_probability, "min_failure_probability": limits.min_failure_probability,
        "predict_target_radius": limits.predict_target_radius, "predict_votes": limits.predict_votes,
        "bound": names::bound(limits.bound), "interactive_votes": limits.interactive_votes,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::proto::{CertificateMethod, Norm};

    fn info() -> GetModelInfoResponse {
        GetModelInfoResponse {
            robust: Some(ModelInfo {
                name: "h".into(),
                guarantee: "gaussian smoothing".into(),
                ..Default::default()
            }),
            labels: vec!["cat".into(), "dog".into()],
            norm: Norm::L2.into(),
            method: CertificateMethod::Tight.into(),
            largest_possible_radius: 1.5,
            ..Default::default()
        }
    }

    #[test]
    fn people_read_the_guarantee_or_why_there_is_none() {
        let rows = rows(&info());
        assert!(
            rows.contains(&("certificate", "tight, l2, radius at most 1.5000".into())),
            "{rows:?}"
        );
        let none = GetModelInfoResponse {
            unavailable_reason: "alpha is below 1/2".into(),
            ..info()
        };
        assert_eq!(certificate_text(&none), "none: alpha is below 1/2");
    }

    #[test]
    fn a_claim_is_not_shown_as_a_proof() {
        let model = |basis: CertificateBasis| ModelInfo {
            guarantee_basis: basis.into(),
            guarantee_basis_reason: "no record".into(),
            ..Default::default()
        };
        assert!(model_text(&model(CertificateBasis::Claimed)).contains("\nCLAIMED, not proven: no record\n"));
        assert!(model_text(&model(CertificateBasis::Proven)).contains("\nPROVEN: "));
        assert!(!model_text(&ModelInfo::default()).contains("PROVEN"));
    }

    #[test]
    fn programs_read_the_names_of_the_wire() {
        let value = as_json(&info());
        assert_eq!(
            (&value["method"], &value["robust"]["guarantee"]),
            (&json!("tight"), &json!("gaussian smoothing"))
        );
        assert_eq!(value["standard"], Value::Null);
    }
}
