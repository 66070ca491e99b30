-- What arrived, and what came of it.
--
-- A delivery and everything it changed are written in one transaction. The body is bytes: it can hold anything. It is not
-- compressed on the way in, which costs more time than it saves space at these sizes.

create table intake.deliveries (
    id uuid not null,
    received_at timestamptz not null,
    feed text not null,
    workspace_id bigint,
    dealership_id bigint,
    credential text not null,
    remote_address inet,
    content_type text,
    body bytea not null,
    body_sha256 bytea not null,
    schema_version text,
    outcome text not null,
    findings jsonb not null,
    changes jsonb not null,
    attempts integer not null,
    processing_ms double precision not null,
    settled_at timestamptz not null,
    retry_at timestamptz,
    constraint deliveries_pkey primary key (id, received_at),
    constraint deliveries_outcome_check check (outcome in ('applied', 'unchanged', 'ignored', 'rejected', 'failed'))
);

comment on column intake.deliveries.id is 'Id of the delivery, UUIDv7, made on arrival';
comment on column intake.deliveries.received_at is 'Arrival';
comment on column intake.deliveries.feed is 'Kind of delivery';
comment on column intake.deliveries.workspace_id is 'The workspace; absent where it was not known or not permitted';
comment on column intake.deliveries.dealership_id is 'The dealership id that the payload names';
comment on column intake.deliveries.credential is 'Name of the credential that let it in';
comment on column intake.deliveries.remote_address is 'Address of the sender';
comment on column intake.deliveries.content_type is 'Content-Type as sent';
comment on column intake.deliveries.body is 'The body as received, its Content-Encoding undone';
comment on column intake.deliveries.body_sha256 is 'SHA-256 of the body';
comment on column intake.deliveries.schema_version is 'v3 for a lead with a list of appointments, else v1; v1 and v2 cannot be told apart';
comment on column intake.deliveries.outcome is 'applied, unchanged, ignored, rejected or failed';
comment on column intake.deliveries.findings is 'What a person should know: an array of code, path and message';
comment on column intake.deliveries.changes is 'What became of the person, the lead, the listing and the booking';
comment on column intake.deliveries.attempts is 'How often it was tried';
comment on column intake.deliveries.processing_ms is 'Time from its arrival, or from the start of the last try, to its outcome, in milliseconds';
comment on column intake.deliveries.settled_at is 'When it got its outcome';
comment on column intake.deliveries.retry_at is 'When a failed delivery is tried again';
comment on table intake.deliveries is 'Every authenticated delivery as it arrived, with its one outcome';

alter table intake.deliveries alter column body set storage external;
create index deliveries_received_at_idx on intake.deliveries (received_at);
-- Failed deliveries that are due, and rejected ones that a dealership's configuration can mend.
create index deliveries_retry_at_idx on intake.deliveries (retry_at) where retry_at is not null;
create index deliveries_unassigned_idx on intake.deliveries (dealership_id) where workspace_id is null and outcome = 'rejected';

create table intake.drift (
    workspace_id bigint not null,
    feed text not null,
    path text not null,
    first_seen_at timestamptz not null,
    last_seen_at timestamptz not null,
    times_seen bigint not null,
    example_delivery_id uuid not null,
    constraint drift_pkey primary key (workspace_id, feed, path)
);

comment on column intake.drift.workspace_id is 'The workspace that the row belongs to';
comment on column intake.drift.feed is 'Kind of delivery';
comment on column intake.drift.path is 'Path of a field that is not documented, array positions as []';
comment on column intake.drift.first_seen_at is 'Arrival of the first delivery with it';
comment on column intake.drift.last_seen_at is 'Arrival of the newest delivery with it';
comment on column intake.drift.times_seen is 'How many deliveries had it';
comment on column intake.drift.example_delivery_id is 'A delivery that has it';
comment on table intake.drift is 'Fields that the senders send and do not document';

create table intake.finding_codes (
    code text not null,
    meaning text not null,
    remedy text not null,
    constraint finding_codes_pkey primary key (code)
);

comment on table intake.finding_codes is 'Every code that a finding can carry';
comment on column intake.finding_codes.code is 'The code';
comment on column intake.finding_codes.meaning is 'What it means';
comment on column intake.finding_codes.remedy is 'What to do about it';

create table intake.rejected (
    id uuid not null,
    received_at timestamptz not null,
    path text not null,
    remote_address inet,
    scheme text,
    fingerprint text,
    body bytea,
    constraint rejected_pkey primary key (id)
);

comment on column intake.rejected.id is 'Id of the request, UUIDv7, made on arrival';
comment on column intake.rejected.received_at is 'Arrival';
comment on column intake.rejected.path is 'Where it was posted to';
comment on column intake.rejected.remote_address is 'Address of the sender';
comment on column intake.rejected.scheme is 'The scheme that was tried';
comment on column intake.rejected.fingerprint is 'A digest of what was presented, which cannot be turned back';
comment on column intake.rejected.body is 'The body as received';
comment on table intake.rejected is 'Requests that came without a valid credential';

create index rejected_received_at_idx on intake.rejected (received_at);
