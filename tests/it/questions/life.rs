//! Six weeks of two workspaces, made up by rule and lived through in process: what is asked of the tables afterwards has
//! answers that follow from the rules alone.
//!
//! All moments are counted back from the start of the test, because the questions ask for the last days; each lies an hour
//! or more from whole days before it, and the zone is one in which it is day, so that no answer hangs on a minute.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Timelike as _, Utc};
use chrono_tz::Tz;
use forecourt::domain::delivery::{Delivery, id_at};
use forecourt::domain::feed::Feed;
use forecourt::domain::values::Email;
use forecourt::domain::workspace::Permitted;
use forecourt::intake::accept::{Acceptor, Timeouts};
use forecourt::intake::erasure::{self, Mode, Order, Target};
use forecourt::intake::{Intake, Settings, WorkspaceRouter, configuration};
use forecourt::metrics::Metrics;
use forecourt::silence::{Settings as SilenceSettings, Silence};
use serde_json::{Value, json};

use crate::support::service::parsed;
use crate::support::{TestService, credential_of_leadpro, delivery, service_with, vin};

/// Over how many days leads come.
const DAYS: i64 = 42;
/// The dealership whose feed stands still, and since how many days.
const SILENT: (i64, i64) = (357, 5);
/// The lead whose customer is erased, and how many days ago.
pub(super) const ERASED: (i64, i64) = (100, 3);
/// A car that comes ten days ago, and for which leads wait.
const AWAITED: usize = 17;
/// A VIN that never comes.
const ABSENT: usize = 90;

static CLOCK: AtomicI64 = AtomicI64::new(0);

fn clock() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(CLOCK.load(Ordering::SeqCst)).unwrap()
}

/// What is known of the history without looking at any table.
pub(super) struct Life {
    /// When it ends: the present.
    pub(super) base: DateTime<Utc>,
    /// The zone of all dealerships.
    pub(super) zone: Tz,
    pub(super) leads: Vec<Lead>,
    pub(super) properties: Vec<Property>,
    pub(super) cars: Vec<Car>,
    /// Every delivery: arrival, workspace, feed, outcome, and whether it has findings.
    pub(super) deliveries: Vec<(DateTime<Utc>, &'static str, &'static str, &'static str, bool)>,
    /// How often a field that nobody knows was sent, by workspace.
    pub(super) unknown: BTreeMap<&'static str, i64>,
}

/// When a lead was settled, how, and why where it was lost.
type Closing = (DateTime<Utc>, &'static str, Option<&'static str>);

/// A lead, as the rules make it from its number.
pub(super) struct Lead {
    pub(super) number: i64,
    pub(super) dealership: i64,
    pub(super) made: DateTime<Utc>,
    pub(super) arrived: DateTime<Utc>,
    pub(super) category: &'static str,
    pub(super) source: &'static str,
    pub(super) email: Option<String>,
    /// Whether its date of birth is none, so that it makes no customer.
    pub(super) is_born_wrong: bool,
    pub(super) first_name: String,
    pub(super) phone: String,
    pub(super) opt_in: Option<bool>,
    /// When it is answered.
    pub(super) answered: Option<DateTime<Utc>>,
    /// When it is won or lost, and why it is lost.
    pub(super) settled: Option<Closing>,
    pub(super) budget: Option<i64>,
    /// Make and offer of the car that is offered, and whether that is accepted.
    pub(super) trade_in: Option<(&'static str, i64, bool)>,
    pub(super) appointment: Option<Appointment>,
    /// The VIN and the package that it asks a booking for.
    pub(super) asks: Option<(usize, &'static str)>,
}

pub(super) struct Appointment {
    pub(super) starts: DateTime<Utc>,
    pub(super) status: &'static str,
    /// When the sender lists it no more.
    pub(super) removed: Option<DateTime<Utc>>,
}

/// An enquiry of LeadPro.
pub(super) struct Property {
    pub(super) number: i64,
    pub(super) made: DateTime<Utc>,
    pub(super) kind: &'static str,
    pub(super) stage: &'static str,
}

/// A car over time.
pub(super) struct Car {
    pub(super) number: usize,
    pub(super) dealership: i64,
    /// When the sender made it, and when it first came.
    pub(super) created: DateTime<Utc>,
    pub(super) first: DateTime<Utc>,
    pub(super) price: i64,
    /// When its price became another one, and which.
    pub(super) repriced: Option<(DateTime<Utc>, i64)>,
    pub(super) withdrawn: Option<DateTime<Utc>>,
    /// When another dealership listed it again.
    pub(super) again: Option<(DateTime<Utc>, i64)>,
    /// The last day, counted back, on which the feed has it.
    pub(super) last_day: i64,
}

pub(super) fn name(dealership: i64) -> &'static str {
    match dealership {
        356 => "City Cars",
        357 => "Hills Motors",
        _ => "Coast",
    }
}

pub(super) fn workspace(dealership: i64) -> &'static str {
    if dealership == 285 { "beta" } else { "alpha" }
}

pub(super) fn make(number: usize) -> &'static str {
    ["Kia", "Mazda", "Toyota"][number % 3]
}

fn config(zone: Tz) -> String {
    let head = crate::support::CONFIG.split("[[workspaces]]").next().unwrap();
    let credential = crate::support::CONFIG.split("[[credentials]]").nth(1).unwrap();
    format!(
        "{head}[[workspaces]]\nslug = \"alpha\"\nname = \"Alpha\"\ntimezone = \"{zone}\"
dealerships = [{{ id = 356, name = \"City Cars\" }}, {{ id = 357, name = \"Hills Motors\" }}]
locations = [\"City\"]\npackages = [\"Premium\", \"Starter\"]\nexpect = {{ inventory = \"26h\" }}

[[workspaces]]\nslug = \"beta\"\nname = \"Beta\"\ntimezone = \"{zone}\"
dealerships = [{{ id = 285, name = \"Coast\" }}]\nlocations = [\"Coast\"]\npackages = [\"Premium\"]

[[credentials]]{credential}{}",
        credential_of_leadpro()
    )
}

impl Lead {
    pub(super) fn workspace(&self) -> &'static str {
        workspace(self.dealership)
    }

    /// Why it has no booking.
    pub(super) fn blockers(&self) -> Vec<&'static str> {
        let Some((vin, package)) = self.asks else { return Vec::new() };
        let mut codes = Vec::new();
        codes.extend(self.email.is_none().then_some("email_missing"));
        codes.extend((vin == ABSENT).then_some("asset_not_found"));
        codes.extend((package == "Platinum").then_some("package_not_found"));
        codes
    }

    pub(super) fn has_customer(&self) -> bool {
        self.email.is_some() && !self.is_born_wrong && self.number != ERASED.0
    }
}

impl Life {
    fn new() -> Self {
        let base = forecourt::intake::clock::now();
        let base = base - TimeDelta::nanoseconds(i64::from(base.nanosecond()));
        // One of these has day, and none has another time in summer.
        let zones = [Tz::Australia__Brisbane, Tz::Africa__Lagos, Tz::America__Phoenix];
        let is_day = |zone: &Tz| (6..18).contains(&base.with_timezone(zone).hour());
        let zone = zones.into_iter().find(is_day).unwrap();
        let mut life = Self {
            base,
            zone,
            leads: Vec::new(),
            properties: Vec::new(),
            cars: Vec::new(),
            deliveries: Vec::new(),
            unknown: BTreeMap::new(),
        };
        life.make_cars();
        life.make_leads();
        life.properties = (0..8)
            .map(|number| Property {
                number,
                made: life.ago(5 * number, 300),
                kind: ["vendor", "landlord"][usize::try_from(number % 2).unwrap()],
                stage: ["NEW", "NEW", "VALUATION_BOOKED", "CONTACTED"][usize::try_from(number % 4).unwrap()],
            })
            .collect();
        life
    }

    /// So many days before the end, and so many minutes before that.
    pub(super) fn ago(&self, days: i64, minutes: i64) -> DateTime<Utc> {
        assert!((60..1_380).contains(&minutes));
        self.base - TimeDelta::days(days) - TimeDelta::minutes(minutes)
    }

    /// The day of a moment at the dealerships.
    pub(super) fn day(&self, at: DateTime<Utc>) -> NaiveDate {
        self.local(at).date()
    }

    pub(super) fn local(&self, at: DateTime<Utc>) -> NaiveDateTime {
        at.with_timezone(&self.zone).naive_local()
    }

    fn make_cars(&mut self) {
        let minutes = |number: usize| 1_300 - i64::try_from(number).unwrap();
        for number in 1..=18 {
            let dealership = match number {
                1..=8 | 17 => 356,
                9..=12 | 18 => 357,
                _ => 285,
            };
            let first_day = if number > 16 { 10 } else { DAYS };
            let older = 3 * i64::try_from(number).unwrap();
            let created = self.ago(first_day + if number > 16 { 0 } else { older }, 1_370);
            let price = 10_000 + 1_000 * i64::try_from(number).unwrap();
            let repriced = match number {
                2 => Some((20, price - 1_000)),
                3 => Some((5, price - 2_600)),
                4 => Some((35, price - 500)),
                5 => Some((12, price + 500)),
                _ => None,
            };
            let withdrawn = match number {
                7 => Some(3),
                8 => Some(15),
                10 => Some(6),
                14 => Some(2),
                _ => None,
            };
            let last_day = match (number, withdrawn) {
                (_, Some(day)) => day + 1,
                (1, _) => 6,
                _ if dealership == SILENT.0 => SILENT.1,
                _ => 0,
            };
            self.cars.push(Car {
                number,
                dealership,
                created,
                first: self.ago(first_day, minutes(number)),
                price,
                repriced: repriced.map(|(day, price)| (self.ago(day, minutes(number)), price)),
                withdrawn: withdrawn.map(|day| self.ago(day, minutes(number))),
                again: (number == 10).then(|| (self.ago(2, minutes(number)), 356)),
                last_day,
            });
        }
    }

    fn make_leads(&mut self) {
        let mut number = 0;
        for day in (0..DAYS).rev() {
            for turn in 0..3 + day % 3 {
                let lead = self.lead(number, self.ago(day, 90 + turn * 170));
                self.leads.push(lead);
                number += 1;
            }
        }
    }

    /// What the rules say of the lead with this number.
    fn lead(&self, number: i64, made: DateTime<Utc>) -> Lead {
        let place = usize::try_from(number).unwrap();
        let (of_six, turn) = (place % 6, place / 6);
        let past = |at: DateTime<Utc>| (at < self.base - TimeDelta::minutes(30)).then_some(at);
        let category = [
            "Used Vehicle Enquiry",
            "Finance Enquiry",
            "Test Drive Booking",
            "Subscription Enquiry",
            "Subscription Enquiry",
            "Trade-in Enquiry",
        ][of_six];
        let dealership = [356, 357, 285][place % 3];
        // Some customers come again, some have no address, and Ada has a workspace in which her date of birth is none.
        let customer = if number % 7 == 6 { number - 3 } else { number };
        let email = match number {
            30 | 33 => Some("ada@example.com".to_owned()),
            35 => Some("Ada@Example.com".to_owned()),
            _ if number % 25 == 24 => None,
            _ => Some(format!("customer{customer}@example.com")),
        };
        let of_phone = if [10, 70, 110].contains(&customer) { customer - 9 } else { customer };
        let asks = (category == "Subscription Enquiry").then(|| {
            let cars: &[usize] = if dealership == 285 { &[13, 15, 16] } else { &[2, 3, 4, 5] };
            let listed =
                (cars[turn % cars.len()], ["Premium", "Starter"][usize::from(turn % 4 == 1 && dealership != 285)]);
            let waits = made > self.ago(20, 1_370) && made < self.ago(11, 1_370) && dealership != 285;
            match turn % 4 {
                2 => (listed.0, "Platinum"),
                3 if waits => (AWAITED, "Premium"),
                3 => (ABSENT, "Premium"),
                _ => listed,
            }
        });
        let (settled, appointment) = self.settled_and_appointment(number, made);
        Lead {
            number,
            dealership,
            made,
            arrived: made + TimeDelta::seconds(15 + 60 * (number % 5)),
            category,
            source: ["Website", "Carsales", "Facebook", "Walk In"][place % 4],
            email,
            is_born_wrong: number == 35,
            first_name: format!("First {customer}"),
            phone: format!("+614110{of_phone:05}"),
            opt_in: (category != "Finance Enquiry")
                .then_some([Some(true), None, Some(false), None][place % 4])
                .flatten(),
            answered: past(made + TimeDelta::minutes(10 + 20 * (number % 7))).filter(|_| number % 4 != 3),
            settled,
            budget: (category == "Finance Enquiry").then_some(15_000 + 5_000 * (number % 8)),
            trade_in: (category == "Trade-in Enquiry")
                .then(|| (make(place / 2), 5_000 + 100 * (number % 9), turn % 2 == 0)),
            appointment,
            asks,
        }
    }

    /// How the lead with this number was settled, and the appointment that it has.
    fn settled_and_appointment(&self, number: i64, made: DateTime<Utc>) -> (Option<Closing>, Option<Appointment>) {
        let place = usize::try_from(number).unwrap();
        let (of_six, turn) = (place % 6, place / 6);
        let past = |at: DateTime<Utc>| (at < self.base - TimeDelta::minutes(30)).then_some(at);
        let settled = past(made + TimeDelta::minutes(200)).filter(|_| number % 5 == 0).map(|at| {
            let reason = [Some("Price"), Some("Bought elsewhere"), None][place / 10 % 3];
            if number % 10 == 0 { (at, "lost", reason) } else { (at, "won", None) }
        });
        let appointment = (of_six == 2).then(|| {
            let starts = made + TimeDelta::days([3, 6, 3, 10][turn % 4]);
            let status = match turn {
                _ if starts < self.base => ["completed", "no-show", "cancelled"][turn % 3],
                _ if turn % 5 == 4 => "cancelled",
                _ => "pending",
            };
            let removed = past(made + TimeDelta::minutes(100)).filter(|_| turn % 6 == 5);
            Appointment { starts, status, removed }
        });
        (settled, appointment)
    }

    /// When a lead's booking was made.
    pub(super) fn booked(&self, lead: &Lead) -> Option<DateTime<Utc>> {
        let (vin, _) = lead.asks.filter(|_| lead.blockers().is_empty())?;
        let car = self.cars.iter().find(|car| car.number == vin).unwrap();
        Some(lead.arrived.max(car.first))
    }

    /// The price of a car now.
    pub(super) fn price(car: &Car) -> i64 {
        car.repriced.map_or(car.price, |(_, price)| price)
    }
}

// ---- the deliveries

/// A delivery with what must come of it.
struct Planned {
    delivery: Delivery,
    workspace: &'static str,
    outcome: &'static str,
    has_findings: bool,
}

fn arrive(at: DateTime<Utc>, feed: Feed, body: &Value) -> Delivery {
    Delivery { id: id_at(at), received_at: at, ..delivery(feed, body.to_string()) }
}

/// A lead as the lead feed tells it, changed at this time.
fn payload(lead: &Lead, at: DateTime<Utc>) -> Value {
    let mut payload = json!({
        "id": 1_000 + lead.number, "created": lead.made, "updated_at": at, "dealership": { "id": lead.dealership },
        "category": lead.category, "source": lead.source,
        "prospect": { "first_name": lead.first_name, "last_name": "Citizen", "email": lead.email,
            "mobile_phone": lead.phone, "opt_in_to_marketing": lead.opt_in },
    });
    if lead.is_born_wrong {
        payload["prospect"]["dob"] = "31/02/1990".into();
    }
    if let Some((number, package)) = lead.asks {
        payload["item"] = json!({ "vin": vin(number) });
        payload["additional_details"] = json!({ "subscription_plan": package });
        payload["location"] = json!({ "location_name": if lead.dealership == 285 { "Coast" } else { "City" } });
    }
    if let Some((make, offer, is_accepted)) = lead.trade_in {
        payload["trade_in_data"] = json!({ "make": make, "offer_price": offer, "offer_accepted": is_accepted });
    }
    if lead.number % 9 == 0 {
        payload["shoe_size"] = 42.into();
    }
    payload
}

impl Life {
    fn of_lead(&self, lead: &Lead) -> Vec<(DateTime<Utc>, Feed, Value)> {
        let mut first = payload(lead, lead.made);
        if let Some(Appointment { starts, status, .. }) = &lead.appointment {
            let local = self.local(*starts).format("%Y-%m-%d %H:%M:%S").to_string();
            first["appointments"] = json!([{ "id": 700_000 + lead.number, "starts_at": local, "length_in_minutes": 30, "status": status,
                "car_for_test_drive": "A car" }]);
        }
        let mut all = Vec::new();
        if let Some(budget) = lead.budget {
            all.push((lead.arrived, Feed::LeadCluster, cluster(lead, budget)));
        } else {
            all.push((lead.arrived, Feed::Lead, first));
        }
        if let Some(at) = lead.answered {
            let told = at + TimeDelta::seconds(70);
            let mut answered = payload(lead, told);
            answered["lead_events"] = json!([{ "id": 900_000 + lead.number, "event_type": "phone", "created_at": at,
                "updated_at": at }]);
            all.push((told + TimeDelta::seconds(5), Feed::Lead, answered));
        }
        if let Some((at, status, reason)) = lead.settled {
            let mut settled = payload(lead, at);
            settled["lead_status_option"] = json!({ "id": 140, "name": status,
                "status_type": if status == "won" { "converted" } else { status } });
            settled["lost_reason"] = json!(reason);
            all.push((at + TimeDelta::seconds(5), Feed::Lead, settled));
        }
        if let Some(at) = lead.appointment.as_ref().and_then(|appointment| appointment.removed) {
            let mut removed = payload(lead, at);
            removed["appointments"] = json!([]);
            all.push((at + TimeDelta::seconds(5), Feed::Lead, removed));
        }
        all
    }

    fn of_car(&self, car: &Car) -> Vec<(DateTime<Utc>, Value, &'static str)> {
        let mut all = Vec::new();
        let minutes = 1_300 - i64::try_from(car.number).unwrap();
        let mut told = None;
        for day in (car.last_day..=DAYS).rev() {
            let at = self.ago(day, minutes);
            if at < car.first {
                continue;
            }
            let (modified, price) = match car.repriced {
                Some((changed, price)) if at >= changed => (changed, price),
                _ => (car.first, car.price),
            };
            let outcome = if told == Some(modified) { "unchanged" } else { "applied" };
            told = Some(modified);
            all.push((at, vehicle(car, car.dealership, modified, price), outcome));
        }
        if let Some(at) = car.withdrawn {
            let mut gone = vehicle(car, car.dealership, at, car.price);
            gone["SaleStatus"] = "WITHDRAWN".into();
            all.push((at, gone, "applied"));
        }
        if let Some((at, dealership)) = car.again {
            let mut again = vehicle(car, dealership, at, car.price);
            again["Identifier"] = (8_000 + car.number).into();
            all.push((at, again.clone(), "applied"));
            for day in 0..2 {
                all.push((self.ago(day, minutes), again.clone(), "unchanged"));
            }
        }
        all
    }

    /// Everything that is delivered, in order of arrival.
    fn plan(&mut self) -> Vec<Planned> {
        let mut all = Vec::new();
        for lead in &self.leads {
            let email_is_wrong = lead.email.is_none() || lead.is_born_wrong;
            for (at, feed, body) in self.of_lead(lead) {
                let is_blocked = !lead.blockers().is_empty()
                    || lead.asks.is_some_and(|(vin, _)| vin == AWAITED && at < self.ago(10, 1_300 - 17));
                let times = i64::from(body.get("shoe_size").is_some());
                *self.unknown.entry(lead.workspace()).or_default() += times;
                all.push(Planned {
                    delivery: arrive(at, feed, &body),
                    workspace: lead.workspace(),
                    outcome: "applied",
                    has_findings: is_blocked || email_is_wrong,
                });
            }
        }
        for car in &self.cars {
            for (at, body, outcome) in self.of_car(car) {
                let delivery = arrive(at, Feed::Inventory, &body);
                all.push(Planned { delivery, workspace: workspace(car.dealership), outcome, has_findings: false });
            }
        }
        for property in &self.properties {
            let body = json!({ "event": "lead.created", "data": {
                "id": 1 + property.number, "full_name": "Ann Bell", "first_name": "Ann", "last_name": "Bell",
                "phone": format!("071234560{:02}", property.number),
                "email": format!("owner{}@example.com", property.number), "type": property.kind, "stage": property.stage,
                "address": "51 Asimov Place, Starbridge", "postcode": "N1 3JY", "createdAt": property.made,
            } });
            let only = Permitted::Only(["alpha".to_owned()].into());
            let delivery = Delivery {
                credential: "leadpro".to_owned(),
                permitted: only,
                ..arrive(property.made + TimeDelta::seconds(15), Feed::LeadPro, &body)
            };
            all.push(Planned { delivery, workspace: "alpha", outcome: "applied", has_findings: false });
        }
        for number in 0..3 {
            let body = json!({ "id": 5_000 + number, "dealership": { "id": 999 } });
            let delivery = arrive(self.ago(1 + number, 400), Feed::Lead, &body);
            all.push(Planned { delivery, workspace: "none", outcome: "rejected", has_findings: true });
        }
        all.sort_by_key(|planned| planned.delivery.received_at);
        all
    }
}

fn cluster(lead: &Lead, budget: i64) -> Value {
    json!({
        "id": 20_000 + lead.number, "dealership_id": lead.dealership, "created": lead.made, "modified": lead.made,
        "contact": { "email": lead.email, "mobile_phone": lead.phone, "first_name": lead.first_name },
        "leads": [{
            "id": 1_000 + lead.number, "created": lead.made, "modified": lead.made, "category": lead.category,
            "source": lead.source, "budget": budget,
            "prospect": { "name": lead.first_name, "last_name": "Citizen", "email": lead.email,
                "mobile_phone": lead.phone },
        }],
    })
}

fn vehicle(car: &Car, dealership: i64, modified: DateTime<Utc>, price: i64) -> Value {
    let package = if dealership == 285 {
        json!([{ "Name": "Premium", "WeeklyPrice": 150 }])
    } else {
        json!([{ "Name": "Premium", "WeeklyPrice": 200 }, { "Name": "Starter", "WeeklyPrice": 120 }])
    };
    json!({
        "Type": "CAR", "Identifier": 7_000 + car.number, "ListingType": "used", "SaleStatus": "For Sale", "SaleType": "Retail",
        "CreatedUtc": car.created, "LastModifiedUtc": modified,
        "Identification": [{ "Type": "VIN", "Value": vin(car.number) },
            { "Type": "StockNumber", "Value": format!("S{dealership}-{}", car.number) }],
        "Specification": { "Make": make(car.number), "Model": "Model" },
        "PriceList": [{ "Type": "EGC", "Currency": "AUD", "Amount": price }],
        "Seller": { "Identifier": dealership }, "SubscriptionPricing": package,
    })
}

// ---- living

/// Lives through it.
pub(super) async fn live() -> (TestService, Life) {
    let mut life = Life::new();
    let config = config(life.zone);
    let service = service_with(&config).await;
    let store = service.intake().store();
    let begin = life.base - TimeDelta::days(DAYS + 1);
    CLOCK.store(begin.timestamp_micros(), Ordering::SeqCst);
    let data_dir = tempfile::tempdir().unwrap();
    let config = parsed(&config, data_dir.path());
    let applied = configuration::apply(store, &config.workspaces, clock()).await.unwrap();
    let leadpro = Permitted::Only(["alpha".to_owned()].into());
    let permitted = [("all".to_owned(), Permitted::All), ("leadpro".to_owned(), leadpro)].into();
    let hold = Duration::from_mins(10);
    let settings = Settings { hold, writers: 4, reading_bytes: 64 << 20, clock, metrics: Metrics::default() };
    let intake = Intake::new(store.clone(), WorkspaceRouter::new(config.workspaces, &applied, permitted), settings);
    let acceptor = Acceptor::new(None, Timeouts { deadline: hold, hold, max_held_bytes: usize::MAX });
    acceptor.open(intake.clone());
    let settings = SilenceSettings::new(Arc::new(|| None), None, Metrics::default());
    let silence = Silence::new(intake.clone(), SilenceSettings { longest_pause: TimeDelta::days(2), ..settings });

    let mut plan = life.plan().into_iter().peekable();
    for day in (0..=DAYS).rev() {
        let until = life.base - TimeDelta::days(day);
        while let Some(planned) = plan.next_if(|planned| planned.delivery.received_at < until) {
            let at = planned.delivery.received_at;
            CLOCK.store((at + TimeDelta::milliseconds(5)).timestamp_micros(), Ordering::SeqCst);
            let feed = planned.delivery.feed.name();
            acceptor.accept(planned.delivery).await.unwrap();
            life.deliveries.push((at, planned.workspace, feed, planned.outcome, planned.has_findings));
        }
        CLOCK.store(until.timestamp_micros(), Ordering::SeqCst);
        silence.round(clock()).await.unwrap();
        if day == ERASED.1 {
            let email = life.leads[usize::try_from(ERASED.0).unwrap()].email.clone().unwrap();
            let order = Order {
                id: uuid::Uuid::now_v7(),
                erased_at: clock(),
                target: Target::Address(Email::parse(&email).unwrap()),
                workspace: None,
                reason: None,
                acted_by: "test".to_owned(),
            };
            erasure::erase(store, &order, Mode::Commit, None).await.unwrap();
        }
    }
    assert!(plan.next().is_none());
    intake.finish().await;
    (service, life)
}
