//! `forecourt health`: does a running service answer, and can it store deliveries?
//!
//! For health checks of containers, which have no `curl`. So it reads of the configuration only where the service
//! listens, and needs neither its secrets nor a configuration that is good in all else.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use clap::Args;
use serde_json::Value;
use thiserror::Error;

use crate::config::Environment;

use super::client;
use super::command_result::{CommandError, CommandResult};

/// What is asked, and whom.
#[derive(Debug, Default, Args)]
pub(super) struct Arguments {
    /// Ask whether deliveries can be stored (/readyz), and not only whether the process answers (/livez)
    #[arg(long)]
    ready: bool,
    /// Where the service is [default: where it listens, by `FORECOURT_LISTEN` or the configuration]
    #[arg(long)]
    url: Option<String>,
}

/// Less than a health check of a container waits (`Dockerfile`), so that the reason is told in time.
const TIMEOUT: Duration = Duration::from_secs(3);

/// Why a service is not well.
#[derive(Debug, Error)]
enum HealthError {
    #[error("no service answers at {url} within {} s", TIMEOUT.as_secs())]
    Unreachable { url: String, source: Box<ureq::Error> },
    #[error("the service at {url} can store no deliveries now ({parts}): look at its log")]
    NotReady { url: String, parts: String },
    #[error("what answers at {url} is not a forecourt service (status {status}): name another address with `--url`")]
    NotForecourt { url: String, status: u16 },
}

/// Asks the service, and says in a sentence how it is.
pub(super) fn run(
    arguments: &Arguments,
    config: Option<&Path>,
    environment: &Environment,
    out: &mut dyn Write,
) -> CommandResult {
    let url = match &arguments.url {
        Some(url) if url.starts_with("http://") || url.starts_with("https://") => url.trim_end_matches('/').to_owned(),
        Some(url) => {
            let message = format!("`{url}` is not the address of a service: write one such as `http://127.0.0.1:8080`");
            return Err(CommandError::Usage(message).into());
        }
        None => client::listening_at(config, environment)?
            .ok_or("the service listens on a port that the system chooses: name its address with `--url`")?,
    };
    let path = if arguments.ready { "readyz" } else { "livez" };
    let unreachable = |source| HealthError::Unreachable { url: url.clone(), source: Box::new(source) };
    let mut response = client::agent(TIMEOUT).get(format!("{url}/{path}")).call().map_err(unreachable)?;
    let status = response.status().as_u16();
    let body = response.body_mut().read_to_vec().map_err(unreachable)?;
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    match (status, body.get("status").and_then(Value::as_str)) {
        (200, Some("ok")) if arguments.ready => writeln!(out, "the service at {url} is ready ({})", parts(&body))?,
        (200, Some("ok")) => writeln!(out, "the service at {url} is alive")?,
        (503, Some(_)) => return Err(HealthError::NotReady { parts: parts(&body), url }.into()),
        (status, _) => return Err(HealthError::NotForecourt { url, status }.into()),
    }
    Ok(())
}

/// The state of each part, as `/readyz` tells it.
fn parts(body: &Value) -> String {
    let parts = body.get("parts").and_then(Value::as_object).into_iter().flatten();
    let told: Vec<String> =
        parts.map(|(part, state)| format!("{part} {}", state.as_str().unwrap_or("unknown"))).collect();
    told.join(", ")
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};
    use std::net::TcpListener;

    use super::*;
    use crate::cli::command_result::{exit_status, with_causes};

    /// Answers one request and gives its first line.
    fn answering(answer: &'static str) -> (String, std::thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let asked = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut head = [0; 4096];
            let length = stream.read(&mut head).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
            String::from_utf8_lossy(&head[..length]).lines().next().unwrap_or_default().to_owned()
        });
        (address, asked)
    }

    fn health(
        arguments: &Arguments,
        config: Option<&Path>,
        variables: &[(&str, &str)],
    ) -> Result<String, (u8, String)> {
        let mut out = Vec::new();
        run(arguments, config, &Environment::of(variables.iter().copied()), &mut out)
            .map(|()| String::from_utf8(out).unwrap())
            .map_err(|error| (exit_status(error.as_ref()), with_causes(error.as_ref())))
    }

    const ALIVE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 15\r\nConnection: close\r\n\r\n{\"status\":\"ok\"}";

    #[test]
    fn it_asks_where_the_service_listens_and_says_how_it_is() {
        let (address, asked) = answering(ALIVE);
        let port = address.rsplit_once(':').unwrap().1;
        let everywhere = format!("0.0.0.0:{port}");
        let said = health(&Arguments::default(), None, &[("FORECOURT_LISTEN", &everywhere)]).unwrap();
        assert_eq!(said, format!("the service at http://{address} is alive\n"));
        assert_eq!(asked.join().unwrap(), "GET /livez HTTP/1.1");
    }

    #[test]
    fn of_the_configuration_it_needs_the_address_only() {
        let (address, asked) = answering(ALIVE);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("forecourt.toml");
        let credential = "[[credentials]]\nname = \"a\"\nscheme = \"bearer\"\nsecret_env = \"NOT_SET\"\n";
        std::fs::write(&path, format!("[server]\nlisten = \"{address}\"\nunknown = 1\n{credential}")).unwrap();
        assert!(health(&Arguments::default(), Some(&path), &[]).unwrap().contains("is alive"));
        asked.join().unwrap();

        std::fs::write(&path, "[server]\nlisten = 8080\n").unwrap();
        let (status, said) = health(&Arguments::default(), Some(&path), &[]).unwrap_err();
        assert_eq!((status, said.lines().count()), (78, 1), "{said}");
        let (status, said) = health(&Arguments::default(), Some(Path::new("/no/such.toml")), &[]).unwrap_err();
        assert_eq!(status, 78, "{said}");
        let (status, said) = health(&Arguments::default(), None, &[("FORECOURT_LISTEN", "127.0.0.1:0")]).unwrap_err();
        assert_eq!((status, said.contains("--url")), (1, true), "{said}");
    }

    #[test]
    fn who_is_not_ready_says_which_part() {
        let body = r#"{"parts":{"postgres":"unavailable","spool":"unavailable"},"status":"unavailable"}"#;
        let answer = format!("HTTP/1.1 503 Unavailable\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let (address, asked) = answering(answer.leak());
        let url = format!("http://{address}");
        let arguments = Arguments { ready: true, url: Some(url.clone()) };
        let (status, said) = health(&arguments, None, &[]).unwrap_err();
        assert_eq!(asked.join().unwrap(), "GET /readyz HTTP/1.1");
        assert_eq!(
            (status, said),
            (
                1,
                format!(
                    "the service at {url} can store no deliveries now (postgres unavailable, spool unavailable): look at its log"
                )
            )
        );
    }

    #[test]
    fn who_does_not_answer_or_is_somebody_else_is_not_well() {
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let arguments = Arguments { ready: false, url: Some(format!("http://{nobody}")) };
        let (status, said) = health(&arguments, None, &[]).unwrap_err();
        assert_eq!((status, said.lines().count()), (1, 1), "{said}");
        assert!(said.starts_with(&format!("no service answers at http://{nobody} within 3 s: ")), "{said}");

        let (address, asked) = answering("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
        let arguments = Arguments { ready: false, url: Some(format!("http://{address}/")) };
        let (status, said) = health(&arguments, None, &[]).unwrap_err();
        assert_eq!((status, said.contains("is not a forecourt service (status 200)")), (1, true), "{said}");
        asked.join().unwrap();

        let arguments = Arguments { ready: false, url: Some("localhost".to_owned()) };
        assert_eq!(health(&arguments, None, &[]).unwrap_err().0, 2);
    }
}
