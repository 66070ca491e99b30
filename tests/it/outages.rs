//! The program itself through outages: started without Postgres, killed with a full spool, stopped in the midst of it.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::postgres::TestDatabase;
use crate::support::{CONFIG, TOKEN, own_cluster};

/// The tests' configuration, with the spool and the hold as they are by default but for shorter times.
fn config() -> String {
    CONFIG
        .replace("hold_seconds = 20", "hold_seconds = 20\ndeadline_ms = 500\nstop_seconds = 4")
        .replace("[spool]\nmax_bytes = 0", "")
}

fn lead(id: i64) -> Vec<u8> {
    let lead = json!({
        "id": id, "created": "2025-10-03T06:10:08Z", "dealership": {"id": 356},
        "prospect": {"first_name": "Ada", "email": format!("ada{id}@example.com")},
    });
    lead.to_string().into_bytes()
}

/// The program with its log; it is killed with the test.
struct Program {
    child: Child,
    address: SocketAddr,
    log: mpsc::Receiver<String>,
    seen: Vec<String>,
}

impl Program {
    /// Starts it; it need not come as far as listening.
    fn start(database: &str, folder: &Path) -> Self {
        let path = folder.join("forecourt.toml");
        std::fs::write(&path, config()).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_forecourt"))
            .env_clear()
            .env("DATABASE_URL", database)
            .env("FORECOURT_CONFIG", path)
            .env("FORECOURT_DATA_DIR", folder)
            .env("FORECOURT_LISTEN", "127.0.0.1:0")
            .env("TOKEN", TOKEN)
            .env("NO_COLOR", "1")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let (sender, log) = mpsc::channel();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, address: ([127, 0, 0, 1], 0).into(), log, seen: Vec::new() }
    }

    fn listening(mut self) -> Self {
        let line = self.wait_for("listening address=");
        let address = line.split("address=").nth(1).unwrap().split_whitespace().next().unwrap();
        self.address = address.parse().unwrap();
        self
    }

    /// The first line from now on that holds a text.
    fn wait_for(&mut self, text: &str) -> String {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let line = self.log.recv_timeout(end.saturating_duration_since(Instant::now()));
            let line = line.unwrap_or_else(|_| panic!("{text} never came: {:#?}", self.seen));
            self.seen.push(line.clone());
            if line.contains(text) {
                return line;
            }
        }
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        answer(self.address, format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").into_bytes())
            .await
    }

    async fn post(&self, body: &[u8]) -> (u16, Value) {
        post(self.address, body).await
    }

    fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        assert!(Command::new("/bin/sh").args(["-c", &kill]).status().unwrap().success());
    }

    async fn ended(&mut self) -> ExitStatus {
        let end = Instant::now() + Duration::from_secs(20);
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "it did not end");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _it_may_have_ended = self.child.kill();
        self.child.wait().unwrap();
    }
}

async fn post(address: SocketAddr, body: &[u8]) -> (u16, Value) {
    let head = format!(
        "POST /webhooks/dealer-studio/leads HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\
         Authorization: Bearer {TOKEN}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    answer(address, [head.as_bytes(), body].concat()).await
}

async fn answer(address: SocketAddr, request: Vec<u8>) -> (u16, Value) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&request).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let status = answer.split(' ').nth(1).map_or(0, |status| status.parse().unwrap());
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, serde_json::from_str(body).unwrap_or(Value::Null))
}

async fn count(database: &TestDatabase, from: &str) -> i64 {
    database.value(&format!("select count(*) from {from}")).await
}

#[tokio::test]
async fn a_start_without_postgres_takes_deliveries_and_applies_them_when_it_is_there() {
    let mut cluster = own_cluster().await;
    let database = cluster.database().await;
    cluster.stop().await;
    let folder = tempfile::tempdir().unwrap();
    let mut program = Program::start(&database.url(), folder.path()).listening();
    program.wait_for("postgres is away");
    let (status, reply) = program.post(&lead(1)).await;
    assert_eq!((status, &reply["outcome"]), (200, &json!("spooled")));
    let (status, ready) = program.get("/readyz").await;
    assert_eq!((status, &ready["parts"]), (200, &json!({"postgres": "unavailable", "spool": "ok"})));
    assert_eq!(ready["spool"]["deliveries"], 1);
    program.wait_for("the spool is in use");

    // Killed, and started again in the same outage: what was answered is still there.
    program.signal("KILL");
    program.ended().await;
    let mut program = Program::start(&database.url(), folder.path()).listening();
    let (_, reply) = program.post(&lead(2)).await;
    assert_eq!(reply["outcome"], "spooled");
    assert_eq!(program.get("/readyz").await.1["spool"]["deliveries"], 2);

    cluster.start().await;
    program.wait_for("the spool is empty again");
    assert_eq!(count(&database, "intake.deliveries where outcome = 'applied' and attempts = 1").await, 2);
    let (_, reply) = program.post(&lead(3)).await;
    assert_eq!(reply["outcome"], "applied");
    let ready = program.get("/readyz").await.1;
    assert_eq!(ready["parts"], json!({"postgres": "ok", "spool": "ok"}));
    assert_eq!(ready["spool"], json!({"deliveries": 0, "bytes": 0, "oldest_seconds": 0}));
    program.signal("TERM");
    assert_eq!(program.ended().await.code(), Some(0));
}

#[tokio::test]
async fn a_stop_in_an_outage_answers_what_is_under_way_keeps_the_spool_and_ends_well() {
    let cluster = own_cluster().await;
    let database = cluster.database().await;
    let folder = tempfile::tempdir().unwrap();
    let mut program = Program::start(&database.url(), folder.path()).listening();
    program.wait_for("postgres is ready");
    assert_eq!(program.post(&lead(1)).await.1["outcome"], "applied");
    let pid = cluster.server().pid();
    let signal = |name: &str| {
        let kill = format!("kill -{name} {pid} $(ps -o pid= --ppid {pid})");
        assert!(Command::new("/bin/sh").args(["-c", &kill]).status().unwrap().success());
    };
    signal("STOP");
    let address = program.address;
    let under_way = tokio::spawn(async move { post(address, &lead(2)).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let began = Instant::now();
    program.signal("TERM");
    let (status, reply) = under_way.await.unwrap();
    assert_eq!((status, &reply["outcome"]), (200, &json!("spooled")));
    assert_eq!(program.ended().await.code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());

    signal("CONT");
    let mut program = Program::start(&database.url(), folder.path()).listening();
    program.wait_for("the spool is empty again");
    let id = reply["delivery_id"].as_str().unwrap();
    assert_eq!(count(&database, &format!("intake.deliveries where id = '{id}' and outcome = 'applied'")).await, 1);
    assert_eq!(count(&database, "leads").await, 2);
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever_for_what_nobody_can_take() {
    let mut cluster = own_cluster().await;
    let database = cluster.database().await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("spool"), "in the way").unwrap();
    cluster.stop().await;
    let mut program = Program::start(&database.url(), folder.path()).listening();
    let address = program.address;
    let held = tokio::spawn(async move { post(address, &lead(2)).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!held.is_finished());
    let began = Instant::now();
    program.signal("TERM");
    assert_eq!(program.ended().await.code(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}", began.elapsed());
    assert_ne!(held.await.map_or(0, |(status, _)| status), 200, "nothing took it");
}

#[tokio::test]
async fn what_no_waiting_mends_ends_the_start_with_one_sentence() {
    let cluster = own_cluster().await;
    let database = cluster.database().await;
    let unknown = database.url().replace("/forecourt?", "/no_such_database?");
    database
        .execute(
            "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
        values (9999, 'from the future', true, '', 0)",
        )
        .await;
    for (url, said) in [(unknown, "no_such_database"), (database.url(), "run the newer version")] {
        let folder = tempfile::tempdir().unwrap();
        let mut program = Program::start(&url, folder.path());
        assert_eq!(program.ended().await.code(), Some(1));
        let line = program.wait_for(said);
        assert!(!line.contains(" INFO ") && !line.contains(" WARN "), "{line}");
    }
}
