//! The law of the statements: each is the work of one workspace, so that over several servers it is the work of one of them.
//! A statement restricts every table that it names by a workspace that is a parameter, in each join and sub-select; what
//! need not is listed, and why.
#![allow(
    clippy::wildcard_enum_match_arm,
    clippy::collapsible_match,
    reason = "the parser's lists are long and open; what is not looked at here is none of the law's"
)]

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use forecourt::store::distribution::{Place, SPREAD};
use sqlparser::ast::{
    AssignmentTarget, BinaryOperator, Cte, Expr, FromTable, Insert, JoinConstraint, JoinOperator, ObjectName,
    OnConflictAction, OnInsert, Query, Select, SelectItem, SetExpr, Statement, TableFactor, TableObject,
    TableWithJoins, UpdateTableFromKind, Value, Visit, Visitor,
};
use sqlparser::dialect::PostgreSqlDialect;
use sqlparser::parser::Parser;

/// Views over distributed tables.
const VIEWS: [&str; 3] =
    ["intake.deliveries_with_bodies", "intake.deliveries_without_month", "intake.bodies_without_month"];

/// Statements that are not of one workspace, by a part of their text, and why each may be so.
pub(crate) const EXCEPTIONS: &[(&str, &str)] = &[
    ("select workspace_id, id, received_at from intake.deliveries where received_at = any($2)", FINDS),
    ("select id, received_at from intake.deliveries where received_at >= $2 and received_at < $3 and id = $1", FINDS),
    ("where workspace_id = any(array(select 0::bigint union all select w.id from workspaces w)) and id = any", FINDS),
    ("select distinct workspace_id from intake.dealership_feeds", BESIDE),
    ("select min(watched_until) from intake.workspace_watches", AT_START),
    ("select distinct on (workspace_id, dealership_id, feed) workspace_id", AT_START),
    ("select workspace_id from intake.rereadings order by workspace_id limit 1", AT_START),
    (r#"select count(*) as "count!" from intake.rereadings"#, AT_START),
    ("select max(received_at) from ( select received_at from intake.deliveries", RETENTION),
    (
        "select workspace_id, id from intake.deliveries where received_at > $1 and received_at <= $2 and (body",
        RETENTION,
    ),
    ("where received_at > $1 and received_at < $2 and (body is not null or posted_body is not null)", RETENTION),
    ("from intake.deliveries where retry_at is not null and outcome = 'failed' group by 1", RETENTION),
    (r#"select count(*) as "count!" from intake.deliveries where received_at >= $1 and received_at < $2"#, RETENTION),
    ("from intake.bodies where received_month = $1", RETENTION),
    ("_without_month", WITHOUT_MONTH),
    ("select workspace_id, sender from leads where external_id = $1", COMMAND),
    ("select distinct on (d.credential, d.feed) d.credential", COMMAND),
    ("with chosen as ( select workspace_id, id, received_at from intake.deliveries", COMMAND),
];

const FINDS: &str = "it finds the row of a delivery that may stand with any workspace; it is short, locks nothing, and no \
    delivery that is new asks so";
const BESIDE: &str = "it asks which workspaces are to be looked at, beside the deliveries and once a minute";
const AT_START: &str = "it is asked at a start, or once after an upgrade, and what it misses costs no delivery";
const RETENTION: &str =
    "retention reads what is old of all, once a day; what it changes, it changes workspace by workspace";
const WITHOUT_MONTH: &str = "the default partitions are reached by views of their owner's; over several servers the rows there are \
    counted and stay, which docs/scale.md says";
const COMMAND: &str = "a person asks for it, by a command that may read what all servers have";

/// What one statement comes to.
#[derive(Debug, Default)]
pub(crate) struct Read {
    /// What breaks the law.
    pub(crate) broken: Vec<String>,
    /// How many times it names a distributed table.
    pub(crate) tables: usize,
}

/// Reads a statement.
pub(crate) fn read(sql: &str) -> Result<Read, String> {
    let statements = Parser::parse_sql(&PostgreSqlDialect {}, sql).map_err(|error| error.to_string())?;
    let mut names = Names::default();
    let _whole = statements.visit(&mut names);
    let mut reader = Reader { ctes: names.ctes, functions: names.functions, seen: 0, read: Read::default() };
    let _whole = statements.visit(&mut reader);
    let Reader { seen, mut read, .. } = reader;
    if seen != read.tables {
        read.broken.push(format!("of {} tables that are named {} were looked at", read.tables, seen));
    }
    Ok(read)
}

/// What is named as a table is and is none.
#[derive(Default)]
struct Names {
    ctes: BTreeSet<String>,
    functions: BTreeSet<String>,
}

impl Visitor for Names {
    type Break = ();

    fn pre_visit_query(&mut self, query: &Query) -> ControlFlow<()> {
        let ctes = query.with.iter().flat_map(|with| &with.cte_tables);
        self.ctes.extend(ctes.map(|Cte { alias, .. }| alias.name.value.clone()));
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
        if let TableFactor::Table { name, args: Some(_), .. } = factor {
            self.functions.insert(name.to_string());
        }
        ControlFlow::Continue(())
    }
}

struct Reader {
    ctes: BTreeSet<String>,
    functions: BTreeSet<String>,
    /// How many distributed tables were found where they can be restricted.
    seen: usize,
    read: Read,
}

/// A distributed table where it is named.
struct Named {
    table: String,
    alias: String,
}

impl Reader {
    /// Where a table stands; none where it is no table of ours.
    fn place(&mut self, name: &ObjectName) -> Option<Place> {
        let name = name.to_string();
        if self.ctes.contains(&name) || self.functions.contains(&name) || is_catalogue(&name) {
            return None;
        }
        let whole = if name.contains('.') { name } else { format!("public.{name}") };
        let view = VIEWS.contains(&whole.as_str()).then_some(Place::Distributed);
        let place = SPREAD.iter().find(|spread| spread.table == whole).map(|spread| spread.place).or(view);
        if place.is_none() {
            self.read.broken.push(format!("{whole} is no table of store/distribution.rs"));
        }
        place
    }

    fn named(&mut self, factor: &TableFactor, named: &mut Vec<Named>) {
        match factor {
            TableFactor::Table { name, alias, args: None, .. } => {
                if self.place(name) == Some(Place::Distributed) {
                    let last = name.0.last().map(ToString::to_string).unwrap_or_default();
                    let alias = alias.as_ref().map_or(last, |alias| alias.name.value.clone());
                    named.push(Named { table: name.to_string(), alias });
                    self.seen += 1;
                }
            }
            TableFactor::NestedJoin { table_with_joins, .. } => self.all(&[(**table_with_joins).clone()], named),
            _ => {}
        }
    }

    fn all(&mut self, from: &[TableWithJoins], named: &mut Vec<Named>) {
        for TableWithJoins { relation, joins } in from {
            self.named(relation, named);
            for join in joins {
                self.named(&join.relation, named);
            }
        }
    }

    /// What stands in one `from` is restricted there, or by the condition beside it.
    fn scope(&mut self, from: &[TableWithJoins], condition: Option<&Expr>) {
        let mut named = Vec::new();
        self.all(from, &mut named);
        let mut conditions: Vec<(&Expr, Option<String>)> = Vec::new();
        conditions.extend(condition.iter().flat_map(|condition| parts(condition)).map(|part| (part, None)));
        for join in from.iter().flat_map(|from| &from.joins) {
            let (on, only) = match &join.join_operator {
                JoinOperator::Join(JoinConstraint::On(on)) | JoinOperator::Inner(JoinConstraint::On(on)) => (on, None),
                // Of an outer join the condition says nothing of the rows on its left.
                JoinOperator::Left(JoinConstraint::On(on)) | JoinOperator::LeftOuter(JoinConstraint::On(on)) => {
                    (on, alias_of(&join.relation))
                }
                _ => continue,
            };
            conditions.extend(parts(on).into_iter().map(|part| (part, only.clone())));
        }
        let is_only = named.len() == 1;
        for Named { table, alias } in named {
            let is_restricted = conditions.iter().any(|(condition, only)| {
                only.as_ref().is_none_or(|only| *only == alias) && restricts(condition, &alias, is_only)
            });
            if !is_restricted {
                self.read.broken.push(format!("{table} as {alias} is not restricted by a workspace"));
            }
        }
    }

    fn insert(&mut self, insert: &Insert) {
        let TableObject::TableName(name) = &insert.table else { return };
        if self.place(name) != Some(Place::Distributed) {
            return;
        }
        self.seen += 1;
        let place = insert.columns.iter().position(|column| column.to_string() == "workspace_id");
        let source = insert.source.as_deref().map(|source| &*source.body);
        let is_of_one = match (place, source) {
            (Some(place), Some(SetExpr::Values(values))) => {
                values.rows.iter().all(|row| row.get(place).is_some_and(is_parameter))
            }
            (Some(place), Some(SetExpr::Select(select))) => self.gives(select, place),
            _ => false,
        };
        if !is_of_one {
            self.read.broken.push(format!("what is written into {name} does not have its workspace from a parameter"));
        }
        if let Some(OnInsert::OnConflict(conflict)) = &insert.on
            && let OnConflictAction::DoUpdate(update) = &conflict.action
        {
            for assignment in &update.assignments {
                let value = assignment.value.to_string().to_lowercase();
                if value.contains("now()") || value.contains("select ") {
                    self.read.broken.push(format!("{name}: `do update set` with `now()` or a sub-select"));
                }
            }
            self.keeps_workspace(name, update.assignments.iter().map(|assignment| &assignment.target));
        }
    }

    /// Whether the rows that are selected have their workspace from a parameter: it is one, or stands in rows that are.
    fn gives(&mut self, select: &Select, place: usize) -> bool {
        let Some(SelectItem::UnnamedExpr(given)) = select.projection.get(place) else { return false };
        if is_parameter(given) {
            return true;
        }
        let mut named = Vec::new();
        let seen = self.seen;
        self.all(&select.from, &mut named);
        self.seen = seen;
        let is_of_rows = matches!(given, Expr::Identifier(column) if column.value == "workspace_id");
        is_of_rows && named.is_empty() && select.from.iter().all(|from| is_of_parameters(&from.relation))
    }

    fn keeps_workspace<'a>(&mut self, name: &ObjectName, targets: impl Iterator<Item = &'a AssignmentTarget>) {
        for target in targets {
            if target.to_string() == "workspace_id" {
                self.read.broken.push(format!("{name}: the workspace of a row is changed"));
            }
        }
    }
}

impl Visitor for Reader {
    type Break = ();

    fn pre_visit_relation(&mut self, name: &ObjectName) -> ControlFlow<()> {
        if self.place(name) == Some(Place::Distributed) {
            self.read.tables += 1;
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &Select) -> ControlFlow<()> {
        self.scope(&select.from, select.selection.as_ref());
        ControlFlow::Continue(())
    }

    fn pre_visit_statement(&mut self, statement: &Statement) -> ControlFlow<()> {
        match statement {
            Statement::Insert(insert) => self.insert(insert),
            Statement::Update(update) => {
                let mut from = vec![update.table.clone()];
                match &update.from {
                    Some(UpdateTableFromKind::BeforeSet(more) | UpdateTableFromKind::AfterSet(more)) => {
                        from.extend(more.iter().cloned());
                    }
                    None => {}
                }
                self.scope(&from, update.selection.as_ref());
                if let TableFactor::Table { name, .. } = &update.table.relation
                    && self.place(name) == Some(Place::Distributed)
                {
                    self.keeps_workspace(name, update.assignments.iter().map(|assignment| &assignment.target));
                }
            }
            Statement::Delete(delete) => {
                let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
                let from: Vec<_> = from.iter().chain(delete.using.iter().flatten()).cloned().collect();
                self.scope(&from, delete.selection.as_ref());
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }
}

fn is_catalogue(name: &str) -> bool {
    name.starts_with("pg_") || name.starts_with("information_schema.")
}

fn alias_of(factor: &TableFactor) -> Option<String> {
    match factor {
        TableFactor::Table { name, alias, .. } => {
            let last = name.0.last().map(ToString::to_string);
            alias.as_ref().map(|alias| alias.name.value.clone()).or(last)
        }
        _ => None,
    }
}

/// The conditions that all hold.
fn parts(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::BinaryOp { left, op: BinaryOperator::And, right } => [parts(left), parts(right)].concat(),
        Expr::Nested(inner) => parts(inner),
        other => vec![other],
    }
}

fn is_parameter(expr: &Expr) -> bool {
    match expr {
        Expr::Value(value) => matches!(value.value, Value::Placeholder(_) | Value::Number(..)),
        Expr::Nested(inner) => is_parameter(inner),
        Expr::Cast { expr, .. } => is_parameter(expr),
        _ => false,
    }
}

/// A function of nothing but parameters, or nothing at all.
fn is_of_parameters(factor: &TableFactor) -> bool {
    match factor {
        TableFactor::Table { args, .. } => args.is_some(),
        TableFactor::UNNEST { .. } | TableFactor::Function { .. } => true,
        _ => false,
    }
}

/// `workspace_id = $1`, of this table.
fn restricts(expr: &Expr, alias: &str, is_only: bool) -> bool {
    let Expr::BinaryOp { left, op: BinaryOperator::Eq, right } = expr else { return false };
    let is_workspace = |expr: &Expr| match expr {
        Expr::Identifier(column) => is_only && column.value == "workspace_id",
        Expr::CompoundIdentifier(path) => match path.as_slice() {
            [.., table, column] => column.value == "workspace_id" && table.value == alias,
            _ => false,
        },
        _ => false,
    };
    is_workspace(left) && is_parameter(right) || is_workspace(right) && is_parameter(left)
}
