-- once
with own as (select '{clocks,wishes,waits_for,membership,appointments_as_of,said_at,cluster_said_at,lead_said_at,as_of,wish}'::text[] as columns),
told as (
    select 'persons' as of, to_jsonb(t) as r from persons t where workspace_id = $1 and id = any($2)
    union all select 'identity.driver_licences', to_jsonb(t) from identity.driver_licences t
    where workspace_id = $1 and person_id = any($2)
    union all select 'identity.passports', to_jsonb(t) from identity.passports t
    where workspace_id = $1 and person_id = any($2)
    union all select 'leads', to_jsonb(t) from leads t where workspace_id = $1 and id = any($3)
    union all select 'identity.lead_documents', to_jsonb(t) from identity.lead_documents t
    where workspace_id = $1 and lead_id = any($3)
    union all select 'trade_ins', to_jsonb(t) from trade_ins t where workspace_id = $1 and lead_id = any($3)
    union all select 'property_enquiries', to_jsonb(t) from property_enquiries t
    where workspace_id = $1 and lead_id = any($3)
    union all select 'lead_clusters', to_jsonb(t) from lead_clusters t where workspace_id = $1 and id = any($4)
    union all select 'lead_events', to_jsonb(t) from lead_events t
    where workspace_id = $1 and (lead_id = any($3) or lead_id is null and lead_cluster_id = any($5))
    union all select 'appointments', to_jsonb(t) from appointments t
    where workspace_id = $1 and (lead_id = any($3) or lead_id is null and lead_cluster_id = any($5))
    union all select 'bookings', to_jsonb(t) from bookings t
    where workspace_id = $1 and (lead_id = any($3) or person_id = any($2))
)
select of as "table!", jsonb_agg(jsonb_strip_nulls(r - own.columns)) as "rows!" from told, own group by of
