//! Arbitrary bodies through the whole service: whatever comes, it is stored once with one outcome, and never through a
//! fault of ours.

use std::fmt::{self, Debug, Formatter};
use std::sync::LazyLock;

use forecourt::domain::feed::Feed;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use serde_json::{Map, Number, Value, json};

use crate::support::{TestService, fixtures, service};

const FEEDS: [Feed; 2] = [Feed::Lead, Feed::Inventory];

/// A body and the feed it is posted to.
type Case = (Feed, Bytes);

/// Bytes that are shown as text.
#[derive(Clone, PartialEq)]
struct Bytes(Vec<u8>);

impl Debug for Bytes {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

/// The fixtures that are JSON, with their feeds.
static FIXTURES: LazyLock<Vec<(Feed, Value)>> = LazyLock::new(|| {
    let of = |feed: Feed| fixtures(feed).into_iter().map(move |body| (feed, body));
    let read = |(feed, body): (Feed, Vec<u8>)| Some((feed, serde_json::from_slice(&body).ok()?));
    FEEDS.into_iter().flat_map(of).filter_map(read).collect()
});

/// Times at the limits of what is a time.
const ODD_TIMES: &[&str] = &[
    "0000-01-01T00:00:00Z",
    "0000-01-01T00:00:00+14:00",
    "0001-01-01T00:00:00+14:00",
    "0001-01-01T00:00:00Z",
    "9999-12-31T23:59:59-12:00",
    "9999-12-31T23:59:59.999999999Z",
    "2016-12-31T23:59:60Z",
    "2016-12-31T23:59:60.9Z",
    "1970-01-01T00:00:00Z",
    "2025-10-03T06:10:08.144Z",
    "2025-10-04T06:10:08.144Z",
    "-0001-01-01T00:00:00Z",
    "+10000-01-01T00:00:00Z",
    "0001-01-01 00:00:00",
    "9999-12-31 23:59:59",
    "0000-01-01 00:00:00",
    "2025-10-05 02:30:00",
    "01/01/0001",
    "31/12/9999",
    "0001-01-01",
    "9999-12-31",
    "29/02/2023",
    "23:59:59",
    "12:00AM",
];

/// Texts that programs stumble over.
const ODD_TEXTS: &[&str] = &[
    "",
    " ",
    "\0",
    "a\0b",
    "\u{feff}",
    "\u{202e}abc",
    "😀",
    "e\u{301}",
    "İstanbul",
    "ﬃ",
    "'; drop table leads; --",
    "\\",
    "{}",
    "[]",
    "null",
    "true",
    "NaN",
    "infinity",
    "-infinity",
    "epoch",
    "now",
    "0x10",
    "1e400",
    "1e28",
    "1e-28",
    "79228162514264337593543950335",
    "-79228162514264337593543950335",
    "0.0000000000000000000000000001",
    "9223372036854775807",
    "9223372036854775808",
    "-9223372036854775808",
    "$1,000.50",
    "356",
    "285",
    "999",
    "For Sale",
    "WITHDRAWN",
    "Sold",
    "In Stock",
    "VIN",
    "StockNumber",
    "Premium",
    "Dealer A",
    "DEALER A",
    "dealer a",
    "johnsmith@email.com",
    "JOHNSMITH@EMAIL.COM",
    "a@b.co",
    "😀@example.com",
    "\"a b\"@example.com",
    "a\0@b.com",
    "JSAGJB74V00202326",
    "jsagjb74v0020 2326",
    "7021602",
    "230767",
    "AU",
    "Australia",
    "NSW",
    "+61403123123",
    "Subscription Enquiry",
];

/// Texts that programs stumble over, and those at the limits of index entries, or whose upper case is longer.
fn odd_text() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => select(ODD_TEXTS).prop_map(str::to_owned),
        2 => select(ODD_TIMES).prop_map(str::to_owned),
        1 => ("\\PC", 1_usize..400).prop_map(|(text, times)| text.repeat(times)),
        1 => "[\u{1fb0}-\u{1fff}ßİﬀ-ﬆ]{200,300}",
        1 => "[a-zA-Z0-9]{255}",
        1 => "\\PC{255}",
        1 => ".{0,12}",
        1 => (1_usize..40_000).prop_map(|times| "long ".repeat(times)),
    ]
}

fn odd_number() -> impl Strategy<Value = Value> {
    let float = |number: f64| Number::from_f64(number).map_or(Value::Null, Value::Number);
    prop_oneof![
        select(vec![0, 1, -1, 3, 356, 285, 999, 10_000, 294_277, i64::MAX, i64::MIN]).prop_map(Value::from),
        Just(Value::from(u64::MAX)),
        select(vec![
            0.0,
            -0.0,
            0.1,
            1e16,
            1e28,
            7.9e28,
            8e28,
            1e30,
            1e300,
            f64::MAX,
            f64::MIN_POSITIVE,
            5e-324,
            -1e-10
        ])
        .prop_map(float),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(float),
    ]
}

fn odd_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        4 => odd_number(),
        6 => odd_text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((odd_text(), inner), 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// One change to a body; places are chosen among those that there are.
#[derive(Clone, Debug)]
enum Mutation {
    Put(Index, Value),
    Time(Index, &'static str),
    Number(Index, Value),
    Delete(Index),
    Double(Index, Index),
    Swap(Index, Index),
    Graft(Index, Index, Index),
    Wrap(Index),
    Infect(Index, &'static str),
    Add(Index, String, Value),
}

fn mutation() -> impl Strategy<Value = Mutation> {
    let index = any::<Index>;
    prop_oneof![
        6 => (index(), odd_value()).prop_map(|(at, value)| Mutation::Put(at, value)),
        2 => (index(), select(ODD_TIMES)).prop_map(|(at, time)| Mutation::Time(at, time)),
        2 => (index(), odd_number()).prop_map(|(at, number)| Mutation::Number(at, number)),
        1 => index().prop_map(Mutation::Delete),
        1 => (index(), index()).prop_map(|(from, to)| Mutation::Double(from, to)),
        2 => (index(), index()).prop_map(|(one, other)| Mutation::Swap(one, other)),
        2 => (index(), index(), index()).prop_map(|(body, from, to)| Mutation::Graft(body, from, to)),
        1 => index().prop_map(Mutation::Wrap),
        2 => (index(), select(vec!["\0", "😀", "\u{301}", "'", "\n"])).prop_map(|(at, text)| Mutation::Infect(at, text)),
        1 => (index(), odd_text(), odd_value()).prop_map(|(at, name, value)| Mutation::Add(at, name, value)),
    ]
}

/// The pointers to all values inside a value.
fn places(value: &Value) -> Vec<String> {
    fn walk(value: &Value, at: &str, places: &mut Vec<String>) {
        places.push(at.to_owned());
        match value {
            Value::Array(items) => {
                items.iter().enumerate().for_each(|(position, item)| walk(item, &format!("{at}/{position}"), places));
            }
            Value::Object(fields) => {
                for (name, value) in fields {
                    walk(value, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), places);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut places = Vec::new();
    walk(value, "", &mut places);
    places
}

fn chosen(value: &Value, index: Index) -> String {
    index.get(&places(value)).clone()
}

/// A place where such a value stands, if there is one.
fn chosen_where(value: &Value, index: Index, is_such: impl Fn(&Value) -> bool) -> Option<String> {
    let such: Vec<String> =
        places(value).into_iter().filter(|place| value.pointer(place).is_some_and(&is_such)).collect();
    (!such.is_empty()).then(|| index.get(&such).clone())
}

fn is_time(value: &Value) -> bool {
    value.as_str().is_some_and(|text| text.len() >= 10 && text.chars().take(2).all(|c| c.is_ascii_digit()))
}

fn mutate(body: &mut Value, mutation: Mutation) {
    let copy = body.clone();
    let mut put = |at: &str, value: Value| {
        if let Some(place) = body.pointer_mut(at) {
            *place = value;
        }
    };
    let at = |index: Index| chosen(&copy, index);
    let value = |index: Index| copy.pointer(&at(index)).cloned().unwrap_or_default();
    match mutation {
        Mutation::Put(place, value) => put(&at(place), value),
        Mutation::Time(index, time) => {
            if let Some(place) = chosen_where(&copy, index, is_time) {
                put(&place, json!(time));
            }
        }
        Mutation::Number(index, number) => {
            if let Some(place) = chosen_where(&copy, index, Value::is_number) {
                put(&place, number);
            }
        }
        Mutation::Swap(one, other) => {
            put(&at(one), value(other));
            put(&at(other), value(one));
        }
        Mutation::Graft(other, from, to) => {
            let (_, other) = other.get(&FIXTURES);
            put(&at(to), other.pointer(&chosen(other, from)).cloned().unwrap_or_default());
        }
        Mutation::Wrap(place) => put(&at(place), json!([value(place), value(place)])),
        Mutation::Delete(place) => {
            let place = at(place);
            let Some((parent, name)) = place.rsplit_once('/') else { return };
            match body.pointer_mut(parent) {
                Some(Value::Object(fields)) => drop(fields.remove(name)),
                Some(Value::Array(items)) => drop(items.remove(name.parse().unwrap())),
                _ => {}
            }
        }
        Mutation::Double(from, to) => match (value(from), body.pointer_mut(&at(to))) {
            (value, Some(Value::Array(items))) => items.push(value),
            (value, Some(Value::Object(fields))) => drop(fields.insert("Double".to_owned(), value)),
            (value, Some(place)) => *place = value,
            (_, None) => {}
        },
        Mutation::Infect(place, infection) => {
            if let Value::String(text) = value(place) {
                put(&at(place), json!(format!("{text}{infection}")));
            }
        }
        Mutation::Add(place, name, value) => {
            if let Some(Value::Object(fields)) = body.pointer_mut(&at(place)) {
                fields.insert(name, value);
            }
        }
    }
}

/// A fixture with a few changes, sometimes with its bytes cut or flipped.
fn mutated() -> impl Strategy<Value = Case> {
    let changes = prop::collection::vec(mutation(), 1..6);
    let broken = prop::option::weighted(0.1, (any::<Index>(), any::<u8>()));
    (any::<Index>(), changes, broken).prop_map(|(fixture, changes, broken)| {
        let (feed, mut body) = fixture.get(&FIXTURES).clone();
        for change in changes {
            mutate(&mut body, change);
        }
        let mut bytes = body.to_string().into_bytes();
        if let Some((at, byte)) = broken {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        (feed, Bytes(bytes))
    })
}

/// Bytes, or JSON of any shape.
fn arbitrary() -> impl Strategy<Value = Case> {
    let body = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        "[\\[\\]{},:\"\\\\0-9eE.+-truefalsn ]{0,60}".prop_map(String::into_bytes),
        odd_value().prop_map(|value| value.to_string().into_bytes()),
        odd_value().prop_map(|value| json!({"dealership": {"id": 356}, "id": value}).to_string().into_bytes()),
    ];
    (select(&FEEDS[..]), body.prop_map(Bytes))
}

/// Posts the bodies at once, and looks at what became of each.
async fn post_and_check(service: &TestService, cases: &[Case]) -> Result<(), TestCaseError> {
    let before = service.count("intake.deliveries").await;
    let posts = cases.iter().map(|(feed, body)| service.post(feed.path(), body.0.clone()));
    let answers = futures_util::future::join_all(posts).await;
    for ((_, body), answer) in cases.iter().zip(&answers) {
        prop_assert_eq!(answer.status, 200, "{:?}", body);
        prop_assert!(answer.body["outcome"] != "failed", "{:?} {:?}", answer, body);
        let record = service.record(answer).await;
        prop_assert_eq!(&record["outcome"], &answer.body["outcome"], "{:?}", body);
        prop_assert_eq!(&service.stored_body(answer).await, &body.0, "{:?}", body);
    }
    let after = service.count("intake.deliveries").await;
    prop_assert_eq!(after - before, i64::try_from(cases.len()).unwrap());
    Ok(())
}

/// Runs a property over one service.
fn over_one_service<S: Strategy>(
    cases: u32,
    strategy: &S,
    check: &impl AsyncFn(&TestService, &S::Value) -> Result<(), TestCaseError>,
) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let service = runtime.block_on(service());
    // A search by hand asks for more cases by `PROPTEST_CASES`; where nobody does there are 256.
    let asked = Config::default();
    let cases = if asked.cases == 256 { cases } else { asked.cases };
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 300, ..asked };
    let run = TestRunner::new(config).run(strategy, |value| runtime.block_on(check(&service, &value)));
    if let Err(error) = run {
        panic!("{error}");
    }
    runtime.block_on(async { drop(service) });
}

#[test]
fn whatever_bytes_come_are_stored_once_with_one_outcome() {
    over_one_service(60, &prop::collection::vec(arbitrary(), 1..8), &async |service, cases| {
        post_and_check(service, cases).await
    });
}

#[test]
fn whatever_becomes_of_a_documented_body_it_is_stored_once_with_one_outcome() {
    over_one_service(100, &prop::collection::vec(mutated(), 1..8), &async |service, cases| {
        post_and_check(service, cases).await
    });
}

/// Whether a lead says when it was made or changed.
fn has_time(body: &[u8]) -> bool {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let is_time = |name: &str| {
        let text = body[name].as_str().unwrap_or_default();
        let time = forecourt::domain::values::timestamp(&text.replace('\0', ""));
        time.is_some_and(|time| time < forecourt::intake::clock::now())
    };
    is_time("created") || is_time("updated_at")
}

#[test]
fn whatever_is_sent_a_second_time_writes_nothing() {
    over_one_service(60, &mutated(), &async |service, (feed, body)| {
        let first = service.post(feed.path(), body.0.clone()).await;
        prop_assert!(first.status == 200 && first.body["outcome"] != "failed", "{:?} {:?}", first, body);
        let before = service.dump().await;
        let second = service.post(feed.path(), body.0.clone()).await;
        if *feed == Feed::Lead && !has_time(&body.0) {
            // Its clock is the arrival, and the second arrival is the newer one.
            prop_assert!(second.body["lead"] != "updated" && second.body["person"] != "updated", "{:?}", body);
            return Ok(());
        }
        let after = service.dump().await;
        let gone = before.iter().filter(|line| !after.contains(line));
        let come = after.iter().filter(|line| !before.contains(line));
        let differ: Vec<_> = gone.chain(come).collect();
        prop_assert!(differ.is_empty(), "{:#?} {:?} {:?}", differ, second, body);
        prop_assert!(second.body["outcome"] != "applied", "{:?} {:?} {:?}", first, second, body);
        Ok(())
    });
}
