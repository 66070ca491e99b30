//! What leads wait for: `intake.lead_dependencies`, looked up by equality.

use crate::domain::ids::{LeadId, WorkspaceId};
use chrono::{DateTime, TimeDelta, Utc};

use super::{Error, Store};
use crate::domain::booking_request::Dependency;
use crate::domain::values::{Email, StockNumber, Vin};

/// A dependency as it stands in the table: its kind and its key.
pub(super) fn kind_and_key(dependency: &Dependency) -> (&'static str, &str) {
    match dependency {
        Dependency::Vin(vin) => ("vin", vin.as_str()),
        Dependency::Stock(number) => ("stock_number", number.as_str()),
        Dependency::Plan(name) => ("package", name),
        Dependency::Location(name) => ("location", name),
        Dependency::AnyLocation => ("any_location", ""),
        Dependency::Person(email) => ("person", email.as_str()),
    }
}

/// The dependency that stands in the table so.
pub(super) fn read(kind: &str, key: &str) -> Option<Dependency> {
    match kind {
        "vin" => Vin::stored(key).map(Dependency::Vin),
        "stock_number" => StockNumber::stored(key).map(Dependency::Stock),
        "package" => Some(Dependency::Plan(key.to_owned())),
        "location" => Some(Dependency::Location(key.to_owned())),
        "any_location" => Some(Dependency::AnyLocation),
        "person" => Email::stored(key).map(Dependency::Person),
        _ => None,
    }
}

/// Dependencies as lists, one for each column.
#[derive(Debug, Default)]
pub(super) struct DependencyLists<'a> {
    pub(super) lead_id: Vec<i64>,
    pub(super) kind: Vec<&'static str>,
    pub(super) key: Vec<&'a str>,
}

impl<'a> DependencyLists<'a> {
    /// Adds one of a lead.
    pub(super) fn push(&mut self, lead: LeadId, dependency: &'a Dependency) {
        let (kind, key) = kind_and_key(dependency);
        self.lead_id.push(lead.get());
        self.kind.push(kind);
        self.key.push(key);
    }
}

/// How many leads are looked at in one transaction.
const PAGE: i64 = 500;

/// Lets the leads of a page that are no longer tried again wait no longer. The pages go by lead, from the first after
/// this one on; gives the last of the page, and nothing where it was the last page.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn forget_past(
    store: &Store,
    workspace: WorkspaceId,
    after: LeadId,
    now: DateTime<Utc>,
) -> Result<Option<LeadId>, Error> {
    let horizon = now - TimeDelta::days(store.booking_retry_days);
    let mut tx = store.begin(Some(workspace)).await?;
    let page = sqlx::query!(
        r#"-- once a day
        with page as materialized (
            select distinct lead_id from intake.lead_dependencies
            where workspace_id = $1 and lead_id > $2 order by lead_id limit $4
        ), past as materialized (
            select page.lead_id from page
            cross join lateral (select received_at from leads where workspace_id = $1 and id = page.lead_id offset 0) l
            where l.received_at < $3
        ), forgotten as (
            delete from intake.lead_dependencies known using past
            where known.workspace_id = $1 and known.lead_id = past.lead_id
        )
        select count(*) as "count!", max(lead_id) as last from page"#,
        workspace.get(),
        after.get(),
        horizon,
        PAGE,
    )
    .fetch_one(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(page.last.filter(|_| page.count == PAGE).map(LeadId::from))
}
