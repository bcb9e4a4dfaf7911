//! The page as one HTML file.
//!
//! The file loads nothing: a Content-Security-Policy allows the scripts in the file, by their
//! digests, and images in the file. The policy is a second barrier. The first is that texts of the
//! report enter the markup escaped, and the page as text nodes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use super::data::ReportData;

const TEMPLATE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
const D3: &str = include_str!("page/vendor/d3.min.js");
const PLOT: &str = include_str!("page/vendor/plot.umd.min.js");
const LICENCES: &str = include_str!("page/vendor/LICENSES.txt");
/// The scripts of the page, in the order in which they use each other.
const SCRIPTS: [&str; 6] = [
    include_str!("page/text.js"),
    include_str!("page/selection.js"),
    include_str!("page/controls.js"),
    include_str!("page/figures.js"),
    include_str!("page/panels.js"),
    include_str!("page/main.js"),
];

/// The page cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum PageError {
    /// The data has no JSON form.
    #[error("cannot write the data of the report as JSON")]
    Json(#[from] serde_json::Error),
    /// The report has no mixture to show.
    #[error("the report holds no mixture")]
    NoMixture,
}

/// The page of `data`.
///
/// # Errors
/// If the report holds no mixture.
pub fn html_page(data: &ReportData) -> Result<String, PageError> {
    if data.mixtures.is_empty() {
        return Err(PageError::NoMixture);
    }
    let json = script_safe(&serde_json::to_string(data)?);
    let script = SCRIPTS.concat();
    let policy = content_security_policy(&[D3, PLOT, &script]);
    Ok(filled(|name| match name {
        "POLICY" => Some(policy.clone()),
        "TITLE" => Some(escaped(&data.title)),
        "STYLE" => Some(STYLE.to_owned()),
        "LICENCES" => Some(escaped(LICENCES)),
        "DATA" => Some(json.clone()),
        "D3" => Some(D3.to_owned()),
        "PLOT" => Some(PLOT.to_owned()),
        "SCRIPT" => Some(script.clone()),
        _ => None,
    }))
}

/// The template with the value of each `@@NAME@@`. Values are not searched for names. An unknown
/// name stays as it is.
fn filled(value: impl Fn(&str) -> Option<String>) -> String {
    let mut page = String::new();
    for (index, part) in TEMPLATE.split("@@").enumerate() {
        match value(part).filter(|_| index % 2 == 1) {
            Some(value) => page.push_str(&value),
            None => page.push_str(part),
        }
    }
    page
}

/// JSON that cannot end the script element that holds it, nor begin a comment in it.
fn script_safe(json: &str) -> String {
    json.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

/// Text as the content of an element.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}

fn content_security_policy(scripts: &[&str]) -> String {
    let digests: Vec<String> = scripts
        .iter()
        .map(|script| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(script))))
        .collect();
    format!(
        "default-src 'none'; script-src {}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'",
        digests.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::evaluation::report::synthetic::synthetic_report;

    fn hexadecimal_digest(text: &str) -> String {
        Sha256::digest(text).iter().fold(String::new(), |mut text, byte| {
            write!(text, "{byte:02x}").unwrap();
            text
        })
    }

    /// The digests of the published packages.
    #[test]
    fn the_chart_library_is_the_published_one() {
        for (text, banner, digest) in [
            (
                D3,
                "// https://d3js.org v7.9.2 ",
                "912111098ea99503a6f4967361d2bbdc9dbf58cf9c678c8e27e5b02d1a07f0c1",
            ),
            (
                PLOT,
                "// @observablehq/plot v0.6.17 ",
                "4358086467740777dd788d6b27a95cebdbaefdd50c730a3060117073bd7134cb",
            ),
        ] {
            assert!(text.starts_with(banner));
            assert_eq!(hexadecimal_digest(text), digest);
        }
    }

    #[test]
    fn scripts_and_style_cannot_end_their_element() {
        for text in SCRIPTS.into_iter().chain([STYLE, D3, PLOT]) {
            let text = text.to_lowercase();
            for end in ["</script", "</style", "<!--"] {
                assert!(!text.contains(end), "{end}");
            }
        }
    }

    #[test]
    fn foreign_text_does_not_become_markup() {
        let attack = "</script><script>alert(1)</script><!-- <img src=x onerror=alert(1)> & @@DATA@@ \u{2028}";
        let mut data = synthetic_report();
        data.title = attack.to_owned();
        data.labels[0] = attack.to_owned();
        data.notes.push(attack.to_owned());
        let page = html_page(&data).unwrap();
        assert!(!page.contains("<script>alert"), "the attack is in the page");
        assert!(!page.contains("<img"), "the attack is in the page");
        assert_eq!(page.matches("</script>").count(), 4);
        let (_, rest) = page.split_once(r#"id="report-data">"#).unwrap();
        let (json, _) = rest.split_once("</script>").unwrap();
        let read: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!(read["title"], attack);
        assert_eq!(read, serde_json::to_value(&data).unwrap());
    }

    #[test]
    fn the_policy_allows_the_scripts_of_the_page_alone() {
        let page = html_page(&synthetic_report()).unwrap();
        let (_, rest) = page.split_once("Content-Security-Policy\" content=\"").unwrap();
        let (policy, _) = rest.split_once('"').unwrap();
        for part in page.split("<script>").skip(1) {
            let (script, _) = part.split_once("</script>").unwrap();
            let digest = STANDARD.encode(Sha256::digest(script));
            assert!(policy.contains(&format!("'sha256-{digest}'")), "{policy}");
        }
        assert!(
            !policy.contains("http") && policy.starts_with("default-src 'none'"),
            "{policy}"
        );
        for place in ["src=\"http", "href=\"http", "@import", "url(http"] {
            assert!(!page.contains(place), "the page loads {place}");
        }
        assert!(!page.contains("@@"), "a name of the template has no value");
    }

    #[test]
    fn a_page_shows_at_least_one_mixture() {
        let mut data = synthetic_report();
        data.mixtures.clear();
        assert!(matches!(html_page(&data), Err(PageError::NoMixture)));
    }

    /// `make report-test` opens this page in a browser.
    #[test]
    fn a_page_of_synthetic_data_is_written_for_the_browser() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/report");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("synthetic.html"), html_page(&synthetic_report()).unwrap()).unwrap();
    }
}
