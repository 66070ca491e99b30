//! The answers of the thirty questions, worked out from the rules of the history and from nothing in the tables.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use forecourt::domain::finding::Code;
use serde_json::{Value, json};

use super::life::{Car, ERASED, Lead, Life, make, name, workspace};
use crate::support::vin;

/// The answer of each question: its rows.
pub(super) fn of(life: &Life) -> BTreeMap<usize, Vec<Value>> {
    let answers: [fn(&Life) -> Vec<Value>; 30] = [
        by_day,
        by_dealership,
        by_source_and_category,
        conversion,
        time_to_booking,
        first_response,
        unanswered,
        lost,
        same_phone,
        of_an_address,
        of_a_number,
        consent,
        erased,
        by_age,
        by_make,
        until_gone,
        not_asked_for,
        price_cuts,
        withdrawn,
        not_in_the_feed,
        packages,
        blocked,
        next_week,
        no_shows,
        trade_ins,
        finance,
        property,
        silent,
        unknown,
        deliveries,
    ];
    answers.iter().enumerate().map(|(place, answer)| (place + 1, answer(life))).collect()
}

fn days(life: &Life, days: i64) -> DateTime<Utc> {
    life.base - TimeDelta::days(days)
}

/// The leads of Dealer Studio of the last four weeks.
fn recent(life: &Life) -> Vec<&Lead> {
    life.leads.iter().filter(|lead| lead.made >= days(life, 28)).collect()
}

/// Things by what they have in common.
fn grouped<T, K: Ord>(all: impl IntoIterator<Item = T>, key: impl Fn(&T) -> K) -> BTreeMap<K, Vec<T>> {
    let mut groups: BTreeMap<K, Vec<T>> = BTreeMap::new();
    for one in all {
        groups.entry(key(&one)).or_default().push(one);
    }
    groups
}

/// Rows sorted by what stands first in each, without it.
fn sorted<K: Ord>(mut rows: Vec<(K, Value)>) -> Vec<Value> {
    rows.sort_by(|one, other| one.0.cmp(&other.0));
    rows.into_iter().map(|(_, row)| row).collect()
}

fn count<T>(all: &[T], is_one: impl Fn(&T) -> bool) -> usize {
    all.iter().filter(|one| is_one(one)).count()
}

#[expect(clippy::cast_precision_loss, reason = "a few hundred leads")]
fn float(number: usize) -> f64 {
    number as f64
}

/// To so many decimals, as Postgres rounds numbers.
fn rounded(value: f64, decimals: i32) -> f64 {
    let factor = 10_f64.powi(decimals);
    // A hair more, so that what is a half in decimals goes up in binary, too.
    (value * factor + 1e-6).round() / factor
}

fn average(values: &[i64]) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "prices and days")]
    let sum = values.iter().sum::<i64>() as f64;
    sum / float(values.len())
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    Some(f64::midpoint(values[last / 2], values[values.len() / 2]))
}

/// From one moment to another in minutes, with one decimal, as the views have it.
fn minutes(from: DateTime<Utc>, to: DateTime<Utc>) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "weeks in seconds")]
    rounded((to - from).num_seconds() as f64 / 60.0, 1)
}

// ---- leads

fn by_day(life: &Life) -> Vec<Value> {
    let made = recent(life).iter().map(|lead| lead.made).collect::<Vec<_>>();
    let properties = life.properties.iter().map(|property| property.made).filter(|made| *made >= days(life, 28));
    let by_day = grouped(made.into_iter().chain(properties), |made| life.day(*made));
    by_day.into_iter().map(|(day, leads)| json!([day, leads.len()])).collect()
}

fn by_dealership(life: &Life) -> Vec<Value> {
    let mut all: Vec<_> = recent(life).iter().map(|l| (l.workspace(), Some(name(l.dealership)), l.made)).collect();
    let properties = life.properties.iter().filter(|property| property.made >= days(life, 28));
    all.extend(properties.map(|property| ("alpha", None, property.made)));
    // What has no dealership stands last.
    let groups = grouped(all, |(workspace, dealership, _)| (*workspace, dealership.is_none(), *dealership));
    let row = |((workspace, _, dealership), leads): ((_, _, _), Vec<(_, _, DateTime<Utc>)>)| {
        let last = count(&leads, |(_, _, made)| *made >= days(life, 14));
        json!([workspace, dealership, leads.len() - last, last])
    };
    groups.into_iter().map(row).collect()
}

fn by_source_and_category(life: &Life) -> Vec<Value> {
    let mut all: Vec<_> = recent(life).iter().map(|lead| (lead.source, lead.category)).collect();
    let properties = life.properties.iter().filter(|property| property.made >= days(life, 28));
    all.extend(properties.map(|property| ("", property.kind)));
    let groups = grouped(all, |of| *of);
    let row = |((source, category), leads): ((&'static str, &'static str), Vec<_>)| {
        let source = Some(source).filter(|source| !source.is_empty());
        let many = std::cmp::Reverse(leads.len());
        ((many, source.is_none(), source, category), json!([source, category, leads.len()]))
    };
    sorted(groups.into_iter().map(row).collect())
}

fn conversion(life: &Life) -> Vec<Value> {
    let asking = recent(life).into_iter().filter(|lead| lead.asks.is_some());
    let groups = grouped(asking, |lead| lead.source);
    let row = |(source, leads): (&'static str, Vec<&Lead>)| {
        let booked = count(&leads, |lead| life.booked(lead).is_some());
        let percent = rounded(100.0 * float(booked) / float(leads.len()), 1);
        #[expect(clippy::cast_possible_truncation, reason = "a tenth of a percent")]
        let place = -(percent * 10.0).round() as i64;
        ((place, source), json!([source, leads.len(), booked, percent]))
    };
    sorted(groups.into_iter().map(row).collect())
}

fn time_to_booking(life: &Life) -> Vec<Value> {
    let recent = life.leads.iter().filter(|lead| lead.made >= days(life, 14));
    let booked = recent.filter_map(|lead| Some((lead, minutes(lead.made, life.booked(lead)?))));
    let groups = grouped(booked, |(lead, _)| (lead.workspace(), name(lead.dealership)));
    let row = |((workspace, dealership), all): ((_, _), Vec<(&Lead, f64)>)| {
        let times: Vec<f64> = all.iter().map(|(_, minutes)| *minutes).collect();
        let slowest = times.iter().copied().fold(0.0, f64::max);
        json!([workspace, dealership, all.len(), median(times).map(|median| rounded(median, 1)), slowest])
    };
    groups.into_iter().map(row).collect()
}

fn first_response(life: &Life) -> Vec<Value> {
    let recent = life.leads.iter().filter(|lead| lead.made >= days(life, 14));
    let groups = grouped(recent, |lead| (lead.workspace(), name(lead.dealership)));
    let mut rows = Vec::new();
    for ((workspace, dealership), leads) in groups {
        let times: Vec<f64> = leads.iter().filter_map(|lead| Some(minutes(lead.made, lead.answered?))).collect();
        let soon = count(&times, |minutes| *minutes <= 60.0);
        let median = median(times.clone()).map(|median| rounded(median, 1));
        rows.push(((workspace, false), json!([workspace, dealership, leads.len(), times.len(), median, soon])));
    }
    let properties = count(&life.properties, |property| property.made >= days(life, 14));
    rows.push((("alpha", true), json!(["alpha", null, properties, 0, null, 0])));
    sorted(rows)
}

fn unanswered(life: &Life) -> Vec<Value> {
    let is_in = |made: DateTime<Utc>| made >= days(life, 7) && made < days(life, 1);
    let leads = life.leads.iter().filter(|lead| is_in(lead.made) && lead.answered.is_none()).map(|lead| {
        let id = (1_000 + lead.number).to_string();
        (lead.made, json!([lead.workspace(), name(lead.dealership), id, lead.made, lead.category, null]))
    });
    let properties = life.properties.iter().filter(|property| is_in(property.made)).map(|property| {
        let id = (1 + property.number).to_string();
        (property.made, json!(["alpha", null, id, property.made, property.kind, null]))
    });
    sorted(leads.chain(properties).collect())
}

fn lost(life: &Life) -> Vec<Value> {
    let lost = recent(life).into_iter().filter_map(|lead| {
        let (_, status, reason) = lead.settled?;
        (status == "lost").then(|| (lead.workspace(), reason.unwrap_or("not said")))
    });
    let row = |((workspace, reason), leads): ((&'static str, &'static str), Vec<_>)| {
        ((workspace, std::cmp::Reverse(leads.len()), reason), json!([workspace, reason, leads.len()]))
    };
    sorted(grouped(lost, |of| *of).into_iter().map(row).collect())
}

// ---- customers

/// The customers that there are, by workspace and address, with their leads in order.
fn customers(life: &Life) -> BTreeMap<(&'static str, String), Vec<&Lead>> {
    let known = life.leads.iter().filter(|lead| lead.has_customer());
    grouped(known, |lead| (lead.workspace(), lead.email.clone().unwrap()))
}

fn same_phone(life: &Life) -> Vec<Value> {
    let all = customers(life);
    let newest = all.iter().map(|((workspace, email), leads)| (*workspace, leads.last().unwrap().phone.clone(), email));
    let groups = grouped(newest, |(workspace, phone, _)| (*workspace, phone.clone()));
    let row = |((workspace, phone), customers): ((&'static str, String), Vec<(_, _, &String)>)| {
        let addresses: Vec<&str> = customers.iter().map(|(_, _, email)| email.as_str()).collect();
        let place = (std::cmp::Reverse(customers.len()), workspace, phone.clone());
        (place, json!([workspace, phone, customers.len(), addresses.join(", ")]))
    };
    let several = groups.into_iter().filter(|(_, customers)| customers.len() > 1);
    sorted(several.map(row).collect())
}

fn booking_state(life: &Life, lead: &Lead) -> &'static str {
    match (lead.asks, life.booked(lead)) {
        (None, _) => "not_requested",
        (Some(_), Some(_)) => "created",
        (Some(_), None) => "blocked",
    }
}

fn of_an_address(life: &Life) -> Vec<Value> {
    let of_ada = life
        .leads
        .iter()
        .filter(|lead| lead.email.as_ref().is_some_and(|email| email.eq_ignore_ascii_case("ada@example.com")));
    let row = |lead: &Lead| {
        let id = (1_000 + lead.number).to_string();
        let (status, state) = (lead.settled.map(|(_, status, _)| status), booking_state(life, lead));
        json!([lead.workspace(), name(lead.dealership), id, life.day(lead.made), lead.category, status, state])
    };
    of_ada.map(row).collect()
}

fn of_a_number(life: &Life) -> Vec<Value> {
    let all = customers(life);
    let theirs = all.iter().filter(|(_, leads)| leads.last().unwrap().phone == "+61411000001");
    let row = |((workspace, email), leads): (&(&str, String), &Vec<&Lead>)| {
        let newest = leads.last().unwrap();
        json!([workspace, email, newest.first_name, "Citizen", newest.made])
    };
    theirs.map(row).collect()
}

fn consent(life: &Life) -> Vec<Value> {
    let mut rows = Vec::new();
    for ((workspace, email), leads) in customers(life) {
        let Some(said) = leads.iter().rev().find(|lead| lead.opt_in.is_some()) else { continue };
        if said.opt_in == Some(true) && said.made >= days(life, 28) {
            let first_name = &leads.last().unwrap().first_name;
            let id = (1_000 + said.number).to_string();
            let row = json!([workspace, email, first_name, life.day(said.made), said.source, id]);
            rows.push(((workspace, said.made, email), row));
        }
    }
    sorted(rows)
}

fn erased(life: &Life) -> Vec<Value> {
    let lead = life.leads.iter().find(|lead| lead.number == ERASED.0).unwrap();
    let (_, package) = lead.asks.unwrap();
    let id = (1_000 + lead.number).to_string();
    vec![json!([lead.workspace(), name(lead.dealership), id, lead.category, lead.source, "created", null, package])]
}

// ---- stock

/// Whose a car is now.
fn dealership(car: &Car) -> i64 {
    car.again.map_or(car.dealership, |(_, dealership)| dealership)
}

fn is_for_sale(car: &Car) -> bool {
    car.withdrawn.is_none() || car.again.is_some()
}

/// From when a car was made until it went, else until now.
fn days_on_lot(life: &Life, car: &Car) -> i64 {
    let until = if is_for_sale(car) { life.base } else { car.withdrawn.unwrap() };
    (life.day(until) - life.day(car.created)).num_days()
}

fn for_sale(life: &Life) -> impl Iterator<Item = &Car> {
    life.cars.iter().filter(|car| is_for_sale(car))
}

fn by_age(life: &Life) -> Vec<Value> {
    let groups = grouped(for_sale(life), |car| (workspace(car.dealership), name(dealership(car))));
    let row = |((workspace, dealership), cars): ((_, _), Vec<&Car>)| {
        let old = |from: i64, to: i64| count(&cars, |car| (from..to).contains(&days_on_lot(life, car)));
        let worth: i64 = cars.iter().map(|car| Life::price(car)).sum();
        json!([workspace, dealership, old(0, 30), old(30, 60), old(60, i64::MAX), worth, "AUD"])
    };
    groups.into_iter().map(row).collect()
}

fn by_make(life: &Life) -> Vec<Value> {
    let groups = grouped(for_sale(life), |car| make(car.number));
    let row = |(make, cars): (&'static str, Vec<&Car>)| {
        let price = average(&cars.iter().map(|car| Life::price(car)).collect::<Vec<_>>());
        let age = average(&cars.iter().map(|car| days_on_lot(life, car)).collect::<Vec<_>>());
        let row = json!([make, cars.len(), rounded(price, 0), rounded(age, 0), "AUD"]);
        ((std::cmp::Reverse(cars.len()), make), row)
    };
    sorted(groups.into_iter().map(row).collect())
}

fn until_gone(life: &Life) -> Vec<Value> {
    let gone = life.cars.iter().filter(|car| !is_for_sale(car) && car.withdrawn.unwrap() >= days(life, 28));
    let row = |(make, cars): (&'static str, Vec<&Car>)| {
        let ages: Vec<i64> = cars.iter().map(|car| days_on_lot(life, car)).collect();
        let (fastest, slowest) = (ages.iter().min(), ages.iter().max());
        json!([make, cars.len(), fastest, rounded(average(&ages), 1), slowest])
    };
    grouped(gone, |car| make(car.number)).into_iter().map(row).collect()
}

fn number_of(car: &Car) -> String {
    format!("S{}-{}", dealership(car), car.number)
}

fn not_asked_for(life: &Life) -> Vec<Value> {
    let is_asked_for = |car: &Car| {
        life.leads.iter().any(|lead| {
            lead.workspace() == workspace(car.dealership) && lead.asks.is_some_and(|(number, _)| number == car.number)
        })
    };
    let idle = for_sale(life).filter(|car| days_on_lot(life, car) >= 28 && !is_asked_for(car));
    let row = |car: &Car| {
        let (vin, age) = (vin(car.number), days_on_lot(life, car));
        let of = (workspace(car.dealership), name(dealership(car)));
        let row = json!([of.0, of.1, number_of(car), vin, make(car.number), "Model", age, Life::price(car), "AUD"]);
        ((std::cmp::Reverse(age), vin), row)
    };
    sorted(idle.map(row).collect())
}

fn price_cuts(life: &Life) -> Vec<Value> {
    let mut rows = Vec::new();
    for car in &life.cars {
        let Some((at, price)) = car.repriced.filter(|(at, price)| *at >= days(life, 28) && *price < car.price) else {
            continue;
        };
        #[expect(clippy::cast_precision_loss, reason = "a price")]
        let percent = (10_000.0 * (price - car.price) as f64 / car.price as f64).round() / 100.0;
        #[expect(clippy::cast_possible_truncation, reason = "a hundredth of a percent")]
        let place = (percent * 100.0).round() as i64;
        let (vin, of) = (vin(car.number), (workspace(car.dealership), name(car.dealership)));
        let row = json!([of.0, of.1, vin, make(car.number), "Model", life.day(at), car.price, price, percent, "AUD"]);
        rows.push(((place, vin), row));
    }
    sorted(rows)
}

fn withdrawn(life: &Life) -> Vec<Value> {
    let gone = life.cars.iter().filter(|car| car.withdrawn.is_some_and(|at| at >= days(life, 7)));
    let row = |car: &Car| {
        let (vin, at) = (vin(car.number), car.withdrawn.unwrap());
        let again = car.again.map(|(at, dealership)| (life.day(at), name(dealership)));
        let (on, by) = (again.map(|(on, _)| on), again.map(|(_, by)| by));
        let row = json!([workspace(car.dealership), vin, make(car.number), "Model", life.day(at), on, by]);
        ((at, vin), row)
    };
    sorted(gone.map(row).collect())
}

fn not_in_the_feed(life: &Life) -> Vec<Value> {
    let absent = for_sale(life).filter(|car| car.again.is_none() && car.last_day > 2);
    let row = |car: &Car| {
        let seen = life.ago(car.last_day, 1_300 - i64::try_from(car.number).unwrap());
        let (vin, of) = (vin(car.number), (workspace(car.dealership), name(car.dealership)));
        let row = json!([of.0, of.1, number_of(car), vin, make(car.number), "Model", life.day(seen)]);
        ((seen, vin), row)
    };
    sorted(absent.map(row).collect())
}

// ---- bookings and appointments

fn packages(life: &Life) -> Vec<Value> {
    let booked = life.leads.iter().filter(|lead| life.booked(lead).is_some_and(|at| at >= days(life, 28)));
    let groups = grouped(booked, |lead| (lead.workspace(), lead.asks.unwrap().1));
    let row = |((workspace, package), leads): ((&'static str, &'static str), Vec<&Lead>)| {
        let price = match (workspace, package) {
            ("beta", _) => 150,
            (_, "Premium") => 200,
            _ => 120,
        };
        let location = if workspace == "beta" { "Coast" } else { "City" };
        let row = json!([workspace, location, package, leads.len(), leads.len() * price, "AUD"]);
        ((workspace, std::cmp::Reverse(leads.len()), package), row)
    };
    sorted(groups.into_iter().map(row).collect())
}

fn blocked(life: &Life) -> Vec<Value> {
    let recent = life.leads.iter().filter(|lead| lead.arrived >= days(life, 28));
    let each = recent.flat_map(|lead| lead.blockers().into_iter().map(move |code| (lead, code)));
    let row = |((workspace, code), leads): ((&'static str, &'static str), Vec<(&Lead, _)>)| {
        let since = leads.iter().map(|(lead, _)| life.day(lead.made)).min();
        let remedy = Code::ALL.iter().find(|known| known.name() == code).unwrap().remedy();
        let row = json!([workspace, code, leads.len(), since, remedy]);
        ((workspace, std::cmp::Reverse(leads.len()), code), row)
    };
    sorted(grouped(each, |(lead, code)| (lead.workspace(), *code)).into_iter().map(row).collect())
}

fn next_week(life: &Life) -> Vec<Value> {
    let mut rows = Vec::new();
    for lead in &life.leads {
        let Some(appointment) = &lead.appointment else { continue };
        let is_soon = appointment.starts >= life.base && appointment.starts < life.base + TimeDelta::days(7);
        if is_soon && appointment.removed.is_none() && appointment.status != "cancelled" {
            let id = (1_000 + lead.number).to_string();
            let local = life.local(appointment.starts);
            let of = (lead.workspace(), name(lead.dealership));
            rows.push((appointment.starts, json!([of.0, of.1, local, 30, appointment.status, "A car", id])));
        }
    }
    sorted(rows)
}

fn no_shows(life: &Life) -> Vec<Value> {
    let past = life.leads.iter().filter_map(|lead| {
        let appointment = lead.appointment.as_ref().filter(|appointment| appointment.removed.is_none())?;
        let is_past = appointment.starts >= days(life, 28) && appointment.starts < life.base;
        is_past.then_some((lead, appointment.status))
    });
    let groups = grouped(past, |(lead, _)| (lead.workspace(), name(lead.dealership)));
    let row = |((workspace, dealership), all): ((_, _), Vec<(_, &str)>)| {
        let of = |status: &str| count(&all, |(_, known)| *known == status);
        json!([workspace, dealership, all.len(), of("completed"), of("no-show")])
    };
    groups.into_iter().map(row).collect()
}

// ---- trade-ins, finance, property

fn trade_ins(life: &Life) -> Vec<Value> {
    let offers = recent(life).into_iter().filter_map(|lead| lead.trade_in);
    let row = |(make, offers): (&'static str, Vec<(_, i64, bool)>)| {
        let price = average(&offers.iter().map(|(_, price, _)| *price).collect::<Vec<_>>());
        let row = json!([make, offers.len(), rounded(price, 0), count(&offers, |(_, _, accepted)| *accepted), "AUD"]);
        ((std::cmp::Reverse(offers.len()), make), row)
    };
    sorted(grouped(offers, |(make, _, _)| *make).into_iter().map(row).collect())
}

fn finance(life: &Life) -> Vec<Value> {
    let budgets = recent(life).into_iter().filter_map(|lead| lead.budget);
    let row = |(step, leads): (i64, Vec<_>)| json!([step * 10_000, step * 10_000 + 9_999, leads.len(), "AUD"]);
    grouped(budgets, |budget| budget / 10_000).into_iter().map(row).collect()
}

fn property(life: &Life) -> Vec<Value> {
    let recent = life.properties.iter().filter(|property| property.made >= days(life, 28));
    let row = |((kind, stage), leads): ((&'static str, &'static str), Vec<_>)| {
        ((kind, std::cmp::Reverse(leads.len()), stage), json!(["alpha", kind, stage, leads.len()]))
    };
    sorted(grouped(recent, |property| (property.kind, property.stage)).into_iter().map(row).collect())
}

// ---- the senders

fn silent(life: &Life) -> Vec<Value> {
    let of_hills = life
        .deliveries
        .iter()
        .filter(|(at, workspace, feed, _, _)| *workspace == "alpha" && *feed == "inventory" && *at < days(life, 5));
    // Its last vehicle is the one with the highest number.
    let last = life.ago(5, 1_300 - 18);
    assert!(of_hills.map(|(at, ..)| *at).max().is_some_and(|at| at == last), "the last of the day");
    vec![json!(["alpha", "Hills Motors", "inventory", last, life.day(last + TimeDelta::hours(26))])]
}

fn unknown(life: &Life) -> Vec<Value> {
    life.unknown
        .iter()
        .filter(|(_, times)| **times > 0)
        .map(|(workspace, times)| json!([workspace, "lead", "shoe_size", times]))
        .collect()
}

fn deliveries(life: &Life) -> Vec<Value> {
    let recent = life.deliveries.iter().filter(|(at, ..)| *at >= days(life, 7));
    let groups = grouped(recent, |(_, workspace, feed, outcome, _)| (*workspace, *feed, *outcome));
    let row = |((workspace, feed, outcome), all): ((_, _, _), Vec<&(_, _, _, _, bool)>)| {
        json!([workspace, feed, outcome, all.len(), count(&all, |(.., has_findings)| *has_findings)])
    };
    groups.into_iter().map(row).collect()
}
