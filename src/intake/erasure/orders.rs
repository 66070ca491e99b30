//! Orders wait in the data directory until they are done: while Postgres is away, and in case the process ends midway. The
//! running service does those that wait, and so does the next `forecourt erase`; done twice, an order comes to the same.
//!
//! An order names its person, so that its file is its owner's alone and goes when it is done.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::job::erase;
use super::order::{Erased, ErasureError, Mode, Order, Target};
use super::{journal, leftovers};
use crate::domain::values::Email;
use crate::intake::Intake;
use crate::intake::complaints::Complaints;
use crate::store::Store;

/// The folder below the data directory.
const FOLDER: &str = "erasures";
/// How often the service looks for orders that wait.
const POLL_INTERVAL: Duration = Duration::from_secs(5);

/// An order as it stands in its file.
#[derive(Serialize, Deserialize)]
struct OrderPayload {
    id: Uuid,
    erased_at: DateTime<Utc>,
    email: Option<String>,
    lead: Option<String>,
    workspace: Option<String>,
    reason: Option<String>,
    acted_by: String,
}

fn folder(data_dir: &Path) -> PathBuf {
    data_dir.join(FOLDER)
}

fn path_of(data_dir: &Path, id: Uuid) -> PathBuf {
    folder(data_dir).join(format!("{id}.json"))
}

/// Writes an order down; when it returns, it is on disk.
///
/// # Errors
/// When it cannot be written.
pub fn keep(data_dir: &Path, order: &Order) -> Result<PathBuf, ErasureError> {
    let path = path_of(data_dir, order.id);
    write(data_dir, &path, order).map_err(|error| ErasureError::File(path.display().to_string(), error))?;
    Ok(path)
}

fn write(data_dir: &Path, path: &Path, order: &Order) -> io::Result<()> {
    let Order { id, erased_at, target, workspace, reason, acted_by } = order.clone();
    let (email, lead) = match target {
        Target::Address(email) => (Some(email.as_str().to_owned()), None),
        Target::Lead(lead) => (None, Some(lead)),
    };
    let text = serde_json::to_vec(&OrderPayload { id, erased_at, email, lead, workspace, reason, acted_by })?;
    DirBuilder::new().recursive(true).mode(0o700).create(folder(data_dir))?;
    // Under its name only once it is whole.
    let draft = path.with_extension("draft");
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&draft)?;
    file.write_all(&text)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    fs::File::open(folder(data_dir))?.sync_all()
}

/// The orders that wait, oldest first. A file that is none is left, and said.
#[must_use]
pub fn waiting(data_dir: &Path) -> Vec<Order> {
    let files = fs::read_dir(folder(data_dir)).into_iter().flatten().flatten().map(|entry| entry.path());
    let orders = files.filter(|path| path.extension().is_some_and(|end| end == "json")).filter_map(|path| {
        let order = fs::read(&path).ok().and_then(|text| read(&text));
        if order.is_none() {
            tracing::warn!(file = %path.display(), "this is no order to erase: it is left");
        }
        order
    });
    let mut orders: Vec<Order> = orders.collect();
    orders.sort_by_key(|order| (order.erased_at, order.id));
    orders
}

fn read(text: &[u8]) -> Option<Order> {
    let OrderPayload { id, erased_at, email, lead, workspace, reason, acted_by } = serde_json::from_slice(text).ok()?;
    let target = match (email, lead) {
        (Some(email), None) => Target::Address(Email::stored(&email)?),
        (None, Some(lead)) => Target::Lead(lead),
        (Some(_), Some(_)) | (None, None) => return None,
    };
    Some(Order { id, erased_at, target, workspace, reason, acted_by })
}

/// Takes an order back that is not to be done.
pub fn forget(data_dir: &Path, id: Uuid) {
    // Where it stays, it is done once more, which changes nothing.
    let _ = fs::remove_file(path_of(data_dir, id));
}

/// Does an order, and lets it go.
///
/// # Errors
/// When Postgres refuses or cannot be reached: then it goes on waiting.
pub async fn perform(store: &Store, data_dir: &Path, order: &Order) -> Result<Erased, ErasureError> {
    let mut erased = erase(store, order, Mode::Commit, Some(&data_dir.join(journal::FILE))).await?;
    let files = leftovers::remove(data_dir, &order.target);
    if files > 0 {
        erased.counts.insert("files of the spool".to_owned(), files);
    }
    forget(data_dir, order.id);
    Ok(erased)
}

/// Does the orders that wait, for as long as the service runs.
pub async fn run(intake: Intake, data_dir: PathBuf) {
    let complaints = Complaints::default();
    loop {
        for order in waiting(&data_dir) {
            match perform(intake.store(), &data_dir, &order).await {
                Ok(_) => tracing::info!(order = %order.id, "an order to erase that waited is done"),
                Err(error) if error.is_transient() => {
                    tracing::debug!(order = %order.id, %error, "an order to erase waits on");
                    break;
                }
                Err(error) => {
                    if let Some(left_out) = complaints.take(&order.id.to_string()) {
                        tracing::error!(order = %order.id, %error, left_out, "an order to erase cannot be done and waits on");
                    }
                }
            }
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn an_order_waits_as_its_owners_alone_until_it_is_done() {
        let folder = tempfile::tempdir().unwrap();
        assert!(waiting(folder.path()).is_empty());
        let order = |second: i64, target| Order {
            id: Uuid::from_u128(u128::try_from(second).unwrap()),
            erased_at: DateTime::from_timestamp(second, 0).unwrap(),
            target,
            workspace: Some("alpha".to_owned()),
            reason: None,
            acted_by: "root".to_owned(),
        };
        let orders = [
            order(1, Target::Lead("17".to_owned())),
            order(2, Target::Address(Email::parse("Ada@example.com").unwrap())),
        ];
        let path = keep(folder.path(), &orders[1]).unwrap();
        keep(folder.path(), &orders[0]).unwrap();
        fs::write(path.with_file_name("other.json"), "no order").unwrap();
        assert_eq!(waiting(folder.path()), orders);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o600, 0o700));
        forget(folder.path(), orders[1].id);
        assert_eq!(waiting(folder.path()), orders[..1]);
    }
}
