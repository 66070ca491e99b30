-- Leads that are new or changed, whole, a list for each column; and their identity documents, of which those that are as
-- they were are left alone.
with saved as (
insert into leads
    (workspace_id,
    id, sender, external_id, lead_cluster_id, person_id, person_email, subscription_plan, booking_state,
    booking_blockers, source_modified_at, received_at, updated_at, clocks, wishes, waits_for, membership,
    appointments_as_of, dealership_id, dealership_name, dealership_slug, category, subcategory, source,
    marketing_source, utm_campaign, provider, status, status_type, status_option_id, lost_reason,
    lost_reason_comment, comments, contact_email, contact_title, contact_first_name, contact_middle_name,
    contact_last_name, contact_full_name, contact_phone, contact_home_phone, contact_date_of_birth,
    contact_postcode, contact_address, contact_marketing_opt_in, contact_newsletter, contact_employment_type,
    contact_living_situation, contact_residency_status, vin, stock_number, item_id, item_make, item_model,
    item_year, item_price, item, requested_plan, offered_plan, subscription, location_name, location, booking_date,
    booking_time, requested_at, has_test_drives, website, website_url, budget, purchase_price, salesperson_id,
    salesperson_name, salesperson_email, pipeline_id, pipeline_name, offer_manufacturer, offer_name,
    additional_details, source_created_at)
select $1,
    id, sender, external_id, lead_cluster_id, person_id, person_email, subscription_plan, booking_state,
    booking_blockers::text[], source_modified_at, received_at, updated_at, clocks::jsonb, wishes::jsonb,
    waits_for::text[], membership::jsonb, appointments_as_of::jsonb, dealership_id, dealership_name,
    dealership_slug, category, subcategory, source, marketing_source, utm_campaign, provider, status, status_type,
    status_option_id, lost_reason, lost_reason_comment, comments, contact_email, contact_title, contact_first_name,
    contact_middle_name, contact_last_name, contact_full_name, contact_phone, contact_home_phone,
    contact_date_of_birth, contact_postcode, contact_address::jsonb, contact_marketing_opt_in, contact_newsletter,
    contact_employment_type, contact_living_situation, contact_residency_status, vin, stock_number, item_id,
    item_make, item_model, item_year, item_price, item::jsonb, requested_plan, offered_plan, subscription::jsonb,
    location_name, location::jsonb, booking_date, booking_time, requested_at, has_test_drives, website::jsonb,
    website_url, budget, purchase_price, salesperson_id, salesperson_name, salesperson_email, pipeline_id,
    pipeline_name, offer_manufacturer, offer_name, additional_details::jsonb, source_created_at
from unnest(
    $2::bigint[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::text[], $8::text[], $9::text[],
    $10::text[], $11::timestamptz[], $12::timestamptz[], $13::timestamptz[], $14::text[], $15::text[], $16::text[],
    $17::text[], $18::text[], $19::bigint[], $20::text[], $21::text[], $22::text[], $23::text[], $24::text[],
    $25::text[], $26::text[], $27::text[], $28::text[], $29::text[], $30::text[], $31::text[], $32::text[],
    $33::text[], $34::text[], $35::text[], $36::text[], $37::text[], $38::text[], $39::text[], $40::text[],
    $41::text[], $42::date[], $43::text[], $44::text[], $45::boolean[], $46::boolean[], $47::text[], $48::text[],
    $49::text[], $50::text[], $51::text[], $52::text[], $53::text[], $54::text[], $55::bigint[], $56::numeric[],
    $57::text[], $58::text[], $59::text[], $60::text[], $61::text[], $62::text[], $63::text[], $64::text[],
    $65::timestamptz[], $66::boolean[], $67::text[], $68::text[], $69::numeric[], $70::numeric[], $71::text[],
    $72::text[], $73::text[], $74::text[], $75::text[], $76::text[], $77::text[], $78::text[], $79::timestamptz[]
) as l (
    id, sender, external_id, lead_cluster_id, person_id, person_email, subscription_plan, booking_state,
    booking_blockers, source_modified_at, received_at, updated_at, clocks, wishes, waits_for, membership,
    appointments_as_of, dealership_id, dealership_name, dealership_slug, category, subcategory, source,
    marketing_source, utm_campaign, provider, status, status_type, status_option_id, lost_reason,
    lost_reason_comment, comments, contact_email, contact_title, contact_first_name, contact_middle_name,
    contact_last_name, contact_full_name, contact_phone, contact_home_phone, contact_date_of_birth,
    contact_postcode, contact_address, contact_marketing_opt_in, contact_newsletter, contact_employment_type,
    contact_living_situation, contact_residency_status, vin, stock_number, item_id, item_make, item_model,
    item_year, item_price, item, requested_plan, offered_plan, subscription, location_name, location, booking_date,
    booking_time, requested_at, has_test_drives, website, website_url, budget, purchase_price, salesperson_id,
    salesperson_name, salesperson_email, pipeline_id, pipeline_name, offer_manufacturer, offer_name,
    additional_details, source_created_at)
on conflict (workspace_id, id) do update set
    lead_cluster_id = excluded.lead_cluster_id, person_id = excluded.person_id,
    person_email = excluded.person_email, subscription_plan = excluded.subscription_plan,
    booking_state = excluded.booking_state, booking_blockers = excluded.booking_blockers,
    source_modified_at = excluded.source_modified_at, updated_at = excluded.updated_at, clocks = excluded.clocks,
    wishes = excluded.wishes, waits_for = excluded.waits_for, membership = excluded.membership,
    appointments_as_of = excluded.appointments_as_of, dealership_id = excluded.dealership_id,
    dealership_name = excluded.dealership_name, dealership_slug = excluded.dealership_slug,
    category = excluded.category, subcategory = excluded.subcategory, source = excluded.source,
    marketing_source = excluded.marketing_source, utm_campaign = excluded.utm_campaign,
    provider = excluded.provider, status = excluded.status, status_type = excluded.status_type,
    status_option_id = excluded.status_option_id, lost_reason = excluded.lost_reason,
    lost_reason_comment = excluded.lost_reason_comment, comments = excluded.comments,
    contact_email = excluded.contact_email, contact_title = excluded.contact_title,
    contact_first_name = excluded.contact_first_name, contact_middle_name = excluded.contact_middle_name,
    contact_last_name = excluded.contact_last_name, contact_full_name = excluded.contact_full_name,
    contact_phone = excluded.contact_phone, contact_home_phone = excluded.contact_home_phone,
    contact_date_of_birth = excluded.contact_date_of_birth, contact_postcode = excluded.contact_postcode,
    contact_address = excluded.contact_address, contact_marketing_opt_in = excluded.contact_marketing_opt_in,
    contact_newsletter = excluded.contact_newsletter, contact_employment_type = excluded.contact_employment_type,
    contact_living_situation = excluded.contact_living_situation,
    contact_residency_status = excluded.contact_residency_status, vin = excluded.vin,
    stock_number = excluded.stock_number, item_id = excluded.item_id, item_make = excluded.item_make,
    item_model = excluded.item_model, item_year = excluded.item_year, item_price = excluded.item_price,
    item = excluded.item, requested_plan = excluded.requested_plan, offered_plan = excluded.offered_plan,
    subscription = excluded.subscription, location_name = excluded.location_name, location = excluded.location,
    booking_date = excluded.booking_date, booking_time = excluded.booking_time,
    requested_at = excluded.requested_at, has_test_drives = excluded.has_test_drives, website = excluded.website,
    website_url = excluded.website_url, budget = excluded.budget, purchase_price = excluded.purchase_price,
    salesperson_id = excluded.salesperson_id, salesperson_name = excluded.salesperson_name,
    salesperson_email = excluded.salesperson_email, pipeline_id = excluded.pipeline_id,
    pipeline_name = excluded.pipeline_name, offer_manufacturer = excluded.offer_manufacturer,
    offer_name = excluded.offer_name, additional_details = excluded.additional_details,
    source_created_at = excluded.source_created_at
)
insert into identity.lead_documents as known (workspace_id, lead_id, documents)
select $1, lead_id, documents::jsonb
from unnest($2::bigint[], $80::text[]) as d (lead_id, documents) where documents is not null
on conflict (workspace_id, lead_id) do update set documents = excluded.documents
where known.documents is distinct from excluded.documents
