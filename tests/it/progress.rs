//! Long work shows how far it is, and can be stopped between two deliveries.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use crate::support::{CONFIG, PATIENCE, Program, SECRETS, database, left_out, soon};

/// A folder with so many leads, of which each is another one's.
fn leads(count: usize) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for id in 1..=count {
        let lead = format!(
            "{{\"id\":{id},\"created\":\"2025-10-03T06:10:08Z\",\"dealership\":{{\"id\":356}},\"prospect\":{{\"first_name\":\
             \"Ada\",\"email\":\"ada{id}@example.com\"}}}}"
        );
        std::fs::write(folder.path().join(format!("{id:03}.json")), lead).unwrap();
    }
    folder
}

fn forecourt(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forecourt"));
    command.args(arguments).env_clear().env("TOKEN", "a-token-of-the-tests");
    command
}

/// A server that answers a delivery when it is let, or at once.
struct Slow {
    url: String,
    taken: Arc<AtomicUsize>,
    let_go: mpsc::Sender<()>,
}

impl Slow {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (taken, (let_go, allowed)) = (Arc::new(AtomicUsize::new(0)), mpsc::channel::<()>());
        let counted = Arc::clone(&taken);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                read_request(&stream);
                counted.fetch_add(1, Ordering::SeqCst);
                if allowed.recv().is_err() {
                    return;
                }
                let reply = "{\"outcome\":\"applied\"}";
                let length = reply.len();
                let head = format!("HTTP/1.1 200 X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{reply}");
                let _gone = (&stream).write_all(head.as_bytes());
            }
        });
        Self { url, taken, let_go }
    }

    fn wait_for(&self, count: usize) {
        let end = std::time::Instant::now() + PATIENCE;
        while self.taken.load(Ordering::SeqCst) < count {
            assert!(std::time::Instant::now() < end, "{count} deliveries never came");
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}

fn read_request(stream: &TcpStream) {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        reader.read_line(&mut head).unwrap();
    }
    let head = head.to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    reader.read_exact(&mut vec![0; length.parse().unwrap()]).unwrap();
}

#[test]
fn sending_a_folder_that_is_interrupted_ends_between_two_deliveries_and_says_what_is_left() {
    let (folder, server) = (leads(5), Slow::start());
    let path = folder.path().to_str().unwrap();
    let mut command = forecourt(&["send", path, "--bearer-env", "TOKEN", "--url", &server.url]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    server.wait_for(1);
    server.let_go.send(()).unwrap();
    server.wait_for(2);
    rustix::process::kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    // Long enough for the signal to be heard; the answer that is waited for is not cut off.
    std::thread::sleep(std::time::Duration::from_millis(500));
    server.let_go.send(()).unwrap();
    let ended = child.wait_with_output().unwrap();
    let (out, err) = (String::from_utf8(ended.stdout).unwrap(), String::from_utf8(ended.stderr).unwrap());
    assert_eq!(out.lines().count(), 2, "{out}");
    assert_eq!(ended.status.code(), Some(1));
    let next = folder.path().join("003.json");
    assert_eq!(err, format!("stopped after 2 deliveries: 3 are left, of which `{}` is the next\n", next.display()));
    assert_eq!(server.taken.load(Ordering::SeqCst), 2, "nothing was sent after that");
}

#[test]
fn who_interrupts_twice_does_not_wait_for_the_answer() {
    let (folder, server) = (leads(2), Slow::start());
    let path = folder.path().to_str().unwrap();
    let mut command = forecourt(&["send", path, "--bearer-env", "TOKEN", "--url", &server.url]);
    let child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    server.wait_for(1);
    for _ in 0..2 {
        rustix::process::kill_process(Pid::from_child(&child), Signal::INT).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(500));
    }
    let ended = child.wait_with_output().unwrap();
    let err = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(1));
    assert_eq!(err, "stopped at once: whether what was under way is done is not known\n");
}

#[test]
fn on_a_terminal_a_bar_shows_count_rate_and_time_left_and_elsewhere_there_is_none() {
    let script = Path::new("/usr/bin/script");
    if !script.exists() {
        left_out("there is no `script` to make a terminal with");
        return;
    }
    let (folder, server) = (leads(3), Slow::start());
    let program = env!("CARGO_BIN_EXE_forecourt");
    let path = folder.path().display();
    let send = format!("'{program}' send '{path}' --bearer-env TOKEN --url {}", server.url);
    let typescript: PathBuf = folder.path().join("typescript");
    let mut command = Command::new(script);
    command
        .args(["-qec", &send])
        .arg(&typescript)
        .env_clear()
        .env("TERM", "xterm")
        .env("TOKEN", "a-token-of-the-tests");
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    for count in 1..=3 {
        server.wait_for(count);
        // Longer than until the bar is drawn anew.
        std::thread::sleep(std::time::Duration::from_millis(600));
        server.let_go.send(()).unwrap();
    }
    let shown = String::from_utf8_lossy(&child.wait_with_output().unwrap().stdout).into_owned();
    assert!(shown.contains("2 of 3") && shown.contains("/s") && shown.contains("left"), "{shown:?}");
    let replies = shown.matches("200 applied").count();
    assert_eq!(replies, 3, "{shown:?}");

    let server = Slow::start();
    (0..3).for_each(|_| server.let_go.send(()).unwrap());
    let path = folder.path().to_str().unwrap();
    let mut command = forecourt(&["send", path, "--bearer-env", "TOKEN", "--url", &server.url]);
    let ended = command.env("TERM", "xterm").output().unwrap();
    assert_eq!(String::from_utf8(ended.stderr).unwrap(), "");
    assert_eq!(String::from_utf8(ended.stdout).unwrap().lines().count(), 3);
}

/// The second of these tests waits for a line that comes after ten seconds.
#[test]
fn where_there_is_no_terminal_a_line_tells_now_and_then() {
    let (folder, server) = (leads(2), Slow::start());
    let path = folder.path().to_str().unwrap();
    let mut command = forecourt(&["send", path, "--bearer-env", "TOKEN", "--url", &server.url]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    server.let_go.send(()).unwrap();
    let mut line = String::new();
    BufReader::new(child.stderr.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("sent 1 of 2, ") && line.ends_with(" left\n"), "{line}");
    server.let_go.send(()).unwrap();
    assert!(child.wait().unwrap().success());
}

#[tokio::test]
async fn a_start_that_waits_for_its_tables_says_so_in_the_log() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let mut holder = database.pool.begin().await.unwrap();
    sqlx::raw_sql("lock table _sqlx_migrations in access exclusive mode").execute(&mut *holder).await.unwrap();
    let mut program = Program::start(&database.url(), folder.path(), CONFIG);
    let line = tokio::task::spawn_blocking(move || (program.wait_for("looking at the tables, for "), program));
    let (line, mut program) = line.await.unwrap();
    assert!(line.contains(" INFO "), "{line}");
    holder.rollback().await.unwrap();
    program.wait_for("postgres is ready");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replay_that_is_interrupted_ends_between_two_deliveries_and_says_what_is_left() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let url = database.url();
    let mut program = Program::start(&url, folder.path(), CONFIG);
    program.wait_for("postgres is ready");
    for id in 1..=3 {
        let lead = format!(
            "{{\"id\":{id},\"created\":\"2025-10-03T06:10:08Z\",\"dealership\":{{\"id\":356}},\"prospect\":{{\"first_name\":\
             \"Ada\",\"email\":\"ada{id}@example.com\"}}}}"
        );
        assert!(program.post_lead("", lead.as_bytes()).await.contains("applied"));
    }
    program.signal(Signal::TERM);
    program.ended();
    // Whoever replays waits for the workspace, so that there is time for a signal.
    let mut holder = database.pool.begin().await.unwrap();
    let waits =
        "select exists (select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database())";
    sqlx::raw_sql("lock table intake.finding_codes in access exclusive mode").execute(&mut *holder).await.unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_forecourt"));
    command.env_clear().envs(SECRETS).env("FORECOURT_CONFIG", folder.path().join("forecourt.toml"));
    command.env("FORECOURT_DATA_DIR", folder.path()).env("DATABASE_URL", &url).args(["replay", "--all"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    soon("it waits", async || database.value::<bool>(waits).await).await;
    rustix::process::kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    holder.rollback().await.unwrap();
    let ended = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap()).await.unwrap();
    let err = String::from_utf8(ended.stderr).unwrap();
    assert_eq!((ended.status.code(), err.as_str()), (Some(1), "stopped after 0 deliveries: 3 are left\n"));
}
