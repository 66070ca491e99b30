//! What the log tells, and in which form.

use super::environment::Environment;
use super::report::{Report, suggestion};

/// How the log is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Log {
    /// Which lines are written, in the syntax of `RUST_LOG`; `info` by default.
    pub filter: String,
    /// The form of a line.
    pub format: LogFormat,
}

/// The form of a line of the log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object to a line, for programs that gather logs.
    Json,
}

const FORMAT: &str = "FORECOURT_LOG_FORMAT";
const FILTER: &str = "RUST_LOG";

/// Reads what the environment says of the log.
pub(super) fn read(environment: &Environment, report: &mut Report) -> Log {
    let filter = environment.setting(FILTER).unwrap_or_else(|| "info".to_owned());
    if let Err(error) = tracing_subscriber::EnvFilter::try_new(&filter) {
        let message = format!("`{filter}` is not a log filter ({error}); write one such as `info,forecourt=debug`");
        report.problem_in_environment(FILTER, message);
    }
    Log { filter, format: format(environment, report) }
}

fn format(environment: &Environment, report: &mut Report) -> LogFormat {
    let Some(name) = environment.setting(FORMAT) else { return LogFormat::default() };
    match name.as_str() {
        "text" => LogFormat::Text,
        "json" => LogFormat::Json,
        unknown => {
            let near = suggestion(unknown, ["text", "json"]);
            let near = if near.is_empty() { ";" } else { &near };
            report
                .problem_in_environment(FORMAT, format!("unknown log format `{unknown}`{near} write `text` or `json`"));
            LogFormat::default()
        }
    }
}
