//! Crowds: many senders of one credential who announce much and send slowly. They cost themselves, and no other.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use async_compression::tokio::bufread::GzipEncoder;
use forecourt::config::Environment;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::OwnedWriteHalf;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::support::service::config_with;
use crate::support::{
    CLUSTERS, LEADPRO, LEADS, Program, SECRETS, TOKEN, TOKEN_OF_BETA, a_lead, credential, database, token,
};

const MIB: usize = 1 << 20;
/// Long enough for a machine that stands still now and then: nobody but the crowd is to wait for it.
const HOLD: Duration = Duration::from_secs(16);

/// Room for some 58 MiB of bodies beside what is kept; `beta` and the signed tokens are others than those who crowd.
fn config() -> String {
    let credentials = [
        credential("other", "bearer", "\"all\"", "[\"alpha\"]", "secret_env = \"OTHER_TOKEN\"\n"),
        credential("beta", "bearer", "\"all\"", "[\"beta\"]", "secret_env = \"BETA\"\n"),
        credential("pro", "leadpro_jwt", "[\"leadpro_lead\"]", "[\"beta\"]", "secret_env = \"LEADPRO_SECRET\"\n"),
    ];
    let limits = "[server.body_limits]\nlead_cluster = 6291456";
    let hold = HOLD.as_secs();
    let with = |memory: &str| {
        let keys =
            format!("hold_seconds = {hold}\nmax_held_bytes = {}\nmax_memory_bytes = {memory}\n{limits}", 40 * MIB);
        [config_with(&keys), credentials.concat()].concat()
    };
    with(&least_memory(&with("1048576")))
}

/// As little as the other limits need, which is told where less is written: what is left over would be room for bodies.
fn least_memory(config: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("forecourt.toml");
    std::fs::write(&path, config).unwrap();
    let refused = forecourt::config::load(Some(&path), &Environment::of(SECRETS)).unwrap_err().to_string();
    let needed = refused.split("write ").nth(1).and_then(|rest| rest.split(' ').next());
    needed.unwrap_or_else(|| panic!("{refused}")).to_owned()
}

fn secret(name: &str) -> &'static str {
    SECRETS.iter().find(|(known, _)| *known == name).unwrap().1
}

#[derive(Clone, Copy)]
enum Framing {
    Length,
    Chunked,
    Gzip,
}

const FRAMINGS: [Framing; 3] = [Framing::Length, Framing::Chunked, Framing::Gzip];

/// The connection of a slow sender.
struct Slow {
    writing: OwnedWriteHalf,
    chunked: bool,
}

impl Slow {
    async fn send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        for piece in bytes.chunks(64 << 10) {
            let (before, after) =
                if self.chunked { (format!("{:x}\r\n", piece.len()), "\r\n") } else { (String::new(), "") };
            self.writing.write_all(&[before.as_bytes(), piece, after.as_bytes()].concat()).await?;
        }
        Ok(())
    }

    /// Sends all but the end at once, then a byte now and then, and the rest when it is told to. The sending half stays
    /// open for as long as what is given back is kept.
    async fn send_slowly(mut self, body: Vec<u8>, mut finish: watch::Receiver<bool>) -> std::io::Result<Self> {
        let (most, end) = body.split_at(body.len() - 200);
        self.send(most).await?;
        for (sent, byte) in end.iter().enumerate() {
            self.send(std::slice::from_ref(byte)).await?;
            if timeout(Duration::from_millis(300), finish.wait_for(|finish| *finish)).await.is_ok() {
                self.send(&end[sent + 1..]).await?;
                break;
            }
        }
        if self.chunked {
            self.writing.write_all(b"0\r\n\r\n").await?;
        }
        Ok(self)
    }
}

/// Posts slowly; the status that it is answered, and after how long.
async fn post_slowly(
    address: SocketAddr,
    head: String,
    framing: Framing,
    body: Vec<u8>,
    finish: watch::Receiver<bool>,
) -> (u16, Duration) {
    let began = Instant::now();
    let framing_of = match framing {
        Framing::Length => format!("Content-Length: {}\r\n", body.len()),
        Framing::Chunked => "Transfer-Encoding: chunked\r\n".to_owned(),
        Framing::Gzip => "Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n".to_owned(),
    };
    let (mut reading, mut writing) = TcpStream::connect(address).await.unwrap().into_split();
    writing.write_all(format!("{head}{framing_of}Connection: close\r\n\r\n").as_bytes()).await.unwrap();
    let chunked = !matches!(framing, Framing::Length);
    let sending = tokio::spawn(Slow { writing, chunked }.send_slowly(body, finish));
    let mut status = [0; 12];
    timeout(Duration::from_mins(3), reading.read_exact(&mut status)).await.unwrap().unwrap();
    let took = began.elapsed();
    sending.abort();
    (std::str::from_utf8(&status[9..]).unwrap().parse().unwrap(), took)
}

fn head(path: &str, authorization: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: test\r\nAuthorization: {authorization}\r\n")
}

/// JSON with spaces in front of it, so many bytes in all.
fn spaced(json: &str, bytes: usize) -> Vec<u8> {
    [vec![b' '; bytes - json.len()], json.as_bytes().to_vec()].concat()
}

/// A cluster of so many bytes: spaces in front of it, or within it what cannot be packed by more than a quarter.
async fn cluster(number: usize, framing: Framing, bytes: usize) -> Vec<u8> {
    let cluster = |comment: String| {
        let lead = json!({"id": number, "dealership": {"id": 356}, "comments": comment});
        json!({"id": number, "dealership_id": 356, "leads": [lead]}).to_string()
    };
    if !matches!(framing, Framing::Gzip) {
        return spaced(&cluster(String::new()), bytes);
    }
    let mut state = u32::try_from(number).unwrap() + 1;
    let mut letter = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        char::from(b'0' + u8::try_from(state >> 26).unwrap())
    };
    let comment: String = (0..bytes - 1_000).map(|_| letter()).filter(|letter| *letter != '\\').collect();
    let mut packed = Vec::new();
    GzipEncoder::new(cluster(comment).as_bytes()).read_to_end(&mut packed).await.unwrap();
    packed
}

/// A slow sender: what tells it to come to its end, and what it is answered.
type Sender = (watch::Sender<bool>, JoinHandle<(u16, Duration)>);

/// So many slow senders, in turn with each secret and framing.
async fn crowd(program: &Program, secrets: &[&str], count: usize, bytes: usize) -> Vec<Sender> {
    let mut crowd = Vec::new();
    for number in 0..count {
        let framing = FRAMINGS[number % FRAMINGS.len()];
        let head = head(CLUSTERS, &format!("Bearer {}", secrets[number % secrets.len()]));
        let body = cluster(number, framing, bytes).await;
        let (finish, finishing) = watch::channel(false);
        crowd.push((finish, tokio::spawn(post_slowly(program.address, head, framing, body, finishing))));
    }
    crowd
}

/// Waits until bodies were let go, and the service is ready all the same.
async fn crowded(program: &Program) {
    let end = Instant::now() + Duration::from_mins(1);
    loop {
        let ready = program.get("/readyz").await;
        let (is_ready, body) = (ready.status == 200, ready.body);
        assert!(is_ready, "{body}");
        if body["bodies"]["let_go_in_last_minute"].as_u64().is_some_and(|let_go| let_go > 0) {
            return;
        }
        assert!(Instant::now() < end, "there was room for all: {body}");
        sleep(Duration::from_millis(50)).await;
    }
}

/// Another credential's leads are applied, each before a request would be given up.
async fn others_are_applied(program: &Program, first: i64) {
    for id in first..first + 20 {
        let began = Instant::now();
        let answer =
            timeout(Duration::from_mins(1), program.post_as(TOKEN_OF_BETA, LEADS, a_lead(id).dealership(285).bytes()))
                .await;
        let answer = answer.expect("another credential's lead was not answered");
        answer.expect("applied", &[]);
        assert!(began.elapsed() < HOLD, "{:?}", began.elapsed());
    }
}

fn signed(claims: &Value) -> String {
    token::signed(claims, secret("LEADPRO_SECRET"))
}

fn enquiry(id: usize) -> Value {
    json!({
        "event": "lead.created", "iat": 1_760_000_000,
        "data": {"id": id, "first_name": "Ada", "email": "ada@example.com", "createdAt": "2025-10-03T06:10:08Z"},
    })
}

/// Of the crowd, those who found no room hear it at the end of the hold, and those who kept theirs come to their end. One
/// after the other, so that a slow machine has applied each before its hold is over.
async fn outcome_of(crowd: Vec<Sender>) -> (usize, usize) {
    let (mut applied, mut refused) = (0, 0);
    for (finish, answered) in crowd {
        finish.send_replace(true);
        match answered.await.unwrap() {
            (200, _) => applied += 1,
            (503, took) => {
                assert!(took >= HOLD, "{took:?}");
                refused += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    (applied, refused)
}

#[tokio::test]
async fn twenty_slow_senders_of_one_credential_cost_no_other_its_lead() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let program = Program::start(&database.url(), folder.path(), &config());
    let crowd = crowd(&program, &[TOKEN], 20, 5 * MIB + MIB / 2).await;
    // Whoever only announces much holds nothing of it: also before anybody was let go.
    others_are_applied(&program, 100).await;
    crowded(&program).await;
    others_are_applied(&program, 200).await;
    let token = signed(&enquiry(1));
    let posted = program.post_with(&[("authorization", &token)], LEADPRO, enquiry(1).to_string()).await;
    assert_eq!(posted.status, 200);
    assert_eq!(posted.body["lead"], "created", "{posted:?}");

    let (applied, refused) = outcome_of(crowd).await;
    assert!(applied >= 5 && refused >= 5, "{applied} {refused}");
    let clusters: i64 = database.value("select count(*) from lead_clusters").await;
    assert_eq!(usize::try_from(clusters).unwrap(), applied);
    let of_beta: i64 = database
        .value("select count(*) from leads l join workspaces w on w.id = l.workspace_id where w.slug = 'beta'")
        .await;
    assert_eq!(of_beta, 41);
}

#[tokio::test]
async fn two_hundred_slow_senders_of_two_credentials_cost_no_third_its_lead() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let program = Program::start(&database.url(), folder.path(), &config());
    let crowd = crowd(&program, &[TOKEN, secret("OTHER_TOKEN")], 200, 400 << 10).await;
    others_are_applied(&program, 100).await;
    crowded(&program).await;
    others_are_applied(&program, 200).await;
    let (applied, refused) = outcome_of(crowd).await;
    assert!(applied >= 50 && refused >= 5, "{applied} {refused}");
}

/// What is posted beside a signed token is not needed: where it finds no room, the claims are applied without it.
#[tokio::test]
async fn a_signed_token_is_applied_where_the_body_beside_it_finds_no_room() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let program = Program::start(&database.url(), folder.path(), &config());
    let crowd: Vec<_> = (0..60)
        .map(|id| {
            let (finish, finishing) = watch::channel(false);
            let head = head(LEADPRO, &signed(&enquiry(id)));
            let body = spaced(&enquiry(id).to_string(), 2 * MIB - 1_000);
            (finish, tokio::spawn(post_slowly(program.address, head, Framing::Length, body, finishing)))
        })
        .collect();
    sleep(Duration::from_secs(1)).await;
    others_are_applied(&program, 100).await;
    crowded(&program).await;
    others_are_applied(&program, 200).await;
    for (finish, slow) in crowd {
        finish.send_replace(true);
        assert_eq!(slow.await.unwrap().0, 200);
    }
    let leads: i64 = database.value("select count(*) from leads where sender = 'leadpro'").await;
    assert_eq!(leads, 60);
}
