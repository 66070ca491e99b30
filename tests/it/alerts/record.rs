//! Records series from real faults: the program runs, something is done to it, and all the while it is scraped as
//! Prometheus does. What is written are the series that the rules look at, and which alerts fire on them when.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use futures_util::future::join_all;
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep_until};

use super::promtool::Promtool;
use super::{RULES, named, root, text_of};
use crate::support::postgres::{OwnCluster, TestDatabase};
use crate::support::program::Launch;
use crate::support::{LEADS, Program, Scrape, TOKEN, a_lead, config_with, own_cluster, soon, unique};

/// The pause between two scrapes: Prometheus' usual one is a minute, and operators often have this.
const PAUSE: Duration = Duration::from_secs(15);
/// So many scrapes before anything is done.
const ORDINARY: usize = 4;
/// What Prometheus adds to each series.
const TARGET: &str = "job=\"forecourt\",instance=\"127.0.0.1:8081\"";

/// The program over a Postgres of its own, and what was scraped of it.
struct Recorder {
    name: &'static str,
    told: &'static str,
    cluster: OwnCluster,
    database: TestDatabase,
    folder: TempDir,
    config: String,
    program: Program,
    admin: SocketAddr,
    scrapes: Vec<Option<Scrape>>,
    /// What was done before which scrape.
    marks: Vec<(usize, &'static str)>,
    next: Instant,
}

impl Recorder {
    /// Starts a program, and records it while all is well.
    async fn ordinary(name: &'static str, told: &'static str, server: &str, spool: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::in_folder(name, told, server, spool, folder).await
    }

    async fn in_folder(name: &'static str, told: &'static str, server: &str, spool: &str, folder: TempDir) -> Self {
        let config = config_with(server).replace("[spool]\nmax_bytes = 0", &format!("[spool]\n{spool}"));
        let config = format!("{config}\n[admin]\nlisten = \"127.0.0.1:0\"\n");
        let cluster = own_cluster().await;
        let database = cluster.database().await;
        let (program, admin) = start(&database, folder.path(), &config).await;
        let (scrapes, marks, next) = (Vec::new(), Vec::new(), Instant::now());
        let mut recorder = Self { name, told, cluster, database, folder, config, program, admin, scrapes, marks, next };
        recorder.watch(ORDINARY, Recorder::post_lead).await;
        recorder
    }

    /// Records so many scrapes; before each something is done, which need not come to its end.
    async fn watch(&mut self, scrapes: usize, mut before_each: impl FnMut(&Self) -> JoinHandle<()>) {
        for _ in 0..scrapes {
            drop(before_each(self));
            sleep_until(self.next).await;
            self.next += PAUSE;
            self.scrapes.push(Scrape::try_of(self.admin).await);
        }
    }

    fn mark(&mut self, what: &'static str) {
        self.marks.push((self.scrapes.len(), what));
    }

    /// Posts a lead as the sender does.
    fn post_lead(&self) -> JoinHandle<()> {
        self.post(TOKEN, LEADS)
    }

    fn post(&self, token: &str, path: &str) -> JoinHandle<()> {
        let (address, body) = (self.program.address, a_lead(unique()).bytes());
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {token}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        tokio::spawn(async move {
            let Ok(mut stream) = TcpStream::connect(address).await else { return };
            let _sent = stream.write_all(&[head.as_bytes(), &body].concat()).await;
            let _answered = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        })
    }

    /// Writes the file; the alerts that are named must fire, and none while all was well.
    fn write(&self, must_fire: &[&str]) {
        let promtool = Promtool::find().expect("promtool");
        let file = root("tests/alerts").join(format!("{}.yml", self.name));
        let asked = (0..self.scrapes.len()).map(|scrape| (scrape, Vec::new())).collect();
        std::fs::write(&file, self.text(&asked)).unwrap();
        let told = promtool.firing(&file);
        let at = |scrape: usize| told.get(&time(scrape)).cloned().unwrap_or_default();
        let mut kept = BTreeMap::new();
        for scrape in 1..self.scrapes.len() {
            if at(scrape) != at(scrape - 1) {
                kept.insert(scrape - 1, at(scrape - 1));
                kept.insert(scrape, at(scrape));
            }
        }
        std::fs::write(&file, self.text(&kept)).unwrap();
        promtool.succeeds(&["test", "rules", file.to_str().unwrap()]);
        for scrape in 0..ORDINARY {
            assert_eq!(at(scrape), Vec::<String>::new(), "{}: nothing fires while all is well", self.name);
        }
        for alert in must_fire {
            let fires = |scrape: &usize| at(*scrape).iter().any(|set| set.contains(&format!("alertname=\"{alert}\"")));
            let first = (0..self.scrapes.len()).find(fires).unwrap_or_else(|| panic!("{}: {alert}", self.name));
            let (since, what) = self.marks.iter().rev().find(|(mark, _)| *mark <= first).unwrap();
            let last = (0..self.scrapes.len()).rev().find(fires).unwrap();
            let over = if last + 1 == self.scrapes.len() { "not over".to_owned() } else { time(last + 1) };
            println!("| `{alert}` | {what} | {} | {over} |", time(first - since));
        }
    }

    /// The file as promtool reads it.
    fn text(&self, checks: &BTreeMap<usize, Vec<String>>) -> String {
        let mut text = format!(
            "# Recorded from a real fault by `tests/alerts/record`, and not written by hand.\n# {}\n",
            self.told
        );
        for (scrape, what) in &self.marks {
            writeln!(text, "# {}: {what}", time(*scrape)).unwrap();
        }
        text += "rule_files:\n  - ../../deploy/prometheus/forecourt.rules.yml\nevaluation_interval: 15s\n";
        text += "tests:\n  - interval: 15s\n    input_series:\n";
        for (series, values) in self.series() {
            writeln!(text, "      - series: '{series}'\n        values: '{values}'").unwrap();
        }
        text += "    promql_expr_test:\n";
        for (scrape, firing) in checks {
            writeln!(text, "      - expr: ALERTS{{alertstate=\"firing\"}}\n        eval_time: {}", time(*scrape))
                .unwrap();
            text += if firing.is_empty() { "        exp_samples: []\n" } else { "        exp_samples:\n" };
            for labels in firing {
                writeln!(text, "          - labels: 'ALERTS{{{labels}}}'\n            value: 1").unwrap();
            }
        }
        text
    }

    /// The series that the rules look at, with their values as promtool writes them.
    fn series(&self) -> Vec<(String, String)> {
        let wanted = named(&text_of(RULES));
        let all: BTreeSet<&String> = self.scrapes.iter().flatten().flat_map(|scrape| scrape.series.keys()).collect();
        let name = |series: &str| series.split('{').next().unwrap().to_owned();
        let up = self.scrapes.iter().map(|scrape| Some(if scrape.is_some() { 1.0 } else { 0.0 })).collect();
        let mut series = vec![(format!("up{{{TARGET}}}"), notation(up))];
        for one in all.into_iter().filter(|one| wanted.contains(&name(one))) {
            let labels = one.split_once('{').map_or("", |(_, labels)| labels.trim_end_matches('}'));
            let comma = if labels.is_empty() { "" } else { "," };
            let values: Vec<Option<f64>> =
                self.scrapes.iter().map(|scrape| scrape.as_ref()?.series.get(one).copied()).collect();
            // Of many counters that stay at nought the file would be long, and no rule is about them.
            if one.contains("_total") && values.iter().flatten().all(|value| *value == 0.0) {
                continue;
            }
            series.push((format!("{}{{{labels}{comma}{TARGET}}}", name(one)), notation(values)));
        }
        series
    }
}

/// Values as promtool writes them: runs in short, a gap as what Prometheus makes of it.
fn notation(values: Vec<Option<f64>>) -> String {
    let mut runs: Vec<(String, usize)> = Vec::new();
    let mut before = None;
    for value in values {
        let word = match (value, before) {
            (Some(value), _) => value.to_string(),
            (None, Some(_)) => "stale".to_owned(),
            (None, None) => "_".to_owned(),
        };
        before = value;
        match runs.last_mut() {
            Some((last, count)) if *last == word && word != "stale" => *count += 1,
            Some(_) | None => runs.push((word, 1)),
        }
    }
    let words = runs.into_iter().map(|(word, count)| match (word.as_str(), count) {
        (_, 1) => word,
        ("_", count) => format!("_x{count}"),
        (_, count) => format!("{word}+0x{}", count - 1),
    });
    words.collect::<Vec<_>>().join(" ")
}

/// When a scrape was, from the first on, as promtool writes it.
fn time(scrape: usize) -> String {
    let seconds = scrape * 15;
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds}s"),
        (minutes, 0) => format!("{minutes}m"),
        (minutes, seconds) => format!("{minutes}m{seconds}s"),
    }
}

/// Starts the program, and waits until Postgres is known to be there.
async fn start(database: &TestDatabase, folder: &Path, config: &str) -> (Program, SocketAddr) {
    let (url, listen) = (database.url(), ([127, 0, 0, 1], 0).into());
    let mut program = Program::launch(&Launch { database: &url, folder, config, listen, log: "info", first: "" });
    let admin = program.admin_address();
    program.wait_for("postgres is ready");
    soon("up", async || Scrape::of_address(admin).await.count("forecourt_postgres_up") == 1).await;
    (program, admin)
}

/// Little more than `max_memory_bytes` has to be at the least for small bodies.
const LITTLE_MEMORY: usize = 480 << 20;
const TIMES: &str = "hold_seconds = 120\ndeadline_ms = 2000";

#[tokio::test]
#[ignore = "takes up to 20 minutes and writes tests/alerts: see tests/alerts/record"]
async fn postgres_stopped() {
    let told = "Postgres is stopped, and started again later; a lead comes every 15 seconds.";
    let mut recorder = Recorder::ordinary("postgres_stopped", told, TIMES, "").await;
    recorder.mark("Postgres is stopped");
    recorder.cluster.stop().await;
    recorder.watch(43, Recorder::post_lead).await;
    recorder.mark("Postgres is started");
    recorder.cluster.start().await;
    recorder.watch(4, Recorder::post_lead).await;
    recorder.write(&["ForecourtPostgresAway", "ForecourtSpoolNotEmpty", "ForecourtSpoolOld"]);
}

#[tokio::test]
#[ignore = "takes up to 20 minutes and writes tests/alerts: see tests/alerts/record"]
async fn postgres_refuses() {
    let told = "Postgres runs and lets nobody in, as after a change of its password.";
    let mut recorder = Recorder::ordinary("postgres_refuses", told, TIMES, "").await;
    recorder.mark("Postgres refuses every connection");
    let name = recorder.database.name.clone();
    let admin = recorder.cluster.bare_database("other").await;
    admin.execute(&format!("alter database {name} allow_connections false")).await;
    let terminate = format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'");
    admin.execute(&terminate).await;
    recorder.watch(24, Recorder::post_lead).await;
    recorder.mark("Postgres lets forecourt in again");
    admin.execute(&format!("alter database {name} allow_connections true")).await;
    recorder.watch(8, Recorder::post_lead).await;
    recorder.write(&["ForecourtPostgresAway", "ForecourtSpoolNotEmpty"]);
}

#[tokio::test]
#[ignore = "takes up to 20 minutes and writes tests/alerts: see tests/alerts/record"]
async fn spool_full() {
    let told = "Postgres is stopped and the spool may hold 64 KiB; a lead comes every 15 seconds.";
    let server = "hold_seconds = 10\ndeadline_ms = 2000";
    let mut recorder = Recorder::ordinary("spool_full", told, server, "max_bytes = 65536").await;
    recorder.mark("Postgres is stopped");
    recorder.cluster.stop().await;
    recorder.watch(24, Recorder::post_lead).await;
    recorder.mark("Postgres is started");
    recorder.cluster.start().await;
    recorder.watch(8, Recorder::post_lead).await;
    recorder.write(&["ForecourtSpoolNearlyFull", "ForecourtDeliveriesNotTaken"]);
}

#[tokio::test]
#[ignore = "takes up to 20 minutes and writes tests/alerts: see tests/alerts/record"]
async fn disk_full() {
    let told = "The disk of the spool, of 2 GiB, is filled by somebody else; later there is room again.";
    let folder = tempfile::tempdir().unwrap();
    let disk = SmallDisk::of_two_gibibytes(folder.path().join("spool"));
    let mut recorder = Recorder::in_folder("disk_full", told, TIMES, "", folder).await;
    recorder.mark("the disk is filled but for 40 MiB");
    disk.resize("40m");
    recorder.watch(12, Recorder::post_lead).await;
    recorder.mark("there is room again");
    disk.resize("2g");
    recorder.watch(6, Recorder::post_lead).await;
    recorder.write(&["ForecourtSpoolDiskLow"]);
}

/// A file system of its own in memory, until it is dropped.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn of_two_gibibytes(place: PathBuf) -> Self {
        std::fs::create_dir(&place).unwrap();
        let disk = Self(place);
        assert!(disk.mount(&["-t", "tmpfs", "-o", "size=2g,mode=700", "tmpfs"]), "no file system can be mounted here");
        disk
    }

    fn resize(&self, size: &str) {
        assert!(self.mount(&["-o", &format!("remount,size={size}")]));
    }

    fn mount(&self, arguments: &[&str]) -> bool {
        Command::new("mount").args(arguments).arg(&self.0).status().is_ok_and(|status| status.success())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _unmounted = Command::new("umount").arg(&self.0).status();
        // The folder around it could not be removed before.
        let _removed = self.0.parent().map(std::fs::remove_dir_all);
    }
}

#[tokio::test]
#[ignore = "takes up to 20 minutes and writes tests/alerts: see tests/alerts/record"]
async fn refused() {
    let told = "A sender posts with a wrong secret, and then to a mistyped address.";
    let mut recorder = Recorder::ordinary("refused", told, TIMES, "").await;
    recorder.mark("a sender has a wrong secret");
    recorder.watch(4, |recorder| recorder.post("a-wrong-secret", LEADS)).await;
    recorder.watch(4, Recorder::post_lead).await;
    recorder.mark("a sender has a mistyped address");
    recorder.watch(4, |recorder| recorder.post(TOKEN, "/webhooks/dealer-studio/lead")).await;
    recorder.watch(4, Recorder::post_lead).await;
    recorder.write(&["ForecourtRequestsRefused"]);
}

#[tokio::test]
#[ignore = "takes up to 20 minutes and writes tests/alerts: see tests/alerts/record"]
async fn failed() {
    let told = "Leads cannot be saved, because a column is missing; later it is there again.";
    let mut recorder = Recorder::ordinary("failed", told, TIMES, "").await;
    recorder.mark("leads cannot be saved");
    recorder.database.execute("alter table leads rename column comments to remarks").await;
    recorder.watch(4, Recorder::post_lead).await;
    recorder.mark("leads can be saved again");
    recorder.database.execute("alter table leads rename column remarks to comments").await;
    recorder.watch(6, Recorder::post_lead).await;
    recorder.write(&["ForecourtDeliveriesFailed"]);
}

#[tokio::test]
#[ignore = "takes up to 20 minutes and writes tests/alerts: see tests/alerts/record"]
async fn killed() {
    let told = "forecourt is killed, and started again later.";
    let mut recorder = Recorder::ordinary("killed", told, TIMES, "").await;
    recorder.mark("forecourt is killed");
    recorder.program.signal(Signal::KILL);
    recorder.program.ended();
    recorder.watch(14, Recorder::post_lead).await;
    recorder.mark("forecourt is started");
    (recorder.program, recorder.admin) = start(&recorder.database, recorder.folder.path(), &recorder.config).await;
    recorder.next = recorder.next.max(Instant::now());
    recorder.watch(6, Recorder::post_lead).await;
    recorder.write(&["ForecourtDown"]);
}

/// Connections, each with a head that has not ended, for as long as they are kept.
fn crowd(address: SocketAddr, connections: usize) -> JoinHandle<()> {
    tokio::spawn(async move {
        let one = async || loop {
            let Ok(mut stream) = TcpStream::connect(address).await else { continue };
            let head = format!("POST {LEADS} HTTP/1.1\r\nHost: test\r\nX: {}", "x".repeat(300_000));
            let _sent = stream.write_all(head.as_bytes()).await;
            // It is closed after half a minute, and comes again.
            let _closed = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
        };
        join_all((0..connections).map(|_| one())).await;
    })
}

#[tokio::test]
#[ignore = "takes up to 20 minutes and writes tests/alerts: see tests/alerts/record"]
async fn memory() {
    let told =
        "A crowd of 3,700 connections, each with an endless head of 300 KB, and as little memory as can be configured.";
    let limits = "{ lead = 65536, lead_cluster = 65536, inventory = 65536, leadpro_lead = 65536 }";
    let server = format!("{TIMES}\nmax_held_bytes = 1048576\nmax_memory_bytes = MEMORY\nbody_limits = {limits}");
    let server = server.replace("MEMORY", &LITTLE_MEMORY.to_string());
    let mut recorder = Recorder::ordinary("memory", told, &server, "").await;
    recorder.mark("a crowd comes");
    let crowd = crowd(recorder.program.address, 3_700);
    recorder.watch(30, |_| tokio::spawn(async {})).await;
    recorder.mark("it is gone");
    crowd.abort();
    recorder.watch(6, Recorder::post_lead).await;
    recorder.write(&["ForecourtMemoryHigh"]);
}
