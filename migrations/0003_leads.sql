-- Enquiries, with what belongs to them: clusters, cars offered, appointments, and identity documents as sent.
--
-- Of each column the newest value stays, whatever the order of arrival; see clocks. What a booking waits for stands in
-- booking_blockers.

create table lead_clusters (
    workspace_id bigint not null,
    id bigint not null,
    external_id text not null,
    person_id bigint,
    status text,
    contact_first_name text,
    contact_last_name text,
    contact_email text,
    contact_phone text,
    salesperson_name text,
    approver_name text,
    source_created_at timestamptz,
    source_modified_at timestamptz,
    appointments_as_of jsonb,
    constraint lead_clusters_pkey primary key (workspace_id, id),
    constraint lead_clusters_external_id_key unique (workspace_id, external_id),
    constraint lead_clusters_workspace_id_fkey foreign key (workspace_id) references workspaces (id),
    constraint lead_clusters_person_id_fkey foreign key (workspace_id, person_id) references persons (workspace_id, id)
);

comment on column lead_clusters.workspace_id is 'The workspace that the row belongs to';
comment on column lead_clusters.id is 'Id of the cluster';
comment on column lead_clusters.external_id is 'Id of the cluster at the sender';
comment on column lead_clusters.person_id is 'The person with the contacts e-mail address';
comment on column lead_clusters.status is 'Status of the cluster';
comment on column lead_clusters.contact_first_name is 'First name of the contact';
comment on column lead_clusters.contact_last_name is 'Last name of the contact';
comment on column lead_clusters.contact_email is 'E-mail address of the contact as sent';
comment on column lead_clusters.contact_phone is 'Phone of the contact, E.164 where valid';
comment on column lead_clusters.salesperson_name is 'Name of the assigned salesperson';
comment on column lead_clusters.approver_name is 'Name of the approver';
comment on column lead_clusters.source_created_at is 'When the sender made it';
comment on column lead_clusters.source_modified_at is 'When the sender last changed it';
comment on column lead_clusters.appointments_as_of is 'The time of the newest list of appointments; read by the service only';
comment on table lead_clusters is 'The sender''s groupings of one customer''s leads';

create table leads (
    workspace_id bigint not null,
    id bigint not null,
    sender text not null,
    external_id text not null,
    lead_cluster_id bigint,
    person_id bigint,
    person_email text,
    subscription_plan text,
    booking_state text not null,
    booking_blockers text[] not null,
    dealership_id bigint,
    dealership_name text,
    dealership_slug text,
    category text,
    subcategory text,
    source text,
    marketing_source text,
    utm_campaign text,
    provider text,
    status text,
    status_type text,
    status_option_id text,
    lost_reason text,
    lost_reason_comment text,
    comments text,
    contact_email text,
    contact_title text,
    contact_first_name text,
    contact_middle_name text,
    contact_last_name text,
    contact_phone text,
    contact_home_phone text,
    contact_date_of_birth date,
    contact_postcode text,
    contact_address jsonb,
    contact_marketing_opt_in boolean,
    vin text,
    stock_number text,
    item_id text,
    item_make text,
    item_model text,
    item_year bigint,
    item_price numeric,
    item jsonb,
    requested_plan text,
    offered_plan text,
    subscription jsonb,
    location_name text,
    location jsonb,
    booking_date text,
    booking_time text,
    requested_at timestamptz,
    has_test_drives boolean,
    website jsonb,
    salesperson_id text,
    salesperson_name text,
    salesperson_email text,
    pipeline_id text,
    pipeline_name text,
    offer_manufacturer text,
    offer_name text,
    additional_details jsonb,
    source_created_at timestamptz,
    source_modified_at timestamptz,
    received_at timestamptz not null,
    updated_at timestamptz not null,
    clocks jsonb not null,
    membership jsonb,
    appointments_as_of jsonb,
    constraint leads_pkey primary key (workspace_id, id),
    constraint leads_external_id_key unique (workspace_id, sender, external_id),
    constraint leads_booking_state_check check (booking_state in ('not_requested', 'created', 'blocked')),
    constraint leads_workspace_id_fkey foreign key (workspace_id) references workspaces (id),
    constraint leads_lead_cluster_id_fkey foreign key (workspace_id, lead_cluster_id) references lead_clusters (workspace_id, id),
    constraint leads_person_id_fkey foreign key (workspace_id, person_id) references persons (workspace_id, id)
);

comment on column leads.workspace_id is 'The workspace that the row belongs to';
comment on column leads.id is 'Id of the lead';
comment on column leads.sender is 'The system that sent it';
comment on column leads.external_id is 'Id of the lead at the sender';
comment on column leads.lead_cluster_id is 'The cluster it belongs to';
comment on column leads.person_id is 'The person with its e-mail address';
comment on column leads.person_email is 'contact_email in the form in which persons are matched';
comment on column leads.subscription_plan is 'The plan asked for: requested_plan, else offered_plan';
comment on column leads.booking_state is 'not_requested, created or blocked';
comment on column leads.booking_blockers is 'Codes of what stands in the way of a booking';
comment on column leads.dealership_id is 'Dealership id of the sender';
comment on column leads.dealership_name is 'dealership.name';
comment on column leads.dealership_slug is 'dealership.slug';
comment on column leads.category is 'Kind of enquiry';
comment on column leads.subcategory is 'Finer kind of enquiry';
comment on column leads.source is 'Where the enquiry came from';
comment on column leads.marketing_source is 'Marketing source';
comment on column leads.utm_campaign is 'UTM campaign';
comment on column leads.provider is 'The sender''s name for itself';
comment on column leads.status is 'lead_status_option.name';
comment on column leads.status_type is 'lead_status_option.status_type';
comment on column leads.status_option_id is 'lead_status_option.id';
comment on column leads.lost_reason is 'Why the lead was lost';
comment on column leads.lost_reason_comment is 'Comment on why the lead was lost';
comment on column leads.comments is 'The customer''s message';
comment on column leads.contact_email is 'E-mail address as sent';
comment on column leads.contact_title is 'prospect.title';
comment on column leads.contact_first_name is 'First name as sent with this lead';
comment on column leads.contact_middle_name is 'Middle name as sent with this lead';
comment on column leads.contact_last_name is 'Last name as sent with this lead';
comment on column leads.contact_phone is 'Mobile phone, E.164 where valid';
comment on column leads.contact_home_phone is 'Home phone, E.164 where valid';
comment on column leads.contact_date_of_birth is 'Date of birth, where valid';
comment on column leads.contact_postcode is 'Postcode given beside the address';
comment on column leads.contact_address is 'Address as sent with this lead, complete or not; state_long included';
comment on column leads.contact_marketing_opt_in is 'prospect.opt_in_to_marketing';
comment on column leads.vin is 'VIN of the vehicle asked for';
comment on column leads.stock_number is 'Stock number of the vehicle asked for';
comment on column leads.item_id is 'item.id';
comment on column leads.item_make is 'Make of the vehicle asked for';
comment on column leads.item_model is 'Model of the vehicle asked for';
comment on column leads.item_year is 'Year of the vehicle asked for';
comment on column leads.item_price is 'Price of the vehicle asked for';
comment on column leads.item is 'item whole, each documented field read by its type';
comment on column leads.requested_plan is 'additional_details.subscription_plan';
comment on column leads.offered_plan is 'subscription_plan.name';
comment on column leads.subscription is 'subscription_plan whole';
comment on column leads.location_name is 'location.location_name';
comment on column leads.location is 'location whole';
comment on column leads.booking_date is 'booking_date as sent';
comment on column leads.booking_time is 'booking_time as sent';
comment on column leads.requested_at is 'booking_date with booking_time, resolved in the dealership''s zone';
comment on column leads.has_test_drives is 'Whether the cluster has a test drive, as sent';
comment on column leads.website is 'website whole';
comment on column leads.salesperson_id is 'assigned_salesperson.id';
comment on column leads.salesperson_name is 'assigned_salesperson.name';
comment on column leads.salesperson_email is 'assigned_salesperson.email';
comment on column leads.pipeline_id is 'pipeline.id';
comment on column leads.pipeline_name is 'pipeline.name';
comment on column leads.offer_manufacturer is 'offer_data.manufacturer';
comment on column leads.offer_name is 'offer_data.offer_name';
comment on column leads.additional_details is 'Free-form details, without the keys of identity documents';
comment on column leads.source_created_at is 'When the customer made the enquiry';
comment on column leads.source_modified_at is 'When the sender last changed it';
comment on column leads.received_at is 'Arrival of the first delivery about it';
comment on column leads.updated_at is 'Arrival of the newest delivery that changed it';
comment on column leads.clocks is 'When each column was said: the newest time, and apart from it those that differ; read by the service only';
comment on column leads.membership is 'The time of lead_cluster_id; read by the service only';
comment on column leads.appointments_as_of is 'The time of its newest list of appointments without a cluster; read by the service only';
comment on table leads is 'Enquiries, one row for each lead of a sender';

-- Leads of a person, and of a cluster.
create index leads_person_id_idx on leads (workspace_id, person_id);
create index leads_lead_cluster_id_idx on leads (workspace_id, lead_cluster_id);
-- Leads that ask for a booking are decided about again when what they wait for, or would rather have, appears.
create index leads_wanted_vin_idx on leads (workspace_id, vin) where booking_state <> 'not_requested';
create index leads_wanted_stock_number_idx on leads (workspace_id, stock_number)
    where booking_state <> 'not_requested';
create index leads_blocked_plan_idx on leads (workspace_id, subscription_plan) where booking_state = 'blocked';
create index leads_wanted_location_idx on leads (workspace_id, lower(location_name))
    where booking_state <> 'not_requested';
-- Postgres keeps no statistics for the expression of a partial index.
create statistics leads_location_name_stats on (lower(location_name)) from leads;
-- Leads that wait for a person of their address.
create index leads_waiting_email_idx on leads (workspace_id, person_email) where person_id is null;

create table trade_ins (
    workspace_id bigint not null,
    lead_id bigint not null,
    registration text,
    kilometres numeric,
    make text,
    model text,
    badge text,
    series text,
    year bigint,
    state text,
    title text,
    offer_price numeric,
    trade_price numeric,
    retail_price numeric,
    price_adjustment numeric,
    offer_accepted boolean,
    clocks jsonb not null,
    constraint trade_ins_pkey primary key (workspace_id, lead_id),
    constraint trade_ins_lead_id_fkey foreign key (workspace_id, lead_id) references leads (workspace_id, id)
);

comment on column trade_ins.workspace_id is 'The workspace that the row belongs to';
comment on column trade_ins.lead_id is 'The lead';
comment on column trade_ins.registration is 'Registration number';
comment on column trade_ins.kilometres is 'Odometer in kilometres';
comment on column trade_ins.make is 'Make';
comment on column trade_ins.model is 'Model';
comment on column trade_ins.badge is 'Badge';
comment on column trade_ins.series is 'Series';
comment on column trade_ins.year is 'Year';
comment on column trade_ins.state is 'State of registration';
comment on column trade_ins.title is 'Year, make, model, badge and series in one text';
comment on column trade_ins.offer_price is 'Price offered to the customer';
comment on column trade_ins.trade_price is 'Trade price after valuation';
comment on column trade_ins.retail_price is 'Retail price after valuation';
comment on column trade_ins.price_adjustment is 'Adjustment after valuation';
comment on column trade_ins.offer_accepted is 'Whether the customer accepted the offer';
comment on column trade_ins.clocks is 'When each column was said: the newest time, and apart from it those that differ; read by the service only';
comment on table trade_ins is 'Cars that customers offer with their leads';

create table identity.lead_documents (
    workspace_id bigint not null,
    lead_id bigint not null,
    documents jsonb not null,
    constraint lead_documents_pkey primary key (workspace_id, lead_id),
    constraint lead_documents_lead_id_fkey foreign key (workspace_id, lead_id) references leads (workspace_id, id)
);

comment on column identity.lead_documents.workspace_id is 'The workspace that the row belongs to';
comment on column identity.lead_documents.lead_id is 'The lead';
comment on column identity.lead_documents.documents is 'Keys of licences and passports as sent with the lead, complete or not';
comment on table identity.lead_documents is 'Identity documents as sent with leads';

create table appointments (
    workspace_id bigint not null,
    id bigint not null default nextval('row_ids'),
    external_id text not null,
    lead_id bigint,
    lead_cluster_id bigint,
    starts_at timestamptz,
    starts_at_local text,
    length_minutes bigint,
    status text,
    ai_generated boolean,
    user_id text,
    note text,
    sender_location_id text,
    car_for_test_drive text,
    removed_at timestamptz,
    as_of jsonb not null,
    constraint appointments_pkey primary key (workspace_id, id),
    constraint appointments_external_id_key unique (workspace_id, external_id),
    constraint appointments_workspace_id_fkey foreign key (workspace_id) references workspaces (id),
    constraint appointments_lead_id_fkey foreign key (workspace_id, lead_id) references leads (workspace_id, id),
    constraint appointments_lead_cluster_id_fkey foreign key (workspace_id, lead_cluster_id) references lead_clusters (workspace_id, id)
);

comment on column appointments.workspace_id is 'The workspace that the row belongs to';
comment on column appointments.id is 'Id of the appointment';
comment on column appointments.external_id is 'Id of the appointment at the sender';
comment on column appointments.lead_id is 'The lead of the newest list that held it';
comment on column appointments.lead_cluster_id is 'The cluster of the newest list that held it';
comment on column appointments.starts_at is 'When it starts, resolved in the dealership''s zone';
comment on column appointments.starts_at_local is 'When it starts, as sent';
comment on column appointments.length_minutes is 'Scheduled duration in minutes';
comment on column appointments.status is 'Status, as pending';
comment on column appointments.ai_generated is 'Whether the booking was made by AI';
comment on column appointments.user_id is 'Assigned user at the dealership';
comment on column appointments.note is 'Note';
comment on column appointments.sender_location_id is 'The sender''s location id';
comment on column appointments.car_for_test_drive is 'Name of the car for the test drive';
comment on column appointments.removed_at is 'When a newer list of its cluster arrived without it';
comment on column appointments.as_of is 'The time of the newest list that held it; read by the service only';
comment on table appointments is 'Test drives and the like; what the sender no longer lists is marked, not removed';

create index appointments_lead_cluster_id_idx on appointments (workspace_id, lead_cluster_id);
create index appointments_lead_id_idx on appointments (workspace_id, lead_id);
