//! The commands as processes: how they end, what they say, and where.

use std::path::Path;
use std::process::{Command, Output};

use rustix::process::Signal;

use crate::support::postgres::SafeServer;
use crate::support::program::Launch;
use crate::support::{CONFIG, Program, database, soon};

/// The program in a folder, which is its data directory too, with these variables and no others.
fn command(folder: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forecourt"));
    command.current_dir(folder).args(arguments).env_clear().env("FORECOURT_DATA_DIR", folder);
    command.envs(variables.iter().copied()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Arguments, variables, and the status that the command ends with.
type Case<'c> = (&'c [&'c str], &'c [(&'c str, &'c str)], i32);

#[test]
fn a_command_ends_with_the_status_that_tells_what_is_wrong_and_one_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let missing = [("FORECOURT_CONFIG", "/etc/forecourt/no-such.toml")];
    let cases: [Case; 9] = [
        (&["--version"], &[], 0),
        (&["sevre"], &[], 2),
        (&["serve", "--confg", "a"], &[], 2),
        (&["replay"], &[], 2),
        (&[], &missing, 78),
        (&["check"], &missing, 78),
        (&["replay", "--all"], &missing, 78),
        (&["check"], &[("DATABASE_URL", "mysql://u:hush@h/d")], 78),
        (&["health", "--url", "http://127.0.0.1:1"], &[], 1),
    ];
    for (arguments, variables, status) in cases {
        let Output { status: ended, stdout, stderr } = command(folder.path(), arguments, variables);
        assert_eq!(ended.code(), Some(status), "{arguments:?}: {}", text(&stderr));
        let said = text(if status == 0 { &stdout } else { &stderr });
        assert_eq!(said.lines().count(), 1, "{arguments:?}: {said}");
        assert!(!said.contains("hush"), "{said}");
    }
}

#[test]
fn a_file_that_is_named_and_not_there_starts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("etc/forecourt.toml");
    let variables = [("FORECOURT_CONFIG", missing.to_str().unwrap()), ("FORECOURT_LISTEN", "0.0.0.0:0")];
    let ended = command(folder.path(), &[], &variables);
    assert_eq!(ended.status.code(), Some(78));
    let said = text(&ended.stderr);
    assert_eq!(
        said,
        format!(
            "{}: there is no configuration file here; put one here, or name another with `--config` or FORECOURT_CONFIG\n",
            missing.display()
        )
    );
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "no token, no database");
}

/// What is warned of where the demo is used on somebody's database.
const LOUD: &str = "THE DEMO CONFIGURATION IS USED ON THE DATABASE THAT DATABASE_URL NAMES";

#[tokio::test]
async fn the_demo_on_a_database_that_is_named_is_a_loud_warning_of_check_and_of_every_start() {
    // The demo configuration does not put up with a server that loses what it has committed.
    let server = SafeServer::start().await;
    let (database, folder) = (server.0.bare_database("forecourt").await, tempfile::tempdir().unwrap());
    let url = database.url();
    let checked = command(folder.path(), &["check"], &[("DATABASE_URL", &url)]);
    assert_eq!(checked.status.code(), Some(0));
    assert!(text(&checked.stdout).contains(&format!("warning: {LOUD}")), "{}", text(&checked.stdout));
    let without = text(&command(folder.path(), &["check"], &[]).stdout);
    assert!(without.contains("the demo configuration is good") && !without.contains("warning"), "{without}");

    let listen = ([127, 0, 0, 1], 0).into();
    let first = "cd / && unset FORECOURT_CONFIG";
    let launch = Launch {
        database: &url,
        folder: folder.path(),
        config: CONFIG,
        listen,
        log: "warn,forecourt::cli=info",
        first,
    };
    let mut program = Program::launch(&launch);
    let warned = program.seen.iter().find(|line| line.contains(LOUD)).expect("a warning before it listens");
    assert!(warned.contains(" WARN ") && !warned.contains("postgres://"), "{warned}");
    program.wait_for("postgres is ready");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_tells_whether_a_running_service_answers_and_can_store() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let mut program = Program::start(&database.url(), folder.path(), CONFIG);
    program.wait_for("postgres is ready");
    // As in the image: the address that it listens on, a configuration whose secrets are not there.
    let everywhere = format!("0.0.0.0:{}", program.address.port());
    let config = folder.path().join("forecourt.toml");
    let variables = [("FORECOURT_LISTEN", everywhere.as_str()), ("FORECOURT_CONFIG", config.to_str().unwrap())];
    let health = |arguments: &[&str]| command(folder.path(), arguments, &variables);
    soon("a healthy service", async || health(&["health"]).status.success()).await;
    soon("a ready service", async || health(&["health", "--ready"]).status.success()).await;
    let said = text(&health(&["health", "--ready"]).stdout);
    assert_eq!(said, format!("the service at http://{} is ready (postgres ok)\n", program.address));

    program.signal(Signal::TERM);
    program.ended();
    let gone = health(&["health"]);
    assert_eq!((gone.status.code(), text(&gone.stderr).lines().count()), (Some(1), 1), "{}", text(&gone.stderr));
}
