-- What bookings need: of listings by VIN, stock number or row what decides on bookings, with the locations that they are
-- at; locations by name in lower case or by row; and packages by name in any case, because a finding can name one that is
-- written otherwise. The rows are looked up one by one, whatever Postgres expects (`offset 0`), each by its whole key.
with listed as (
    select l.* from unnest($2::text[]) as k (vin)
    cross join lateral (
        select id, vin, stock_number, dealership_id, status, claims, source_modified_at, content_arrived_at
        from listings where workspace_id = $1 and vin = k.vin offset 0
    ) l
    union all
    select l.* from unnest($3::text[]) as k (stock_number)
    cross join lateral (
        select id, vin, stock_number, dealership_id, status, claims, source_modified_at, content_arrived_at
        from listings where workspace_id = $1 and stock_number = k.stock_number offset 0
    ) l
    union all
    select l.* from unnest($4::bigint[]) as k (id)
    cross join lateral (
        select id, vin, stock_number, dealership_id, status, claims, source_modified_at, content_arrived_at
        from listings where workspace_id = $1 and id = k.id offset 0
    ) l
), placed as materialized (
    select l.*, array(
        select k.location_id from listing_locations k
        where k.workspace_id = $1 and k.listing_id = l.id order by k.position
    ) as locations
    from listed l
), wanted_locations as (
    select k.id from unnest($6::bigint[]) as k (id) union select unnest(locations) from placed
)
select 'listing' as "kind!", id as "id!", vin as name, stock_number as key, dealership_id, status, claims,
    source_modified_at as at, content_arrived_at as arrived_at, locations, null::jsonb as configured,
    null::jsonb as reported
from placed
union all
select 'location', l.id, l.name, l.name_key, null, null, null, l.reported_at, l.reported_arrived_at, null,
    l.configured, l.reported
from unnest($5::text[]) as k (name_key)
cross join lateral (select * from locations where workspace_id = $1 and name_key = k.name_key offset 0) l
union all
select 'location', l.id, l.name, l.name_key, null, null, null, l.reported_at, l.reported_arrived_at, null,
    l.configured, l.reported
from wanted_locations
cross join lateral (select * from locations where workspace_id = $1 and id = wanted_locations.id offset 0) l
union all
select 'package', p.id, p.name, null, null, null, null, null, null, null, to_jsonb(p.configured), to_jsonb(p.reported)
from unnest($7::text[]) as k (name)
cross join lateral (
    select id, name, configured, reported from packages
    where workspace_id = $1 and lower(name) = lower(k.name) offset 0
) p
