-- All that is known under the keys of a batch: clusters, persons and leads by what names them or what they wait for, each
-- with its rows in other tables; and what bookings need: of listings by VIN, stock number or row what decides on bookings,
-- with the locations that they are at, locations by name in lower case or by row, and packages by name in any case,
-- because a finding can name one that is written otherwise. One question, because each waits for its answer before the next
-- is put. The rows are looked up one by one, whatever Postgres expects (`offset 0`), each by its whole key.
with wanted_clusters as (
    select named.id from unnest($7::text[]) as k (external_id)
    cross join lateral (
        select id from lead_clusters where workspace_id = $1 and external_id = k.external_id offset 0
    ) named
    union select waiting.id from unnest($6::text[]) as k (email)
    cross join lateral (
        select id from lead_clusters
        where workspace_id = $1 and person_id is null and person_email = k.email offset 0
    ) waiting
), wanted_leads as (
    select named.id from unnest($2::text[], $3::text[]) as k (sender, external_id)
    cross join lateral (
        select id from leads
        where workspace_id = $1 and sender = k.sender and external_id = k.external_id offset 0
    ) named
    union select waiting.lead_id from unnest($4::text[], $5::text[]) as k (kind, key)
    cross join lateral (
        select lead_id from intake.lead_dependencies
        where workspace_id = $1 and kind = k.kind and key = k.key offset 0
    ) waiting
    union select waiting.id from unnest($6::text[]) as k (email)
    cross join lateral (
        select id from leads where workspace_id = $1 and person_id is null and person_email = k.email offset 0
    ) waiting
), listed as (
    select l.* from unnest($8::text[]) as k (vin)
    cross join lateral (
        select id, vin, stock_number, dealership_id, status, claims, source_modified_at, content_arrived_at
        from listings where workspace_id = $1 and vin = k.vin offset 0
    ) l
    union all
    select l.* from unnest($9::text[]) as k (stock_number)
    cross join lateral (
        select id, vin, stock_number, dealership_id, status, claims, source_modified_at, content_arrived_at
        from listings where workspace_id = $1 and stock_number = k.stock_number offset 0
    ) l
    union all
    select l.* from unnest($10::bigint[]) as k (id)
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
    select k.id from unnest($12::bigint[]) as k (id) union select unnest(locations) from placed
)
select 'cluster' as "kind!", to_jsonb(c) as "row!", null::jsonb as first, null::jsonb as second, null::jsonb as third,
    null::jsonb as dependencies, null::jsonb as booking, null::text as cluster
from wanted_clusters
cross join lateral (select * from lead_clusters where workspace_id = $1 and id = wanted_clusters.id offset 0) c
union all
select 'person', to_jsonb(p), to_jsonb(l), to_jsonb(t), null, null, null, null
from unnest($6::text[]) as k (email)
cross join lateral (select * from persons where workspace_id = $1 and email = k.email offset 0) p
left join identity.driver_licences l on l.workspace_id = $1 and l.person_id = p.id
left join identity.passports t on t.workspace_id = $1 and t.person_id = p.id
union all
select 'lead', to_jsonb(l), to_jsonb(t), to_jsonb(p), d.documents,
    (
        select jsonb_agg(jsonb_build_array(w.kind, w.key)) from intake.lead_dependencies w
        where w.workspace_id = $1 and w.lead_id = l.id
    ),
    to_jsonb(b),
    (select c.external_id from lead_clusters c where c.workspace_id = $1 and c.id = l.lead_cluster_id)
from wanted_leads
cross join lateral (select * from leads where workspace_id = $1 and id = wanted_leads.id offset 0) l
left join trade_ins t on t.workspace_id = $1 and t.lead_id = l.id
left join property_enquiries p on p.workspace_id = $1 and p.lead_id = l.id
left join identity.lead_documents d on d.workspace_id = $1 and d.lead_id = l.id
left join bookings b on b.workspace_id = $1 and b.lead_id = l.id
union all
select 'listing', to_jsonb(placed), null, null, null, null, null, null from placed
union all
select 'location', to_jsonb(l), null, null, null, null, null, null
from unnest($11::text[]) as k (name_key)
cross join lateral (
    select id, name, name_key, configured, reported, reported_at, reported_arrived_at from locations
    where workspace_id = $1 and name_key = k.name_key offset 0
) l
union all
select 'location', to_jsonb(l), null, null, null, null, null, null
from wanted_locations
cross join lateral (
    select id, name, name_key, configured, reported, reported_at, reported_arrived_at from locations
    where workspace_id = $1 and id = wanted_locations.id offset 0
) l
union all
select 'package', to_jsonb(p), null, null, null, null, null, null
from unnest($13::text[]) as k (name)
cross join lateral (
    select id, name, configured, reported from packages
    where workspace_id = $1 and lower(name) = lower(k.name) offset 0
) p
