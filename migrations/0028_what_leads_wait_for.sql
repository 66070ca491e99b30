-- What leads wait for is filled in.
--
-- 0016 made intake.lead_dependencies. What leads of an older version wait for stands in a column of theirs and is copied
-- from it, here and not there: since 0022 an older version writes nothing any more, and until this is done neither does
-- this version. So nothing that is written meanwhile is missed.
--
-- Leads are read once and not locked. With half a million of them, of which a tenth waited for six things each, filling took 4.3 s
-- and the two indexes 3.5 s, on two cores that a load of 12 shared: with ten million it is three minutes, in which all
-- that is delivered is spooled. At the end leads are locked for all (access exclusive), to drop the index of the former
-- column: for a moment, and until the commit, which follows. The column stays, empty in new rows: an older version names it.

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
