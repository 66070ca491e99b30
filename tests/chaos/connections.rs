//! Thousands of connections that say nothing, while deliveries go through.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::TcpStream;
use tokio::time::sleep;

use crate::checks::{Seen, assert_all_taken, prove};
use crate::harness::{Harness, ORDINARY};
use crate::scale::SCALE;
use crate::table;

/// What a process needs beside the connections.
const OTHER_FILES: u64 = 1_500;

/// So many are opened and left silent.
pub(crate) async fn silent() {
    let (connections, rate) = SCALE.silent;
    let told = format!("{connections} silent connections, {rate}/s");
    // The program has the same limit as whoever starts it.
    let Rlimit { current: _, maximum } = getrlimit(Resource::Nofile);
    if maximum.is_some_and(|most| most < connections as u64 + OTHER_FILES) {
        return table::leave_out(&told, "a process may not have so many connections here");
    }
    let enough = Rlimit { current: Some(connections as u64 + OTHER_FILES), maximum };
    setrlimit(Resource::Nofile, enough).unwrap();
    let harness = Harness::ready(ORDINARY).await;
    let mut silent = Vec::with_capacity(connections);
    for _ in 0..connections {
        silent.push(TcpStream::connect(harness.sender.address()).await.unwrap());
    }
    let load = harness.load_of(rate);
    sleep(SCALE.peace).await;
    let sent = load.end().await;
    assert_all_taken(&sent);
    assert!(silent.iter().all(|connection| connection.try_read(&mut [0]).is_err()), "they are still there");
    drop(silent);
    prove(&told, harness, Seen { sent, ..Seen::default() }).await;
}
