-- The tables as people ask for them: views that are promised to stay.
--
-- One row is one thing, and what is asked for most is answered without a join: names stand beside numbers, the day at the
-- dealership (else in the workspace's zone) beside each time, the currency beside money, and nothing is there that only the
-- service reads. A column is never taken away or given another meaning but with a new major version; new ones come at the
-- end. Columns that are not selected cost nothing: what a view joins for them is left out by Postgres.
--
-- There are two schemas. reporting_contacts has e-mail, phone, names, address, date of birth, free text and further
-- details; reporting has the same views without them. Identity documents and bodies are in neither.
--
-- Every join names the workspace, and every view has its number, so that they stay what they are on a distributed
-- database; two of these views are joined by workspace_id and what they share. No view numbers or sorts all its rows, so
-- that a condition on the workspace, the dealership or a time reaches the tables: ask for a span by a column that ends in
-- _at, which indexes know, and group by one that ends in _on.
--
-- Views are made in a moment, whatever the tables hold; nothing of them is read or locked.

create schema reporting_contacts;
comment on schema reporting_contacts is 'The views of reporting with personal data: e-mail, phone, names, address, date of birth, free text and further details; identity documents and bodies are not here';

create view reporting_contacts.leads as
select
    w.id as workspace_id,
    w.slug as workspace,
    w.name as workspace_name,
    l.dealership_id,
    coalesce(d.name, l.dealership_name, l.dealership_id::text) as dealership,
    l.id as lead_id,
    l.sender,
    l.external_id as sender_lead_id,
    coalesce(l.source_created_at, l.received_at) as enquired_at,
    (coalesce(l.source_created_at, l.received_at) at time zone coalesce(d.timezone, w.timezone))::date as enquired_on,
    l.received_at,
    (l.received_at at time zone coalesce(d.timezone, w.timezone))::date as received_on,
    l.source_modified_at as modified_at,
    l.person_id as customer_id,
    c.external_id as sender_lead_cluster_id,
    l.category,
    l.subcategory,
    l.source,
    l.marketing_source,
    l.utm_campaign,
    l.provider,
    coalesce(l.website_url, l.website ->> 'url') as website,
    l.status,
    l.status_type,
    l.lost_reason,
    l.salesperson_name as salesperson,
    l.pipeline_name as pipeline,
    l.vin,
    l.stock_number,
    l.item_make as vehicle_make,
    l.item_model as vehicle_model,
    l.item_year as vehicle_year,
    l.item_price as vehicle_price,
    l.budget,
    l.purchase_price,
    w.currency,
    l.subscription_plan as package,
    l.location_name as location,
    l.requested_at,
    (l.requested_at at time zone coalesce(d.timezone, w.timezone))::date as requested_on,
    l.has_test_drives,
    l.offer_manufacturer,
    l.offer_name,
    l.contact_marketing_opt_in as marketing_opt_in,
    l.contact_newsletter as newsletter,
    l.booking_state,
    l.booking_blockers,
    b.id as booking_id,
    b.created_at as booked_at,
    (b.created_at at time zone coalesce(d.timezone, w.timezone))::date as booked_on,
    t.make as trade_in_make,
    t.model as trade_in_model,
    t.year as trade_in_year,
    t.kilometres as trade_in_kilometres,
    t.offer_price as trade_in_offer_price,
    t.trade_price as trade_in_trade_price,
    t.retail_price as trade_in_retail_price,
    t.offer_accepted as trade_in_offer_accepted,
    q.enquiry_type as property_enquiry_type,
    q.stage as property_stage,
    q.property_type,
    q.bedrooms as property_bedrooms,
    q.office_name as property_office,
    q.average_sale_estimation as property_sale_estimate,
    q.average_rent_estimation as property_rent_estimate,
    l.updated_at,
    l.erased_at,
    l.contact_email,
    l.contact_phone,
    l.contact_title,
    l.contact_first_name,
    l.contact_middle_name,
    l.contact_last_name,
    l.contact_full_name,
    l.contact_home_phone,
    l.contact_date_of_birth,
    l.contact_postcode,
    l.contact_address,
    l.contact_employment_type,
    l.contact_living_situation,
    l.contact_residency_status,
    l.comments,
    l.lost_reason_comment,
    l.salesperson_email,
    t.registration as trade_in_registration,
    q.address as property_address,
    q.postcode as property_postcode,
    q.advert_address as property_advert_address,
    l.additional_details
from leads l
join workspaces w on w.id = l.workspace_id
left join dealerships d on d.workspace_id = l.workspace_id and d.dealership_id = l.dealership_id
left join lead_clusters c on c.workspace_id = l.workspace_id and c.id = l.lead_cluster_id
left join bookings b on b.workspace_id = l.workspace_id and b.lead_id = l.id
left join trade_ins t on t.workspace_id = l.workspace_id and t.lead_id = l.id
left join property_enquiries q on q.workspace_id = l.workspace_id and q.lead_id = l.id;

comment on view reporting_contacts.leads is 'Enquiries, one row for each lead of a sender, with its booking, trade-in and property; with personal data';
comment on column reporting_contacts.leads.workspace_id is 'Number of the workspace; all joins between these views have it';
comment on column reporting_contacts.leads.workspace is 'Workspace, by its name in the configuration';
comment on column reporting_contacts.leads.workspace_name is 'Workspace, by its name for people';
comment on column reporting_contacts.leads.dealership_id is 'The sender''s number of the dealership';
comment on column reporting_contacts.leads.dealership is 'Dealership by name; by its number where no name is known';
comment on column reporting_contacts.leads.lead_id is 'Number of the lead, the same in all views';
comment on column reporting_contacts.leads.sender is 'The system that sent it: dealer_studio or leadpro';
comment on column reporting_contacts.leads.sender_lead_id is 'Id of the lead at the sender';
comment on column reporting_contacts.leads.enquired_at is 'When the customer made the enquiry; its arrival where the sender does not say';
comment on column reporting_contacts.leads.enquired_on is 'Day of enquired_at at the dealership';
comment on column reporting_contacts.leads.received_at is 'Arrival of the first delivery about it';
comment on column reporting_contacts.leads.received_on is 'Day of received_at at the dealership';
comment on column reporting_contacts.leads.modified_at is 'When the sender last changed it';
comment on column reporting_contacts.leads.customer_id is 'Number of the customer, the same in all views; absent without a usable e-mail address, and after an erasure';
comment on column reporting_contacts.leads.sender_lead_cluster_id is 'The sender''s id of the lead cluster, its grouping of one customer''s leads';
comment on column reporting_contacts.leads.category is 'Kind of enquiry';
comment on column reporting_contacts.leads.subcategory is 'Finer kind of enquiry';
comment on column reporting_contacts.leads.source is 'Where the enquiry came from';
comment on column reporting_contacts.leads.marketing_source is 'Marketing source';
comment on column reporting_contacts.leads.utm_campaign is 'UTM campaign';
comment on column reporting_contacts.leads.provider is 'The sender''s name for itself';
comment on column reporting_contacts.leads.website is 'Website through which the enquiry came';
comment on column reporting_contacts.leads.status is 'Status as the dealership set it';
comment on column reporting_contacts.leads.status_type is 'Kind of status, as open or lost';
comment on column reporting_contacts.leads.lost_reason is 'Why the lead was lost';
comment on column reporting_contacts.leads.salesperson is 'Salesperson to whom it is assigned';
comment on column reporting_contacts.leads.pipeline is 'Sales pipeline in which it stands';
comment on column reporting_contacts.leads.vin is 'VIN of the vehicle asked for';
comment on column reporting_contacts.leads.stock_number is 'Stock number of the vehicle asked for';
comment on column reporting_contacts.leads.vehicle_make is 'Make of the vehicle asked for';
comment on column reporting_contacts.leads.vehicle_model is 'Model of the vehicle asked for';
comment on column reporting_contacts.leads.vehicle_year is 'Year of the vehicle asked for';
comment on column reporting_contacts.leads.vehicle_price is 'Price of the vehicle asked for, in currency';
comment on column reporting_contacts.leads.budget is 'Budget for the vehicle, in currency';
comment on column reporting_contacts.leads.purchase_price is 'Purchase price aimed at, in currency';
comment on column reporting_contacts.leads.currency is 'Currency of all money of the row, ISO 4217: that of the workspace';
comment on column reporting_contacts.leads.package is 'Package asked for';
comment on column reporting_contacts.leads.location is 'Location asked for';
comment on column reporting_contacts.leads.requested_at is 'For when the customer asked';
comment on column reporting_contacts.leads.requested_on is 'Day of requested_at at the dealership';
comment on column reporting_contacts.leads.has_test_drives is 'Whether the lead cluster has a test drive, as sent';
comment on column reporting_contacts.leads.offer_manufacturer is 'Manufacturer of the special offer';
comment on column reporting_contacts.leads.offer_name is 'Name of the special offer';
comment on column reporting_contacts.leads.marketing_opt_in is 'Whether the customer said with this lead to want marketing; the newest word of the customer is in marketing_consent';
comment on column reporting_contacts.leads.newsletter is 'Newsletter flag of the lead cluster, which the sender sets to true by default: no consent';
comment on column reporting_contacts.leads.booking_state is 'not_requested, created or blocked';
comment on column reporting_contacts.leads.booking_blockers is 'Codes of what stands in the way of a booking; with their remedies in blocked_leads';
comment on column reporting_contacts.leads.booking_id is 'Number of its booking, the same in all views';
comment on column reporting_contacts.leads.booked_at is 'When its booking was made';
comment on column reporting_contacts.leads.booked_on is 'Day of booked_at at the dealership';
comment on column reporting_contacts.leads.trade_in_make is 'Make of the car offered in exchange';
comment on column reporting_contacts.leads.trade_in_model is 'Model of the car offered in exchange';
comment on column reporting_contacts.leads.trade_in_year is 'Year of the car offered in exchange';
comment on column reporting_contacts.leads.trade_in_kilometres is 'Odometer of the car offered in exchange, in kilometres';
comment on column reporting_contacts.leads.trade_in_offer_price is 'Price offered to the customer for it, in currency';
comment on column reporting_contacts.leads.trade_in_trade_price is 'Its trade price after valuation, in currency';
comment on column reporting_contacts.leads.trade_in_retail_price is 'Its retail price after valuation, in currency';
comment on column reporting_contacts.leads.trade_in_offer_accepted is 'Whether the customer accepted the offer';
comment on column reporting_contacts.leads.property_enquiry_type is 'Kind of a property enquiry (LeadPro)';
comment on column reporting_contacts.leads.property_stage is 'How far a property enquiry has come (LeadPro)';
comment on column reporting_contacts.leads.property_type is 'Kind of building (LeadPro)';
comment on column reporting_contacts.leads.property_bedrooms is 'Number of bedrooms (LeadPro)';
comment on column reporting_contacts.leads.property_office is 'Name of the office (LeadPro)';
comment on column reporting_contacts.leads.property_sale_estimate is 'Average estimate of the sale price, in currency (LeadPro)';
comment on column reporting_contacts.leads.property_rent_estimate is 'Average estimate of the rent, in currency (LeadPro)';
comment on column reporting_contacts.leads.updated_at is 'Arrival of the newest delivery that changed it';
comment on column reporting_contacts.leads.erased_at is 'When its customer was erased; the row stays to be counted';
comment on column reporting_contacts.leads.contact_email is 'E-mail address as sent with the lead';
comment on column reporting_contacts.leads.contact_phone is 'Mobile phone, or the only phone of a LeadPro lead; E.164 where valid';
comment on column reporting_contacts.leads.contact_title is 'Form of address as sent with the lead';
comment on column reporting_contacts.leads.contact_first_name is 'First name as sent with the lead';
comment on column reporting_contacts.leads.contact_middle_name is 'Middle name as sent with the lead';
comment on column reporting_contacts.leads.contact_last_name is 'Last name as sent with the lead';
comment on column reporting_contacts.leads.contact_full_name is 'First and last name in one text as sent (LeadPro)';
comment on column reporting_contacts.leads.contact_home_phone is 'Home phone, E.164 where valid';
comment on column reporting_contacts.leads.contact_date_of_birth is 'Date of birth, where valid';
comment on column reporting_contacts.leads.contact_postcode is 'Postcode given beside the address';
comment on column reporting_contacts.leads.contact_address is 'Address as sent with the lead, complete or not: in parts (Dealer Studio), or one line as address (LeadPro)';
comment on column reporting_contacts.leads.contact_employment_type is 'Kind of employment';
comment on column reporting_contacts.leads.contact_living_situation is 'Living situation';
comment on column reporting_contacts.leads.contact_residency_status is 'Residency status';
comment on column reporting_contacts.leads.comments is 'The customer''s message';
comment on column reporting_contacts.leads.lost_reason_comment is 'Comment on why the lead was lost';
comment on column reporting_contacts.leads.salesperson_email is 'E-mail address of the salesperson';
comment on column reporting_contacts.leads.trade_in_registration is 'Registration number of the car offered in exchange';
comment on column reporting_contacts.leads.property_address is 'Address of the customer''s property, one line (LeadPro)';
comment on column reporting_contacts.leads.property_postcode is 'Postcode of the customer''s property (LeadPro)';
comment on column reporting_contacts.leads.property_advert_address is 'Address of the advertised property, one line (LeadPro)';
comment on column reporting_contacts.leads.additional_details is 'Free-form details, meta of a LeadPro lead, without identity documents';

create view reporting_contacts.bookings as
select
    w.id as workspace_id,
    w.slug as workspace,
    w.name as workspace_name,
    l.dealership_id,
    coalesce(d.name, l.dealership_name, l.dealership_id::text) as dealership,
    b.id as booking_id,
    l.id as lead_id,
    l.sender,
    l.external_id as sender_lead_id,
    b.person_id as customer_id,
    b.listing_id,
    b.status,
    b.created_at as booked_at,
    (b.created_at at time zone coalesce(d.timezone, w.timezone))::date as booked_on,
    b.updated_at,
    coalesce(l.source_created_at, l.received_at) as enquired_at,
    (coalesce(l.source_created_at, l.received_at) at time zone coalesce(d.timezone, w.timezone))::date as enquired_on,
    l.requested_at,
    (l.requested_at at time zone coalesce(d.timezone, w.timezone))::date as requested_on,
    l.category,
    l.source,
    o.name as location,
    k.name as package,
    v.vin,
    v.stock_number,
    v.title as vehicle,
    v.make as vehicle_make,
    v.model as vehicle_model,
    v.year as vehicle_year,
    v.status as vehicle_status,
    n.daily_price,
    n.weekly_price,
    n.fortnightly_price,
    n.monthly_price,
    w.currency,
    b.delivery_id,
    l.erased_at,
    p.email,
    p.title,
    p.first_name,
    p.middle_name,
    p.last_name,
    p.business_name,
    p.mobile_phone,
    p.home_phone
from bookings b
join leads l on l.workspace_id = b.workspace_id and l.id = b.lead_id
join workspaces w on w.id = b.workspace_id
left join dealerships d on d.workspace_id = l.workspace_id and d.dealership_id = l.dealership_id
left join listings v on v.workspace_id = b.workspace_id and v.id = b.listing_id
left join locations o on o.workspace_id = b.workspace_id and o.id = b.location_id
left join packages k on k.workspace_id = b.workspace_id and k.id = b.package_id
left join listing_packages n on n.workspace_id = b.workspace_id and n.listing_id = b.listing_id and n.package_id = b.package_id
left join persons p on p.workspace_id = b.workspace_id and p.id = b.person_id;

comment on view reporting_contacts.bookings is 'Bookings, one row each: a customer asking for a vehicle on a package at a location; with personal data';
comment on column reporting_contacts.bookings.workspace_id is 'Number of the workspace; all joins between these views have it';
comment on column reporting_contacts.bookings.workspace is 'Workspace, by its name in the configuration';
comment on column reporting_contacts.bookings.workspace_name is 'Workspace, by its name for people';
comment on column reporting_contacts.bookings.dealership_id is 'The sender''s number of the dealership';
comment on column reporting_contacts.bookings.dealership is 'Dealership by name; by its number where no name is known';
comment on column reporting_contacts.bookings.booking_id is 'Number of the booking, the same in all views';
comment on column reporting_contacts.bookings.lead_id is 'Number of the lead, the same in all views';
comment on column reporting_contacts.bookings.sender is 'The system that sent it: dealer_studio or leadpro';
comment on column reporting_contacts.bookings.sender_lead_id is 'Id of the lead at the sender';
comment on column reporting_contacts.bookings.customer_id is 'Number of the customer; absent where the customer was erased';
comment on column reporting_contacts.bookings.listing_id is 'Number of the vehicle, the same in all views';
comment on column reporting_contacts.bookings.status is 'requested';
comment on column reporting_contacts.bookings.booked_at is 'When it was made: arrival of the first delivery about it';
comment on column reporting_contacts.bookings.booked_on is 'Day of booked_at at the dealership';
comment on column reporting_contacts.bookings.updated_at is 'Arrival of the newest delivery that changed it';
comment on column reporting_contacts.bookings.enquired_at is 'When the customer made the enquiry; its arrival where the sender does not say';
comment on column reporting_contacts.bookings.enquired_on is 'Day of enquired_at at the dealership';
comment on column reporting_contacts.bookings.requested_at is 'For when the customer asked';
comment on column reporting_contacts.bookings.requested_on is 'Day of requested_at at the dealership';
comment on column reporting_contacts.bookings.category is 'Kind of enquiry of its lead';
comment on column reporting_contacts.bookings.source is 'Where its lead came from';
comment on column reporting_contacts.bookings.location is 'Location';
comment on column reporting_contacts.bookings.package is 'Package';
comment on column reporting_contacts.bookings.vin is 'VIN of the vehicle';
comment on column reporting_contacts.bookings.stock_number is 'Stock number of the vehicle';
comment on column reporting_contacts.bookings.vehicle is 'Title of the vehicle';
comment on column reporting_contacts.bookings.vehicle_make is 'Make of the vehicle';
comment on column reporting_contacts.bookings.vehicle_model is 'Model of the vehicle';
comment on column reporting_contacts.bookings.vehicle_year is 'Year of the vehicle';
comment on column reporting_contacts.bookings.vehicle_status is 'Status of the vehicle now: for_sale, withdrawn or archived; a later withdrawal undoes no booking';
comment on column reporting_contacts.bookings.daily_price is 'Price of a day of the vehicle on the package now, in currency';
comment on column reporting_contacts.bookings.weekly_price is 'Price of a week of the vehicle on the package now, in currency';
comment on column reporting_contacts.bookings.fortnightly_price is 'Price of a fortnight of the vehicle on the package now, in currency';
comment on column reporting_contacts.bookings.monthly_price is 'Price of a month of the vehicle on the package now, in currency';
comment on column reporting_contacts.bookings.currency is 'Currency of all money of the row, ISO 4217: that of the workspace';
comment on column reporting_contacts.bookings.delivery_id is 'The delivery that made or last changed it: that of its lead, or the one that brought what was missing; absent where the configuration did';
comment on column reporting_contacts.bookings.erased_at is 'When its customer was erased; the row stays to be counted';
comment on column reporting_contacts.bookings.email is 'E-mail address by which the customer is known';
comment on column reporting_contacts.bookings.title is 'Form of address';
comment on column reporting_contacts.bookings.first_name is 'First name';
comment on column reporting_contacts.bookings.middle_name is 'Middle name';
comment on column reporting_contacts.bookings.last_name is 'Last name';
comment on column reporting_contacts.bookings.business_name is 'Business name';
comment on column reporting_contacts.bookings.mobile_phone is 'Mobile phone, E.164 where valid';
comment on column reporting_contacts.bookings.home_phone is 'Home phone, E.164 where valid';

create view reporting_contacts.blocked_leads as
select
    w.id as workspace_id,
    w.slug as workspace,
    w.name as workspace_name,
    l.dealership_id,
    coalesce(d.name, l.dealership_name, l.dealership_id::text) as dealership,
    l.id as lead_id,
    l.sender,
    l.external_id as sender_lead_id,
    coalesce(l.source_created_at, l.received_at) as enquired_at,
    (coalesce(l.source_created_at, l.received_at) at time zone coalesce(d.timezone, w.timezone))::date as enquired_on,
    l.received_at,
    (l.received_at at time zone coalesce(d.timezone, w.timezone))::date as received_on,
    r.code as reason,
    f.meaning,
    f.remedy,
    l.person_id as customer_id,
    l.category,
    l.source,
    l.status,
    l.salesperson_name as salesperson,
    l.vin,
    l.stock_number,
    l.subscription_plan as package,
    l.location_name as location,
    l.requested_at,
    (l.requested_at at time zone coalesce(d.timezone, w.timezone))::date as requested_on,
    l.updated_at,
    l.contact_email,
    l.contact_phone,
    l.contact_title,
    l.contact_first_name,
    l.contact_last_name,
    l.contact_full_name,
    l.comments
from leads l
join workspaces w on w.id = l.workspace_id
left join dealerships d on d.workspace_id = l.workspace_id and d.dealership_id = l.dealership_id
cross join lateral unnest(l.booking_blockers) as r (code)
left join intake.finding_codes f on f.code = r.code
where l.booking_state = 'blocked';

comment on view reporting_contacts.blocked_leads is 'Leads that asked for a booking and have none, one row for each lead and reason; with personal data';
comment on column reporting_contacts.blocked_leads.workspace_id is 'Number of the workspace; all joins between these views have it';
comment on column reporting_contacts.blocked_leads.workspace is 'Workspace, by its name in the configuration';
comment on column reporting_contacts.blocked_leads.workspace_name is 'Workspace, by its name for people';
comment on column reporting_contacts.blocked_leads.dealership_id is 'The sender''s number of the dealership';
comment on column reporting_contacts.blocked_leads.dealership is 'Dealership by name; by its number where no name is known';
comment on column reporting_contacts.blocked_leads.lead_id is 'Number of the lead, the same in all views';
comment on column reporting_contacts.blocked_leads.sender is 'The system that sent it: dealer_studio or leadpro';
comment on column reporting_contacts.blocked_leads.sender_lead_id is 'Id of the lead at the sender';
comment on column reporting_contacts.blocked_leads.enquired_at is 'When the customer made the enquiry; its arrival where the sender does not say';
comment on column reporting_contacts.blocked_leads.enquired_on is 'Day of enquired_at at the dealership';
comment on column reporting_contacts.blocked_leads.received_at is 'Arrival of the first delivery about it';
comment on column reporting_contacts.blocked_leads.received_on is 'Day of received_at at the dealership';
comment on column reporting_contacts.blocked_leads.reason is 'Code of what is missing';
comment on column reporting_contacts.blocked_leads.meaning is 'What the reason means';
comment on column reporting_contacts.blocked_leads.remedy is 'What to do about it';
comment on column reporting_contacts.blocked_leads.customer_id is 'Number of the customer, the same in all views; absent without a usable e-mail address';
comment on column reporting_contacts.blocked_leads.category is 'Kind of enquiry';
comment on column reporting_contacts.blocked_leads.source is 'Where the enquiry came from';
comment on column reporting_contacts.blocked_leads.status is 'Status as the dealership set it';
comment on column reporting_contacts.blocked_leads.salesperson is 'Salesperson to whom it is assigned';
comment on column reporting_contacts.blocked_leads.vin is 'VIN of the vehicle asked for';
comment on column reporting_contacts.blocked_leads.stock_number is 'Stock number of the vehicle asked for';
comment on column reporting_contacts.blocked_leads.package is 'Package asked for';
comment on column reporting_contacts.blocked_leads.location is 'Location asked for';
comment on column reporting_contacts.blocked_leads.requested_at is 'For when the customer asked';
comment on column reporting_contacts.blocked_leads.requested_on is 'Day of requested_at at the dealership';
comment on column reporting_contacts.blocked_leads.updated_at is 'Arrival of the newest delivery that changed the lead';
comment on column reporting_contacts.blocked_leads.contact_email is 'E-mail address as sent with the lead';
comment on column reporting_contacts.blocked_leads.contact_phone is 'Mobile phone, or the only phone of a LeadPro lead; E.164 where valid';
comment on column reporting_contacts.blocked_leads.contact_title is 'Form of address as sent with the lead';
comment on column reporting_contacts.blocked_leads.contact_first_name is 'First name as sent with the lead';
comment on column reporting_contacts.blocked_leads.contact_last_name is 'Last name as sent with the lead';
comment on column reporting_contacts.blocked_leads.contact_full_name is 'First and last name in one text as sent (LeadPro)';
comment on column reporting_contacts.blocked_leads.comments is 'The customer''s message';

create view reporting_contacts.customers as
select
    w.id as workspace_id,
    w.slug as workspace,
    w.name as workspace_name,
    p.id as customer_id,
    p.created_at,
    (p.created_at at time zone w.timezone)::date as created_on,
    p.updated_at,
    (p.updated_at at time zone w.timezone)::date as updated_on,
    p.marketing_opt_in,
    p.marketing_opt_in_at,
    (p.marketing_opt_in_at at time zone w.timezone)::date as marketing_opt_in_on,
    (select count(*) from leads l where l.workspace_id = p.workspace_id and l.person_id = p.id) as lead_count,
    (select min(coalesce(l.source_created_at, l.received_at)) from leads l where l.workspace_id = p.workspace_id and l.person_id = p.id) as first_enquired_at,
    (select max(coalesce(l.source_created_at, l.received_at)) from leads l where l.workspace_id = p.workspace_id and l.person_id = p.id) as last_enquired_at,
    (select count(*) from bookings b where b.workspace_id = p.workspace_id and b.person_id = p.id) as booking_count,
    p.email,
    p.title,
    p.first_name,
    p.middle_name,
    p.last_name,
    p.business_name,
    p.mobile_phone,
    p.home_phone,
    p.date_of_birth,
    p.postcode,
    p.address_street,
    p.address_city,
    p.address_state,
    p.address_postcode,
    p.address_country
from persons p
join workspaces w on w.id = p.workspace_id;

comment on view reporting_contacts.customers is 'Customers, one row for each e-mail address of a workspace; with personal data';
comment on column reporting_contacts.customers.workspace_id is 'Number of the workspace; all joins between these views have it';
comment on column reporting_contacts.customers.workspace is 'Workspace, by its name in the configuration';
comment on column reporting_contacts.customers.workspace_name is 'Workspace, by its name for people';
comment on column reporting_contacts.customers.customer_id is 'Number of the customer, the same in all views';
comment on column reporting_contacts.customers.created_at is 'Arrival of the first delivery about the customer';
comment on column reporting_contacts.customers.created_on is 'Day of created_at in the workspace''s zone';
comment on column reporting_contacts.customers.updated_at is 'Arrival of the newest delivery that changed the customer';
comment on column reporting_contacts.customers.updated_on is 'Day of updated_at in the workspace''s zone';
comment on column reporting_contacts.customers.marketing_opt_in is 'Whether the customer wants marketing, by the newest word; absent where nothing was said';
comment on column reporting_contacts.customers.marketing_opt_in_at is 'When the customer said so';
comment on column reporting_contacts.customers.marketing_opt_in_on is 'Day of marketing_opt_in_at in the workspace''s zone';
comment on column reporting_contacts.customers.lead_count is 'How many leads the customer has';
comment on column reporting_contacts.customers.first_enquired_at is 'When the customer made the first enquiry';
comment on column reporting_contacts.customers.last_enquired_at is 'When the customer made the newest enquiry';
comment on column reporting_contacts.customers.booking_count is 'How many bookings the customer has';
comment on column reporting_contacts.customers.email is 'E-mail address by which the customer is known';
comment on column reporting_contacts.customers.title is 'Form of address';
comment on column reporting_contacts.customers.first_name is 'First name';
comment on column reporting_contacts.customers.middle_name is 'Middle name';
comment on column reporting_contacts.customers.last_name is 'Last name';
comment on column reporting_contacts.customers.business_name is 'Business name';
comment on column reporting_contacts.customers.mobile_phone is 'Mobile phone, E.164 where valid';
comment on column reporting_contacts.customers.home_phone is 'Home phone, E.164 where valid';
comment on column reporting_contacts.customers.date_of_birth is 'Date of birth as the customer gave it';
comment on column reporting_contacts.customers.postcode is 'Postcode given beside the address';
comment on column reporting_contacts.customers.address_street is 'Street and number';
comment on column reporting_contacts.customers.address_city is 'City or suburb';
comment on column reporting_contacts.customers.address_state is 'State, an Australian one abbreviated';
comment on column reporting_contacts.customers.address_postcode is 'Postcode of the address';
comment on column reporting_contacts.customers.address_country is 'Country, ISO 3166-1 alpha-2';

create view reporting_contacts.stock as
select
    w.id as workspace_id,
    w.slug as workspace,
    w.name as workspace_name,
    v.dealership_id,
    coalesce(d.name, v.seller_name, v.dealership_id::text) as dealership,
    v.id as listing_id,
    v.identifier,
    v.vin,
    v.stock_number,
    v.status,
    least(v.source_created_at, v.created_at) as listed_at,
    (least(v.source_created_at, v.created_at) at time zone coalesce(d.timezone, w.timezone))::date as listed_on,
    v.withdrawn_at,
    (v.withdrawn_at at time zone coalesce(d.timezone, w.timezone))::date as withdrawn_on,
    case v.status when 'for_sale' then (now() at time zone coalesce(d.timezone, w.timezone))::date
        when 'withdrawn' then (v.withdrawn_at at time zone coalesce(d.timezone, w.timezone))::date end - (least(v.source_created_at, v.created_at) at time zone coalesce(d.timezone, w.timezone))::date as days_on_lot,
    greatest(v.content_arrived_at, (
        select max(s.received_at)
        from listing_identifiers i
        cross join lateral (
            select e.received_at from intake.deliveries e
            where e.workspace_id = i.workspace_id and e.external_id = i.identifier and e.feed = 'inventory'
            order by e.received_at desc limit 1
        ) s
        where i.workspace_id = v.workspace_id and i.listing_id = v.id
    )) as last_seen_at,
    (greatest(v.content_arrived_at, (
        select max(s.received_at)
        from listing_identifiers i
        cross join lateral (
            select e.received_at from intake.deliveries e
            where e.workspace_id = i.workspace_id and e.external_id = i.identifier and e.feed = 'inventory'
            order by e.received_at desc limit 1
        ) s
        where i.workspace_id = v.workspace_id and i.listing_id = v.id
    )) at time zone coalesce(d.timezone, w.timezone))::date as last_seen_on,
    v.listing_type,
    v.vehicle_type,
    v.sale_status,
    v.title,
    v.make,
    v.model,
    v.series,
    v.badge,
    v.year,
    v.body_style,
    v.transmission,
    v.fuel_type,
    v.drive,
    v.doors,
    v.seats,
    v.colour,
    v.interior_colour,
    v.odometer,
    v.odometer_unit,
    v.registration_number,
    v.price_egc,
    v.price_dap,
    v.price_before,
    v.price_rrp,
    v.price_igc,
    coalesce(upper(v.price_list #>> '{0,Currency}'), w.currency) as currency,
    v.location_name as location,
    array(select k.name from listing_packages n join packages k on k.workspace_id = n.workspace_id and k.id = n.package_id
        where n.workspace_id = v.workspace_id and n.listing_id = v.id order by k.name) as packages,
    (select count(*) from bookings b where b.workspace_id = v.workspace_id and b.listing_id = v.id) as booking_count,
    v.source_modified_at as modified_at,
    v.updated_at
from listings v
join workspaces w on w.id = v.workspace_id
left join dealerships d on d.workspace_id = v.workspace_id and d.dealership_id = v.dealership_id;

comment on view reporting_contacts.stock is 'Vehicles, one row each, for sale or no longer';
comment on column reporting_contacts.stock.workspace_id is 'Number of the workspace; all joins between these views have it';
comment on column reporting_contacts.stock.workspace is 'Workspace, by its name in the configuration';
comment on column reporting_contacts.stock.workspace_name is 'Workspace, by its name for people';
comment on column reporting_contacts.stock.dealership_id is 'The sender''s number of the dealership';
comment on column reporting_contacts.stock.dealership is 'Dealership by name; by its number where no name is known';
comment on column reporting_contacts.stock.listing_id is 'Number of the vehicle, the same in all views';
comment on column reporting_contacts.stock.identifier is 'The sender''s id of the vehicle, that of its newest content';
comment on column reporting_contacts.stock.vin is 'VIN, upper case without spaces';
comment on column reporting_contacts.stock.stock_number is 'Stock number';
comment on column reporting_contacts.stock.status is 'for_sale, withdrawn or archived (another vehicle of the dealership has its stock number)';
comment on column reporting_contacts.stock.listed_at is 'Since when it is in stock: when the sender made it, or its first arrival where that was earlier';
comment on column reporting_contacts.stock.listed_on is 'Day of listed_at at the dealership';
comment on column reporting_contacts.stock.withdrawn_at is 'When it was withdrawn, by the sender''s clock';
comment on column reporting_contacts.stock.withdrawn_on is 'Day of withdrawn_at at the dealership';
comment on column reporting_contacts.stock.days_on_lot is 'Days from listed_on to today, or to withdrawn_on; absent of an archived one';
comment on column reporting_contacts.stock.last_seen_at is 'Arrival of the newest delivery about it, also of one that changed nothing';
comment on column reporting_contacts.stock.last_seen_on is 'Day of last_seen_at at the dealership';
comment on column reporting_contacts.stock.listing_type is 'new, used or demo';
comment on column reporting_contacts.stock.vehicle_type is 'Kind of vehicle, as CAR';
comment on column reporting_contacts.stock.sale_status is 'Sale status as sent with its content';
comment on column reporting_contacts.stock.title is 'Year, make, model and variant in one text';
comment on column reporting_contacts.stock.make is 'Make';
comment on column reporting_contacts.stock.model is 'Model';
comment on column reporting_contacts.stock.series is 'Series';
comment on column reporting_contacts.stock.badge is 'Badge';
comment on column reporting_contacts.stock.year is 'Year of release';
comment on column reporting_contacts.stock.body_style is 'Body style';
comment on column reporting_contacts.stock.transmission is 'Transmission';
comment on column reporting_contacts.stock.fuel_type is 'Fuel';
comment on column reporting_contacts.stock.drive is 'Driven wheels';
comment on column reporting_contacts.stock.doors is 'Number of doors';
comment on column reporting_contacts.stock.seats is 'Number of seats';
comment on column reporting_contacts.stock.colour is 'Colour outside';
comment on column reporting_contacts.stock.interior_colour is 'Colour inside';
comment on column reporting_contacts.stock.odometer is 'Odometer reading';
comment on column reporting_contacts.stock.odometer_unit is 'Unit of the odometer reading';
comment on column reporting_contacts.stock.registration_number is 'Registration number';
comment on column reporting_contacts.stock.price_egc is 'Price excluding government charges, in currency';
comment on column reporting_contacts.stock.price_dap is 'Drive-away price, in currency';
comment on column reporting_contacts.stock.price_before is 'Price before a reduction, in currency';
comment on column reporting_contacts.stock.price_rrp is 'Recommended retail price, in currency';
comment on column reporting_contacts.stock.price_igc is 'Price including government charges, in currency';
comment on column reporting_contacts.stock.currency is 'Currency of all prices of the row, ISO 4217: that of the first price sent, else the workspace''s';
comment on column reporting_contacts.stock.location is 'Location of the seller';
comment on column reporting_contacts.stock.packages is 'Packages on which it is offered, by name';
comment on column reporting_contacts.stock.booking_count is 'How many bookings it has';
comment on column reporting_contacts.stock.modified_at is 'When the sender last changed its content';
comment on column reporting_contacts.stock.updated_at is 'Arrival of the newest delivery that changed it';

create view reporting_contacts.stock_history as
select
    w.id as workspace_id,
    w.slug as workspace,
    w.name as workspace_name,
    v.dealership_id,
    coalesce(d.name, v.seller_name, v.dealership_id::text) as dealership,
    v.id as listing_id,
    coalesce(n.old_value, v.status) as status,
    least(v.source_created_at, v.created_at, n.changed_at) as since,
    (least(v.source_created_at, v.created_at, n.changed_at) at time zone coalesce(d.timezone, w.timezone))::date as since_on,
    n.changed_at as until,
    (n.changed_at at time zone coalesce(d.timezone, w.timezone))::date as until_on,
    coalesce((n.changed_at at time zone coalesce(d.timezone, w.timezone))::date, (now() at time zone coalesce(d.timezone, w.timezone))::date) - (least(v.source_created_at, v.created_at, n.changed_at) at time zone coalesce(d.timezone, w.timezone))::date as days,
    null::text as previous_status,
    n.new_value as next_status,
    v.vin,
    v.stock_number,
    v.title,
    v.make,
    v.model,
    v.year,
    v.listing_type,
    v.location_name as location
from listings v
join workspaces w on w.id = v.workspace_id
left join dealerships d on d.workspace_id = v.workspace_id and d.dealership_id = v.dealership_id
left join lateral (
    select n.old_value, n.new_value, n.changed_at
    from listing_changes n
    where n.workspace_id = v.workspace_id and n.listing_id = v.id and n.field = 'status'
    order by n.changed_at, n.id limit 1
) n on true
union all
select
    w.id as workspace_id,
    w.slug as workspace,
    w.name as workspace_name,
    v.dealership_id,
    coalesce(d.name, v.seller_name, v.dealership_id::text) as dealership,
    v.id as listing_id,
    h.new_value as status,
    h.changed_at as since,
    (h.changed_at at time zone coalesce(d.timezone, w.timezone))::date as since_on,
    n.changed_at as until,
    (n.changed_at at time zone coalesce(d.timezone, w.timezone))::date as until_on,
    coalesce((n.changed_at at time zone coalesce(d.timezone, w.timezone))::date, (now() at time zone coalesce(d.timezone, w.timezone))::date) - (h.changed_at at time zone coalesce(d.timezone, w.timezone))::date as days,
    h.old_value as previous_status,
    n.new_value as next_status,
    v.vin,
    v.stock_number,
    v.title,
    v.make,
    v.model,
    v.year,
    v.listing_type,
    v.location_name as location
from listing_changes h
join listings v on v.workspace_id = h.workspace_id and v.id = h.listing_id
join workspaces w on w.id = v.workspace_id
left join dealerships d on d.workspace_id = v.workspace_id and d.dealership_id = v.dealership_id
left join lateral (
    select n.new_value, n.changed_at
    from listing_changes n
    where n.workspace_id = h.workspace_id and n.listing_id = h.listing_id and n.field = 'status'
        and (n.changed_at, n.id) > (h.changed_at, h.id)
    order by n.changed_at, n.id limit 1
) n on true
where h.field = 'status';

comment on view reporting_contacts.stock_history is 'What status each vehicle had when, one row for each vehicle and span of time';
comment on column reporting_contacts.stock_history.workspace_id is 'Number of the workspace; all joins between these views have it';
comment on column reporting_contacts.stock_history.workspace is 'Workspace, by its name in the configuration';
comment on column reporting_contacts.stock_history.workspace_name is 'Workspace, by its name for people';
comment on column reporting_contacts.stock_history.dealership_id is 'The sender''s number of the dealership';
comment on column reporting_contacts.stock_history.dealership is 'Dealership by name; by its number where no name is known';
comment on column reporting_contacts.stock_history.listing_id is 'Number of the vehicle, the same in all views';
comment on column reporting_contacts.stock_history.status is 'for_sale, withdrawn or archived';
comment on column reporting_contacts.stock_history.since is 'From when it had this status, by the sender''s clock';
comment on column reporting_contacts.stock_history.since_on is 'Day of since at the dealership';
comment on column reporting_contacts.stock_history.until is 'Up to when; absent of the status that it has now';
comment on column reporting_contacts.stock_history.until_on is 'Day of until at the dealership';
comment on column reporting_contacts.stock_history.days is 'Days from since_on to until_on, or to today';
comment on column reporting_contacts.stock_history.previous_status is 'The status before; absent of the first';
comment on column reporting_contacts.stock_history.next_status is 'The status after; absent of the one that it has now';
comment on column reporting_contacts.stock_history.vin is 'VIN of the vehicle';
comment on column reporting_contacts.stock_history.stock_number is 'Stock number of the vehicle';
comment on column reporting_contacts.stock_history.title is 'Year, make, model and variant of the vehicle in one text';
comment on column reporting_contacts.stock_history.make is 'Make';
comment on column reporting_contacts.stock_history.model is 'Model';
comment on column reporting_contacts.stock_history.year is 'Year of release';
comment on column reporting_contacts.stock_history.listing_type is 'new, used or demo';
comment on column reporting_contacts.stock_history.location is 'Location of the seller';

create view reporting_contacts.price_changes as
select
    w.id as workspace_id,
    w.slug as workspace,
    w.name as workspace_name,
    v.dealership_id,
    coalesce(d.name, v.seller_name, v.dealership_id::text) as dealership,
    h.id as change_id,
    v.id as listing_id,
    substr(h.field, 7) as price,
    h.changed_at,
    (h.changed_at at time zone coalesce(d.timezone, w.timezone))::date as changed_on,
    h.old_value::numeric as old_price,
    h.new_value::numeric as new_price,
    h.new_value::numeric - h.old_value::numeric as difference,
    round(100 * (h.new_value::numeric - h.old_value::numeric) / nullif(h.old_value::numeric, 0), 2) as percent,
    coalesce(upper(v.price_list #>> '{0,Currency}'), w.currency) as currency,
    v.vin,
    v.stock_number,
    v.title,
    v.make,
    v.model,
    v.year,
    v.listing_type,
    v.status as vehicle_status
from listing_changes h
join listings v on v.workspace_id = h.workspace_id and v.id = h.listing_id
join workspaces w on w.id = h.workspace_id
left join dealerships d on d.workspace_id = v.workspace_id and d.dealership_id = v.dealership_id
where h.field like 'price\_%';

comment on view reporting_contacts.price_changes is 'Changes of prices, one row each';
comment on column reporting_contacts.price_changes.workspace_id is 'Number of the workspace; all joins between these views have it';
comment on column reporting_contacts.price_changes.workspace is 'Workspace, by its name in the configuration';
comment on column reporting_contacts.price_changes.workspace_name is 'Workspace, by its name for people';
comment on column reporting_contacts.price_changes.dealership_id is 'The sender''s number of the dealership';
comment on column reporting_contacts.price_changes.dealership is 'Dealership by name; by its number where no name is known';
comment on column reporting_contacts.price_changes.change_id is 'Number of the change';
comment on column reporting_contacts.price_changes.listing_id is 'Number of the vehicle, the same in all views';
comment on column reporting_contacts.price_changes.price is 'Which price: egc (excluding government charges), dap (drive away), before, rrp or igc';
comment on column reporting_contacts.price_changes.changed_at is 'When, by the sender''s clock';
comment on column reporting_contacts.price_changes.changed_on is 'Day of changed_at at the dealership';
comment on column reporting_contacts.price_changes.old_price is 'What it was, in currency; absent where there was none';
comment on column reporting_contacts.price_changes.new_price is 'What it became, in currency; absent where it was taken away';
comment on column reporting_contacts.price_changes.difference is 'By how much it rose, in currency; below zero for a cut';
comment on column reporting_contacts.price_changes.percent is 'By how many percent it rose; below zero for a cut';
comment on column reporting_contacts.price_changes.currency is 'Currency of all prices of the row, ISO 4217: that of the first price sent, else the workspace''s';
comment on column reporting_contacts.price_changes.vin is 'VIN of the vehicle';
comment on column reporting_contacts.price_changes.stock_number is 'Stock number of the vehicle';
comment on column reporting_contacts.price_changes.title is 'Year, make, model and variant of the vehicle in one text';
comment on column reporting_contacts.price_changes.make is 'Make';
comment on column reporting_contacts.price_changes.model is 'Model';
comment on column reporting_contacts.price_changes.year is 'Year of release';
comment on column reporting_contacts.price_changes.listing_type is 'new, used or demo';
comment on column reporting_contacts.price_changes.vehicle_status is 'Status of the vehicle now: for_sale, withdrawn or archived';

create view reporting_contacts.appointments as
select
    w.id as workspace_id,
    w.slug as workspace,
    w.name as workspace_name,
    coalesce(l.dealership_id, c.dealership_id) as dealership_id,
    coalesce(d.name, l.dealership_name, coalesce(l.dealership_id, c.dealership_id)::text) as dealership,
    a.id as appointment_id,
    a.external_id as sender_appointment_id,
    a.lead_id,
    l.external_id as sender_lead_id,
    c.external_id as sender_lead_cluster_id,
    coalesce(l.person_id, c.person_id) as customer_id,
    a.starts_at,
    (a.starts_at at time zone coalesce(d.timezone, w.timezone))::date as starts_on,
    (a.starts_at at time zone coalesce(d.timezone, w.timezone)) as starts_at_local,
    a.length_minutes,
    a.status,
    (a.removed_at is not null) as is_removed,
    a.removed_at,
    a.ai_generated,
    a.car_for_test_drive as vehicle,
    l.category,
    l.source,
    coalesce(l.salesperson_name, c.salesperson_name) as salesperson,
    a.note,
    p.email,
    p.title,
    p.first_name,
    p.middle_name,
    p.last_name,
    p.business_name,
    p.mobile_phone,
    p.home_phone
from appointments a
join workspaces w on w.id = a.workspace_id
left join leads l on l.workspace_id = a.workspace_id and l.id = a.lead_id
left join lead_clusters c on c.workspace_id = a.workspace_id and c.id = coalesce(a.lead_cluster_id, l.lead_cluster_id)
left join dealerships d on d.workspace_id = a.workspace_id and d.dealership_id = coalesce(l.dealership_id, c.dealership_id)
left join persons p on p.workspace_id = a.workspace_id and p.id = coalesce(l.person_id, c.person_id);

comment on view reporting_contacts.appointments is 'Appointments, one row each: test drives and the like; one that the sender no longer lists is marked; with personal data';
comment on column reporting_contacts.appointments.workspace_id is 'Number of the workspace; all joins between these views have it';
comment on column reporting_contacts.appointments.workspace is 'Workspace, by its name in the configuration';
comment on column reporting_contacts.appointments.workspace_name is 'Workspace, by its name for people';
comment on column reporting_contacts.appointments.dealership_id is 'The sender''s number of the dealership';
comment on column reporting_contacts.appointments.dealership is 'Dealership by name; by its number where no name is known';
comment on column reporting_contacts.appointments.appointment_id is 'Number of the appointment';
comment on column reporting_contacts.appointments.sender_appointment_id is 'Id of the appointment at the sender';
comment on column reporting_contacts.appointments.lead_id is 'Number of its lead, the same in all views; absent where only a lead cluster is known';
comment on column reporting_contacts.appointments.sender_lead_id is 'Id of its lead at the sender';
comment on column reporting_contacts.appointments.sender_lead_cluster_id is 'Id of its lead cluster at the sender';
comment on column reporting_contacts.appointments.customer_id is 'Number of the customer, the same in all views';
comment on column reporting_contacts.appointments.starts_at is 'When it starts';
comment on column reporting_contacts.appointments.starts_on is 'Day of starts_at at the dealership';
comment on column reporting_contacts.appointments.starts_at_local is 'Time of day and day of starts_at at the dealership';
comment on column reporting_contacts.appointments.length_minutes is 'Scheduled duration in minutes';
comment on column reporting_contacts.appointments.status is 'Status as sent, as pending';
comment on column reporting_contacts.appointments.is_removed is 'Whether the sender no longer lists it';
comment on column reporting_contacts.appointments.removed_at is 'When a newer list arrived without it';
comment on column reporting_contacts.appointments.ai_generated is 'Whether it was made by AI';
comment on column reporting_contacts.appointments.vehicle is 'Name of the car for the test drive';
comment on column reporting_contacts.appointments.category is 'Kind of enquiry of its lead';
comment on column reporting_contacts.appointments.source is 'Where its lead came from';
comment on column reporting_contacts.appointments.salesperson is 'Salesperson to whom the lead is assigned';
comment on column reporting_contacts.appointments.note is 'Note';
comment on column reporting_contacts.appointments.email is 'E-mail address by which the customer is known';
comment on column reporting_contacts.appointments.title is 'Form of address';
comment on column reporting_contacts.appointments.first_name is 'First name';
comment on column reporting_contacts.appointments.middle_name is 'Middle name';
comment on column reporting_contacts.appointments.last_name is 'Last name';
comment on column reporting_contacts.appointments.business_name is 'Business name';
comment on column reporting_contacts.appointments.mobile_phone is 'Mobile phone, E.164 where valid';
comment on column reporting_contacts.appointments.home_phone is 'Home phone, E.164 where valid';

create view reporting_contacts.lead_response as
select
    w.id as workspace_id,
    w.slug as workspace,
    w.name as workspace_name,
    l.dealership_id,
    coalesce(d.name, l.dealership_name, l.dealership_id::text) as dealership,
    l.id as lead_id,
    l.sender,
    l.external_id as sender_lead_id,
    coalesce(l.source_created_at, l.received_at) as enquired_at,
    (coalesce(l.source_created_at, l.received_at) at time zone coalesce(d.timezone, w.timezone))::date as enquired_on,
    l.received_at,
    (l.received_at at time zone coalesce(d.timezone, w.timezone))::date as received_on,
    l.category,
    l.source,
    l.salesperson_name as salesperson,
    e.source_created_at as first_event_at,
    e.event_type as first_event_type,
    round((extract(epoch from e.source_created_at - coalesce(l.source_created_at, l.received_at)) / 60)::numeric, 1) as minutes_to_first_event,
    l.booking_state,
    b.created_at as booked_at,
    round((extract(epoch from b.created_at - coalesce(l.source_created_at, l.received_at)) / 60)::numeric, 1) as minutes_to_booking,
    s.changed_at as first_status_change_at,
    s.new_value as first_status_change_to,
    round((extract(epoch from s.changed_at - coalesce(l.source_created_at, l.received_at)) / 60)::numeric, 1) as minutes_to_status_change,
    l.status,
    l.status_type,
    coalesce((select max(h.changed_at) from lead_changes h
        where h.workspace_id = l.workspace_id and h.lead_id = l.id and h.field = 'status'), coalesce(l.source_created_at, l.received_at)) as status_since,
    e.description as first_event_description,
    e.user_name as first_event_by,
    l.contact_email,
    l.contact_phone,
    l.contact_title,
    l.contact_first_name,
    l.contact_last_name,
    l.contact_full_name
from leads l
join workspaces w on w.id = l.workspace_id
left join dealerships d on d.workspace_id = l.workspace_id and d.dealership_id = l.dealership_id
left join bookings b on b.workspace_id = l.workspace_id and b.lead_id = l.id
left join lateral (
    select x.source_created_at, x.event_type, x.description, x.user_name
    from lead_events x
    where x.workspace_id = l.workspace_id
        and (x.lead_id = l.id or x.lead_cluster_id = l.lead_cluster_id and x.lead_id is null)
        and x.deleted_at is null and x.source_created_at >= coalesce(l.source_created_at, '-infinity')
    order by x.source_created_at, x.id limit 1
) e on true
left join lateral (
    select h.changed_at, h.new_value
    from lead_changes h
    where h.workspace_id = l.workspace_id and h.lead_id = l.id and h.field = 'status'
    order by h.changed_at, h.id limit 1
) s on true;

comment on view reporting_contacts.lead_response is 'How soon leads were answered, one row for each lead; with personal data';
comment on column reporting_contacts.lead_response.workspace_id is 'Number of the workspace; all joins between these views have it';
comment on column reporting_contacts.lead_response.workspace is 'Workspace, by its name in the configuration';
comment on column reporting_contacts.lead_response.workspace_name is 'Workspace, by its name for people';
comment on column reporting_contacts.lead_response.dealership_id is 'The sender''s number of the dealership';
comment on column reporting_contacts.lead_response.dealership is 'Dealership by name; by its number where no name is known';
comment on column reporting_contacts.lead_response.lead_id is 'Number of the lead, the same in all views';
comment on column reporting_contacts.lead_response.sender is 'The system that sent it: dealer_studio or leadpro';
comment on column reporting_contacts.lead_response.sender_lead_id is 'Id of the lead at the sender';
comment on column reporting_contacts.lead_response.enquired_at is 'When the customer made the enquiry; its arrival where the sender does not say';
comment on column reporting_contacts.lead_response.enquired_on is 'Day of enquired_at at the dealership';
comment on column reporting_contacts.lead_response.received_at is 'Arrival of the first delivery about it';
comment on column reporting_contacts.lead_response.received_on is 'Day of received_at at the dealership';
comment on column reporting_contacts.lead_response.category is 'Kind of enquiry';
comment on column reporting_contacts.lead_response.source is 'Where the enquiry came from';
comment on column reporting_contacts.lead_response.salesperson is 'Salesperson to whom it is assigned';
comment on column reporting_contacts.lead_response.first_event_at is 'First event after the enquiry: of the lead, or of its lead cluster where that names no lead';
comment on column reporting_contacts.lead_response.first_event_type is 'Kind of that event';
comment on column reporting_contacts.lead_response.minutes_to_first_event is 'Minutes from the enquiry to that event';
comment on column reporting_contacts.lead_response.booking_state is 'not_requested, created or blocked';
comment on column reporting_contacts.lead_response.booked_at is 'When its booking was made';
comment on column reporting_contacts.lead_response.minutes_to_booking is 'Minutes from the enquiry to its booking';
comment on column reporting_contacts.lead_response.first_status_change_at is 'When its status first became another';
comment on column reporting_contacts.lead_response.first_status_change_to is 'What its status then became';
comment on column reporting_contacts.lead_response.minutes_to_status_change is 'Minutes from the enquiry to that change of status';
comment on column reporting_contacts.lead_response.status is 'Status now';
comment on column reporting_contacts.lead_response.status_type is 'Kind of the status now, as open or lost';
comment on column reporting_contacts.lead_response.status_since is 'Since when it has this status: its last change, else the enquiry';
comment on column reporting_contacts.lead_response.first_event_description is 'What happened in the first event';
comment on column reporting_contacts.lead_response.first_event_by is 'Who made the first event';
comment on column reporting_contacts.lead_response.contact_email is 'E-mail address as sent with the lead';
comment on column reporting_contacts.lead_response.contact_phone is 'Mobile phone, or the only phone of a LeadPro lead; E.164 where valid';
comment on column reporting_contacts.lead_response.contact_title is 'Form of address as sent with the lead';
comment on column reporting_contacts.lead_response.contact_first_name is 'First name as sent with the lead';
comment on column reporting_contacts.lead_response.contact_last_name is 'Last name as sent with the lead';
comment on column reporting_contacts.lead_response.contact_full_name is 'First and last name in one text as sent (LeadPro)';

create view reporting_contacts.marketing_consent as
select
    w.id as workspace_id,
    w.slug as workspace,
    w.name as workspace_name,
    l.dealership_id,
    coalesce(d.name, l.dealership_name, l.dealership_id::text) as dealership,
    p.id as customer_id,
    p.marketing_opt_in,
    p.marketing_opt_in_at,
    (p.marketing_opt_in_at at time zone coalesce(d.timezone, w.timezone))::date as marketing_opt_in_on,
    l.id as lead_id,
    l.sender,
    l.external_id as sender_lead_id,
    l.category,
    l.source,
    coalesce(l.website_url, l.website ->> 'url') as website,
    p.email,
    p.title,
    p.first_name,
    p.middle_name,
    p.last_name,
    p.business_name,
    p.mobile_phone,
    p.home_phone,
    p.postcode,
    p.address_street,
    p.address_city,
    p.address_state,
    p.address_postcode,
    p.address_country
from persons p
join workspaces w on w.id = p.workspace_id
left join leads l on l.workspace_id = p.workspace_id and l.id = p.marketing_opt_in_lead_id
left join dealerships d on d.workspace_id = l.workspace_id and d.dealership_id = l.dealership_id
where p.marketing_opt_in is not null;

comment on view reporting_contacts.marketing_consent is 'What customers said to marketing, one row for each who said anything: the newest word, when, and by which lead; with personal data';
comment on column reporting_contacts.marketing_consent.workspace_id is 'Number of the workspace; all joins between these views have it';
comment on column reporting_contacts.marketing_consent.workspace is 'Workspace, by its name in the configuration';
comment on column reporting_contacts.marketing_consent.workspace_name is 'Workspace, by its name for people';
comment on column reporting_contacts.marketing_consent.dealership_id is 'The sender''s number of the dealership';
comment on column reporting_contacts.marketing_consent.dealership is 'Dealership by name; by its number where no name is known';
comment on column reporting_contacts.marketing_consent.customer_id is 'Number of the customer, the same in all views';
comment on column reporting_contacts.marketing_consent.marketing_opt_in is 'Whether the customer wants marketing';
comment on column reporting_contacts.marketing_consent.marketing_opt_in_at is 'When the customer said so';
comment on column reporting_contacts.marketing_consent.marketing_opt_in_on is 'Day of marketing_opt_in_at at the dealership';
comment on column reporting_contacts.marketing_consent.lead_id is 'Number of the lead with which the customer said so';
comment on column reporting_contacts.marketing_consent.sender is 'The system that sent that lead';
comment on column reporting_contacts.marketing_consent.sender_lead_id is 'Id of that lead at the sender';
comment on column reporting_contacts.marketing_consent.category is 'Kind of enquiry of that lead';
comment on column reporting_contacts.marketing_consent.source is 'Where that lead came from';
comment on column reporting_contacts.marketing_consent.website is 'Website through which that lead came';
comment on column reporting_contacts.marketing_consent.email is 'E-mail address by which the customer is known';
comment on column reporting_contacts.marketing_consent.title is 'Form of address';
comment on column reporting_contacts.marketing_consent.first_name is 'First name';
comment on column reporting_contacts.marketing_consent.middle_name is 'Middle name';
comment on column reporting_contacts.marketing_consent.last_name is 'Last name';
comment on column reporting_contacts.marketing_consent.business_name is 'Business name';
comment on column reporting_contacts.marketing_consent.mobile_phone is 'Mobile phone, E.164 where valid';
comment on column reporting_contacts.marketing_consent.home_phone is 'Home phone, E.164 where valid';
comment on column reporting_contacts.marketing_consent.postcode is 'Postcode given beside the address';
comment on column reporting_contacts.marketing_consent.address_street is 'Street and number';
comment on column reporting_contacts.marketing_consent.address_city is 'City or suburb';
comment on column reporting_contacts.marketing_consent.address_state is 'State, an Australian one abbreviated';
comment on column reporting_contacts.marketing_consent.address_postcode is 'Postcode of the address';
comment on column reporting_contacts.marketing_consent.address_country is 'Country, ISO 3166-1 alpha-2';

create view reporting_contacts.deliveries as
select
    w.id as workspace_id,
    w.slug as workspace,
    w.name as workspace_name,
    e.dealership_id,
    coalesce(d.name, e.dealership_id::text) as dealership,
    e.id as delivery_id,
    e.received_at,
    (e.received_at at time zone coalesce(d.timezone, w.timezone, 'UTC'))::date as received_on,
    e.feed,
    case e.feed when 'leadpro_lead' then 'leadpro' else 'dealer_studio' end as sender,
    e.external_id as sender_id,
    e.credential,
    e.schema_version,
    e.outcome,
    array(select x.finding ->> 'code' from jsonb_array_elements(e.findings) as x (finding)) as finding_codes,
    e.findings,
    e.changes,
    e.attempts,
    e.processing_ms,
    e.settled_at,
    e.retry_at,
    (e.replays <> '[]') as is_replayed,
    e.erased_at
from intake.deliveries e
left join workspaces w on w.id = e.workspace_id
left join dealerships d on d.workspace_id = e.workspace_id and d.dealership_id = e.dealership_id;

comment on view reporting_contacts.deliveries is 'Deliveries, one row each with its one outcome; without bodies';
comment on column reporting_contacts.deliveries.workspace_id is 'Number of the workspace; absent where it was not known or not permitted';
comment on column reporting_contacts.deliveries.workspace is 'Workspace, by its name in the configuration';
comment on column reporting_contacts.deliveries.workspace_name is 'Workspace, by its name for people';
comment on column reporting_contacts.deliveries.dealership_id is 'The sender''s number of the dealership';
comment on column reporting_contacts.deliveries.dealership is 'Dealership by name; by its number where no name is known';
comment on column reporting_contacts.deliveries.delivery_id is 'Id of the delivery, as the reply names it';
comment on column reporting_contacts.deliveries.received_at is 'Arrival';
comment on column reporting_contacts.deliveries.received_on is 'Day of received_at at the dealership';
comment on column reporting_contacts.deliveries.feed is 'Kind of delivery: lead, lead_cluster, inventory or leadpro_lead';
comment on column reporting_contacts.deliveries.sender is 'The system that posted it: dealer_studio or leadpro';
comment on column reporting_contacts.deliveries.sender_id is 'The sender''s id of what it is about: of the lead, the lead cluster or the vehicle';
comment on column reporting_contacts.deliveries.credential is 'Name of the credential that let it in';
comment on column reporting_contacts.deliveries.schema_version is 'v3 for a lead with a list of appointments, else v1';
comment on column reporting_contacts.deliveries.outcome is 'applied, unchanged, ignored, rejected or failed';
comment on column reporting_contacts.deliveries.finding_codes is 'Codes of what a person should know about it';
comment on column reporting_contacts.deliveries.findings is 'The same with path and message; no personal data';
comment on column reporting_contacts.deliveries.changes is 'What became of the person, the lead, the listing and the booking';
comment on column reporting_contacts.deliveries.attempts is 'How often it was tried';
comment on column reporting_contacts.deliveries.processing_ms is 'Time from its arrival, or from the start of the last try, to its outcome, in milliseconds';
comment on column reporting_contacts.deliveries.settled_at is 'When it got its outcome';
comment on column reporting_contacts.deliveries.retry_at is 'When a failed one is tried again';
comment on column reporting_contacts.deliveries.is_replayed is 'Whether a person had it tried again';
comment on column reporting_contacts.deliveries.erased_at is 'When its body was erased, because it was about a person who was';

create view reporting_contacts.dealership_feeds as
select
    w.id as workspace_id,
    w.slug as workspace,
    w.name as workspace_name,
    nullif(e.dealership_id, 0) as dealership_id,
    coalesce(d.name, nullif(e.dealership_id, 0)::text) as dealership,
    e.feed,
    e.last_accepted_at as last_delivery_at,
    (e.last_accepted_at at time zone coalesce(d.timezone, w.timezone))::date as last_delivery_on,
    e.last_delivery_id,
    case when e.counted_on = (now() at time zone w.timezone)::date then e.deliveries_today else 0 end as deliveries_today,
    e.expected_every,
    e.expected_since,
    (e.silent_since is not null) as is_silent,
    e.silent_since,
    (e.silent_since at time zone coalesce(d.timezone, w.timezone))::date as silent_on
from intake.dealership_feeds e
join workspaces w on w.id = e.workspace_id
left join dealerships d on d.workspace_id = e.workspace_id and d.dealership_id = e.dealership_id;

comment on view reporting_contacts.dealership_feeds is 'When each dealership last delivered, by feed, and whether it has fallen silent; as of the last minute';
comment on column reporting_contacts.dealership_feeds.workspace_id is 'Number of the workspace; all joins between these views have it';
comment on column reporting_contacts.dealership_feeds.workspace is 'Workspace, by its name in the configuration';
comment on column reporting_contacts.dealership_feeds.workspace_name is 'Workspace, by its name for people';
comment on column reporting_contacts.dealership_feeds.dealership_id is 'The sender''s number of the dealership; absent for LeadPro';
comment on column reporting_contacts.dealership_feeds.dealership is 'Dealership by name; by its number where no name is known; absent for LeadPro';
comment on column reporting_contacts.dealership_feeds.feed is 'Kind of delivery: lead, lead_cluster, inventory or leadpro_lead';
comment on column reporting_contacts.dealership_feeds.last_delivery_at is 'Arrival of the newest delivery that was stored, whatever its outcome';
comment on column reporting_contacts.dealership_feeds.last_delivery_on is 'Day of last_delivery_at at the dealership';
comment on column reporting_contacts.dealership_feeds.last_delivery_id is 'The newest delivery that was stored';
comment on column reporting_contacts.dealership_feeds.deliveries_today is 'How many deliveries arrived today, in the workspace''s zone';
comment on column reporting_contacts.dealership_feeds.expected_every is 'At least how often the configuration expects a delivery; absent where it expects none';
comment on column reporting_contacts.dealership_feeds.expected_since is 'Since when it expects them';
comment on column reporting_contacts.dealership_feeds.is_silent is 'Whether a delivery is overdue';
comment on column reporting_contacts.dealership_feeds.silent_since is 'Since when a delivery is overdue';
comment on column reporting_contacts.dealership_feeds.silent_on is 'Day of silent_since at the dealership';

create view reporting_contacts.unknown_fields as
select
    w.id as workspace_id,
    w.slug as workspace,
    w.name as workspace_name,
    e.feed,
    e.path,
    e.first_seen_at,
    (e.first_seen_at at time zone w.timezone)::date as first_seen_on,
    e.last_seen_at,
    (e.last_seen_at at time zone w.timezone)::date as last_seen_on,
    e.times_seen,
    e.example_delivery_id
from intake.drift e
join workspaces w on w.id = e.workspace_id;

comment on view reporting_contacts.unknown_fields is 'Fields that the senders send and do not document, one row for each workspace, feed and path';
comment on column reporting_contacts.unknown_fields.workspace_id is 'Number of the workspace; all joins between these views have it';
comment on column reporting_contacts.unknown_fields.workspace is 'Workspace, by its name in the configuration';
comment on column reporting_contacts.unknown_fields.workspace_name is 'Workspace, by its name for people';
comment on column reporting_contacts.unknown_fields.feed is 'Kind of delivery: lead, lead_cluster, inventory or leadpro_lead';
comment on column reporting_contacts.unknown_fields.path is 'Path of the field in the payload, array positions as []';
comment on column reporting_contacts.unknown_fields.first_seen_at is 'Arrival of the first delivery with it';
comment on column reporting_contacts.unknown_fields.first_seen_on is 'Day of first_seen_at in the workspace''s zone';
comment on column reporting_contacts.unknown_fields.last_seen_at is 'Arrival of the newest delivery with it';
comment on column reporting_contacts.unknown_fields.last_seen_on is 'Day of last_seen_at in the workspace''s zone';
comment on column reporting_contacts.unknown_fields.times_seen is 'How many deliveries had it';
comment on column reporting_contacts.unknown_fields.example_delivery_id is 'A delivery that has it';

-- The same views without personal data, which most readers need not see. Each names its columns one by one: what is added
-- above is not seen here by itself. Comments are those of above.

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
