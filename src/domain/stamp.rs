//! When something was said, and which of two sayings is the newer: the reason why the order of arrival does not matter.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::columns::{Columns, Said};
use super::facts::Source;

/// When something was said. The greater of two stamps is the newer one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Stamp {
    /// The moment that counts first: for persons when the customer gave it, for leads when the sender changed it.
    pub at: DateTime<Utc>,
    /// The moment that counts next: for persons when the sender changed it.
    pub then: DateTime<Utc>,
    /// The feed that told it.
    pub source: Source,
    /// The lead that told it, for persons; empty otherwise.
    pub lead: LeadOrder,
    /// When the delivery arrived.
    pub arrived_at: DateTime<Utc>,
}

impl Stamp {
    /// Whether the sender said it before the other; of equal moments neither is.
    #[must_use]
    pub fn is_before(&self, other: &Self) -> bool {
        (self.at, self.then) < (other.at, other.then)
    }

    /// Whether the two differ in nothing but their arrival: the sender said both at the same moment.
    #[must_use]
    pub fn same_moment(&self, other: &Self) -> bool {
        (self.at, self.then, self.source, &self.lead) == (other.at, other.then, other.source, &other.lead)
    }

    /// Whether saying now what was said then is no news: at the same moment, or without a time of the sender's, when
    /// nothing tells a repetition from a word that is newer. Where only the second moment is not the sender's, the rest
    /// must be the same: what was given at another moment is news.
    #[must_use]
    pub fn repeats(&self, known: &Self) -> bool {
        let same_but_then = (self.at, self.source, &self.lead) == (known.at, known.source, &known.lead);
        self.at == self.arrived_at || self.same_moment(known) || (self.then == self.arrived_at && same_but_then)
    }
}

/// A sender's lead id, ordered as a number where it is one.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct LeadOrder(pub String);

impl Ord for LeadOrder {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.0.len(), &self.0).cmp(&(other.0.len(), &other.0))
    }
}

impl PartialOrd for LeadOrder {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// What came of hearing something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Heard {
    /// A value changed.
    pub changed: bool,
    /// Only a time moved on: the same value was said again, later.
    pub moved: bool,
    /// Something was said that is older than what is known; it was left aside.
    pub older: bool,
}

impl Heard {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            changed: self.changed || other.changed,
            moved: self.moved || other.moved,
            older: self.older || other.older,
        }
    }

    /// Whether the row must be written.
    #[must_use]
    pub fn writes(self) -> bool {
        self.changed || self.moved
    }
}

/// The times of a row's columns, kept sparsely: the newest for the row, and apart from it only those that differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Clocks {
    /// The newest time of any column; `None` for a row about which nothing was said.
    pub newest: Option<Stamp>,
    /// Columns that hold a value of another time.
    pub apart: BTreeMap<String, Stamp>,
}

impl Clocks {
    /// When the value of a column that holds one was said.
    #[must_use]
    pub fn of(&self, column: &str) -> Option<&Stamp> {
        self.apart.get(column).or(self.newest.as_ref())
    }

    /// Hears a group of columns said at one time: of each column the newest value stays.
    pub fn hear<C: Columns>(&mut self, known: &mut C, said: C, at: &Stamp) -> Heard {
        let mut heard = Heard::default();
        let mut said_now = Vec::new();
        let held_before = known.held();
        known.take(said, &mut |said| {
            let newer = self.admits(said, at, &mut heard);
            if newer {
                said_now.push(said.column);
            }
            newer
        });
        if heard.writes() {
            self.advance(&held_before, &said_now, at);
        }
        heard
    }

    /// Whether what was said at this time replaces what the column holds, or confirms it as newer.
    fn admits(&self, said: Said, at: &Stamp, heard: &mut Heard) -> bool {
        let known_at = if said.held { self.of(said.column) } else { None };
        if known_at.is_some_and(|known| at < known) {
            heard.older |= known_at.is_some_and(|known| at.is_before(known));
            return false;
        }
        if said.held && said.equal && known_at.is_some_and(|known| at.repeats(known)) {
            return false;
        }
        heard.changed = heard.changed || !said.equal;
        heard.moved = true;
        true
    }

    /// Notes the time of the columns said now, and keeps the times of the others.
    fn advance(&mut self, held_before: &[&'static str], said_now: &[&'static str], at: &Stamp) {
        let newest = self.newest.as_ref().map_or(at, |known| known.max(at)).clone();
        if let Some(before) = self.newest.take_if(|known| *known != newest) {
            for column in held_before.iter().filter(|column| !said_now.contains(column)) {
                self.apart.entry((*column).to_owned()).or_insert_with(|| before.clone());
            }
        }
        if *at == newest {
            self.apart.retain(|column, time| *time != newest && !said_now.contains(&column.as_str()));
        } else {
            self.apart.extend(said_now.iter().map(|column| ((*column).to_owned(), at.clone())));
        }
        self.newest = Some(newest);
    }
}

/// What a row belongs to, and when that was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tie {
    /// The row it belongs to.
    pub to: i64,
    /// When it was said.
    pub at: Stamp,
}

/// The newest word on what a row belongs to stays; silence unties nothing.
pub fn hear_tie(known: &mut Option<Tie>, to: Option<i64>, at: &Stamp) -> Heard {
    let mut heard = Heard::default();
    let Some(to) = to else { return heard };
    match known {
        Some(known) if *at < known.at => heard.older = at.is_before(&known.at),
        Some(known) if known.to == to && at.repeats(&known.at) => {}
        Some(_) | None => {
            heard.changed = known.as_ref().is_none_or(|known| known.to != to);
            heard.moved = true;
            *known = Some(Tie { to, at: at.clone() });
        }
    }
    heard
}

/// When something was said of a vehicle. `at` is missing where the sender gave no time and none was known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment {
    /// The sender's time.
    pub at: Option<DateTime<Utc>>,
    /// When the delivery arrived.
    pub arrived_at: DateTime<Utc>,
}

/// Something said of a vehicle, with its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timed<T> {
    /// What was said.
    pub value: T,
    /// When.
    pub at: Moment,
}

/// Takes over what was said at `at` unless something newer is known.
pub fn hear_newest<T: PartialEq>(known: &mut Option<Timed<T>>, value: T, at: Moment) -> Heard {
    let mut heard = Heard::default();
    match known {
        Some(known) if at < known.at => heard.older = true,
        Some(known) if known.value == value && known.at.at == at.at => {}
        Some(known) if known.value == value => {
            known.at = at;
            heard.moved = true;
        }
        Some(_) | None => {
            *known = Some(Timed { value, at });
            heard.changed = true;
        }
    }
    heard
}

#[cfg(test)]
#[expect(unreachable_pub, reason = "the macro declares columns for other modules")]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::columns::columns;

    columns! {
        pub struct Three {
            first: i64,
            second: i64,
            third: i64,
        }
    }

    fn stamp(at: i64, arrived_at: i64) -> Stamp {
        let moment = |seconds| DateTime::from_timestamp(seconds, 0).unwrap();
        Stamp {
            at: moment(at),
            then: moment(at),
            source: Source::LeadFeed,
            lead: LeadOrder::default(),
            arrived_at: moment(arrived_at),
        }
    }

    type Saying = (Three, Stamp);

    fn heard(sayings: &[Saying]) -> (Three, Clocks) {
        let (mut columns, mut clocks) = (Three::default(), Clocks::default());
        for (said, at) in sayings {
            clocks.hear(&mut columns, said.clone(), at);
        }
        (columns, clocks)
    }

    /// What must be known in the end: of each column the value said last.
    fn newest(sayings: &[Saying]) -> Three {
        let last = |column: fn(&Three) -> Option<i64>| {
            let said = sayings.iter().filter_map(|(said, at)| Some((at, column(said)?)));
            said.max_by_key(|(at, _)| *at).map(|(_, value)| value)
        };
        Three { first: last(|said| said.first), second: last(|said| said.second), third: last(|said| said.third) }
    }

    fn three() -> impl Strategy<Value = Three> {
        let value = || prop::option::of(0_i64..3);
        (value(), value(), value()).prop_map(|(first, second, third)| Three { first, second, third })
    }

    /// Sayings at different times, in the order of these and in another.
    fn sayings() -> impl Strategy<Value = (Vec<Saying>, Vec<Saying>)> {
        let sayings = prop::collection::btree_map(0_i64..20, three(), 1..7);
        let sayings = sayings
            .prop_map(|said| said.into_iter().map(|(at, said)| (said, stamp(at, 100 - at))).collect::<Vec<Saying>>());
        sayings.prop_flat_map(|sayings| (Just(sayings.clone()), Just(sayings).prop_shuffle()))
    }

    proptest! {
        #[test]
        fn any_order_of_the_same_sayings_leaves_the_same_columns_and_times((in_order, shuffled) in sayings()) {
            let (columns, clocks) = heard(&in_order);
            prop_assert_eq!(&columns, &newest(&in_order));
            prop_assert_eq!((columns, clocks), heard(&shuffled));
        }

        #[test]
        fn saying_anything_again_later_writes_nothing((sayings, again) in sayings()) {
            let (mut columns, mut clocks) = heard(&sayings);
            let before = (columns.clone(), clocks.clone());
            for (said, at) in again {
                let repeated = Stamp { arrived_at: at.arrived_at + chrono::TimeDelta::days(1), ..at };
                prop_assert!(!clocks.hear(&mut columns, said, &repeated).writes());
            }
            prop_assert_eq!((columns, clocks), before);
        }

        #[test]
        fn only_columns_of_another_time_than_the_newest_are_kept_apart((sayings, _) in sayings()) {
            let (columns, clocks) = heard(&sayings);
            let held = columns.held();
            for (column, at) in &clocks.apart {
                prop_assert!(held.contains(&column.as_str()));
                prop_assert!(Some(at) < clocks.newest.as_ref());
            }
            // Of each column that is held there is a time, and it is that of a saying of this value.
            for column in held {
                let at = clocks.of(column).unwrap();
                let (said, _) = sayings.iter().find(|(_, said_at)| said_at == at).unwrap();
                prop_assert!(said.held().contains(&column));
            }
        }

        #[test]
        fn of_equal_times_the_later_arrival_stays(values in prop::collection::vec(0_i64..3, 1..6)) {
            let say = |(arrival, value): (i64, &i64)| (Three { first: Some(*value), ..Three::default() }, stamp(1, arrival));
            let sayings: Vec<Saying> = (0..).zip(&values).map(say).collect();
            prop_assert_eq!(heard(&sayings).0.first, values.last().copied());
        }
    }

    #[test]
    fn a_row_that_was_said_once_holds_one_time() {
        let said = Three { first: Some(1), second: Some(2), third: None };
        let (_, clocks) = heard(&[(said, stamp(5, 9))]);
        assert_eq!(clocks, Clocks { newest: Some(stamp(5, 9)), apart: BTreeMap::new() });
    }

    #[test]
    fn the_same_value_said_later_moves_its_time_and_is_no_change() {
        let said = Three { first: Some(1), ..Three::default() };
        let (mut columns, mut clocks) = heard(&[(said.clone(), stamp(1, 1))]);
        let later = clocks.hear(&mut columns, said.clone(), &stamp(3, 2));
        assert_eq!(later, Heard { changed: false, moved: true, older: false });
        let between = Three { first: Some(2), ..Three::default() };
        let between = clocks.hear(&mut columns, between, &stamp(2, 3));
        assert_eq!((between, columns), (Heard { changed: false, moved: false, older: true }, said));
    }

    #[test]
    fn without_the_senders_time_the_same_again_is_no_news_and_another_value_is() {
        let say =
            |value: i64, arrival: i64| (Three { first: Some(value), ..Three::default() }, stamp(arrival, arrival));
        let (mut columns, mut clocks) = heard(&[say(1, 5)]);
        let (same, at) = say(1, 6);
        assert_eq!(clocks.hear(&mut columns, same, &at), Heard::default());
        let (other, at) = say(2, 7);
        assert!(clocks.hear(&mut columns, other, &at).changed);
    }

    #[test]
    fn lead_ids_are_ordered_as_numbers() {
        let order = |id: &str| LeadOrder(id.to_owned());
        assert!(order("9") < order("10"));
        assert!(order("10") < order("11"));
        assert!(order("") < order("1"));
    }
}
