//! The Grafana dashboard is well formed: `deploy/checks/prometheus.py` runs its queries.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeSet;

use serde_json::Value;

const DASHBOARD: &str = include_str!("../deploy/grafana/certimix.json");
const COLUMNS: u64 = 24;

fn dashboard() -> Value {
    serde_json::from_str(DASHBOARD).unwrap()
}

fn list<'a>(value: &'a Value, pointer: &str) -> &'a [Value] {
    value
        .pointer(pointer)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

/// Returns the panels that show data: all but the headings of rows.
fn data_panels(dashboard: &Value) -> Vec<&Value> {
    let panels = list(dashboard, "/panels").iter();
    panels.filter(|panel| text(panel, "/type") != "row").collect()
}

#[test]
fn panels_have_unique_ids_and_do_not_overlap() {
    let dashboard = dashboard();
    let panels = list(&dashboard, "/panels");
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len());
    let mut cells = BTreeSet::new();
    for panel in panels {
        let of = |key: &str| panel["gridPos"][key].as_u64().unwrap();
        assert!(of("w") > 0 && of("h") > 0 && of("x") + of("w") <= COLUMNS, "{panel}");
        for row in of("y")..of("y") + of("h") {
            for column in of("x")..of("x") + of("w") {
                assert!(
                    cells.insert((row, column)),
                    "{:?} overlaps another panel",
                    panel["title"]
                );
            }
        }
    }
    assert!(panels.len() > 40);
}

#[test]
fn every_panel_explains_itself_and_names_its_series() {
    let dashboard = dashboard();
    for panel in data_panels(&dashboard) {
        let title = text(panel, "/title");
        assert!(
            !title.is_empty() && text(panel, "/description").ends_with('.'),
            "{title}"
        );
        let kinds = ["timeseries", "stat", "heatmap", "table"];
        assert!(kinds.contains(&text(panel, "/type")), "{title}");
        let targets = list(panel, "/targets");
        assert!(!targets.is_empty(), "{title} has no query");
        let names: BTreeSet<&str> = targets.iter().map(|target| text(target, "/refId")).collect();
        assert_eq!(names.len(), targets.len(), "{title} has two queries with one refId");
        for target in targets {
            assert!(!text(target, "/expr").is_empty(), "{title} has an empty query");
            assert!(!text(target, "/legendFormat").is_empty(), "{title} has no legend");
        }
        let is_heatmap = text(panel, "/type") == "heatmap";
        assert_eq!(is_heatmap, text(panel, "/targets/0/format") == "heatmap", "{title}");
    }
}

/// A query without the variables would mix jobs, or ignore the chosen replica.
#[test]
fn every_query_obeys_the_variables() {
    let dashboard = dashboard();
    let variables: Vec<&str> = list(&dashboard, "/templating/list")
        .iter()
        .map(|variable| text(variable, "/name"))
        .collect();
    assert_eq!(variables, ["datasource", "job", "instance"]);
    let targets = data_panels(&dashboard)
        .into_iter()
        .flat_map(|panel| list(panel, "/targets"));
    let mut checked = 0;
    for query in targets.chain(list(&dashboard, "/annotations/list")) {
        let expression = text(query, "/expr");
        let selectors = expression.matches("certimix_").count() + expression.matches("process_").count();
        let chosen = expression.matches(r#"{job="$job",instance=~"$instance""#).count();
        assert_eq!(selectors, chosen, "{expression}");
        assert_eq!(text(query, "/datasource/uid"), "${datasource}", "{expression}");
        checked += selectors;
    }
    assert!(checked > 80, "{checked}");
}

#[test]
fn changes_are_marked_on_every_panel() {
    let dashboard = dashboard();
    let marks = list(&dashboard, "/annotations/list");
    assert!(marks.iter().all(|mark| mark["enable"] == true), "{marks:?}");
    for metric in [
        "certimix_config_applied_timestamp_seconds",
        "certimix_config_target_alpha",
        "certimix_config_reloads_total",
        "process_start_time_seconds",
    ] {
        assert!(
            marks.iter().any(|mark| text(mark, "/expr").contains(metric)),
            "{metric}"
        );
    }
}
