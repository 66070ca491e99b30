//! As whom the server runs: as ourselves, or, because Postgres refuses root, as a lesser account.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use super::error::{Error, io};

/// The accounts that may run the server in root's place, the better one first.
const STAND_INS: [&str; 2] = ["postgres", "nobody"];

/// The account of the server's processes.
#[derive(Clone, Debug)]
pub(super) struct Account {
    ours: u32,
    stand_in: Option<StandIn>,
}

#[derive(Clone, Debug)]
struct StandIn {
    uid: u32,
    gid: u32,
    name: String,
}

impl Account {
    /// Chooses the account for the cluster in a directory: the owner of a cluster that is there already, else ours
    /// or, for root, the first stand-in that the machine knows.
    pub(super) fn choose(cluster: &Path) -> Result<Self, Error> {
        let ours = own_uid()?;
        let owner = fs::metadata(cluster).ok().map(|cluster| (cluster.uid(), cluster.gid()));
        let stand_in = match owner {
            Some((uid, gid)) if ours == 0 && uid != 0 => {
                let name = users().into_iter().find(|user| user.uid == uid).map_or(uid.to_string(), |user| user.name);
                Some(StandIn { uid, gid, name })
            }
            Some((uid, _)) if ours != 0 && uid != ours => {
                return Err(Error::ForeignOwner { path: cluster.to_owned(), uid });
            }
            Some(_) | None if ours == 0 => Some(first_stand_in()?),
            Some(_) | None => None,
        };
        Ok(Self { ours, stand_in })
    }

    /// The user id of the server's processes.
    pub(super) fn uid(&self) -> u32 {
        self.stand_in.as_ref().map_or(self.ours, |stand_in| stand_in.uid)
    }

    /// Whether a file that we are about to trust belongs to us, to root or to the server.
    pub(super) fn trusts(&self, uid: u32) -> bool {
        uid == 0 || uid == self.ours || uid == self.uid()
    }

    /// Makes a command run as this account. The standard library drops root's supplementary groups with the user id.
    pub(super) fn dress(&self, command: &mut Command) {
        if let Some(StandIn { uid, gid, name: _ }) = &self.stand_in {
            command.uid(*uid).gid(*gid);
        }
    }

    /// Hands a directory or file over to the account.
    pub(super) fn give(&self, path: &Path) -> Result<(), Error> {
        match &self.stand_in {
            Some(StandIn { uid, gid, name: _ }) => {
                std::os::unix::fs::lchown(path, Some(*uid), Some(*gid)).map_err(io("hand over", path))
            }
            None => Ok(()),
        }
    }

    /// Lets the account pass through a directory that is ours, for a data directory that root made with a strict umask.
    pub(super) fn let_through(&self, dir: &Path) -> Result<(), Error> {
        let meta = fs::metadata(dir).map_err(io("read", dir))?;
        let mode = meta.permissions().mode();
        if self.stand_in.is_some() && meta.uid() == self.ours && mode & 0o001 == 0 {
            let open = fs::Permissions::from_mode(mode & 0o7777 | 0o011);
            fs::set_permissions(dir, open).map_err(io("open", dir))?;
        }
        Ok(())
    }

    /// Refuses a path that the account cannot get at; asked of the system, which knows about lists and groups.
    pub(super) fn must_reach(&self, path: &Path) -> Result<(), Error> {
        let Some(StandIn { uid: _, gid: _, name }) = &self.stand_in else { return Ok(()) };
        let mut probe = Command::new("/bin/sh");
        probe.args(["-c", "test -x \"$1\"", "sh"]).arg(path).current_dir("/").stdin(Stdio::null());
        self.dress(&mut probe);
        let reached = probe.status().map_err(io("run", "/bin/sh"))?;
        if reached.success() {
            return Ok(());
        }
        Err(Error::OutOfReach { account: name.clone(), path: path.to_owned() })
    }
}

/// Our effective user id; the standard library does not tell it, the process table and `id` do.
pub(super) fn own_uid() -> Result<u32, Error> {
    if let Ok(myself) = fs::metadata("/proc/self") {
        return Ok(myself.uid());
    }
    let id = Command::new("id").arg("-u").output().map_err(io("run", "id"))?;
    let text = String::from_utf8_lossy(&id.stdout);
    text.trim().parse().map_err(|error| io("read", "id -u")(std::io::Error::other(error)))
}

fn first_stand_in() -> Result<StandIn, Error> {
    let users = users();
    let known = STAND_INS.iter().find_map(|name| users.iter().find(|user| user.name == *name));
    known.cloned().ok_or(Error::NoAccount)
}

/// The accounts in `/etc/passwd`; a file that cannot be read has none.
fn users() -> Vec<StandIn> {
    let text = fs::read_to_string("/etc/passwd").unwrap_or_default();
    let user = |line: &str| {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(StandIn { uid, gid, name })
    };
    text.lines().filter_map(user).collect()
}
