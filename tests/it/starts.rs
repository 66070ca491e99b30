//! Starts and stops under somebody who holds the socket and is told how the service does, as systemd.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use super::support::postgres::TestDatabase;
use super::support::program::Launch;
use super::support::{CONFIG, Program, TOKEN, config_with, database};

const PROGRAM: &str = env!("CARGO_BIN_EXE_forecourt");

/// Somebody who holds a socket and hears how the service does.
struct Supervisor {
    socket: TcpListener,
    heard: UnixDatagram,
    folder: tempfile::TempDir,
    database: TestDatabase,
}

impl Supervisor {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let heard = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        heard.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        Self { socket: TcpListener::bind("127.0.0.1:0").unwrap(), heard, folder, database: database().await }
    }

    /// Starts the service, which needs not come as far as listening.
    fn start(&self, database: &str, more: &str) -> Program {
        let notify = self.folder.path().join("notify");
        let launch = Launch {
            database,
            folder: self.folder.path(),
            config: &config_with("deadline_ms = 500").replace("max_bytes = 0", "min_free_bytes = 0"),
            // Where nobody may listen: the socket that is held is to be used.
            listen: ([192, 0, 2, 1], 1).into(),
            log: "info",
            first: &format!("export NOTIFY_SOCKET='{}' {more}", notify.display()),
        };
        Program::spawn_with(&launch, Path::new(PROGRAM), Some(&self.socket))
    }

    /// The next that it is told, from a line that begins so.
    fn told(&self, begin: &str) -> Vec<String> {
        let until = Instant::now() + Duration::from_mins(1);
        loop {
            assert!(Instant::now() < until, "{begin} was never told");
            let mut message = [0; 1000];
            let length = self.heard.recv(&mut message).unwrap();
            let lines: Vec<String> = String::from_utf8_lossy(&message[..length]).lines().map(str::to_owned).collect();
            if lines.iter().any(|line| line.starts_with(begin)) {
                return lines;
            }
        }
    }

    /// Posts a lead; the answer is to be read.
    fn post(&self, id: u32) -> TcpStream {
        let (mut stream, rest) = self.post_half(id);
        stream.write_all(rest.as_bytes()).unwrap();
        stream
    }

    /// Posts a lead but for the second half of its body, which is returned.
    fn post_half(&self, id: u32) -> (TcpStream, String) {
        let body = format!(r#"{{"id":{id},"created":"2025-10-03T06:10:08Z","dealership":{{"id":356}}}}"#);
        let mut stream = TcpStream::connect(self.socket.local_addr().unwrap()).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        let head = "POST /webhooks/dealer-studio/leads HTTP/1.1\r\nHost: test\r\nConnection: close\r\n";
        let (half, rest) = body.split_at(body.len() / 2);
        write!(stream, "{head}Authorization: Bearer {TOKEN}\r\nContent-Length: {}\r\n\r\n{half}", body.len()).unwrap();
        (stream, rest.to_owned())
    }
}

fn answer(mut stream: TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_before_the_start_and_between_two_is_answered_by_whoever_starts_next() {
    let supervisor = Supervisor::new().await;
    let url = supervisor.database.url();
    let early: Vec<_> = (0..5).map(|id| supervisor.post(id)).collect();
    let mut first = supervisor.start(&url, "");
    for answered in early.into_iter().map(answer) {
        assert!(answered.starts_with("HTTP/1.1 200"), "{answered}");
    }
    supervisor.told("READY=1");
    first.signal(Signal::TERM);
    supervisor.told("STOPPING=1");
    assert_eq!(first.ended().code(), Some(0));
    let between: Vec<_> = (5..10).map(|id| supervisor.post(id)).collect();
    let mut second = supervisor.start(&url, "");
    for answered in between.into_iter().map(answer) {
        assert!(answered.starts_with("HTTP/1.1 200"), "{answered}");
    }
    second.signal(Signal::TERM);
    assert_eq!(second.ended().code(), Some(0));
    let stored: i64 = supervisor.database.value("select count(*) from intake.deliveries").await;
    assert_eq!(stored, 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_supervisor_is_told_of_the_start_each_reload_and_the_stop_and_that_the_service_works() {
    let supervisor = Supervisor::new().await;
    let mut program = supervisor.start(&supervisor.database.url(), "WATCHDOG_USEC=400000");
    supervisor.told("EXTEND_TIMEOUT_USEC=");
    let ready = supervisor.told("READY=1");
    assert!(ready.contains(&"STATUS=deliveries are applied to the tables".to_owned()), "{ready:?}");
    for _ in 0..3 {
        assert_eq!(supervisor.told("WATCHDOG="), ["WATCHDOG=1"]);
    }
    program.signal(Signal::HUP);
    let reloading = supervisor.told("RELOADING=1");
    let usec = reloading.iter().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).unwrap();
    assert!(usec.parse::<u64>().unwrap() > 0);
    assert!(supervisor.told("READY=1").contains(&"STATUS=the configuration was reloaded".to_owned()));
    std::fs::write(supervisor.folder.path().join("forecourt.toml"), "[server]\nhold_seconds = 0\n").unwrap();
    program.signal(Signal::HUP);
    supervisor.told("RELOADING=1");
    let status = "STATUS=the configuration was not reloaded: the log says why".to_owned();
    assert!(supervisor.told("READY=1").contains(&status));
    program.signal(Signal::TERM);
    supervisor.told("STOPPING=1");
    assert_eq!(program.ended().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_start_whose_postgres_is_away_is_ready_when_it_takes_deliveries() {
    let supervisor = Supervisor::new().await;
    let mut program = supervisor.start("postgres://nobody@127.0.0.1:1/none", "");
    assert!(supervisor.told("READY=1").iter().any(|line| line.starts_with("STATUS=postgres is away")));
    let answered = answer(supervisor.post(1));
    assert!(answered.contains("spooled"), "{answered}");
    program.signal(Signal::TERM);
    assert_eq!(program.ended().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_at_any_moment_of_the_start_ends_well_and_answers_what_was_taken() {
    let supervisor = Supervisor::new().await;
    let url = supervisor.database.url();
    let mut posted = Vec::new();
    for turn in 0..10 {
        posted.push(supervisor.post(turn));
        let mut program = supervisor.start(&url, "");
        std::thread::sleep(Duration::from_millis(u64::from(turn) * 15));
        program.signal(Signal::TERM);
        let ended = program.ended();
        // Before the program is one, the signal ends it or the shell; systemd counts that as a good end, too.
        let early = std::os::unix::process::ExitStatusExt::signal(&ended) == Some(15);
        assert!(ended.code() == Some(0) || (early && program.seen.is_empty()), "{turn}: {ended:?} {:#?}", program.seen);
    }
    let _last = supervisor.start(&url, "");
    for answered in posted.into_iter().map(answer) {
        assert!(answered.starts_with("HTTP/1.1 200"), "{answered}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_sigterm_changes_nothing() {
    let supervisor = Supervisor::new().await;
    let mut program = supervisor.start(&supervisor.database.url(), "").listening();
    let (mut under_way, rest) = supervisor.post_half(1);
    // The answer to a whole one shows that the half before it has been taken.
    assert!(answer(supervisor.post(2)).starts_with("HTTP/1.1 200"));
    program.signal(Signal::TERM);
    supervisor.told("STOPPING=1");
    program.signal(Signal::TERM);
    under_way.write_all(rest.as_bytes()).unwrap();
    assert!(answer(under_way).starts_with("HTTP/1.1 200"));
    assert_eq!(program.ended().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ctrl_c_after_the_first_signal_cuts_off_what_is_under_way() {
    let supervisor = Supervisor::new().await;
    let mut program = supervisor.start(&supervisor.database.url(), "").listening();
    let (under_way, _rest) = supervisor.post_half(1);
    assert!(answer(supervisor.post(2)).starts_with("HTTP/1.1 200"));
    program.signal(Signal::INT);
    supervisor.told("STOPPING=1");
    program.signal(Signal::INT);
    program.wait_for("interrupted again: requests under way are cut off");
    assert_eq!(program.ended().code(), Some(1));
    assert!(!answer(under_way).starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_socket_that_is_none_for_tcp_is_a_mistake_that_no_further_start_mends() {
    let folder = tempfile::tempdir().unwrap();
    let launch = Launch {
        database: "",
        folder: folder.path(),
        config: CONFIG,
        listen: ([127, 0, 0, 1], 0).into(),
        log: "info",
        first: "exec 3</dev/null; export LISTEN_FDS=1 LISTEN_PID=$$",
    };
    let mut program = Program::spawn(&launch);
    program.wait_for("LISTEN_FDS: a socket was passed that is none for TCP");
    assert_eq!(program.ended().code(), Some(78));
}
