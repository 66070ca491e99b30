//! The spool alone: what it has taken it keeps, in order, within bounds, and for its owner only.

mod torn;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command as Process;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use uuid::Uuid;

use super::file::SpoolFile;
use super::*;
use crate::domain::delivery::Body;
use crate::domain::feed::Feed;
use crate::domain::finding::{Code, Finding};
use crate::domain::workspace::Permitted;

const WIDE: Limits = Limits { max_bytes: 1 << 30, min_free_bytes: 0 };

fn noon() -> DateTime<Utc> {
    "2026-11-02T12:00:00Z".parse().unwrap()
}

/// A delivery that arrived so many microseconds after noon.
fn delivery(microseconds: i64, body: impl Into<Vec<u8>>) -> Delivery {
    let body: Vec<u8> = body.into();
    Delivery {
        id: Uuid::now_v7(),
        feed: Feed::Inventory,
        received_at: noon() + TimeDelta::microseconds(microseconds),
        credential: "dealer".to_owned(),
        permitted: Permitted::Only(["alpha".to_owned(), "beta".to_owned()].into()),
        remote_address: Some("192.0.2.1".parse().unwrap()),
        content_type: Some("text/plain; charset=\"é\"".to_owned()),
        body: Body::from(body),
        posted_body: Some(b"posted".to_vec().into()),
        undecoded: Some(Finding::at(Code::BodyUnreadable, "item", "the encoding cannot be undone")),
        dealership_id: None,
        external_id: None,
        schema_version: None,
    }
}

fn open(dir: &Path) -> Spool {
    Spool::open(dir, WIDE).unwrap()
}

async fn all(spool: &Spool) -> Vec<Delivery> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let some = spool.read(after, 100).await.unwrap();
        let Some((last, _)) = some.last() else { return all };
        after = Some(*last);
        all.extend(some.into_iter().map(|(_, delivery)| delivery.unwrap()));
    }
}

fn ids(deliveries: &[Delivery]) -> Vec<Uuid> {
    deliveries.iter().map(|delivery| delivery.id).collect()
}

/// A delivery with every field set.
fn shown(delivery: &Delivery) -> String {
    format!("{delivery:?}")
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_record_gives_back_the_whole_delivery() {
    let mut plain = delivery(1, Vec::new());
    plain.undecoded = None;
    plain.permitted = Permitted::All;
    plain.remote_address = None;
    plain.content_type = None;
    for delivery in [delivery(0, "{\"id\": 1}"), delivery(-5, [0, 255, 13]), delivery(7, vec![b'x'; 1 << 20]), plain] {
        let again = record::decode(&record::encode(&delivery)).unwrap();
        assert_eq!(shown(&again), shown(&delivery));
        let earlier = record::decode(&record::encode_version_1(&delivery)).unwrap();
        assert_eq!(shown(&earlier), shown(&delivery), "of an earlier version");
    }
}

#[test]
fn a_record_that_was_cut_off_or_changed_anywhere_is_noticed() {
    let whole = record::encode(&delivery(0, "{\"id\": 1}"));
    for length in 0..whole.len() {
        assert!(record::decode(&whole[..length]).is_err(), "{length}");
    }
    for place in 0..whole.len() {
        let mut changed = whole.clone();
        changed[place] ^= 1;
        assert!(record::decode(&changed).is_err(), "{place}");
    }
    let newer = [&[9], &whole[1..]].concat();
    assert_eq!(record::decode(&newer).unwrap_err(), Unreadable::Version(9));
}

#[test]
fn a_key_gives_back_the_arrival_and_sorts_by_it_as_bytes_too() {
    let (early, late) = (delivery(-1, ""), delivery(300, ""));
    let (first, second) = (Key::of(&early), Key::of(&late));
    assert_eq!(first.received_at(), early.received_at);
    assert!(first < second && first.to_bytes() < second.to_bytes());
    assert_eq!(Key::from_bytes(&second.to_bytes()), second);
    assert_eq!(first.to_string(), early.id.to_string());
}

#[tokio::test]
async fn what_was_taken_at_once_is_all_there_after_a_crash_in_order_of_arrival() {
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let spool = open(folder.path());
    let deliveries: Vec<_> = (0..300).map(|number| delivery((number * 7) % 300, format!("body {number}"))).collect();
    let puts = join_all(deliveries.iter().map(|delivery| spool.put(delivery.clone()))).await;
    assert!(puts.iter().all(Result::is_ok), "{puts:?}");

    // The file as it is on disk at this moment, not closed.
    fs::copy(folder.path().join("deliveries.redb"), other.path().join("deliveries.redb")).unwrap();
    let after = open(other.path());
    let mut expected = deliveries;
    expected.sort_by_key(|delivery| delivery.received_at);
    let found = all(&after).await;
    assert_eq!(found.iter().map(shown).collect::<Vec<_>>(), expected.iter().map(shown).collect::<Vec<_>>());
    let depth = after.depth();
    assert_eq!((depth.deliveries, depth), (300, spool.depth()));
    assert_eq!(depth.oldest.unwrap().received_at(), noon());
    assert_eq!(depth.age(noon() + TimeDelta::seconds(61)), 61);
}

#[tokio::test]
async fn it_reads_on_after_a_key_and_removes_what_it_is_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path());
    let deliveries: Vec<_> = (0..10).map(|number| delivery(number, "body")).collect();
    for delivery in &deliveries {
        spool.put(delivery.clone()).await.unwrap();
        // Once more, as after a fault whose end nobody saw: it is there once.
        spool.put(delivery.clone()).await.unwrap();
    }
    assert_eq!((spool.depth().deliveries, spool.depth().bytes), (10, 10 * 4096));
    let key = |number: usize| Key::of(&deliveries[number]);
    let read = spool.read(Some(key(3)), 2).await.unwrap();
    assert_eq!(read.iter().map(|(key, _)| *key).collect::<Vec<_>>(), [key(4), key(5)]);
    spool.remove(vec![key(0), key(5), key(9), Key::of(&delivery(0, "never there"))]).await.unwrap();
    assert_eq!(ids(&all(&spool).await), ids(&[&deliveries[1..5], &deliveries[6..9]].concat()));
    assert_eq!((spool.depth().deliveries, spool.depth().oldest), (7, Some(key(1))));
}

#[tokio::test]
async fn large_deliveries_are_read_a_few_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path());
    for number in 0..4 {
        spool.put(delivery(number, vec![b'x'; 5 << 19])).await.unwrap();
    }
    assert_eq!(spool.read(None, 100).await.unwrap().len(), 3);
    assert_eq!(all(&spool).await.len(), 4);
}

#[tokio::test]
async fn it_takes_no_more_than_it_may_and_again_when_there_is_room() {
    let folder = tempfile::tempdir().unwrap();
    let limits = Limits { max_bytes: 10 * 4096, min_free_bytes: 0 };
    let spool = Spool::open(folder.path(), limits).unwrap();
    let puts = join_all((0..25).map(|number| spool.put(delivery(number, vec![b'x'; 2_000])))).await;
    assert_eq!(puts.iter().filter(|put| put.is_ok()).count(), 10);
    assert!(puts.iter().filter_map(|put| put.as_ref().err()).all(|refused| *refused == Refused::Full), "{puts:?}");
    assert_eq!(spool.probe().await, Err(Refused::Full));
    assert_eq!(spool.put(delivery(99, "")).await, Err(Refused::Full));
    let (first, _) = spool.read(None, 1).await.unwrap().remove(0);
    spool.remove(vec![first]).await.unwrap();
    assert_eq!(spool.probe().await, Ok(()));
    assert_eq!(spool.put(delivery(99, vec![b'x'; 4_097])).await, Err(Refused::Full), "it would take two pages");
    spool.put(delivery(99, "")).await.unwrap();
    assert_eq!(spool.depth().deliveries, 10);
}

#[tokio::test]
async fn it_leaves_the_disk_its_free_space() {
    let folder = tempfile::tempdir().unwrap();
    let spool = Spool::open(folder.path(), Limits { max_bytes: 1 << 30, min_free_bytes: 1 << 60 }).unwrap();
    assert_eq!(spool.put(delivery(0, "body")).await, Err(Refused::NoRoom));
    assert_eq!(spool.probe().await, Err(Refused::NoRoom));
    assert_eq!(spool.depth(), Depth::default());
}

#[tokio::test]
async fn it_has_one_owner_and_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path());
    let refusal = Spool::open(folder.path(), WIDE).unwrap_err().to_string();
    assert!(
        refusal.contains("in use by another running process") && refusal.contains("FORECOURT_DATA_DIR"),
        "{refusal}"
    );
    spool.put(delivery(0, "body")).await.unwrap();
    spool.close().await;
    assert_eq!(spool.put(delivery(1, "body")).await, Err(Refused::Closed));
    assert_eq!(all(&open(folder.path())).await.len(), 1);
}

#[tokio::test]
async fn only_its_owner_may_look_into_it() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("data/spool");
    fs::create_dir_all(&dir).unwrap();
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
    let spool = open(&dir);
    spool.put(delivery(0, "body")).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&dir), 0o700);
    assert_eq!(names(&dir), ["deliveries.redb", "lock"]);
    assert!(names(&dir).iter().all(|name| mode(&dir.join(name)) == 0o600));
}

#[tokio::test]
async fn nothing_of_what_has_left_it_stays_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let spool = open(folder.path());
    let file = folder.path().join("deliveries.redb");
    let holds = |text: &str| {
        let bytes = fs::read(&file).unwrap();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    };
    for number in 0..50 {
        spool.put(delivery(number, [b"Quillfeather".as_slice(), &vec![b'x'; 40_000]].concat())).await.unwrap();
    }
    let large = fs::metadata(&file).unwrap().len();
    assert!(holds("Quillfeather"));
    let keys = spool.read(None, 1000).await.unwrap().into_iter().map(|(key, _)| key).collect();
    spool.remove(keys).await.unwrap();
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(50)).await;
        if !holds("Quillfeather") {
            break;
        }
    }
    assert!(!holds("Quillfeather"));
    assert!(fs::metadata(&file).unwrap().len() < large / 2);
    spool.put(delivery(0, "the next one")).await.unwrap();
    assert_eq!(all(&spool).await.len(), 1);
}

#[tokio::test]
async fn a_damaged_file_is_put_aside_and_a_new_one_begun() {
    type Damage = fn(Vec<u8>) -> Vec<u8>;
    let damages: [Damage; 3] = [
        |_| b"this was never a spool".repeat(1000),
        |bytes| bytes[..bytes.len() / 3].to_vec(),
        |bytes| bytes.into_iter().map(|byte| byte ^ 0x5a).collect(),
    ];
    for damage in damages {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deliveries.redb");
        let spool = open(folder.path());
        spool.put(delivery(0, "body")).await.unwrap();
        spool.close().await;
        let changed = damage(fs::read(&file).unwrap());
        fs::write(&file, &changed).unwrap();

        let spool = open(folder.path());
        spool.put(delivery(1, "the next one")).await.unwrap();
        assert_eq!(all(&spool).await.len(), 1);
        assert_eq!(names(folder.path()), ["damaged-1.redb", "deliveries.redb", "lock"]);
        assert_eq!(fs::read(folder.path().join("damaged-1.redb")).unwrap(), changed);
    }
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_told_apart_and_set_aside() {
    let folder = tempfile::tempdir().unwrap();
    let (good, bad) = (delivery(2, "good"), delivery(1, "bad"));
    let garbage = (Key::of(&bad), b"garbage".to_vec());
    let mut file = SpoolFile::new(folder.path());
    file.write(&[garbage.clone(), (Key::of(&good), record::encode(&good))], &[]).unwrap();
    file.close();
    drop(file);

    let spool = open(folder.path());
    let read = spool.read(None, 10).await.unwrap();
    assert_eq!((read[0].0, read[0].1.as_ref().unwrap_err()), (garbage.0, &Unreadable::Version(b'g')));
    assert_eq!(shown(read[1].1.as_ref().unwrap()), shown(&good));
    spool.set_aside(garbage.0).await.unwrap();
    assert_eq!(ids(&all(&spool).await), [good.id]);
    let aside = folder.path().join(format!("unreadable-{}", bad.id));
    assert_eq!(fs::read(&aside).unwrap(), b"garbage");
    assert_eq!(fs::metadata(&aside).unwrap().permissions().mode() & 0o777, 0o600);
}

#[tokio::test]
async fn a_folder_that_cannot_be_used_is_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("spool");
    fs::write(&dir, "a file in the place of the folder").unwrap();
    let spool = open(&dir);
    assert!(matches!(spool.probe().await, Err(Refused::Failed(_))));
    assert!(matches!(spool.put(delivery(0, "body")).await, Err(Refused::Failed(_))));
    fs::remove_file(&dir).unwrap();
    spool.put(delivery(0, "body")).await.unwrap();
    assert_eq!(spool.probe().await, Ok(()));
    assert_eq!(spool.depth().deliveries, 1);
}

/// A spool that holds a delivery and cannot be opened, because something stands in the place of its folder, and what
/// mends that.
async fn out_of_reach(folder: &Path) -> (Spool, impl FnOnce()) {
    let (dir, away) = (folder.join("spool"), folder.join("away"));
    let former = open(&dir);
    former.put(delivery(0, "body")).await.unwrap();
    former.close().await;
    fs::rename(&dir, &away).unwrap();
    fs::write(&dir, "in the way").unwrap();
    let spool = open(&dir);
    assert_eq!(spool.depth(), Depth::default());
    let mend = move || {
        fs::remove_file(&dir).unwrap();
        fs::rename(&away, &dir).unwrap();
    };
    (spool, mend)
}

#[tokio::test]
async fn what_is_in_a_spool_that_could_not_be_opened_is_counted_as_soon_as_it_can() {
    let folder = tempfile::tempdir().unwrap();
    let (spool, mend) = out_of_reach(folder.path()).await;
    let mut changes = spool.changes();
    mend();
    // Nobody asks it anything.
    let counted = changes.wait_for(|depth| depth.deliveries == 1);
    tokio::time::timeout(Duration::from_secs(20), counted).await.unwrap().unwrap();
    assert_eq!(all(&spool).await.len(), 1);
}

#[tokio::test]
async fn who_asks_whether_it_takes_deliveries_has_counted_what_is_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let (spool, mend) = out_of_reach(folder.path()).await;
    assert!(matches!(spool.probe().await, Err(Refused::Failed(_))));
    mend();
    assert_eq!(spool.probe().await, Ok(()));
    assert_eq!(spool.depth().deliveries, 1);
}

#[tokio::test]
async fn what_waits_for_a_disk_that_stalls_is_bounded_and_written_once_it_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (spool, run) = Spool::over(SpoolFile::new(&folder.path().join("spool")), WIDE, 10_000);
    let body = || vec![b'x'; 2_000];
    // Each has a posted body of six bytes as well.
    let put = |number| tokio::time::timeout(Duration::from_millis(5), spool.put(delivery(number, body())));
    for number in 0..4 {
        assert!(put(number).await.is_err(), "{number} waits, and is given up");
    }
    assert_eq!(put(4).await, Ok(Err(Refused::Slow)), "nobody waits for the others any more, but they are there");
    let thread = thread::spawn(run);
    assert_eq!(spool.probe().await, Ok(()));
    spool.put(delivery(4, vec![b'x'; 20_000])).await.unwrap();
    assert_eq!(all(&spool).await.len(), 5);
    spool.close().await;
    thread.join().unwrap();
}

/// A file system of a few megabytes, where the tests may mount one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(megabytes: usize) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let mut mount = Process::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"]).arg(folder.path());
        let mounted = mount.stderr(std::process::Stdio::null()).status().is_ok_and(|status| status.success());
        mounted.then(|| Self(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _best_effort = Process::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_costs_nothing_that_was_taken_and_is_survived() {
    let Some(disk) = SmallDisk::mount(8) else { return };
    let dir = disk.0.path().join("spool");
    let spool = open(&dir);
    spool.put(delivery(-1, "the first")).await.unwrap();
    // Somebody else fills the disk, to the last byte.
    let filler = disk.0.path().join("filler");
    let _full = fs::write(&filler, vec![1; 16 << 20]);
    let mut taken = vec![];
    for number in 0..200 {
        let delivery = delivery(number, vec![b'x'; 30_000]);
        match spool.put(delivery.clone()).await {
            Ok(()) => taken.push(delivery),
            Err(Refused::NoRoom | Refused::Failed(_)) => break,
            Err(refused) => panic!("{refused}"),
        }
    }
    assert!(taken.len() < 200, "the disk was never full");
    assert!(spool.put(delivery(500, vec![b'x'; 30_000])).await.is_err());
    fs::remove_file(&filler).unwrap();
    let last = delivery(1_000, "the last");
    spool.put(last.clone()).await.unwrap();
    let found = ids(&all(&spool).await);
    assert!(taken.iter().chain([&last]).all(|delivery| found.contains(&delivery.id)));
    spool.close().await;
    let again = open(&dir);
    assert_eq!(ids(&all(&again).await), found);
}

#[tokio::test]
async fn a_disk_that_fills_up_in_the_midst_of_a_write_is_survived() {
    let Some(disk) = SmallDisk::mount(6) else { return };
    let spool = open(&disk.0.path().join("spool"));
    // Groups that are larger than what is free, though each delivery is not: the check beforehand sees some fit.
    let mut taken = Vec::new();
    for round in 0..12 {
        let deliveries: Vec<_> = (0..8).map(|number| delivery(round * 8 + number, vec![7; 100_000])).collect();
        let puts = join_all(deliveries.iter().map(|delivery| spool.put(delivery.clone()))).await;
        taken.extend(deliveries.into_iter().zip(puts).filter(|(_, put)| put.is_ok()).map(|(delivery, _)| delivery));
    }
    assert!(!taken.is_empty() && taken.len() < 96, "{}", taken.len());
    let found = ids(&all(&spool).await);
    assert!(taken.iter().all(|delivery| found.contains(&delivery.id)));
    // What is drained makes room again.
    let keys: Vec<Key> = spool.read(None, 1000).await.unwrap().into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys.len(), found.len());
    for _ in 0..100 {
        let _perhaps_not_yet = spool.remove(keys.clone()).await;
        if spool.put(delivery(5_000, vec![7; 100_000])).await.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(spool.depth().deliveries, 1);
}
