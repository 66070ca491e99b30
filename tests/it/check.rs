//! `forecourt check --connect` and `forecourt migrate` as a person runs them: before a start, against a real database.

use std::path::Path;
use std::process::{Command, Output};

use rustix::process::{Pid, Signal};

use crate::support::postgres::{SafeServer, TestDatabase};
use crate::support::{database, soon};

/// A configuration whose server may be unsafe, as the tests' is, or not.
fn configuration(allow_unsafe: bool) -> String {
    format!(
        "[database]\nallow_unsafe = {allow_unsafe}\n[[workspaces]]\nslug = \"a\"\ndealerships = [1]\nlocations = [\"N\"]\n\
         packages = [\"P\"]\n[[credentials]]\nname = \"c\"\nscheme = \"bearer\"\nfeeds = \"all\"\nworkspaces = \"all\"\n\
         secret_env = \"SECRET\"\n"
    )
}

fn command(folder: &Path, config: &str, url: &str, arguments: &[&str]) -> Command {
    std::fs::write(folder.join("forecourt.toml"), config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_forecourt"));
    command.current_dir(folder).args(arguments).env_clear().env("FORECOURT_DATA_DIR", folder.join("data"));
    command.env("SECRET", "a-secret-that-is-long").env("DATABASE_URL", url);
    command
}

/// The status, what was said on standard output, and on standard error.
fn run(folder: &Path, config: &str, url: &str, arguments: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command(folder, config, url, arguments).output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// A `DATABASE_URL` for another user and password.
fn url_as(database: &TestDatabase, user: &str) -> String {
    database.url_as(user)
}

#[tokio::test]
async fn a_database_that_is_good_is_told_as_such_and_left_as_it_is() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let (status, said, wrong) = run(folder.path(), &configuration(true), &database.url(), &["check", "--connect"]);
    assert_eq!((status, wrong.as_str()), (0, ""), "{said}");
    assert!(said.contains("forecourt.toml is good."), "{said}");
    assert!(said.contains("The database answers: PostgreSQL ") && said.contains(", UTF8;"), "{said}");
    assert!(said.ends_with("Its tables are of this version.\n"), "{said}");
    let left: i64 = database.value("select count(*) from workspaces").await;
    assert_eq!(left, 0, "the configuration is not applied");
    assert!(!folder.path().join("data").exists());

    let (status, said, _) = run(folder.path(), &configuration(true), "", &["check", "--connect"]);
    assert!(status == 0 && said.ends_with("There is no private Postgres yet: the first start makes it.\n"), "{said}");
    assert!(!folder.path().join("data").exists(), "nothing is started");
}

#[tokio::test]
async fn a_database_that_cannot_be_used_ends_the_check_with_a_sentence_for_each_reason() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let checked = |allow_unsafe: bool, url: &str| {
        let (status, _, wrong) = run(folder.path(), &configuration(allow_unsafe), url, &["check", "--connect"]);
        assert_eq!(status, 1, "{wrong}");
        wrong
    };
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let away = checked(true, &format!("postgres://u:hush@127.0.0.1:{port}/f"));
    assert!(
        away.lines().count() == 1 && away.starts_with("the database cannot be used: ") && !away.contains("hush"),
        "{away}"
    );
    let missing = checked(true, &database.url().replace(&database.name, "no_such"));
    assert!(missing.lines().count() == 1 && missing.contains("there is no such database"), "{missing}");
    // The tests' server loses what it has committed when the machine loses power.
    let unsafe_server = checked(false, &database.url());
    assert_eq!(unsafe_server.lines().count(), 2, "{unsafe_server}");
    assert!(
        unsafe_server.contains("fsync is off") && unsafe_server.contains("full_page_writes is off"),
        "{unsafe_server}"
    );

    database
        .execute(
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
            values (9999, 'from the future', true, '', 0)",
        )
        .await;
    let newer = checked(true, &database.url());
    assert!(newer.lines().count() == 1 && newer.contains("migration 9999"), "{newer}");
}

#[tokio::test]
async fn a_database_of_another_encoding_and_a_user_without_rights_are_told() {
    let server = SafeServer::start().await;
    let (admin, folder) = (server.0.bare_database("forecourt").await, tempfile::tempdir().unwrap());
    let checked = |url: &str| run(folder.path(), &configuration(false), url, &["check", "--connect"]);
    admin.execute("create database latin encoding 'LATIN1' locale 'C' template template0").await;
    let (status, _, wrong) = checked(&admin.url().replace("/forecourt?", "/latin?"));
    assert_eq!((status, wrong.lines().count()), (1, 1), "{wrong}");
    assert!(wrong.contains("the database's encoding is LATIN1"), "{wrong}");

    admin.execute("create role clerk login; revoke create on schema public from public").await;
    let clerk = url_as(&admin, "clerk");
    let (status, said, wrong) = checked(&clerk);
    assert_eq!((status, wrong.lines().count()), (1, 2), "{said}{wrong}");
    assert!(wrong.contains("the user `clerk` may not make schemas"), "{wrong}");
    assert!(wrong.contains("the user `clerk` may not make tables in the schema public"), "{wrong}");
    assert!(said.contains("migrations are missing, from 0001"), "{said}");

    let (status, said, wrong) = run(folder.path(), &configuration(false), &admin.url(), &["migrate"]);
    assert_eq!(status, 0, "{said}{wrong}");
    let (status, said, wrong) = checked(&clerk);
    assert_eq!((status, wrong.lines().count()), (1, 1), "{said}{wrong}");
    assert!(
        wrong.contains("the user `clerk` may not do with ") && wrong.contains(" others what the service "),
        "{wrong}"
    );
    assert!(wrong.contains("`forecourt grant clerk --serves`"), "{wrong}");
    admin
        .execute(
            "grant usage on schema public, identity, intake to clerk;
            grant all on all tables in schema public, identity, intake to clerk",
        )
        .await;
    let (status, said, wrong) = checked(&clerk);
    assert!(
        status == 1 && wrong.contains("may not do with intake.drop_partition(text,date) and 3 others "),
        "{said}{wrong}"
    );
    admin
        .execute(
            "grant usage on all sequences in schema public to clerk;
            grant execute on all functions in schema intake to clerk; create function broken() returns trigger language plpgsql
                as 'begin raise exception ''not today''; end';
            create trigger broken before insert on intake.deliveries execute function broken()",
        )
        .await;
    let (status, said, wrong) = checked(&clerk);
    assert!(status == 1 && wrong.lines().count() == 1 && wrong.contains("SQLSTATE P0001"), "{said}{wrong}");
    admin.execute("drop trigger broken on intake.deliveries").await;
    let (status, said, wrong) = checked(&clerk);
    assert_eq!(status, 0, "{said}{wrong}");
}

#[tokio::test]
async fn what_would_be_migrated_is_told_before_it_is_done() {
    let server = SafeServer::start().await;
    let (database, folder) = (server.0.bare_database("forecourt").await, tempfile::tempdir().unwrap());
    let migrate = |arguments: &[&str]| run(folder.path(), &configuration(false), &database.url(), arguments);
    let (status, said, wrong) = migrate(&["migrate", "--check"]);
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!((status, lines[0]), (1, "would apply 0001 (workspaces)"), "{said}");
    let count = lines.len();
    assert!(wrong.starts_with(&format!("{count} migrations are missing, and nothing was changed: ")), "{wrong}");
    assert_eq!(wrong.lines().count(), 1, "{wrong}");
    let tables: i64 = database.value("select count(*) from pg_tables where schemaname in ('public', 'intake')").await;
    assert_eq!(tables, 0, "nothing was changed");

    let (status, said, _) = migrate(&["migrate"]);
    assert_eq!((status, said), (0, format!("{count} migrations were applied; the tables are of this version.\n")));
    let (status, said, _) = migrate(&["migrate", "--check"]);
    assert_eq!((status, said.as_str()), (0, "The tables are of this version; there is nothing to do.\n"));
    let (status, said, _) = migrate(&["migrate"]);
    assert_eq!((status, said.as_str()), (0, "The tables are of this version; there was nothing to do.\n"));
}

#[tokio::test]
async fn migrations_that_are_interrupted_say_what_is_left_and_go_on_later() {
    let server = SafeServer::start().await;
    let (database, folder) = (server.0.bare_database("forecourt").await, tempfile::tempdir().unwrap());
    let arguments: &[&str] = &["migrate"];
    // In the way of the seventh migration, and of nothing before.
    database.execute("create table public.property_enquiries (id int)").await;
    let (status, _, wrong) = run(folder.path(), &configuration(false), &database.url(), arguments);
    assert!(status == 1 && wrong.contains("while executing migration 7"), "{wrong}");
    database.execute("drop table public.property_enquiries").await;

    let mut holder = database.pool.begin().await.unwrap();
    sqlx::raw_sql("lock table _sqlx_migrations in access exclusive mode").execute(&mut *holder).await.unwrap();
    let mut migrating = command(folder.path(), &configuration(false), &database.url(), arguments);
    let child = migrating.stderr(std::process::Stdio::piped()).stdout(std::process::Stdio::null()).spawn().unwrap();
    let waits =
        "select exists (select from pg_stat_activity where wait_event_type = 'Lock' and query ~ '_sqlx_migrations')";
    soon("it waits for the lock", async || database.value::<bool>(waits).await).await;
    rustix::process::kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    // What is left can be told once nobody is in the way.
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    holder.rollback().await.unwrap();
    let ended = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    let wrong = String::from_utf8(ended.stderr).unwrap();
    assert_eq!((ended.status.code(), wrong.lines().count()), (Some(1), 1), "{wrong}");
    assert!(wrong.starts_with("stopped: what was under way is undone, and ") && wrong.contains("are left"), "{wrong}");

    let (status, said, wrong) = run(folder.path(), &configuration(false), &database.url(), arguments);
    assert_eq!(status, 0, "{said}{wrong}");
}
