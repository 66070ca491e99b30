-- Locations by name in lower case or by row, and packages by name.
select l.id as "id!", l.name as "name!", l.name_key, l.configured, l.reported, l.reported_at, l.reported_arrived_at
from unnest($2::text[]) as k (name_key)
cross join lateral (select * from locations where workspace_id = $1 and name_key = k.name_key offset 0) l
union all
select l.id, l.name, l.name_key, l.configured, l.reported, l.reported_at, l.reported_arrived_at
from unnest($3::bigint[]) as k (id)
cross join lateral (select * from locations where workspace_id = $1 and id = k.id offset 0) l
union all
select p.id, p.name, null, to_jsonb(p.configured), to_jsonb(p.reported), null, null
from unnest($4::text[]) as k (name)
cross join lateral (select * from packages where workspace_id = $1 and name = k.name offset 0) p
