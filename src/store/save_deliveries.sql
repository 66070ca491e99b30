-- Deliveries of one workspace, and the bodies of theirs that are not there yet.
with kept as (
    insert into intake.bodies (workspace_id, body_key, received_month, body, posted_body)
    select $1, body_key, received_month, body, posted_body
    from unnest($20::bytea[], $21::date[], $22::bytea[], $23::bytea[])
        as b (body_key, received_month, body, posted_body)
    on conflict (workspace_id, body_key, received_month) do nothing
)
insert into intake.deliveries as known
    (workspace_id, id, received_at, feed, external_id, dealership_id, credential, remote_address, content_type,
    body_sha256, schema_version, outcome, findings, changes, attempts, processing_ms, settled_at, retry_at,
    replays, shares_body, erased_at)
select $1, id, received_at, feed, external_id, dealership_id, credential, remote_address::inet, content_type,
    body_sha256, schema_version, outcome, findings::jsonb, changes::jsonb, attempts, processing_ms, settled_at,
    retry_at, replays::jsonb, shares_body, erased_at
from unnest($2::uuid[], $3::timestamptz[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[],
    $9::text[], $10::bytea[], $11::text[], $12::text[], $13::text[], $14::text[], $15::integer[],
    $16::float8[], $17::timestamptz[], $18::timestamptz[], $19::text[], $24::boolean[], $25::timestamptz[])
    as d (id, received_at, feed, external_id, dealership_id, credential, remote_address, content_type,
    body_sha256, schema_version, outcome, findings, changes, attempts, processing_ms, settled_at, retry_at,
    replays, shares_body, erased_at)
on conflict (workspace_id, id, received_at) do update set
    feed = excluded.feed, external_id = coalesce(excluded.external_id, known.external_id),
    dealership_id = excluded.dealership_id, schema_version = excluded.schema_version,
    outcome = excluded.outcome, findings = excluded.findings, changes = excluded.changes,
    attempts = excluded.attempts, processing_ms = excluded.processing_ms, settled_at = excluded.settled_at,
    retry_at = excluded.retry_at, replays = known.replays || excluded.replays,
    shares_body = excluded.shares_body, body = null, posted_body = null,
    body_sha256 = case when excluded.erased_at is null then known.body_sha256 end,
    erased_at = coalesce(known.erased_at, excluded.erased_at)
where known.attempts < excluded.attempts
