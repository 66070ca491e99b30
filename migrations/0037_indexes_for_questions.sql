-- Indexes for what people ask of the views for reports (docs/questions.md names the questions).
--
-- Most begin with the workspace: every view joins its workspace, and a distributed table has no use for another. None holds a
-- column that an update of intake changes in the usual course, so that such updates stay within their page; and where only some
-- rows are asked for, only those are in it.
--
-- - leads_enquired_at_idx: leads by day, dealership, source and category, conversion, first response, lost reasons, trade-ins,
--   budgets: whatever counts the enquiries of a span, of one workspace. The expression is what the views call enquired_at.
-- - leads_enquired_at_brin_idx: the same of all workspaces. Leads stand in the table about as they came, so that for each 32
--   pages a few bounds say whether they are needed; it has an entry for each 32 pages and none for a lead. Several
--   bounds (minmax_multi), because a row may be put into the room that an older one has left.
-- - leads_received_at_brin_idx: what arrived since yesterday, and the files that are fetched of it.
-- - leads_erased_idx: what erased customers leave. It holds them alone.
-- - leads_contact_email_idx: what an address has asked for, where it made no customer. With a customer, the customer is
--   found by the address and the leads by the customer, both of which are indexed already; so is a phone number (0031).
-- - listing_changes_changed_at_idx: what changed in a span: price cuts, and what was withdrawn and listed again.
-- - appointments_starts_at_idx: who comes next week, and who did not turn up.
-- - listings_withdrawn_at_idx: what was withdrawn, and how long it stood.
--
-- Changes of leads have none: no view shows them by their time, they are asked for lead by lead.
--
-- Leads write to the first three; the others are written when a lead is blocked, when
-- something changes, or a car goes. What each costs is measured by `cargo bench --bench ingest -- --only=indexes`.
--
-- While they are built, the four tables can be read and not written (share): a service that runs puts what it is sent into its
-- spool. The locks are held to the end of all. On 100,000 leads, with the listings and appointments that belong to them, that took
-- 0.36 s on two cores that others shared, and it grows with the rows: on 10 million about a minute is to be expected.

do $$
begin
    set local maintenance_work_mem = '256MB';
    create index leads_enquired_at_idx on leads (workspace_id, coalesce(source_created_at, received_at));
    create index leads_enquired_at_brin_idx on leads
        using brin (coalesce(source_created_at, received_at) timestamptz_minmax_multi_ops)
        with (pages_per_range = 32, autosummarize = on);
    create index leads_received_at_brin_idx on leads
        using brin (received_at timestamptz_minmax_multi_ops) with (pages_per_range = 32, autosummarize = on);
    create index leads_erased_idx on leads (workspace_id, erased_at) where erased_at is not null;
    create index leads_contact_email_idx on leads (workspace_id, lower(contact_email))
        where person_id is null and contact_email is not null;
    create index listing_changes_changed_at_idx on listing_changes (workspace_id, changed_at);
    create index appointments_starts_at_idx on appointments (workspace_id, starts_at) where starts_at is not null;
    create index listings_withdrawn_at_idx on listings (workspace_id, withdrawn_at) where withdrawn_at is not null;
end
$$;
