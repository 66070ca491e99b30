//! Faults: a delivery that makes its transaction fail, and a Postgres that is away.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use forecourt::intake::due;
use forecourt::store::due::RetryableRejections;
use futures_util::future::join_all;
use serde_json::json;
use sqlx::postgres::PgPoolOptions;

use crate::support::{Answer, CONFIG, TestService, a_lead, assert_holds, config_with, own_cluster, service, soon};

/// Every way in which a statement may fail on one row.
const SABOTAGE: [(&str, &str); 3] = [
    (
        "alter table leads add constraint sabotage check (external_id <> '77')",
        "alter table leads drop constraint sabotage",
    ),
    (
        "create function sabotage() returns trigger language plpgsql as $$
            begin
                if new.external_id = '77' then raise exception 'sabotage of % %', new.external_id, new.contact_email; end if;
                return new;
            end $$;
        create trigger sabotage before insert on leads for each row execute function sabotage()",
        "drop trigger sabotage on leads",
    ),
    (
        "alter table persons add constraint sabotage check (email <> 'ada77@example.com')",
        "alter table persons drop constraint sabotage",
    ),
];

#[tokio::test]
async fn one_bad_delivery_takes_down_none_of_its_batch_and_is_applied_when_the_cause_is_gone() {
    for (sabotage, mending) in SABOTAGE {
        let service = service().await;
        service.database.execute(sabotage).await;
        let answers = join_all((0..200).map(|id| {
            let service = &service;
            async move { service.lead(&a_lead(id)).await }
        }))
        .await;
        for (id, answer) in answers.iter().enumerate() {
            assert_eq!(answer.status, 200);
            let outcome = if id == 77 { "failed" } else { "applied" };
            assert_eq!(answer.body["outcome"], outcome, "{sabotage} {id} {answer:?}");
        }
        let failed = &answers[77];
        assert_eq!(failed.codes(), ["internal_error"]);
        assert_eq!(service.count("leads").await, 199);
        assert_eq!(service.count("intake.deliveries where outcome = 'applied' and attempts = 1").await, 199);
        let record = service.record(failed).await;
        assert_holds(&record, json!({ "outcome": "failed", "attempts": 1 }));
        assert_eq!(record["dealership_id"], 356);
        assert_eq!(service.count("intake.deliveries where outcome = 'failed' and retry_at > settled_at").await, 1);
        assert_eq!(service.count("intake.deliveries where outcome = 'failed' and workspace_id <> 0").await, 1);

        // Too early, nothing is tried; when it is due it fails again, and is tried later.
        assert_eq!(due::round(service.intake(), &RetryableRejections::default()).await.unwrap(), 0);
        make_due(&service).await;
        assert_eq!(due::round(service.intake(), &RetryableRejections::default()).await.unwrap(), 1);
        let record = service.record(failed).await;
        assert_holds(&record, json!({ "outcome": "failed", "attempts": 2 }));
        assert_eq!(record["findings"].as_array().unwrap().len(), 1, "{record}");

        service.database.execute(mending).await;
        make_due(&service).await;
        assert_eq!(due::round(service.intake(), &RetryableRejections::default()).await.unwrap(), 1);
        let expected = json!({ "outcome": "applied", "attempts": 3, "retry_at": null, "findings": [] });
        service.expect_record(failed, expected).await;
        assert_eq!((service.count("leads").await, service.count("persons").await), (200, 200));
        assert_eq!(due::round(service.intake(), &RetryableRejections::default()).await.unwrap(), 0);
    }
}

async fn make_due(service: &TestService) {
    service.database.execute("update intake.deliveries set retry_at = now() where retry_at is not null").await;
}

#[tokio::test]
async fn a_delivery_that_never_succeeds_is_tried_ten_times() {
    let service = service().await;
    service.database.execute(SABOTAGE[0].0).await;
    let failed = service.lead(&a_lead(77)).await;
    let mut pauses = Vec::new();
    for _ in 1..10 {
        let pause: f64 = service
            .database
            .value("select extract(epoch from retry_at - settled_at)::float8 from intake.deliveries")
            .await;
        pauses.push(pause);
        make_due(&service).await;
        assert_eq!(due::round(service.intake(), &RetryableRejections::default()).await.unwrap(), 1);
    }
    assert!(pauses.is_sorted() && pauses[0] >= 1.0, "{pauses:?}");
    service.expect_record(&failed, json!({ "attempts": 10, "retry_at": null })).await;
    assert_eq!(due::round(service.intake(), &RetryableRejections::default()).await.unwrap(), 0);
    assert_eq!(service.count("intake.deliveries").await, 1);
}

#[tokio::test]
async fn a_missing_column_fails_what_needs_it_and_nothing_is_lost() {
    let service = service().await;
    service.database.execute("alter table leads rename column comments to hidden").await;
    let answers = join_all((0..20).map(|id| {
        let service = &service;
        async move { service.lead(&a_lead(id)).await }
    }))
    .await;
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.body["outcome"] == "failed"), "{answers:?}");
    service.database.execute("alter table leads rename column hidden to comments").await;
    make_due(&service).await;
    assert_eq!(due::round(service.intake(), &RetryableRejections::default()).await.unwrap(), 20);
    assert_eq!(service.count("intake.deliveries where outcome = 'applied' and attempts = 2").await, 20);
    assert_eq!(service.count("leads").await, 20);
}

#[tokio::test]
async fn a_transaction_that_postgres_breaks_off_is_tried_again_and_fails_no_delivery() {
    each_is_tried_again(&["40001", "40P01", "25P03", "25006", "53100", "57P01", "08006"]).await;
}

/// Has every second try of a lead fail with each of these codes in turn; none is told of it.
pub(crate) async fn each_is_tried_again(codes: &[&str]) {
    let service = service().await;
    service
        .database
        .execute(
            "create sequence tries; grant usage on sequence tries to public;
            create function sabotage() returns trigger language plpgsql as $$ begin
                if nextval('tries') % 2 = 1 then raise exception 'later' using errcode = new.comments; end if;
                return new;
            end $$;
            create trigger sabotage before insert on leads for each row execute function sabotage()",
        )
        .await;
    for (id, code) in (0..).zip(codes) {
        let body = a_lead(id).comments(code);
        let answer = service.lead(&body).await;
        assert_eq!(answer.outcome(), "applied", "{code} {answer:?}");
        assert_eq!(service.record(&answer).await["attempts"], 1, "{code}");
    }
    let posted = i64::try_from(codes.len()).unwrap();
    assert_eq!((service.count("leads").await, service.count("intake.deliveries").await), (posted, posted));
}

async fn get(service: &TestService, path: &str) -> Answer {
    service.send(Request::get(path).body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn while_postgres_is_away_the_service_lives_is_not_ready_and_holds_what_comes() {
    let mut cluster = own_cluster().await;
    let service = TestService::over(cluster.database().await, CONFIG).await;
    assert_eq!(get(&service, "/readyz").await.status, 200);
    assert_eq!(service.lead(&a_lead(1)).await.status, 200);

    cluster.stop().await;
    let ready = get(&service, "/readyz").await;
    assert_eq!(ready.status, 503);
    assert_eq!(ready.body["status"], "unavailable");
    assert_eq!(ready.body["parts"], json!({"postgres": "unavailable"}));
    let reason = ready.body["reasons"]["postgres"].as_str().unwrap();
    assert!(["unreachable", "no_answer", "starting", "refused"].contains(&reason), "{ready:?}");
    assert_eq!(get(&service, "/livez").await.status, 200);

    // The same delivery and another, posted while there is nowhere to put them.
    let (first, again, second) = (a_lead(1), a_lead(1), a_lead(2));
    let held = async { tokio::join!(service.lead(&first), service.lead(&again), service.lead(&second)) };
    let back = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        cluster.start().await;
    };
    let ((first, again, second), ()) = tokio::join!(held, back);
    assert_eq!([first.status.as_u16(), again.status.as_u16(), second.status.as_u16()], [200; 3]);
    assert_eq!([&first.body["outcome"], &again.body["outcome"]], ["unchanged", "unchanged"]);
    assert_eq!(second.outcome(), "applied");
    assert_eq!(service.count("intake.deliveries").await, 4);
    assert_eq!(service.count("leads").await, 2);
    assert_eq!(get(&service, "/readyz").await.status, 200);
}

#[tokio::test]
async fn a_server_that_is_killed_in_the_midst_of_batches_loses_and_doubles_nothing() {
    let cluster = own_cluster().await;
    let service = TestService::over(cluster.database().await, CONFIG).await;
    let service = &service;
    let posts = join_all((0..150).map(|id| async move {
        tokio::time::sleep(Duration::from_millis(u64::try_from(id).unwrap() * 4)).await;
        service.lead(&a_lead(id)).await
    }));
    let kill = async {
        tokio::time::sleep(Duration::from_millis(250)).await;
        cluster.kill();
    };
    let (answers, ()) = tokio::join!(posts, kill);
    for answer in &answers {
        assert_eq!(answer.status, 200, "{answer:?}");
        assert_eq!(service.record(answer).await["outcome"], "applied");
    }
    assert_eq!(service.count("leads").await, 150);
    assert_eq!(service.count("intake.deliveries").await, 150);
}

#[tokio::test]
async fn a_sender_is_told_to_come_back_when_postgres_stays_away_beyond_the_hold() {
    let mut cluster = own_cluster().await;
    let database = cluster.database().await;
    let mut short = database.beside();
    short.service_pool = PgPoolOptions::new()
        .max_connections(8)
        .acquire_timeout(Duration::from_millis(200))
        .connect_lazy_with(database.service_options.clone());
    // The first connection may take longer than that on a machine that does other things.
    soon("a connection", async || short.service_pool.acquire().await.is_ok()).await;
    let service = TestService::over(short, &config_with("hold_seconds = 1")).await;
    cluster.stop().await;
    let request = Request::post("/webhooks/dealer-studio/leads")
        .header("authorization", format!("Bearer {}", crate::support::TOKEN))
        .body(Body::from(a_lead(1).to_string()));
    let response = service.respond(request.unwrap()).await;
    assert_eq!(response.status(), 503);
    let seconds: u32 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!(seconds > 0);
    let answer = service.lead(&a_lead(2)).await;
    assert_eq!((answer.status.as_u16(), &answer.body), (503, &json!({"error": "unavailable"})));

    // What was told to come back is not applied behind the sender's back.
    cluster.start().await;
    soon("a lead stored within the hold", async || service.lead(&a_lead(3)).await.status == 200).await;
    assert_eq!((service.count("leads").await, service.count("leads where external_id = '3'").await), (1, 1));
}

#[tokio::test]
async fn a_hold_that_is_shorter_than_the_deadline_leaves_time_for_the_spool() {
    let mut cluster = own_cluster().await;
    let config = config_with("hold_seconds = 1").replace("[spool]\nmax_bytes = 0", "");
    let service = TestService::over(cluster.database().await, &config).await;
    cluster.stop().await;
    let answer = service.lead(&serde_json::json!({"id": 1, "dealership": {"id": 356}})).await;
    assert_eq!((answer.status.as_u16(), answer.body["outcome"].as_str()), (200, Some("spooled")));
}
