//! Deliveries and bodies by month: whose body is kept once, where a row goes that gets its workspace later, and how months
//! are made, found and dropped.

use chrono::{DateTime, Utc};
use forecourt::domain::delivery::{Delivery, id_at};
use forecourt::domain::feed::Feed;
use forecourt::intake::replay::{self, ReplayItem};
use forecourt::intake::{Answer, Outcome, due, partitions};
use forecourt::store::partitions::{Partitioned, drop, make};
use forecourt::store::placements::locate;
use forecourt::store::replay_filter::{self, ReplayFilter, START};
use futures_util::future::join_all;
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, ConnectOptions as _};
use uuid::Uuid;

use crate::replay::replay as run_replay;
use crate::support::{CONFIG, LEADPRO, TestService, a_lead, car, delivery, service, service_with, soon};

/// A delivery that arrived then.
fn arrived(at: &str, feed: Feed, body: &Value) -> Delivery {
    let received_at: DateTime<Utc> = at.parse().unwrap();
    Delivery { id: id_at(received_at), received_at, ..delivery(feed, body.to_string()) }
}

async fn accepted(service: &TestService, delivery: &Delivery) -> Outcome {
    match service.acceptor().accept(delivery.clone()).await.unwrap() {
        Answer::Applied(reply) => reply.outcome,
        Answer::Spooled(id) => panic!("{id} was spooled"),
    }
}

/// Every delivery has its body in the view, and no body is there that no delivery names.
async fn bodies_match(service: &TestService) {
    assert_eq!(service.count("intake.deliveries_with_bodies where sha256(body) is distinct from body_sha256").await, 0);
    let unnamed = "intake.bodies b where not exists (
        select from intake.deliveries d where d.workspace_id = b.workspace_id
            and b.body_key = case when d.shares_body then d.body_sha256 else uuid_send(d.id) end
            and b.received_month = date_trunc('month', d.received_at at time zone 'UTC')::date)";
    assert_eq!(service.count(unnamed).await, 0);
}

#[tokio::test]
async fn the_body_of_a_vehicle_that_comes_again_in_its_month_is_kept_once_and_no_other_is_shared() {
    let service = service().await;
    let vehicle = car(1).vin(1).body().clone();
    for at in ["2026-11-01T00:00:00Z", "2026-11-30T23:59:59.999999Z", "2026-12-01T00:00:00Z"] {
        accepted(&service, &arrived(at, Feed::Inventory, &vehicle)).await;
    }
    let together = ["2026-11-05T00:00:00Z"; 20].map(|at| arrived(at, Feed::Inventory, &vehicle));
    join_all(together.iter().map(|delivery| accepted(&service, delivery))).await;
    let kept = "received_month::text as month, octet_length(body_key) as bytes from intake.bodies order by 1";
    assert_eq!(service.table(kept).await, json!([["2026-11-01", 32], ["2026-12-01", 32]]));
    bodies_match(&service).await;

    // The other workspace has one of its own; a lead, and a vehicle that was not applied, are never shared.
    let mut elsewhere = vehicle.clone();
    elsewhere["Seller"]["Identifier"] = json!(285);
    let mut unknown = vehicle.clone();
    unknown["Seller"]["Identifier"] = json!(999);
    for _ in 0..2 {
        service.vehicle(&elsewhere).await;
        service.vehicle(&unknown).await;
        service.lead(&a_lead(1)).await;
    }
    let kept = "d.feed, w.slug, octet_length(b.body_key), count(*) from intake.bodies b
        join intake.deliveries d on d.workspace_id = b.workspace_id and d.id::text = (
            select min(e.id::text) from intake.deliveries e
            where e.workspace_id = b.workspace_id and b.body_key in (e.body_sha256, uuid_send(e.id)))
        left join workspaces w on w.id = b.workspace_id group by 1, 2, 3 order by 1, 2, 3";
    let expected = json!([
        ["inventory", "alpha", 32, 2],
        ["inventory", "beta", 32, 1],
        ["inventory", null, 16, 2],
        ["lead", "alpha", 16, 2],
    ]);
    assert_eq!(service.table(kept).await, expected);
    bodies_match(&service).await;
}

#[tokio::test]
async fn a_vehicle_without_a_workspace_takes_its_body_along_when_it_gets_one() {
    let service = service().await;
    let mut vehicle = car(1).vin(1).body().clone();
    vehicle["Seller"]["Identifier"] = json!(999);
    let answers = [service.vehicle(&vehicle).await, service.vehicle(&vehicle).await];
    let records = [service.record(&answers[0]).await, service.record(&answers[1]).await];
    assert!(records.iter().all(|record| record["workspace_id"] == 0), "{records:?}");
    bodies_match(&service).await;

    service.reload(&CONFIG.replace("[285]", "[285, 999]")).await;
    let retryable = service.intake().router().retryable();
    assert_eq!(due::round(service.intake(), &retryable).await.unwrap(), 2);
    let stored = "w.slug, d.outcome, d.attempts, d.shares_body from intake.deliveries d
        join workspaces w on w.id = d.workspace_id order by d.outcome";
    assert_eq!(service.table(stored).await, json!([["beta", "applied", 2, true], ["beta", "unchanged", 2, true]]));
    assert_eq!(service.count("intake.bodies").await, 1);
    bodies_match(&service).await;
    let same = ["received_at", "credential", "remote_address", "content_type", "feed", "external_id", "dealership_id"];
    for (answer, before) in answers.iter().zip(&records) {
        let after = service.record(answer).await;
        assert!(same.iter().all(|column| after[column] == before[column]), "{before} {after}");
    }

    // And back, where a person asks for it once the dealership is gone again: what was applied stays where it is.
    service.reload(CONFIG).await;
    let run = run_replay(&service, &["--all"]).await;
    assert!(run.good, "{run:?}");
    let stored = "workspace_id = 0, outcome, shares_body from intake.deliveries order by 2";
    assert_eq!(service.table(stored).await, json!([[false, "applied", true], [true, "rejected", false]]));
    bodies_match(&service).await;
}

/// Times that no delay of the machine exceeds, and a spool.
fn with_spool(config: &str) -> String {
    config.replace("max_bytes = 0", "max_bytes = 100000000")
}

async fn spooled(service: &TestService, delivery: &Delivery) {
    service.acceptor().spool().unwrap().put(delivery.clone()).await.unwrap();
}

async fn drained(service: &TestService) {
    soon("an empty spool", async || service.acceptor().spool().unwrap().depth().deliveries == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reload_a_drain_and_a_replay_that_reach_for_one_at_once_apply_it_once() {
    const MANY: i64 = 40;
    let service = service_with(&with_spool(CONFIG)).await;
    let other = service.beside(CONFIG).await;
    let all: Vec<Delivery> = (0..MANY).map(|id| delivery(Feed::Lead, a_lead(id).dealership(999).to_string())).collect();
    for delivery in &all {
        assert_eq!(accepted(&service, delivery).await, Outcome::Rejected);
    }
    let knowing = CONFIG.replace("[285]", "[285, 999]");
    service.reload(&with_spool(&knowing)).await;
    other.reload(&knowing).await;
    let retryable = service.intake().router().retryable();
    let item = |delivery: &Delivery| ReplayItem { delivery: delivery.clone(), attempts: 1, is_unread: false };
    let items: Vec<ReplayItem> = all.iter().map(item).collect();
    let late = items.clone();
    let mut backwards = items.clone();
    backwards.reverse();
    let spool = async {
        for delivery in &all {
            spooled(&service, delivery).await;
        }
        drained(&service).await;
    };
    let (first, second, replayed, again, ()) = tokio::join!(
        due::round(service.intake(), &retryable),
        due::round(other.intake(), &retryable),
        replay::replay(other.intake(), backwards),
        replay::replay(service.intake(), items),
        spool,
    );
    assert!(first.is_ok() && second.is_ok());
    for made in replayed.into_iter().chain(again) {
        assert_eq!(made.unwrap().outcome, Outcome::Applied);
    }
    assert_eq!(service.count("intake.deliveries").await, MANY);
    let settled = "intake.deliveries d join workspaces w on w.id = d.workspace_id
        where slug = 'beta' and outcome = 'applied' and attempts = 2 and changes ->> 'lead' = 'created'";
    assert_eq!(service.count(settled).await, MANY);
    assert_eq!(service.count("leads").await, MANY);
    assert_eq!(service.count("intake.bodies where workspace_id <> 0").await, MANY);
    bodies_match(&service).await;
    // Late, and twice in one batch.
    let late = [late.clone(), late].concat();
    let made = replay::replay(service.intake(), late).await;
    assert!(made.into_iter().all(|made| made.unwrap().outcome == Outcome::Applied));
    assert_eq!(service.count(settled).await, MANY);
    assert_eq!((service.count("intake.deliveries").await, service.count("intake.bodies").await), (MANY, MANY));
}

#[tokio::test]
async fn what_was_applied_is_not_stored_again_where_its_workspace_is_not_known_any_more() {
    let service = service_with(&with_spool(CONFIG)).await;
    let beta = delivery(Feed::Lead, a_lead(1).dealership(285).to_string());
    assert_eq!(accepted(&service, &beta).await, Outcome::Applied);
    // Committed, and nobody has seen the end of that.
    service.reload(&with_spool(&CONFIG.replace("[285]", "[286]"))).await;
    spooled(&service, &beta).await;
    drained(&service).await;
    let stored = "outcome, attempts, workspace_id <> 0 from intake.deliveries";
    assert_eq!(service.table(stored).await, json!([["applied", 1, true]]));

    // The reverse.
    let unknown = delivery(Feed::Lead, a_lead(2).dealership(285).to_string());
    assert_eq!(accepted(&service, &unknown).await, Outcome::Rejected);
    service.reload(&with_spool(CONFIG)).await;
    spooled(&service, &unknown).await;
    drained(&service).await;
    let rows = format!("workspace_id = 0, outcome, attempts from intake.deliveries where id = '{}'", unknown.id);
    assert_eq!(service.table(&rows).await, json!([[true, "rejected", 1]]));
    due::round(service.intake(), &service.intake().router().retryable()).await.unwrap();
    assert_eq!(service.table(&rows).await, json!([[false, "applied", 2]]));
    bodies_match(&service).await;
}

#[tokio::test]
async fn of_two_rows_that_one_delivery_has_come_to_have_that_of_its_workspace_counts() {
    let service = service().await;
    let beta = delivery(Feed::Lead, a_lead(1).dealership(285).to_string());
    assert_eq!(accepted(&service, &beta).await, Outcome::Applied);
    let second = "insert into intake.deliveries (workspace_id, id, received_at, feed, credential, outcome, findings,
            changes, attempts, processing_ms, settled_at, dealership_id, body_sha256)
        select 0, id, received_at, feed, credential, 'rejected', '[{\"code\": \"dealership_unknown\"}]', '{}', 1, 1, now(),
            285, body_sha256 from intake.deliveries;
        insert into intake.bodies select 0, body_key, received_month, body from intake.bodies";
    service.database.execute(second).await;
    assert_eq!(due::round(service.intake(), &service.intake().router().retryable()).await.unwrap(), 1);
    assert_eq!(service.table("outcome, attempts from intake.deliveries").await, json!([["applied", 1]]));
    bodies_match(&service).await;
}

#[tokio::test]
async fn what_was_let_go_meanwhile_is_not_written_again() {
    let service = service().await;
    let answer = service.lead(&a_lead(1).dealership(999)).await;
    let knowing = service.beside(&CONFIG.replace("[285]", "[285, 999]")).await;
    let id: Uuid = answer.id().parse().unwrap();
    let asked = ReplayFilter {
        ids: vec![id],
        feeds: vec![],
        since: None,
        until: service.intake().now(),
        outcomes: vec![],
        codes: vec![],
        workspace: None,
        of_no_door: false,
        addresses: vec![],
        fingerprints: vec![],
    };
    let mut found = replay_filter::deliveries(service.intake().store(), &asked, START, 10).await.unwrap();
    let stored = found.remove(0).stored.unwrap();
    service.database.execute("delete from intake.deliveries; delete from intake.bodies").await;
    let permitted = forecourt::domain::workspace::Permitted::All;
    let delivery = Delivery { permitted, ..stored.delivery };
    let item = ReplayItem { delivery, attempts: stored.attempts, is_unread: false };
    let made = replay::replay(knowing.intake(), vec![item]).await;
    assert!(made[0].is_some(), "it is settled");
    let tables = ["intake.deliveries", "intake.bodies", "leads", "persons"];
    for table in tables {
        assert_eq!(service.count(table).await, 0, "{table}");
    }
}

#[tokio::test]
async fn a_delivery_whose_body_is_gone_is_left_and_said_so() {
    let service = service().await;
    let answer = service.lead(&a_lead(1).dealership(999)).await;
    service.database.execute("delete from intake.bodies").await;
    service.reload(&CONFIG.replace("[285]", "[285, 999]")).await;
    assert_eq!(due::round(service.intake(), &service.intake().router().retryable()).await.unwrap(), 0);
    let run = run_replay(&service, &["--id", answer.id()]).await;
    assert!(!run.good && run.of(answer.id()).ends_with("not replayed: its body was erased or let go"), "{run:?}");
}

#[tokio::test]
async fn a_delivery_names_what_it_is_about_as_its_sender_does() {
    let only = CONFIG.replace("workspaces = \"all\"", "workspaces = [\"beta\"]");
    let service = service_with(&only).await;
    let numbered = service.lead(&json!({"id": 1_759_346, "dealership": {"id": 285}})).await;
    let capital = service.lead(&json!({"Id": " AB-7 ", "dealership": {"id": 999}})).await;
    let cluster = service.cluster(&json!({"id": "c-1", "dealership_id": 285, "leads": [{"id": 5}]})).await;
    let vehicle = car(500_002).body().clone();
    let of_leadpro =
        service.post(LEADPRO, json!({"event": "lead.created", "data": {"id": "x9", "id2": 1}}).to_string()).await;
    let nameless = service.lead(&json!({"dealership": {"id": 285}})).await;
    let mut expected = vec![
        (numbered, json!("1759346")),
        (capital, json!("AB-7")),
        (cluster, json!("c-1")),
        (of_leadpro, json!("x9")),
        (nameless, Value::Null),
    ];
    // Read, and known by its bytes.
    let mut vehicle = vehicle;
    vehicle["Seller"]["Identifier"] = json!(285);
    for _ in 0..2 {
        expected.push((service.vehicle(&vehicle).await, json!("500002")));
    }
    for (answer, external_id) in expected {
        service.expect_record(&answer, json!({ "external_id": external_id })).await;
    }
}

#[tokio::test]
async fn a_month_is_made_once_by_several_and_takes_its_rows_out_of_the_default_one() {
    let service = service().await;
    let ahead = arrived("2031-05-17T10:00:00Z", Feed::Lead, &a_lead(1));
    let at_the_end = arrived("2031-05-31T23:59:59.999999Z", Feed::Inventory, car(1).vin(1).body());
    let behind = arrived("2031-06-01T00:00:00Z", Feed::Lead, &a_lead(2));
    for delivery in [&ahead, &at_the_end, &behind] {
        assert_eq!(accepted(&service, delivery).await, Outcome::Applied);
    }
    assert_eq!(service.count("intake.deliveries_default").await, 3);
    assert_eq!(service.count("intake.bodies_default").await, 3);
    let other = service.beside(CONFIG).await;
    let month = "2031-03-31T12:00:00Z".parse().unwrap();
    let made = join_all([&service, &other, &service, &other].map(|one| make(one.intake().store(), month))).await;
    assert!(made.iter().all(Result::is_ok), "{made:?}");
    for (table, count) in [("deliveries_2031_03", 0), ("deliveries_2031_05", 2), ("bodies_2031_05", 2)] {
        assert_eq!(service.count(&format!("intake.{table}")).await, count, "{table}");
    }
    assert_eq!(service.count("intake.deliveries_default").await, 1);
    bodies_match(&service).await;
    // Each part has the indexes that the others have.
    let keys = "p.relname, count(*) from pg_inherits h join pg_class p on p.oid = h.inhrelid
        join pg_index i on i.indrelid = p.oid where h.inhparent = 'intake.deliveries'::regclass group by 1";
    for row in service.table(keys).await.as_array().unwrap() {
        assert_eq!(row[1], 6, "{row}");
    }
}

#[tokio::test]
async fn a_month_that_is_over_is_dropped_whole_and_no_other() {
    let service = service().await;
    let store = service.intake().store();
    let old = arrived("2020-02-29T10:00:00Z", Feed::Lead, &a_lead(1));
    accepted(&service, &old).await;
    service.lead(&a_lead(2)).await;
    let month = old.received_at.date_naive();
    make(store, old.received_at).await.unwrap();
    assert!(drop(store, Partitioned::Bodies, month).await.unwrap());
    assert!(!drop(store, Partitioned::Bodies, month).await.unwrap(), "it is gone");
    assert_eq!(service.count("intake.deliveries_with_bodies where body is null").await, 1);
    assert!(drop(store, Partitioned::Deliveries, month).await.unwrap());
    assert_eq!((service.count("intake.deliveries").await, service.count("intake.bodies").await), (1, 1));
    let now = service.intake().now().date_naive();
    assert!(drop(store, Partitioned::Deliveries, now).await.is_err(), "this month is not over");
    assert_eq!(service.count("intake.deliveries").await, 1);
}

#[tokio::test]
async fn this_month_and_the_next_two_are_there_and_the_service_makes_those_that_are_not() {
    let service = service().await;
    let months = "(select to_char(now() at time zone 'UTC' + n * interval '1 month', 'YYYY_MM') as month
            from generate_series(0, 2) n) m, unnest(array['deliveries', 'bodies']) as kind
        where to_regclass('intake.' || kind || '_' || month) is not null";
    assert_eq!(service.count(months).await, 6);
    let gone = "select format('drop table intake.%I', c.relname) from pg_inherits i join pg_class c on c.oid = inhrelid
        where inhparent::regclass::text ~ '^intake' and c.relname !~ 'default|pkey|idx'";
    for row in service.rows(gone).await {
        service.database.execute(row["format"].as_str().unwrap()).await;
    }
    assert_eq!(service.count(months).await, 0);
    let kept = service.lead(&a_lead(1)).await;
    assert_eq!(kept.outcome(), "applied", "no month is needed");
    partitions::round(service.intake()).await.unwrap();
    assert_eq!(service.count(months).await, 6);
    assert_eq!(service.count("intake.deliveries_default").await, 0);
    assert_eq!(service.stored_body(&kept).await, a_lead(1).to_string().into_bytes());
}

/// The partitions of deliveries that a statement reads, when it is planned for these parameters and when its plan is kept.
async fn partitions_read(service: &TestService, begins: &str, parameters: &[String]) -> Vec<Vec<String>> {
    let folder = format!("{}/.sqlx", env!("CARGO_MANIFEST_DIR"));
    let files = std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    let queries = files.map(|file| serde_json::from_slice::<Value>(&file).unwrap());
    let mut found = queries.filter(|file| {
        file["query"].as_str().unwrap().split_whitespace().collect::<Vec<_>>().join(" ").starts_with(begins)
    });
    let query = found.next().unwrap()["query"].as_str().unwrap().to_owned();
    let mut all = Vec::new();
    for mode in ["force_custom_plan", "force_generic_plan"] {
        let options = [("plan_cache_mode", mode), ("enable_seqscan", "off"), ("jit", "off")];
        let mut connection = service.database.options.clone().options(options).connect().await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(format!("prepare kept as {query}"))).execute(&mut connection).await.unwrap();
        let explain = format!("explain (analyze, format json) execute kept ({})", parameters.join(", "));
        let plan: Value = sqlx::query_scalar(AssertSqlSafe(explain)).fetch_one(&mut connection).await.unwrap();
        let mut read = Vec::new();
        visited(&plan[0]["Plan"], &mut read);
        read.sort();
        read.dedup();
        all.push(read);
    }
    all
}

/// The tables that a plan has read.
fn visited(plan: &Value, read: &mut Vec<String>) {
    if let Some(table) = plan["Relation Name"].as_str()
        && plan["Actual Loops"].as_f64().unwrap() > 0.0
    {
        read.push(table.to_owned());
    }
    for child in plan["Plans"].as_array().into_iter().flatten() {
        visited(child, read);
    }
}

#[tokio::test]
async fn an_id_alone_finds_its_month_and_one_that_tells_none_is_looked_for_in_all() {
    let service = service().await;
    let store = service.intake().store();
    let told = arrived("2026-09-30T23:59:59.999999Z", Feed::Lead, &a_lead(1));
    let received_at = "2026-08-15T10:00:00Z".parse().unwrap();
    let silent = Delivery { id: Uuid::now_v7(), received_at, ..delivery(Feed::Lead, a_lead(2).to_string()) };
    let nowhere = id_at("2026-09-15T10:00:00Z".parse().unwrap());
    for month in ["2026-07-01T00:00:00Z", "2026-10-01T00:00:00Z"] {
        make(store, month.parse().unwrap()).await.unwrap();
    }
    for delivery in [&told, &silent] {
        accepted(&service, delivery).await;
    }
    let unknown = arrived("2026-09-02T10:00:00Z", Feed::Lead, &a_lead(3).dealership(999));
    accepted(&service, &unknown).await;
    let found = locate(store, &[silent.id, told.id, nowhere, unknown.id]).await.unwrap();
    assert_eq!(found.len(), 3, "{found:?}");
    assert!([&told, &silent, &unknown].iter().all(|delivery| found.contains(&delivery.key())), "{found:?}");

    let id = format!("'{}'", told.id);
    let time = |text: &str| format!("'{text}'::timestamptz");
    let arrival = "2026-09-30T23:59:59.999999Z";
    let (from, to) = (time("2026-09-30T23:59:59.999Z"), time("2026-10-01T00:00:00Z"));
    let by_id = "select id, received_at from intake.deliveries where received_at >= $2";
    for read in partitions_read(&service, by_id, &[id.clone(), from, to]).await {
        assert_eq!(read, ["deliveries_2026_09"]);
    }
    let (ids, times) = (format!("array[{id}]::uuid[]"), format!("array[{}]", time(arrival)));
    let by_both = "select workspace_id, id, received_at from intake.deliveries where received_at = any";
    for read in partitions_read(&service, by_both, &[ids.clone(), times, time(arrival), time(arrival)]).await {
        assert_eq!(read, ["deliveries_2026_09"]);
    }
    let in_all = "-- once select id, received_at from intake.deliveries";
    for read in partitions_read(&service, in_all, &[ids]).await {
        assert!(read.len() >= 8, "{read:?}");
    }
    // By the id alone, as a person asks.
    let run = run_replay(&service, &["--id", &silent.id.to_string(), "--id", &told.id.to_string(), "--dry-run"]).await;
    assert!(run.good && run.lines.len() == 3, "{run:?}");
}
