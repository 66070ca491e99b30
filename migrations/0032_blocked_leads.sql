-- Blocked leads are found by their workspace, the newest first, with what stands in their way.
--
-- The console counts them by reason, and whoever asks why bookings are missing begins with them. Without an index of them
-- each such question reads every lead of a workspace, of which a few in a hundred are blocked. The reasons stand in the index,
-- so that counting them reads no lead.
--
-- Leads can be read and not written while it is built: a service that runs puts what it is sent into its spool. The table is
-- read once; of 2 million leads (1.4 GB, in memory) that took 0.7 s on two cores that had other work, so some 4 s of 10 million.

create index leads_blocked_idx on leads (workspace_id, received_at desc) include (booking_blockers)
    where booking_state = 'blocked';
