-- What customers are and ask for, each new or changed and whole, a list for each column: persons with their licences and
-- passports, clusters, leads with their documents, the cars that they offer and what they wait for, and bookings. One
-- statement, because each would wait for its answer before the next is sent; what one refers to is checked at its end.
-- Documents, licences, passports and cars that are as they were are left alone.
with saved_persons as (
insert into persons
    (workspace_id, id, email, created_at, updated_at, clocks, title, first_name, middle_name, last_name,
    business_name, date_of_birth, mobile_phone, home_phone, postcode, marketing_opt_in, marketing_opt_in_at,
    marketing_opt_in_lead_id, address_street, address_city, address_state, address_postcode, address_country)
select $1, id, email, created_at, updated_at, clocks::jsonb, title, first_name, middle_name, last_name,
    business_name, date_of_birth, mobile_phone, home_phone, postcode, marketing_opt_in, marketing_opt_in_at,
    marketing_opt_in_lead_id, address_street, address_city, address_state, address_postcode, address_country
from unnest(
    $2::bigint[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::text[], $7::text[], $8::text[], $9::text[],
    $10::text[], $11::text[], $12::date[], $13::text[], $14::text[], $15::text[], $16::boolean[], $17::text[],
    $18::text[], $19::text[], $20::text[], $21::text[], $160::timestamptz[], $161::bigint[]
) as p (
    id, email, created_at, updated_at, clocks, title, first_name, middle_name, last_name,
    business_name, date_of_birth, mobile_phone, home_phone, postcode, marketing_opt_in, address_street,
    address_city, address_state, address_postcode, address_country, marketing_opt_in_at, marketing_opt_in_lead_id)
on conflict (workspace_id, id) do update set
    title = excluded.title, first_name = excluded.first_name, middle_name = excluded.middle_name,
    last_name = excluded.last_name, business_name = excluded.business_name, date_of_birth = excluded.date_of_birth,
    mobile_phone = excluded.mobile_phone, home_phone = excluded.home_phone, postcode = excluded.postcode,
    marketing_opt_in = excluded.marketing_opt_in, marketing_opt_in_at = excluded.marketing_opt_in_at,
    marketing_opt_in_lead_id = excluded.marketing_opt_in_lead_id, address_street = excluded.address_street,
    address_city = excluded.address_city, address_state = excluded.address_state,
    address_postcode = excluded.address_postcode, address_country = excluded.address_country,
    updated_at = excluded.updated_at, clocks = excluded.clocks
), saved_licences as (
insert into identity.driver_licences as known
    (workspace_id, person_id, number, card_number, state, expires_on, date_of_birth, received_at)
select $1, person_id, number, card_number, state, expires_on, date_of_birth, received_at
from unnest($2::bigint[], $22::text[], $23::text[], $24::text[], $25::date[], $26::date[], $150::timestamptz[])
    as l (person_id, number, card_number, state, expires_on, date_of_birth, received_at) where number is not null
on conflict (workspace_id, person_id) do update set
    number = excluded.number, card_number = excluded.card_number, state = excluded.state,
    expires_on = excluded.expires_on, date_of_birth = excluded.date_of_birth, received_at = excluded.received_at
where (known.number, known.card_number, known.state, known.expires_on, known.date_of_birth, known.received_at)
    is distinct from
    (excluded.number, excluded.card_number, excluded.state, excluded.expires_on, excluded.date_of_birth,
    excluded.received_at)
), saved_passports as (
insert into identity.passports as known
    (workspace_id, person_id, number, country, expires_on, date_of_birth, received_at)
select $1, person_id, number, country, expires_on, date_of_birth, received_at
from unnest($2::bigint[], $27::text[], $28::text[], $29::date[], $30::date[], $151::timestamptz[])
    as p (person_id, number, country, expires_on, date_of_birth, received_at) where number is not null
on conflict (workspace_id, person_id) do update set
    number = excluded.number, country = excluded.country,
    expires_on = excluded.expires_on, date_of_birth = excluded.date_of_birth, received_at = excluded.received_at
where (known.number, known.country, known.expires_on, known.date_of_birth, known.received_at)
    is distinct from
    (excluded.number, excluded.country, excluded.expires_on, excluded.date_of_birth, excluded.received_at)
), saved_clusters as (
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
    $31::bigint[], $32::text[], $33::bigint[], $34::text[], $35::timestamptz[], $36::text[], $37::text[], $38::bigint[],
    $39::text[], $40::text[], $41::text[], $42::text[], $43::text[], $44::text[], $45::text[], $46::text[],
    $47::date[], $48::text[], $49::text[], $50::text[], $51::text[], $52::text[], $53::text[], $54::timestamptz[],
    $55::timestamptz[], $56::timestamptz[]
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
), saved_leads as (
insert into leads
    (workspace_id,
    id, sender, external_id, lead_cluster_id, person_id, person_email, subscription_plan, booking_state,
    booking_blockers, source_modified_at, received_at, updated_at, clocks, wishes, membership,
    appointments_as_of, history, dealership_id, dealership_name, dealership_slug, category, subcategory, source,
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
    membership::jsonb, appointments_as_of::jsonb, history::jsonb, dealership_id, dealership_name,
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
    $57::bigint[], $58::text[], $59::text[], $60::bigint[], $61::bigint[], $62::text[], $63::text[], $64::text[],
    $65::text[], $66::timestamptz[], $67::timestamptz[], $68::timestamptz[], $69::text[], $70::text[],
    $71::text[], $72::text[], $73::bigint[], $74::text[], $75::text[], $76::text[], $77::text[], $78::text[],
    $79::text[], $80::text[], $81::text[], $82::text[], $83::text[], $84::text[], $85::text[], $86::text[],
    $87::text[], $88::text[], $89::text[], $90::text[], $91::text[], $92::text[], $93::text[], $94::text[],
    $95::text[], $96::date[], $97::text[], $98::text[], $99::boolean[], $100::boolean[], $101::text[], $102::text[],
    $103::text[], $104::text[], $105::text[], $106::text[], $107::text[], $108::text[], $109::bigint[], $110::numeric[],
    $111::text[], $112::text[], $113::text[], $114::text[], $115::text[], $116::text[], $117::text[], $118::text[],
    $119::timestamptz[], $120::boolean[], $121::text[], $122::text[], $123::numeric[], $124::numeric[], $125::text[],
    $126::text[], $127::text[], $128::text[], $129::text[], $130::text[], $131::text[], $132::text[], $133::timestamptz[],
    $153::text[]
) as l (
    id, sender, external_id, lead_cluster_id, person_id, person_email, subscription_plan, booking_state,
    booking_blockers, source_modified_at, received_at, updated_at, clocks, wishes, membership,
    appointments_as_of, dealership_id, dealership_name, dealership_slug, category, subcategory, source,
    marketing_source, utm_campaign, provider, status, status_type, status_option_id, lost_reason,
    lost_reason_comment, comments, contact_email, contact_title, contact_first_name, contact_middle_name,
    contact_last_name, contact_full_name, contact_phone, contact_home_phone, contact_date_of_birth,
    contact_postcode, contact_address, contact_marketing_opt_in, contact_newsletter, contact_employment_type,
    contact_living_situation, contact_residency_status, vin, stock_number, item_id, item_make, item_model,
    item_year, item_price, item, requested_plan, offered_plan, subscription, location_name, location, booking_date,
    booking_time, requested_at, has_test_drives, website, website_url, budget, purchase_price, salesperson_id,
    salesperson_name, salesperson_email, pipeline_id, pipeline_name, offer_manufacturer, offer_name,
    additional_details, source_created_at, history)
on conflict (workspace_id, id) do update set
    lead_cluster_id = excluded.lead_cluster_id, person_id = excluded.person_id,
    person_email = excluded.person_email, subscription_plan = excluded.subscription_plan,
    booking_state = excluded.booking_state, booking_blockers = excluded.booking_blockers,
    source_modified_at = excluded.source_modified_at, updated_at = excluded.updated_at, clocks = excluded.clocks,
    wishes = excluded.wishes, membership = excluded.membership,
    appointments_as_of = excluded.appointments_as_of, history = excluded.history,
    dealership_id = excluded.dealership_id, dealership_name = excluded.dealership_name, dealership_slug = excluded.dealership_slug,
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
), saved_documents as (
insert into identity.lead_documents as known (workspace_id, lead_id, documents, received_at)
select $1, lead_id, documents::jsonb, received_at
from unnest($57::bigint[], $134::text[], $152::timestamptz[]) as d (lead_id, documents, received_at)
where documents is not null
on conflict (workspace_id, lead_id) do update set documents = excluded.documents, received_at = excluded.received_at
where (known.documents, known.received_at) is distinct from (excluded.documents, excluded.received_at)
), saved_trade_ins as (
insert into trade_ins as known
    (workspace_id, lead_id, registration, kilometres, make, model, badge, series, year, state, title,
    offer_price, trade_price, retail_price, price_adjustment, offer_accepted, clocks)
select
    $1, lead_id, registration, kilometres, make, model, badge, series, year, state, title,
    offer_price, trade_price, retail_price, price_adjustment, offer_accepted, clocks
from jsonb_populate_recordset(null::trade_ins, $135::jsonb)
on conflict (workspace_id, lead_id) do update set
    registration = excluded.registration, kilometres = excluded.kilometres, make = excluded.make,
    model = excluded.model, badge = excluded.badge, series = excluded.series, year = excluded.year,
    state = excluded.state, title = excluded.title, offer_price = excluded.offer_price,
    trade_price = excluded.trade_price, retail_price = excluded.retail_price,
    price_adjustment = excluded.price_adjustment, offer_accepted = excluded.offer_accepted,
    clocks = excluded.clocks
where known.clocks is distinct from excluded.clocks
), met_dependencies as (
delete from intake.lead_dependencies as known
using unnest($136::bigint[], $137::text[], $138::text[]) as d (lead_id, kind, key)
where known.workspace_id = $1 and known.kind = d.kind and known.key = d.key and known.lead_id = d.lead_id
), new_dependencies as (
insert into intake.lead_dependencies (workspace_id, lead_id, kind, key)
select $1, lead_id, kind, key from unnest($139::bigint[], $140::text[], $141::text[]) as d (lead_id, kind, key)
on conflict (workspace_id, kind, key, lead_id) do nothing
), new_changes as (
insert into lead_changes (workspace_id, lead_id, field, old_value, new_value, changed_at)
select $1, lead_id, field, old_value, new_value, changed_at
from unnest($155::bigint[], $156::text[], $157::text[], $158::text[], $159::timestamptz[])
    as c (lead_id, field, old_value, new_value, changed_at)
)
insert into bookings
    (workspace_id, lead_id, person_id, listing_id, location_id, package_id, status, wish, created_at, updated_at,
    delivery_id)
select $1, lead_id, person_id, listing_id, location_id, package_id, 'requested', wish::jsonb, created_at, updated_at,
    delivery_id
from unnest($142::bigint[], $143::bigint[], $144::bigint[], $145::bigint[], $146::bigint[], $147::text[],
    $148::timestamptz[], $149::timestamptz[], $154::uuid[])
    as b (lead_id, person_id, listing_id, location_id, package_id, wish, created_at, updated_at, delivery_id)
on conflict (workspace_id, lead_id) do update set
    person_id = excluded.person_id, listing_id = excluded.listing_id, location_id = excluded.location_id,
    package_id = excluded.package_id, wish = excluded.wish, updated_at = excluded.updated_at,
    delivery_id = excluded.delivery_id
