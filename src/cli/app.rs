//! The part of the service that needs no tables: the doors, what takes deliveries in, and what takes refused requests.

use std::error::Error;
use std::io;
use std::sync::Arc;

use crate::admin::{self, AdminState, ConsoleSettings, Look};
use crate::config::{self, Budgets, Config, Server, keyring};
use crate::domain::values;
use crate::http::access::CurrentPolicy;
use crate::http::body_budget::BodyBudget;
use crate::http::webhook::WebhookState;
use crate::http::{self, Router};
use crate::intake::accept::{Acceptor, Timeouts};
use crate::intake::clock;
use crate::intake::complaints::Complaints;
use crate::metrics::{Metrics, Sample, SpoolSample};
use crate::quarantine::{self, Quarantine};
use crate::spool::{self, Spool};
use crate::store::rejected::Bounds;

use super::{access, readiness};

/// The file of the key that makes fingerprints of what refused requests presented.
const FINGERPRINT_KEY: &str = "fingerprint.key";

/// The doors and those who take what comes in.
#[derive(Clone, Debug)]
pub struct App {
    /// Who may enter; a reload replaces it.
    pub current_policy: CurrentPolicy,
    /// Takes deliveries in.
    pub acceptor: Acceptor,
    /// Takes refused requests.
    pub quarantine: Quarantine,
    /// Takes requests that were posted to no door.
    pub misdirected: Quarantine,
    /// What is counted and measured.
    pub metrics: Metrics,
    /// The routes.
    pub router: Router,
    /// The routes of the admin listener, which is served where the configuration has one.
    pub admin: Router,
}

impl App {
    /// Opens it. Must be called inside a runtime.
    ///
    /// # Errors
    /// When credentials contradict each other, or another process has the spool.
    pub fn open(config: &Config) -> Result<Self, Box<dyn Error + Send + Sync>> {
        values::warm_up();
        let current_policy = CurrentPolicy::new(access::open(config)?);
        let acceptor = acceptor(config)?;
        let settings = quarantine(config)?;
        let misdirected = Quarantine::new(settings.of_no_door());
        let quarantine = Quarantine::new(settings);
        let metrics = Metrics::default();
        let state = webhook_state(config, &current_policy, &acceptor, (&quarantine, &misdirected), &metrics);
        let checks = readiness::checks(&acceptor);
        let admin = admin::router(AdminState {
            metrics: metrics.clone(),
            look: look(config, &acceptor),
            checks: checks.clone(),
            budget: state.budget.clone(),
            hosts: config.admin.as_ref().map_or_else(Vec::new, |admin| admin.hosts.clone()),
            console: console(config, &acceptor),
        });
        let router = http::router(state, checks);
        Ok(Self { current_policy, acceptor, quarantine, misdirected, metrics, router, admin })
    }
}

/// What the console works with, where somebody may log in to it.
fn console(config: &Config, acceptor: &Acceptor) -> Option<ConsoleSettings> {
    let login = config.admin.as_ref()?.console.clone()?;
    let proxies = config.server.proxies.clone();
    Some(ConsoleSettings { login, acceptor: acceptor.clone(), proxies, clock: clock::now })
}

fn acceptor(config: &Config) -> Result<Acceptor, spool::OpenError> {
    let config::Spool { max_bytes, min_free_bytes } = config.spool;
    let Server { deadline, hold, budgets, .. } = config.server;
    let spool = if max_bytes == 0 {
        None
    } else {
        let limits = spool::Limits { max_bytes, min_free_bytes };
        // All bodies there are may wait for it.
        let waiting = u32::try_from(budgets.held.saturating_add(budgets.arriving)).unwrap_or(u32::MAX);
        Some(Spool::open_for(&config.server.data_dir.join(spool::FOLDER), limits, waiting)?)
    };
    Ok(Acceptor::new(spool, Timeouts { deadline, hold, max_held_bytes: budgets.held }))
}

/// What is kept of refused requests. Where the data directory cannot be written to, fingerprints can be compared only
/// within this run.
fn quarantine(config: &Config) -> io::Result<quarantine::Settings> {
    let config::Rejected { keep, max_count, max_bytes, per_minute_and_address } = config.rejected;
    let fingerprint_key = match keyring::load_or_create_secret(&config.server.data_dir, FINGERPRINT_KEY) {
        Ok(key) => key,
        Err(error) => {
            let folder = config.server.data_dir.display();
            tracing::warn!(%error, %folder, "the key of fingerprints cannot be kept: a new one is used until the next start");
            keyring::new_secret()?
        }
    };
    let bounds = Bounds {
        of_no_door: false,
        max_count: i64::from(max_count),
        max_bytes: i64::try_from(max_bytes).unwrap_or(i64::MAX),
    };
    Ok(quarantine::Settings { keep, bounds, per_minute_and_address, fingerprint_key, clock: clock::now })
}

/// Room for bodies: for those that wait for a store, and for those that are being read.
fn body_budget(server: &Server) -> BodyBudget {
    let Budgets { held, arriving, whole_body, .. } = server.budgets;
    BodyBudget::new(held.saturating_add(arriving), whole_body)
}

/// What the doors work with.
fn webhook_state(
    config: &Config,
    current_policy: &CurrentPolicy,
    acceptor: &Acceptor,
    (quarantine, misdirected): (&Quarantine, &Quarantine),
    metrics: &Metrics,
) -> WebhookState {
    let accepting = acceptor.clone();
    WebhookState {
        current_policy: current_policy.clone(),
        clock: clock::now,
        accept: Arc::new(move |delivery| {
            let acceptor = accepting.clone();
            Box::pin(async move { acceptor.accept(delivery).await })
        }),
        budget: body_budget(&config.server),
        hold: config.server.hold,
        quarantine: quarantine.clone(),
        misdirected: misdirected.clone(),
        proxies: config.server.proxies.clone(),
        metrics: metrics.clone(),
        complaints: Complaints::default(),
    }
}

/// What the metrics look at when somebody asks for them.
fn look(config: &Config, acceptor: &Acceptor) -> Look {
    let memory_limit_bytes = u64::try_from(config.server.budgets.memory).unwrap_or(u64::MAX);
    let (acceptor, limit_bytes) = (acceptor.clone(), config.spool.max_bytes);
    Arc::new(move || {
        let spool = acceptor.spool().map(|spool| {
            let depth = spool.depth();
            let oldest_seconds = depth.age(clock::now());
            SpoolSample { deliveries: depth.deliveries, bytes: depth.bytes, oldest_seconds, limit_bytes }
        });
        Sample { spool, memory_limit_bytes }
    })
}
