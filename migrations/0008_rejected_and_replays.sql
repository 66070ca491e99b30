-- What a replay needs: enough of a refused request to become a delivery, and what each replay made of a delivery.
--
-- A refused request is kept for a while, so that a secret that was wrong for a night loses nothing. What was presented
-- is not kept; its fingerprint tells one wrong secret from another and cannot be turned back without a key that is not
-- in the database.

alter table intake.rejected
    add column feed text,
    add column content_type text,
    add column replayed_at timestamptz,
    add column delivery_id uuid;

comment on column intake.rejected.scheme is 'The schemes that were tried, by name; absent where nothing was presented';
comment on column intake.rejected.fingerprint is 'Tells one wrong secret from another and cannot be turned back; absent where nothing was presented';
comment on column intake.rejected.body is 'The body, its Content-Encoding undone; absent where it could not be kept whole';
comment on column intake.rejected.feed is 'Kind of delivery that it would have been';
comment on column intake.rejected.content_type is 'Content-Type as sent';
comment on column intake.rejected.replayed_at is 'When a replay made a delivery of it';
comment on column intake.rejected.delivery_id is 'The delivery that a replay made of it; it has the same id';
comment on table intake.rejected is 'Requests that came without a valid credential, kept for a while; nothing is applied from here by itself';

alter table intake.rejected alter column body set storage external;

alter table intake.deliveries add column replays jsonb not null default '[]';

comment on column intake.deliveries.replays is 'Each replay that a person asked for, oldest first: at, attempt, and outcome, changes and codes of findings, before it and as it made them';
