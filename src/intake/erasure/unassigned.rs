//! What belongs to no workspace: deliveries that were rejected or failed there, and refused requests. Nothing but reading
//! them tells whom they are about.

use uuid::Uuid;

use super::gather::{Gathered, Wanted};
use super::job::Job;
use super::order::ErasureError;
use crate::domain::erasure::{self, Subject};
use crate::domain::ids::WorkspaceId;
use crate::intake::{clock, named};
use crate::store::erased_bodies::RefusedBody;
use crate::store::erasures::Counts;
use crate::store::{Connection, Store, erased_bodies, erasures};

/// The workspace of what has none.
const NONE: i64 = 0;

impl Job<'_> {
    /// Erases what belongs to no workspace.
    pub(super) async fn erase_unassigned(
        &self,
        store: &Store,
        everywhere: &Gathered,
        counts: &mut Counts,
    ) -> Result<(), ErasureError> {
        let (wanted, erased_at) = (self.wanted(NONE), self.order.erased_at);
        let mut gathered = everywhere.clone();
        let mut tx = store.begin(Some(WorkspaceId::from(NONE))).await?;
        erasures::key_of(store, &mut tx, NONE).await?;
        gathered.complete(&mut tx, &wanted, erased_at).await?;
        let bodies: Vec<_> = gathered.deliveries.iter().copied().collect();
        let mut here = Counts::new();
        let deleted = erased_bodies::delete(&mut tx, NONE, &bodies, erased_at).await?;
        here.insert("intake.deliveries".to_owned(), deleted);
        here.insert("intake.rejected".to_owned(), self.erase_refused(&mut tx, &wanted, &gathered).await?);
        self.conclude(tx, &wanted, &gathered.known.subjects, &here).await?;
        for (table, count) in here {
            *counts.entry(table).or_default() += count;
        }
        Ok(())
    }

    async fn erase_refused(
        &self,
        tx: &mut Connection,
        wanted: &Wanted<'_>,
        gathered: &Gathered,
    ) -> Result<i64, ErasureError> {
        let mut found = Vec::new();
        let mut after = Uuid::nil();
        loop {
            // Those that came after the order, too, make nobody: nothing is applied from there by itself.
            let until = self.order.erased_at.max(clock::now());
            let refused = erased_bodies::refused(tx, until, after).await?;
            let Some(last) = refused.last() else { break };
            after = last.id;
            let about = refused.iter().filter(|request| is_about(request, wanted, gathered));
            found.extend(about.map(|request| request.id));
        }
        erased_bodies::delete_refused(tx, &found).await?;
        Ok(i64::try_from(found.len()).unwrap_or(i64::MAX))
    }
}

fn is_about(request: &RefusedBody, wanted: &Wanted<'_>, gathered: &Gathered) -> bool {
    let RefusedBody { id: _, received_at, feed, body } = request;
    let by_parsing = named::by_parsing(*feed, body, *received_at);
    let named = if by_parsing.is_empty() {
        if gathered.known.phones.iter().any(|phone| erasure::has_phone(body, phone)) {
            return true;
        }
        erasure::addresses_in(body).into_iter().map(Subject::Address).collect()
    } else {
        by_parsing
    };
    !wanted.among(named, &gathered.known.subjects).is_empty()
}
