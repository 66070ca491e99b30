//! What is known now of what a story is about, as lines of a label and a value. Identity documents are told as kept, and
//! never shown.

use super::gather::Gathered;
use super::subject::Subject;
use super::types::{Fact, Kind, Link};
use crate::store::story::{ClusterRow, LeadRow, ListingRow, PersonRow};

/// What stands in the place of an identity document.
const MASKED: &str = "kept; its number is not shown here";

/// The title, the key and the facts of a subject; `wanted` is what was looked for.
pub(super) fn of(subject: &Subject, gathered: &Gathered, wanted: &str) -> (String, String, Vec<Fact>) {
    let named = match subject {
        Subject::Lead(_) => gathered.leads.first().map(of_lead),
        Subject::Person(_) => gathered.persons.first().map(of_person),
        Subject::Cluster(_) => gathered.clusters.first().map(of_cluster),
        Subject::Vehicle(id) => {
            let listing = gathered.listings.iter().find(|listing| listing.id == *id);
            listing.map(|listing| of_vehicle(listing, gathered))
        }
        Subject::Nobody(..) => {
            let title = format!("no customer yet: {wanted}");
            let facts = gathered.clusters.iter().map(|of| link("cluster", &of.external_id, Kind::Cluster)).collect();
            Some((title, wanted.to_owned(), facts))
        }
        Subject::Missing(_) => {
            Some((format!("vehicle {wanted}, which is not in stock"), wanted.to_owned(), Vec::new()))
        }
    };
    named.unwrap_or_else(|| (format!("{} {wanted}", subject.kind().name()), wanted.to_owned(), Vec::new()))
}

fn fact(label: &'static str, value: impl Into<String>) -> Fact {
    Fact { label, value: value.into(), link: None }
}

fn link(label: &'static str, key: &str, kind: Kind) -> Fact {
    Fact { label, value: key.to_owned(), link: Some(Link { kind, key: key.to_owned() }) }
}

/// The lines whose value is known.
fn known(lines: Vec<(&'static str, Option<String>)>) -> Vec<Fact> {
    lines.into_iter().filter_map(|(label, value)| Some(fact(label, value?))).collect()
}

fn name(first: Option<&String>, last: Option<&String>) -> Option<String> {
    let parts: Vec<&str> = [first, last].into_iter().flatten().map(String::as_str).collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

fn of_lead(lead: &LeadRow) -> (String, String, Vec<Fact>) {
    let mut facts = known(vec![
        ("sender", Some(lead.sender.clone())),
        ("customer", name(lead.contact_first_name.as_ref(), lead.contact_last_name.as_ref())),
    ]);
    facts.extend(lead.contact_email.as_deref().map(|email| link("e-mail", email, Kind::Person)));
    facts.extend(lead.contact_phone.as_deref().map(|phone| link("phone", phone, Kind::Person)));
    facts.extend(known(vec![
        ("category", lead.category.clone()),
        ("source", lead.source.clone()),
        ("status", lead.status.clone()),
        ("salesperson", lead.salesperson_name.clone()),
    ]));
    facts.extend(lead.cluster.as_deref().map(|cluster| link("cluster", cluster, Kind::Cluster)));
    facts.extend(lead.vin.as_deref().map(|vin| link("asks for VIN", vin, Kind::Vehicle)));
    facts.extend(lead.stock_number.as_deref().map(|number| link("asks for stock number", number, Kind::Vehicle)));
    facts.extend(known(vec![
        ("asks for plan", lead.subscription_plan.clone()),
        ("asks for location", lead.location_name.clone()),
    ]));
    (format!("lead {}", lead.external_id), lead.external_id.clone(), facts)
}

fn of_person(person: &PersonRow) -> (String, String, Vec<Fact>) {
    let mut facts = vec![fact("e-mail", &person.email)];
    facts.extend(known(vec![
        ("name", name(person.first_name.as_ref(), person.last_name.as_ref())),
        ("business", person.business_name.clone()),
    ]));
    for (label, phone) in [("mobile phone", &person.mobile_phone), ("home phone", &person.home_phone)] {
        facts.extend(phone.as_deref().map(|phone| link(label, phone, Kind::Person)));
    }
    facts.extend(known(vec![
        ("date of birth", person.date_of_birth.map(|day| day.to_string())),
        ("postcode", person.postcode.clone()),
        ("driver licence", person.has_licence.then(|| MASKED.to_owned())),
        ("passport", person.has_passport.then(|| MASKED.to_owned())),
    ]));
    let named = name(person.first_name.as_ref(), person.last_name.as_ref());
    (named.unwrap_or_else(|| person.email.clone()), person.email.clone(), facts)
}

fn of_cluster(cluster: &ClusterRow) -> (String, String, Vec<Fact>) {
    let mut facts =
        known(vec![("contact", name(cluster.contact_first_name.as_ref(), cluster.contact_last_name.as_ref()))]);
    facts.extend(cluster.contact_email.as_deref().map(|email| link("e-mail", email, Kind::Person)));
    facts.extend(cluster.contact_phone.as_deref().map(|phone| link("phone", phone, Kind::Person)));
    facts.extend(known(vec![("status", cluster.status.clone()), ("salesperson", cluster.salesperson_name.clone())]));
    (format!("lead cluster {}", cluster.external_id), cluster.external_id.clone(), facts)
}

fn of_vehicle(listing: &ListingRow, gathered: &Gathered) -> (String, String, Vec<Fact>) {
    let own = gathered.identifiers.iter().filter(|(of, _)| *of == listing.id);
    let identifiers: Vec<&str> = own.map(|(_, identifier)| identifier.as_str()).collect();
    let facts = known(vec![
        ("VIN", listing.vin.clone()),
        ("stock number", listing.stock_number.clone()),
        ("plate", listing.registration_number.clone()),
        ("identifiers", (!identifiers.is_empty()).then(|| identifiers.join(", "))),
        ("title", listing.title.clone()),
        ("status", Some(status(&listing.status))),
        ("dealership", listing.dealership_id.map(|id| id.to_string())),
        ("location", listing.location_name.clone()),
    ]);
    let key = [&listing.vin, &listing.identifier, &listing.stock_number].into_iter().flatten().next();
    (vehicle(listing), key.cloned().unwrap_or_default(), facts)
}

fn status(status: &str) -> String {
    match status {
        "for_sale" => "for sale".to_owned(),
        other => other.to_owned(),
    }
}

/// A vehicle in words: year, make and model, else what it is known by.
pub(super) fn vehicle(listing: &ListingRow) -> String {
    let year = listing.year.map(|year| year.to_string());
    let words: Vec<&str> = [year.as_ref(), listing.make.as_ref(), listing.model.as_ref()]
        .into_iter()
        .flatten()
        .map(String::as_str)
        .collect();
    if !words.is_empty() {
        return words.join(" ");
    }
    let known = [("VIN", &listing.vin), ("stock number", &listing.stock_number), ("identifier", &listing.identifier)];
    let known = known.into_iter().find_map(|(label, value)| Some(format!("vehicle with {label} {}", value.as_ref()?)));
    known.unwrap_or_else(|| "a vehicle".to_owned())
}
