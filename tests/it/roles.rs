//! Who may do what: the service's role, which makes and drops nothing; readers, who get what they were named for; and
//! what later migrations give both.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::{Command, Output};

use forecourt::store::Store;
use forecourt::store::granting::{self, GrantError, Granted};
use forecourt::store::rights::{FUNCTIONS, Grant, RELATIONS};
use serde_json::json;
use sqlx::{AssertSqlSafe, ConnectOptions as _, Connection as _, PgConnection, Row as _};

use crate::support::postgres::{OWNER, SERVICE, TestDatabase};
use crate::support::program::Launch;
use crate::support::{
    CONFIG, LEADS, Program, SECRETS, TOKEN, TestService, a_lead, config_with, database, own_cluster, service,
};

/// The page that lists the rights.
const PAGE: &str = include_str!("../../docs/operations.md");

/// The relations of our schemas as the catalogue has them: those that a person would name.
const NAMED: &str = "(select c.oid, c.relkind, n.nspname || '.' || c.relname as name
    from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname in ('public', 'identity', 'intake') and c.relkind in ('r', 'p', 'v', 'm', 'S')
        and not c.relispartition
        and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'i' and c.relkind = 'S'))";

async fn connect(database: &TestDatabase, role: &str) -> PgConnection {
    database.options.clone().username(role).disable_statement_logging().connect().await.unwrap()
}

/// The SQLSTATE with which a statement is refused; none where it is not, and then it is undone.
async fn refusal(connection: &mut PgConnection, statement: &str) -> Option<String> {
    let done = if ["create database", "drop database", "alter system"].iter().any(|alone| statement.starts_with(alone))
    {
        sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut *connection).await.map(drop)
    } else {
        let mut tx = connection.begin().await.unwrap();
        let done = sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&mut *tx).await.map(drop);
        tx.rollback().await.unwrap();
        done
    };
    done.err().map(|error| error.as_database_error().unwrap().code().unwrap().into_owned())
}

/// A role of this test's own that may log in, made by this statement's rest.
async fn role(database: &TestDatabase, of: &str) -> String {
    // Roles are the cluster's, and each database is one test's.
    let name = format!("{of}_{}", database.name);
    database.execute(&format!("create role \"{name}\" login")).await;
    name
}

/// Gives a role these grants as the tables' owner.
async fn give(database: &TestDatabase, role: &str, grants: &[Grant]) -> Result<Granted, GrantError> {
    let store = database.owner_store();
    let given = granting::give(&store, role, &grants.iter().copied().collect(), "ada", false).await;
    store.close().await;
    given
}

/// The sentence with which a role is given nothing.
async fn no(database: &TestDatabase, role: &str, grants: &[Grant]) -> String {
    match give(database, role, grants).await {
        Err(GrantError::Refused(sentence)) => sentence,
        other => panic!("{role}: {other:?}"),
    }
}

// ---- the service

/// What would make, change or drop something, or reach beyond the database.
const FORBIDDEN: [&str; 29] = [
    "create table public.x (a int)",
    "create table identity.x (a int)",
    "create table intake.x (a int)",
    "create temporary table x (a int)",
    "create schema x",
    "create view intake.x as select 1 as a",
    "create materialized view public.x as select 1 as a",
    "create sequence public.x",
    "create type public.x as (a int)",
    "create function public.x() returns int language sql as 'select 1'",
    "create role x",
    "create database x",
    "drop schema intake cascade",
    "alter schema intake rename to x",
    "drop schema public cascade",
    "drop sequence public.row_ids",
    "alter sequence public.row_ids restart with 1",
    "select setval('public.row_ids', 1)",
    "drop owned by forecourt_owner",
    "reassign owned by forecourt_owner to forecourt_service",
    "set role forecourt_owner",
    "set role forecourt",
    "set session_replication_role = replica",
    "alter role forecourt_service superuser",
    "alter system set fsync = off",
    "copy public.leads to '/tmp/leads'",
    "copy public.leads to program 'cat'",
    "select pg_read_file('/etc/passwd')",
    "create event trigger x on ddl_command_start execute function intake.x()",
];

#[tokio::test]
async fn the_service_may_make_change_and_drop_nothing() {
    let database = database().await;
    let mut service = connect(&database, SERVICE).await;
    let mut statements = Vec::from(FORBIDDEN.map(str::to_owned));
    let name = &database.name;
    statements.push(format!("drop database {name}"));
    statements.push(format!("alter database {name} set synchronous_commit = off"));
    statements.push("create publication x for all tables".to_owned());
    for function in FUNCTIONS {
        statements.push(format!("drop function {function}"));
        statements.push(format!("alter function {function} reset all"));
    }
    for relation in RELATIONS.iter().filter(|relation| !relation.name.ends_with("row_ids")) {
        let name = relation.name;
        statements.extend([
            format!("drop table {name} cascade"),
            format!("truncate {name} cascade"),
            format!("alter table {name} add column x int"),
            format!("alter table {name} rename to x"),
            format!("alter table {name} disable trigger all"),
            format!("alter table {name} owner to {SERVICE}"),
            format!("comment on table {name} is 'x'"),
            format!("create index x on {name} ((1))"),
            format!("create rule x as on insert to {name} do instead nothing"),
            format!("create policy x on {name}"),
            format!("create trigger x before insert on {name} execute function intake.x()"),
        ]);
    }
    for statement in &statements {
        let refused = refusal(&mut service, statement).await;
        // Some look first what kind of thing is named: one is a view.
        let known = ["42501", "42809"].contains(&refused.as_deref().unwrap_or_default());
        assert!(known, "{statement}: {refused:?}");
    }
    assert!(statements.len() > 300, "{}", statements.len());
}

/// The rights that a role has itself on each relation, beyond none.
async fn rights(database: &TestDatabase, role: &str) -> BTreeMap<String, String> {
    let query = format!(
        "select name, string_agg(lower(a.privilege_type), ', ' order by array_position(
            array['SELECT', 'INSERT', 'UPDATE', 'DELETE'], a.privilege_type), a.privilege_type)
        from {NAMED} r join pg_class c using (oid), aclexplode(c.relacl) a
        where a.grantee in (0, '{role}'::regrole) group by name"
    );
    let rows = sqlx::query(AssertSqlSafe(query)).fetch_all(&database.pool).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

#[tokio::test]
async fn the_service_has_the_rights_of_the_listing_and_the_page_lists_the_same() {
    let database = database().await;
    let listed: BTreeMap<String, String> = RELATIONS
        .iter()
        .filter(|relation| !relation.service.is_empty())
        .map(|relation| (relation.name.to_owned(), relation.service.to_owned()))
        .collect();
    assert_eq!(rights(&database, SERVICE).await, listed);

    let part = PAGE.split("\n## Roles").nth(1).unwrap().split("\n## ").next().unwrap();
    let on_page: BTreeMap<String, String> = part
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .filter_map(|row| {
            let (name, rights) = row.split_once("` | ")?;
            name.contains('.').then(|| (name.to_owned(), rights.trim_end_matches('|').trim().to_owned()))
        })
        .collect();
    let mut expected = listed;
    expected.extend(FUNCTIONS.iter().map(|function| ((*function).to_owned(), "execute".to_owned())));
    let rows: Vec<String> = expected.iter().map(|(name, rights)| format!("| `{name}` | {rights} |\n")).collect();
    let rows = rows.concat();
    assert_eq!(on_page, expected, "the table of docs/operations.md is to be:\n{rows}");
}

#[tokio::test]
async fn everything_in_our_schemas_is_in_the_listing() {
    let database = database().await;
    let query = format!("select name from {NAMED} r order by name");
    let there: BTreeSet<String> =
        sqlx::query_scalar(AssertSqlSafe(query)).fetch_all(&database.pool).await.unwrap().into_iter().collect();
    let listed: BTreeSet<String> = RELATIONS.iter().map(|relation| relation.name.to_owned()).collect();
    assert_eq!(there, listed, "src/store/rights.rs lists every table, view and sequence, and what may be done with it");
    let query = "select p.oid::regprocedure::text || case when p.prosecdef and array_to_string(p.proconfig, ' ')
            ~ '^search_path=pg_catalog, pg_temp( |$)' and not exists (select from aclexplode(p.proacl) a where a.grantee = 0) then ''
            else ' is not pinned, or everybody may call it' end
        from pg_proc p where pronamespace::regnamespace::text in ('identity', 'intake') order by 1";
    let there: Vec<String> = sqlx::query_scalar(query).fetch_all(&database.pool).await.unwrap();
    assert_eq!(there, FUNCTIONS);
}

#[tokio::test]
async fn a_service_that_makes_nothing_gathers_statistics_all_the_same() {
    let service = service().await;
    for id in 0..3 {
        assert_eq!(service.lead(&a_lead(id)).await.outcome(), "applied");
    }
    let known = "select reltuples > 0 from pg_class where oid = 'leads'::regclass";
    assert!(!service.database.value::<bool>(known).await);
    let mut connection = connect(&service.database, SERVICE).await;
    sqlx::raw_sql("select intake.gather_statistics()").execute(&mut connection).await.unwrap();
    assert!(service.database.value::<bool>(known).await);
}

#[tokio::test]
async fn partitions_are_made_and_dropped_for_a_service_that_may_make_and_drop_nothing() {
    let database = database().await;
    let reader = role(&database, "reader").await;
    give(&database, &reader, &[Grant::Deliveries]).await.unwrap();
    let mut service = connect(&database, SERVICE).await;
    sqlx::raw_sql("select intake.make_partitions('2019-05-01'); select intake.make_partitions('2019-05-31')")
        .execute(&mut service)
        .await
        .unwrap();
    let made = "select count(*) from pg_class where relname in ('deliveries_2019_05', 'bodies_2019_05')
        and relowner = 'forecourt_owner'::regrole and relacl is null";
    assert_eq!(database.value::<i64>(made).await, 2, "they are the owner's, and granted to nobody");
    sqlx::raw_sql(
        "insert into intake.deliveries (workspace_id, id, received_at, feed, credential, outcome, findings, changes, attempts,
            processing_ms, settled_at)
        values (1, gen_random_uuid(), '2019-05-07Z', 'lead', 'c', 'applied', '[]', '{}', 1, 1, now())",
    )
    .execute(&mut service)
    .await
    .unwrap();
    // Through the table that they are parts of, and not beside it.
    let mut connection = connect(&database, &reader).await;
    assert_eq!(refusal(&mut connection, "select outcome from intake.deliveries").await, None);
    for statement in ["select outcome from intake.deliveries_2019_05", "select body from intake.deliveries"] {
        assert_eq!(refusal(&mut connection, statement).await.as_deref(), Some("42501"), "{statement}");
    }
    assert_eq!(refusal(&mut service, "drop table intake.deliveries_2019_05").await.as_deref(), Some("42501"));
    for (kind, month) in
        [("deliveries", "now()::date"), ("leads", "'2019-05-01'"), ("deliveries; drop table leads", "'2019-05-01'")]
    {
        let refused = refusal(&mut service, &format!("select intake.drop_partition('{kind}', {month})")).await;
        assert_eq!(refused.as_deref(), Some("22023"), "{kind} {month}");
    }
    for kind in ["deliveries", "bodies"] {
        let drop = format!("select intake.drop_partition('{kind}', '2019-05-01')");
        sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut service).await.unwrap();
    }
    assert_eq!(database.value::<i64>(made).await, 0);
}

/// The program over a database, as a person starts it.
fn spawn(url: &str, folder: &Path) -> Program {
    let config = config_with("hold_seconds = 60\ndeadline_ms = 1000\nstop_seconds = 4");
    let config = config.replace("[spool]\nmax_bytes = 0", "");
    let listen = ([127, 0, 0, 1], 0).into();
    Program::spawn(&Launch { database: url, folder, config: &config, listen, log: "info", first: "" })
}

/// Leaves a database as if one migration, which makes two indexes, had not been applied.
const BEFORE_THE_ELEVENTH: &str = "drop index locations_configured_idx, packages_configured_idx;
    delete from _sqlx_migrations where version = 11";

#[tokio::test]
async fn a_service_that_may_make_nothing_says_what_to_run_and_spools_where_it_has_seen_its_tables() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    database.execute(BEFORE_THE_ELEVENTH).await;
    let mut first = spawn(&database.url(), folder.path());
    assert!(!first.ended().success());
    let sentence =
        "migration 0011 (configured places) is missing, and the user `forecourt_service` does not own the tables";
    let line = first.wait_for(sentence);
    assert!(line.contains("run `forecourt migrate`") && line.contains("`database.migrations_url`"), "{line}");
    assert!(!folder.path().join("tables-seen").exists());

    forecourt::store::migrate(&database.pool).await.unwrap();
    let mut seen = spawn(&database.url(), folder.path()).listening();
    seen.wait_for("postgres is ready");
    drop(seen);

    database.execute(BEFORE_THE_ELEVENTH).await;
    let mut later = spawn(&database.url(), folder.path()).listening();
    let line = later.wait_for("postgres is away");
    assert!(line.contains(sentence) && line.contains("run `forecourt migrate`"), "{line}");
    assert_eq!(later.post_as(TOKEN, LEADS, a_lead(1).to_string()).await.outcome(), "spooled");
    assert_eq!(later.get("/readyz").await.body["parts"]["postgres"], "unavailable");
    forecourt::store::migrate(&database.pool).await.unwrap();
    later.wait_for("the spool is empty again");
    assert_eq!(database.value::<i64>("select count(*) from leads").await, 1);
}

#[tokio::test]
async fn values_that_are_to_be_read_anew_are_left_to_the_owner() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    database.execute("insert into intake.rereadings (workspace_id) values (1)").await;
    let mut first = spawn(&database.url(), folder.path());
    assert!(!first.ended().success());
    let line =
        first.wait_for("stored values are to be read anew, and the user `forecourt_service` does not own the tables");
    assert!(line.contains("run `forecourt migrate`"), "{line}");
}

#[tokio::test]
async fn a_service_without_any_rights_is_told_by_whom_it_gets_them() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let role = role(&database, "newcomer").await;
    let mut first = spawn(&database.url_as(&role), folder.path());
    assert!(!first.ended().success());
    first.wait_for("give it its rights with `forecourt grant`");
}

// ---- readers

/// What each grant lets a role read: tables whole, or without the columns behind the colon.
const READABLE: &[(Grant, &[&str])] = &[
    (
        Grant::Tables,
        &[
            "public.appointments",
            "public.bookings",
            "public.dealerships",
            "public.lead_changes",
            "public.lead_clusters",
            "public.lead_events",
            "public.leads",
            "public.listing_changes",
            "public.listing_identifiers",
            "public.listing_locations",
            "public.listing_packages",
            "public.listing_sources",
            "public.listings",
            "public.locations",
            "public.packages",
            "public.persons",
            "public.property_enquiries",
            "public.trade_ins",
            "public.workspaces",
        ],
    ),
    (Grant::Identity, &["identity.driver_licences", "identity.lead_documents", "identity.passports"]),
    (
        Grant::Deliveries,
        &["intake.dealership_feeds", "intake.deliveries: body posted_body", "intake.drift", "intake.finding_codes"],
    ),
    (Grant::Bodies, &["intake.bodies", "intake.deliveries_with_bodies"]),
    (
        Grant::Reporting,
        &[
            "reporting.appointments",
            "reporting.blocked_leads",
            "reporting.bookings",
            "reporting.customers",
            "reporting.dealership_feeds",
            "reporting.deliveries",
            "reporting.lead_response",
            "reporting.leads",
            "reporting.marketing_consent",
            "reporting.price_changes",
            "reporting.stock",
            "reporting.stock_history",
            "reporting.unknown_fields",
        ],
    ),
    (
        Grant::Contacts,
        &[
            "reporting_contacts.appointments",
            "reporting_contacts.blocked_leads",
            "reporting_contacts.bookings",
            "reporting_contacts.customers",
            "reporting_contacts.dealership_feeds",
            "reporting_contacts.deliveries",
            "reporting_contacts.lead_response",
            "reporting_contacts.leads",
            "reporting_contacts.marketing_consent",
            "reporting_contacts.price_changes",
            "reporting_contacts.stock",
            "reporting_contacts.stock_history",
            "reporting_contacts.unknown_fields",
        ],
    ),
];

/// Every table and view with its columns, partitions among them, in all schemas but the server's own.
async fn columns(database: &TestDatabase) -> BTreeMap<String, Vec<String>> {
    let query = "select n.nspname || '.' || c.relname, array_agg(a.attname::text order by a.attnum)
        from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
        where c.relkind in ('r', 'p', 'v', 'm', 'f') and a.attnum > 0 and not a.attisdropped
            and n.nspname !~ '^(pg_|information_schema)' group by 1";
    let rows = sqlx::query(query).fetch_all(&database.pool).await.unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// What a role reads, found out by reading each column of each table alone; written as in [`READABLE`].
async fn reads(database: &TestDatabase, role: &str) -> Vec<String> {
    let mut reader = connect(database, role).await;
    let mut found = Vec::new();
    for (table, columns) in columns(database).await {
        let mut hidden = Vec::new();
        for column in &columns {
            let query = format!("select \"{column}\" from {table} limit 0");
            match refusal(&mut reader, &query).await.as_deref() {
                None => {}
                Some("42501") => hidden.push(column.as_str()),
                Some(code) => panic!("{query}: {code}"),
            }
        }
        if hidden.is_empty() {
            found.push(table);
        } else if hidden.len() < columns.len() {
            found.push(format!("{table}: {}", hidden.join(" ")));
        }
    }
    found
}

#[tokio::test]
async fn each_grant_lets_a_role_read_what_it_names_and_nothing_else() {
    let database = database().await;
    let reader = role(&database, "reader").await;
    assert_eq!(reads(&database, &reader).await, [] as [&str; 0], "a role that nobody named");
    for (grant, expected) in READABLE {
        // In place of what it was given before.
        let given = give(&database, &reader, &[*grant]).await.unwrap();
        assert_eq!(given.remarks, [] as [&str; 0], "{grant}");
        assert_eq!(reads(&database, &reader).await, *expected, "{grant}");
    }
    let given = give(&database, &reader, &[Grant::Tables, Grant::Deliveries]).await.unwrap();
    assert_eq!(given.remarks, [] as [&str; 0]);
    let (tables, deliveries) = (READABLE[0].1, READABLE[2].1);
    assert_eq!(reads(&database, &reader).await, [deliveries, tables].concat(), "several at once");
    give(&database, &reader, &[]).await.unwrap();
    assert_eq!(reads(&database, &reader).await, [] as [&str; 0]);
    // Nothing of it is left that would keep the role.
    database.execute(&format!("drop role \"{reader}\"")).await;
}

#[tokio::test]
async fn a_reader_writes_nothing_and_calls_nothing() {
    let database = database().await;
    let reader = role(&database, "reader").await;
    let readers: Vec<Grant> = READABLE.iter().map(|(grant, _)| *grant).collect();
    give(&database, &reader, &readers).await.unwrap();
    let rights = rights(&database, &reader).await;
    assert!(rights.len() > 20 && rights.values().all(|rights| rights == "select"), "{rights:?}");
    let mut connection = connect(&database, &reader).await;
    for function in FUNCTIONS {
        let may = format!("select has_function_privilege('{reader}', '{function}', 'execute')");
        assert!(!database.value::<bool>(&may).await, "{function}");
    }
    assert_eq!(refusal(&mut connection, "select intake.make_partitions('2026-01-01')").await.as_deref(), Some("42501"));
    assert_eq!(refusal(&mut connection, "select nextval('public.row_ids')").await.as_deref(), Some("42501"));
}

/// What a reader of the views may not do with them.
const WRITES: [&str; 10] = [
    "insert into {} default values",
    "update {} set workspace = 'x'",
    "delete from {}",
    "truncate {}",
    "drop view {}",
    "alter view {} rename to x",
    "alter view {} owner to current_user",
    "comment on view {} is 'x'",
    "create or replace view {} as select 1 as a",
    "create rule x as on insert to {} do instead nothing",
];

#[tokio::test]
async fn a_reader_of_the_reporting_views_sees_them_and_nothing_else_whatever_it_tries() {
    let database = database().await;
    for (grant, own) in [(Grant::Reporting, "reporting."), (Grant::Contacts, "reporting_contacts.")] {
        let reader = role(&database, grant.name()).await;
        assert_eq!(give(&database, &reader, &[grant]).await.unwrap().remarks, [] as [&str; 0]);
        let mut connection = connect(&database, &reader).await;
        let mut forbidden: Vec<String> = FORBIDDEN.iter().map(|statement| (*statement).to_owned()).collect();
        let schema = own.trim_end_matches('.');
        forbidden.push(format!("create table {schema}.x (a int)"));
        forbidden.push(format!("create view {schema}.x as select 1 as a"));
        forbidden.push(format!("drop schema {schema} cascade"));
        forbidden.push(format!("set role \"{SERVICE}\""));
        let (mut seen, mut others) = (0, 0);
        for (name, columns) in columns(&database).await {
            if name.starts_with(own) {
                assert_eq!(refusal(&mut connection, &format!("select * from {name}")).await, None, "{name}");
                forbidden.extend(WRITES.iter().map(|write| write.replace("{}", &name)));
                seen += 1;
                continue;
            }
            others += 1;
            let each = columns.iter().map(|column| format!("select \"{column}\" from {name}"));
            forbidden.extend(each);
            forbidden.push(format!("select count(*) from {name}"));
            forbidden.push(format!("insert into {name} default values"));
            forbidden.push(format!("delete from {name}"));
            forbidden.push(format!("lock table {name} in access share mode"));
            forbidden.push(format!("copy {name} to '/tmp/x'"));
        }
        assert!(seen == 13 && others > 45 && forbidden.len() > 900, "{seen} {others} {}", forbidden.len());
        forbidden.push("select intake.gather_statistics()".to_owned());
        forbidden.push("select intake.make_partitions('2026-01-01')".to_owned());
        forbidden.push("select intake.drop_partition('deliveries', '2020-01-01')".to_owned());
        forbidden.push("select nextval('public.row_ids')".to_owned());
        forbidden.push("create publication x for all tables".to_owned());
        for statement in &forbidden {
            let refused = refusal(&mut connection, statement).await;
            // Some look first what kind of thing is named, or whether a view can be written at all.
            let known = ["42501", "42809", "55000"].contains(&refused.as_deref().unwrap_or_default());
            assert!(known, "{statement}: {refused:?}");
        }
        // What a later migration adds is given with it.
        let anew = format!("create view {schema}.later as select 1 as a; alter view {schema}.later owner to {OWNER}");
        database.execute(&anew).await;
        assert!(refusal(&mut connection, &format!("select a from {schema}.later")).await.is_some());
        database.execute(BEFORE_THE_ELEVENTH).await;
        database.owner_store().migrate().await.unwrap();
        assert_eq!(refusal(&mut connection, &format!("select a from {schema}.later")).await, None);
        database.execute(&format!("drop view {schema}.later")).await;
    }
}

#[tokio::test]
async fn what_a_migration_adds_is_given_with_it_to_the_service_and_to_readers_of_its_kind() {
    let database = database().await;
    let (of_deliveries, of_tables, gone) =
        (role(&database, "r").await, role(&database, "t").await, role(&database, "g").await);
    give(&database, &of_deliveries, &[Grant::Deliveries]).await.unwrap();
    give(&database, &of_tables, &[Grant::Tables]).await.unwrap();
    give(&database, &gone, &[Grant::Identity]).await.unwrap();
    database.execute(&format!("drop owned by \"{gone}\"; drop role \"{gone}\"")).await;
    // As a migration leaves it that makes tables anew and adds columns.
    database
        .execute(&format!(
            "alter table intake.drift rename to former;
            create table intake.drift (like intake.former including all);
            alter table intake.drift owner to {OWNER};
            drop table intake.former cascade;
            alter table intake.deliveries add column seen_again int;
            drop table packages, bookings, listing_packages, identity.passports cascade;
            create table packages (id int); alter table packages owner to {OWNER};
            create table identity.passports (number text); alter table identity.passports owner to {OWNER};
            drop index locations_configured_idx;
            alter table packages add column workspace_id bigint, add column configured boolean;
            delete from _sqlx_migrations where version = 11"
        ))
        .await;
    database.owner_store().migrate().await.unwrap();
    let found = reads(&database, &of_deliveries).await;
    assert_eq!(found, READABLE[2].1);
    let found = reads(&database, &of_tables).await;
    assert!(found.contains(&"public.packages".to_owned()), "{found:?}");
    assert!(!found.iter().any(|table| table.starts_with("identity") || table.starts_with("intake")), "{found:?}");
    let rights = rights(&database, SERVICE).await;
    assert_eq!(rights["intake.drift"], "select, insert, update");
    assert_eq!(rights["identity.passports"], "select, insert, update, delete");
}

#[tokio::test]
async fn a_role_that_cannot_be_given_exactly_that_is_refused_with_a_sentence() {
    let database = database().await;
    let reader = role(&database, "reader").await;
    let long = "x".repeat(63);
    database.execute(&format!("create role \"{long}\"")).await;
    let refused = [
        ("nobody_of_this_name", "there is no role `nobody_of_this_name`"),
        (&reader.to_uppercase(), "there is no role"),
        // Postgres cuts what is longer, and would mean the other one.
        (&format!("{long}y"), "there is no role"),
        ("public", "there is no role `public`"),
        ("", "there is no role ``"),
        ("forecourt", "is a superuser"),
        (OWNER, "owns the tables"),
        (SERVICE, "is the service's"),
    ];
    for (role, sentence) in refused {
        let said = no(&database, role, &[Grant::Tables]).await;
        assert!(said.contains(sentence) && said.lines().count() == 1, "{said}");
    }
    database.execute(&format!("grant {OWNER} to \"{reader}\"")).await;
    assert!(no(&database, &reader, &[Grant::Tables]).await.contains("a member of the role that does"));
    database.execute(&format!("revoke {OWNER} from \"{reader}\"; drop role \"{long}\"")).await;
    // As a version before they were there has left it.
    database.execute("drop schema reporting cascade; drop schema reporting_contacts cascade").await;
    for (grant, schema) in [(Grant::Reporting, "`reporting`"), (Grant::Contacts, "`reporting_contacts`")] {
        let said = no(&database, &reader, &[grant]).await;
        assert!(said.contains("this version has no schema") && said.contains(schema), "{said}");
    }
    // As the service, who has no right to give any.
    let store = Store::new(database.service_pool.clone(), 0);
    let said =
        granting::give(&store, &reader, &BTreeSet::from([Grant::Tables]), "ada", false).await.unwrap_err().to_string();
    assert!(said.contains("the user `forecourt_service` does not own the tables: run"), "{said}");
}

#[tokio::test]
async fn a_name_is_nothing_but_a_name() {
    let database = database().await;
    let tables = columns(&database).await.len();
    for name in [
        "Mixed Case",
        "a\"b",
        "x\"; drop table leads; --",
        "public, x",
        "d'accord",
        "new\nline",
        "sel--ect",
        "größe",
        "\\",
    ] {
        let name = format!("{name} {}", database.name);
        database.execute(&format!("create role \"{}\" login", name.replace('"', "\"\""))).await;
        give(&database, &name, &[Grant::Identity]).await.unwrap();
        assert_eq!(reads(&database, &name).await, READABLE[1].1, "{name:?}");
        give(&database, &name, &[]).await.unwrap();
        database.execute(&format!("drop role \"{}\"", name.replace('"', "\"\""))).await;
    }
    assert_eq!(columns(&database).await.len(), tables);
    let everybody = "select count(*) from pg_class c, aclexplode(c.relacl) a where a.grantee = 0
        and relnamespace::regnamespace::text in ('public', 'identity', 'intake')";
    assert_eq!(database.value::<i64>(everybody).await, 0);
}

#[tokio::test]
async fn what_a_role_reads_beyond_its_grants_is_told() {
    let database = database().await;
    let (reader, group) = (role(&database, "reader").await, role(&database, "group").await);
    give(&database, &group, &[Grant::Identity]).await.unwrap();
    database.execute(&format!("grant \"{group}\" to \"{reader}\"")).await;
    let given = give(&database, &reader, &[Grant::Tables]).await.unwrap();
    assert_eq!(given.remarks.len(), 1, "{given:?}");
    assert!(given.remarks[0].contains("identity.driver_licences and 2 others"), "{given:?}");
    database
        .execute(&format!(
            "grant select on intake.deliveries to \"{group}\"; grant usage on schema intake to \"{group}\""
        ))
        .await;
    let given = give(&database, &reader, &[Grant::Identity, Grant::Deliveries]).await.unwrap();
    assert!(given.remarks[0].contains("intake.deliveries.body and 1 others"), "{given:?}");
}

#[tokio::test]
async fn what_is_granted_is_recorded_without_the_name_of_anybody_in_the_audit() {
    let database = database().await;
    let reader = role(&database, "reader").await;
    give(&database, &reader, &[Grant::Tables, Grant::Deliveries]).await.unwrap();
    let may: Vec<String> = sqlx::query_scalar("select may from intake.granted_roles where role_name = $1 order by may")
        .bind(&reader)
        .fetch_all(&database.pool)
        .await
        .unwrap();
    assert_eq!(may, ["deliveries", "tables"]);
    let last = "select to_jsonb(a) - 'id' - 'acted_at' from intake.actions a order by id desc limit 1";
    let action: serde_json::Value = database.value(last).await;
    assert_eq!((&action["action"], &action["acted_by"]), (&json!("grant"), &json!("ada")));
    assert_eq!(action["counts"]["given"], json!(["tables", "deliveries"]));
    assert!(!action.to_string().contains(&reader), "{action}");
}

// ---- the commands

/// The status, what was said on standard output, and on standard error.
fn run(folder: &Path, url: &str, more: &str, variables: &[(&str, &str)], arguments: &[&str]) -> (i32, String, String) {
    let config = format!("{}\n[database]\nallow_unsafe = true\n{more}\n", CONFIG.replace("[spool]\nmax_bytes = 0", ""));
    std::fs::write(folder.join("forecourt.toml"), config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_forecourt"));
    command.current_dir(folder).args(arguments).env_clear().env("FORECOURT_DATA_DIR", folder.join("data"));
    command.envs(SECRETS).env("DATABASE_URL", url).env("USER", "ada").envs(variables.iter().copied());
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

#[tokio::test]
async fn migrations_and_grants_are_made_as_the_owner_whom_the_configuration_names_apart() {
    let cluster = own_cluster().await;
    let (database, folder) = (cluster.bare_database("forecourt").await, tempfile::tempdir().unwrap());
    database.execute(&format!("create role reader; alter role {OWNER} password 'hush'")).await;
    let (service, owner) = (database.url_as(SERVICE), database.url_as(OWNER));
    let named = "migrations_url_env = \"OWNER_URL\"";
    let url = [("OWNER_URL", owner.as_str())];
    let run = |more: &str, variables: &[(&str, &str)], arguments: &[&str]| {
        run(folder.path(), &service, more, variables, arguments)
    };

    let (status, said, wrong) = run("", &[], &["migrate"]);
    assert!(status == 1 && wrong.contains("run `forecourt migrate` as one that does"), "{said}{wrong}");
    let (status, said, wrong) = run(named, &url, &["migrate", "--check"]);
    assert!(status == 1 && said.starts_with("would apply 0001") && wrong.contains("are missing"), "{said}{wrong}");
    let (status, said, wrong) = run(named, &url, &["migrate"]);
    assert!(status == 0 && said.contains("migrations were applied"), "{said}{wrong}");
    assert_eq!(
        database.value::<String>("select tableowner::text from pg_tables where tablename = 'leads'").await,
        OWNER
    );
    let (status, said, wrong) = run(named, &url, &["migrate", "--check"]);
    assert_eq!((status, said.as_str()), (0, "The tables are of this version; there is nothing to do.\n"), "{wrong}");

    let (status, said, wrong) = run(named, &[], &["check", "--connect"]);
    assert!(status == 1 && wrong.contains("`forecourt grant forecourt_service --serves`"), "{said}{wrong}");
    let (status, said, wrong) = run("", &[], &["grant", SERVICE, "--serves"]);
    assert!(status == 1 && wrong.lines().count() == 1, "{said}{wrong}");
    let (status, said, wrong) = run(named, &url, &["grant", SERVICE, "--serves"]);
    assert_eq!((status, wrong.as_str()), (0, ""), "{said}");
    assert!(
        said.starts_with("The role `forecourt_service` may do what the service does") && !said.contains("warning"),
        "{said}"
    );
    // The service's own start and check have no need of the owner's address, and it need not be there for them.
    let (status, said, wrong) = run(named, &[], &["check", "--connect"]);
    assert!(status == 0 && said.ends_with("Its tables are of this version.\n"), "{said}{wrong}");
    let (status, said, wrong) = run(named, &[], &["migrate"]);
    assert_eq!(status, 78, "{said}{wrong}");
    assert!(wrong.contains("migrations_url: the environment variable `OWNER_URL` is not set"), "{wrong}");
    // After a restore into another database, the owner's address may still name the old one.
    let elsewhere = owner.replace("/forecourt?", "/restored?");
    assert_ne!(elsewhere, owner);
    for words in [&["migrate"][..], &["migrate", "--check"], &["grant", SERVICE, "--serves"]] {
        let (status, said, wrong) = run(named, &[("OWNER_URL", &elsewhere)], words);
        assert!(status == 78 && wrong.contains("name one database in both"), "{said}{wrong}");
    }
    let service = TestService::over(database.migrated().await, CONFIG).await;
    assert_eq!(service.lead(&a_lead(1)).await.outcome(), "applied");
}

#[tokio::test]
async fn the_command_says_what_it_did_or_prints_what_it_would_do() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let reader = role(&database, "reader").await;
    let owner = database.url_as(OWNER);
    let grant = |arguments: &[&str]| run(folder.path(), &owner, "", &[], &[&["grant", &reader], arguments].concat());

    let (status, said, wrong) = grant(&["--reads", "identity", "--dry-run"]);
    assert_eq!((status, wrong.as_str()), (0, ""), "{said}");
    assert!(
        said.lines().all(|line| line.ends_with(';')) && said.contains("grant select on table identity.driver"),
        "{said}"
    );
    assert_eq!(reads(&database, &reader).await, [] as [&str; 0], "nothing was changed");
    database.execute(&said).await;
    assert_eq!(reads(&database, &reader).await, READABLE[1].1, "what is printed is what is done");

    let (status, said, _) = grant(&["--reads", "tables,deliveries"]);
    assert_eq!(
        (status, said),
        (0, format!("The role `{reader}` reads tables, deliveries; so it will after later migrations.\n"))
    );
    let (status, said, _) = grant(&["--reads", "reporting"]);
    assert_eq!(
        (status, said),
        (0, format!("The role `{reader}` reads reporting; so it will after later migrations.\n"))
    );
    let (status, said, _) = grant(&["--reads", "none"]);
    assert_eq!((status, said), (0, format!("The role `{reader}` has nothing any more of what forecourt gives.\n")));
    for (arguments, expected) in [
        (&["--reads", "everything"][..], 2),
        (&["--reads", "none,tables"], 2),
        (&["--reads", "serves"], 2),
        (&["--serves", "--reads", "tables"], 2),
        (&[], 2),
    ] {
        let (status, said, wrong) = grant(arguments);
        assert_eq!((status, said.as_str(), wrong.lines().count()), (expected, "", 1), "{arguments:?} {wrong}");
    }
}
