//! What the service must have to store deliveries: Postgres or the spool.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::http::health::{Check, ProbeError};
use crate::intake::accept::Acceptor;
use crate::intake::clock;
use crate::store;

/// The parts that can store a delivery.
pub(super) fn checks(acceptor: &Acceptor) -> Vec<Check> {
    let mut checks = vec![postgres(acceptor.clone())];
    if let Some(spool) = acceptor.spool().cloned() {
        let full = spool.clone();
        checks.push(Check {
            part: "spool",
            detail: Some(Arc::new(move || {
                let depth = full.depth();
                let oldest_seconds = depth.age(clock::now());
                json!({ "deliveries": depth.deliveries, "bytes": depth.bytes, "oldest_seconds": oldest_seconds })
            })),
            probe: Arc::new(move || {
                let spool = spool.clone();
                Box::pin(async move { spool.probe().await.map_err(|refused| ProbeError::new(refused.code(), refused)) })
            }),
        });
    }
    checks
}

fn postgres(acceptor: Acceptor) -> Check {
    let seen = acceptor.clone();
    // What breaks a law and is put up with.
    let detail = move || {
        let flaws: Vec<String> = seen
            .intake()
            .map_or(Vec::new(), |intake| intake.store().flaws().iter().map(store::Flaw::in_short).collect());
        if flaws.is_empty() { Value::Null } else { json!({ "unsafe": flaws }) }
    };
    let probe = move || {
        let intake = acceptor.intake();
        let probed = async move {
            match intake {
                Some(intake) => intake.store().probe().await.map_err(|error| ProbeError::new(error.code(), error)),
                None => Err(ProbeError::new("not_ready", "its tables are not ready")),
            }
        };
        Box::pin(probed) as _
    };
    Check { part: "postgres", detail: Some(Arc::new(detail)), probe: Arc::new(probe) }
}
