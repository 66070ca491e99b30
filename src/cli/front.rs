//! What stands before the tables and needs none: the doors, what takes deliveries in, and what takes refused requests.

use std::error::Error;
use std::io;
use std::sync::Arc;

use crate::config::{self, Config, Server, keyring};
use crate::domain::values;
use crate::feeds::Feed;
use crate::http::access::Entrance;
use crate::http::body;
use crate::http::body_budget::BodyBudget;
use crate::http::webhook::Doors;
use crate::http::{self, Router};
use crate::intake::clock;
use crate::intake::reception::{Reception, Terms};
use crate::intake::rejected::{self, Rejections};
use crate::intake::spool::{self, Spool};
use crate::store::rejected::Bounds;

use super::{access, readiness};

/// How many bytes of bodies may be on their way in, beside those that wait for a store.
const READING: usize = 64 << 20;
/// The spool's folder below the data directory.
const SPOOL: &str = "spool";
/// The file of the key that makes fingerprints of what refused requests presented.
const FINGERPRINT_KEY: &str = "fingerprint.key";

/// The doors and those who take what comes in.
#[derive(Clone, Debug)]
pub struct Front {
    /// Who may enter; a reload replaces it.
    pub entrance: Entrance,
    /// Takes deliveries in.
    pub reception: Reception,
    /// Takes refused requests.
    pub rejections: Rejections,
    /// The routes.
    pub router: Router,
}

impl Front {
    /// Opens it. Must be called inside a runtime.
    ///
    /// # Errors
    /// When credentials contradict each other, or another process has the spool.
    pub fn open(config: &Config) -> Result<Self, Box<dyn Error + Send + Sync>> {
        values::warm_up();
        let entrance = Entrance::new(access::open(config)?);
        let reception = reception(config)?;
        let rejections = Rejections::new(rejections(config)?);
        let router = router(config, entrance.clone(), &reception, rejections.clone());
        Ok(Self { entrance, reception, rejections, router })
    }
}

fn reception(config: &Config) -> Result<Reception, spool::OpenError> {
    let config::Spool { max_bytes, min_free_bytes } = config.spool;
    let spool = if max_bytes == 0 {
        None
    } else {
        Some(Spool::open(&config.server.data_dir.join(SPOOL), spool::Limits { max_bytes, min_free_bytes })?)
    };
    let Server { deadline, hold, max_held_bytes, .. } = config.server;
    Ok(Reception::new(spool, Terms { deadline, hold, max_held_bytes }))
}

/// What is kept of refused requests. Where the data directory cannot be written to, fingerprints can be compared only
/// within this run.
fn rejections(config: &Config) -> io::Result<rejected::Settings> {
    let config::Rejected { keep, max_count, max_bytes, per_minute_and_address, days } = config.rejected;
    let fingerprint_key = match keyring::kept_secret(&config.server.data_dir, FINGERPRINT_KEY) {
        Ok(key) => key,
        Err(error) => {
            let folder = config.server.data_dir.display();
            tracing::warn!(%error, %folder, "the key of fingerprints cannot be kept: a new one is used until the next start");
            keyring::new_secret()?
        }
    };
    let bounds = Bounds {
        max_count: i64::from(max_count),
        max_bytes: i64::try_from(max_bytes).unwrap_or(i64::MAX),
        days: i64::from(days),
    };
    Ok(rejected::Settings { keep, bounds, per_minute_and_address, fingerprint_key, clock: clock::now })
}

/// Room for bodies: for those that wait for a store, and for those that are being read.
fn budget(server: &Server) -> BodyBudget {
    let largest = Feed::ALL.iter().map(|feed| server.body_limit(*feed)).max().unwrap_or(0);
    let whole = body::room_of_whole(largest);
    BodyBudget::new(server.max_held_bytes.saturating_add(READING.max(whole.saturating_mul(2))), whole)
}

fn router(config: &Config, entrance: Entrance, reception: &Reception, rejections: Rejections) -> Router {
    let accepting = reception.clone();
    let doors = Doors {
        entrance,
        clock: clock::now,
        accept: Arc::new(move |arrival| {
            let reception = accepting.clone();
            Box::pin(async move { reception.accept(arrival).await })
        }),
        budget: budget(&config.server),
        hold: config.server.hold,
        rejections,
    };
    http::router(doors, readiness::checks(reception))
}
