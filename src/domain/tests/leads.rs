//! LeadPro's leads in any order: the token's time says which event is the newer; without it a creation is older than
//! any update.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::history::moment;
use super::in_memory_store::InMemoryStore;
use super::{Dice, runner};
use crate::domain::facts::{
    Facts, Field, LeadColumns, LeadFacts, PersonColumns, PropertyColumns, ProspectFacts, Sender, Source, TradeInColumns,
};
use crate::domain::values::Email;
use crate::domain::{Effect, Outcome, Verdict};

/// One event about one of two leads of one customer. A field that is `None` is not told.
#[derive(Clone, Debug)]
struct Event {
    lead: u8,
    created: bool,
    stage: Option<u8>,
    message: Option<u8>,
    phone: Option<u8>,
}

fn event() -> impl Strategy<Value = Event> {
    let sent = || prop::option::weighted(0.7, 0..4_u8);
    (0..2_u8, any::<bool>(), sent(), sent(), sent()).prop_map(|(lead, created, stage, message, phone)| Event {
        lead,
        created,
        stage,
        message,
        phone,
    })
}

/// When the sender says so, and when the enquiry was made, where it tells that.
#[derive(Clone, Copy, Debug)]
struct Times {
    issued_at: Option<DateTime<Utc>>,
    created_at: Option<DateTime<Utc>>,
}

impl Event {
    fn facts(&self, times: Times) -> Facts {
        let text = |kind: &str, value: Option<u8>| value.map(|value| format!("{kind} {value}"));
        let email = "ann@example.com";
        let person = PersonColumns { mobile_phone: text("phone", self.phone), ..PersonColumns::default() };
        Facts::Lead(Box::new(LeadFacts {
            path_prefix: String::new(),
            source: if self.created { Source::LeadCreated } else { Source::LeadUpdated },
            external_id: Some(self.lead.to_string()),
            cluster_external_id: None,
            cluster_membership_at: None,
            timezone: chrono_tz::UTC,
            created_at: times.created_at,
            modified_at: times.issued_at,
            prospect: ProspectFacts {
                email: Field::Valid(Email::parse(email).unwrap()),
                person,
                ..ProspectFacts::default()
            },
            columns: LeadColumns {
                comments: text("message", self.message),
                contact_email: Some(email.to_owned()),
                category: Some("Subscription Enquiry".to_owned()),
                ..LeadColumns::default()
            },
            trade_in: TradeInColumns::default(),
            property: Some(Box::new(PropertyColumns { stage: text("stage", self.stage), ..Default::default() })),
            appointments: None,
            events: Vec::new(),
        }))
    }
}

/// What there is to see of the leads and of their customer.
fn shown(store: &InMemoryStore) -> BTreeMap<String, Vec<Option<String>>> {
    let mut shown = BTreeMap::new();
    for (key, row) in &store.rows.leads {
        assert_eq!(key.sender, Sender::LeadPro);
        let lead = &row.value;
        let modified = lead.modified_at.map(|at| at.to_string());
        shown.insert(
            key.external_id.clone(),
            vec![lead.property.stage.clone(), lead.columns.comments.clone(), modified],
        );
    }
    for (email, row) in &store.rows.persons {
        shown.insert(email.as_str().to_owned(), vec![row.value.columns.mobile_phone.clone()]);
    }
    shown
}

/// Merges these in batches, each place arriving when its turn comes.
fn apply_all(history: &[Facts], batches: &[Vec<usize>]) -> InMemoryStore {
    let mut store = InMemoryStore::default();
    let mut arrivals = 0;
    for batch in batches {
        let arrive = |place: &usize| {
            arrivals += 1;
            (history[*place].clone(), moment(1_000 + arrivals))
        };
        let batch: Vec<_> = batch.iter().map(arrive).collect();
        store.apply(&batch);
    }
    store
}

/// The newest value told, by the given order.
fn newest<K: Ord>(
    events: &[Event],
    key: impl Fn(usize) -> K,
    value: impl Fn(&Event) -> Option<String>,
) -> Option<String> {
    let sent = events.iter().enumerate().filter_map(|(place, event)| Some((key(place), value(event)?)));
    sent.max_by(|(one, _), (other, _)| one.cmp(other)).map(|(_, value)| value)
}

#[test]
fn with_the_tokens_time_any_order_and_any_repetition_leave_the_newest_of_each_column() {
    let strategy = (prop::collection::vec(event(), 1..9), any::<u64>(), any::<bool>());
    runner(200)
        .run(&strategy, |(mut events, seed, in_pairs)| {
            // In pairs, two events of one second: of each lead at the most one creation and one update.
            for (place, event) in events.iter_mut().enumerate().filter(|_| in_pairs) {
                event.created = place % 2 == 0;
            }
            let second = |place: usize| moment(if in_pairs { place / 2 } else { place });
            let made = |lead: u8| moment(0) - TimeDelta::hours(i64::from(lead) + 1);
            let times =
                |place: usize| Times { issued_at: Some(second(place)), created_at: Some(made(events[place].lead)) };
            let history: Vec<Facts> =
                events.iter().enumerate().map(|(place, event)| event.facts(times(place))).collect();
            let mut dice = Dice(seed);
            let order = dice.order(history.len());
            let store = apply_all(&history, &dice.batches(&order));
            let rows = shown(&store);
            for lead in [0, 1] {
                let own: Vec<Event> = events.clone();
                let at = |place: usize| (second(place), !events[place].created);
                let of = |event: &Event, kind: &str, value: Option<u8>| {
                    (event.lead == lead).then_some(value).flatten().map(|value| format!("{kind} {value}"))
                };
                let Some(row) = rows.get(&lead.to_string()) else { continue };
                prop_assert_eq!(&row[0], &newest(&own, at, |event| of(event, "stage", event.stage)));
                prop_assert_eq!(&row[1], &newest(&own, at, |event| of(event, "message", event.message)));
            }
            // A customer's values are as old as the lead with which they were given.
            let given = |place: usize| (made(events[place].lead), second(place), !events[place].created);
            let phone = newest(&events, given, |event| event.phone.map(|phone| format!("phone {phone}")));
            prop_assert_eq!(&rows["ann@example.com"][0], &phone);
            Ok(())
        })
        .unwrap();
}

#[test]
fn without_the_tokens_time_a_creation_is_older_than_the_update_whichever_arrives_first() {
    let strategy = (event(), event(), any::<bool>(), any::<u64>());
    runner(200)
        .run(&strategy, |(created, updated, tells_creation, seed)| {
            let created = Event { lead: 0, created: true, ..created };
            let updated = Event { lead: 0, created: false, ..updated };
            let created_at = tells_creation.then(|| moment(0));
            let history = [&created, &updated].map(|event| event.facts(Times { issued_at: None, created_at }));
            let mut dice = Dice(seed);
            let order = dice.order(2);
            let store = apply_all(&history, &dice.batches(&order));
            let rows = shown(&store);
            let text = |kind: &str, value: Option<u8>| value.map(|value| format!("{kind} {value}"));
            prop_assert_eq!(&rows["0"][0], &text("stage", updated.stage.or(created.stage)));
            prop_assert_eq!(&rows["0"][1], &text("message", updated.message.or(created.message)));
            prop_assert_eq!(&rows["ann@example.com"][0], &text("phone", updated.phone.or(created.phone)));
            Ok(())
        })
        .unwrap();
}

#[test]
fn without_the_tokens_time_a_customers_values_are_as_old_as_their_leads() {
    let strategy = (prop::collection::vec(event(), 3..6), any::<u64>());
    runner(200)
        .run(&strategy, |(mut events, seed)| {
            for (place, event) in events.iter_mut().enumerate() {
                event.lead = u8::try_from(place).unwrap();
                event.phone = event.phone.map(|phone| phone % 2);
            }
            let history = events.iter().enumerate();
            let times = |place: usize| Times { issued_at: None, created_at: Some(moment(place)) };
            let history: Vec<Facts> = history.map(|(place, event)| event.facts(times(place))).collect();
            let mut dice = Dice(seed);
            let phone = newest(&events, |place| place, |event| event.phone.map(|phone| format!("phone {phone}")));
            for _ in 0..8 {
                let order = dice.order(history.len());
                let rows = shown(&apply_all(&history, &dice.batches(&order)));
                prop_assert_eq!(&rows["ann@example.com"][0], &phone);
            }
            Ok(())
        })
        .unwrap();
}

#[test]
fn what_is_sent_again_is_unchanged_with_and_without_times_and_without_an_id() {
    let whole = Event { lead: 0, created: true, stage: Some(1), message: Some(1), phone: Some(1) };
    for created in [true, false] {
        for (issued_at, created_at) in [(None, None), (None, Some(moment(0))), (Some(moment(1)), None)] {
            for has_id in [true, false] {
                let facts = Event { created, ..whole.clone() }.facts(Times { issued_at, created_at });
                let Facts::Lead(mut lead) = facts else { panic!("a lead is expected") };
                lead.external_id = lead.external_id.filter(|_| has_id);
                let mut store = InMemoryStore::default();
                let first = store.apply(&[(Facts::Lead(lead.clone()), moment(10))]);
                let second = store.apply(&[(Facts::Lead(lead), moment(20))]);
                let sent = |verdict: &Verdict| match verdict {
                    Verdict::Merged(effects) => (effects.wrote(), effects.person, effects.lead, effects.booking),
                    Verdict::Ignored | Verdict::Rejected => panic!("it is heard"),
                };
                let lead = |effect| has_id.then_some(effect);
                let created = Some(Effect::Created);
                assert_eq!(sent(&first[0].0), (true, created, lead(Effect::Created), None));
                let unchanged = Some(Effect::Unchanged);
                assert_eq!(sent(&second[0].0), (false, unchanged, lead(Effect::Unchanged), None), "{issued_at:?}");
            }
        }
    }
}

#[test]
fn the_customer_of_a_lead_without_any_time_counts_as_met_with_its_first_delivery() {
    let event = |lead: u8, phone: u8| Event { lead, created: true, stage: None, message: None, phone: Some(phone) };
    let timeless = Times { issued_at: None, created_at: None };
    let long_ago = Times { issued_at: Some(moment(1)), created_at: Some(moment(0)) };
    let mut store = InMemoryStore::default();
    store.apply(&[(event(0, 1).facts(long_ago), moment(1_000))]);
    store.apply(&[(event(1, 2).facts(timeless), moment(2_000))]);
    assert_eq!(shown(&store)["ann@example.com"], [Some("phone 2".to_owned())]);
}

#[test]
fn an_event_that_is_not_handled_changes_nothing() {
    let mut store = InMemoryStore::default();
    let merged = store.apply(&[(Facts::Ignored, moment(1))]);
    assert_eq!(merged, [(Verdict::Ignored, Vec::new())]);
    assert!(store.rows.leads.is_empty() && store.rows.persons.is_empty());
    assert_eq!(Outcome::named("ignored"), Some(Outcome::Ignored));
}
