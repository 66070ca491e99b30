-- When each dealership was last heard of, by feed, and whether it has fallen silent.
--
-- A sender that stops is noticed by nobody: there is nothing to be seen. So for each dealership and feed one row says when
-- its last delivery was accepted, and, where the configuration expects deliveries, since when there has been none for too
-- long. The rows are written beside the deliveries' transactions, once a minute and workspace at the most, so that they
-- cost intake nothing. What was accepted before this version is not counted: reading all deliveries for it would hold up
-- the start, and after one delivery, or one span of what is expected, it makes no difference.
--
-- Two empty tables are made: whatever the others hold, nothing of them is read, locked or written.

create table intake.dealership_feeds (
    workspace_id bigint not null,
    dealership_id bigint not null,
    feed text not null,
    last_accepted_at timestamptz,
    last_delivery_id uuid,
    deliveries_today bigint not null default 0,
    expected_every interval,
    expected_since timestamptz,
    silent_since timestamptz,
    counted_on date not null,
    counted_from timestamptz,
    constraint dealership_feeds_pkey primary key (workspace_id, dealership_id, feed),
    constraint dealership_feeds_expected_check check ((expected_every is null) = (expected_since is null)),
    constraint dealership_feeds_counted_check check (expected_every is null or counted_from is not null),
    constraint dealership_feeds_silent_check check (silent_since is null or expected_every is not null)
);

comment on table intake.dealership_feeds is 'When each dealership''s deliveries were last accepted, by feed, and whether it has fallen silent; as of the last minute';
comment on column intake.dealership_feeds.workspace_id is 'The workspace that the row belongs to';
comment on column intake.dealership_feeds.dealership_id is 'Id of the dealership at the sender; 0 for LeadPro, whose deliveries name none';
comment on column intake.dealership_feeds.feed is 'Kind of delivery';
comment on column intake.dealership_feeds.last_accepted_at is 'Arrival of the newest delivery that was stored, whatever its outcome; absent where there was none since this is counted';
comment on column intake.dealership_feeds.last_delivery_id is 'The newest delivery that was stored';
comment on column intake.dealership_feeds.deliveries_today is 'How many deliveries arrived on the current day in the workspace''s zone';
comment on column intake.dealership_feeds.expected_every is 'At least how often the configuration expects a delivery; absent where it expects none';
comment on column intake.dealership_feeds.expected_since is 'Since when it expects them';
comment on column intake.dealership_feeds.silent_since is 'Since when a delivery is overdue; absent while none is';
comment on column intake.dealership_feeds.counted_on is 'Of the service: the day in the workspace''s zone that deliveries_today counts';
comment on column intake.dealership_feeds.counted_from is 'Of the service: from when on silence is counted: the newest delivery, else the time from which one is expected, later by the time in which no service ran';

create table intake.workspace_watches (
    workspace_id bigint not null,
    watched_until timestamptz not null,
    constraint workspace_watches_pkey primary key (workspace_id)
);

comment on table intake.workspace_watches is 'Of the service: up to when somebody could hear the senders, so that a service that did not run takes nobody for silent';
comment on column intake.workspace_watches.workspace_id is 'The workspace whose senders are expected to deliver';
comment on column intake.workspace_watches.watched_until is 'When a service, with Postgres at hand, last looked whether one has fallen silent';
