//! A log line shows values for people and for queries: no `Some(…)`, no names of variants.

use crate::sources;

/// Fields that hold a `Duration`, whose `Debug` is text such as `1.5s`.
const DURATIONS: [&str; 6] = ["bound", "elapsed", "interval", "quiet_for", "row_time", "timeout"];

/// The fields of the macro call in `text`, as far as its closing parenthesis.
fn arguments(text: &str) -> &str {
    let mut depth = 0_usize;
    let end = text.char_indices().find_map(|(at, letter)| {
        match letter {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        (depth == 0).then_some(at)
    });
    end.map_or(text, |end| &text[..end])
}

/// The fields of `call` with `Debug` formatting: `?name`, `name = ?value` or `{name:?}`.
fn debug_fields(call: &str) -> Vec<String> {
    let mut found = Vec::new();
    for part in call.split([',', '(']).map(str::trim) {
        let (name, value) = part
            .split_once('=')
            .map_or(("", part), |(name, value)| (name.trim(), value.trim()));
        if let Some(value) = value.strip_prefix('?') {
            found.push(if name.is_empty() { value } else { name }.to_owned());
        }
        if part.contains(":?}") {
            found.push(part.to_owned());
        }
    }
    found
}

#[test]
fn no_log_line_formats_a_value_for_debugging() {
    let mut wrong = Vec::new();
    let mut calls = 0;
    for (path, text) in &sources::read("src") {
        // The unit tests of a file are at its end.
        let text = text.split("#[cfg(test)]\nmod ").next().unwrap_or_default();
        for level in ["trace", "debug", "info", "warn", "error"] {
            for (at, macro_name) in text.match_indices(&format!("tracing::{level}!")) {
                let call = arguments(&text[at + macro_name.len()..]);
                calls += 1;
                let fields = debug_fields(call).into_iter();
                wrong.extend(
                    fields
                        .filter(|field| !DURATIONS.contains(&field.as_str()))
                        .map(|field| format!("{path}: {field}")),
                );
            }
        }
    }
    assert!(calls > 50, "only {calls} calls were found");
    assert!(
        wrong.is_empty(),
        "format these values with Display (`%`), or list a new field that holds a Duration: {wrong:#?}"
    );
}

#[test]
fn debug_formatting_is_found() {
    let found = |call: &str| debug_fields(arguments(call));
    assert_eq!(
        found("(?peer, a = ?b.c(), \"{x:?}\"); (?other)"),
        ["peer", "a", "\"{x:?}\""]
    );
    assert!(found("(%peer, a = b?, count, \"what?\")").is_empty());
}
