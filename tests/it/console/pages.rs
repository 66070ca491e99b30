//! What the pages tell.

use axum::http::StatusCode;
use futures_util::future::{Either, select};
use serde_json::{Value, json};

use super::{Visitor, actions, console_service};
use crate::support::payloads::{car, lead};
use crate::support::{LEADS, TOKEN, TestService, a_lead, fixture, fixture_bytes};

async fn posted(service: &TestService, fixture: &str) -> String {
    let answer = service.post(LEADS, fixture_bytes(&format!("dealer_studio/lead/{fixture}"))).await;
    answer.body["delivery_id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_overview_tells_what_came_what_waits_who_is_refused_and_what_is_unknown() {
    let service = console_service().await;
    let mut visitor = Visitor::logged_in(&service).await;
    let empty = visitor.get("/").await.text;
    assert!(empty.contains("No delivery has arrived yet.") && empty.contains("No lead is blocked."), "{empty}");

    service.lead(&a_lead(1)).await;
    let rejected = service.lead(&a_lead(2).dealership(99)).await;
    let page = visitor.get(&format!("/deliveries/{}", rejected.id())).await.text;
    assert!(page.contains("names dealership 99") && page.contains("Add the dealership id to a workspace"), "{page}");
    service.lead(&lead(json!({ "id": 3 }))).await;
    service.post_as("wrong", LEADS, "{}").await;
    service.post_as(TOKEN, "/webhooks/dealer-studio/lead", "{}").await;
    service.refusals_written().await;
    service.database.execute(
        "insert into intake.drift select id, 'lead', 'prospect.shoe_size', now(), now(), 7, gen_random_uuid()
            from workspaces where slug = 'alpha';
        insert into intake.dealership_feeds (workspace_id, dealership_id, feed, counted_on, counted_from, expected_every,
            expected_since, silent_since)
            select id, 356, 'inventory', current_date, now(), interval '1 h', now(), now() - interval '2 h'
            from workspaces where slug = 'alpha'",
    ).await;
    let text = visitor.get("/").await.text;
    for part in [
        "/deliveries?workspace=alpha&#38;feed=lead&#38;outcome=applied",
        "/deliveries?workspace=-&#38;feed=lead&#38;outcome=rejected",
        "asset not found",
        "No listing has the lead&#39;s VIN or stock number yet.",
        "Check that the vehicle is in the inventory feed",
        "prospect.shoe_size",
        "<strong>1</strong> silent sender",
        "/webhooks/dealer-studio/leads",
        "credential all",
        "There is no spool",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[tokio::test]
async fn deliveries_are_listed_as_asked_for_and_older_ones_are_reached() {
    let service = console_service().await;
    for id in 1..=60 {
        service.lead(&a_lead(id)).await;
    }
    service.lead(&a_lead(61).dealership(99)).await;
    let mut visitor = Visitor::logged_in(&service).await;
    let rows = |text: &str| text.matches("<td><a href=\"/deliveries/").count();
    let first = visitor.get("/deliveries").await.text;
    assert_eq!(rows(&first), 50);
    let older = first.split("<a href=\"").find(|link| link.contains("before=")).unwrap().split('"').next().unwrap();
    let second = visitor.get(&older.replace("&#38;", "&")).await.text;
    assert_eq!(rows(&second), 11);
    assert!(!second.contains("before="), "there are none before");
    for (filter, expected) in [
        ("outcome=rejected", 1),
        ("outcome=failed", 0),
        ("workspace=-", 1),
        ("workspace=beta", 0),
        ("feed=inventory", 0),
        ("workspace=alpha&outcome=applied&feed=lead", 50),
        ("before=nonsense", 50),
    ] {
        assert_eq!(rows(&visitor.get(&format!("/deliveries?{filter}")).await.text), expected, "{filter}");
    }
}

#[tokio::test]
async fn blocked_leads_are_listed_by_reason_with_what_they_ask_for() {
    let service = console_service().await;
    service.lead(&lead(json!({ "id": 3, "item": { "vin": "WAUZZZ8V0KA000001" } }))).await;
    let mut visitor = Visitor::logged_in(&service).await;
    let text = visitor.get("/blocked?workspace=alpha&reason=asset_not_found").await.text;
    assert!(text.contains("VIN WAUZZZ8V0KA000001"), "{text}");
    assert!(text.contains("/search?kind=lead&#38;q=3&#38;workspace=alpha"), "{text}");
    let other = visitor.get("/blocked?workspace=beta&reason=asset_not_found").await.text;
    assert!(other.contains("No lead of this workspace waits for that."), "{other}");
    assert_eq!(visitor.get("/blocked?workspace=alpha&reason=nonsense").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_delivery_shows_what_was_sent_with_what_was_found_beside_the_fields() {
    let service = console_service().await;
    let id = posted(&service, "unlisted_values.json").await;
    let record = service.row(&format!("select findings from intake.deliveries where id = '{id}'")).await;
    let findings = record["findings"].as_array().unwrap();
    assert!(!findings.is_empty());
    let mut visitor = Visitor::logged_in(&service).await;
    let text = visitor.get(&format!("/deliveries/{id}")).await.text;
    for (index, finding) in findings.iter().enumerate() {
        let Some(path) = finding["path"].as_str() else { continue };
        let key = path.rsplit('.').next().unwrap();
        let line = text.lines().find(|line| line.contains(&format!("href=\"#finding-{}\"", index + 1)));
        let line = line.unwrap_or_else(|| panic!("{finding} in {text}"));
        assert!(line.contains(&format!("<span class=\"key\">{key}</span>")), "{finding}: {line}");
        assert!(text.contains(&format!("<li id=\"finding-{}\">", index + 1)));
    }
    let found = visitor.get(&format!("/deliveries/{id}?find=CITIZEN")).await.text;
    assert!(found.contains(" found.</p>") || found.contains(" found."), "{found}");
    assert!(found.contains("<li class=\"match\">"), "{found}");
    for unknown in ["00000000-0000-0000-0000-000000000000", "0199ffff-ffff-7fff-bfff-ffffffffffff", "nonsense"] {
        assert_eq!(visitor.get(&format!("/deliveries/{unknown}")).await.status, StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn identity_documents_are_masked_until_they_are_asked_for_which_is_noted() {
    let service = console_service().await;
    let id = posted(&service, "licence_and_passport.json").await;
    let details = fixture("dealer_studio/lead/licence_and_passport.json")["additional_details"].clone();
    let values: Vec<String> = details
        .as_object()
        .unwrap()
        .iter()
        .filter(|(key, _)| key.contains("number"))
        .map(|(_, value)| value.as_str().map_or(value.to_string(), str::to_owned))
        .collect();
    assert!(values.len() >= 3, "{values:?}");
    let mut visitor = Visitor::logged_in(&service).await;
    let masked = visitor.get(&format!("/deliveries/{id}")).await.text;
    assert!(masked.contains("of identity documents are masked"), "{masked}");
    for value in &values {
        assert!(!masked.contains(value.as_str()), "{value}");
        let searched = visitor.get(&format!("/deliveries/{id}?find={value}")).await.text;
        assert!(searched.contains(">0 found."), "it is not found out by searching for it");
        assert_eq!(searched.matches(value.as_str()).count(), 1, "but for what was searched for");
    }
    assert_eq!(actions(&service).await, [] as [Value; 0]);
    let shown = visitor.post_with_token(&format!("/deliveries/{id}/documents"), &[]).await.text;
    for value in &values {
        assert!(shown.contains(value.as_str()), "{value}");
    }
    let expected = json!({
        "action": "show_document", "acted_by": "ada in the console", "counts": { "deliveries": 1, "delivery_id": id }
    });
    assert_eq!(actions(&service).await, [expected]);
    assert!(!visitor.get(&format!("/deliveries/{id}")).await.text.contains(values[0].as_str()), "it is asked for anew");

    // What cannot be noted is not shown.
    service.database.execute("revoke insert on intake.actions from forecourt_service").await;
    let refused = visitor.post_with_token(&format!("/deliveries/{id}/documents"), &[]).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(values.iter().all(|value| !refused.text.contains(value.as_str())));
}

#[tokio::test]
async fn a_body_that_is_no_json_is_masked_and_one_that_is_gone_is_said_to_be() {
    let service = console_service().await;
    let id = posted(&service, "not_json.txt").await;
    let body = String::from_utf8(fixture_bytes("dealer_studio/lead/not_json.txt")).unwrap();
    let mut visitor = Visitor::logged_in(&service).await;
    let masked = visitor.get(&format!("/deliveries/{id}")).await.text;
    assert!(
        masked.contains("It is no JSON, and may hold identity documents.") && !masked.contains(body.trim()),
        "{masked}"
    );
    let shown = visitor.post_with_token(&format!("/deliveries/{id}/documents"), &[]).await.text;
    assert!(shown.contains("<pre class=\"raw\""), "{shown}");

    let long = json!({ "id": 9, "dealership": { "id": 356 }, "comments": "x".repeat(1_200_000) });
    let answer = service.lead(&long).await;
    let text = visitor.get(&format!("/deliveries/{}", answer.body["delivery_id"].as_str().unwrap())).await.text;
    assert!(text.contains("more than the 1024 KiB that are shown here"), "{text}");
    service.database.execute("delete from intake.bodies; update intake.deliveries set erased_at = now()").await;
    let text = visitor.get(&format!("/deliveries/{id}")).await.text;
    assert!(text.contains("It was erased") && !text.contains("Try out a replay"), "{text}");
}

#[tokio::test]
async fn a_replay_is_tried_out_first_then_done_and_noted() {
    let service = console_service().await;
    let answer = service.lead(&a_lead(5).dealership(285)).await;
    let id = answer.body["delivery_id"].as_str().unwrap().to_owned();
    // As after a mistake that was mended.
    service.database.execute(
        "update intake.deliveries set outcome = 'failed', findings = '[{\"code\": \"internal_error\", \"message\": \"m\"}]'; delete from leads; delete from persons",
    ).await;
    let mut visitor = Visitor::logged_in(&service).await;
    let made_up = visitor.post_with_token(&format!("/deliveries/{id}/replay"), &[("proof", "made-up")]).await;
    assert_eq!(made_up.status, StatusCode::CONFLICT);
    assert_eq!(service.count("leads").await, 0);

    let before = service.versions().await;
    let dry = visitor.post_with_token(&format!("/deliveries/{id}/dry-run"), &[]).await;
    assert_eq!(dry.status, StatusCode::OK);
    assert!(
        dry.text.contains("What a replay would do now") && dry.text.contains("Nothing was written."),
        "{}",
        dry.text
    );
    assert!(dry.text.contains("lead: created") && dry.text.contains("No longer found"), "{}", dry.text);
    assert_eq!(service.versions().await, before);
    assert_eq!(actions(&service).await, [] as [Value; 0]);
    let proof = dry.hidden("proof");
    // Of one session, for the delivery that was tried out.
    let mut other = Visitor::logged_in(&service).await;
    let theirs = other.post_with_token(&format!("/deliveries/{id}/replay"), &[("proof", &proof)]).await;
    assert_eq!(theirs.status, StatusCode::CONFLICT);

    let done = visitor.post_with_token(&format!("/deliveries/{id}/replay"), &[("proof", &proof)]).await;
    assert!(done.text.contains(">Replayed</h2>") && done.text.contains("lead: created"), "{}", done.text);
    assert_eq!(service.count("leads").await, 1);
    let counts = json!({ "deliveries": 1, "delivery_id": id, "outcomes": { "applied": 1 }, "not_replayed": 0 });
    let expected = json!({ "action": "replay", "acted_by": "ada in the console", "counts": counts });
    assert_eq!(actions(&service).await, [expected]);
    let again = visitor.post_with_token(&format!("/deliveries/{id}/replay"), &[("proof", &proof)]).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "it was tried since");
    let proof = visitor.post_with_token(&format!("/deliveries/{id}/dry-run"), &[]).await.hidden("proof");
    let done = visitor.post_with_token(&format!("/deliveries/{id}/replay"), &[("proof", &proof)]).await;
    assert!(done.text.contains("It changes nothing."), "{}", done.text);
}

#[tokio::test]
async fn of_two_replays_at_once_one_is_done_and_noted_and_the_other_is_told_so() {
    let service = console_service().await;
    let answer = service.lead(&a_lead(5).dealership(285)).await;
    let id = answer.body["delivery_id"].as_str().unwrap().to_owned();
    let mut visitor = Visitor::logged_in(&service).await;
    let tried = visitor.post_with_token(&format!("/deliveries/{id}/dry-run"), &[]).await;
    let mut somebody = service.database.pool.begin().await.unwrap();
    sqlx::query("select version from intake.workspace_locks for update").execute(&mut *somebody).await.unwrap();

    let replay = async |mut visitor: Visitor| {
        let fields = [("token", &*tried.hidden("token")), ("proof", &*tried.hidden("proof"))];
        visitor.post(&format!("/deliveries/{id}/replay"), &fields).await
    };
    let both = (Box::pin(replay(visitor.clone())), Box::pin(replay(visitor.clone())));
    let (Either::Left((refused, done)) | Either::Right((refused, done))) = select(both.0, both.1).await;
    assert_eq!(refused.status, StatusCode::CONFLICT);
    assert!(refused.text.contains("being replayed already"), "{}", refused.text);
    somebody.rollback().await.unwrap();
    assert_eq!(done.await.status, StatusCode::OK);
    let noted = actions(&service).await;
    assert_eq!(noted.len(), 1, "{noted:?}");
    assert_eq!(noted[0]["counts"]["delivery_id"], id);
}

#[tokio::test]
async fn while_postgres_is_away_a_page_says_so() {
    let service = console_service().await;
    let mut visitor = Visitor::logged_in(&service).await;
    service.database.execute("alter table intake.deliveries rename to elsewhere").await;
    let page = visitor.get("/").await;
    assert_eq!(page.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(page.text.contains("Postgres did not answer"), "{}", page.text);
    service.database.execute("alter table intake.elsewhere rename to deliveries").await;
    // Somebody holds a table: the page gives up, and nobody waits behind it.
    let mut holding = service.database.pool.begin().await.unwrap();
    sqlx::query("lock table intake.drift in access exclusive mode").execute(&mut *holding).await.unwrap();
    assert_eq!(visitor.get("/").await.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(service.lead(&a_lead(1)).await.body["outcome"], "applied");
    holding.rollback().await.unwrap();
    assert_eq!(visitor.get("/").await.status, StatusCode::OK);
}

#[tokio::test]
async fn many_who_look_on_at_once_wait_for_each_other() {
    let service = console_service().await;
    service.vehicle(&car(json!({}))).await;
    let visitor = Visitor::logged_in(&service).await;
    let mut pages = tokio::task::JoinSet::new();
    for _ in 0..40 {
        let mut visitor = visitor.clone();
        pages.spawn(async move { visitor.get("/").await.status });
    }
    let answers = pages.join_all().await;
    let expected = [StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE];
    assert!(answers.iter().all(|status| expected.contains(status)), "{answers:?}");
    let connections = "pg_stat_activity where datname = current_database() and usename = 'forecourt_service'";
    assert!(service.count(connections).await <= 8);
}
