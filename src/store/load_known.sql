-- Clusters, persons and leads by what names them or what they wait for, each with its rows in other tables.
with wanted_clusters as (
    select id from lead_clusters where workspace_id = $1 and external_id = any($7)
    union select id from lead_clusters
    where workspace_id = $1 and person_id is null and person_email = any($5)
), wanted_leads as (
    select named.id from unnest($2::text[], $3::text[]) as k (sender, external_id)
    cross join lateral (
        select id from leads
        where workspace_id = $1 and sender = k.sender and external_id = k.external_id offset 0
    ) named
    union select id from leads
    where workspace_id = $1 and waits_for && $4
    union select id from leads
    where workspace_id = $1 and person_id is null and person_email = any($5)
    union select id from leads
    where $6 and workspace_id = $1 and booking_state = 'blocked'
        and booking_blockers && array['location_not_found', 'package_not_found']
)
select 'cluster' as "kind!", to_jsonb(c) as "row!", null::jsonb as first, null::jsonb as second, null::jsonb as third
from wanted_clusters join lead_clusters c on c.workspace_id = $1 and c.id = wanted_clusters.id
union all
select 'person', to_jsonb(p), to_jsonb(l), to_jsonb(t), null
from persons p
left join identity.driver_licences l on l.workspace_id = p.workspace_id and l.person_id = p.id
left join identity.passports t on t.workspace_id = p.workspace_id and t.person_id = p.id
where p.workspace_id = $1 and p.email = any($5)
union all
select 'lead', to_jsonb(l), to_jsonb(t), to_jsonb(p), d.documents
from wanted_leads
cross join lateral (select * from leads where workspace_id = $1 and id = wanted_leads.id offset 0) l
left join trade_ins t on t.workspace_id = l.workspace_id and t.lead_id = l.id
left join property_enquiries p on p.workspace_id = l.workspace_id and p.lead_id = l.id
left join identity.lead_documents d on d.workspace_id = l.workspace_id and d.lead_id = l.id
