//! How many files the process may have open: every connection is one.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// So many are left for Postgres, the spool and the rest.
const OWN: u64 = 256;

/// Raises the limit as far as the system lets us, and gives how many connections there is room for.
pub(super) fn room_for(connections: usize) -> usize {
    let wanted = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(OWN);
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let Some(soft) = current.filter(|soft| *soft < wanted) else { return connections };
    let raised = maximum.map_or(wanted, |hard| wanted.min(hard)).max(soft);
    let done = setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum });
    let files = if done.is_ok() { raised } else { soft };
    let room = usize::try_from(files.saturating_sub(OWN)).unwrap_or(usize::MAX).clamp(1, connections);
    if room < connections {
        tracing::warn!(
            files,
            room,
            "the system lets this process open fewer files than server.max_connections asks for: raise its limit (ulimit -n)"
        );
    }
    room
}
