//! deploy/dbt/sources.yml: the promised views as sources of a dbt project, with their tests.

use std::fmt::Write as _;
use std::path::Path;

use serde_json::json;
use sqlx::postgres::PgConnectOptions;

use super::catalogue::Relation;

/// What is asked of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    NotNull,
    Unique,
    /// Each value stands in this column of this view.
    In(&'static str, &'static str),
    /// It is one of these.
    Among(&'static [&'static str]),
}

use Rule::{Among, In, NotNull, Unique};

/// A rule of one column of one view.
#[derive(Debug)]
pub(super) struct Check {
    view: String,
    column: String,
    rule: Rule,
}

impl Check {
    /// The rows that break it.
    pub(super) fn failures(&self) -> String {
        let Self { view, column, rule } = self;
        match rule {
            NotNull => format!("select from reporting.{view} where {column} is null"),
            Unique => format!(
                "select {column} from reporting.{view} where {column} is not null group by 1 having count(*) > 1"
            ),
            In(to, field) => format!(
                "select from reporting.{view} v where {column} is not null
                and not exists (select from reporting.{to} t where t.{field} = v.{column})"
            ),
            Among(values) => {
                let values: Vec<String> = values.iter().map(|value| format!("'{value}'")).collect();
                format!("select from reporting.{view} where {column} not in ({})", values.join(", "))
            }
        }
    }
}

const FEEDS: &[&str] = &["lead", "lead_cluster", "inventory", "leadpro_lead"];
const SENDERS: &[&str] = &["dealer_studio", "leadpro"];
const STATUSES: &[&str] = &["for_sale", "withdrawn", "archived"];
const BOOKING_STATES: &[&str] = &["not_requested", "created", "blocked"];
const OUTCOMES: &[&str] = &["applied", "unchanged", "ignored", "rejected", "failed"];
const PRICES: &[&str] = &["egc", "dap", "before", "rrp", "igc"];

/// The rules that hold of a column whatever its view.
fn of_any(view: &str, column: &str) -> &'static [Rule] {
    match column {
        // A delivery may have no workspace.
        "workspace_id" | "workspace" | "workspace_name" if view != "deliveries" => &[NotNull],
        "enquired_at" | "enquired_on" | "received_at" | "received_on" | "since" | "since_on" => &[NotNull],
        "sender" if view == "marketing_consent" => &[Among(SENDERS)],
        "sender" => &[NotNull, Among(SENDERS)],
        "booking_state" => &[NotNull, Among(BOOKING_STATES)],
        "feed" => &[NotNull, Among(FEEDS)],
        "outcome" => &[NotNull, Among(OUTCOMES)],
        "vehicle_status" => &[Among(STATUSES)],
        _ => &[],
    }
}

/// The rules of columns by their views: what each row is known by, and what it refers to.
const OF_VIEWS: &[(&str, &str, &[Rule])] = &[
    ("leads", "lead_id", &[NotNull, Unique]),
    ("leads", "sender_lead_id", &[NotNull]),
    ("leads", "customer_id", &[In("customers", "customer_id")]),
    ("leads", "booking_id", &[Unique, In("bookings", "booking_id")]),
    ("bookings", "booking_id", &[NotNull, Unique]),
    ("bookings", "lead_id", &[NotNull, Unique, In("leads", "lead_id")]),
    ("bookings", "customer_id", &[In("customers", "customer_id")]),
    ("bookings", "listing_id", &[NotNull, In("stock", "listing_id")]),
    ("bookings", "status", &[NotNull, Among(&["requested"])]),
    ("bookings", "location", &[NotNull]),
    ("bookings", "package", &[NotNull]),
    ("bookings", "booked_at", &[NotNull]),
    ("blocked_leads", "lead_id", &[NotNull, In("leads", "lead_id")]),
    ("blocked_leads", "reason", &[NotNull]),
    ("blocked_leads", "remedy", &[NotNull]),
    ("blocked_leads", "customer_id", &[In("customers", "customer_id")]),
    ("customers", "customer_id", &[NotNull, Unique]),
    ("customers", "created_at", &[NotNull]),
    ("customers", "lead_count", &[NotNull]),
    ("stock", "listing_id", &[NotNull, Unique]),
    ("stock", "status", &[NotNull, Among(STATUSES)]),
    ("stock", "listed_at", &[NotNull]),
    ("stock_history", "listing_id", &[NotNull, In("stock", "listing_id")]),
    ("stock_history", "status", &[NotNull, Among(STATUSES)]),
    ("price_changes", "change_id", &[NotNull, Unique]),
    ("price_changes", "listing_id", &[NotNull, In("stock", "listing_id")]),
    ("price_changes", "price", &[NotNull, Among(PRICES)]),
    ("price_changes", "changed_at", &[NotNull]),
    ("appointments", "appointment_id", &[NotNull, Unique]),
    ("appointments", "lead_id", &[In("leads", "lead_id")]),
    ("appointments", "customer_id", &[In("customers", "customer_id")]),
    ("appointments", "is_removed", &[NotNull]),
    ("lead_response", "lead_id", &[NotNull, Unique, In("leads", "lead_id")]),
    ("lead_response", "status_since", &[NotNull]),
    ("marketing_consent", "customer_id", &[NotNull, Unique, In("customers", "customer_id")]),
    ("marketing_consent", "marketing_opt_in", &[NotNull]),
    ("marketing_consent", "marketing_opt_in_at", &[NotNull]),
    ("marketing_consent", "lead_id", &[In("leads", "lead_id")]),
    ("deliveries", "delivery_id", &[NotNull, Unique]),
    ("deliveries", "credential", &[NotNull]),
    ("dealership_feeds", "is_silent", &[NotNull]),
    ("unknown_fields", "path", &[NotNull]),
    ("unknown_fields", "times_seen", &[NotNull]),
];

/// Every rule of every view.
pub(super) fn checks(views: &[Relation]) -> Vec<Check> {
    for (view, column, _) in OF_VIEWS {
        let there =
            views.iter().any(|known| known.name == *view && known.columns.iter().any(|known| known.name == *column));
        assert!(there, "{view}.{column} is not there");
    }
    let columns = views.iter().flat_map(|view| view.columns.iter().map(|column| (&view.name, &column.name)));
    let checks = columns.flat_map(|(view, column)| {
        let own =
            OF_VIEWS.iter().find(|(of, name, _)| of == view && name == column).map_or(&[][..], |(.., rules)| *rules);
        let check = |rule: &Rule| Check { view: view.clone(), column: column.clone(), rule: *rule };
        of_any(view, column).iter().chain(own).map(check).collect::<Vec<_>>()
    });
    checks.collect()
}

const HEAD: &str = "# The views of forecourt as sources of a dbt project (1.10 or newer): copy this file into models/.
# Written by scripts/describe-tables from the comments of the database; a test compares.
#
# They are read by a role that has them: forecourt grant ROLE --reads reporting. With `--vars 'forecourt_schema:
# reporting_contacts'`, and a role that has been given contacts, the same sources have the personal columns too.
version: 2

sources:
  - name: forecourt
    description: What customers ask for and what is in stock, as forecourt stores it
    schema: \"{{ var('forecourt_schema', 'reporting') }}\"
    tables:
";

/// The whole file.
pub(super) fn written(views: &[Relation]) -> String {
    let mut file = String::from(HEAD);
    let checks = checks(views);
    for view in views {
        write!(file, "      - name: {}\n        description: {}\n        columns:\n", view.name, json!(view.comment))
            .unwrap();
        for column in &view.columns {
            let (name, kind, comment) = (&column.name, &column.kind, json!(column.comment));
            write!(
                file,
                "          - name: {name}\n            description: {comment}\n            data_type: {kind}\n"
            )
            .unwrap();
            let mut own = checks.iter().filter(|check| check.view == view.name && check.column == *name).peekable();
            if own.peek().is_some() {
                file += "            data_tests:\n";
            }
            for check in own {
                file += &rule(check.rule);
            }
        }
    }
    file
}

fn rule(rule: Rule) -> String {
    match rule {
        NotNull => "              - not_null\n".to_owned(),
        Unique => "              - unique\n".to_owned(),
        In(to, field) => format!(
            "              - relationships:\n                  arguments:\n                    to: source('forecourt', '{to}')\n                    field: {field}\n"
        ),
        Among(values) => format!(
            "              - accepted_values:\n                  arguments:\n                    values: [{}]\n",
            values.join(", ")
        ),
    }
}

/// A project that has these sources and nothing else, for a reader of this database.
pub(super) fn project(folder: &Path, root: &Path, options: &PgConnectOptions, reader: &str) {
    std::fs::create_dir(folder.join("models")).unwrap();
    std::fs::copy(root.join("deploy/dbt/sources.yml"), folder.join("models/sources.yml")).unwrap();
    let project = "name: reports\nversion: '1.0'\nprofile: reports\nmodel-paths: [models]\nflags:\n  send_anonymous_usage_stats: false\n";
    std::fs::write(folder.join("dbt_project.yml"), project).unwrap();
    let host =
        options.get_socket().map_or_else(|| options.get_host().to_owned(), |socket| socket.display().to_string());
    let output = json!({
        "type": "postgres", "host": host, "port": options.get_port(), "user": reader, "password": "none",
        "dbname": options.get_database(), "schema": "reporting", "threads": 2,
    });
    let profiles = json!({ "reports": { "target": "tests", "outputs": { "tests": output } } });
    std::fs::write(folder.join("profiles.yml"), profiles.to_string()).unwrap();
}
