-- Deliveries in months, the first of four steps: what a delivery's row gains, and what the existing rows promise.
--
-- One table of all deliveries grows for as long as the service runs, and can be emptied only row by row. It becomes a table
-- of months (0022), of which the rows that are there are the first part, without being copied. For that Postgres must know
-- two things of them that it would otherwise read the whole table for while nobody may write: that each has a workspace, and
-- that none has arrived after this month. Both are promised here, for what comes from now on, and found true of what is there
-- by 0020, while the service goes on writing. Bodies move to a table of their own (0022), so that rows need none any more.
--
-- On 10 million rows (2.6 GB) this step took 0.3 s, on two cores that a load of 20 shared: it changes what Postgres knows of
-- the table, and reads no row.
--
-- A service of the version before that runs on meanwhile stores what it is sent, save what it cannot give a workspace: that
-- waits in its spool.

alter table intake.deliveries
    add column external_id text,
    add column erased_at timestamptz,
    add column shares_body boolean not null default false,
    alter column body drop not null,
    alter column body_sha256 drop not null;

comment on column intake.deliveries.external_id is 'The sender''s id of what it is about: of the lead, the lead cluster or the vehicle; absent where it names none';
comment on column intake.deliveries.erased_at is 'When its body was erased';
comment on column intake.deliveries.shares_body is 'Of the service: whether its body is kept under its digest, with others, and not under the delivery''s id';

do $$
declare
    -- The month after the newest row, or after this one.
    bound timestamp := date_trunc('month', greatest((select max(received_at) from intake.deliveries), now())
        at time zone 'UTC') + interval '1 month';
begin
    execute format(
        'alter table intake.deliveries add constraint deliveries_until_check
        check (workspace_id is not null and received_at < %L) not valid',
        to_char(bound, 'YYYY-MM-DD') || ' 00:00:00+00'
    );
    -- Where 0022 finds it again.
    execute format('comment on constraint deliveries_until_check on intake.deliveries is %L', to_char(bound, 'YYYY-MM-DD'));
end
$$;
