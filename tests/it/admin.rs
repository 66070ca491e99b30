//! The admin listener: what it serves, to whom, and that nothing of it is served at the doors.

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt as _;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tower::ServiceExt as _;

use crate::support::program::Launch;
use crate::support::{CONFIG, Program, Scrape, TestService, database, own_cluster, service, service_with, soon};

/// The tests' configuration with an admin listener at a port of the system's choice.
fn config(admin: &str) -> String {
    format!("{CONFIG}\n[admin]\n{admin}\n")
}

/// Asks for a path by a name.
async fn ask(service: &TestService, path: &str, host: &str) -> Response {
    service.admin().oneshot(Request::get(path).header("host", host).body(Body::empty()).unwrap()).await.unwrap()
}

async fn text(response: Response) -> String {
    String::from_utf8(response.into_body().collect().await.unwrap().to_bytes().to_vec()).unwrap()
}

/// What an address answers to bytes, up to the end of the connection.
async fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    // It may close before everything is sent.
    let _sent = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _closed = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

async fn get(address: SocketAddr, path: &str) -> String {
    exchange(address, format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").as_bytes()).await
}

#[tokio::test]
async fn it_serves_metrics_in_both_forms_the_doors_description_and_health() {
    let service = service().await;
    let answer = ask(&service, "/metrics", "localhost:8081").await;
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let older = text(answer).await;
    assert!(older.contains("# TYPE forecourt_deliveries_total counter\n") && !older.contains("# EOF"), "{older}");

    let accept =
        "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;q=0.5";
    let request = Request::get("/metrics").header("host", "localhost").header("accept", accept);
    let answer = service.admin().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "application/openmetrics-text; version=1.0.0; charset=utf-8");
    let newer = text(answer).await;
    assert!(newer.contains("# TYPE forecourt_deliveries counter\n") && newer.ends_with("# EOF\n"), "{newer}");
    // They write the bounds of buckets otherwise, and labels in another order.
    let name = |series: String| series.split('{').next().unwrap().to_owned();
    let series = |text: &str| Scrape::parse(text).series.into_keys().map(name).collect::<Vec<_>>();
    assert_eq!(series(&older), series(&newer));

    let openapi: Value = serde_json::from_str(&text(ask(&service, "/openapi.json", "localhost").await).await).unwrap();
    assert_eq!(openapi, forecourt::http::openapi::document());
    assert!(openapi["paths"].get("/metrics").is_none(), "it describes the doors, and not itself");
    assert_eq!(text(ask(&service, "/livez", "localhost").await).await, "{\"status\":\"ok\"}");
    let ready: Value = serde_json::from_str(&text(ask(&service, "/readyz", "localhost").await).await).unwrap();
    assert_eq!(ready, json!({"status": "ok", "parts": {"postgres": "ok"}}));

    let unknown = ask(&service, "/", "localhost").await;
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
    let told = text(unknown).await;
    assert!(
        told.contains("write `user` and `password_file`") && told.contains("/metrics"),
        "there is no console: {told}"
    );
    let unknown = ask(&service, "/nothing", "localhost").await;
    assert_eq!(unknown.status(), StatusCode::NOT_FOUND);
    assert!(text(unknown).await.contains("\"/metrics\""));
    let posted = Request::post("/metrics").header("host", "localhost").body(Body::empty()).unwrap();
    assert_eq!(service.admin().oneshot(posted).await.unwrap().status(), StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn it_answers_421_to_a_name_that_is_not_its_own_whatever_is_asked_for() {
    let service = service_with(&config("listen = \"127.0.0.1:0\"\nhosts = [\"metrics.dealer.example\"]")).await;
    for path in ["/metrics", "/openapi.json", "/livez", "/readyz", "/", "/nothing"] {
        for host in ["evil.example", "localhost.evil.example:8081", "192.0.2.7:8081", "user@localhost", ""] {
            let answer = ask(&service, path, host).await;
            assert_eq!(answer.status(), StatusCode::MISDIRECTED_REQUEST, "{path} {host}");
            let told = text(answer).await;
            assert!(told.contains("`hosts` of `[admin]`") && !told.contains("evil"), "{told}");
        }
    }
    for host in ["metrics.dealer.example", "METRICS.dealer.example:9000", "127.0.0.1:8081", "[::1]:8081"] {
        assert_eq!(ask(&service, "/livez", host).await.status(), StatusCode::OK, "{host}");
    }
    let nameless = Request::get("/metrics").body(Body::empty()).unwrap();
    assert_eq!(service.admin().oneshot(nameless).await.unwrap().status(), StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn nothing_of_it_but_health_is_served_at_the_doors() {
    let service = service_with(&config("listen = \"127.0.0.1:0\"")).await;
    for path in ["/metrics", "/openapi.json", "/metrics/", "//metrics", "/%6Detrics", "/"] {
        for host in ["localhost", "127.0.0.1:8081"] {
            let request = Request::get(path).header("host", host).body(Body::empty()).unwrap();
            assert_eq!(service.send(request).await.status, StatusCode::NOT_FOUND, "{path}");
        }
    }
    for path in ["/livez", "/readyz"] {
        let request = Request::get(path).header("host", "any.example").body(Body::empty()).unwrap();
        assert_eq!(service.send(request).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn the_program_serves_it_bounded_until_it_stops() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let mut program = Program::start(&database.url(), folder.path(), &config("listen = \"127.0.0.1:0\""));
    let admin = program.admin_address();
    assert_ne!(admin, program.address);
    program.wait_for("postgres is ready");
    assert!(get(admin, "/livez").await.ends_with("{\"status\":\"ok\"}"));
    assert!(get(program.address, "/metrics").await.starts_with("HTTP/1.1 404"));
    let metrics = get(admin, "/metrics").await;
    assert!(metrics.starts_with("HTTP/1.1 200") && metrics.contains("\nforecourt_build_info{"), "{metrics}");
    soon("a row can be written", async || get(admin, "/metrics").await.contains("\nforecourt_postgres_up 1\n")).await;

    // A head as a door would take it is too much here.
    let head = format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(20_000));
    let answer = exchange(admin, head.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 431") || answer.is_empty(), "{answer}");
    let evil = exchange(admin, b"GET /metrics HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n").await;
    assert!(evil.starts_with("HTTP/1.1 421"), "{evil}");

    // A connection that rests, as that of a Prometheus, does not hold up the stop.
    let resting = TcpStream::connect(admin).await.unwrap();
    program.signal(Signal::TERM);
    assert_eq!(program.ended().code(), Some(0));
    drop(resting);
    assert!(TcpStream::connect(admin).await.is_err());
}

#[tokio::test]
async fn it_stands_beside_a_socket_that_systemd_holds() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = config("listen = \"127.0.0.1:0\"");
    let launch = Launch {
        database: &database.url(),
        folder: folder.path(),
        config: &config,
        listen: ([127, 0, 0, 1], 1).into(),
        log: "info",
        first: "",
    };
    let program = Path::new(env!("CARGO_BIN_EXE_forecourt"));
    let mut program = Program::spawn_with(&launch, program, Some(&held)).listening();
    let admin = program.admin_address();
    assert_eq!(program.address, held.local_addr().unwrap());
    assert!(get(admin, "/metrics").await.starts_with("HTTP/1.1 200"));
    assert!(get(program.address, "/livez").await.starts_with("HTTP/1.1 200"));
    program.signal(Signal::TERM);
    assert_eq!(program.ended().code(), Some(0));
}

#[tokio::test]
async fn an_address_that_is_taken_ends_the_start_where_somebody_has_asked_for_it() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = config(&format!("listen = \"{}\"", taken.local_addr().unwrap()));
    let listen = ([127, 0, 0, 1], 0).into();
    let launch =
        Launch { database: &database.url(), folder: folder.path(), config: &config, listen, log: "info", first: "" };
    let mut program = Program::spawn(&launch);
    let line = program.wait_for("for metrics");
    assert!(line.contains("set FORECOURT_ADMIN_LISTEN to another address, or to nothing"), "{line}");
    assert_eq!(program.ended().code(), Some(1));
    drop(taken);

    // The environment has the last word: empty, there is none.
    let launch = Launch { first: "export FORECOURT_ADMIN_LISTEN=", log: "trace", ..launch };
    let mut program = Program::launch(&launch);
    program.wait_for("postgres is ready");
    program.signal(Signal::TERM);
    assert!(!program.whole_log().iter().any(|line| line.contains("metrics are served")));
}

#[tokio::test]
async fn the_demo_goes_on_without_it_where_its_address_is_taken() {
    let (cluster, folder) = (own_cluster().await, tempfile::tempdir().unwrap());
    let database = cluster.bare_database("demo").await;
    // Whoever has it, so that this test does not: another demo, or we.
    let _taken = TcpListener::bind("127.0.0.1:8081");
    let mut child = Command::new(env!("CARGO_BIN_EXE_forecourt"))
        .current_dir(folder.path())
        .env_clear()
        .env("DATABASE_URL", database.url())
        .env("FORECOURT_DATA_DIR", folder.path())
        .env("FORECOURT_LISTEN", "127.0.0.1:0")
        .env("NO_COLOR", "1")
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let log = std::io::BufReader::new(child.stderr.take().unwrap());
    let mut seen = Vec::new();
    for line in std::io::BufRead::lines(log) {
        let line = line.unwrap();
        let is_listening = line.contains("listening address=");
        seen.push(line);
        if is_listening {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let warned = seen.iter().find(|line| line.contains("no metrics and no console are served"));
    assert!(warned.is_some_and(|line| line.contains("WARN") && line.contains("127.0.0.1:8081")), "{seen:#?}");
    assert!(seen.last().unwrap().contains("listening address="), "{seen:#?}");
}

#[tokio::test]
async fn beyond_the_machine_itself_it_warns_at_the_start_and_a_change_of_it_counts_after_a_restart() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let text = config("listen = \"0.0.0.0:0\"");
    let mut program = Program::start(&database.url(), folder.path(), &text);
    let warned = program.seen.iter().find(|line| line.contains("can be reached from other machines"));
    assert!(warned.is_some_and(|line| line.contains("WARN") && line.contains("forecourt.toml")), "{:#?}", program.seen);
    program.wait_for("postgres is ready");
    let path = folder.path().join("forecourt.toml");
    let written = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, written.replace("0.0.0.0:0", "127.0.0.1:0")).unwrap();
    program.signal(Signal::HUP);
    program.wait_for("`admin` has changed: that counts after a restart");
    program.wait_for("configuration reloaded");
}
