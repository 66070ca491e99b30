//! Power that goes at any moment: what was not synced is on the disk in part, in pieces, or not at all.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex};

use rand::{Rng as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use redb::{Builder, StorageBackend};

use super::super::file::SpoolFile;
use super::super::key::Key;
use super::{delivery, names};

/// What a disk was ordered to do.
#[derive(Clone, Debug)]
enum Order {
    Write(usize, Vec<u8>),
    Length(usize),
    Sync,
}

/// A disk that remembers the orders it was given.
#[derive(Clone, Debug, Default)]
struct Disk(Arc<Mutex<(Vec<u8>, Vec<Order>)>>);

fn place(offset: u64) -> usize {
    usize::try_from(offset).unwrap()
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().0.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let (bytes, _) = &*self.0.lock().unwrap();
        let read = bytes.get(place(offset)..place(offset) + out.len());
        out.copy_from_slice(read.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let (bytes, orders) = &mut *self.0.lock().unwrap();
        bytes.resize(place(len), 0);
        orders.push(Order::Length(place(len)));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.lock().unwrap().1.push(Order::Sync);
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let (bytes, orders) = &mut *self.0.lock().unwrap();
        bytes[place(offset)..place(offset) + data.len()].copy_from_slice(data);
        orders.push(Order::Write(place(offset), data.to_vec()));
        Ok(())
    }
}

/// The smallest piece that a disk writes whole.
const SECTOR: usize = 512;

/// What is on the disk when the power goes after so many orders: all until the last sync, and of the rest any sectors.
fn after_crash(orders: &[Order], chance: &mut ChaCha8Rng) -> Vec<u8> {
    let synced = orders.iter().rposition(|order| matches!(order, Order::Sync)).unwrap_or(0);
    // The length is kept by the file system, which does its changes in order.
    let resized = chance.random_range(synced..=orders.len());
    let likely = chance.random_range(0.0..=1.0);
    let mut bytes = Vec::new();
    for (number, order) in orders.iter().enumerate() {
        match order {
            Order::Length(length) if number < synced || number < resized => bytes.resize(*length, 0),
            Order::Length(_) | Order::Sync => {}
            Order::Write(offset, data) => {
                for (piece, sector) in data.chunks(SECTOR).enumerate() {
                    let at = offset + piece * SECTOR;
                    let kept = number < synced || chance.random_bool(likely);
                    if let (true, Some(there)) = (kept, bytes.get_mut(at..at + sector.len())) {
                        there.copy_from_slice(sector);
                    }
                }
            }
        }
    }
    bytes
}

/// What must be in the file from a moment on, counted in orders to the disk.
struct Moment {
    orders: usize,
    kept: BTreeMap<Key, Vec<u8>>,
}

/// Fills and empties a file in many small steps.
fn live(disk: &Disk, chance: &mut ChaCha8Rng) -> Vec<Moment> {
    let mut file = SpoolFile::over(Builder::new().create_with_backend(disk.clone()).unwrap());
    let mut kept = BTreeMap::new();
    let mut moments = Vec::new();
    for step in 0..60 {
        let puts: Vec<(Key, Vec<u8>)> = (0..chance.random_range(0..8))
            .map(|number| {
                let body = vec![u8::try_from(step).unwrap(); chance.random_range(0..40_000)];
                (Key::of(&delivery(step * 100 + number, body.clone())), body)
            })
            .collect();
        let leaving: BTreeSet<Key> = kept.keys().filter(|_| chance.random_bool(0.1)).copied().collect();
        let stays = |(key, body): (&Key, &Vec<u8>)| (!leaving.contains(key)).then(|| (*key, body.clone()));
        let orders = disk.0.lock().unwrap().1.len();
        kept = kept.iter().filter_map(stays).collect();
        // What is being removed may be there or not.
        moments.push(Moment { orders, kept: kept.clone() });
        file.write(&puts, &leaving.iter().copied().collect::<Vec<_>>()).unwrap();
        kept.extend(puts);
        let orders = disk.0.lock().unwrap().1.len();
        moments.push(Moment { orders, kept: kept.clone() });
    }
    std::mem::forget(file);
    moments
}

#[test]
fn power_that_goes_at_any_moment_costs_nothing_that_was_taken() {
    let mut chance = ChaCha8Rng::seed_from_u64(1);
    let disk = Disk::default();
    let moments = live(&disk, &mut chance);
    let orders = disk.0.lock().unwrap().1.clone();
    let first = moments[1].orders;
    for round in 0..150 {
        let count = chance.random_range(first..=orders.len());
        let moment = moments.iter().rfind(|moment| moment.orders <= count).unwrap();
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("deliveries.redb"), after_crash(&orders[..count], &mut chance)).unwrap();
        let mut file = SpoolFile::new(dir.path());
        let found: BTreeMap<Key, Vec<u8>> = file.read(None, 10_000, usize::MAX).unwrap().into_iter().collect();
        assert!(names(dir.path()).iter().all(|name| !name.starts_with("damaged")), "round {round}");
        for (key, body) in &moment.kept {
            assert_eq!(found.get(key), Some(body), "round {round}: {key} is lost");
        }
    }
}

#[test]
fn what_stands_after_the_last_page_is_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("deliveries.redb");
    let key = Key::of(&delivery(1, "first"));
    let mut file = SpoolFile::new(dir.path());
    file.write(&[(key, b"first".to_vec())], &[]).unwrap();
    // As it is after a crash: not closed in order.
    let crashed = std::fs::read(&path).unwrap();
    drop(file);
    for surplus in [1, 4_095, 4_096, 70_001] {
        let mut torn = crashed.clone();
        torn.extend(std::iter::repeat_n(0xA5, surplus));
        std::fs::write(&path, torn).unwrap();
        let mut file = SpoolFile::new(dir.path());
        let found = file.read(None, 10, usize::MAX).unwrap();
        assert_eq!(found, [(key, b"first".to_vec())], "{surplus} bytes more");
        assert!(names(dir.path()).iter().all(|name| !name.starts_with("damaged")), "{surplus} bytes more");
        file.close();
    }
}
