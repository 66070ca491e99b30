//! Whether Postgres knows how large the tables are, so that plans may be kept.
//!
//! A plan that was made while a table was small reads a whole workspace where it should read a row, and one that is
//! kept goes on doing so while the table grows. So plans are made anew for each statement until the tables that others
//! refer to have statistics; from then on they are right, and all are kept: Postgres forgets them by itself whenever it
//! gathers statistics again. To plan the checks of foreign keys anew, a dozen for each lead, costs more than all the
//! rest, and to plan the statements themselves is about half of what a delivery that comes alone costs Postgres.

use std::time::Duration;

use super::{Error, Store};

/// How long to wait before looking again.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);
/// From how many bytes on a table is worth counting: before, nothing that is planned for it takes long.
const WORTH_COUNTING: i64 = 256 << 10;

/// Looks until the large tables have statistics, and lets Postgres gather them where it has not done so by itself.
pub async fn watch(store: Store) {
    loop {
        match gather(&store).await {
            Ok(true) => return,
            Ok(false) => {}
            Err(error) => tracing::debug!(error = error.without_values(), "the statistics could not be looked at"),
        }
        tokio::time::sleep(CHECK_INTERVAL).await;
    }
}

/// Gathers statistics of the tables that have grown and have none; says whether all have some, and notes it if so.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn gather(store: &Store) -> Result<bool, Error> {
    if store.is_over_several_servers() {
        // What Postgres knows of a table here is nothing of its parts elsewhere, and plans are not kept in any case.
        return Ok(false);
    }
    let mut tx = store.begin(None).await?;
    let seen = sqlx::query!(
        r#"select bool_and(reltuples > 0) as "all_known!",
            bool_or(reltuples <= 0 and pg_table_size(oid) >= $1) as "some_missing!"
        from pg_class where oid = any(array['persons', 'leads', 'lead_clusters', 'listings']::regclass[])"#,
        WORTH_COUNTING,
    )
    .fetch_one(&mut *tx)
    .await?;
    if seen.some_missing {
        // Only their owner may, whom this function stands for.
        sqlx::query!(r#"select intake.gather_statistics() as "gathered!: ()""#).execute(&mut *tx).await?;
    }
    tx.commit().await?;
    if seen.all_known {
        store.switch_to_generic_plans();
    }
    Ok(seen.all_known)
}
