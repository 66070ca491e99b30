//! A child process that cannot outlive us: a small watchdog beside it ends it when we are gone, `kill -9` included.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

use super::account::Account;
use super::error::{Error, io};

/// Waits for the word to go, so that the program starts only once its watchdog knows it. When we die before, nothing
/// has happened.
const GATE: &str = r#"read -r go || exit 0; exec "$@" </dev/null"#;

/// Waits for the end of its standard input, which comes when we close it or are gone, and then ends the process group
/// `$1` with signal `$2`, harder after `$4` looks. The file `$3` is there while the group has work to do: a group of
/// zombies would look alive for ever. Then it removes the paths from `$6` on and, if that left it empty, directory `$5`,
/// unless its last word was to keep them, for which the server must end in order.
const WATCHDOG: &str = r#"
trap '' HUP INT QUIT TERM
word=
read -r word
group=$1 signal=$2 witness=$3 looks=$4 parent=$5
shift 5
[ "$word" = keep ] && signal=INT
kill "-$signal" "-$group" 2>/dev/null
while [ -e "$witness" ] && [ "$looks" -gt 0 ] && kill -0 "-$group" 2>/dev/null; do
    sleep 0.01 2>/dev/null || sleep 1
    looks=$((looks - 1))
done
[ -e "$witness" ] && kill -KILL "-$group" 2>/dev/null
[ "$word" = keep ] && exit 0
for path; do
    rm -rf -- "$path" 2>/dev/null || { sleep 1; rm -rf -- "$path"; }
done
[ -z "$parent" ] || rmdir -- "$parent" 2>/dev/null
exit 0
"#;

/// What to run, and how it ends when we do.
pub(super) struct Plan<'a> {
    /// The program and its arguments.
    pub(super) words: Vec<OsString>,
    /// As whom it runs.
    pub(super) account: &'a Account,
    /// Its working directory.
    pub(super) dir: &'a Path,
    /// Where its output is appended.
    pub(super) log: &'a Path,
    /// The signal that ends it.
    pub(super) signal: &'static str,
    /// A file or directory that it removes itself when it ends in order.
    pub(super) witness: PathBuf,
    /// How many hundredths of a second it may take to end.
    pub(super) patience: u32,
    /// What is removed after it.
    pub(super) remove: Vec<PathBuf>,
    /// A directory that is removed as well if it is empty then.
    pub(super) parent: Option<PathBuf>,
}

/// A child process and its watchdog.
pub(super) struct Guarded {
    pub(super) child: Child,
    watchdog: Child,
}

/// The pipe to a watchdog, which ends the child when it is closed.
pub(super) struct WatchdogPipe(Option<ChildStdin>);

impl Guarded {
    /// Starts the plan's program in a process group of its own, so that Ctrl-C is ours alone to answer.
    pub(super) fn start(plan: &Plan<'_>) -> Result<(Self, WatchdogPipe), Error> {
        let sh = "/bin/sh";
        let log = || File::options().create(true).append(true).open(plan.log).map_err(io("open", plan.log));
        let mut gate = Command::new(sh);
        gate.args(["-c", GATE, "sh"]).args(&plan.words).current_dir(plan.dir).process_group(0);
        // The service's environment is not the server's: it may name another Postgres, or a supervisor to talk to.
        for name in ["PGDATA", "PGPORT", "PGHOST", "PGUSER", "PGOPTIONS", "PGTZ", "PGCLIENTENCODING", "NOTIFY_SOCKET"] {
            gate.env_remove(name);
        }
        gate.env("LC_ALL", "C").stdin(Stdio::piped()).stdout(log()?).stderr(log()?);
        plan.account.dress(&mut gate);
        let mut child = gate.spawn().map_err(io("start", sh))?;
        let (watchdog, watchdog_pipe) = match watch(plan, child.id()) {
            Ok(watched) => watched,
            Err(error) => {
                drop(child.stdin.take());
                let _ended = child.wait();
                return Err(error);
            }
        };
        if let Some(mut word) = child.stdin.take() {
            word.write_all(b"go\n").map_err(io("start", plan.dir))?;
        }
        Ok((Self { child, watchdog }, watchdog_pipe))
    }

    /// Sends the watchdog away: the child has ended by itself and nothing is to be removed.
    pub(super) fn unwatch(&mut self, watchdog_pipe: WatchdogPipe) {
        let _may_be_gone = self.watchdog.kill();
        let _reaped = self.watchdog.wait();
        drop(watchdog_pipe);
    }

    /// Waits until child and watchdog are done, after the pipe was dropped.
    pub(super) fn wait(&mut self) {
        let _ended = self.child.wait();
        let _reaped = self.watchdog.wait();
    }
}

impl WatchdogPipe {
    /// Ends the child; what would be removed after it stays.
    pub(super) fn keep(mut self) {
        if let Some(pipe) = &mut self.0 {
            let _may_be_gone = pipe.write_all(b"keep\n");
        }
    }
}

fn watch(plan: &Plan<'_>, group: u32) -> Result<(Child, WatchdogPipe), Error> {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", WATCHDOG, "sh", &group.to_string(), plan.signal]).arg(&plan.witness);
    command.arg(plan.patience.to_string()).arg(plan.parent.as_deref().map_or(OsStr::new(""), Path::as_os_str));
    command.args(&plan.remove).current_dir("/").process_group(0);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut watchdog = command.spawn().map_err(io("start", "/bin/sh"))?;
    let watchdog_pipe = WatchdogPipe(watchdog.stdin.take());
    Ok((watchdog, watchdog_pipe))
}

/// Sends a signal to a process; that it is gone already is no error.
pub(super) fn signal(name: &str, pid: u32) -> Result<(), Error> {
    let mut kill = Command::new("/bin/sh");
    kill.args(["-c", "kill \"-$1\" \"$2\" 2>/dev/null", "sh", name, &pid.to_string()]).stdin(Stdio::null());
    kill.status().map_err(io("run", "/bin/sh"))?;
    Ok(())
}
