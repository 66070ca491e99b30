-- What a key names, by workspace: leads, clusters, persons and listings, with why they were found. Where a customer is in no
-- row of persons, the leads and clusters that have the address or the number; where no listing has a vehicle's number, the
-- leads that ask for it. Every arm looks up one index by equality, key by key, and gives no more than a few rows.
with w as (
    select * from unnest($1::bigint[]) as w (workspace_id)
), phones as (
    select * from unnest($2::bigint[], $3::text[]) as p (workspace_id, phone)
)
select w.workspace_id as "workspace_id!", 'lead' as "kind!", f.id as "id!"
from w cross join unnest($4::text[], $5::text[]) as k (sender, external_id)
cross join lateral (
    select id from leads
    where workspace_id = w.workspace_id and sender = k.sender and external_id = k.external_id offset 0
) f
union all
select w.workspace_id, 'cluster', f.id
from w cross join unnest($6::text[]) as k (external_id)
cross join lateral (
    select id from lead_clusters where workspace_id = w.workspace_id and external_id = k.external_id offset 0
) f
union all
select w.workspace_id, 'person', f.id
from w cross join unnest($7::text[]) as k (email)
cross join lateral (select id from persons where workspace_id = w.workspace_id and email = k.email offset 0) f
union all
select w.workspace_id, 'lead of nobody', f.id
from w cross join unnest($7::text[]) as k (email)
cross join lateral (
    select id from leads
    where workspace_id = w.workspace_id and person_id is null and person_email = k.email limit $12
) f
union all
select w.workspace_id, 'cluster of nobody', f.id
from w cross join unnest($7::text[]) as k (email)
cross join lateral (
    select id from lead_clusters
    where workspace_id = w.workspace_id and person_id is null and person_email = k.email limit $12
) f
union all
select p.workspace_id, 'person', f.id
from phones p cross join lateral (
    select id from persons where workspace_id = p.workspace_id and mobile_phone = p.phone limit $12
) f
union all
select p.workspace_id, 'person', f.id
from phones p cross join lateral (
    select id from persons where workspace_id = p.workspace_id and home_phone = p.phone limit $12
) f
union all
select p.workspace_id, 'lead of nobody', f.id
from phones p cross join lateral (
    select id from leads
    where workspace_id = p.workspace_id and person_id is null and contact_phone = p.phone limit $12
) f
union all
select p.workspace_id, 'lead of nobody', f.id
from phones p cross join lateral (
    select id from leads
    where workspace_id = p.workspace_id and person_id is null and contact_home_phone = p.phone limit $12
) f
union all
select p.workspace_id, 'cluster of nobody', f.id
from phones p cross join lateral (
    select id from lead_clusters
    where workspace_id = p.workspace_id and person_id is null and contact_phone = p.phone limit $12
) f
union all
select w.workspace_id, 'listing', f.id
from w cross join unnest($8::text[]) as k (vin)
cross join lateral (select id from listings where workspace_id = w.workspace_id and vin = k.vin offset 0) f
union all
select w.workspace_id, 'listing', f.id
from w cross join unnest($9::text[]) as k (stock_number)
cross join lateral (
    select id from listings where workspace_id = w.workspace_id and stock_number = k.stock_number limit $12
) f
union all
select w.workspace_id, 'listing', f.listing_id
from w cross join unnest($10::text[]) as k (identifier)
cross join lateral (
    select listing_id from listing_identifiers
    where workspace_id = w.workspace_id and identifier = k.identifier offset 0
) f
union all
select w.workspace_id, 'listing', f.id
from w cross join unnest($11::text[]) as k (plate)
cross join lateral (
    select id from listings
    where workspace_id = w.workspace_id and registration_number is not null
        and upper(replace(registration_number, ' ', '')) = k.plate
    limit $12
) f
union all
select w.workspace_id, 'asking lead', f.id
from w cross join unnest($8::text[]) as k (vin)
cross join lateral (
    select id from leads where workspace_id = w.workspace_id and vin = k.vin limit $12
) f
union all
select w.workspace_id, 'asking lead', f.id
from w cross join unnest($9::text[]) as k (stock_number)
cross join lateral (
    select id from leads
    where workspace_id = w.workspace_id and vin is null and stock_number = k.stock_number limit $12
) f
union all
select w.workspace_id, 'asking lead', f.lead_id
from w cross join unnest($9::text[]) as k (stock_number)
cross join lateral (
    select lead_id from intake.lead_dependencies
    where workspace_id = w.workspace_id and kind = 'stock_number' and key = k.stock_number limit $12
) f
