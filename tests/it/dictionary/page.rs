//! docs/tables.md, from the comments of the database and docs/tables.tsv.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::catalogue::{Column, Examples, Keys, Relation};

/// Where each column's values come from, and an example where none is to be had by sending the pages' examples.
const LIST: &str = include_str!("../../../docs/tables.tsv");

/// How long an example may be.
const LONGEST: usize = 40;

/// What docs/tables.tsv says of a column.
pub(super) struct Listed {
    from: &'static str,
    example: &'static str,
}

/// The list, by table and column.
pub(super) fn listed() -> BTreeMap<(String, String), Listed> {
    let mut listed = BTreeMap::new();
    for line in LIST.lines().skip(1) {
        let parts: [&'static str; 4] =
            line.split('\t').collect::<Vec<_>>().try_into().unwrap_or_else(|_| panic!("{line}"));
        let [table, column, from, example] = parts;
        assert!(!from.trim().is_empty(), "{table} {column}: where do its values come from?");
        let former = listed.insert((table.to_owned(), column.to_owned()), Listed { from, example });
        assert!(former.is_none(), "{table} {column} is listed twice");
    }
    listed
}

const HEAD: &str = "# Tables

<!-- Written by scripts/describe-tables from the comments of the database and docs/tables.tsv; a test compares. -->

Every view and table with every column: what it is, where its values come from, and an example. Values come from the
payload of a feed (`lead: prospect.email` is that field of a delivery of the feed `lead`), from the configuration, from other
columns, or are made by forecourt. What no payload said is null. Examples are those of the senders' pages; numbers of rows,
times and ids stand for any.

People and BI tools read the views of `reporting`, which are promised to stay: [reporting.md](reporting.md) says how. The tables
below them may gain columns with any version.
";

/// What each schema is for, in the order of the page.
const SCHEMAS: [(&str, &str, &str); 4] = [
    (
        "reporting_contacts",
        "Views for reports",
        "In `reporting`, and in `reporting_contacts` with the columns that are marked with ✱: names, contact details, free text \
         and further details.",
    ),
    (
        "public",
        "Business tables",
        "In `public`. Their keys are `bigint`, their times `timestamptz`, their money `numeric`.",
    ),
    ("intake", "Deliveries", "In `intake`: what arrived, what came of it, and what operators did."),
    (
        "identity",
        "Identity documents",
        "In `identity`, apart, so that a role can read the business tables and not these.",
    ),
];

/// The whole page.
pub(super) fn written(
    relations: &[Relation],
    listed: &BTreeMap<(String, String), Listed>,
    examples: &Examples,
    keys: &Keys,
) -> String {
    let mut page = String::from(HEAD);
    page += "\n## How they hang together\n\nEach arrow is a foreign key, from a row to the one that it belongs to.\n\n";
    page += &diagram(keys);
    for (schema, title, about) in SCHEMAS {
        write!(page, "\n## {title}\n\n{about}\n").unwrap();
        for relation in relations.iter().filter(|relation| relation.schema == schema) {
            let plain = relations.iter().find(|plain| plain.schema == "reporting" && plain.name == relation.name);
            page += &section(relation, plain.filter(|_| schema == "reporting_contacts"), listed, examples, keys);
        }
    }
    page
}

/// The tables with their foreign keys, as a diagram in Mermaid's words.
fn diagram(keys: &Keys) -> String {
    let mut diagram = String::from("```mermaid\nerDiagram\n");
    for (table, keys) in keys {
        for other in keys.iter().filter_map(|(_, other)| other.as_ref()) {
            let (from, to) = (box_of(table), box_of(other));
            writeln!(diagram, "    {from} }}o--|| {to} : \"\"").unwrap();
        }
    }
    diagram + "```\n"
}

/// A table's name as a diagram takes it; that of a business table without its schema.
fn box_of(table: &str) -> String {
    table.strip_prefix("public.").unwrap_or(table).replace('.', "_")
}

/// One table or view.
fn section(
    relation: &Relation,
    plain: Option<&Relation>,
    listed: &BTreeMap<(String, String), Listed>,
    examples: &Examples,
    keys: &Keys,
) -> String {
    let path = relation.path();
    let (title, comment) = plain.map_or((&path, &relation.comment), |plain| (&relation.name, &plain.comment));
    let mut section = format!("\n### `{}`\n\n{comment}.\n", title.strip_prefix("public.").unwrap_or(title));
    let keys: Vec<String> =
        keys.get(&path).into_iter().flatten().map(|(key, _)| format!("`{}`", key.to_lowercase())).collect();
    if !keys.is_empty() {
        write!(section, "\nKeys: {}.\n", keys.join(", ")).unwrap();
    }
    section += "\n| column | type | what it is | from | example |\n|---|---|---|---|---|\n";
    for column in &relation.columns {
        let key = (path.clone(), column.name.clone());
        let Listed { from, example } = &listed[&key];
        // Of a view's column else what the column holds that it is made of.
        let found = examples.get(&key).or_else(|| plain.and_then(|_| examples.get(&origin(from))));
        let example = if example.is_empty() { found.map_or("", String::as_str) } else { example };
        let is_personal = plain.is_some_and(|plain| !plain.columns.contains(column));
        section += &row(column, from, example, if is_personal { " ✱" } else { "" });
    }
    section
}

/// The first of the columns that a view's column is made of, as tables are named here.
fn origin(from: &str) -> (String, String) {
    let first = from.split(',').next().unwrap_or_default();
    let (table, column) = first.rsplit_once('.').unwrap_or_default();
    let table = if table.contains('.') { table.to_owned() } else { format!("public.{table}") };
    (table, column.to_owned())
}

fn row(column: &Column, from: &str, example: &str, mark: &str) -> String {
    let Column { name, kind, comment } = column;
    let example =
        if example.is_empty() { String::new() } else { format!("`{}`", cut(&cell(example)).replace('`', "'")) };
    format!("| `{name}`{mark} | {kind} | {} | {} | {example} |\n", cell(comment), cell(from))
}

/// A text that fits into a cell.
fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

fn cut(text: &str) -> String {
    if text.chars().count() <= LONGEST {
        return text.to_owned();
    }
    format!("{}…", text.chars().take(LONGEST).collect::<String>().trim_end())
}
