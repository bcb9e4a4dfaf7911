//! `[mixture]`: the second weight, and the candidates for the shadow evaluation.

use super::{MINIMAL, Settings, SettingsError, read, violated_keys};

fn with_mixture(lines: &str) -> String {
    format!("{MINIMAL}[mixture]\n{lines}\n")
}

fn mixture(lines: &str) -> Settings {
    read(&with_mixture(lines), &[]).unwrap()
}

/// The violations of a `[mixture]`, one a line.
fn message(lines: &str, variables: &[(&str, &str)]) -> String {
    match read(&with_mixture(lines), variables) {
        Err(SettingsError::Invalid { violations, .. }) => {
            let text = violations.to_string();
            text.lines().map(str::trim).collect::<Vec<_>>().join("\n")
        }
        other => panic!("{lines}: expected violations, found {other:?}"),
    }
}

/// `(alpha, fallback_alpha, robust_temperature)` of each candidate.
fn candidates(lines: &str) -> Vec<(f64, f64, f64)> {
    let values = |candidate: &crate::settings::MixtureSettings| {
        let weights = candidate.weights;
        (
            weights.alpha().get(),
            weights.fallback_alpha().get(),
            candidate.robust_temperature.get(),
        )
    };
    mixture(lines).shadow_candidates.iter().map(values).collect()
}

#[test]
fn fallback_alpha_follows_alpha_unless_it_is_set() {
    let settings = mixture("alpha = 0.8");
    assert!(settings.mixture.weights.is_constant());
    assert_eq!(settings.effective["mixture.fallback_alpha"], "0.8");
    let settings = mixture("alpha = 0.8\nfallback_alpha = 0");
    assert_eq!(settings.mixture.weights.fallback_alpha().get(), 0.0);
    assert_eq!(settings.mixture.weights.alpha().get(), 0.8);
    assert!(
        mixture("alpha = 0.8\nfallback_alpha = 0.8")
            .mixture
            .weights
            .is_constant()
    );
    let variables = [("CERTIMIX__MIXTURE__FALLBACK_ALPHA", "0.25")];
    let settings = read(&with_mixture("alpha = 0.8\nfallback_alpha = 0"), &variables).unwrap();
    assert_eq!(settings.mixture.weights.fallback_alpha().get(), 0.25);
}

#[test]
fn a_refused_fallback_alpha_is_named_with_what_was_expected() {
    for (lines, expected) in [
        (
            "alpha = 0.7\nfallback_alpha = 0.71",
            "from 0 to mixture.alpha = 0.7, found 0.71",
        ),
        (
            "alpha = 0.7\nfallback_alpha = -0.1",
            "a number from 0 to mixture.alpha, found -0.1",
        ),
        (
            "alpha = 0.7\nfallback_alpha = 1.5",
            "a number from 0 to mixture.alpha, found 1.5",
        ),
        (
            "alpha = 0.7\nfallback_alpha = nan",
            "a number from 0 to mixture.alpha, found NaN",
        ),
        (
            "alpha = 0.7\nfallback_alpha = \"0.1\"",
            "a number from 0 to mixture.alpha, found \"0.1\"",
        ),
        (
            "alpha = 0.7\nfallback_alpha = true",
            "a number from 0 to mixture.alpha, found true",
        ),
        (
            "alpha = 0.7\nalpha_min = 0.2\nfallback_alpha = 0.1",
            "0.1 is outside the guard rails mixture.alpha_min = 0.2",
        ),
    ] {
        let message = message(lines, &[]);
        let line = message.lines().find(|line| line.contains("mixture.fallback_alpha"));
        let line = line.unwrap_or_else(|| panic!("{lines}: {message}"));
        assert!(line.contains(expected), "{lines}: {line}");
        assert_eq!(message.lines().count(), 1, "{lines}: {message}");
    }
    // Outside the guard rails alpha alone is at fault if fallback_alpha only follows it.
    let violated = violated_keys(&with_mixture("alpha = 0.9\nalpha_max = 0.8"));
    assert_eq!(violated, ["mixture.alpha"]);
}

#[test]
fn candidates_are_sorted_and_counted_once() {
    let list = "alpha = 0.76\nrobust_temperature = 2.0\nshadow_alphas = [0.9, 0.6, 0.9]\nshadow_candidates = [\
                { alpha = 0.9 }, { alpha = 0.6, fallback_alpha = 0.1 }, { alpha = 0.6, robust_temperature = 0.5 }, \
                { alpha = 1, fallback_alpha = 0, robust_temperature = 3 }]";
    let expected = [
        (0.6, 0.1, 2.0),
        (0.6, 0.6, 0.5),
        (0.6, 0.6, 2.0),
        (0.9, 0.9, 2.0),
        (1.0, 0.0, 3.0),
    ];
    assert_eq!(candidates(list), expected);
    assert_eq!(candidates("shadow_candidates = []"), []);
    let shown = &mixture(list).effective["mixture.shadow_candidates"];
    assert!(
        shown.starts_with("[{ alpha = 0.9 }, { alpha = 0.6, fallback_alpha = 0.1 }, "),
        "{shown}"
    );
    // The list as it is shown is TOML of the same list.
    let again = format!("robust_temperature = 2.0\nshadow_alphas = [0.6]\nshadow_candidates = {shown}");
    assert_eq!(candidates(&again), expected);
}

#[test]
fn a_candidate_takes_the_fallback_alpha_of_the_mixture() {
    // Without a second weight in the mixture, a candidate has none either.
    let follows = |lines: &str| {
        candidates(&format!(
            "{lines}\nshadow_alphas = [0.2, 0.9]\nshadow_candidates = [{{ alpha = 0.3 }}]"
        ))
    };
    assert_eq!(
        follows("alpha = 0.76"),
        [(0.2, 0.2, 1.0), (0.3, 0.3, 1.0), (0.9, 0.9, 1.0)]
    );
    assert_eq!(
        follows("alpha = 0.76\nfallback_alpha = 0.25"),
        [(0.2, 0.2, 1.0), (0.3, 0.25, 1.0), (0.9, 0.25, 1.0)]
    );
}

#[test]
fn an_invalid_candidate_is_refused() {
    for list in [
        "[{ alpha = 0.8, fallback = 0.1 }]",
        "[{ alpha = 0.8, Alpha = 0.9 }]",
        "[{ fallback_alpha = 0.1 }]",
        "[{}]",
        "[{ alpha = 1.01 }]",
        "[{ alpha = -0.1 }]",
        "[{ alpha = nan }]",
        "[{ alpha = \"0.8\" }]",
        "[{ alpha = true }]",
        "[{ alpha = 0.8, fallback_alpha = 0.81 }]",
        "[{ alpha = 0.8, fallback_alpha = nan }]",
        "[{ alpha = 0.8, fallback_alpha = \"0\" }]",
        "[{ alpha = 0.8, robust_temperature = 0 }]",
        "[{ alpha = 0.8, robust_temperature = 1e7 }]",
        "[{ alpha = 0.8, robust_temperature = inf }]",
        "[{ alpha = 0.8 }, { alpha = 2 }]",
        "[0.8]",
        "[[0.8]]",
        "0.8",
        "\"[]\"",
    ] {
        let message = message(&format!("shadow_candidates = {list}"), &[]);
        assert!(
            message.starts_with("mixture.shadow_candidates: expected a list of at most 16 tables"),
            "{list}: {message}"
        );
        assert_eq!(message.lines().count(), 1, "{list}: {message}");
    }
}

#[test]
fn both_lists_together_have_at_most_16_candidates() {
    let list = |count: usize| {
        (0..count)
            .map(|i| format!("{{ alpha = 0.{} }}", 10 + i))
            .collect::<Vec<_>>()
            .join(", ")
    };
    assert_eq!(candidates(&format!("shadow_candidates = [{}]", list(16))).len(), 16);
    let message_for = |lines: &str| message(lines, &[]);
    let too_many = message_for(&format!("shadow_candidates = [{}]", list(17)));
    assert!(
        too_many.contains("mixture.shadow_candidates: expected a list of at most 16 tables"),
        "{too_many}"
    );
    let together = message_for(&format!(
        "shadow_candidates = [{}]\nshadow_alphas = [0.9, 0.95]",
        list(15)
    ));
    assert!(
        together.contains("expected at most 16 candidates together with mixture.shadow_alphas, found 17"),
        "{together}"
    );
    // A candidate in both lists counts once.
    assert_eq!(
        candidates(&format!(
            "shadow_candidates = [{}]\nshadow_alphas = [0.1, 0.11, 0.12]",
            list(16)
        ))
        .len(),
        16
    );
}

#[test]
fn a_variable_sets_the_candidates() {
    let variable = ("CERTIMIX__MIXTURE__SHADOW_CANDIDATES", "[{ alpha = 0.8 }]");
    let settings = read(MINIMAL, &[variable]).unwrap();
    assert_eq!(settings.shadow_candidates.len(), 1);
    for (variable, value, expected) in [
        (
            "CERTIMIX__MIXTURE__SHADOW_CANDIDATES",
            "[{ alpha = 8 }]",
            "mixture.shadow_candidates: expected a list of at most 16 tables",
        ),
        (
            "CERTIMIX__MIXTURE__SHADOW_ALPHAS",
            "0.8",
            "mixture.shadow_alphas: expected a list of at most 16 numbers",
        ),
    ] {
        let message = message("", &[(variable, value)]);
        assert!(
            message.starts_with(expected) && message.contains(&format!("(environment variable {variable})")),
            "{message}"
        );
    }
}

#[test]
fn candidates_of_a_refused_mixture_add_no_violation() {
    let violated = violated_keys(&with_mixture("alpha = 2\nshadow_candidates = [{ alpha = 0.8 }]"));
    assert_eq!(violated, ["mixture.alpha"]);
}
