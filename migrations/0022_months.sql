-- Deliveries in months, the last of four steps: a part of the table for each month (UTC) of arrival, and bodies in a table of
-- their own that is parted likewise.
--
-- The rows that are there become the first part as they are, with their bodies. A part for this month and the next two is
-- always there: the service sees to it. What belongs to none, because it is older than all of them or because a clock was
-- wrong, is kept in a default part.
--
-- A body stands under the id of its delivery. Only that of a vehicle that was applied stands under its digest, once a month
-- and workspace, however often it is sent: a daily full feed repeats nearly all of them.
--
-- The table is locked for all while this runs, which took 1.3 s on 10 million rows (two cores under a load of 20), because 0019 to 0021 have done what takes
-- time. A service of the version before cannot store deliveries from then on: its statement names a key that is gone. It
-- writes nothing of them, and keeps them in its spool.

do $$
declare
    bound date := (
        select obj_description(oid, 'pg_constraint')::date from pg_constraint
        where conrelid = 'intake.deliveries'::regclass and conname = 'deliveries_until_check'
    );
    until text := 'deliveries_until_' || to_char(bound - 1, 'YYYY_MM');
begin
    lock table intake.deliveries in access exclusive mode;
    -- Those that came after 0020, by its promise none.
    alter table intake.deliveries alter column workspace_id set not null;
    alter table intake.deliveries drop constraint deliveries_pkey;
    drop index intake.deliveries_unassigned_idx;
    alter table intake.deliveries add constraint deliveries_until_pkey primary key using index deliveries_until_pkey;
    alter index intake.deliveries_received_at_idx rename to deliveries_until_received_at_idx;
    alter index intake.deliveries_retry_at_idx rename to deliveries_until_retry_at_idx;
    execute format('alter table intake.deliveries rename to %I', until);
end
$$;

create table intake.deliveries (
    workspace_id bigint not null,
    id uuid not null,
    received_at timestamptz not null,
    feed text not null,
    external_id text,
    dealership_id bigint,
    credential text not null,
    remote_address inet,
    content_type text,
    body_sha256 bytea,
    schema_version text,
    outcome text not null,
    findings jsonb not null,
    changes jsonb not null,
    attempts integer not null,
    processing_ms double precision not null,
    settled_at timestamptz not null,
    retry_at timestamptz,
    replays jsonb not null default '[]',
    erased_at timestamptz,
    shares_body boolean not null default false,
    body bytea,
    posted_body bytea,
    constraint deliveries_pkey primary key (workspace_id, id, received_at),
    constraint deliveries_outcome_check check (outcome in ('applied', 'unchanged', 'ignored', 'rejected', 'failed'))
) partition by range (received_at);

alter table intake.deliveries alter column body set storage external;
alter table intake.deliveries alter column posted_body set storage external;

comment on table intake.deliveries is 'Every authenticated delivery with its one outcome, a partition a month; with their bodies in intake.deliveries_with_bodies';
comment on column intake.deliveries.workspace_id is 'The workspace; 0 where it was not known or not permitted';
comment on column intake.deliveries.id is 'Id of the delivery, UUIDv7, made of its arrival';
comment on column intake.deliveries.received_at is 'Arrival';
comment on column intake.deliveries.feed is 'Kind of delivery';
comment on column intake.deliveries.external_id is 'The sender''s id of what it is about: of the lead, the lead cluster or the vehicle; absent where it names none, and of deliveries from before this column';
comment on column intake.deliveries.dealership_id is 'The dealership id that the payload names';
comment on column intake.deliveries.credential is 'Name of the credential that let it in';
comment on column intake.deliveries.remote_address is 'Address of the sender';
comment on column intake.deliveries.content_type is 'Content-Type as sent';
comment on column intake.deliveries.body_sha256 is 'SHA-256 of the body; absent where it was erased';
comment on column intake.deliveries.schema_version is 'v3 for a lead with a list of appointments, else v1; v1 and v2 cannot be told apart';
comment on column intake.deliveries.outcome is 'applied, unchanged, ignored, rejected or failed';
comment on column intake.deliveries.findings is 'What a person should know: an array of code, path and message';
comment on column intake.deliveries.changes is 'What became of the person, the lead, the listing and the booking';
comment on column intake.deliveries.attempts is 'How often it was tried';
comment on column intake.deliveries.processing_ms is 'Time from its arrival, or from the start of the last try, to its outcome, in milliseconds';
comment on column intake.deliveries.settled_at is 'When it got its outcome';
comment on column intake.deliveries.retry_at is 'When a failed delivery is tried again';
comment on column intake.deliveries.replays is 'Each replay that a person asked for, oldest first: at, attempt, and outcome, changes and codes of findings, before it and as it made them; before it the feed, too, where the replay applied it as another';
comment on column intake.deliveries.erased_at is 'When its body was erased';
comment on column intake.deliveries.shares_body is 'Of the service: whether its body is kept in intake.bodies under its digest, with others, and not under the delivery''s id';
comment on column intake.deliveries.body is 'Of the service: the body of a delivery from before there was intake.bodies; read intake.deliveries_with_bodies, which has all';
comment on column intake.deliveries.posted_body is 'Of the service: what was posted beside a signed token, of a delivery from before there was intake.bodies; read intake.deliveries_with_bodies';

-- A delivery is looked up by its id and arrival, whose workspace may not be known, or by its id, which tells its arrival.
create index deliveries_received_at_idx on intake.deliveries (received_at);
-- Failed deliveries that are due, and rejected ones that a dealership's configuration can mend.
create index deliveries_retry_at_idx on intake.deliveries (retry_at) where retry_at is not null;
create index deliveries_unassigned_idx on intake.deliveries (dealership_id) where workspace_id = 0 and outcome = 'rejected';
-- What was said of a lead, a lead cluster or a vehicle, in order of arrival.
create index deliveries_external_id_idx on intake.deliveries (workspace_id, external_id, received_at)
    where external_id is not null;

create table intake.deliveries_default partition of intake.deliveries default;

create table intake.bodies (
    workspace_id bigint not null,
    body_key bytea not null,
    received_month date not null,
    body bytea not null,
    posted_body bytea,
    constraint bodies_pkey primary key (workspace_id, body_key, received_month)
) partition by range (received_month);

alter table intake.bodies alter column body set storage external;
alter table intake.bodies alter column posted_body set storage external;

comment on table intake.bodies is 'The bodies of deliveries, a partition a month; beside their deliveries in intake.deliveries_with_bodies';
comment on column intake.bodies.workspace_id is 'The workspace of its deliveries; 0 where that was not known or not permitted';
comment on column intake.bodies.body_key is 'SHA-256 of the body of a vehicle that was applied, which all deliveries of that body in the month share; else the 16 bytes of the delivery''s id';
comment on column intake.bodies.received_month is 'The first day of the month (UTC) in which its deliveries arrived';
comment on column intake.bodies.body is 'The body as received, its Content-Encoding undone; of a signed token its claims';
comment on column intake.bodies.posted_body is 'What was posted beside a signed token; absent where that is equal to the claims, or nothing was';

create table intake.bodies_default partition of intake.bodies default;
-- A body stays in its row up to the size of a page: one write less for each.
alter table intake.bodies_default set (toast_tuple_target = 8160);

-- Makes the parts of one month, where they are not there; what is in the default part moves into them. Any number of callers
-- may do so at once. Who waits for a long query of somebody else gives up soon, because others would wait behind.
create function intake.make_partitions(month date) returns void
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '5s' as $$
declare
    begins date := date_trunc('month', month::timestamp)::date;
    ends date := (date_trunc('month', month::timestamp) + interval '1 month')::date;
    -- The column by which each is parted, and how its bounds are written.
    parent text;
    part text;
    place text;
    bounds text[];
begin
    foreach parent in array array['deliveries', 'bodies'] loop
        part := parent || '_' || to_char(begins, 'YYYY_MM');
        if to_regclass(format('intake.%I', part)) is not null then
            continue;
        end if;
        -- One at a time; nobody who reads or writes waits for that.
        execute format('lock table intake.%I in share update exclusive mode', parent);
        -- Another has made it meanwhile, or it is in the first part, that of the deliveries from before there were months.
        if exists (
            select from pg_inherits i join pg_class c on c.oid = i.inhrelid
            where i.inhparent = format('intake.%I', parent)::regclass
                and (c.relname = part or c.relname ~ '_until_' and c.relname >= parent || '_until_' || to_char(begins, 'YYYY_MM'))
        ) then
            continue;
        end if;
        if parent = 'deliveries' then
            place := 'received_at';
            bounds := array[to_char(begins, 'YYYY-MM-DD') || ' 00:00:00+00', to_char(ends, 'YYYY-MM-DD') || ' 00:00:00+00'];
        else
            place := 'received_month';
            bounds := array[to_char(begins, 'YYYY-MM-DD'), to_char(ends, 'YYYY-MM-DD')];
        end if;
        execute format('create table intake.%I (like intake.%I including all)', part, parent);
        execute format('comment on table intake.%I is %L', part, format('A month of intake.%s', parent));
        if parent = 'bodies' then
            execute format('alter table intake.%I set (toast_tuple_target = 8160)', part);
        end if;
        execute format('lock table intake.%I in access exclusive mode', parent || '_default');
        execute format(
            'with moved as (delete from intake.%I where %I >= %L and %I < %L returning *) insert into intake.%I select * from moved',
            parent || '_default', place, bounds[1], place, bounds[2], part
        );
        execute format(
            'alter table intake.%I attach partition intake.%I for values from (%L) to (%L)',
            parent, part, bounds[1], bounds[2]
        );
    end loop;
end
$$;

comment on function intake.make_partitions(date) is 'Makes the partitions of a month of intake.deliveries and intake.bodies, where they are not there';

-- Drops the part of a month that is over, with all that is in it; of the deliveries from before there were months all, where
-- the month is the last of them. Tells whether there was one.
create function intake.drop_partition(kind text, month date) returns boolean
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '5s' as $$
declare
    name text := to_char(month, 'YYYY_MM');
    part text;
begin
    if kind is null or kind not in ('deliveries', 'bodies') then
        raise exception 'deliveries and bodies have partitions, % has none', kind using errcode = 'invalid_parameter_value';
    end if;
    if month is null or date_trunc('month', month::timestamp) >= date_trunc('month', now() at time zone 'UTC') then
        raise exception 'the month % is not over', month using errcode = 'invalid_parameter_value';
    end if;
    select c.relname into part from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = format('intake.%I', kind)::regclass
        and c.relname in (kind || '_' || name, kind || '_until_' || name);
    if part is null then
        return false;
    end if;
    execute format('drop table intake.%I', part);
    return true;
end
$$;

comment on function intake.drop_partition(text, date) is 'Drops the partition of a month of intake.deliveries or intake.bodies; tells whether there was one';

revoke all on function intake.make_partitions(date) from public;
revoke all on function intake.drop_partition(text, date) from public;

-- The deliveries from before become the first part. Where there are none, nothing is left of their table.
do $$
declare
    former text;
    bound text;
    month date := date_trunc('month', now() at time zone 'UTC')::date;
    is_empty boolean;
begin
    select c.relname, obj_description(k.oid, 'pg_constraint') into strict former, bound
    from pg_constraint k join pg_class c on c.oid = k.conrelid
    where k.conname = 'deliveries_until_check' and c.relnamespace = 'intake'::regnamespace;
    execute format('select not exists (select from intake.%I)', former) into strict is_empty;
    if is_empty then
        execute format('drop table intake.%I', former);
    else
        execute format(
            'alter table intake.deliveries attach partition intake.%I for values from (minvalue) to (%L)',
            former, bound || ' 00:00:00+00'
        );
        execute format('alter table intake.%I drop constraint deliveries_until_check', former);
        execute format(
            'comment on table intake.%I is %L', former, 'The deliveries from before intake.deliveries had months, with their bodies'
        );
        execute format(
            'comment on column intake.%I.workspace_id is %L', former, 'The workspace; 0 where it was not known or not permitted'
        );
    end if;
    for ahead in 0..2 loop
        perform intake.make_partitions((month + ahead * interval '1 month')::date);
    end loop;
end
$$;

create view intake.deliveries_with_bodies as
select d.workspace_id, d.id, d.received_at, d.feed, d.external_id, d.dealership_id, d.credential, d.remote_address,
    d.content_type, d.body_sha256, d.schema_version, d.outcome, d.findings, d.changes, d.attempts, d.processing_ms,
    d.settled_at, d.retry_at, d.replays, d.erased_at, d.shares_body,
    coalesce(d.body, b.body) as body, coalesce(d.posted_body, b.posted_body) as posted_body, w.slug as workspace
from intake.deliveries d
left join intake.bodies b on b.workspace_id = d.workspace_id
    and b.body_key = case when d.shares_body then d.body_sha256 else uuid_send(d.id) end
    and b.received_month = date_trunc('month', d.received_at at time zone 'UTC')::date
left join workspaces w on w.id = d.workspace_id;

comment on view intake.deliveries_with_bodies is 'Every delivery with its body and the name of its workspace';

do $$
declare
    told record;
begin
    for told in
        select a.attname, case a.attname
            when 'body' then 'The body as received, its Content-Encoding undone; of a signed token its claims; absent where it was erased or let go'
            when 'posted_body' then 'What was posted beside a signed token, where it differs from the claims'
            when 'workspace' then 'The slug of the workspace; absent where it was not known or not permitted'
            else col_description('intake.deliveries'::regclass, d.attnum)
        end as comment
        from pg_attribute a
        left join pg_attribute d on d.attrelid = 'intake.deliveries'::regclass and d.attname = a.attname
        where a.attrelid = 'intake.deliveries_with_bodies'::regclass
    loop
        execute format('comment on column intake.deliveries_with_bodies.%I is %L', told.attname, told.comment);
    end loop;
end
$$;
