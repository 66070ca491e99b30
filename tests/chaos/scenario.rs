//! What the sender posts: customers, cars and clusters of two dealers, over and over, each time with a newer time.
//!
//! What a delivery says follows from its number, and no two have the same body: so a stored body tells which delivery
//! it is. What one lead wishes for stays the same, and cars stay for sale, so that the order of arrival, which faults
//! change, does not show in the tables.

use chrono::{TimeDelta, TimeZone as _, Utc};
use forecourt::domain::feed::Feed;
use serde_json::{Value, json};

use crate::support::{a_lead, payloads, vin};

/// A delivery of a scenario.
pub(crate) struct Telling {
    /// Which feed it is posted to.
    pub(crate) feed: Feed,
    /// Its body.
    pub(crate) body: String,
}

/// One of the two dealers.
struct Dealer {
    dealership: i64,
    location: &'static str,
}

const DEALERS: [Dealer; 2] =
    [Dealer { dealership: 356, location: "Dealer A" }, Dealer { dealership: 285, location: "Gulson Alfa Romeo" }];

/// The cars of a dealer.
const CARS: usize = 8;
/// The customers of a dealer who ask again and again.
const CUSTOMERS: usize = 12;

/// The delivery of a number.
pub(crate) fn telling(number: usize) -> Telling {
    let dealer = &DEALERS[number % DEALERS.len()];
    let turn = number / DEALERS.len();
    let (feed, body) = match turn % 10 {
        0..4 => (Feed::Lead, lead(dealer, turn * 7 % CUSTOMERS, number)),
        4..7 => (Feed::Lead, lead(dealer, 1000 + turn, number)),
        7..9 => (Feed::Inventory, vehicle(dealer, turn / 2 % CARS, number)),
        _ => (Feed::LeadCluster, cluster(dealer, turn * 3 % CUSTOMERS, number)),
    };
    Telling { feed, body: body.to_string() }
}

/// So many seconds after some morning.
fn second(seconds: usize) -> String {
    let morning = Utc.with_ymd_and_hms(2025, 10, 1, 8, 0, 0).unwrap();
    (morning + TimeDelta::seconds(i64::try_from(seconds).unwrap())).to_rfc3339()
}

/// What a lead says in either feed. A customer who asks again is the person of a few leads.
fn enquiry(dealer: &Dealer, id: usize, number: usize) -> Value {
    let Dealer { dealership, location } = dealer;
    json!({
        "id": id, "created": second(id), "category": "Subscription Enquiry", "comments": format!("told as {number}"),
        "prospect": {"first_name": format!("Ada {number}"), "email": format!("ada{}.{dealership}@example.com", id % 500)},
        "item": {"vin": vin(id % CARS)}, "location": {"location_name": location},
        "additional_details": {"subscription_plan": "Premium"},
    })
}

fn lead(dealer: &Dealer, id: usize, number: usize) -> Value {
    let event = json!({
        "id": 10_000 * (id + 1) + number % 3, "event_type": "note", "description": format!("as of {number}"),
        "created_at": second(0), "updated_at": second(number),
    });
    let lead = a_lead(i64::try_from(id).unwrap()).dealership(dealer.dealership).updated(&second(number));
    lead.with(enquiry(dealer, id, number)).with(json!({"lead_cluster_id": id, "lead_events": [event]})).into()
}

fn vehicle(dealer: &Dealer, car: usize, number: usize) -> Value {
    let Dealer { dealership, location } = dealer;
    payloads::car(json!({
        "Identifier": format!("{dealership}-{car}"), "LastModifiedUtc": second(number), "CreatedUtc": second(car),
        "Description": format!("told as {number}"),
        "Identification": payloads::names(Some(&vin(car)), Some(&format!("S{car}"))),
        "Seller": {"Identifier": dealership, "LocationName": location},
        "PriceList": [{"Type": "EGC", "Currency": "AUD", "Amount": 30_000 + number}],
        "SubscriptionPricing": [{"Name": "Premium", "DailyPrice": number % 90}],
    }))
}

fn cluster(dealer: &Dealer, id: usize, number: usize) -> Value {
    let mut inside = enquiry(dealer, id, number);
    inside["modified"] = json!(second(number));
    inside["prospect"]["name"] = inside["prospect"]["first_name"].take();
    json!({
        "id": id, "dealership_id": dealer.dealership, "status": format!("told as {number}"), "created": second(0),
        "modified": second(number), "last_lead_created_at": second(id),
        "contact": {"email": inside["prospect"]["email"], "first_name": format!("Ada {number}")},
        "leads": [inside], "lead_events": [],
    })
}
