//! The output of `certimix info` for people.

use std::time::{Duration, UNIX_EPOCH};

use crate::cli::client::connection::error_messages::violation_lines;
use crate::cli::client::results::{bound_name, method_name, method_title, norm_name, rounded_radius, short_revision};
use crate::cli::text_layout::{count_of, printable};
use crate::rpc::proto::{
    CertificateBasis, CertificationLimits, ConfigStatus, GetModelInfoResponse, InputInfo, ModelInfo, Provenance,
};

/// The rows of the table: a title and a text, the most important first.
pub(super) fn info_rows(info: &GetModelInfoResponse) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    let provenance = info.provenance.clone().unwrap_or_default();
    let revision = short_revision(&provenance.config_revision);
    rows.push((
        "server",
        format!("Certimix {}, config {revision}", provenance.server_version),
    ));
    rows.push(("mixture", mixture_text(&provenance)));
    rows.push(("runs on", platform_text(&provenance)));
    for (title, model) in [("standard", &info.standard), ("robust", &info.robust)] {
        if let Some(model) = model {
            rows.push((title, model_text(model)));
        }
    }
    if let Some(input) = &info.input {
        rows.push(("input", input_text(input)));
    }
    rows.push(("classes", classes_text(&info.labels)));
    rows.push(("certificate", certificate_kind_text(info)));
    let draws_votes = info
        .robust
        .as_ref()
        .is_none_or(|robust| robust.guarantee == VOTING_GUARANTEE);
    match &info.certification {
        Some(limits) if draws_votes => {
            rows.push(("predict", predict_text(limits)));
            rows.push(("certify", certify_text(limits)));
        }
        _ => rows.push(("predict", "one row of each model, no votes".to_owned())),
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

/// The labels that are shown. The others are in the JSON output.
const SHOWN_LABELS: usize = 10;

fn classes_text(labels: &[String]) -> String {
    let shown: Vec<String> = labels.iter().take(SHOWN_LABELS).map(|label| printable(label)).collect();
    let rest = match labels.len().saturating_sub(SHOWN_LABELS) {
        0 => String::new(),
        rest => format!(" and {rest} more (--json lists all)"),
    };
    format!("{}: {}{rest}", labels.len(), shown.join(", "))
}

/// The guarantee of the models that draw votes, as GetModelInfo names it.
const VOTING_GUARANTEE: &str = "gaussian_smoothing";

/// The weights of the robust model, and its temperature.
fn mixture_text(provenance: &Provenance) -> String {
    let (alpha, temperature) = (provenance.alpha, provenance.robust_temperature);
    match provenance.fallback_alpha {
        Some(fallback_alpha) if fallback_alpha < alpha => format!(
            "alpha {alpha} (weight of the robust model), temperature {temperature}\n\
             fallback_alpha {fallback_alpha}, the weight where the robust model's margin is below (1 - alpha) / alpha = {:.4}",
            (1.0 - alpha) / alpha
        ),
        _ => format!("alpha {alpha} (weight of the robust model), temperature {temperature}"),
    }
}

fn config_text(config: &ConfigStatus) -> String {
    let since = UNIX_EPOCH + Duration::from_millis(config.since_unix_ms);
    let mut text = format!(
        "in force since {}, {}, {} rejected",
        humantime::format_rfc3339_seconds(since),
        count_of(usize::try_from(config.reloads).unwrap_or(usize::MAX), "reload"),
        config.failed_reloads
    );
    if !config.overridden_keys.is_empty() {
        let keys = config.overridden_keys.iter();
        let keys: Vec<String> = keys
            .map(|found| format!("{} ({})", found.key, found.variable))
            .collect();
        text.push_str(&format!(
            "\nset in the file and overridden by variables: {}",
            keys.join(", ")
        ));
    }
    if let Some(error) = &config.pending_error {
        let violations = violation_lines(&error.violations);
        text.push_str(&format!("\nnot in force, the current files are rejected:{violations}"));
    }
    if let Some(error) = &config.access_pending_error {
        let violations = violation_lines(&error.violations);
        text.push_str(&format!(
            "\nTLS files or tokens are rejected; what they held before is still accepted:{violations}"
        ));
    }
    text
}

/// The properties in which replicas of one configuration may differ.
fn platform_text(provenance: &Provenance) -> String {
    let Provenance {
        standard_batch_size,
        robust_batch_size,
        runtime_version,
        processor,
        ..
    } = provenance;
    format!(
        "{processor}, ONNX Runtime {runtime_version}; one run has {standard_batch_size} standard or {robust_batch_size} robust rows"
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
        CertificateBasis::Proven => format!("\nproven: {}", model.guarantee_basis_reason),
        CertificateBasis::Claimed => format!("\nclaimed, not proven: {}", model.guarantee_basis_reason),
    };
    let rows = if model.one_row_reason.is_empty() {
        format!("batches up to {}", model.max_batch_size)
    } else {
        format!(
            "one row at a time\nrow independence not proven: {}",
            model.one_row_reason
        )
    };
    format!(
        "{} on {}{note}, {}, {rows}\nguarantee: {}{source}{basis}\nsha256 {}",
        model.name,
        model.provider,
        count_of(usize::try_from(model.sessions).unwrap_or(usize::MAX), "session"),
        model.guarantee,
        model.sha256
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

fn certificate_kind_text(info: &GetModelInfoResponse) -> String {
    if !info.unavailable_reason.is_empty() {
        return format!("none: {}", info.unavailable_reason);
    }
    let (method, norm) = (method_name(info.method), norm_name(info.norm));
    let largest = match info.largest_possible_radius {
        radius if radius > 0.0 => format!(", radius at most {}", rounded_radius(radius)),
        _ => String::new(),
    };
    format!("{}, {norm}{largest}", method_title(&method))
}

fn predict_text(limits: &CertificationLimits) -> String {
    if limits.predict_votes == 0 {
        return "no votes needed".to_owned();
    }
    let target = match (limits.predict_target_in_force, limits.predict_target_radius) {
        (in_force, _) if in_force > 0.0 => format!("stops at radius {}", target_text(in_force)),
        (_, configured) if configured > 0.0 => "no radius can be certified".to_owned(),
        _ => "draws all of them".to_owned(),
    };
    let cap = predict_target_cap(limits).map_or_else(String::new, |text| format!("\n{text}"));
    format!("up to {} votes, {target}{cap}", limits.predict_votes)
}

/// One sentence about the cap on the target of Predict; `None` unless it applies.
pub(in crate::cli::client) fn predict_target_cap(limits: &CertificationLimits) -> Option<String> {
    let (in_force, configured) = (limits.predict_target_in_force, limits.predict_target_radius);
    (in_force > 0.0 && in_force < configured).then(|| {
        format!(
            "certificate.predict_target_radius = {} is capped at {}: {} votes prove at most {} at this alpha",
            target_text(configured),
            target_text(in_force),
            limits.predict_votes,
            rounded_radius(limits.largest_predict_target)
        )
    })
}

/// A target radius. It is a setting and no claim, so it is rounded to the nearest number.
pub(in crate::cli::client) fn target_text(radius: f64) -> String {
    if radius < 0.001 {
        format!("{radius:.1e}")
    } else {
        format!("{radius:.4}")
    }
}

fn certify_text(limits: &CertificationLimits) -> String {
    if limits.max_votes == 0 {
        return "no votes needed".to_owned();
    }
    format!(
        "{} votes by default, up to {}, after {} selection votes\n\
         bound {}, failure probability {:e}, at least {:e}\n{}",
        limits.default_votes,
        limits.max_votes,
        limits.selection_votes,
        bound_name(limits.bound),
        limits.failure_probability,
        limits.min_failure_probability,
        match limits.interactive_votes {
            0 => "never with priority interactive".to_owned(),
            votes => format!("priority interactive with up to {votes} votes"),
        },
    )
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
    fn the_guarantee_or_the_reason_for_its_absence_is_shown() {
        let rows = info_rows(&info());
        assert!(
            rows.contains(&("certificate", "tight, l2, radius at most 1.5000".into())),
            "{rows:?}"
        );
        let none = GetModelInfoResponse {
            unavailable_reason: "alpha is below 1/2".into(),
            ..info()
        };
        assert_eq!(certificate_kind_text(&none), "none: alpha is below 1/2");
    }

    #[test]
    fn the_first_labels_are_listed() {
        let labels: Vec<String> = (0..1000).map(|index| format!("c{index}")).collect();
        assert_eq!(
            classes_text(&labels),
            "1000: c0, c1, c2, c3, c4, c5, c6, c7, c8, c9 and 990 more (--json lists all)"
        );
        assert_eq!(classes_text(&labels[..2]), "2: c0, c1");
    }

    #[test]
    fn a_fallback_alpha_below_alpha_is_shown_with_its_margin() {
        let provenance = |fallback_alpha| Provenance {
            alpha: 0.75,
            fallback_alpha,
            robust_temperature: 0.2,
            ..Default::default()
        };
        let plain = "alpha 0.75 (weight of the robust model), temperature 0.2";
        for fallback_alpha in [None, Some(0.75)] {
            assert_eq!(mixture_text(&provenance(fallback_alpha)), plain);
        }
        let gated = mixture_text(&provenance(Some(0.0)));
        assert!(
            gated.starts_with(plain) && gated.contains("fallback_alpha 0, "),
            "{gated}"
        );
        assert!(gated.ends_with("= 0.3333"), "{gated}");
    }

    #[test]
    fn a_capped_target_is_shown_with_its_cap() {
        assert_eq!(target_text(36.0 / 255.0), "0.1412");
        assert_eq!(target_text(2.5e-5), "2.5e-5");
        let limits = |in_force| CertificationLimits {
            predict_votes: 240,
            predict_target_radius: 0.1412,
            predict_target_in_force: in_force,
            largest_predict_target: 0.14,
            ..Default::default()
        };
        assert_eq!(predict_text(&limits(0.1412)), "up to 240 votes, stops at radius 0.1412");
        let capped = predict_text(&limits(0.105));
        assert!(
            capped.starts_with(
                "up to 240 votes, stops at radius 0.1050\ncertificate.predict_target_radius = 0.1412 is \
                                capped at 0.1050: 240 votes prove at most 0.1400"
            ),
            "{capped}"
        );
        assert_eq!(
            predict_text(&limits(0.0)),
            "up to 240 votes, no radius can be certified"
        );
    }

    #[test]
    fn a_claim_is_not_shown_as_a_proof() {
        let model = |basis: CertificateBasis| ModelInfo {
            guarantee_basis: basis.into(),
            guarantee_basis_reason: "no record".into(),
            ..Default::default()
        };
        assert!(model_text(&model(CertificateBasis::Claimed)).contains("\nclaimed, not proven: no record\n"));
        assert!(model_text(&model(CertificateBasis::Proven)).contains("\nproven: "));
        assert!(!model_text(&ModelInfo::default()).contains("proven"));
    }
}
