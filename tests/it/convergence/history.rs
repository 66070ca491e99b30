//! A sender that lives through a history: customers who change their minds, cars that come, go and come again.
//!
//! Everything is drawn from small pools, so that things meet: few addresses, few leads, few numbers. Every saying has a
//! time of its own, but for leads told through both feeds at the same moment, where one of the two wins by rule.

use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

use super::Reached;
use crate::support::TestService;

/// What a history is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Everything that the feeds can say.
    Everything,
    /// Only vehicles that are listed once and stay, so that bookings can be compared.
    NothingWithdrawn,
}

/// One delivery of a history.
#[derive(Clone, Debug)]
pub(super) enum Delivery {
    Lead(Value),
    Cluster(Value),
    Vehicle(Value),
}

impl Delivery {
    pub(super) fn path(&self) -> &'static str {
        match self {
            Self::Lead(_) => "/webhooks/dealer-studio/leads",
            Self::Cluster(_) => "/webhooks/dealer-studio/lead-clusters",
            Self::Vehicle(_) => "/webhooks/dealer-studio/inventory",
        }
    }

    /// The body, for the dealerships of a workspace.
    pub(super) fn body(&self, workspace: usize) -> Value {
        let (payload, pointer) = match self {
            Self::Lead(payload) => (payload, "/dealership/id"),
            Self::Cluster(payload) => (payload, "/dealership_id"),
            Self::Vehicle(payload) => (payload, "/Seller/Identifier"),
        };
        let mut payload = payload.clone();
        let dealership = payload.pointer_mut(pointer).unwrap();
        *dealership = json!(dealership.as_i64().unwrap() + first_dealership(workspace));
        payload
    }
}

fn first_dealership(workspace: usize) -> i64 {
    1_000 + 2 * i64::try_from(workspace).unwrap()
}

/// As many workspaces, each with two dealerships, a location and a package.
pub(super) fn configuration(workspaces: usize) -> String {
    let workspaces = (0..workspaces).map(|workspace| {
        let first = first_dealership(workspace);
        format!(
            "[[workspaces]]\nslug = \"w{workspace}\"\nname = \"W\"\ntimezone = \"Australia/Sydney\"\n\
            dealerships = [{first}, {}]\nlocations = [\"Dealer A\"]\npackages = [\"Premium\"]\n\n",
            first + 1
        )
    });
    let credential = crate::support::service::CONFIG.split("[[credentials]]").nth(1).unwrap();
    format!("{}[[credentials]]{credential}", workspaces.collect::<String>())
}

/// How many deliveries a history has.
const LENGTH: usize = 70;

/// A history, the same for the same seed.
pub(super) fn generate(kind: Kind, seed: u64) -> Vec<Delivery> {
    let mut sender = Sender { kind, rng: ChaCha8Rng::seed_from_u64(seed), minutes: 0, told: Vec::new() };
    (0..LENGTH).map(|_| sender.say()).collect()
}

struct Sender {
    kind: Kind,
    rng: ChaCha8Rng,
    /// Minutes since the beginning; every saying takes one of its own.
    minutes: u32,
    /// Leads told already, each with the moment, to be told through the other feed at the same one.
    told: Vec<(u32, String)>,
}

const EMAILS: [&str; 5] =
    ["ann@example.com", "Ben@Example.com", "cat@example.com", "dan@example.com", "eve@example.com"];
const VINS: [&str; 4] = ["JTDBR32E720123450", "JTDBR32E720123451", "JTDBR32E720123452", "SHORTVIN"];
const NUMBERS: [&str; 4] = ["S1", "S2", "S3", "S4"];

fn moment(minutes: u32) -> String {
    let (day, rest) = (minutes / 1_440, minutes % 1_440);
    format!("2025-03-{:02}T{:02}:{:02}:00.000Z", 1 + day, rest / 60, rest % 60)
}

/// When the customer made an enquiry: each lead has its moment, before all sayings.
fn created(lead: u32) -> String {
    format!("2025-02-{:02}T10:00:00.000Z", 1 + lead)
}

impl Sender {
    fn now(&mut self) -> String {
        self.minutes += 1;
        moment(self.minutes)
    }

    fn chance(&mut self, percent: u32) -> bool {
        self.rng.random_range(0..100) < percent
    }

    fn pick(&mut self, from: &[&str]) -> String {
        (*from.choose(&mut self.rng).unwrap()).to_owned()
    }

    fn say(&mut self) -> Delivery {
        match self.rng.random_range(0..100) {
            0..40 => Delivery::Lead(self.lead()),
            40..65 => Delivery::Cluster(self.cluster()),
            _ => Delivery::Vehicle(self.vehicle()),
        }
    }

    fn lead(&mut self) -> Value {
        let id = self.rng.random_range(1..=6);
        let updated_at = self.now();
        self.told.push((id, updated_at.clone()));
        let mut lead = json!({
            "id": id, "created": created(id), "updated_at": updated_at, "dealership": { "id": self.dealership() },
            "prospect": self.prospect("first_name"), "item": self.item(), "comments": self.word("comment"),
            "lead_status_option": { "name": self.pick(&["new", "contacted", "lost"]) },
            "additional_details": self.details(), "category": self.category(),
        });
        if self.chance(60) {
            lead["lead_cluster_id"] = json!(self.rng.random_range(1..=4));
        }
        if self.chance(40) {
            lead["location"] = json!({ "location_name": self.pick(&["dealer a", "Elsewhere", "Yard"]) });
        }
        if self.chance(50) {
            lead["appointments"] = self.appointments();
        }
        if self.chance(30) {
            lead["trade_in_data"] =
                json!({ "rego": self.word("REG"), "offer_price": self.rng.random_range(1..9) * 1000 });
        }
        if self.chance(30) {
            lead["lead_events"] = self.events();
        }
        lead
    }

    /// In histories whose bookings are compared every lead names its vehicle fully, so that no saying completes another's.
    fn item(&mut self) -> Value {
        let (vin, number) = (self.pick(&VINS), self.pick(&NUMBERS));
        match (self.kind, self.rng.random_range(0..4)) {
            (Kind::NothingWithdrawn, 0..2) => json!({ "vin": vin, "stock_number": "NONE" }),
            (Kind::NothingWithdrawn, _) => json!({ "vin": "NOT LISTED", "stock_number": "NONE" }),
            (Kind::Everything, 0) => json!({ "vin": vin }),
            (Kind::Everything, 1) => json!({ "stock_number": number }),
            (Kind::Everything, 2) => json!({ "vin": vin, "stock_number": number }),
            (Kind::Everything, _) => Value::Null,
        }
    }

    fn category(&mut self) -> String {
        self.pick(&["Subscription Enquiry", "General Enquiry"])
    }

    fn details(&mut self) -> Value {
        let mut details = Map::new();
        if self.chance(70) {
            let plan = self.pick(&["Premium", "Premium", "Starter", "Nobody's"]);
            details.insert("subscription_plan".to_owned(), json!(plan));
        }
        if self.chance(30) {
            details.insert("license_number".to_owned(), json!(self.word("L")));
            details.insert("license_dob".to_owned(), json!("01/02/1980"));
            if self.chance(70) {
                details.insert("license_expiry".to_owned(), json!("01/02/2030"));
            }
        }
        if self.chance(20) {
            details.insert("passport_number".to_owned(), json!(self.word("P")));
            details.insert("passport_country".to_owned(), json!("au"));
            details.insert("passport_dob".to_owned(), json!("01/02/1980"));
            if self.chance(50) {
                details.insert("passport_expiry".to_owned(), json!("01/02/2030"));
            }
        }
        Value::Object(details)
    }

    /// A customer, of whom now this and now that is told.
    fn prospect(&mut self, first_name: &str) -> Value {
        let mut prospect = Map::new();
        if self.chance(90) {
            let email = if self.chance(90) { self.pick(&EMAILS) } else { "not an address".to_owned() };
            prospect.insert("email".to_owned(), json!(email));
        }
        for field in [first_name, "last_name", "title"] {
            if self.chance(60) {
                prospect.insert(field.to_owned(), json!(self.word(field)));
            }
        }
        if self.chance(60) {
            let number = self.rng.random_range(0..1_000);
            let phone = if self.chance(80) { format!("0412 345 {number:03}") } else { format!("{number}") };
            prospect.insert("mobile_phone".to_owned(), json!(phone));
        }
        if self.chance(40) {
            let dob = self.pick(&["01/04/1980", "02/04/1980", "31/02/1980"]);
            prospect.insert("dob".to_owned(), json!(dob));
        }
        if self.chance(40) {
            let mut address =
                json!({ "street": self.word("Street"), "city": "Sydney", "state": "NSW", "country": "au" });
            if self.chance(70) {
                address["postcode"] = json!(2000);
            }
            prospect.insert("address".to_owned(), address);
        }
        if self.chance(40) && first_name == "first_name" {
            prospect.insert("opt_in_to_marketing".to_owned(), json!(self.chance(50)));
        }
        Value::Object(prospect)
    }

    fn appointments(&mut self) -> Value {
        let count = self.rng.random_range(0..4);
        let list = (0..count).map(|_| {
            let id = self.rng.random_range(1..=6);
            json!({ "id": id, "starts_at": format!("2025-04-{:02} 12:00:00", self.rng.random_range(1..28)), "note": self.word("note") })
        });
        list.collect()
    }

    fn events(&mut self) -> Value {
        let count = self.rng.random_range(0..3);
        let list = (0..count).map(|_| {
            let id = self.rng.random_range(1..=6);
            let deleted_at = if self.chance(30) { json!("2025-05-01T00:00:00Z") } else { Value::Null };
            json!({
                "id": id, "event_type": "note", "description": self.word("event"), "created_at": "2025-02-01T00:00:00Z",
                "updated_at": self.now(), "deleted_at": deleted_at, "followup_status": "pending",
            })
        });
        list.collect()
    }

    fn cluster(&mut self) -> Value {
        let id = self.rng.random_range(1..=4);
        let leads = self.rng.random_range(0..3);
        let leads: Vec<Value> = (0..leads).map(|_| self.cluster_lead()).collect();
        let mut contact = self.prospect("first_name");
        let fields = contact.as_object_mut().unwrap();
        fields.retain(|name, _| ["email", "first_name", "last_name", "mobile_phone", "dob"].contains(&name.as_str()));
        json!({
            "id": id, "dealership_id": self.dealership(), "status": self.word("status"), "contact": contact,
            "created": "2025-02-01T00:00:00Z", "modified": self.now(), "last_lead_created_at": created(self.rng.random_range(1..=6)),
            "assigned_salesperson": { "id": 1, "name": self.word("seller") }, "leads": leads, "lead_events": self.events(),
        })
    }

    /// A lead inside a cluster: told at a moment of its own, or at the one at which the lead feed told it.
    fn cluster_lead(&mut self) -> Value {
        let again = if self.chance(40) { self.told.choose(&mut self.rng).cloned() } else { None };
        let (id, modified) = match again {
            Some((id, at)) => {
                self.told.retain(|(_, told_at)| *told_at != at);
                (id, at)
            }
            None => (self.rng.random_range(1..=6), self.now()),
        };
        let mut lead = json!({
            "id": id, "created": created(id), "modified": modified, "prospect": self.prospect("name"), "item": self.item(),
            "category": self.category(), "comments": self.word("comment"), "additional_details": self.details(),
            "subscription": { "newsletter": self.chance(50) },
        });
        if self.chance(30) {
            lead["budget"] = json!(format!("${},000", self.rng.random_range(1..99)));
        }
        lead
    }

    fn vehicle(&mut self) -> Value {
        let identifier = self.rng.random_range(1..=6_usize);
        let vin = self.rng.random_range(0..VINS.len());
        let (identifier, vin, number, dealership, word) = match self.kind {
            // One vehicle, one identifier, one VIN, one number that nobody else has: listed, and listed still.
            Kind::NothingWithdrawn => (10 + vin, Some(VINS[vin]), format!("OWN{vin}"), 0, "For Sale".to_owned()),
            Kind::Everything => {
                let vin = self.chance(60).then_some(VINS[vin]);
                let word = self.pick(&["For Sale", "For Sale", "in stock", "WITHDRAWN", "Sold", "Pending"]);
                (identifier, vin, self.pick(&NUMBERS), self.dealership(), word)
            }
        };
        let mut names = vec![json!({ "Type": "StockNumber", "Value": number })];
        names.extend(vin.map(|vin| json!({ "Type": "VIN", "Value": vin })));
        let location = match self.kind {
            Kind::NothingWithdrawn => "Yard",
            Kind::Everything => *["Yard", "yard", "Lot"].choose(&mut self.rng).unwrap(),
        };
        let mut car = json!({
            "Type": "CAR", "Identifier": identifier, "SaleStatus": word, "LastModifiedUtc": self.now(),
            "Identification": names, "Description": self.word("car"),
            "Seller": { "Identifier": dealership, "LocationName": location, "Addresses": [{ "Line1": self.word("Road") }] },
            "PriceList": [{ "Type": "EGC", "Amount": self.rng.random_range(1..99) * 1000 }],
        });
        if self.chance(40) {
            let price = self.rng.random_range(1..99);
            car["SubscriptionPricing"] = json!([{ "Name": self.pick(&["Starter", "Value"]), "WeeklyPrice": price }]);
        }
        car
    }

    fn dealership(&mut self) -> i64 {
        self.rng.random_range(0..2)
    }

    fn word(&mut self, kind: &str) -> String {
        format!("{kind} {}", self.rng.random_range(0..1_000))
    }
}

/// What the histories of a service have reached, as its tables show: each name with a query that counts.
const RULES: [(&str, &str); 19] = [
    (
        "a lead in a cluster of another lead",
        "select count(*) from (select 1 from leads group by workspace_id, lead_cluster_id having count(*) > 1
            and lead_cluster_id is not null) t",
    ),
    (
        "a lead that moved between clusters",
        "select count(*) from (
            select d.workspace_id, convert_from(d.body, 'UTF8')::jsonb -> 'id' as id from intake.deliveries_with_bodies d
            where feed = 'lead' and convert_from(d.body, 'UTF8')::jsonb ? 'lead_cluster_id'
            group by 1, 2 having count(distinct convert_from(d.body, 'UTF8')::jsonb -> 'lead_cluster_id') > 1) t",
    ),
    (
        "a cluster that only a lead named",
        "select count(*) from lead_clusters where status is null and source_modified_at is null",
    ),
    ("a deleted event", "select count(*) from lead_events where deleted_at is not null"),
    (
        "an event of a lead and a cluster",
        "select count(*) from lead_events where lead_id is not null and lead_cluster_id is not null",
    ),
    ("a removed appointment", "select count(*) from appointments where removed_at is not null"),
    ("a standing appointment", "select count(*) from appointments where removed_at is null"),
    (
        "a person told of by several leads",
        "select count(*) from (select 1 from leads where person_id is not null group by person_id having count(*) > 1) t",
    ),
    (
        "a VIN with several identifiers",
        "select count(*) from (select 1 from listing_identifiers group by workspace_id, listing_id having count(*) > 1) t",
    ),
    (
        "a VIN without identifiers",
        "select count(*) from listings l where not exists (
            select from listing_identifiers i where i.workspace_id = l.workspace_id and i.listing_id = l.id)",
    ),
    ("a vehicle without a VIN", "select count(*) from listings where vin is null"),
    ("an archived listing", "select count(*) from listings where status = 'archived'"),
    ("a withdrawn listing", "select count(*) from listings where status = 'withdrawn'"),
    ("a listing for sale", "select count(*) from listings where status = 'for_sale'"),
    (
        "a content that was never for sale",
        "select count(*) from listings l where not exists (
            select from listing_sources s where s.workspace_id = l.workspace_id and s.listing_id = l.id and s.for_sale)",
    ),
    (
        "a number in two dealerships",
        "select count(*) from (select 1 from listings where claims group by workspace_id, stock_number
            having count(distinct dealership_id) > 1) t",
    ),
    ("a booking", "select count(*) from bookings"),
    (
        "a booking of an older wish",
        "select count(*) from bookings b join leads e on e.workspace_id = b.workspace_id and e.id = b.lead_id
        join listings l on l.workspace_id = b.workspace_id and l.id = b.listing_id where l.vin <> e.vin",
    ),
    ("a blocked lead", "select count(*) from leads where booking_state = 'blocked'"),
];

/// Adds what the tables of a service show to have been reached.
pub(super) async fn reached(service: &TestService, reached: &mut Reached) {
    for (rule, query) in RULES {
        let count: i64 = service.database.value(query).await;
        if count > 0 {
            *reached.entry(rule.to_owned()).or_default() += usize::try_from(count).unwrap();
        }
    }
}

/// What a history holds by the payloads alone: each name where it occurs.
pub(super) fn held(history: &[Delivery], reached: &mut Reached) {
    let mut note = |name: &str| *reached.entry(name.to_owned()).or_default() += 1;
    let mut told = Vec::new();
    let mut cars: Vec<(&Value, Option<&Value>, &Value, bool)> = Vec::new();
    for delivery in history {
        match delivery {
            Delivery::Lead(lead) => {
                told.push((&lead["id"], &lead["updated_at"]));
                if lead["appointments"].as_array().is_some_and(Vec::is_empty) {
                    note("an empty list of appointments");
                }
            }
            Delivery::Cluster(cluster) => {
                let leads = cluster["leads"].as_array().unwrap();
                if leads.iter().any(|lead| told.contains(&(&lead["id"], &lead["modified"]))) {
                    note("one moment told by both feeds");
                }
            }
            Delivery::Vehicle(car) => {
                let names = car["Identification"].as_array().unwrap();
                let value_of = |kind: &str| names.iter().find(|name| name["Type"] == kind).map(|name| &name["Value"]);
                let (identifier, vin, number) = (&car["Identifier"], value_of("VIN"), value_of("StockNumber").unwrap());
                let for_sale = ["For Sale", "in stock"].contains(&car["SaleStatus"].as_str().unwrap());
                let before: Vec<_> = cars.iter().filter(|(known, ..)| *known == identifier).collect();
                if vin.is_some() && before.iter().any(|(_, known, ..)| known.is_some_and(|known| Some(known) != vin)) {
                    note("a VIN corrected");
                }
                if vin.is_some() && !before.is_empty() && before.iter().all(|(_, known, ..)| known.is_none()) {
                    note("a VIN after the identifier");
                }
                if for_sale && before.iter().any(|(_, _, known, sold)| *sold && *known != number) {
                    note("a stock number released");
                }
                if !for_sale && before.is_empty() {
                    note("a withdrawal before the listing");
                }
                cars.push((identifier, vin, number, for_sale));
            }
        }
    }
}
