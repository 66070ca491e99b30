//! Leads that are no longer tried again wait no longer: what is removed of `intake.lead_dependencies` beside deliveries. It is
//! loaded and written with the leads.

use crate::domain::ids::{LeadId, WorkspaceId};
use chrono::{DateTime, TimeDelta, Utc};

use super::{Error, Store};

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
