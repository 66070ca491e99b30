//! The alert rules and the dashboard of `deploy/`: they name only what a scrape has, and each rule fires on series that
//! were recorded from a real fault (`tests/alerts`, made by `record`).

mod promtool;
mod record;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use forecourt::domain::feed::Feed;
use forecourt::metrics::SilentSender;
use serde_json::Value;

use crate::support::{CONFIG, Scrape, a_lead, left_out, service_with};
use promtool::Promtool;

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn text_of(path: &str) -> String {
    std::fs::read_to_string(root(path)).unwrap()
}

const RULES: &str = "deploy/prometheus/forecourt.rules.yml";
const DASHBOARD: &str = "deploy/grafana/forecourt.json";

/// Everything that a scrape can have.
async fn everything() -> Scrape {
    let service = service_with(&CONFIG.replace("[spool]\nmax_bytes = 0", "")).await;
    service.lead(&a_lead(1)).await;
    let metrics = service.metrics();
    let sender = SilentSender { workspace: "alpha".to_owned(), dealership: 356, feed: Feed::Lead, is_silent: true };
    metrics.set_silent_senders(vec![sender]);
    metrics.set_default_partition_rows(0);
    metrics.set_spool_disk_free(Some(1));
    service.scrape().await
}

/// The metrics that a text of `PromQL` names.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let ours = words.filter(|word| word.starts_with("forecourt_") || word.starts_with("process_"));
    ours.map(str::to_owned).collect()
}

/// The metric that a series is part of: those of a histogram have endings.
fn declared(scrape: &Scrape, name: &str) -> bool {
    let of_histogram = ["_bucket", "_sum", "_count"].into_iter().filter_map(|ending| name.strip_suffix(ending));
    std::iter::once(name).chain(of_histogram).any(|name| scrape.declared.contains(name))
}

/// The queries of a dashboard, wherever they stand.
fn queries(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(query) if ["expr", "query", "definition"].contains(&key.as_str()) => {
                        found.push(query.clone());
                    }
                    Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
                    Value::Object(_) | Value::Array(_) => queries(value, found),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| queries(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

#[tokio::test]
async fn the_rules_and_the_dashboard_name_only_what_a_scrape_has() {
    let scrape = everything().await;
    let mut found = Vec::new();
    queries(&serde_json::from_str(&text_of(DASHBOARD)).unwrap(), &mut found);
    assert!(found.len() > 15, "{found:?}");
    let expressions: String = text_of(RULES).lines().filter(|line| line.trim_start().starts_with("expr:")).collect();
    for (of, text) in [(DASHBOARD, found.join("\n")), (RULES, expressions)] {
        let names = named(&text);
        assert!(names.len() > 8, "{of}: {names:?}");
        let unknown: Vec<&String> = names.iter().filter(|name| !declared(&scrape, name)).collect();
        assert!(unknown.is_empty(), "{of} names {unknown:?}, and a scrape has {:#?}", scrape.declared);
    }
    // And whatever there is of ours can be seen or rings.
    let shown = named(&(found.join("\n") + &text_of(RULES)));
    let of =
        |name: &str| ["", "_bucket", "_sum", "_count"].iter().any(|ending| shown.contains(&format!("{name}{ending}")));
    let unseen: Vec<&String> =
        scrape.declared.iter().filter(|name| name.starts_with("forecourt_") && !of(name)).collect();
    assert!(unseen.is_empty(), "nothing shows {unseen:?}");
}

#[test]
fn the_dashboard_is_one_that_grafana_imports() {
    let dashboard: Value = serde_json::from_str(&text_of(DASHBOARD)).unwrap();
    assert!(dashboard["schemaVersion"].as_u64().is_some_and(|version| version >= 36));
    assert!(dashboard["id"].is_null(), "an id is given at the import");
    for key in ["title", "uid"] {
        assert!(dashboard[key].as_str().is_some_and(|text| !text.is_empty() && text.len() <= 40), "{key}");
    }
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    let names: BTreeSet<&str> = variables.iter().map(|variable| variable["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["datasource", "instance", "job"].into());
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<u64> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "an id for each panel");
    let mut taken = BTreeSet::new();
    for panel in panels {
        let title = panel["title"].as_str().unwrap();
        let place = |key: &str| panel["gridPos"][key].as_u64().unwrap_or_else(|| panic!("{title}: {key}"));
        assert!(place("x") + place("w") <= 24, "{title}: 24 columns");
        for x in place("x")..place("x") + place("w") {
            for y in place("y")..place("y") + place("h") {
                assert!(taken.insert((x, y)), "{title} covers another");
            }
        }
        if panel["type"] == "row" {
            continue;
        }
        assert!(["stat", "timeseries", "table", "bargauge"].contains(&panel["type"].as_str().unwrap()), "{title}");
        assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        assert!(panel["fieldConfig"]["defaults"].is_object() && panel["options"].is_object(), "{title}");
        let targets = panel["targets"].as_array().unwrap();
        let references: BTreeSet<&str> = targets.iter().map(|target| target["refId"].as_str().unwrap()).collect();
        assert!(!targets.is_empty() && references.len() == targets.len(), "{title}");
    }
}

/// The names of the alerts, in the order of the file.
fn alerts() -> Vec<String> {
    let names = text_of(RULES);
    names.lines().filter_map(|line| Some(line.trim().strip_prefix("- alert: ")?.to_owned())).collect()
}

/// The files with recorded series.
fn recordings() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(root("tests/alerts")).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<PathBuf> = entries.filter(|path| path.extension().is_some_and(|end| end == "yml")).collect();
    files.sort();
    files
}

#[test]
fn each_alert_has_what_to_do_and_a_fault_on_which_it_fires() {
    let (alerts, operations) = (alerts(), text_of("docs/operations.md"));
    assert!(alerts.len() >= 10, "{alerts:?}");
    let files: String = recordings().iter().map(|path| std::fs::read_to_string(path).unwrap()).collect();
    for alert in &alerts {
        assert!(operations.contains(&format!("`{alert}`")), "docs/operations.md tells what to do about {alert}");
        assert!(files.contains(&format!("alertname=\"{alert}\"")), "no fault of tests/alerts has {alert} fire");
    }
}

#[test]
fn promtool_takes_the_rules_and_they_fire_on_recorded_faults() {
    let Some(promtool) = Promtool::find() else { return left_out("there is no promtool") };
    promtool.succeeds(&["check", "rules", root(RULES).to_str().unwrap()]);
    for file in recordings() {
        promtool.succeeds(&["test", "rules", file.to_str().unwrap()]);
    }
}

#[test]
fn promtool_takes_every_query_of_the_dashboard() {
    let Some(promtool) = Promtool::find() else { return left_out("there is no promtool") };
    let mut found = Vec::new();
    queries(&serde_json::from_str(&text_of(DASHBOARD)).unwrap(), &mut found);
    let mut rules = "groups:\n  - name: dashboard\n    rules:\n".to_owned();
    for (number, query) in found.iter().filter(|query| !query.starts_with("label_values(")).enumerate() {
        let query = query.replace("$__rate_interval", "5m").replace("$__range", "1h");
        let query = query.replace("$job", ".*").replace("$instance", ".*");
        assert!(!query.contains('$') && !query.contains('\''), "{query}");
        writeln!(rules, "      - record: query_{number}\n        expr: '{query}'").unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.yml");
    std::fs::write(&file, rules).unwrap();
    promtool.succeeds(&["check", "rules", file.to_str().unwrap()]);
}

#[tokio::test]
async fn promtool_finds_nothing_to_say_about_a_scrape() {
    let Some(promtool) = Promtool::find() else { return left_out("there is no promtool") };
    let service = service_with(CONFIG).await;
    service.lead(&a_lead(1)).await;
    promtool.reads(&["check", "metrics"], &service.scraped().await);
}
