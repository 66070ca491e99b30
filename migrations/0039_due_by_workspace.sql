-- What is due is asked for workspace by workspace, so that over several servers each is asked where it is, and one that is
-- away keeps only its own workspaces waiting. So it is found by workspace, too. Few deliveries are ever due.
--
-- The one statement reads each partition once and writes next to nothing. Deliveries wait for it, or are spooled, for as long as
-- that takes; nobody who reads waits.
--
-- The index without the workspace (0022) stays, for a version of before that still runs.

create index deliveries_due_idx on intake.deliveries (workspace_id, retry_at) where retry_at is not null;
