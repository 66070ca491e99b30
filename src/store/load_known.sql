-- Clusters, persons and leads by what names them or what they wait for, each with its rows in other tables. The rows are
-- looked up one by one, whatever Postgres expects (`offset 0`), each by its whole key.
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
)
select 'cluster' as "kind!", to_jsonb(c) as "row!", null::jsonb as first, null::jsonb as second, null::jsonb as third,
    null::jsonb as dependencies, null::jsonb as booking
from wanted_clusters
cross join lateral (select * from lead_clusters where workspace_id = $1 and id = wanted_clusters.id offset 0) c
union all
select 'person', to_jsonb(p), to_jsonb(l), to_jsonb(t), null, null, null
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
    to_jsonb(b)
from wanted_leads
cross join lateral (select * from leads where workspace_id = $1 and id = wanted_leads.id offset 0) l
left join trade_ins t on t.workspace_id = $1 and t.lead_id = l.id
left join property_enquiries p on p.workspace_id = $1 and p.lead_id = l.id
left join identity.lead_documents d on d.workspace_id = $1 and d.lead_id = l.id
left join bookings b on b.workspace_id = $1 and b.lead_id = l.id
