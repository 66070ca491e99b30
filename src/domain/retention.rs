//! How long what arrived is kept, and what of it is too old: plain rules over plain times.

use chrono::{DateTime, Months, NaiveDate, NaiveTime, TimeDelta, Utc};

use super::facts::{Facts, LeadFacts, ProspectFacts};

/// How long what arrived is kept; for ever where there is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Deliveries, without their bodies.
    pub deliveries: Option<TimeDelta>,
    /// Bodies of deliveries.
    pub bodies: Option<TimeDelta>,
    /// Licences, passports and whatever else of identity documents came with leads.
    pub identity: Option<TimeDelta>,
    /// Requests without a valid credential, or to no door.
    pub rejected: TimeDelta,
}

impl Default for Retention {
    fn default() -> Self {
        Self { deliveries: None, bodies: None, identity: None, rejected: TimeDelta::days(14) }
    }
}

/// For so long after its time a month is kept where a failed delivery in it is still tried again. Ten tries are over long
/// before.
const GRACE: TimeDelta = TimeDelta::days(31);

impl Retention {
    /// For how long bodies are kept: not longer than their deliveries, without which nobody finds them.
    #[must_use]
    pub fn bodies_kept(&self) -> Option<TimeDelta> {
        match (self.bodies, self.deliveries) {
            (Some(bodies), Some(deliveries)) => Some(bodies.min(deliveries)),
            (one, other) => one.or(other),
        }
    }

    /// Deliveries that arrived before this are too old.
    #[must_use]
    pub fn deliveries_before(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        before(now, self.deliveries)
    }

    /// Bodies of deliveries that arrived before this are too old.
    #[must_use]
    pub fn bodies_before(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        before(now, self.bodies_kept())
    }

    /// Identity documents that arrived before this are too old.
    #[must_use]
    pub fn documents_before(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        before(now, self.identity)
    }

    /// Refused requests that arrived before this are too old.
    #[must_use]
    pub fn rejected_before(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        before(now, Some(self.rejected))
    }
}

/// What is kept for longer than there was time has no limit.
fn before(now: DateTime<Utc>, kept: Option<TimeDelta>) -> Option<DateTime<Utc>> {
    now.checked_sub_signed(kept?)
}

/// When a month (UTC), given by its first day, is over.
#[must_use]
pub fn end_of(month: NaiveDate) -> DateTime<Utc> {
    let next = month.checked_add_months(Months::new(1)).unwrap_or(NaiveDate::MAX);
    next.and_time(NaiveTime::MIN).and_utc()
}

/// Whether a whole month is too old. One with a failed delivery that is still tried again has a month more.
#[must_use]
pub fn is_over(month: NaiveDate, too_old_before: DateTime<Utc>, is_waited_for: bool) -> bool {
    let grace = if is_waited_for { GRACE } else { TimeDelta::zero() };
    end_of(month) <= too_old_before - grace
}

/// What is deleted by its age, and is not waited for, is deleted up to here: the oldest failed delivery that is still tried
/// again ends it, for a month at the most.
#[must_use]
pub fn limit(too_old_before: DateTime<Utc>, waited_for: Option<DateTime<Utc>>) -> DateTime<Utc> {
    waited_for.map_or(too_old_before, |waited_for| waited_for.clamp(too_old_before - GRACE, too_old_before))
}

/// Takes the identity documents out of what a delivery says, where it arrived too long ago for them to be stored, whenever
/// it is applied.
pub fn without_old_documents(facts: &mut Facts, received_at: DateTime<Utc>, too_old_before: Option<DateTime<Utc>>) {
    if too_old_before.is_none_or(|too_old_before| received_at >= too_old_before) {
        return;
    }
    match facts {
        Facts::Lead(lead) => forget_of_lead(lead),
        Facts::Cluster(cluster) => {
            forget_of_customer(&mut cluster.contact);
            cluster.leads.iter_mut().for_each(forget_of_lead);
        }
        Facts::Vehicle(_) | Facts::Ignored => {}
    }
}

fn forget_of_lead(lead: &mut LeadFacts) {
    forget_of_customer(&mut lead.prospect);
    lead.columns.documents = None;
}

fn forget_of_customer(customer: &mut ProspectFacts) {
    customer.licence = None;
    customer.passport = None;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    #[test]
    fn a_month_is_over_when_its_last_moment_is_too_old_and_not_before() {
        let now = at("2026-05-02T00:00:00Z");
        let retention = Retention { bodies: Some(TimeDelta::days(90)), ..Retention::default() };
        let before = retention.bodies_before(now).unwrap();
        assert_eq!(before, at("2026-02-01T00:00:00Z"));
        assert!(is_over(day("2026-01-01"), before, false));
        assert!(!is_over(day("2026-01-01"), before - TimeDelta::microseconds(1), false));
        assert!(!is_over(day("2026-02-01"), before, false));
    }

    #[test]
    fn a_month_that_is_waited_for_has_a_month_more() {
        let month = day("2026-01-01");
        assert!(!is_over(month, at("2026-03-03T23:59:59Z"), true));
        assert!(is_over(month, at("2026-03-04T00:00:00Z"), true));
        let before = at("2026-03-10T00:00:00Z");
        assert_eq!(limit(before, None), before);
        assert_eq!(limit(before, Some(at("2026-03-01T00:00:00Z"))), at("2026-03-01T00:00:00Z"));
        assert_eq!(limit(before, Some(at("2026-01-01T00:00:00Z"))), at("2026-02-07T00:00:00Z"));
        assert_eq!(limit(before, Some(at("2026-04-01T00:00:00Z"))), before);
    }

    #[test]
    fn nothing_is_too_old_without_a_limit_or_with_one_that_is_longer_than_time() {
        let now = at("2026-05-02T00:00:00Z");
        let none = Retention::default();
        assert_eq!(
            (none.deliveries_before(now), none.bodies_before(now), none.documents_before(now)),
            (None, None, None)
        );
        assert_eq!(none.rejected_before(now), Some(at("2026-04-18T00:00:00Z")));
        let long = Retention { identity: Some(TimeDelta::MAX), ..none };
        assert_eq!(long.documents_before(now), None);
    }

    #[test]
    fn bodies_are_not_kept_longer_than_their_deliveries() {
        let kept = |bodies: Option<i64>, deliveries: Option<i64>| {
            let [bodies, deliveries] = [bodies, deliveries].map(|days| days.map(TimeDelta::days));
            Retention { deliveries, bodies, ..Retention::default() }.bodies_kept().map(|kept| kept.num_days())
        };
        assert_eq!(
            [
                kept(None, None),
                kept(Some(1), None),
                kept(None, Some(2)),
                kept(Some(3), Some(2)),
                kept(Some(1), Some(2))
            ],
            [None, Some(1), Some(2), Some(2), Some(1)]
        );
    }
}
