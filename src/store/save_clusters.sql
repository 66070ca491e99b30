-- Clusters that are new or changed, whole: a list for each column.
insert into lead_clusters
    (workspace_id,
    id, external_id, person_id, person_email, source_modified_at, said_at, appointments_as_of, dealership_id,
    provider, status, contact_business_name, contact_first_name, contact_last_name, contact_email, contact_phone,
    contact_postcode, contact_date_of_birth, approver_id, approver_name, salesperson_id, salesperson_name,
    pipeline_id, pipeline_name, first_lead_created_at, last_lead_created_at, source_created_at)
select $1,
    id, external_id, person_id, person_email, source_modified_at, said_at::jsonb, appointments_as_of::jsonb,
    dealership_id, provider, status, contact_business_name, contact_first_name, contact_last_name, contact_email,
    contact_phone, contact_postcode, contact_date_of_birth, approver_id, approver_name, salesperson_id,
    salesperson_name, pipeline_id, pipeline_name, first_lead_created_at, last_lead_created_at, source_created_at
from unnest(
    $2::bigint[], $3::text[], $4::bigint[], $5::text[], $6::timestamptz[], $7::text[], $8::text[], $9::bigint[],
    $10::text[], $11::text[], $12::text[], $13::text[], $14::text[], $15::text[], $16::text[], $17::text[],
    $18::date[], $19::text[], $20::text[], $21::text[], $22::text[], $23::text[], $24::text[], $25::timestamptz[],
    $26::timestamptz[], $27::timestamptz[]
) as c (
    id, external_id, person_id, person_email, source_modified_at, said_at, appointments_as_of, dealership_id,
    provider, status, contact_business_name, contact_first_name, contact_last_name, contact_email, contact_phone,
    contact_postcode, contact_date_of_birth, approver_id, approver_name, salesperson_id, salesperson_name,
    pipeline_id, pipeline_name, first_lead_created_at, last_lead_created_at, source_created_at)
on conflict (workspace_id, id) do update set
    person_id = excluded.person_id, person_email = excluded.person_email,
    source_modified_at = excluded.source_modified_at, said_at = excluded.said_at,
    appointments_as_of = excluded.appointments_as_of, dealership_id = excluded.dealership_id,
    provider = excluded.provider, status = excluded.status, contact_business_name = excluded.contact_business_name,
    contact_first_name = excluded.contact_first_name, contact_last_name = excluded.contact_last_name,
    contact_email = excluded.contact_email, contact_phone = excluded.contact_phone,
    contact_postcode = excluded.contact_postcode, contact_date_of_birth = excluded.contact_date_of_birth,
    approver_id = excluded.approver_id, approver_name = excluded.approver_name,
    salesperson_id = excluded.salesperson_id, salesperson_name = excluded.salesperson_name,
    pipeline_id = excluded.pipeline_id, pipeline_name = excluded.pipeline_name,
    first_lead_created_at = excluded.first_lead_created_at, last_lead_created_at = excluded.last_lead_created_at,
    source_created_at = excluded.source_created_at
