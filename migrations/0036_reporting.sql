-- The views of reporting_contacts (0035) without personal data, which most readers need not see.
--
-- A view here names its columns one by one: what is added there is not seen here by itself. Comments are those of there.
-- Nothing is read or locked.

create schema reporting;
comment on schema reporting is 'Views that are promised to stay, for people and BI tools, without personal data';

create view reporting.leads as
select
    workspace_id, workspace, workspace_name, dealership_id, dealership, lead_id, sender, sender_lead_id, enquired_at,
    enquired_on, received_at, received_on, modified_at, customer_id, sender_lead_cluster_id, category, subcategory, source,
    marketing_source, utm_campaign, provider, website, status, status_type, lost_reason, salesperson, pipeline, vin,
    stock_number, vehicle_make, vehicle_model, vehicle_year, vehicle_price, budget, purchase_price, currency, package,
    location, requested_at, requested_on, has_test_drives, offer_manufacturer, offer_name, marketing_opt_in, newsletter,
    booking_state, booking_blockers, booking_id, booked_at, booked_on, trade_in_make, trade_in_model, trade_in_year,
    trade_in_kilometres, trade_in_offer_price, trade_in_trade_price, trade_in_retail_price, trade_in_offer_accepted,
    property_enquiry_type, property_stage, property_type, property_bedrooms, property_office, property_sale_estimate,
    property_rent_estimate, updated_at, erased_at
from reporting_contacts.leads;

comment on view reporting.leads is 'Enquiries, one row for each lead of a sender, with its booking, trade-in and property';

create view reporting.bookings as
select
    workspace_id, workspace, workspace_name, dealership_id, dealership, booking_id, lead_id, sender, sender_lead_id,
    customer_id, listing_id, status, booked_at, booked_on, updated_at, enquired_at, enquired_on, requested_at, requested_on,
    category, source, location, package, vin, stock_number, vehicle, vehicle_make, vehicle_model, vehicle_year,
    vehicle_status, daily_price, weekly_price, fortnightly_price, monthly_price, currency, delivery_id, erased_at
from reporting_contacts.bookings;

comment on view reporting.bookings is 'Bookings, one row each: a customer asking for a vehicle on a package at a location';

create view reporting.blocked_leads as
select
    workspace_id, workspace, workspace_name, dealership_id, dealership, lead_id, sender, sender_lead_id, enquired_at,
    enquired_on, received_at, received_on, reason, meaning, remedy, customer_id, category, source, status, salesperson, vin,
    stock_number, package, location, requested_at, requested_on, updated_at
from reporting_contacts.blocked_leads;

comment on view reporting.blocked_leads is 'Leads that asked for a booking and have none, one row for each lead and reason';

create view reporting.customers as
select
    workspace_id, workspace, workspace_name, customer_id, created_at, created_on, updated_at, updated_on, marketing_opt_in,
    marketing_opt_in_at, marketing_opt_in_on, lead_count, first_enquired_at, last_enquired_at, booking_count
from reporting_contacts.customers;

comment on view reporting.customers is 'Customers, one row for each e-mail address of a workspace';

create view reporting.stock as
select
    workspace_id, workspace, workspace_name, dealership_id, dealership, listing_id, identifier, vin, stock_number, status,
    listed_at, listed_on, withdrawn_at, withdrawn_on, days_on_lot, last_seen_at, last_seen_on, listing_type, vehicle_type,
    sale_status, title, make, model, series, badge, year, body_style, transmission, fuel_type, drive, doors, seats, colour,
    interior_colour, odometer, odometer_unit, registration_number, price_egc, price_dap, price_before, price_rrp, price_igc,
    currency, location, packages, booking_count, modified_at, updated_at
from reporting_contacts.stock;

comment on view reporting.stock is 'Vehicles, one row each, for sale or no longer';

create view reporting.stock_history as
select
    workspace_id, workspace, workspace_name, dealership_id, dealership, listing_id, status, since, since_on, until,
    until_on, days, previous_status, next_status, vin, stock_number, title, make, model, year, listing_type, location
from reporting_contacts.stock_history;

comment on view reporting.stock_history is 'What status each vehicle had when, one row for each vehicle and span of time';

create view reporting.price_changes as
select
    workspace_id, workspace, workspace_name, dealership_id, dealership, change_id, listing_id, price, changed_at,
    changed_on, old_price, new_price, difference, percent, currency, vin, stock_number, title, make, model, year,
    listing_type, vehicle_status
from reporting_contacts.price_changes;

comment on view reporting.price_changes is 'Changes of prices, one row each';

create view reporting.appointments as
select
    workspace_id, workspace, workspace_name, dealership_id, dealership, appointment_id, sender_appointment_id, lead_id,
    sender_lead_id, sender_lead_cluster_id, customer_id, starts_at, starts_on, starts_at_local, length_minutes, status,
    is_removed, removed_at, ai_generated, vehicle, category, source, salesperson
from reporting_contacts.appointments;

comment on view reporting.appointments is 'Appointments, one row each: test drives and the like; one that the sender no longer lists is marked';

create view reporting.lead_response as
select
    workspace_id, workspace, workspace_name, dealership_id, dealership, lead_id, sender, sender_lead_id, enquired_at,
    enquired_on, received_at, received_on, category, source, salesperson, first_event_at, first_event_type,
    minutes_to_first_event, booking_state, booked_at, minutes_to_booking, first_status_change_at, first_status_change_to,
    minutes_to_status_change, status, status_type, status_since
from reporting_contacts.lead_response;

comment on view reporting.lead_response is 'How soon leads were answered, one row for each lead';

create view reporting.marketing_consent as
select
    workspace_id, workspace, workspace_name, dealership_id, dealership, customer_id, marketing_opt_in, marketing_opt_in_at,
    marketing_opt_in_on, lead_id, sender, sender_lead_id, category, source, website
from reporting_contacts.marketing_consent;

comment on view reporting.marketing_consent is 'What customers said to marketing, one row for each who said anything: the newest word, when, and by which lead';

create view reporting.deliveries as
select
    workspace_id, workspace, workspace_name, dealership_id, dealership, delivery_id, received_at, received_on, feed, sender,
    sender_id, credential, schema_version, outcome, finding_codes, findings, changes, attempts, processing_ms, settled_at,
    retry_at, is_replayed, erased_at
from reporting_contacts.deliveries;

comment on view reporting.deliveries is 'Deliveries, one row each with its one outcome; without bodies';

create view reporting.dealership_feeds as
select
    workspace_id, workspace, workspace_name, dealership_id, dealership, feed, last_delivery_at, last_delivery_on,
    last_delivery_id, deliveries_today, expected_every, expected_since, is_silent, silent_since, silent_on
from reporting_contacts.dealership_feeds;

comment on view reporting.dealership_feeds is 'When each dealership last delivered, by feed, and whether it has fallen silent; as of the last minute';

create view reporting.unknown_fields as
select
    workspace_id, workspace, workspace_name, feed, path, first_seen_at, first_seen_on, last_seen_at, last_seen_on,
    times_seen, example_delivery_id
from reporting_contacts.unknown_fields;

comment on view reporting.unknown_fields is 'Fields that the senders send and do not document, one row for each workspace, feed and path';

do $$
declare
    told record;
begin
    for told in
        select c.relname, a.attname, col_description(d.oid, b.attnum) as comment
        from pg_class c
        join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
        join pg_class d on d.relnamespace = 'reporting_contacts'::regnamespace and d.relname = c.relname
        join pg_attribute b on b.attrelid = d.oid and b.attname = a.attname
        where c.relnamespace = 'reporting'::regnamespace
    loop
        execute format('comment on column reporting.%I.%I is %L', told.relname, told.attname, told.comment);
    end loop;
end
$$;
