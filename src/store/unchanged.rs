//! What is stored of the vehicles that deliveries are about, as far as it tells which of them change nothing.

use crate::domain::ids::WorkspaceId;
use std::collections::BTreeMap;

use sqlx::PgConnection;

use super::Error;
use super::identifiers::read_sale_status;
use super::listings::{read_status, vin_text};
use super::stored::Place;
use super::unnest::list;
use crate::domain::state::SourceKey;
use crate::domain::unchanged::{ContentSummary, StoredListing};
use crate::domain::values::Vin;

/// Loads what is known under the keys of these summaries.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn load(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    summaries: &[&ContentSummary],
) -> Result<BTreeMap<SourceKey, StoredListing>, Error> {
    if summaries.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = sqlx::query!(
        r#"select k.identifier as "identifier!", k.vin as "vin!", s.listing_id, s.for_sale, s.source_modified_at, s.fingerprint, i.status as word,
            i.source_modified_at as word_at, i.for_sale_at, i.vin as newest_vin, i.vin_at, l.status
        from unnest($2::text[], $3::text[]) as k (identifier, vin)
        cross join lateral (
            select * from listing_sources
            where workspace_id = $1 and identifier = k.identifier and vin = k.vin offset 0
        ) s
        cross join lateral (
            select * from listing_identifiers where workspace_id = $1 and identifier = k.identifier offset 0
        ) i
        cross join lateral (select status from listings where workspace_id = $1 and id = s.listing_id offset 0) l"#,
        workspace.get(),
        &list(summaries, |summary| summary.key.0.as_str()) as &[&str],
        &list(summaries, |summary| vin_text(summary.key.1.as_ref())),
    )
    .fetch_all(tx)
    .await?;
    let known = rows.into_iter().map(|row| {
        let of_identifier = Place::new("listing_identifiers", "listing_id", row.listing_id);
        let of_listing = Place::new("listings", "id", row.listing_id);
        let sale_status = of_identifier.read("status", row.word.as_deref(), read_sale_status)?;
        let vin = of_identifier.read("vin", row.newest_vin.as_deref(), Vin::stored)?;
        let known = StoredListing {
            for_sale: row.for_sale,
            at: row.source_modified_at,
            fingerprint: row.fingerprint,
            sale_status: sale_status.map(|sale_status| (sale_status, row.word_at)),
            for_sale_at: row.for_sale_at,
            vin: vin.map(|vin| (vin, row.vin_at)),
            status: of_listing.need("status", read_status(&row.status))?,
        };
        Ok(((row.identifier, Vin::stored(&row.vin)), known))
    });
    known.collect()
}
