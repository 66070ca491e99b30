//! Values as the world writes them: the tables below `fixtures/values/` are posted to the real doors and read from the
//! real tables.
//!
//! A line of a table says what was sent, what must stand in the column, which finding must be told of the field, and
//! where the rule comes from.

use std::collections::HashMap;

use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::payloads::{VIN, car, enquiry, lead, names};
use crate::support::{Answer, CONFIG, TestService, service, service_with};

/// A line of a table.
#[derive(Debug, Deserialize)]
struct Case {
    sent: String,
    value: Option<String>,
    finding: Option<String>,
    rule: String,
    /// The field, in a table that is about several.
    field: Option<String>,
    /// The region in which a phone is read.
    region: Option<String>,
}

/// The lines of a table, of which there must be so many at the least.
fn table(name: &str, least: usize) -> Vec<Case> {
    let path = format!("{}/fixtures/values/{name}.jsonl", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let cases: Vec<Case> = text.lines().map(|line| serde_json::from_str(line).expect(line)).collect();
    assert!(cases.len() >= least, "{name} has {} lines", cases.len());
    cases
}

/// The codes of the findings about a field.
fn codes_at(answer: &Answer, path: &str) -> Vec<String> {
    let findings = answer.body["findings"].as_array().cloned().unwrap_or_default();
    let at = findings.iter().filter(|finding| finding["path"] == path);
    at.map(|finding| finding["code"].as_str().unwrap().to_owned()).collect()
}

/// What came of the lines of a table: by line, the codes that were told of the field.
#[derive(Default)]
struct Posted {
    codes: Vec<Vec<String>>,
}

impl Posted {
    fn note(&mut self, answer: &Answer, path: &str) {
        assert_eq!(answer.status, 200, "{:?}", answer.body);
        self.codes.push(codes_at(answer, path));
    }

    /// Compares findings and columns; `stored` holds the columns by the line's number, counted from 1.
    fn compare(&self, cases: &[Case], stored: &HashMap<i64, Option<String>>) {
        let mut wrong = Vec::new();
        for ((number, case), codes) in (1..).zip(cases).zip(&self.codes) {
            let expected: Vec<&str> = case.finding.iter().map(String::as_str).collect();
            let value = stored.get(&number).cloned().flatten();
            if value != case.value || *codes != expected {
                wrong.push(format!("{case:?} became {value:?} {codes:?}"));
            }
        }
        assert_eq!(self.codes.len(), cases.len());
        assert!(wrong.is_empty(), "{} lines:\n{}", wrong.len(), wrong.join("\n"));
    }
}

/// A column by the number that a query gives as `number`, the value being its `value`.
async fn column(service: &TestService, query: &str) -> HashMap<i64, Option<String>> {
    let text = |value: &Value| match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => Some(value.to_string()),
    };
    let rows = service.rows(query).await;
    rows.iter().map(|row| (row["number"].as_i64().unwrap(), text(&row["value"]))).collect()
}

/// Posts a lead for each line, whose number is its id, with the changes that the line makes.
async fn post_leads(service: &TestService, cases: &[Case], path: &str, changes: impl Fn(&Case) -> Value) -> Posted {
    let mut posted = Posted::default();
    for (number, case) in (1..).zip(cases) {
        let own = enquiry(json!({ "id": number, "prospect": { "email": format!("p{number}@example.net") } }));
        let payload = crate::support::payloads::with(own, changes(case));
        posted.note(&service.lead(&payload).await, path);
    }
    posted
}

#[tokio::test]
async fn phones_are_stored_as_the_table_says() {
    let cases = table("phones", 40);
    let britain = "[[workspaces]]\nslug = \"gamma\"\nphone_region = \"GB\"\ndealerships = [901]\n\n[[credentials]]";
    let service = service_with(&CONFIG.replace("[[credentials]]", britain)).await;
    let posted = post_leads(&service, &cases, "prospect.mobile_phone", |case| {
        let dealership = if case.region.as_deref() == Some("GB") { 901 } else { 356 };
        json!({ "dealership": { "id": dealership }, "prospect": { "mobile_phone": case.sent } })
    });
    let posted = posted.await;
    for stored in [
        "select external_id::bigint as number, contact_phone as value from leads",
        "select substring(email from 'p([0-9]+)@')::bigint as number, mobile_phone as value from persons",
    ] {
        posted.compare(&cases, &column(&service, stored).await);
    }
}

#[tokio::test]
async fn addresses_make_persons_as_the_table_says() {
    let cases = table("emails", 40);
    let service = service().await;
    let posted =
        post_leads(&service, &cases, "prospect.email", |case| json!({ "prospect": { "email": case.sent } })).await;
    let stored = "select l.external_id::bigint as number, p.email as value
        from leads l left join persons p on (p.workspace_id, p.id) = (l.workspace_id, l.person_id)";
    posted.compare(&cases, &column(&service, stored).await);
    let as_sent = column(&service, "select external_id::bigint as number, contact_email as value from leads").await;
    for (number, case) in (1..).zip(&cases).filter(|(_, case)| case.value.is_some()) {
        let sent = as_sent[&number].as_deref().unwrap();
        assert!(case.sent.contains(sent), "{case:?} is kept as {sent:?}");
    }
}

#[tokio::test]
async fn dates_are_stored_as_the_table_says() {
    let cases = table("dates", 40);
    let service = service().await;
    let posted = post_leads(&service, &cases, "prospect.dob", |case| json!({ "prospect": { "dob": case.sent } })).await;
    let stored = "select external_id::bigint as number, contact_date_of_birth::text as value from leads";
    posted.compare(&cases, &column(&service, stored).await);
    let without_person = service.count("leads where person_id is null").await;
    let invalid = cases.iter().filter(|case| case.finding.is_some()).count();
    assert_eq!(
        usize::try_from(without_person).unwrap(),
        invalid,
        "a person needs a date of birth that is absent or valid"
    );
}

#[tokio::test]
async fn money_is_stored_as_the_table_says() {
    let cases = table("money", 40);
    let service = service().await;
    let changes = |case: &Case| json!({ "trade_in_data": { "offer_price": case.sent, "make": "Any" } });
    let posted = post_leads(&service, &cases, "trade_in_data.offer_price", changes).await;
    let stored = "select l.external_id::bigint as number, t.offer_price::text as value
        from leads l join trade_ins t on (t.workspace_id, t.lead_id) = (l.workspace_id, l.id)";
    posted.compare(&cases, &column(&service, stored).await);
}

#[tokio::test]
async fn vins_are_stored_as_the_table_says_and_cars_without_one_stay_two() {
    let cases = table("vins", 40);
    let service = service().await;
    let mut posted = Posted::default();
    for (number, case) in (1_i64..).zip(&cases) {
        let payload = car(
            json!({ "Identifier": number, "Identification": names(Some(&case.sent), Some(&format!("S{number}"))) }),
        );
        posted.note(&service.vehicle(&payload).await, "Identification[0].Value");
    }
    let stored = "select i.identifier::bigint as number, l.vin as value
        from listing_identifiers i join listings l on (l.workspace_id, l.id) = (i.workspace_id, i.listing_id)";
    posted.compare(&cases, &column(&service, stored).await);
    assert_eq!(service.count("listings where status = 'for_sale'").await, i64::try_from(cases.len()).unwrap());
}

#[tokio::test]
async fn stock_numbers_are_stored_as_the_table_says() {
    let cases = table("stock_numbers", 20);
    let service = service().await;
    let mut posted = Posted::default();
    for (number, case) in (1_i64..).zip(&cases) {
        let payload = car(json!({ "Identifier": number, "Identification": names(None, Some(&case.sent)) }));
        posted.note(&service.vehicle(&payload).await, "Identification[0].Value");
    }
    let stored = "select identifier::bigint as number, stock_number as value from listings";
    posted.compare(&cases, &column(&service, stored).await);
    assert_eq!(service.count("listings where status = 'for_sale'").await, i64::try_from(cases.len()).unwrap());
}

#[tokio::test]
async fn names_plates_and_ids_are_stored_as_the_table_says() {
    let all = table("names", 40);
    // Of each field: where it is sent, and the column that it comes to.
    let fields = [
        ("first_name", "prospect.first_name", "contact_first_name"),
        ("package", "additional_details.subscription_plan", "subscription_plan"),
        ("location", "location.location_name", "location_name"),
        ("plate", "trade_in_data.rego", "(select registration from trade_ins t where t.lead_id = leads.id)"),
        ("item_id", "item.id", "item_id"),
    ];
    let mut seen = 0;
    let mut groups: HashMap<String, Vec<Case>> = HashMap::new();
    for case in all {
        groups.entry(case.field.clone().unwrap()).or_default().push(case);
        seen += 1;
    }
    for (field, path, stored) in fields {
        let cases = groups.remove(field).unwrap();
        seen -= cases.len();
        let service = service().await;
        let (object, name) = path.split_once('.').unwrap();
        let posted = post_leads(&service, &cases, path, |case| json!({ object: { name: case.sent } })).await;
        let without_blockers: Vec<Vec<String>> = posted
            .codes
            .iter()
            .map(|codes| codes.iter().filter(|code| !code.ends_with("_not_found")).cloned().collect())
            .collect();
        let query = format!("select external_id::bigint as number, {stored} as value from leads");
        Posted { codes: without_blockers }.compare(&cases, &column(&service, &query).await);
    }
    assert_eq!((seen, groups.len()), (0, 0), "every line of the table was posted");
}

#[tokio::test]
async fn every_rule_of_the_tables_says_where_it_comes_from() {
    for name in ["phones", "emails", "dates", "money", "vins", "stock_numbers", "names"] {
        let silent = table(name, 1).into_iter().filter(|case| case.rule.len() < 10);
        assert_eq!(silent.map(|case| case.sent).collect::<Vec<_>>(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn names_of_the_configuration_match_however_dashes_and_apostrophes_are_written() {
    let config = CONFIG
        .replace("\"Dealer A\"", "\"O\u{2019}Brien \u{2013} City\"")
        .replace("\"Premium\", \"Starter\"", "\"Driver\u{2019}s Plan\"");
    let service = service_with(&config).await;
    service.vehicle(&car(json!({ "Seller": { "LocationName": "O'Brien\u{a0}- City" } }))).await;
    assert_eq!(
        service
            .count("locations where workspace_id = (select id from workspaces where slug = 'alpha') and name like 'O%'")
            .await,
        1
    );
    let wish = json!({
        "location": { "location_name": "O\u{2bc}BRIEN \u{2014} CITY\u{200b}" },
        "additional_details": { "subscription_plan": "\u{feff}Driver's Plan" },
    });
    let answer = service.lead(&lead(wish)).await;
    assert_eq!(answer.body["booking"], "created", "{:?}", answer.body);
}

#[tokio::test]
async fn a_package_in_another_case_is_not_found_and_the_finding_names_the_one_there_is() {
    let service = service().await;
    service.vehicle(&car(json!({}))).await;
    let answer = service.lead(&lead(json!({ "additional_details": { "subscription_plan": "PREMIUM" } }))).await;
    assert_eq!(answer.body["booking"], "blocked");
    let finding = &answer.body["findings"][0];
    assert_eq!(finding["code"], "package_not_found");
    assert_eq!(finding["message"], "no package has exactly this name; there is `Premium`");
}

#[tokio::test]
async fn one_customer_is_one_person_however_the_address_is_encoded() {
    let service = service().await;
    for (id, email) in
        (1..).zip(["jos\u{e9}@m\u{fc}nchen.de", "JOSE\u{301}@mu\u{308}nchen.de", "jos\u{e9}@xn--mnchen-3ya.de"])
    {
        service.lead(&enquiry(json!({ "id": id, "prospect": { "email": email } }))).await;
    }
    service.expect_row("persons", json!({ "email": "jos\u{e9}@xn--mnchen-3ya.de" })).await;
}

#[tokio::test]
async fn a_lead_that_asks_for_a_car_without_a_vin_is_booked_by_the_stock_number() {
    let service = service().await;
    let placeholder = json!({ "Identification": names(Some("TBA"), Some("S1")) });
    service.vehicle(&car(placeholder)).await;
    let answer = service.lead(&lead(json!({ "item": { "vin": "T.B.A.", "stock_number": "S1" } }))).await;
    assert_eq!(answer.body["booking"], "created", "{:?}", answer.body);
    assert_eq!(codes_at(&answer, "item.vin"), ["vin_unusual"]);
    // Once the car has a VIN, it is the same row.
    let known = json!({ "LastModifiedUtc": "2025-10-02T00:00:00Z", "Identification": names(Some(VIN), Some("S1")) });
    service.vehicle(&car(known)).await;
    service.expect_row("listings", json!({ "vin": VIN, "status": "for_sale" })).await;
}
