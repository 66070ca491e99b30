//! The commands, one file each.
//!
//! `forecourt` without a command is `forecourt serve`. The exit status is 0; 1 with what is wrong in one sentence on
//! standard error; 2 where the command line cannot be used; 78 where the configuration cannot, with one line for each
//! problem.

mod access;
mod acted_by;
mod admin;
mod app;
mod banner;
mod check;
mod client;
mod command_result;
mod distribute;
mod erase;
mod export;
mod fd_limit;
mod grant;
mod health;
mod interruption;
mod log;
mod migrate;
mod openapi;
mod postgres;
mod progress;
mod readiness;
mod reload;
mod replay;
mod retention;
mod secret;
mod seen;
mod send;
pub mod serve;
mod service;
mod setup;
mod shutdown;
mod silence;
mod supervisor;
mod tables;

use std::ffi::OsString;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{self, Environment};
use crate::intake::clock;
use command_result::{CommandError, CommandResult, exit_status, with_causes};
use interruption::Interruption;

/// Receives Dealer Studio's webhooks and keeps people, bookings and listings in Postgres tables.
#[derive(Debug, Parser)]
#[command(name = "forecourt", version, after_help = EXIT_STATUS)]
struct CommandLine {
    /// The configuration file [default: that of `FORECOURT_CONFIG`, else forecourt.toml in the working directory, else
    /// /etc/forecourt/forecourt.toml, else the demo configuration]
    #[arg(long, global = true, value_name = "PATH")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

/// What `help` says of how commands end, for those who call them from a script or a supervisor.
const EXIT_STATUS: &str = "\
Exit status:
  0   it is done
  1   it is not, and a sentence on standard error says why; also where Ctrl-C ended `send`, `replay`, `migrate` or
      `retention` between two deliveries, migrations or batches, where `check` found something wrong that stops no start,
      where `migrate --check` found something to apply, and where the service that `health` asks is not well
  2   the command line cannot be used
  78  the configuration cannot be used: a line for each problem; to start again mends nothing";

#[derive(Debug, Subcommand)]
enum Command {
    /// Receive deliveries until told to stop (the default)
    Serve,
    /// Say whether the configuration is good, without starting
    Check(check::Arguments),
    /// Post payloads to a running service and print each reply in a line
    Send(Box<send::Arguments>),
    /// Say what to enter at each sender, and whether what was entered works
    Setup(Box<setup::Arguments>),
    /// Put stored deliveries, or refused requests, through the same path again
    Replay(Box<replay::Arguments>),
    /// Remove a person everywhere, and everything that comes later and was received before
    Erase(Box<erase::Arguments>),
    /// Print all that is known of a person as JSON
    Export(export::Arguments),
    /// Bring the tables to this version, as each start does, or say what that would take
    Migrate(migrate::Arguments),
    /// Let go what is older than the configuration keeps it, as the service does once a day, or say what that would be
    Retention(retention::Arguments),
    /// Give a role of the database what it may read, or what the service needs
    Grant(grant::Arguments),
    /// Spread the tables over several servers, where the database has the extension Citus
    Distribute(distribute::Arguments),
    /// Make a good secret for a credential
    Secret,
    /// Print the doors, their payloads and replies as a document of `OpenAPI` 3.1
    Openapi,
    /// Ask a running service whether it answers, as health checks of containers do
    Health(health::Arguments),
}

/// Runs the command that the process was started with.
#[must_use]
pub fn main() -> ExitCode {
    match run(std::env::args_os(), &Environment::of_process(), &mut io::stdout().lock()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to be told when standard error is closed.
            let _ = writeln!(io::stderr(), "{}", with_causes(error.as_ref()));
            exit_status(error.as_ref()).into()
        }
    }
}

fn run(arguments: impl IntoIterator<Item = OsString>, environment: &Environment, out: &mut dyn Write) -> CommandResult {
    let line = match CommandLine::try_parse_from(arguments) {
        Ok(line) => line,
        Err(error) if error.use_stderr() => return Err(CommandError::Usage(sentence(&error)).into()),
        Err(help) => return Ok(write!(out, "{}", help.render())?),
    };
    let load = || config::load(line.config.as_deref(), environment);
    match line.command.unwrap_or(Command::Serve) {
        Command::Serve => {
            // Before there are threads.
            let held = supervisor::held_sockets()?;
            let runtime = tokio::runtime::Runtime::new()?;
            let signals = {
                let _inside = runtime.enter();
                // Before anything that takes its time.
                shutdown::Signals::listen()?
            };
            let config = config::load(line.config.as_deref(), environment)?;
            runtime.block_on(serve::run(
                config,
                line.config.as_deref(),
                environment,
                serve::Field { held, signals },
                out,
            ))
        }
        Command::Check(arguments) => {
            let config = config::load(line.config.as_deref(), environment)?;
            check::run(&arguments, &config, environment, clock::now(), out)
        }
        Command::Replay(arguments) => {
            let (config, stop) = (config::load(line.config.as_deref(), environment)?, Interruption::listen());
            tokio::runtime::Runtime::new()?.block_on(replay::run(&arguments, config, environment, &stop, out))
        }
        Command::Erase(arguments) => {
            let config = config::load(line.config.as_deref(), environment)?;
            tokio::runtime::Runtime::new()?.block_on(erase::run(&arguments, config, environment, out))
        }
        Command::Export(arguments) => {
            let config = config::load(line.config.as_deref(), environment)?;
            tokio::runtime::Runtime::new()?.block_on(export::run(&arguments, config, environment, out))
        }
        Command::Migrate(arguments) => {
            let (config, stop) = (config::load(line.config.as_deref(), environment)?, Interruption::listen());
            tokio::runtime::Runtime::new()?.block_on(migrate::run(&arguments, config, environment, &stop, out))
        }
        Command::Retention(arguments) => retention::run(&arguments, line.config.as_deref(), environment, out),
        Command::Grant(arguments) => block_on(grant::run(&arguments, load()?, environment, out)),
        Command::Distribute(arguments) => block_on(distribute::run(&arguments, load()?, environment, out)),
        Command::Setup(arguments) => {
            let config = config::load(line.config.as_deref(), environment)?;
            setup::run(&arguments, &config, environment, out)
        }
        Command::Secret => secret::run(out),
        Command::Openapi => openapi::run(out),
        Command::Health(arguments) => health::run(&arguments, line.config.as_deref(), environment, out),
        Command::Send(arguments) => {
            Ok(send::run(&arguments, line.config.as_deref(), environment, &Interruption::listen(), out)?)
        }
    }
}

fn block_on(work: impl Future<Output = CommandResult>) -> CommandResult {
    tokio::runtime::Runtime::new()?.block_on(work)
}

/// What clap says over several lines, as one sentence.
fn sentence(error: &clap::Error) -> String {
    let text = error.render().to_string();
    let first = text.split("\n\n").next().unwrap_or_default();
    let words: Vec<&str> = first.trim_start_matches("error:").split_whitespace().collect();
    format!("{}; `forecourt help` shows what there is", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_with(arguments: &[&str], variables: &[(&str, &str)]) -> Result<String, String> {
        let mut out = Vec::new();
        let arguments = std::iter::once("forecourt").chain(arguments.iter().copied()).map(OsString::from);
        run(arguments, &Environment::of(variables.iter().copied()), &mut out)
            .map(|()| String::from_utf8(out).unwrap())
            .map_err(|error| with_causes(error.as_ref()))
    }

    /// The status that the command ends with.
    fn status_of(arguments: &[&str], variables: &[(&str, &str)]) -> u8 {
        let arguments = std::iter::once("forecourt").chain(arguments.iter().copied()).map(OsString::from);
        match run(arguments, &Environment::of(variables.iter().copied()), &mut Vec::new()) {
            Ok(()) => 0,
            Err(error) => exit_status(error.as_ref()),
        }
    }

    #[test]
    fn the_exit_status_tells_wrong_usage_and_an_unusable_configuration_from_the_rest() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_str().unwrap();
        let bad = folder.path().join("bad.toml");
        std::fs::write(&bad, "[server]\nhold_seconds = 0\n").unwrap();
        let (bad, missing) = (bad.to_str().unwrap(), ("FORECOURT_CONFIG", "/no/such/forecourt.toml"));
        for (arguments, status) in
            [(&["--version"][..], 0), (&["sevre"], 2), (&["replay"], 2), (&["health", "--url", "x"], 2)]
        {
            assert_eq!(status_of(arguments, &[("FORECOURT_DATA_DIR", home)]), status, "{arguments:?}");
        }
        for command in
            [&["serve"][..], &[], &["check"], &["replay", "--all"], &["send", "--credential", "a"], &["health"]]
        {
            assert_eq!(status_of(command, &[missing]), 78, "{command:?}, a file that is named and not there");
        }
        for command in [&["serve"][..], &["check"], &["replay", "--all"], &["send", "--credential", "a"]] {
            assert_eq!(status_of(&[command, &["--config", bad]].concat(), &[]), 78, "{command:?}");
        }
        assert_eq!(status_of(&["check"], &[("FORECOURT_DATA_DIR", home), ("DATABASE_URL", "mysql://db")]), 78);
        assert_eq!(status_of(&["send", "/no/such/folder"], &[("FORECOURT_DATA_DIR", home)]), 1);
    }

    #[test]
    fn the_command_line_is_well_formed() {
        use clap::CommandFactory as _;
        CommandLine::command().debug_assert();
    }

    #[test]
    fn help_and_version_end_well() {
        let help = run_with(&["help"], &[]).unwrap();
        assert!(
            [
                "serve",
                "check",
                "send",
                "setup",
                "replay",
                "migrate",
                "grant",
                "secret",
                "health",
                "--config",
                "Exit status:",
                "  78  "
            ]
            .iter()
            .all(|word| help.contains(word)),
            "{help}"
        );
        assert!(run_with(&["--help"], &[]).unwrap().contains("Usage"));
        assert!(run_with(&["--version"], &[]).unwrap().starts_with("forecourt "));
        assert!(run_with(&["help", "send"], &[]).unwrap().contains("--repeat"));
    }

    #[test]
    fn a_secret_is_made_without_a_configuration() {
        assert_eq!(run_with(&["secret"], &[("FORECOURT_CONFIG", "/no/such.toml")]).unwrap().trim_end().len(), 43);
    }

    #[test]
    fn a_wrong_command_line_is_answered_with_one_sentence() {
        let unknown = run_with(&["sevre"], &[]).unwrap_err();
        assert!(unknown.starts_with("unrecognized subcommand 'sevre'"), "{unknown}");
        for arguments in [&["sevre"][..], &["--confg", "x"], &["send", "--feed", "x"], &["send", "--repeat", "0"]] {
            assert_eq!(run_with(arguments, &[]).unwrap_err().lines().count(), 1, "{arguments:?}");
        }
    }

    #[test]
    fn a_bad_configuration_ends_check_and_serve_with_one_line_for_each_problem() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bad.toml");
        std::fs::write(&path, "[server]\nlisten = 1\nhold_seconds = 0\n").unwrap();
        let path = path.to_str().unwrap();
        for arguments in [&["check", "--config", path][..], &["--config", path, "check"], &["--config", path]] {
            let problems = run_with(arguments, &[("HOME", "/home/ada")]).unwrap_err();
            assert_eq!(problems.lines().count(), 4, "{problems}");
            assert!(problems.lines().all(|line| line.starts_with(path)), "{problems}");
        }
    }
}
