-- What leads wait for is a table of its own.
--
-- It stood in an array of each lead, with an index that Postgres keeps a list of pending entries before: on large tables
-- every look-up read all of that list. Now a row says that a lead waits for one thing, and what is looked for is found by
-- equality, whatever the table's statistics say.
--
-- A lead waits for what is missing: a VIN, a stock number, a package, a location, the person of an address; and where its
-- vehicle is at locations of which none is bookable, for any that becomes so. Rows go when they are met, when the lead is
-- no longer tried again, or is erased.
--
-- The rows are filled from leads, which are read once and not locked: ten million leads of which a tenth wait for five
-- things each take some minutes, in which an instance that runs goes on. Only to drop the index of the former column are
-- leads locked, at the end and for a moment. The column stays, empty in new rows: an older version names it when it
-- writes.

create table intake.lead_dependencies (
    workspace_id bigint not null,
    kind text collate "C" not null,
    key text collate "C" not null,
    lead_id bigint not null,
    constraint lead_dependencies_kind_check
        check (kind in ('vin', 'stock_number', 'package', 'location', 'any_location', 'person'))
);

comment on table intake.lead_dependencies is 'What leads wait for whose booking is blocked or may become another; read by the service only';
comment on column intake.lead_dependencies.workspace_id is 'The workspace that the row belongs to';
comment on column intake.lead_dependencies.kind is 'vin, stock_number, package, location, any_location or person';
comment on column intake.lead_dependencies.key is 'The VIN, the stock number, the name of the package, that of the location in lower case, or the e-mail address; empty for any_location';
comment on column intake.lead_dependencies.lead_id is 'The lead that waits';

insert into intake.lead_dependencies (workspace_id, kind, key, lead_id)
select l.workspace_id, w.kind, w.key, l.id
from leads l
cross join lateral (
    select distinct
        case split_part(substr(of.text, strpos(of.text, '/') + 1), ':', 1)
            when 'vin' then 'vin' when 'stock' then 'stock_number' when 'plan' then 'package'
            when 'location' then 'location' when 'email' then 'person'
        end as kind,
        substr(of.text, strpos(of.text, ':') + 1) as key
    from unnest(l.waits_for) as of (text)
    union all
    select 'any_location', '' where l.booking_state = 'blocked' and l.booking_blockers @> array['location_not_found']
) as w
-- What is longer than a name can be names nothing that may still come.
where l.waits_for is not null and w.kind is not null and octet_length(w.key) <= 2000;

alter table intake.lead_dependencies
    add constraint lead_dependencies_pkey primary key (workspace_id, kind, key, lead_id);
-- All that a lead waits for.
create index lead_dependencies_lead_id_idx on intake.lead_dependencies (workspace_id, lead_id);

drop index leads_waits_for_idx;
comment on column leads.waits_for is 'No longer used: see intake.lead_dependencies';
