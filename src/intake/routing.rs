//! Routing: the workspace of a delivery, by the dealership that its payload names, or else by its credential and the
//! vehicle that it is about; or why it has none.

use crate::domain::ids::WorkspaceId;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::router::{Found, Route, WorkspaceRouter};
use crate::domain::delivery::Delivery;
use crate::domain::feed::Feed;
use crate::domain::finding::{Code, Finding};
use crate::feeds::DealershipKey;
use crate::feeds::scan::Scan;
use crate::feeds::shape;
use crate::store::{Store, workspaces};

/// The pause before an identifier is looked up again while Postgres is away.
const RETRY_INTERVAL: Duration = Duration::from_millis(200);

/// Why a delivery is rejected, with its workspace where that is known.
pub(super) struct Rejection {
    pub(super) workspace: Option<WorkspaceId>,
    pub(super) findings: Vec<Finding>,
}

/// Finds workspaces, with the router of today's configuration.
#[derive(Debug)]
pub(super) struct Routing {
    store: Store,
    router: watch::Sender<Arc<WorkspaceRouter>>,
}

impl Routing {
    pub(super) fn new(store: Store, router: WorkspaceRouter) -> Self {
        Self { store, router: watch::Sender::new(Arc::new(router)) }
    }

    /// The router as it is now.
    pub(super) fn router(&self) -> Arc<WorkspaceRouter> {
        Arc::clone(&self.router.borrow())
    }

    /// The router, to be replaced and watched.
    pub(super) fn routers(&self) -> &watch::Sender<Arc<WorkspaceRouter>> {
        &self.router
    }

    /// The workspace of a delivery. Notes on it the dealership and the schema that the body names.
    pub(super) async fn route(&self, delivery: &mut Delivery, scan: &Scan) -> Result<Route, Rejection> {
        let feed = delivery.feed;
        delivery.schema_version = scan.schema_version;
        delivery.external_id.clone_from(&scan.external_id);
        let found = match scan.dealership {
            DealershipKey::Id(dealership) => {
                delivery.dealership_id = Some(dealership);
                self.router().find(dealership, &delivery.permitted, delivery.received_at)
            }
            DealershipKey::Unusable => Found::Unknown,
            // Boxed, because it is rare, and every delivery's future would be larger by it, and is moved.
            DealershipKey::Missing => match Box::pin(self.route_of_fragment(delivery, scan)).await {
                Some(route) => Found::Route(route),
                None => return Err(Rejection { workspace: None, findings: missing_dealership(delivery, scan) }),
            },
        };
        let (code, message) = match found {
            Found::Route(route) => {
                let too_many = |finding| Rejection { workspace: Some(route.workspace), findings: vec![finding] };
                return scan.too_many().map_or_else(|| Ok(route.clone()), |finding| Err(too_many(finding)));
            }
            Found::Unknown => (Code::DealershipUnknown, "no workspace has this dealership id"),
            Found::NotPermitted => {
                (Code::WorkspaceNotPermitted, "the credential may not write to this dealership's workspace")
            }
        };
        Err(Rejection { workspace: None, findings: vec![of_dealership(feed, code, message)] })
    }

    /// The workspace of a delivery that names no dealership: the credential's only one, else of a vehicle the one of its
    /// workspaces, or of those in which its dealerships stay, that knows the identifier. Waits while Postgres is away.
    async fn route_of_fragment(&self, delivery: &Delivery, scan: &Scan) -> Option<Route> {
        if !delivery.feed.may_name_no_dealership() {
            return None;
        }
        let router = self.router();
        let among = router.reachable(&delivery.permitted);
        if let [only] = among.as_slice() {
            return router.route_to(*only, delivery.received_at);
        }
        let only = match router.permitted(&delivery.permitted).as_slice() {
            [only] => router.route_to(*only, delivery.received_at),
            _ => None,
        };
        let Some(identifier) = &scan.identifier else { return only };
        let matching = loop {
            match workspaces::workspaces_with_identifier(&self.store, identifier, &among).await {
                Ok(matching) => break matching,
                Err(error) if error.is_transient() => tokio::time::sleep(RETRY_INTERVAL).await,
                Err(error) => {
                    tracing::error!(%error, "the workspace of an identifier could not be looked up");
                    return None;
                }
            }
        };
        match matching.as_slice() {
            [one] => router.route_to(*one, delivery.received_at),
            _ => only,
        }
    }
}

fn missing_dealership(delivery: &Delivery, scan: &Scan) -> Vec<Finding> {
    let feed = delivery.feed;
    let message = if feed.dealership_path().is_some() {
        "the delivery does not say which dealership it is for"
    } else {
        "a LeadPro delivery names no dealership: its credential must belong to exactly one workspace"
    };
    let mut findings = scan.findings();
    let message = message.to_owned() + &right_door(feed, &delivery.body);
    findings.push(of_dealership(feed, Code::DealershipMissing, &message));
    findings
}

/// The finding for a body that looks like another feed's than the one whose door it came to; else nothing.
pub(super) fn right_door(feed: Feed, body: &[u8]) -> String {
    match shape::guess(body).filter(|likely| *likely != feed) {
        Some(likely) => {
            let (door, name) = (likely.path(), likely.name());
            format!(
                "; it looks like what is posted to {door}, and `forecourt replay --as-feed {name}` applies it as that"
            )
        }
        None => String::new(),
    }
}

/// A finding about the dealership, at the place where the feed names it.
fn of_dealership(feed: Feed, code: Code, message: &str) -> Finding {
    Finding { code, path: feed.dealership_path().map(str::to_owned), message: message.to_owned() }
}
