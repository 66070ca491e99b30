//! Processes: several services over one database, and the program itself with its log.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::{CONFIG, INVENTORY, LEADS, Program, TOKEN, database, service};

/// What one sender says of a few customers and cars, over and over, each time with a newer time.
fn scenario() -> Vec<(&'static str, Value)> {
    let mut scenario = Vec::new();
    for step in 0..60 {
        let (who, time) = (step % 3, format!("2025-10-03T06:{:02}:{:02}Z", step / 60, step % 60));
        scenario.push((
            LEADS,
            json!({
                "id": who, "lead_cluster_id": 5, "created": "2025-10-03T06:00:00Z", "updated_at": time,
                "dealership": {"id": 356}, "category": "Subscription Enquiry", "comments": format!("step {step}"),
                "prospect": {"first_name": format!("Ada {step}"), "email": format!("ada{}@example.com", who % 2)},
                "item": {"vin": "JSAGJB74V00202326"}, "location": {"location_name": "Dealer A"},
                "additional_details": {"subscription_plan": "Premium"},
                "appointments": [{"id": step, "starts_at": "2025-11-03 10:00:00"}, {"id": 1000 + who}],
            }),
        ));
        scenario.push((
            INVENTORY,
            json!({
                "Identifier": step % 2, "SaleStatus": "For Sale", "LastModifiedUtc": time,
                "Seller": {"Identifier": 356, "Name": format!("Yard {}", step % 4)},
                "Identification": [
                    {"Type": "VIN", "Value": "JSAGJB74V00202326"}, {"Type": "StockNumber", "Value": format!("S{}", step % 2)},
                ],
                "PriceList": [{"Type": "EGC", "Amount": 30_000 + step}],
                "SubscriptionPricing": [{"Name": format!("Plan {}", step % 5), "DailyPrice": step}],
            }),
        ));
    }
    scenario
}

#[tokio::test]
async fn several_processes_over_one_database_write_one_set_of_rows() {
    let alone = service().await;
    for (path, body) in scenario() {
        assert_eq!(alone.post(path, body.to_string()).await.status, 200);
    }

    let first = service().await;
    let second = first.beside(CONFIG).await;
    let third = first.beside(CONFIG).await;
    let processes = [&first, &second, &third];
    // Each delivery goes to two of the three, everything at once.
    let scenario = scenario();
    let posts = scenario.iter().enumerate().flat_map(|(number, (path, body))| {
        [number, number + 1].map(|process| processes[process % 3].post(path, body.to_string()))
    });
    for answer in join_all(posts).await {
        assert_eq!(answer.status, 200);
        assert_ne!(answer.body["outcome"], "failed", "{answer:?}");
    }
    assert_eq!(first.count("intake.deliveries").await, 240);

    // Changes of price are a journal of what was seen when, and a merged car's bookings follow it.
    let lasting = |lines: Vec<String>| -> Vec<String> {
        lines.into_iter().filter(|line| !line.starts_with("public.listing_changes ")).collect()
    };
    assert_eq!(lasting(first.content().await), lasting(alone.content().await));
    assert_eq!((first.count("persons").await, first.count("listings").await), (2, 1));
    assert_eq!((first.count("leads").await, first.count("bookings").await), (3, 3));
}

#[tokio::test]
async fn processes_that_start_at_once_agree_on_the_configuration() {
    let first = service().await;
    let others = join_all((0..4).map(|_| first.beside(CONFIG))).await;
    assert_eq!(others.len(), 4);
    assert_eq!((first.count("workspaces").await, first.count("dealerships").await), (2, 3));
    assert_eq!((first.count("locations").await, first.count("packages").await), (3, 3));
}

/// What nobody may find in a log, each in a place of its own, and none of them digits that an id or a time may hold.
const PERSONAL: [(&str, &str); 9] = [
    ("first_name", "Zebedee"),
    ("last_name", "Quillfeather"),
    ("email", "zebedee.quillfeather@private.example"),
    ("mobile_phone", "0403 987 654"),
    ("dob", "13/07/1971"),
    ("postcode", "W6987Q"),
    ("license_number", "LIC99887766"),
    ("street", "Hollyhock Terrace"),
    ("comments", "Call me after the wedding"),
];

fn personal_lead(id: i64) -> Value {
    let value = |name: &str| PERSONAL.iter().find(|(field, _)| *field == name).map(|(_, value)| *value);
    json!({
        "id": id, "created": "2025-10-03T06:10:08Z", "dealership": {"id": 356}, "comments": value("comments"),
        "prospect": {
            "first_name": value("first_name"), "last_name": value("last_name"), "email": value("email"),
            "mobile_phone": value("mobile_phone"), "dob": value("dob"), "postcode": value("postcode"),
            "address": {"street": value("street"), "city": "Sydney", "state": "NSW", "postcode": 2000, "country": "AU"},
        },
        "additional_details": {
            "license_number": value("license_number"), "license_expiry": "01/01/2031", "license_dob": value("dob"),
        },
    })
}

#[tokio::test]
async fn no_log_line_holds_personal_data_or_a_secret() {
    let database = database().await;
    let folder = tempfile::tempdir().unwrap();
    let mut program = Program::start(&database.url(), folder.path(), CONFIG);

    let whole = personal_lead(1).to_string();
    assert!(program.post_lead("X-Customer: Zebedee\r\n", whole.as_bytes()).await.contains("\"applied\""));
    for body in
        [whole.replace("356", "999"), whole.replace("\"NSW\"", "\"NSW\",,"), whole.replace("\"id\":1", "\"id\":[1]")]
    {
        assert!(program.post_lead("", body.as_bytes()).await.starts_with("HTTP/1.1 200"));
    }
    let odd = whole.replace("Zebedee", "Zebedee\\u0000").replace("Quillfeather\"", "Quillfeather\\ud83d\"");
    assert!(program.post_lead("Content-Encoding: gzip\r\n", whole.as_bytes()).await.starts_with("HTTP/1.1 200"));
    assert!(program.post_lead("", odd.as_bytes()).await.contains("body_unreadable"));
    let wrong = "Authorization: Bearer a-wrong-secret-5f2c\r\nX-API-KEY: a-wrong-key-77ab\r\n";
    assert!(program.send(LEADS, wrong, whole.as_bytes()).await.starts_with("HTTP/1.1 401"));
    let query = format!("{LEADS}?token={TOKEN}&email={}", PERSONAL[2].1);
    assert!(program.send(&query, "", whole.as_bytes()).await.starts_with("HTTP/1.1 401"));

    // Faults: what Postgres says of them holds the row.
    for (id, sabotage) in [
        (2, "alter table leads add constraint sabotage check (external_id <> '2')"),
        (3, "create unique index sabotage on leads (contact_first_name, (external_id <> '0'))"),
        (
            4,
            "create function sabotage() returns trigger language plpgsql as $$ begin
            raise exception 'bad %', new using detail = new.contact_email, hint = new.comments; end $$;
            create trigger sabotage before insert on leads for each row execute function sabotage()",
        ),
    ] {
        database.execute(sabotage).await;
        let answer = program.post_lead("", personal_lead(id).to_string().as_bytes()).await;
        assert!(answer.contains("\"failed\"") && answer.contains("internal_error"), "{answer}");
        for (_, value) in PERSONAL {
            assert!(!answer.contains(value), "{answer}");
        }
    }
    program.wait_for("SQLSTATE P0001");
    program.post_lead("", b"the last one").await;
    program.wait_for("outcome=\"rejected\"");

    let lines = std::mem::take(&mut program.seen);
    assert!(lines.len() > 100, "{lines:#?}");
    let held = ["a-wrong-secret-5f2c", "a-wrong-key-77ab", TOKEN];
    let secrets = PERSONAL.iter().map(|(_, value)| *value).chain(held).chain(["403987654", "1971-07-13", "zebedee"]);
    for secret in secrets {
        let found: Vec<_> = lines.iter().filter(|line| line.contains(secret)).collect();
        assert!(found.is_empty(), "{secret}: {found:#?}");
    }
}
