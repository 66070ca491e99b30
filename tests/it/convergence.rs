//! The law that makes the tables trustworthy: any order of the same deliveries, any repetition of them, in batches of
//! any size, through one process or several, leaves the same tables.

mod history;

use std::collections::BTreeMap;

use futures_util::future::join_all;
use rand::seq::{IndexedRandom as _, SliceRandom as _};
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::support::db_snapshot::{self, DbSnapshot};
use crate::support::{Answer, TestService, service_with};
use history::{Delivery, Kind};

/// How a history is delivered.
#[derive(Clone, Copy, Debug)]
struct Way {
    /// Seed of the order; `None` is the sender's own.
    order: Option<u64>,
    /// Every so-many-eth delivery comes twice; nought for none.
    twice: usize,
    /// How many are under way at once.
    at_once: usize,
}

/// How often each finding and effect was seen, by name.
type Reached = BTreeMap<String, usize>;

/// Posts a history to the service in a workspace of its own.
async fn deliver(services: &[&TestService], history: &[Delivery], way: Way, workspace: usize, reached: &mut Reached) {
    let mut order: Vec<usize> = (0..history.len()).collect();
    let mut rng = ChaCha8Rng::seed_from_u64(way.order.unwrap_or_default());
    if way.twice > 0 {
        order.extend((0..history.len()).filter(|position| position % way.twice == 0));
    }
    if way.order.is_some() {
        order.shuffle(&mut rng);
    }
    for batch in order.chunks(way.at_once) {
        let posts = batch.iter().map(|position| {
            let service = services.choose(&mut rng).unwrap();
            let delivery = &history[*position];
            async move { service.post(delivery.path(), delivery.body(workspace).to_string()).await }
        });
        for answer in join_all(posts.collect::<Vec<_>>()).await {
            count(&answer, reached);
        }
    }
}

fn count(answer: &Answer, reached: &mut Reached) {
    assert_eq!(answer.status, 200, "{answer:?}");
    let outcome = answer.body["outcome"].as_str().unwrap();
    assert!(["applied", "unchanged"].contains(&outcome), "{answer:?}");
    for code in answer.codes() {
        *reached.entry(code.to_owned()).or_default() += 1;
    }
    *reached.entry(outcome.to_owned()).or_default() += 1;
}

/// The ways in which each history is delivered; the first is the sender's own order.
fn ways(orders: u64) -> Vec<Way> {
    let own = Way { order: None, twice: 0, at_once: 1 };
    let mut rng = ChaCha8Rng::seed_from_u64(7);
    let other = |seed| Way {
        order: Some(seed),
        twice: [0, 3, 1][usize::try_from(seed).unwrap() % 3],
        at_once: *[1, 2, 7, 40].choose(&mut rng).unwrap(),
    };
    std::iter::once(own).chain((1..=orders).map(other)).collect()
}

/// What the tables must hold after every way: of each history, by its seed, in so many random orders. Bookings are left
/// out where a listing was withdrawn, archived or merged.
async fn law_holds(kind: Kind, histories: &[(u64, u64)]) -> Reached {
    let mut reached = Reached::new();
    for (seed, orders) in histories.iter().copied() {
        let history = history::generate(kind, seed);
        history::held(&history, &mut reached);
        let ways = ways(orders);
        let service = service_with(&history::configuration(ways.len())).await;
        let mut expected: Option<DbSnapshot> = None;
        for (workspace, way) in ways.iter().enumerate() {
            deliver(&[&service], &history, *way, workspace, &mut reached).await;
            compare(&service, kind, workspace, &mut expected, &format!("{kind:?}, seed {seed}, {way:?}")).await;
        }
        history::reached(&service, &mut reached).await;
    }
    reached
}

async fn compare(service: &TestService, kind: Kind, workspace: usize, expected: &mut Option<DbSnapshot>, told: &str) {
    let mut db_snapshot = db_snapshot::db_snapshot(service, &format!("w{workspace}")).await;
    match kind {
        Kind::Everything => db_snapshot::without_bookings(&mut db_snapshot),
        Kind::NothingWithdrawn => {}
    }
    let expected = expected.get_or_insert_with(|| db_snapshot.clone());
    for (table, rows) in expected {
        pretty(rows, &db_snapshot[table], &format!("{table}: {told}"));
    }
}

/// Equal, or a panic that shows only the rows that differ.
fn pretty(expected: &[serde_json::Value], found: &[serde_json::Value], told: &str) {
    let only = |rows: &[serde_json::Value], others: &[serde_json::Value]| {
        rows.iter().filter(|row| !others.contains(row)).map(ToString::to_string).collect::<Vec<_>>().join("\n")
    };
    assert!(expected == found, "{told}\nexpected\n{}\nfound\n{}", only(expected, found), only(found, expected));
}

#[tokio::test]
async fn any_order_of_a_history_leaves_the_same_tables() {
    let reached = law_holds(Kind::Everything, &[(0, 50), (1, 5), (2, 5)]).await;
    let must = [
        "older_than_known",
        "identifier_superseded",
        "stock_number_reused",
        "email_missing",
        "email_invalid",
        "date_invalid",
        "phone_invalid",
        "address_incomplete",
        "licence_incomplete",
        "passport_incomplete",
        "asset_not_found",
        "asset_archived",
        "package_not_found",
        "location_not_found",
        "unchanged",
        "a lead in a cluster of another lead",
        "a lead that moved between clusters",
        "a cluster that only a lead named",
        "a deleted event",
        "an event of a lead and a cluster",
        "a removed appointment",
        "a standing appointment",
        "a person told of by several leads",
        "a VIN with several identifiers",
        "a VIN without identifiers",
        "a vehicle without a VIN",
        "an archived listing",
        "a withdrawn listing",
        "a listing for sale",
        "a content that was never for sale",
        "a number in two dealerships",
        "an empty list of appointments",
        "one moment told by both feeds",
        "a VIN corrected",
        "a VIN after the identifier",
        "a stock number released",
        "a withdrawal before the listing",
    ];
    for rule in must {
        assert!(reached.contains_key(rule), "the histories never reached: {rule}; they reached {reached:?}");
    }
}

#[tokio::test]
async fn where_nothing_is_withdrawn_bookings_do_not_depend_on_the_order_either() {
    let reached = law_holds(Kind::NothingWithdrawn, &[(100, 5), (101, 50), (102, 5)]).await;
    for rule in ["a booking", "a booking of an older wish", "a blocked lead", "package_not_found", "asset_not_found"] {
        assert!(reached.contains_key(rule), "the histories never reached: {rule}; they reached {reached:?}");
    }
}

#[tokio::test]
async fn three_processes_at_once_leave_the_tables_of_one() {
    let history = history::generate(Kind::Everything, 42);
    let configuration = history::configuration(4);
    let first = service_with(&configuration).await;
    let (second, third) = (first.beside(&configuration).await, first.beside(&configuration).await);
    let mut reached = Reached::new();
    let mut expected = None;
    let own = Way { order: None, twice: 0, at_once: 1 };
    deliver(&[&first], &history, own, 0, &mut reached).await;
    compare(&first, Kind::Everything, 0, &mut expected, "one process").await;
    for workspace in 1..4 {
        let seed = u64::try_from(workspace).unwrap();
        let way = Way { order: Some(seed), twice: 2, at_once: 24 };
        deliver(&[&first, &second, &third], &history, way, workspace, &mut reached).await;
        compare(&first, Kind::Everything, workspace, &mut expected, &format!("three processes, {way:?}")).await;
    }
}

#[tokio::test]
async fn the_same_delivery_from_three_senders_at_one_instant_makes_one_set_of_rows() {
    let history = history::generate(Kind::Everything, 43);
    let configuration = history::configuration(2);
    let first = service_with(&configuration).await;
    let second = first.beside(&configuration).await;
    let mut rng = ChaCha8Rng::seed_from_u64(9);
    let mut reached = Reached::new();
    for _round in 0..1_000 {
        let delivery = history.choose(&mut rng).unwrap();
        let body = delivery.body(0).to_string();
        let services = [&first, &second, if rng.random() { &first } else { &second }];
        let posts = services.map(|service| service.post(delivery.path(), body.clone()));
        for answer in join_all(posts).await {
            count(&answer, &mut reached);
        }
    }
    let own = Way { order: None, twice: 0, at_once: 1 };
    deliver(&[&first], &history, own, 0, &mut reached).await;
    deliver(&[&first], &history, own, 1, &mut reached).await;
    let mut expected = None;
    compare(&first, Kind::Everything, 1, &mut expected, "once").await;
    compare(&first, Kind::Everything, 0, &mut expected, "three at a time").await;
}
