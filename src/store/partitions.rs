//! The partitions of deliveries and bodies, one a month (UTC): made ahead of time, and dropped whole. Both are done by
//! functions of the tables' owner, so that the service's role needs no right to make or drop tables.

use chrono::{DateTime, Months, NaiveDate, Utc};

use super::bodies::month_of;
use super::{Error, Store};

/// How many months are there beside this one.
const AHEAD: u32 = 2;
/// So many rows of each default partition are counted at the most.
const MOST_COUNTED: i64 = 10_001;

/// What has a partition a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partitioned {
    /// `intake.deliveries`.
    Deliveries,
    /// `intake.bodies`.
    Bodies,
}

impl Partitioned {
    /// Its table in the schema `intake`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Deliveries => "deliveries",
            Self::Bodies => "bodies",
        }
    }
}

/// The months that are to be there: this one and the next two, each by its first day.
fn months(now: DateTime<Utc>) -> impl Iterator<Item = NaiveDate> {
    (0..=AHEAD).filter_map(move |ahead| month_of(now).checked_add_months(Months::new(ahead)))
}

/// Makes the partitions of this month and the next two, where they are not there. Several processes may do so at once.
///
/// # Errors
/// When Postgres refuses or cannot be reached; also where a long query of somebody else has the tables.
pub async fn make(store: &Store, now: DateTime<Utc>) -> Result<(), Error> {
    for month in months(now) {
        // Each for itself: what was made stays, and is let go at once.
        let mut tx = store.begin(None).await?;
        sqlx::query!(r#"select intake.make_partitions($1) as "made!: ()""#, month).execute(&mut *tx).await?;
        tx.commit().await?;
    }
    Ok(())
}

/// A partition that is of a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Partition {
    /// The first day of the month; of the deliveries from before there were months, of the last of theirs.
    pub month: NaiveDate,
    /// Whether it holds the deliveries from before there were months.
    pub is_first: bool,
}

impl Partition {
    /// The partition of this name; none where that is no month, as of the default one.
    fn named(of: Partitioned, name: &str) -> Option<Self> {
        let month = name.strip_prefix(of.name())?.strip_prefix('_')?;
        let (month, is_first) = month.strip_prefix("until_").map_or((month, false), |month| (month, true));
        let (year, month) = month.split_once('_')?;
        Some(Self { month: NaiveDate::from_ymd_opt(year.parse().ok()?, month.parse().ok()?, 1)?, is_first })
    }
}

/// The partitions that are of months, oldest first.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn list(store: &Store, of: Partitioned) -> Result<Vec<Partition>, Error> {
    let mut tx = store.begin(None).await?;
    let names = sqlx::query_scalar!(
        r#"-- once
        select c.relname::text as "name!" from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = format('intake.%I', $1::text)::regclass"#,
        of.name(),
    )
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    let mut partitions: Vec<Partition> = names.iter().filter_map(|name| Partition::named(of, name)).collect();
    partitions.sort_unstable();
    Ok(partitions)
}

/// How many rows stand in default partitions, where none should be; of many, so many.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn default_rows(store: &Store) -> Result<i64, Error> {
    let mut tx = store.begin(None).await?;
    let rows = sqlx::query_scalar!(
        r#"-- once
        select (select count(*) from (select from intake.deliveries_without_month limit $1) as d)
            + (select count(*) from (select from intake.bodies_without_month limit $1) as b) as "rows!""#,
        MOST_COUNTED,
    )
    .fetch_one(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(rows)
}

/// Drops the partition of a month that is over; tells whether there was one. One process at a time does so: a second one
/// would find it gone in the middle of its work.
///
/// # Errors
/// When Postgres refuses or cannot be reached; also where the month is not over.
pub async fn drop(store: &Store, of: Partitioned, month: NaiveDate) -> Result<bool, Error> {
    let mut tx = store.begin(None).await?;
    sqlx::query!(r#"select pg_advisory_xact_lock(hashtextextended('forecourt retention', 0)) as "lock!: ()""#)
        .execute(&mut *tx)
        .await?;
    let dropped = sqlx::query_scalar!(r#"select intake.drop_partition($1, $2) as "dropped!""#, of.name(), month)
        .fetch_one(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(dropped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_month_and_the_next_two_are_made_also_over_the_end_of_a_year() {
        let made: Vec<String> =
            months("2026-11-30T23:59:59Z".parse().unwrap()).map(|month| month.to_string()).collect();
        assert_eq!(made, ["2026-11-01", "2026-12-01", "2027-01-01"]);
    }

    #[test]
    fn a_partition_is_known_by_its_name() {
        let named = |name: &str| {
            let partition = Partition::named(Partitioned::Deliveries, name)?;
            Some((partition.month.to_string(), partition.is_first))
        };
        assert_eq!(named("deliveries_2026_11"), Some(("2026-11-01".to_owned(), false)));
        assert_eq!(named("deliveries_until_2026_02"), Some(("2026-02-01".to_owned(), true)));
        for other in ["deliveries_default", "bodies_2026_11", "deliveries_2026_13", "deliveries_2026", "deliveries"] {
            assert_eq!(named(other), None, "{other}");
        }
    }
}
