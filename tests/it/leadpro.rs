//! LeadPro: an enquiry about a property becomes a person, a lead and a property, whichever of its events comes first.

use std::collections::BTreeSet;

use axum::body::Body;
use forecourt::domain::feed::Feed;
use serde_json::{Value, json};

use crate::support::payloads::{enquiry, with};
use crate::support::{
    Answer, CONFIG, LEADPRO, OTHER_TOKEN, TOKEN_OF_BETA, TestService, assert_holds, credential_of_beta,
    credential_of_leadpro, db_snapshot, fixture, fixtures, service, service_with,
};

/// The tests' configuration with a credential of LeadPro's own for `alpha`.
fn configuration() -> String {
    format!("{CONFIG}{}", credential_of_leadpro())
}

async fn service_for_leadpro() -> TestService {
    service_with(&configuration()).await
}

/// Posts a body with LeadPro's own credential.
async fn post(service: &TestService, body: impl Into<Body>) -> Answer {
    service.post_as(OTHER_TOKEN, LEADPRO, body).await
}

async fn send(service: &TestService, payload: &Value) -> Answer {
    post(service, payload.to_string()).await
}

/// An event about a lead that has what every lead must have; then the changes to its `data`.
fn event(name: &str, issued_at: Option<i64>, changes: Value) -> Value {
    let data = json!({
        "id": 1, "full_name": "Ann Bell", "email": "ann@example.com", "phone": "07123456789", "type": "swap",
        "createdAt": "2025-10-01T00:00:00Z",
    });
    let mut event = json!({ "event": name, "data": with(data, changes) });
    if let Some(issued_at) = issued_at {
        event["iat"] = issued_at.into();
    }
    event
}

fn created(changes: Value) -> Value {
    event("lead.created", None, changes)
}

fn updated(changes: Value) -> Value {
    event("lead.updated", None, changes)
}

#[tokio::test]
async fn the_pages_example_becomes_a_person_a_lead_and_a_property() {
    let service = service_for_leadpro().await;
    let answer = send(&service, &fixture("leadpro/leadpro_lead/page_example.json")).await;
    answer.expect_parts(json!({ "outcome": "applied", "person": "created", "lead": "created", "booking": null }));
    assert_eq!(answer.findings(), [("field_type", "data.meta")]);
    let person = json!({
        "email": "rbranson@virgin.com", "title": "Sir", "first_name": "Richard", "last_name": "Branson",
        "mobile_phone": "+447123456789", "home_phone": null, "postcode": "N1 3JY", "marketing_opt_in": null,
        "address_street": null,
    });
    service.expect_row("persons", person).await;
    let lead = json!({
        "sender": "leadpro", "external_id": "1", "category": "vendor", "source": "homepage", "status": null,
        "comments": "When can we view?", "contact_email": "rbranson@virgin.com", "contact_phone": "+447123456789",
        "contact_full_name": "Sir Ricard Branson",
        "contact_address": {"address": "51 Asimov Place, Starbridge", "postcode": "N1 3JY"},
        "additional_details": {"virtual tour": true}, "booking_state": "not_requested", "booking_blockers": [],
        "source_created_at": null, "source_modified_at": null,
    });
    service.expect_row("leads", lead).await;
    assert_eq!(service.count("leads where person_id is not null").await, 1);
    let expected = json!({
        "enquiry_type": "vendor", "stage": null, "address": "51 Asimov Place, Starbridge", "postcode": "N1 3JY",
        "advert_address": "51 Asimov Place, Starbridge", "advert_postcode": "N1 3JY", "bedrooms": null,
        "appointment_availability": {"hours": ["2021-01-01T08:00:00.000Z", "2021-01-01T09:00:00.000Z"]},
    });
    service.expect_row("property_enquiries", expected).await;
    let record = service.record(&answer).await;
    let expected = json!({
        "feed": "leadpro_lead", "credential": "leadpro", "outcome": "applied", "schema_version": null,
        "changes": { "person": "created", "lead": "created" },
    });
    assert_holds(&record, expected);
}

#[tokio::test]
async fn every_field_of_the_page_stands_in_its_column() {
    let service = service_for_leadpro().await;
    let answer = send(&service, &fixture("leadpro/leadpro_lead/every_field.json")).await;
    assert_eq!(answer.findings(), []);
    let row = service
        .row("select to_jsonb(q) - '{workspace_id,lead_id,clocks}'::text[] as property from property_enquiries q");
    let expected = json!({
        "enquiry_type": "vendor", "stage": "VALUATION_BOOKED", "address": "51 Asimov Place, Starbridge",
        "postcode": "N1 3JY", "advert_address": "52 Asimov Place, Starbridge", "advert_postcode": "N1 4JY",
        "advert_url": "https://www.site.com/result", "advert_image": "https://via.placeholder.com/150", "bedrooms": 4,
        "property_type": "detached", "property_reference": "your unique property reference", "international": true,
        "appointment_availability": {"hours": ["2021-04-22T10:00:00.000Z", "2021-05-22T10:00:00.000Z"]},
        "questionnaire": [["Do you have property to sell?", "yes"], ["When would you like to move", "Before july"]],
        "comparable_properties": [{
            "address": "68 Uftwen Road", "beds": 5, "coords": {"x": -0.082_544, "y": 51.5422},
            "date": "2021-02-10T00:00:00.000Z", "distance": 166, "months_ago": 7, "original_asking_price": 2_150_000,
            "price": 1_782_500, "time_taken_to_sell": 76,
        }],
        "average_sale_estimation": 10_000.5, "minimum_sale_estimation": 9_000, "maximum_sale_estimation": 233_333,
        "average_rent_estimation": 1_000_000, "minimum_rent_estimation": 55_444_333,
        "maximum_rent_estimation": 343_444_455, "office_id": "567", "office_name": "Oxford", "account_id": "9999",
        "account_name": "Skyline Estates", "referred_by_office_id": "222", "referred_by_office_name": "Cambridge",
        "referred_by_account_id": "334", "referred_by_account_name": "Lead Pro Ltd", "parent_external_id": "54",
        "host": "https://valuation.mydomain.com", "gdpr_checkbox": false,
    });
    assert_eq!(row.await["property"], expected);
    service.expect_row("leads", json!({
        "external_id": "1", "category": "vendor", "status": "UNREAD", "source": "rightmove",
        "comments": "When can I view this property?", "contact_title": "Mr", "contact_first_name": "Richard",
        "contact_last_name": "Smith", "contact_full_name": "Richard Smith",
        "contact_email": "richard.smith@gmail.com", "contact_phone": "+447123456789", "contact_postcode": "N1 3JY",
        "additional_details": {"virtual tour": "true"}, "source_created_at": "2000-01-22T16:23:45.678+00:00",
        "source_modified_at": "2023-11-14T22:13:20+00:00",
    })).await;
    service.intake().finish().await;
    assert_eq!(service.rows("select path from intake.drift").await, [] as [Value; 0]);
}

#[tokio::test]
async fn every_fixture_sent_twice_is_unchanged_the_second_time_and_writes_no_row() {
    let service = service_for_leadpro().await;
    for body in fixtures(Feed::LeadPro) {
        let shown = String::from_utf8_lossy(&body).into_owned();
        let first = post(&service, body.clone()).await;
        let before = service.versions().await;
        let second = post(&service, body).await;
        let expected = if first.body["outcome"] == "ignored" { "ignored" } else { "unchanged" };
        assert_eq!(second.body["outcome"], expected, "{first:?} {second:?} {shown}");
        assert_eq!(service.versions().await, before, "{shown}");
    }
}

#[tokio::test]
async fn another_event_is_ignored_with_its_reason_and_changes_nothing() {
    let service = service_for_leadpro().await;
    send(&service, &created(json!({ "message": "first" }))).await;
    let before = service.versions().await;
    for (name, codes) in [
        (json!("lead.deleted"), ["event_unknown"].as_slice()),
        (json!("created"), &["event_unknown"]),
        (json!(""), &["event_unknown"]),
        (json!(null), &["event_unknown"]),
        (json!(7), &["field_type", "event_unknown"]),
    ] {
        let mut other = updated(json!({ "message": "second", "unheard_of": 1 }));
        other["event"] = name.clone();
        let answer = send(&service, &other).await;
        assert_eq!(answer.status, 200);
        assert_eq!((answer.body["outcome"].as_str(), answer.codes()), (Some("ignored"), codes.to_vec()), "{name}");
        answer.expect_parts(json!({ "person": null, "lead": null }));
        let record = service.record(&answer).await;
        assert_holds(&record, json!({ "outcome": "ignored", "retry_at": null }));
        assert!(record["workspace_id"].is_number());
        assert_eq!(service.stored_body(&answer).await, other.to_string().into_bytes());
    }
    assert_eq!(service.versions().await, before);
    service.intake().finish().await;
    assert_eq!(service.count("intake.drift").await, 0);
}

#[tokio::test]
async fn a_credential_of_several_workspaces_is_told_that_it_must_have_one() {
    let service = service().await;
    let answer = service.post(LEADPRO, created(json!({})).to_string()).await;
    assert_eq!((answer.status.as_u16(), answer.body["outcome"].as_str()), (200, Some("rejected")));
    let finding = &answer.body["findings"][0];
    assert_eq!((finding["code"].as_str(), finding.get("path")), (Some("dealership_missing"), None));
    assert!(finding["message"].as_str().unwrap().contains("exactly one workspace"), "{finding}");
    assert_eq!(service.record(&answer).await["workspace_id"], json!(0));
    assert_eq!((service.count("leads").await, service.count("persons").await), (0, 0));

    let only = CONFIG.replace("workspaces = \"all\"", "workspaces = [\"beta\"]");
    let service = service.restarted_with(&only).await;
    let answer = service.post(LEADPRO, created(json!({})).to_string()).await;
    assert_eq!(answer.outcome(), "applied");
    let row = service.row("select slug from leads l join workspaces w on w.id = l.workspace_id").await;
    assert_eq!(row["slug"], "beta");
}

#[tokio::test]
async fn leads_of_two_senders_with_the_same_id_never_meet() {
    let service = service_for_leadpro().await;
    service.lead(&enquiry(json!({ "comments": "a car" }))).await;
    send(&service, &updated(json!({ "message": "a house" }))).await;
    service.lead(&enquiry(json!({ "updated_at": "2025-10-02T00:00:00Z", "lost_reason": "Price" }))).await;
    send(&service, &updated(json!({ "status": "BUSINESS" }))).await;
    let leads = service.rows("select sender, external_id, comments, status, lost_reason from leads order by 1").await;
    assert_eq!(
        leads,
        [
            json!({"sender": "dealer_studio", "external_id": "1", "comments": "a car", "status": null, "lost_reason": "Price"}),
            json!({"sender": "leadpro", "external_id": "1", "comments": "a house", "status": "BUSINESS", "lost_reason": null}),
        ]
    );
    // They have one customer, and only the lead about a property has one.
    assert_eq!((service.count("persons").await, service.count("property_enquiries").await), (1, 1));
    assert_eq!(service.count("leads where person_id is not null").await, 2);
}

/// Every order of so many things.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let Some(last) = count.checked_sub(1) else { return vec![Vec::new()] };
    let insert = |order: Vec<usize>| {
        (0..=order.len()).map(move |at| [&order[..at], &[last], &order[at..]].concat()).collect::<Vec<_>>()
    };
    orders(last).into_iter().flat_map(insert).collect()
}

/// What one customer's leads hold, as seen by people; `number` stands in ids and addresses.
async fn seen(service: &TestService, number: usize) -> Vec<Value> {
    let query = format!(
        "select jsonb_strip_nulls(to_jsonb(l)) - '{{workspace_id,id,person_id,received_at,updated_at,clocks,wishes,waits_for}}'::text[] as lead,
            jsonb_strip_nulls(to_jsonb(q)) - '{{workspace_id,lead_id,clocks}}'::text[] as property,
            jsonb_strip_nulls(to_jsonb(p)) - '{{workspace_id,id,created_at,updated_at,clocks}}'::text[] as person
        from leads l join property_enquiries q on q.lead_id = l.id left join persons p on p.id = l.person_id
        where l.external_id like 'c{number}x%' order by l.external_id"
    );
    let rows = service.rows(&query).await;
    rows.iter().map(|row| serde_json::from_str(&row.to_string().replace(&format!("c{number}x"), "")).unwrap()).collect()
}

/// Sends the events in every order, each order for a customer of its own, and each event once more at the end; gives what
/// people see, which is the same each time.
async fn in_every_order(events: &[Value]) -> Vec<Value> {
    let service = service_for_leadpro().await;
    let mut expected: Option<Vec<Value>> = None;
    for (number, order) in orders(events.len()).into_iter().enumerate() {
        let of_customer = |place: usize| {
            let mut event = events[place].clone();
            let id = event["data"]["id"].to_string();
            event["data"]["id"] = format!("c{number}x{id}").into();
            event["data"]["email"] = format!("c{number}xann@example.com").into();
            event
        };
        for times in 1..=2 {
            for place in &order {
                let answer = send(&service, &of_customer(*place)).await;
                assert!(["applied", "unchanged"].contains(&answer.body["outcome"].as_str().unwrap()), "{answer:?}");
            }
            let seen = seen(&service, number).await;
            assert_eq!(expected.get_or_insert_with(|| seen.clone()), &seen, "{order:?} {times}");
        }
    }
    expected.unwrap()
}

#[tokio::test]
async fn the_tokens_time_orders_the_events_and_of_one_second_the_update_is_the_newer() {
    let seen = in_every_order(&[
        event(
            "lead.created",
            Some(1_759_000_000),
            json!({ "message": "first", "stage": "NEW", "phone": "07123456780" }),
        ),
        event("lead.updated", Some(1_759_000_000), json!({ "stage": "CONTACTED", "phone": "07123456781" })),
        event("lead.updated", Some(1_759_000_050), json!({ "stage": "LOST", "message": null, "host": "a" })),
        event("lead.updated", Some(1_759_000_040), json!({ "stage": "WON", "status": "BUSINESS", "host": "b" })),
    ])
    .await;
    let [only] = seen.as_slice() else { panic!("{seen:?}") };
    let (lead, property, person) = (&only["lead"], &only["property"], &only["person"]);
    let expected =
        json!({ "comments": "first", "status": "BUSINESS", "source_modified_at": "2025-09-27T19:07:30+00:00" });
    assert_holds(lead, expected);
    assert_holds(property, json!({ "stage": "LOST", "host": "a" }));
    assert_eq!(person["mobile_phone"], "+447123456789");
}

#[tokio::test]
async fn without_the_tokens_time_a_creation_is_older_than_any_update() {
    let seen = in_every_order(&[
        created(json!({ "message": "first", "stage": "NEW", "first_name": "Annie", "host": "a" })),
        updated(json!({ "stage": "WON", "first_name": "Anna" })),
    ])
    .await;
    let [only] = seen.as_slice() else { panic!("{seen:?}") };
    assert_eq!((&only["lead"]["comments"], &only["property"]["stage"]), (&json!("first"), &json!("WON")));
    assert_eq!((&only["person"]["first_name"], &only["property"]["host"]), (&json!("Anna"), &json!("a")));

    // Also where the creation time is not told either.
    let seen = in_every_order(&[
        created(json!({ "createdAt": null, "first_name": "Annie" })),
        updated(json!({ "createdAt": null, "first_name": "Anna" })),
    ])
    .await;
    assert_eq!(seen[0]["person"]["first_name"], "Anna");
}

#[tokio::test]
async fn an_update_of_an_old_lead_does_not_bring_an_old_phone_number_back() {
    let old = |issued_at: i64, changes: Value| event("lead.updated", Some(issued_at), changes);
    let seen = in_every_order(&[
        old(1_759_000_000, json!({ "phone": "07123456780" })),
        old(1_759_000_010, json!({ "id": 2, "createdAt": "2025-10-02T00:00:00Z", "phone": "07123456781" })),
        old(1_759_000_020, json!({ "phone": "07123456780", "status": "BUSINESS" })),
    ])
    .await;
    let phones: BTreeSet<&str> = seen.iter().filter_map(|row| row["person"]["mobile_phone"].as_str()).collect();
    assert_eq!((seen.len(), phones), (2, BTreeSet::from(["+447123456781"])));
    assert_eq!(seen[0]["lead"]["status"], "BUSINESS");
}

#[tokio::test]
async fn an_event_that_is_older_than_what_is_known_is_unchanged_and_says_so() {
    let service = service_for_leadpro().await;
    send(&service, &event("lead.updated", Some(1_759_000_050), json!({ "stage": "WON" }))).await;
    let answer = send(&service, &event("lead.created", Some(1_759_000_000), json!({ "stage": "NEW" }))).await;
    answer.expect("unchanged", &["value_unlisted", "older_than_known"]);
    assert_eq!(service.value("stage", "property_enquiries").await, "WON");
}

#[tokio::test]
async fn a_tokens_time_far_ahead_freezes_nothing() {
    let service = service_for_leadpro().await;
    let ahead = (forecourt::intake::clock::now() + chrono::TimeDelta::hours(25)).timestamp();
    let answer = send(&service, &event("lead.updated", Some(ahead), json!({ "stage": "NEW" }))).await;
    assert!(answer.findings().contains(&("date_invalid", "iat")), "{answer:?}");
    send(&service, &updated(json!({ "stage": "WON" }))).await;
    let row =
        service.row("select stage, source_modified_at from property_enquiries q join leads l on l.id = q.lead_id");
    assert_eq!(row.await, json!({ "stage": "WON", "source_modified_at": "2025-10-01T00:00:00+00:00" }));
}

#[tokio::test]
async fn what_each_type_of_enquiry_must_have_is_noted_where_it_is_missing() {
    let service = service_for_leadpro().await;
    let owner = ["data.address", "data.postcode"].as_slice();
    let seeker = ["data.property_reference", "data.advert_address", "data.advert_postcode"].as_slice();
    let house = json!({ "address": "51 Asimov Place", "postcode": "N1 3JY" });
    let advert =
        json!({ "advert_address": "51 Asimov Place", "advert_postcode": "N1 3JY", "property_reference": "R1" });
    let office = json!({ "office_id": 567, "property_reference": "R1" });
    let cases = [
        ("vendor", json!({}), owner),
        ("landlord", json!({}), owner),
        ("mortgage_request", json!({}), owner),
        ("Vendor", json!({}), owner),
        ("vendor", house.clone(), &[]),
        ("landlord", house.clone(), &[]),
        ("mortgage_request", house.clone(), &[]),
        ("vendor", with(house.clone(), json!({ "postcode": " " })), &["data.postcode"]),
        ("vendor", advert.clone(), owner),
        ("sale", json!({}), seeker),
        ("let", json!({}), seeker),
        ("sale", house, seeker),
        ("sale", advert.clone(), &[]),
        ("let", advert, &[]),
        ("sale", json!({ "office_id": 567 }), &["data.property_reference"]),
        ("sale", office.clone(), &[]),
        ("let", office, &[]),
    ];
    for (kind, changes, expected) in cases {
        let answer = send(&service, &updated(with(changes.clone(), json!({ "type": kind })))).await;
        assert_eq!(answer.paths("field_missing"), expected, "{kind} {changes}");
        assert_eq!(answer.codes().len(), expected.len(), "{kind} {changes} {answer:?}");
    }
    let always = [
        ("id", "id_missing"),
        ("email", "email_missing"),
        ("full_name", "field_missing"),
        ("phone", "field_missing"),
        ("type", "field_missing"),
    ];
    for (field, code) in always {
        let mut lead = updated(json!({}));
        lead["data"][field] = Value::Null;
        let answer = send(&service, &lead).await;
        assert!(answer.paths(code).contains(&format!("data.{field}").as_str()), "{field} {answer:?}");
    }
}

#[tokio::test]
async fn a_lead_without_a_usable_id_still_brings_its_person() {
    let service = service_for_leadpro().await;
    for id in [json!(null), json!(true), json!(1.5), json!("9".repeat(256))] {
        let mut payload = created(json!({}));
        payload["data"]["id"] = id.clone();
        let answer = send(&service, &payload).await;
        assert!(answer.codes().contains(&"id_missing"), "{id}");
        assert_eq!((answer.body["person"].is_string(), answer.body.get("lead")), (true, None), "{id}");
    }
    assert_eq!((service.count("leads").await, service.count("property_enquiries").await), (0, 0));
    let expected = json!({ "email": "ann@example.com", "first_name": "Ann", "last_name": "Bell" });
    service.expect_row("persons", expected).await;
}

#[tokio::test]
async fn a_customer_without_a_usable_address_leaves_the_lead_with_its_contact_details() {
    let service = service_for_leadpro().await;
    for (email, code) in [(json!(null), "email_missing"), (json!("nobody"), "email_invalid")] {
        let answer = send(&service, &created(json!({ "email": email }))).await;
        assert_eq!((answer.body.get("person"), answer.body["lead"].is_string()), (None, true), "{email}");
        assert!(answer.codes().contains(&code), "{email}");
    }
    assert_eq!(service.count("persons").await, 0);
    let expected = json!({
        "contact_email": "nobody", "contact_full_name": "Ann Bell", "contact_phone": "+447123456789",
        "person_id": null,
    });
    service.expect_row("leads", expected).await;
}

#[tokio::test]
async fn a_message_may_have_8192_characters_of_any_width_and_a_longer_one_is_kept_whole_and_noted() {
    let service = service_for_leadpro().await;
    for (count, noted) in [(8_192, false), (8_193, true)] {
        let message = "\u{1f3e0}".repeat(count);
        let answer = send(&service, &updated(json!({ "message": message }))).await;
        assert_eq!(answer.findings().contains(&("value_too_long", "data.message")), noted, "{count}");
        assert_eq!(service.value("comments", "leads").await, message);
    }
}

#[tokio::test]
async fn what_is_as_long_as_documented_is_not_noted_and_what_is_longer_is_kept_whole_and_noted() {
    let service = service_for_leadpro().await;
    let text = |count: usize| json!("é".repeat(count));
    let reading = |count: usize| json!([["q".repeat(count - 9), ""]]);
    let hours = |count: usize| json!({ "hours": ["2021-01-01"], "x": "x".repeat(count - 31) });
    let cases: [(&str, Value, Value); 19] = [
        ("first_name", text(50), text(51)),
        ("last_name", text(50), text(51)),
        ("full_name", text(100), text(101)),
        ("title", text(10), text(11)),
        ("phone", json!("0".repeat(255)), json!("0".repeat(256))),
        ("address", text(100), text(101)),
        ("postcode", text(10), text(11)),
        ("advert_address", text(100), text(101)),
        ("advert_postcode", text(10), text(11)),
        ("advert_url", text(255), text(256)),
        ("advert_image", text(255), text(256)),
        ("message", text(8_192), text(8_193)),
        ("property_reference", text(50), text(51)),
        ("average_sale_estimation", json!(1.25), json!(1.255)),
        ("minimum_rent_estimation", json!("£1,000.50"), json!("1.001")),
        ("maximum_sale_estimation", json!(1_000_000), json!(0.001)),
        ("meta", json!({ "a": "m".repeat(1_016) }), json!({ "a": "m".repeat(1_017) })),
        ("questionnaire", reading(2_048), reading(2_049)),
        ("appointment_availability", hours(2_048), hours(2_049)),
    ];
    for (field, fits, too_long) in cases {
        for (value, noted) in [(fits, false), (too_long, true)] {
            if value.is_object() || value.is_array() {
                let most = if field == "meta" { 1_024 } else { 2_048 };
                assert_eq!(value.to_string().len(), most + usize::from(noted), "{field}");
            }
            let answer = send(&service, &updated(json!({ field: value }))).await;
            let is_noted = answer.paths("value_too_long").contains(&format!("data.{field}").as_str());
            assert_eq!(is_noted, noted, "{field} {answer:?}");
        }
    }
    let row = service
        .row(
            "select length(address) as address, length(postcode) as postcode, length(advert_url) as url, length(property_reference) as reference,
                average_sale_estimation as average, length(additional_details ->> 'a') as meta,
                (select length(home_phone) from persons) as home
            from property_enquiries q join leads l on l.id = q.lead_id",
        )
        .await;
    let expected = json!({
        "address": 101, "postcode": 11, "url": 256, "reference": 51, "average": 1.255,
        "meta": 1_017, "home": 256,
    });
    assert_eq!(row, expected);
}

#[tokio::test]
async fn phones_are_british_unless_they_say_otherwise_and_a_landline_is_the_home_phone() {
    let service = service_for_leadpro().await;
    for (sent, mobile, home, code) in [
        (json!("07911 123456"), Some("+447911123456"), None, None),
        (json!(7_911_123_456_i64), Some("+447911123456"), None, None),
        (json!("020 7946 0958"), None, Some("+442079460958"), None),
        (json!("+61 412 123 123"), Some("+61412123123"), None, None),
        (json!("call me"), None, Some("call me"), Some("phone_invalid")),
    ] {
        let email = format!("p{}@example.com", service.count("persons").await);
        let answer = send(&service, &created(json!({ "phone": sent, "email": email }))).await;
        let query = format!("select mobile_phone, home_phone from persons where email = '{email}'");
        assert_eq!(service.row(&query).await, json!({ "mobile_phone": mobile, "home_phone": home }), "{sent}");
        let codes = answer.codes();
        assert_eq!(codes.iter().find(|code| code.starts_with("phone")).copied(), code, "{sent}");
    }
}

#[tokio::test]
async fn documents_in_the_free_form_details_are_kept_apart() {
    let service = service_for_leadpro().await;
    send(&service, &fixture("leadpro/leadpro_lead/meta_with_identity_documents.json")).await;
    let expected = json!({
        "additional_details": {"note": "near the park"},
        "documents": {"passport_number": "P123", "driving": {"licence_number": "L1"}},
    });
    service.expect_row("leads l join identity.lead_documents d on d.lead_id = l.id", expected).await;
}

#[tokio::test]
async fn undocumented_fields_are_noted_and_those_of_meta_and_the_tokens_claims_are_not() {
    let service = service_for_leadpro().await;
    send(&service, &fixture("leadpro/leadpro_lead/every_field.json")).await;
    send(&service, &fixture("leadpro/leadpro_lead/unknown_fields.json")).await;
    service.intake().finish().await;
    let drift = service.rows("select feed, path from intake.drift order by path").await;
    let paths: Vec<&str> = drift.iter().map(|row| row["path"].as_str().unwrap()).collect();
    assert_eq!(
        paths,
        [
            "data.appointment_availability.days",
            "data.comparable_props[].coords.z",
            "data.comparable_props[].garden",
            "data.extra",
            "version"
        ]
    );
    assert!(drift.iter().all(|row| row["feed"] == "leadpro_lead"));
}

#[tokio::test]
async fn no_lead_of_leadpro_asks_for_a_booking_whatever_its_type_is_called() {
    let service = service_for_leadpro().await;
    let answer = send(&service, &created(json!({ "type": "Subscription Enquiry" }))).await;
    assert_eq!((answer.body.get("booking"), answer.codes()), (None, vec!["value_unlisted"]));
    send(&service, &updated(json!({ "type": "Subscription Enquiry", "email": "bea@example.com" }))).await;
    let expected = json!({
        "category": "Subscription Enquiry", "booking_state": "not_requested", "booking_blockers": [],
        "waits_for": null,
    });
    service.expect_row("leads", expected).await;
}

#[tokio::test]
async fn the_person_of_a_lead_is_the_one_that_dealer_studio_told_of() {
    let service = service_for_leadpro().await;
    service.lead(&enquiry(json!({ "prospect": { "first_name": "Ann", "mobile_phone": "0412 123 123" } }))).await;
    let answer =
        send(&service, &created(json!({ "email": "Ann@Example.com", "createdAt": "2025-11-01T00:00:00Z" }))).await;
    assert_eq!(answer.body["person"], "updated");
    let db_snapshot = db_snapshot::db_snapshot(&service, "alpha").await;
    let [person] = db_snapshot["persons"].as_slice() else { panic!("{db_snapshot:?}") };
    assert_holds(person, json!({ "last_name": "Bell", "mobile_phone": "+447123456789" }));
}

#[tokio::test]
async fn workspaces_do_not_see_each_others_leads() {
    let service = service_with(&(configuration() + &credential_of_beta())).await;
    send(&service, &created(json!({ "message": "alpha" }))).await;
    let answer = service.post_as(TOKEN_OF_BETA, LEADPRO, created(json!({ "message": "beta" })).to_string()).await;
    answer.expect_parts(json!({ "person": "created", "lead": "created" }));
    let rows = service.table("slug, comments from leads l join workspaces w on w.id = l.workspace_id order by 1").await;
    assert_eq!(rows, json!([["alpha", "alpha"], ["beta", "beta"]]));
}

#[tokio::test]
async fn findings_name_no_person() {
    let service = service_for_leadpro().await;
    for body in fixtures(Feed::LeadPro) {
        let answer = post(&service, body).await;
        let findings = answer.body["findings"].to_string();
        for personal in ["Richard", "Branson", "virgin.com", "Asimov", "nobody", "call me", "07123"] {
            assert!(!findings.contains(personal), "{findings}");
        }
    }
}

#[tokio::test]
async fn what_waited_for_its_credential_to_have_one_workspace_is_applied_once_it_has() {
    let service = service().await;
    let answer = service.post(LEADPRO, created(json!({})).to_string()).await;
    assert_eq!(answer.codes(), ["dealership_missing"]);
    let nameless = service.post("/webhooks/dealer-studio/leads", r#"{"id": 7}"#).await;
    assert_eq!(nameless.codes(), ["dealership_missing"]);
    let try_again = async |service: &TestService| {
        forecourt::intake::due::round(service.intake(), &service.intake().router().retryable()).await.unwrap()
    };
    assert_eq!(try_again(&service).await, 0);
    service.reload(&CONFIG.replace("workspaces = \"all\"", "workspaces = [\"beta\"]")).await;
    assert_eq!(try_again(&service).await, 1, "a lead must name its dealership itself");
    assert_eq!(service.record(&answer).await["outcome"], "applied");
    assert_eq!(try_again(&service).await, 0);
}
