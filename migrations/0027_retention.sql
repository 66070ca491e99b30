-- What retention needs to know: when each identity document arrived, and how far old bodies were let go.
--
-- Documents are let go some time after they arrived, where the configuration says so. When a document arrived stands among
-- the times of its person or lead (persons.clocks, leads.clocks), which only the service reads; from now on it stands beside
-- the document, where it can be asked for. A service of the version before that runs on meanwhile writes the time of writing.
--
-- The deliveries from before there were months have their bodies in their rows. Those are let go in small steps, oldest
-- first, and intake.retention_progress keeps how far that is, so that the next day begins where the last one ended.
--
-- The columns come without a row being read. Then the rows of the three tables are written, one for each document, and are
-- locked meanwhile, so that deliveries about persons with documents wait, or are spooled; of 10 million leads a few in a
-- hundred have documents, which takes seconds.

alter table identity.driver_licences add column received_at timestamptz not null default now();
alter table identity.passports add column received_at timestamptz not null default now();
alter table identity.lead_documents add column received_at timestamptz not null default now();

comment on column identity.driver_licences.received_at is 'Arrival of the delivery that brought it';
comment on column identity.passports.received_at is 'Arrival of the delivery that brought it';
comment on column identity.lead_documents.received_at is 'Arrival of the delivery that brought them';

-- Of a value whose time differs from the newest of its row, the time stands under `a`; the fifth part is the arrival.
update identity.driver_licences d
set received_at = 'epoch'::timestamptz
    + (coalesce(p.clocks #> '{a,licence}', p.clocks -> 'n') ->> 4)::bigint * interval '1 microsecond'
from persons p
where p.workspace_id = d.workspace_id and p.id = d.person_id
    and coalesce(p.clocks #> '{a,licence}', p.clocks -> 'n') ->> 4 is not null;

update identity.passports d
set received_at = 'epoch'::timestamptz
    + (coalesce(p.clocks #> '{a,passport}', p.clocks -> 'n') ->> 4)::bigint * interval '1 microsecond'
from persons p
where p.workspace_id = d.workspace_id and p.id = d.person_id
    and coalesce(p.clocks #> '{a,passport}', p.clocks -> 'n') ->> 4 is not null;

update identity.lead_documents d
set received_at = 'epoch'::timestamptz
    + (coalesce(l.clocks #> '{a,documents}', l.clocks -> 'n') ->> 4)::bigint * interval '1 microsecond'
from leads l
where l.workspace_id = d.workspace_id and l.id = d.lead_id
    and coalesce(l.clocks #> '{a,documents}', l.clocks -> 'n') ->> 4 is not null;

create table intake.retention_progress (
    name text not null,
    done_until timestamptz not null,
    constraint retention_progress_pkey primary key (name)
);

comment on table intake.retention_progress is 'Of the service: how far retention is with what takes it many days';
comment on column intake.retention_progress.name is 'What is let go: bodies_in_rows, the bodies in the rows of deliveries from before there were months';
comment on column intake.retention_progress.done_until is 'Up to which arrival it is done';

-- What stands in the default partitions, for a service that owns none of them: to be counted, and deleted by age.

create view intake.deliveries_without_month as select workspace_id, id, received_at from intake.deliveries_default;
create view intake.bodies_without_month as select workspace_id, body_key, received_month from intake.bodies_default;

comment on view intake.deliveries_without_month is 'Of the service: the deliveries for whose month there is no partition';
comment on column intake.deliveries_without_month.workspace_id is 'The workspace; 0 where it was not known or not permitted';
comment on column intake.deliveries_without_month.id is 'Id of the delivery';
comment on column intake.deliveries_without_month.received_at is 'Arrival';
comment on view intake.bodies_without_month is 'Of the service: the bodies for whose month there is no partition';
comment on column intake.bodies_without_month.workspace_id is 'The workspace of its deliveries; 0 where that was not known or not permitted';
comment on column intake.bodies_without_month.body_key is 'SHA-256 of the body, or the id of the delivery whose own it is';
comment on column intake.bodies_without_month.received_month is 'The first day of the month (UTC) in which its deliveries arrived';
