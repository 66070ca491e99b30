//! The tables over several servers: which stands where, and what `forecourt distribute` runs. Citus cannot be installed
//! where the tests run: what needs it runs against a stand-in (`stand_in.sql`), which spreads nothing, and says so.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Command, Output};

use forecourt::store::distribution::{Place, SPREAD};
use serde_json::Value;

use crate::session::{assert_same, config, deliver_everything, rows};
use crate::support::postgres::{OWNER, SERVICE, TestDatabase};
use crate::support::{CONFIG, LEADS, SECRETS, TestService, a_lead, config_with, database, service_with, soon};

const STAND_IN: &str = include_str!("stand_in.sql");

/// Runs the program as the owner of a database.
fn run(database: &TestDatabase, arguments: &[&str]) -> Output {
    run_as(OWNER, database, arguments)
}

fn run_as(user: &str, database: &TestDatabase, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("forecourt.toml");
    std::fs::write(&path, format!("{CONFIG}\n[database]\nallow_unsafe = true\n")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_forecourt"));
    command.env_clear().envs(SECRETS).env("FORECOURT_CONFIG", &path).env("FORECOURT_DATA_DIR", folder.path());
    command.env("DATABASE_URL", database.url_as(user)).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A database that is as if it had the extension.
async fn with_stand_in() -> TestDatabase {
    let database = database().await;
    database.execute(STAND_IN).await;
    database
}

async fn calls(database: &TestDatabase) -> Vec<String> {
    let calls = "select coalesce(jsonb_agg(called order by number), '[]') from pg_catalog.stand_in_calls";
    serde_json::from_value(database.value::<Value>(calls).await).unwrap()
}

#[tokio::test]
async fn each_table_has_one_place_and_one_that_the_others_refer_to_has_its_place_before_them() {
    let database = database().await;
    let tables =
        "select jsonb_agg(n.nspname || '.' || c.relname) from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p') and not c.relispartition and n.nspname not in ('pg_catalog', 'information_schema')
            and n.nspname !~ '^pg_'";
    let tables: BTreeSet<String> = serde_json::from_value(database.value::<Value>(tables).await).unwrap();
    let listed: BTreeSet<String> = SPREAD.iter().map(|spread| spread.table.to_owned()).collect();
    assert_eq!(listed.len(), SPREAD.len(), "a table is listed twice in src/store/spread.rs");
    assert_eq!(
        listed, tables,
        "src/store/spread.rs says of each table where it stands, in the order of its foreign keys"
    );
    let refers = "select coalesce(jsonb_agg(distinct array[of.nspname || '.' || c.relname, to_.nspname || '.' || r.relname]), '[]')
        from pg_constraint k join pg_class c on c.oid = k.conrelid join pg_namespace of on of.oid = c.relnamespace
        join pg_class r on r.oid = k.confrelid join pg_namespace to_ on to_.oid = r.relnamespace
        where k.contype = 'f' and k.conrelid <> k.confrelid";
    let refers: Vec<(String, String)> = serde_json::from_value(database.value::<Value>(refers).await).unwrap();
    let order: BTreeMap<&str, usize> = SPREAD.iter().enumerate().map(|(at, spread)| (spread.table, at)).collect();
    assert!(refers.len() > 15, "{refers:?}");
    for (table, other) in &refers {
        assert!(order[table.as_str()] > order[other.as_str()], "{table} refers to {other}, which is to come first");
    }
}

#[tokio::test]
async fn what_is_distributed_has_the_workspace_in_each_key() {
    let database = database().await;
    for spread in SPREAD.iter().filter(|spread| spread.place == Place::Distributed) {
        let without = format!(
            "select coalesce(string_agg(c.conname, ', '), '') from pg_constraint c
            where c.conrelid = '{}'::regclass and c.contype in ('p', 'u', 'f') and not exists (
                select from pg_attribute a where a.attrelid = c.conrelid and a.attname = 'workspace_id'
                    and a.attnum = any(c.conkey))",
            spread.table
        );
        assert_eq!(database.value::<String>(&without).await, "", "{}", spread.table);
    }
}

#[tokio::test]
async fn without_the_extension_nothing_is_done_and_the_sentence_says_what_helps() {
    let database = database().await;
    let refused = run(&database, &["distribute"]);
    assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    let said = text(&refused.stderr);
    assert!(said.contains("create extension citus") && said.contains("citus_add_node"), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    let dry = run(&database, &["distribute", "--dry-run"]);
    assert!(dry.status.success() && text(&dry.stdout).starts_with("-- This database does not have"), "{dry:?}");
    assert!(!text(&dry.stdout).contains("-- Not as this user"), "{dry:?}");
    let dry = run_as(SERVICE, &database, &["distribute", "--dry-run"]);
    assert!(text(&dry.stdout).contains("-- Not as this user: the user `forecourt_service` does not own"), "{dry:?}");
}

#[tokio::test]
async fn the_statements_are_printed_in_their_order_and_can_be_passed_on_as_they_are() {
    let database = database().await;
    let printed = text(&run(&database, &["distribute", "--dry-run", "--shards", "64"]).stdout);
    // The definitions of the views are Postgres' own words, which differ from version to version.
    let lines: Vec<&str> =
        printed.lines().filter(|line| [" ", "UNION ", "create "].iter().all(|of| !line.starts_with(of))).collect();
    insta::assert_snapshot!(lines.join("\n"));
    assert!(printed.contains("create or replace view intake.deliveries_with_bodies as"), "{printed}");
    database.execute(STAND_IN).await;
    database.execute(&text(&run(&database, &["distribute", "--dry-run"]).stdout)).await;
    let after = run(&database, &["distribute"]);
    assert!(text(&after.stdout).contains("there was nothing to do"), "{after:?}");
}

#[tokio::test]
async fn tables_are_distributed_once_with_rows_or_without_and_a_second_time_changes_nothing() {
    for has_rows in [false, true] {
        let database = with_stand_in().await;
        if has_rows {
            deliver_everything(&TestService::over(database.beside(), &config()).await).await;
        }
        let done = run(&database, &["distribute"]);
        assert!(done.status.success(), "{done:?}");
        let said = text(&done.stdout);
        assert!(said.contains("public.leads: distributed") && said.contains("public.workspaces: reference"), "{said}");
        let calls_of_first = calls(&database).await;
        assert_eq!(calls_of_first.len(), SPREAD.len());
        let partitions =
            "select count(*) from pg_dist_partition d join pg_class c on c.oid = d.logicalrelid where c.relispartition";
        assert!(database.value::<i64>(partitions).await >= 8, "the partitions of both tables");
        let again = run(&database, &["distribute"]);
        assert!(again.status.success() && text(&again.stdout).contains("there was nothing to do"), "{again:?}");
        assert_eq!(calls(&database).await, calls_of_first);
        let actions = "select jsonb_agg(counts) from intake.actions where action = 'distribute'";
        let actions: Value = database.value(actions).await;
        let of = |place: Place| SPREAD.iter().filter(|spread| spread.place == place).count();
        let counts = serde_json::json!({
            "reference": of(Place::Reference), "distributed": of(Place::Distributed), "coordinator": of(Place::Coordinator),
        });
        assert_eq!(actions, serde_json::json!([counts]), "it is recorded once");
    }
}

#[tokio::test]
async fn a_table_that_came_later_is_distributed_by_the_migration_that_follows_it() {
    let database = with_stand_in().await;
    assert!(run(&database, &["distribute"]).status.success());
    // As if the newest migration had just come, and with it two tables.
    database
        .execute(
            "delete from pg_catalog.pg_dist_partition
            where logicalrelid in ('public.bookings'::regclass, 'intake.actions'::regclass);
            delete from public._sqlx_migrations where version = (select max(version) from public._sqlx_migrations);
            drop index intake.deliveries_due_idx;
            delete from pg_catalog.stand_in_calls",
        )
        .await;
    let migrated = run(&database, &["migrate"]);
    assert!(migrated.status.success(), "{migrated:?}");
    let beside = "distributed bookings by workspace_id beside intake.workspace_locks".to_owned();
    assert_eq!(calls(&database).await, [beside, "local intake.actions".to_owned()]);
}

#[tokio::test]
async fn a_database_that_is_not_migrated_or_is_spread_otherwise_is_left_alone() {
    let database = with_stand_in().await;
    let newest =
        "delete from public._sqlx_migrations where version = (select max(version) from public._sqlx_migrations)";
    database.execute(&format!("begin; {newest}; commit")).await;
    let early = run(&database, &["distribute"]);
    assert!(text(&early.stderr).contains("run `forecourt migrate` first"), "{early:?}");
    let early = run(&database, &["distribute", "--dry-run"]);
    assert!(text(&early.stderr).contains("run `forecourt migrate` first") && early.stdout.is_empty(), "{early:?}");

    let database = with_stand_in().await;
    database.execute("insert into pg_catalog.pg_dist_partition values ('public.leads'::regclass, 'n', 't', 1)").await;
    let otherwise = run(&database, &["distribute"]);
    assert!(text(&otherwise.stderr).contains("select undistribute_table('public.leads')"), "{otherwise:?}");
    assert_eq!(calls(&database).await, [] as [String; 0]);
}

#[tokio::test]
async fn what_the_extension_refuses_undoes_all_and_is_said() {
    let database = with_stand_in().await;
    database.execute("alter table bookings add constraint bookings_number_key unique (id)").await;
    let refused = run(&database, &["distribute"]);
    let said = text(&refused.stderr);
    assert!(said.contains("public.bookings could not be distributed, and nothing was changed"), "{said}");
    assert_eq!(calls(&database).await, [] as [String; 0]);
}

#[tokio::test]
async fn where_the_extension_is_there_plans_are_not_kept_and_statistics_are_not_waited_for() {
    let plan = "select current_setting('plan_cache_mode')";
    let mut modes = Vec::new();
    for has_citus in [false, true] {
        let database = if has_citus { with_stand_in().await } else { database().await };
        let demands = forecourt::store::Demands { allow_unsafe: true, puts_up: forecourt::store::PutsUp::Never };
        let store = forecourt::store::Store::connect(database.service_options.clone(), 2, demands, 30).await.unwrap();
        database.execute("update pg_class set reltuples = 1000 where oid = any(array['persons', 'leads', 'lead_clusters', 'listings']::regclass[])").await;
        assert_eq!(forecourt::store::statistics::gather(&store).await.unwrap(), !has_citus);
        let mut tx = store.begin(None).await.unwrap();
        modes.push(sqlx::query_scalar::<_, String>(plan).fetch_one(&mut *tx).await.unwrap());
        tx.commit().await.unwrap();
    }
    assert_eq!(modes, ["force_generic_plan", "force_custom_plan"]);
}

#[tokio::test]
async fn over_the_stand_in_all_deliveries_make_the_rows_that_they_make_without() {
    let plain = service_with(&config()).await;
    deliver_everything(&plain).await;
    let expected = rows(&plain).await;
    let database = with_stand_in().await;
    assert!(run(&database, &["distribute"]).status.success());
    let service = TestService::over(database, &config()).await;
    deliver_everything(&service).await;
    assert_same(&rows(&service).await, &expected, &"distributed");
}

/// Statements on leads of alpha fail as where the server that it is on is away, and those of others do not: Citus tells so as a
/// mere error, on a connection that is whole.
fn away(code: &str) -> String {
    format!(
        "create function away() returns trigger language plpgsql as $$ begin
            if new.workspace_id = (select id from workspaces where slug = 'alpha') then
                raise exception 'connection to the remote node failed' using errcode = '{code}';
            end if;
            return new;
        end $$;
        create trigger away before insert or update on leads for each row execute function away();"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_away_costs_its_own_workspaces_and_no_others() {
    for code in ["08006", "57P01"] {
        let spooling =
            config_with("hold_seconds = 120\ndeadline_ms = 3000").replace("max_bytes = 0", "max_bytes = 268435456");
        let service = service_with(&spooling).await;
        service.database.execute(&away(code)).await;
        for turn in 0..3 {
            let leads: Vec<_> = (0..10).map(|id| a_lead(100 * turn + id)).collect();
            let of_alpha = futures_util::future::join_all(leads.iter().map(|lead| service.lead(lead)));
            let of_beta = async {
                for id in 0..20 {
                    let answer = service.lead(&a_lead(1_000 + 100 * turn + id).dealership(285)).await;
                    assert_eq!(answer.body["outcome"], "applied", "{code}: {turn} {id}");
                }
            };
            for answer in tokio::join!(of_alpha, of_beta).0 {
                assert_eq!((answer.status.as_u16(), &answer.body["outcome"]), (200, &"spooled".into()), "{code}");
            }
            assert!(!service.intake().is_stalled(), "{code}: Postgres is not taken for away");
        }
        assert_eq!(service.count("leads").await, 60, "{code}");
        service.database.execute("drop function away() cascade").await;
        soon("an empty spool", async || service.acceptor().spool().unwrap().depth().deliveries == 0).await;
        assert_eq!(service.count("leads").await, 90, "{code}");
        let others = "intake.deliveries where outcome <> 'applied' or attempts <> 1";
        assert_eq!(service.count(others).await, 0, "{code}: nothing of it was held against the deliveries");
    }
}

#[tokio::test]
async fn what_is_due_of_other_workspaces_is_tried_again_while_one_is_away() {
    use forecourt::intake::due;
    let service = service_with(CONFIG).await;
    for (id, dealership) in [(1, 356), (2, 285)] {
        service.post(LEADS, a_lead(id).dealership(dealership).to_string()).await;
    }
    let due_now = "update intake.deliveries set outcome = 'failed', attempts = 1, retry_at = '2020-01-01'";
    service.database.execute(due_now).await;
    // The bodies of alpha are on a server that is away.
    service
        .database
        .execute(
            "create function away(workspace bigint) returns boolean language plpgsql as $$ begin
                if workspace = (select id from workspaces where slug = 'alpha') then
                    raise exception 'connection to the remote node failed' using errcode = '08006';
                end if;
                return true;
            end $$;
            do $$ declare view text := pg_get_viewdef('intake.deliveries_with_bodies'::regclass); begin
                if view not like '%COALESCE(d.body, b.body) AS body%' then raise exception 'the view is another: %', view; end if;
                view := replace(view, 'COALESCE(d.body, b.body) AS body',
                    'case when away(d.workspace_id) then coalesce(d.body, b.body) end as body');
                execute 'create or replace view intake.deliveries_with_bodies as ' || view;
            end $$",
        )
        .await;
    assert_eq!(due::round(service.intake(), &forecourt::store::due::RetryableRejections::default()).await.unwrap(), 1);
}
