//! The bound of memory: the program itself, limited by the system to `server.max_memory_bytes` and a little, under the worst
//! bodies that were found, while a lead of another workspace comes now and then.
//!
//! A few of them are sent always. `FORECOURT_TEST=long` sends all, in every encoding and eight at once, with the usual
//! deadline, and prints the table of `docs/proofs.md`; it is meant for the release build:
//! `FORECOURT_TEST=long cargo test --release --test it memory -- --nocapture`.

mod bodies;

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

use forecourt::domain::feed::Feed;
use forecourt::feeds::scan::scan;
use forecourt::feeds::weight::weight;
use futures_util::future::join_all;
use rustix::process::Pid;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::postgres::TestDatabase;
use crate::support::program::Launch;
use crate::support::{CLUSTERS, INVENTORY, LEADPRO, LEADS, OTHER_TOKEN, Program, TOKEN, database, fixtures, packed};
use bodies::Worst;

const MIB: u64 = 1 << 20;
/// What the service may take when nothing is written.
const MEMORY: u64 = 1024 * MIB;
/// And a little.
const LITTLE: u64 = 64 * MIB;

fn is_long() -> bool {
    std::env::vars_os().any(|(name, value)| name == "FORECOURT_TEST" && value == "long")
}

/// The deadline: a long one where something else is tested on a machine that does other things as well.
fn deadline() -> u64 {
    if is_long() { 2_000 } else { 25_000 }
}

fn config(deadline: u64) -> String {
    let others = (0..8).map(|number| {
        let dealership = bodies::OTHERS + number;
        format!("[[workspaces]]\nslug = \"other-{number}\"\ndealerships = [{dealership}]\n")
    });
    let others: String = others.collect();
    format!(
        r#"
[server]
deadline_ms = {deadline}
[[workspaces]]
slug = "alpha"
dealerships = [356]
[[workspaces]]
slug = "beta"
dealerships = [285]
[[credentials]]
name = "all"
scheme = "bearer"
feeds = ["lead", "lead_cluster", "inventory"]
workspaces = "all"
secret_env = "TOKEN"
[[credentials]]
name = "leadpro"
scheme = "bearer"
feeds = ["leadpro_lead"]
workspaces = ["alpha"]
secret_env = "OTHER_TOKEN"
{others}"#
    )
}

/// A group of processes that the system gives no more than so much memory; removed with it.
struct Group(PathBuf);

impl Group {
    /// Where this machine lets us make one.
    fn limited_to(bytes: u64) -> Option<Self> {
        let name = format!("forecourt-test-{}-{}", std::process::id(), Uuid::now_v7().simple());
        for (root, limit) in [("/sys/fs/cgroup/memory", "memory.limit_in_bytes"), ("/sys/fs/cgroup", "memory.max")] {
            let folder = PathBuf::from(root).join(&name);
            if fs::create_dir(&folder).is_err() {
                continue;
            }
            let group = Self(folder);
            if group.0.join(limit).exists() && fs::write(group.0.join(limit), bytes.to_string()).is_ok() {
                return Some(group);
            }
        }
        None
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Its processes have ended a moment ago.
        let end = Instant::now() + Duration::from_secs(5);
        while fs::remove_dir(&self.0).is_err() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// The program under its limit.
struct Harness {
    program: Program,
    database: TestDatabase,
    limited_by: &'static str,
    next: AtomicI64,
    _group: Option<Group>,
    _folder: tempfile::TempDir,
}

/// What became of the bodies that were sent together.
struct Figures {
    /// The outcomes of their answers and of their records.
    outcomes: Vec<(String, String)>,
    findings: Vec<String>,
    peak: u64,
    settled: Duration,
    /// The outcomes of the leads of another workspace, and the longest that one waited.
    others: Vec<String>,
    longest: Duration,
}

impl Harness {
    async fn ready(deadline: u64) -> Self {
        let database = database().await;
        let folder = tempfile::tempdir().unwrap();
        let group = Group::limited_to(MEMORY + LITTLE);
        let (limited_by, first) = match &group {
            Some(Group(folder)) => ("a control group", format!("echo $$ > {}/cgroup.procs", folder.display())),
            // Of data, and of what was reserved and is not used, too: threads have stacks.
            None => ("ulimit -d", format!("ulimit -d {}", (MEMORY + LITTLE + 512 * MIB) / 1024)),
        };
        let url = database.url();
        let config = config(deadline);
        let launch = Launch {
            database: &url,
            folder: folder.path(),
            config: &config,
            listen: ([127, 0, 0, 1], 0).into(),
            log: "warn,forecourt=debug",
            first: &first,
        };
        let mut program = Program::launch(&launch);
        program.wait_for("postgres is ready");
        Self { program, database, limited_by, next: AtomicI64::new(1), _group: group, _folder: folder }
    }

    fn pid(&self) -> i32 {
        Pid::as_raw(Some(self.program.pid()))
    }

    /// The most memory that it had since the last time, in bytes; fails where it is gone.
    fn peak(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("the program is gone");
        let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        fs::write(format!("/proc/{}/clear_refs", self.pid()), "5").unwrap();
        kib << 10
    }

    async fn post(&self, feed: &str, encoding: &str, body: &[u8]) -> Value {
        let path = match feed {
            "lead" => LEADS,
            "lead_cluster" => CLUSTERS,
            "inventory" => INVENTORY,
            "leadpro_lead" => LEADPRO,
            other => panic!("{other}"),
        };
        let token = if feed == "leadpro_lead" { OTHER_TOKEN } else { TOKEN };
        let token = format!("Bearer {token}");
        let mut headers = vec![("authorization", token.as_str())];
        if encoding != "identity" {
            headers.push(("content-encoding", encoding));
        }
        let answer = self.program.post_with(&headers, path, body.to_vec()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        answer.body
    }

    /// Sends bodies at once, and a lead of another workspace now and then until all of them are settled.
    async fn send(&self, bodies: &[(&Worst, &str, Vec<u8>)]) -> Figures {
        self.peak();
        let began = Instant::now();
        let over = AtomicBool::new(false);
        let huge = async {
            let posts = bodies.iter().map(|(worst, encoding, sent)| self.post(worst.feed, encoding, sent));
            let answers = join_all(posts).await;
            let mut outcomes = Vec::new();
            let mut findings = Vec::new();
            for answer in answers {
                let (outcome, codes) = self.settled(answer["delivery_id"].as_str().unwrap()).await;
                outcomes.push((answer["outcome"].as_str().unwrap().to_owned(), outcome));
                findings.extend(codes);
            }
            over.store(true, Ordering::Relaxed);
            (outcomes, findings, began.elapsed())
        };
        let others = async {
            let (mut outcomes, mut longest) = (Vec::new(), Duration::ZERO);
            while !over.load(Ordering::Relaxed) {
                let id = self.next.fetch_add(1, Ordering::Relaxed);
                let lead =
                    json!({"id": id, "dealership": {"id": 285}, "prospect": {"email": format!("{id}@example.com")}});
                let sent = Instant::now();
                let answer = self.post("lead", "identity", lead.to_string().as_bytes()).await;
                longest = longest.max(sent.elapsed());
                outcomes.push(answer["outcome"].as_str().unwrap().to_owned());
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            (outcomes, longest)
        };
        let ((outcomes, mut findings, settled), (others, longest)) = tokio::join!(huge, others);
        findings.sort();
        findings.dedup();
        Figures { outcomes, findings, peak: self.peak(), settled, others, longest }
    }

    /// The outcome of a delivery, and its findings' codes, once it has one.
    async fn settled(&self, id: &str) -> (String, Vec<String>) {
        let end = Instant::now() + Duration::from_mins(8);
        loop {
            let row: Option<(String, Vec<String>)> = sqlx::query_as(
                "select outcome, array(select distinct f ->> 'code' from jsonb_array_elements(findings) f)
                from intake.deliveries where id = $1",
            )
            .bind(id.parse::<Uuid>().unwrap())
            .fetch_optional(&self.database.pool)
            .await
            .unwrap();
            if let Some(row) = row {
                return row;
            }
            assert!(Instant::now() < end, "a delivery was never settled");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

/// What must hold whatever was sent.
fn hold(figures: &Figures, what: &str) {
    assert!(figures.peak <= MEMORY + LITTLE, "{what}: {} MiB", figures.peak / MIB);
    assert!(!figures.others.is_empty());
    assert!(figures.others.iter().all(|outcome| outcome == "applied"), "{what}: {:?}", figures.others);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_requests_that_took_the_service_down_are_stored_with_their_workspace_and_rejected() {
    let harness = Harness::ready(deadline()).await;
    let bodies = bodies::of_the_issue();
    let mut sent = Vec::new();
    for worst in &bodies {
        sent.push((worst, "gzip", packed("gzip", &worst.body).await));
    }
    let figures = harness.send(&sent).await;
    hold(&figures, "the three at once");
    assert!(figures.outcomes.iter().all(|(_, outcome)| outcome == "rejected"), "{:?}", figures.outcomes);
    assert_eq!(figures.findings, ["too_many_entries"]);
    let alone: i64 = sqlx::query_scalar(
        "select count(*) from intake.deliveries_with_bodies d join workspaces w on w.id = d.workspace_id
        where w.slug = 'alpha' and d.outcome = 'rejected' and d.findings @> '[{\"code\": \"too_many_entries\"}]'
            and d.dealership_id = 356 and octet_length(d.body) > 15000000",
    )
    .fetch_one(&harness.database.pool)
    .await
    .unwrap();
    assert_eq!(alone, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_worst_bodies_that_are_taken_stay_within_the_memory_and_hold_up_nobody_else() {
    let harness = Harness::ready(deadline()).await;
    let all = if is_long() { bodies::all() } else { bodies::few() };
    let encodings: &[&str] = if is_long() { &["gzip", "deflate", "br", "zstd"] } else { &["gzip"] };
    let mut table = String::new();
    let mut row = |name: &str, encoding: &str, sent: usize, bytes: usize, figures: &Figures| {
        let (peak, settled, longest) =
            (figures.peak / MIB, figures.settled.as_secs_f64(), figures.longest.as_secs_f64());
        let mut outcomes: Vec<&str> = figures.outcomes.iter().map(|(_, outcome)| outcome.as_str()).collect();
        outcomes.dedup();
        let outcomes = outcomes.join(", ");
        let line =
            format!("| {name} | {encoding} | {sent} | {bytes} | {peak} | {outcomes} | {settled:.1} | {longest:.2} |");
        println!("{line}");
        writeln!(table, "{line}").unwrap();
    };
    for worst in &all {
        // A bomb is no worse for being made in another way, so that only the first is sent in all of them.
        let encodings = if std::ptr::eq(worst, &raw const all[0]) { encodings } else { &encodings[..1] };
        for encoding in encodings {
            let sent = packed(encoding, &worst.body).await;
            let (length, bytes) = (sent.len(), worst.body.len());
            let figures = harness.send(&[(worst, encoding, sent)]).await;
            row(worst.name, encoding, length, bytes, &figures);
            hold(&figures, worst.name);
        }
    }
    for worst in all.iter().filter(|worst| worst.at_once) {
        let mut sent = Vec::new();
        for number in 0..8 {
            let encoding = encodings[number % encodings.len()];
            sent.push((worst, encoding, packed(encoding, &worst.another(number)).await));
        }
        let (length, bytes) = (sent.iter().map(|(_, _, sent)| sent.len()).sum(), 8 * worst.body.len());
        let figures = harness.send(&sent).await;
        row(&format!("eight at once: {}", worst.name), "each", length, bytes, &figures);
        hold(&figures, worst.name);
    }
    println!("limited by {} to {} MiB\n{table}", harness.limited_by, (MEMORY + LITTLE) / MIB);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_takes_longer_than_its_deadline_is_read_once_and_settled() {
    let mut harness = Harness::ready(10).await;
    let worst = &bodies::few()[0];
    let answer = harness.post(worst.feed, "", &worst.body).await;
    let id = answer["delivery_id"].as_str().unwrap().to_owned();
    assert_eq!(answer["outcome"], "spooled", "the deadline is far too short for it");
    assert_eq!(harness.settled(&id).await.0, "applied");
    // It leaves the spool, and is not begun again for that.
    harness.program.wait_for("the spool is empty again");
    let begun =
        harness.program.seen.iter().filter(|line| line.contains("a large delivery is read") && line.contains(&id));
    // Never twice at once; but what ends on a busy machine between two passes over the spool is read again by the second,
    // which finds it done.
    assert!((1..=2).contains(&begun.count()));
}

#[test]
fn every_fixture_is_far_below_what_is_taken() {
    for feed in Feed::ALL.iter().copied() {
        for body in fixtures(feed) {
            if let Ok(scan) = scan(feed, &body) {
                assert!(scan.too_many().is_none());
                assert!(weight(feed, &scan, body.len()) < 2 << 20, "{feed:?} {:?}", scan.counts);
            }
        }
    }
}
