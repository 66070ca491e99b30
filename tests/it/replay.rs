//! `forecourt replay`, as a person runs it: the program itself over the database of a service that runs.

use std::path::Path;
use std::process::Command;

use axum::body::Body;
use axum::http::Request;
use forecourt::intake::due;
use forecourt::intake::replay::{self as replays, ReplayItem};
use forecourt::local_postgres::LocalPostgres;
use forecourt::store::due::RetryableRejections;
use forecourt::store::replay_filter::{self, ReplayFilter};
use futures_util::future::join_all;
use serde_json::{Value, json};
use sqlx::postgres::PgPoolOptions;

use crate::support::{
    Answer, CONFIG, LEADS, SECRETS, TestService, a_lead, assert_holds, service, service_with, throwaway_options,
};

const SABOTAGE: &str = "alter table leads add constraint sabotage check (external_id <> '77')";
const MENDING: &str = "alter table leads drop constraint sabotage";

/// What a run of the program came to.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) good: bool,
    pub(crate) lines: Vec<String>,
    pub(crate) error: String,
}

impl Run {
    /// The line of a delivery, without its id.
    pub(crate) fn of(&self, id: &str) -> &str {
        let lines: Vec<_> = self.lines.iter().filter_map(|line| line.strip_prefix(id)).collect();
        assert_eq!(lines.len(), 1, "{id} {self:?}");
        lines[0].trim()
    }

    /// The ids of the lines, sorted.
    fn ids(&self) -> Vec<String> {
        let (_, lines) = self.lines.split_last().unwrap();
        let mut ids: Vec<_> = lines.iter().map(|line| line.split(' ').next().unwrap().to_owned()).collect();
        ids.sort();
        ids
    }

    pub(crate) fn summary(&self) -> &str {
        self.lines.last().unwrap()
    }
}

/// Runs `forecourt replay` with these words and variables.
async fn run(config: &str, variables: &[(&str, &str)], words: &[&str]) -> Run {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("forecourt.toml");
    std::fs::write(&path, config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_forecourt"));
    command.env_clear().envs(SECRETS).env("FORECOURT_CONFIG", &path).env("FORECOURT_DATA_DIR", folder.path());
    command.envs(variables.iter().copied()).arg("replay").args(words);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    Run {
        good: output.status.success(),
        lines: String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect(),
        error: String::from_utf8(output.stderr).unwrap(),
    }
}

pub(crate) async fn replay_with(service: &TestService, config: &str, words: &[&str]) -> Run {
    run(config, &[("DATABASE_URL", &service.database.url())], words).await
}

pub(crate) async fn replay(service: &TestService, words: &[&str]) -> Run {
    replay_with(service, CONFIG, words).await
}

/// Every row of the tables about deliveries with its version, to see whether anything was written.
async fn records(service: &TestService) -> Vec<Value> {
    service
        .rows(
            "select 'delivery' as kind, id::text, xmin::text, ctid::text from intake.deliveries
            union all select 'rejected', id::text, xmin::text, ctid::text from intake.rejected
            union all select 'drift', path, xmin::text, ctid::text from intake.drift order by 1, 2",
        )
        .await
}

#[tokio::test]
async fn what_failed_is_applied_once_the_cause_is_gone_and_its_record_tells_of_the_replay() {
    let service = service().await;
    service.database.execute(SABOTAGE).await;
    let failed = service.lead(&a_lead(77)).await;
    assert_eq!(failed.outcome(), "failed");

    let still = replay(&service, &["--id", failed.id()]).await;
    assert!(!still.good && still.error.contains("1 of 1 failed: the log says why"), "{still:?}");
    assert_eq!(still.of(failed.id()), "lead failed -> failed");
    assert!(!still.error.contains("ada77"), "{still:?}");

    service.database.execute(MENDING).await;
    let mended = replay(&service, &["--outcome", "failed"]).await;
    assert!(mended.good, "{mended:?}");
    assert_eq!(mended.of(failed.id()), "lead failed -> applied person=created lead=created");
    assert_eq!(mended.summary(), "1 delivery replayed: 1 applied");
    assert_eq!(service.count("leads where external_id = '77'").await, 1);

    let record = service.record(&failed).await;
    assert_holds(&record, json!({ "outcome": "applied", "attempts": 3 }));
    assert_holds(&record, json!({ "retry_at": null, "findings": [] }));
    let failure = json!({"outcome": "failed", "changes": {}, "findings": ["internal_error"]});
    let applied = json!({"outcome": "applied", "changes": {"person": "created", "lead": "created"}, "findings": []});
    let mut replays = record["replays"].as_array().unwrap().clone();
    for replay in &mut replays {
        assert!(replay["at"].as_str().unwrap().starts_with("20"));
        replay.as_object_mut().unwrap().remove("at");
    }
    assert_eq!(
        replays,
        [
            json!({"attempt": 2, "before": failure, "replay": failure}),
            json!({"attempt": 3, "before": failure, "replay": applied}),
        ]
    );
}

#[tokio::test]
async fn what_was_rejected_for_an_unknown_dealership_is_applied_once_the_configuration_knows_it() {
    let service = service().await;
    let rejected = service.lead(&a_lead(1).dealership(999)).await;
    assert_eq!(rejected.codes(), ["dealership_unknown"]);
    let same = replay(&service, &["--finding", "dealership_unknown"]).await;
    assert!(same.good, "{same:?}");
    assert_eq!(same.of(rejected.id()), "lead rejected -> rejected");

    let knowing = CONFIG.replace("[356, 357]", "[356, 357, 999]");
    let tried = replay_with(&service, &knowing, &["--finding", "dealership_unknown", "--dry-run"]).await;
    assert_eq!(tried.of(rejected.id()), "lead rejected -> applied person=created lead=created");
    assert_eq!(service.count("leads").await, 0);
    let applied = replay_with(&service, &knowing, &["--finding", "dealership_unknown"]).await;
    assert_eq!(applied.of(rejected.id()), "lead rejected -> applied person=created lead=created");
    let record = service.record(&rejected).await;
    assert_holds(&record, json!({ "outcome": "applied", "findings": [] }));
    assert_eq!(record["replays"].as_array().unwrap().len(), 2);
    assert_eq!((service.count("leads").await, service.count("intake.deliveries").await), (1, 1));
}

#[tokio::test]
async fn what_was_applied_stays_applied_and_changes_nothing() {
    let service = service().await;
    let old = a_lead(1).with(json!({ "prospect": { "mobile_phone": "12" } }));
    let old = service.lead(&old).await;
    assert_eq!(old.codes(), ["phone_invalid"]);
    let newer = a_lead(1).updated("2025-10-04T06:10:08Z").comments("newer");
    assert_eq!(service.lead(&newer).await.outcome(), "applied");
    let (before, record) = (service.dump().await, service.record(&old).await);

    let replayed = replay(&service, &["--id", old.id()]).await;
    assert!(replayed.good, "{replayed:?}");
    assert!(
        replayed.of(old.id()).starts_with("lead applied -> applied person=unchanged lead=unchanged"),
        "{replayed:?}"
    );
    assert_eq!(service.dump().await, before);
    let mut now = service.record(&old).await;
    assert_eq!(now["replays"][0]["replay"]["outcome"], "unchanged");
    assert_eq!(now["attempts"], 2);
    for column in ["replays", "attempts"] {
        now[column] = record[column].clone();
    }
    assert_eq!(now, record);

    // Also where its credential may not write there any more, or where it fails.
    let elsewhere = CONFIG.replace("workspaces = \"all\"", "workspaces = [\"beta\"]");
    let refused = replay_with(&service, &elsewhere, &["--id", old.id()]).await;
    let expected = "lead applied -> applied new findings: workspace_not_permitted (this replay: rejected)";
    assert_eq!(refused.of(old.id()), expected);
    service.database.execute("alter table persons rename column first_name to hidden").await;
    let failed = replay(&service, &["--id", old.id()]).await;
    assert!(!failed.good && failed.of(old.id()).ends_with("(this replay: failed)"), "{failed:?}");
    service.expect_record(&old, json!({ "outcome": "applied", "retry_at": null })).await;
    assert_eq!(service.dump().await.len(), before.len());
}

#[tokio::test]
async fn deliveries_are_chosen_by_each_criterion_and_by_several_together() {
    let service = service().await;
    let first = service.lead(&a_lead(1)).await;
    let again = service.lead(&a_lead(1)).await;
    let beta = service.lead(&a_lead(2).dealership(285)).await;
    let unknown = service.lead(&a_lead(3).dealership(999)).await;
    let car = service.vehicle(&json!({"Identifier": 9, "Seller": {"Identifier": 356}})).await;
    let times = [(&first, 1), (&again, 2), (&beta, 3), (&unknown, 4), (&car, 5)];
    for (answer, day) in times {
        let to = format!("received_at = '2026-03-0{day}T10:00:00Z'");
        service.database.execute(&format!("update intake.deliveries set {to} where id = '{}'", answer.id())).await;
    }
    service.database.execute("update intake.bodies set received_month = '2026-03-01'").await;
    let table: [(&[&str], &[&Answer]); 12] = [
        (&["--id", first.id(), "--id", car.id()], &[&first, &car]),
        (&["--outcome", "unchanged"], &[&again]),
        (&["--outcome", "unchanged", "--outcome", "rejected"], &[&again, &unknown]),
        (&["--finding", "dealership_unknown"], &[&unknown]),
        (&["--feed", "inventory"], &[&car]),
        (&["--since", "2026-03-04"], &[&unknown, &car]),
        (&["--since", "2026-03-04T10:00:00Z"], &[&unknown, &car]),
        (&["--until", "2026-03-02T20:00:00+10:00"], &[&first]),
        (&["--since", "2026-03-02", "--until", "2026-03-04"], &[&again, &beta]),
        (&["--workspace", "beta"], &[&beta]),
        (&["--workspace", "alpha", "--feed", "lead", "--outcome", "applied"], &[&first]),
        (&["--all", "--limit", "2"], &[&first, &again]),
    ];
    for (words, expected) in table {
        let run = replay(&service, &[words, &["--dry-run"]].concat()).await;
        let mut expected: Vec<_> = expected.iter().map(|answer| answer.id().to_owned()).collect();
        expected.sort();
        assert!(run.good, "{words:?} {run:?}");
        assert_eq!(run.ids(), expected, "{words:?}");
    }
}

#[tokio::test]
async fn a_dry_run_tells_what_would_come_of_it_and_writes_nothing() {
    let service = service().await;
    service.database.execute(SABOTAGE).await;
    let body = a_lead(77).with(json!({ "surprise": 1 }));
    let failed = service.lead(&body).await;
    let rejected = service.lead(&a_lead(2).dealership(999)).await;
    let applied = service.lead(&a_lead(3)).await;
    let refused = Request::post(LEADS).header("authorization", "Bearer wrong").body(Body::from(a_lead(4).to_string()));
    assert_eq!(service.send(refused.unwrap()).await.status, 401);
    service.refusals_written().await;
    service.database.execute(MENDING).await;
    service.intake().finish().await;
    let before = (service.versions().await, records(&service).await);

    let knowing = CONFIG.replace("[356, 357]", "[356, 357, 999]");
    let run = replay_with(&service, &knowing, &["--all", "--dry-run"]).await;
    assert!(run.good, "{run:?}");
    assert_eq!(run.of(failed.id()), "lead failed -> applied person=created lead=created");
    assert_eq!(run.of(rejected.id()), "lead rejected -> applied person=created lead=created");
    assert_eq!(run.of(applied.id()), "lead applied -> applied person=unchanged lead=unchanged");
    assert_eq!(run.summary(), "3 deliveries would be replayed: 3 applied; nothing was written");
    let run = replay(&service, &["--rejected", "--all", "--dry-run"]).await;
    assert!(run.good && run.lines[0].ends_with("lead refused -> applied person=created lead=created"), "{run:?}");
    assert_eq!((service.versions().await, records(&service).await), before);

    service.database.execute(SABOTAGE).await;
    let run = replay(&service, &["--outcome", "failed", "--outcome", "applied", "--dry-run"]).await;
    assert!(!run.good, "{run:?}");
    assert_eq!(run.of(failed.id()), "lead failed -> failed");
    assert_eq!(run.of(applied.id()), "lead applied -> applied person=unchanged lead=unchanged");
}

#[tokio::test]
async fn a_delivery_that_the_service_tries_again_meanwhile_is_applied_once() {
    let service = service().await;
    service.database.execute(SABOTAGE).await;
    let failed = service.lead(&a_lead(77)).await;
    service.database.execute(MENDING).await;
    service.database.execute("update intake.deliveries set retry_at = now()").await;
    let replay_filter = ReplayFilter {
        ids: vec![failed.id().parse().unwrap()],
        feeds: Vec::new(),
        since: None,
        until: service.intake().now(),
        outcomes: Vec::new(),
        codes: Vec::new(),
        workspace: None,
        of_no_door: false,
        addresses: Vec::new(),
        fingerprints: Vec::new(),
    };
    let matching = replay_filter::deliveries(service.intake().store(), &replay_filter, replay_filter::START, 10)
        .await
        .unwrap()
        .remove(0);
    let other = service.beside(CONFIG).await;
    // As the replay has read it, the service settles it first; then both at once.
    let stored = matching.stored.unwrap();
    let permitted = forecourt::domain::workspace::Permitted::All;
    let delivery = forecourt::domain::delivery::Delivery { permitted, ..stored.delivery };
    let item = ReplayItem { delivery, attempts: stored.attempts, is_unread: false };
    let nothing = RetryableRejections::default();
    let (made, tried, again) = tokio::join!(
        replays::replay(other.intake(), vec![item.clone()]),
        due::round(service.intake(), &nothing),
        replays::replay(service.intake(), vec![item.clone()]),
    );
    assert_eq!(tried.unwrap(), 1);
    for made in [made, again] {
        assert_eq!(made[0].as_ref().unwrap().outcome.name(), "applied");
    }
    let late = replays::replay(service.intake(), vec![item]).await;
    assert_eq!(late[0].as_ref().unwrap().outcome.name(), "applied");
    assert_eq!(service.record(&failed).await["attempts"], 2);
    assert_eq!((service.count("leads").await, service.count("persons").await), (1, 1));
}

#[tokio::test]
async fn many_are_replayed_round_by_round() {
    let service = service().await;
    join_all((0..450).map(|id| {
        let service = &service;
        async move { assert_eq!(service.lead(&a_lead(id)).await.outcome(), "applied") }
    }))
    .await;
    let run = replay(&service, &["--feed", "lead", "--limit", "430"]).await;
    assert!(run.good, "{run:?}");
    assert_eq!(run.summary(), "430 deliveries replayed: 430 applied");
    assert_eq!(service.count("intake.deliveries where attempts = 2 and jsonb_array_length(replays) = 1").await, 430);
    assert_eq!(service.count("intake.deliveries where attempts = 1").await, 20);
}

#[tokio::test]
async fn what_cannot_be_replayed_is_said_in_one_sentence() {
    let service = service().await;
    let missing = "019a0000-0000-7000-8000-000000000000";
    let table: [(&[&str], &str); 7] = [
        (&[], "say which: by --id"),
        (&["--dry-run", "--limit", "3"], "say which: by --id"),
        (&["--id", missing], "nothing that was asked for has the id 019a0000-0000-7000-8000-000000000000"),
        (&["--outcome", "lost"], "write one of applied, unchanged, ignored, rejected, failed"),
        (&["--finding", "lost"], "no finding has this code"),
        (&["--since", "yesterday"], "write a time such as"),
        (&["--rejected", "--all", "--credential", "nobody"], "there is no credential `nobody`: name one of all"),
    ];
    for (words, expected) in table {
        let run = replay(&service, words).await;
        assert!(!run.good && run.error.contains(expected), "{words:?} {run:?}");
        assert_eq!(run.error.trim().lines().count(), 1, "{words:?} {run:?}");
    }
    let none = replay(&service, &["--outcome", "failed"]).await;
    assert!(none.good, "{none:?}");
    assert_eq!(none.summary(), "0 deliveries replayed");
}

#[tokio::test]
async fn it_works_on_the_private_postgres_while_the_service_runs_and_when_it_does_not() {
    let options = throwaway_options();
    let data_dir = options.data_dir.clone();
    let programs = options.explicit_bin_dir.as_ref().map(|dir| format!("\n[database]\nbin_dir = {dir:?}\n"));
    let config = &format!("{CONFIG}{}", programs.unwrap_or_default());
    let path = std::env::vars_os().find_map(|(name, value)| (name == "PATH").then_some(value)).unwrap();
    let variables = [("FORECOURT_DATA_DIR", data_dir.to_str().unwrap()), ("PATH", path.to_str().unwrap())];
    let server = LocalPostgres::start(options.clone()).await.unwrap();
    server.ensure_database("forecourt").await.unwrap();
    let pool = PgPoolOptions::new().connect_lazy_with(server.connect_options("forecourt"));
    forecourt::store::migrate(&pool).await.unwrap();
    pool.close().await;
    let empty = run(config, &variables, &["--all"]).await;
    assert!(empty.good, "{empty:?}");
    assert_eq!(empty.summary(), "0 deliveries replayed");
    server.stop_and_keep().await.unwrap();
    let alone = run(config, &variables, &["--all"]).await;
    assert!(alone.good, "{alone:?}");
    assert_eq!(alone.summary(), "0 deliveries replayed");
    assert!(!Path::new(&data_dir).join("postgres/cluster/postmaster.pid").exists(), "it is stopped again");
    std::fs::remove_dir_all(data_dir).unwrap();
}

/// Posts a lead with a wrong secret.
async fn refused(service: &TestService, secret: &str, body: &Value) {
    let request = Request::post(LEADS).header("authorization", format!("Bearer {secret}"));
    let answer = service.send(request.body(Body::from(body.to_string())).unwrap()).await;
    assert_eq!(answer.status, 401);
    service.refusals_written().await;
}

#[tokio::test]
async fn refused_requests_enter_once_the_secret_is_mended_and_replayed_twice_they_are_stored_once() {
    let service = service().await;
    refused(&service, "wrong", &a_lead(1)).await;
    refused(&service, "wrong", &a_lead(2).dealership(999)).await;
    assert_eq!(service.count("intake.deliveries").await, 0);

    let first = replay(&service, &["--rejected", "--all"]).await;
    assert!(first.good, "{first:?}");
    assert!(first.lines[0].ends_with("lead refused -> applied person=created lead=created"), "{first:?}");
    assert!(first.lines[1].ends_with("lead refused -> rejected new findings: dealership_unknown"), "{first:?}");
    assert_eq!(first.summary(), "2 deliveries replayed: 1 applied, 1 rejected");
    let same = "select count(*) from intake.deliveries_with_bodies d join intake.rejected r using (id)
        where d.received_at = r.received_at and d.credential = 'all' and d.body = r.body
            and d.remote_address is not distinct from r.remote_address and r.delivery_id = d.id
            and r.replayed_at is not null and jsonb_array_length(d.replays) = 1";
    assert_eq!(service.database.value::<i64>(same).await, 2);
    let versions = (service.versions().await, records(&service).await);

    let second = replay(&service, &["--rejected", "--all"]).await;
    assert!(second.good && second.lines[0].contains("lead applied -> applied"), "{second:?}");
    assert_eq!((service.versions().await, records(&service).await), versions);
    assert_eq!((service.count("intake.deliveries").await, service.count("leads").await), (2, 1));
}

#[tokio::test]
async fn of_several_credentials_one_must_be_named() {
    let beta = "\n[[credentials]]\nname = \"beta\"\nscheme = \"bearer\"\nfeeds = [\"lead\"]\nworkspaces = [\"beta\"]\n\
        secret_env = \"BETA\"\n[[credentials]]\nname = \"cars\"\nscheme = \"bearer\"\nfeeds = [\"inventory\"]\n\
        workspaces = \"all\"\nsecret_env = \"OTHER_TOKEN\"\n";
    let config = format!("{CONFIG}{beta}");
    let service = service_with(&config).await;
    refused(&service, "wrong", &a_lead(1).dealership(285)).await;
    refused(&service, "wrong", &a_lead(2)).await;

    for (words, expected) in [
        (vec![], "several credentials may post to lead (all, beta): name the one they enter as by `--credential`"),
        (vec!["--credential", "cars"], "the credential `cars` may not post to lead"),
    ] {
        let run = replay_with(&service, &config, &[vec!["--rejected", "--all"], words].concat()).await;
        assert!(!run.good && run.error.starts_with(expected), "{run:?}");
        assert_eq!(service.count("intake.deliveries").await, 0);
    }
    let run = replay_with(&service, &config, &["--rejected", "--all", "--credential", "beta"]).await;
    assert!(run.lines[0].contains("refused -> applied"), "{run:?}");
    assert!(run.lines[1].ends_with("refused -> rejected new findings: workspace_not_permitted"), "{run:?}");
    assert_eq!(service.count("intake.deliveries where credential = 'beta'").await, 2);
}

#[tokio::test]
async fn refused_requests_are_chosen_by_each_criterion() {
    let service = service().await;
    for (secret, number) in [("one", 1), ("two", 2), ("two", 3)] {
        refused(&service, secret, &a_lead(number)).await;
    }
    for (number, id) in [(1, "a"), (2, "b"), (3, "c")] {
        let set = format!(
            "update intake.rejected set id = '019a0000-0000-7000-8000-00000000000{id}',
                received_at = '2026-03-0{number}T10:00:00Z', remote_address = '192.0.2.{number}'
            where encode(body, 'escape')::jsonb ->> 'id' = '{number}'"
        );
        service.database.execute(&set).await;
    }
    service.database.execute("update intake.rejected set feed = 'inventory' where remote_address = '192.0.2.3'").await;
    let print = "select fingerprint from intake.rejected where remote_address = '192.0.2.2'";
    let print: String = service.database.value(print).await;
    let table: [(&[&str], &[&str]); 7] = [
        (&["--id", "019a0000-0000-7000-8000-00000000000b"], &["b"]),
        (&["--feed", "inventory"], &["c"]),
        (&["--since", "2026-03-02"], &["b", "c"]),
        (&["--until", "2026-03-02"], &["a"]),
        (&["--address", "192.0.2.1", "--address", "192.0.2.3"], &["a", "c"]),
        (&["--fingerprint", &print], &["b", "c"]),
        (&["--fingerprint", &print, "--feed", "lead"], &["b"]),
    ];
    for (words, expected) in table {
        let run = replay(&service, &[&["--rejected", "--dry-run"], words].concat()).await;
        assert!(run.good, "{words:?} {run:?}");
        let expected: Vec<_> =
            expected.iter().map(|last| format!("019a0000-0000-7000-8000-00000000000{last}")).collect();
        assert_eq!(run.ids(), expected, "{words:?}");
    }
}

#[tokio::test]
async fn a_refused_request_whose_body_was_not_kept_is_told_and_left() {
    let service = service().await;
    refused(&service, "wrong", &a_lead(1)).await;
    refused(&service, "wrong", &a_lead(2)).await;
    service
        .database
        .execute("update intake.rejected set body = null where encode(body, 'escape') like '%ada1@%'")
        .await;
    let run = replay(&service, &["--rejected", "--all"]).await;
    assert!(!run.good && run.error.contains("1 of 2 could not be replayed: their lines say why"), "{run:?}");
    assert!(run.lines[0].ends_with("lead not replayed: its body could not be kept"), "{run:?}");
    assert_eq!(run.summary(), "1 delivery replayed: 1 applied");
    assert_eq!(service.count("leads").await, 1);
    assert_eq!(service.count("intake.rejected where replayed_at is not null").await, 1);
}

#[tokio::test]
async fn nothing_is_applied_from_the_refused_requests_by_itself() {
    let service = service().await;
    refused(&service, "wrong", &a_lead(1)).await;
    let service = service.restarted_with(CONFIG).await;
    assert_eq!(due::round(service.intake(), &service.intake().router().retryable()).await.unwrap(), 0);
    let run = replay(&service, &["--all"]).await;
    assert_eq!(run.summary(), "0 deliveries replayed");
    assert_eq!((service.count("intake.deliveries").await, service.count("leads").await), (0, 0));
}

#[tokio::test]
async fn deliveries_of_a_credential_that_is_gone_are_applied_as_another_that_is_named() {
    let service = service().await;
    let unknown = service.lead(&a_lead(1).dealership(999)).await;
    assert_eq!(unknown.codes(), ["dealership_unknown"]);
    let config = CONFIG.replace("[356, 357]", "[356, 357, 999]").replace("name = \"all\"", "name = \"new\"");
    let alone = replay_with(&service, &config, &["--finding", "dealership_unknown"]).await;
    assert!(alone.lines[0].contains("rejected"), "{alone:?}");
    let nobody = replay_with(&service, &config, &["--id", unknown.id(), "--credential", "old"]).await;
    assert!(!nobody.good && nobody.error.contains("there is no credential `old`: name one of new"), "{nobody:?}");
    let named = replay_with(&service, &config, &["--id", unknown.id(), "--credential", "new"]).await;
    assert!(named.good, "{named:?}");
    assert_eq!(service.record(&unknown).await["outcome"], "applied");
}
