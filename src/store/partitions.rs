//! The partitions of deliveries and bodies, one a month (UTC): made ahead of time, and dropped whole. Both are done by
//! functions of the tables' owner, so that the service's role needs no right to make or drop tables.

use chrono::{DateTime, Months, NaiveDate, Utc};

use super::bodies::month_of;
use super::{Error, Store};

/// How many months are there beside this one.
const AHEAD: u32 = 2;

/// What has a partition a month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Partitioned {
    /// `intake.deliveries`.
    Deliveries,
    /// `intake.bodies`.
    Bodies,
}

impl Partitioned {
    fn name(self) -> &'static str {
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

/// Drops the partition of a month that is over; tells whether there was one.
///
/// # Errors
/// When Postgres refuses or cannot be reached; also where the month is not over.
pub async fn drop(store: &Store, of: Partitioned, month: NaiveDate) -> Result<bool, Error> {
    let mut tx = store.begin(None).await?;
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
}
