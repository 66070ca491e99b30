//! Addresses that are not quite a door's: what is only written otherwise is the same door, what leads to none is kept, and what
//! came to another feed's door can be applied as what it is.

use axum::body::Body;
use axum::http::Request;
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::replay::{replay, replay_with};
use crate::support::{
    CONFIG, Program, TOKEN, TestService, credential, database, fixture, service, service_with, token,
};

const LEADS: &str = "/webhooks/dealer-studio/leads";
const INVENTORY: &str = "/webhooks/dealer-studio/inventory";
const LEADPRO: &str = "/webhooks/leadpro";

fn lead(id: i64) -> Value {
    json!({
        "id": id, "created": "2025-10-03T06:10:08Z", "dealership": {"id": 356},
        "prospect": {"first_name": "Ada", "email": format!("ada{id}@example.com")},
    })
}

fn car() -> Value {
    let mut car = fixture("dealer_studio/inventory/in_stock.json");
    car["Seller"]["Identifier"] = json!(356);
    car
}

fn all() -> (&'static str, String) {
    ("authorization", format!("Bearer {TOKEN}"))
}

/// Sends a request by any method with at most one header.
async fn send(
    service: &TestService,
    method: &str,
    path: &str,
    header: Option<(&str, &str)>,
    body: String,
) -> (u16, Value) {
    let request = Request::builder().method(method).uri(path);
    let request = header.into_iter().fold(request, |request, (name, value)| request.header(name, value));
    let answer = service.send(request.body(Body::from(body)).unwrap()).await;
    (answer.status.as_u16(), answer.body)
}

/// What is kept, oldest first.
async fn kept(service: &TestService) -> Vec<Value> {
    service.refusals_written().await;
    let columns = "id, path, feed, credential, scheme, fingerprint, encode(body, 'escape') as body";
    service.rows(&format!("select {columns} from intake.rejected order by received_at, id")).await
}

#[tokio::test]
async fn a_door_that_is_only_written_otherwise_is_the_same_door() {
    let service = service().await;
    let paths = [
        "/webhooks/dealer-studio/leads/",
        "//webhooks//dealer-studio/leads",
        "/webhooks/dealer%2Dstudio/%6Ceads",
        "/webhooks/dealer-studio/leads/?source=x",
    ];
    for (id, path) in (1..).zip(paths) {
        let answer = service.post(path, lead(id).to_string()).await;
        assert_eq!((answer.status.as_u16(), &answer.body["lead"]), (200, &json!("created")), "{path}");
    }
    assert_eq!(send(&service, "GET", "//readyz/", None, String::new()).await.0, 200);
    assert_eq!(send(&service, "GET", "/webhooks/dealer-studio/leads/", None, String::new()).await.0, 405);
    assert_eq!(service.count("intake.rejected").await, 0);
}

#[tokio::test]
async fn a_post_to_no_door_is_told_the_doors_and_costs_one_log_line_that_names_the_nearest() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let mut program = Program::start(&database.url(), folder.path(), CONFIG);
    program.wait_for("deliveries are applied");
    let right = format!("Authorization: Bearer {TOKEN}\r\n");
    for id in 0..5 {
        let answer = program.send("/webhook/dealer-91x/lead?key=91x", &right, lead(id).to_string().as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
        let told: Value = serde_json::from_str(answer.split("\r\n\r\n").nth(1).unwrap()).unwrap();
        assert_eq!(told["error"], "not_found");
        assert!(told["doors"].as_array().unwrap().contains(&json!(format!("POST {LEADS}"))), "{told}");
    }
    program.send("/webhooks/dealer-studio/leads/", &right, lead(9).to_string().as_bytes()).await;
    let answered = program.wait_for("\"/webhooks/dealer-studio/leads\"");
    assert!(answered.contains("route="), "{answered}");
    let log = std::mem::take(&mut program.seen);
    let lines: Vec<&String> = log.iter().filter(|line| line.contains("posted to no door")).collect();
    assert_eq!(lines.len(), 1, "{lines:#?}");
    for said in [" WARN ", "nearest=\"/webhooks/dealer-studio/leads\"", "looks_like=\"lead\"", "credential=\"all\""] {
        assert!(lines[0].contains(said), "{said}: {lines:?}");
    }
    let leaks: Vec<&String> = log.iter().filter(|line| line.contains("91x")).collect();
    assert!(leaks.is_empty(), "{leaks:#?}");
}

#[tokio::test]
async fn of_a_post_to_no_door_the_body_is_kept_where_somebody_vouches_for_it() {
    let open = credential("anyone", "open", "[\"inventory\"]", "\"all\"", "");
    let service = service_with(&format!("{CONFIG}{open}")).await;
    let (name, right) = all();
    let (body, form) = (lead(1).to_string(), "grant_type=client_credentials&client_secret=hush".to_owned());
    let cases: [(&str, Option<&str>, &String, Value); 8] = [
        ("/webhook/leads", None, &body, json!(["/webhook/leads", null, body])),
        ("/WebHooks/dealer/secret-91x", None, &body, json!(["/WebHooks/*/*", null, body])),
        ("/api/leads", Some(&right), &body, json!(["/*/leads", "all", body])),
        ("/", Some(&right), &body, json!(["/", "all", body])),
        ("/api/leads", Some("Bearer wrong"), &body, json!(["/*/leads", null, null])),
        ("/api/inventory", None, &car().to_string(), json!(["/*/inventory", null, null])),
        ("/webhooks/oauth/token", None, &form, json!(["/webhooks/oauth/token", null, null])),
        ("/oauth/tokens", Some(&right), &form, json!(["/oauth/tokens", "all", null])),
    ];
    let mut expected = Vec::new();
    for (path, header, body, row) in cases {
        // Each by itself, because only a few of one address are read at a time.
        assert_eq!(send(&service, "POST", path, header.map(|value| (name, value)), body.clone()).await.0, 404);
        expected.push(row);
    }
    for (method, path) in [("GET", "/webhooks/x"), ("PUT", "/webhooks/x"), ("DELETE", "/"), ("OPTIONS", "/x")] {
        let (status, told) = send(&service, method, path, Some((name, &right)), body.clone()).await;
        assert_eq!((status, told), (404, json!({"error": "not_found"})), "{method}");
    }
    let rows = kept(&service).await;
    let seen: Vec<Value> = rows.iter().map(|row| json!([row["path"], row["credential"], row["body"]])).collect();
    assert_eq!(seen, expected);
    assert!(rows.iter().all(|row| row["feed"].is_null() && row["scheme"].is_null() && row["fingerprint"].is_null()));
}

#[tokio::test]
async fn what_asks_for_a_token_at_no_door_is_kept_without_its_body() {
    let service = service().await;
    let (name, right) = all();
    for path in ["/webhooks/oauth/token", "/oauth/tokens"] {
        for body in ["grant_type=client_credentials&client_secret=hush-91x", r#"{"client_secret": "hush-91x"}"#] {
            assert_eq!(send(&service, "POST", path, Some((name, &right)), body.to_owned()).await.0, 404);
        }
    }
    let rows = kept(&service).await;
    assert_eq!(rows.len(), 4);
    assert!(rows.iter().all(|row| row["body"].is_null() && row["credential"] == "all"), "{rows:?}");
}

#[tokio::test]
async fn posts_to_no_door_have_bounds_of_their_own_a_tenth_of_the_others() {
    let bounds = "[rejected]\nmax_count = 20\nper_minute_and_address = 1000\n";
    let service = service_with(&format!("{bounds}{CONFIG}")).await;
    let wrong = Some(("authorization", "Bearer wrong"));
    for id in 0..5 {
        assert_eq!(send(&service, "POST", LEADS, wrong, lead(id).to_string()).await.0, 401);
    }
    for id in 0..30 {
        assert_eq!(send(&service, "POST", "/webhook/leads", wrong, json!(id).to_string()).await.0, 404);
    }
    let rows = kept(&service).await;
    let of_no_door: Vec<&Value> = rows.iter().filter(|row| row["feed"].is_null()).map(|row| &row["body"]).collect();
    assert_eq!(of_no_door, ["28", "29"]);
    assert_eq!(rows.len() - of_no_door.len(), 5, "they drive out none of the others");
    for id in 0..30 {
        send(&service, "POST", LEADS, wrong, json!(id).to_string()).await;
    }
    let rows = kept(&service).await;
    let count = |of_no_door: bool| rows.iter().filter(|row| row["feed"].is_null() == of_no_door).count();
    assert_eq!((count(true), count(false)), (2, 20), "and are driven out by none");
}

#[tokio::test]
async fn a_known_sender_at_a_wrong_address_loses_no_place_to_strangers_of_its_address() {
    let service = service().await;
    for id in 0..10 {
        assert_eq!(send(&service, "POST", &format!("/wp-login{id}"), None, String::new()).await.0, 404);
    }
    let (name, right) = all();
    let posts = (0..30).map(|id| send(&service, "POST", "/leads", Some((name, &right)), lead(id).to_string()));
    assert!(join_all(posts).await.iter().all(|(status, _)| *status == 404));
    let rows = kept(&service).await;
    let of_known = rows.iter().filter(|row| row["credential"] == "all" && !row["body"].is_null());
    assert_eq!(of_known.count(), 30);
}

#[tokio::test]
async fn what_was_refused_at_a_door_is_never_applied_as_another_feed() {
    let config = CONFIG;
    let service = service_with(config).await;
    let wrong = Some(("authorization", "Bearer wrong"));
    assert_eq!(send(&service, "POST", INVENTORY, wrong, car().to_string()).await.0, 401);
    kept(&service).await;
    let words = ["--rejected", "--all", "--as-feed", "lead", "--credential", "all"];
    let none = replay_with(&service, config, &words).await;
    assert!(none.good && none.summary().starts_with("0 deliveries"), "{none:?}");
    let words = ["--rejected", "--feed", "inventory", "--credential", "all"];
    let applied = replay_with(&service, config, &words).await;
    assert!(applied.good && applied.summary() == "1 delivery replayed: 1 applied", "{applied:?}");
}

#[tokio::test]
async fn what_was_posted_to_no_door_is_applied_as_the_feed_that_is_named() {
    let only_cars = credential("cars", "bearer", "[\"inventory\"]", "\"all\"", "secret_env = \"OTHER_TOKEN\"\n");
    let config = format!("{CONFIG}{only_cars}");
    let service = service_with(&config).await;
    let (name, right) = all();
    for id in 1..=3 {
        send(&service, "POST", "/webhook/leads", Some((name, &right)), lead(id).to_string()).await;
    }
    let ids: Vec<String> = kept(&service).await.iter().map(|row| row["id"].as_str().unwrap().to_owned()).collect();
    let refused = replay_with(&service, &config, &["--rejected", "--all"]).await;
    assert!(!refused.good && refused.of(&ids[0]).contains("say which feed it is of by `--as-feed`"), "{refused:?}");
    let words = ["--as-feed", "lead", "--credential", "cars", "--id", &ids[0]];
    let refused = replay_with(&service, &config, &words).await;
    assert!(!refused.good && refused.error.contains("`cars` may not post to lead"), "{refused:?}");
    assert_eq!(service.count("leads").await, 0);

    let words = ["--as-feed", "lead", "--credential", "all", "--id", &ids[0]];
    let applied = replay_with(&service, &config, &words).await;
    assert!(applied.good, "{applied:?}");
    assert_eq!(applied.of(&ids[0]), "lead refused -> applied person=created lead=created");
    let words = ["--rejected", "--all", "--as-feed", "lead", "--credential", "all"];
    let rest = replay_with(&service, &config, &words).await;
    assert!(rest.good && rest.summary() == "3 deliveries replayed: 3 applied", "{rest:?}");
    let query = "select distinct d.feed, d.credential, d.outcome, r.replayed_at is not null as marked
        from intake.rejected r join intake.deliveries d on d.id = r.delivery_id";
    let all = json!({"feed": "lead", "credential": "all", "outcome": "applied", "marked": true});
    assert_eq!(service.row(query).await, all);
    assert_eq!(service.count("leads").await, 3);
}

#[tokio::test]
async fn a_vehicle_at_the_leads_door_is_told_the_right_one_and_applied_as_what_it_is() {
    let service = service().await;
    let answer = service.post(LEADS, car().to_string()).await;
    assert_eq!((answer.status.as_u16(), answer.codes()), (200, vec!["dealership_missing"]));
    let told = answer.body["findings"][0]["message"].as_str().unwrap();
    assert!(told.contains(INVENTORY) && told.contains("replay --as-feed inventory"), "{told}");
    let id = answer.body["delivery_id"].as_str().unwrap();

    let tried = replay(&service, &["--as-feed", "inventory", "--id", id, "--dry-run"]).await;
    assert_eq!(tried.of(id), "lead rejected -> applied listing=created", "{tried:?}");
    assert_eq!(service.count("listings").await, 0);
    let applied = replay(&service, &["--as-feed", "inventory", "--id", id]).await;
    assert!(applied.good, "{applied:?}");
    let record = service.record(&answer).await;
    assert_eq!((&record["feed"], &record["outcome"]), (&json!("inventory"), &json!("applied")));
    assert_eq!(record["replays"][0]["before"]["feed"], "lead");
    assert_eq!(service.count("listings").await, 1);

    // What is applied as what it was posted as is left alone.
    let lead = service.lead(&lead(1)).await;
    let id = lead.body["delivery_id"].as_str().unwrap();
    let left = replay(&service, &["--as-feed", "inventory", "--id", id]).await;
    assert!(!left.good && left.of(id).contains("it is applied as what it was posted as"), "{left:?}");
    assert_eq!(service.record(&lead).await["feed"], "lead");
}

#[tokio::test]
async fn each_payload_at_another_feeds_door_is_told_the_right_one() {
    let pro = credential("pro", "bearer", "[\"leadpro_lead\"]", "[\"beta\"]", "secret_env = \"OTHER_TOKEN\"\n");
    let service = service_with(&format!("{CONFIG}{pro}")).await;
    let cluster = fixture("dealer_studio/lead_cluster/every_field.json");
    let property = json!({"event": "lead.created", "data": {"id": 1, "email": "ada@example.com"}});
    let clusters = "/webhooks/dealer-studio/lead-clusters";
    for (door, payload, right) in [
        (LEADS, &cluster, clusters),
        (LEADS, &property, LEADPRO),
        (clusters, &lead(1), LEADS),
        (clusters, &car(), INVENTORY),
        (INVENTORY, &lead(1), LEADS),
        (INVENTORY, &property, LEADPRO),
    ] {
        let answer = service.post(door, payload.to_string()).await;
        assert_eq!(answer.codes(), ["dealership_missing"], "{door} {right}");
        let told = answer.body["findings"][0]["message"].as_str().unwrap();
        assert!(told.contains(&format!("posted to {right},")), "{door}: {told}");
    }
    let (status, body) = send(
        &service,
        "POST",
        LEADPRO,
        Some(("authorization", "Bearer another-token-of-the-tests")),
        lead(1).to_string(),
    )
    .await;
    assert_eq!((status, &body["findings"][0]["code"]), (200, &json!("event_unknown")));
    assert!(body["findings"][0]["message"].as_str().unwrap().contains(&format!("posted to {LEADS},")), "{body}");
}

#[tokio::test]
async fn a_delivery_is_applied_as_another_feed_only_where_its_credential_may_post_that() {
    let only_leads = credential("leads", "bearer", "[\"lead\"]", "\"all\"", "secret_env = \"OTHER_TOKEN\"\n");
    let config = format!("{CONFIG}{only_leads}");
    let service = service_with(&config).await;
    let header = Some(("authorization", "Bearer another-token-of-the-tests"));
    let (status, body) = send(&service, "POST", LEADS, header, car().to_string()).await;
    assert_eq!(status, 200);
    let id = body["delivery_id"].as_str().unwrap();
    let left = replay_with(&service, &config, &["--as-feed", "inventory", "--finding", "dealership_missing"]).await;
    assert!(!left.good && left.of(id).contains("its credential may not post to inventory"), "{left:?}");
    let named = ["--as-feed", "inventory", "--credential", "all", "--finding", "dealership_missing"];
    let applied = replay_with(&service, &config, &named).await;
    assert!(applied.good && applied.of(id).starts_with("lead rejected -> applied"), "{applied:?}");
}

#[tokio::test]
async fn of_a_signed_token_at_no_door_the_claims_are_kept() {
    let pro = "secret_env = \"LEADPRO_SECRET\"\n";
    let config = format!("{CONFIG}{}", credential("pro", "leadpro_jwt", "[\"leadpro_lead\"]", "[\"beta\"]", pro));
    let service = service_with(&config).await;
    let claims = json!({"event": "lead.created", "data": {"id": 1, "email": "ada@example.com"}});
    let signed = token::signed(&claims, "signing-secret-of-the-leadpro-dashboard");
    let (status, _) = send(&service, "POST", "/leadpro", Some(("authorization", &signed)), "{}".to_owned()).await;
    assert_eq!(status, 404);
    let rows = kept(&service).await;
    assert_eq!(rows[0]["credential"], "pro");
    assert_eq!(serde_json::from_str::<Value>(rows[0]["body"].as_str().unwrap()).unwrap(), claims);
    let words = ["--rejected", "--all", "--as-feed", "leadpro_lead", "--credential", "pro"];
    let applied = replay_with(&service, &config, &words).await;
    assert!(applied.good && applied.summary() == "1 delivery replayed: 1 applied", "{applied:?}");
}
