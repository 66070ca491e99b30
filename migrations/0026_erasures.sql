-- Persons can be erased.
--
-- An erasure is a fact with a time: whatever was received before it and names what was erased contributes nothing
-- personal, whenever and by whichever process it is applied. So it is kept, by a fingerprint that only the holder of a
-- key can compare: what was erased does not stand here. One row is one address, or one lead of a sender, in one
-- workspace; in workspace 0 it counts for deliveries of no known workspace and for refused requests.
--
-- A batch asks in the message that begins it whether its workspace has any erasure, and only then which: both by the
-- index below. Bookings stay as rows that count when their person is gone, and leads say when they were erased.
--
-- The column has no default and the constraint only goes away, so that each statement takes its lock for some
-- milliseconds, whatever the number of rows.

create table intake.erasures (
    id bigint not null default nextval('row_ids'),
    workspace_id bigint not null,
    erased_at timestamptz not null,
    reason text,
    counts jsonb not null,
    fingerprint text not null,
    kind text not null,
    order_id uuid not null,
    key_id text not null,
    constraint erasures_pkey primary key (id),
    constraint erasures_fingerprint_key unique (workspace_id, fingerprint, erased_at),
    constraint erasures_kind_check check (kind in ('address', 'lead'))
);

comment on table intake.erasures is 'What was erased, by fingerprints that tell nothing: what was received before contributes nothing personal';
comment on column intake.erasures.id is 'Id of the row';
comment on column intake.erasures.workspace_id is 'The workspace; 0 for what belongs to none';
comment on column intake.erasures.erased_at is 'What was received before this is erased';
comment on column intake.erasures.reason is 'Why, in the words of who erased; no personal data';
comment on column intake.erasures.counts is 'How many rows of each table it concerned; once for each erasure and workspace';
comment on column intake.erasures.fingerprint is 'HMAC-SHA-256 of the workspace and the address, or of the workspace, the sender and its lead id';
comment on column intake.erasures.kind is 'address or lead';
comment on column intake.erasures.order_id is 'The order that it belongs to: one person asked for at a time';
comment on column intake.erasures.key_id is 'Tells one key of fingerprints from another, and nothing about it';

alter table leads add column erased_at timestamptz;
comment on column leads.erased_at is 'When its customer was erased last; what was received before that is gone';

alter table bookings alter column person_id drop not null;
comment on column bookings.person_id is 'The person; absent where the person was erased';

comment on column intake.deliveries.erased_at is 'When its body was erased, because it was about a person who was';

-- What has no workspace is written by one transaction at a time, too.
alter table intake.workspace_locks drop constraint workspace_locks_workspace_id_fkey;
comment on column intake.workspace_locks.workspace_id is 'The workspace; 0 for what belongs to none';
insert into intake.workspace_locks (workspace_id) values (0) on conflict do nothing;
