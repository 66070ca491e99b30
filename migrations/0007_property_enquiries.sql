-- Enquiries about properties: what LeadPro says of a lead beside what leads of all senders have.
--
-- One row for each lead of LeadPro, also where it tells nothing of a property. It is a table of its own because leads
-- about cars would leave every one of these columns empty. Of each column the newest value stays, as in leads.

create table property_enquiries (
    workspace_id bigint not null,
    lead_id bigint not null,
    enquiry_type text,
    stage text,
    address text,
    postcode text,
    advert_address text,
    advert_postcode text,
    advert_url text,
    advert_image text,
    bedrooms bigint,
    property_type text,
    property_reference text,
    international boolean,
    appointment_availability jsonb,
    questionnaire jsonb,
    comparable_properties jsonb,
    average_sale_estimation numeric,
    minimum_sale_estimation numeric,
    maximum_sale_estimation numeric,
    average_rent_estimation numeric,
    minimum_rent_estimation numeric,
    maximum_rent_estimation numeric,
    office_id text,
    office_name text,
    account_id text,
    account_name text,
    referred_by_office_id text,
    referred_by_office_name text,
    referred_by_account_id text,
    referred_by_account_name text,
    parent_external_id text,
    host text,
    gdpr_checkbox boolean,
    clocks jsonb not null,
    constraint property_enquiries_pkey primary key (workspace_id, lead_id),
    constraint property_enquiries_lead_id_fkey foreign key (workspace_id, lead_id) references leads (workspace_id, id)
);

comment on column property_enquiries.workspace_id is 'The workspace that the row belongs to';
comment on column property_enquiries.lead_id is 'The lead';
comment on column property_enquiries.enquiry_type is 'Kind of enquiry, as vendor (type)';
comment on column property_enquiries.stage is 'How far the enquiry has come, as VALUATION_BOOKED';
comment on column property_enquiries.address is 'Address of the customer''s property, one line';
comment on column property_enquiries.postcode is 'Postcode of the customer''s property';
comment on column property_enquiries.advert_address is 'Address of the advertised property, one line';
comment on column property_enquiries.advert_postcode is 'Postcode of the advertised property';
comment on column property_enquiries.advert_url is 'Page of the advertisement';
comment on column property_enquiries.advert_image is 'Picture of the advertised property';
comment on column property_enquiries.bedrooms is 'Number of bedrooms (property_bedrooms)';
comment on column property_enquiries.property_type is 'Kind of building, as detached';
comment on column property_enquiries.property_reference is 'The agent''s own reference of the property';
comment on column property_enquiries.international is 'Whether the enquiry is international';
comment on column property_enquiries.appointment_availability is 'When the customer can be met, whole';
comment on column property_enquiries.questionnaire is 'Questions with the customer''s answers, whole';
comment on column property_enquiries.comparable_properties is 'Properties to compare with, whole (comparable_props)';
comment on column property_enquiries.average_sale_estimation is 'Average estimate of the sale price';
comment on column property_enquiries.minimum_sale_estimation is 'Lowest estimate of the sale price';
comment on column property_enquiries.maximum_sale_estimation is 'Highest estimate of the sale price';
comment on column property_enquiries.average_rent_estimation is 'Average estimate of the rent';
comment on column property_enquiries.minimum_rent_estimation is 'Lowest estimate of the rent';
comment on column property_enquiries.maximum_rent_estimation is 'Highest estimate of the rent';
comment on column property_enquiries.office_id is 'The sender''s id of the office';
comment on column property_enquiries.office_name is 'Name of the office';
comment on column property_enquiries.account_id is 'The sender''s id of the account';
comment on column property_enquiries.account_name is 'Name of the account';
comment on column property_enquiries.referred_by_office_id is 'The sender''s id of the office that referred the lead';
comment on column property_enquiries.referred_by_office_name is 'Name of the office that referred the lead';
comment on column property_enquiries.referred_by_account_id is 'The sender''s id of the account that referred the lead';
comment on column property_enquiries.referred_by_account_name is 'Name of the account that referred the lead';
comment on column property_enquiries.parent_external_id is 'The sender''s id of the lead from which this one came (parentId)';
comment on column property_enquiries.host is 'The website through which the enquiry came';
comment on column property_enquiries.gdpr_checkbox is 'Whether the customer agreed to the use of the data; it is not a wish for marketing';
comment on column property_enquiries.clocks is 'When each column was said: the newest time, and apart from it those that differ; read by the service only';
comment on table property_enquiries is 'Properties that customers ask about or offer, one row for each lead of LeadPro';

-- LeadPro sends one name beside first and last name, or in their place.
alter table leads add column contact_full_name text;
comment on column leads.contact_full_name is 'First and last name in one text as sent (LeadPro)';

-- What two senders fill.
comment on column leads.sender is 'The system that sent it: dealer_studio or leadpro';
comment on column leads.category is 'Kind of enquiry; type of a LeadPro lead';
comment on column leads.status is 'lead_status_option.name; status of a LeadPro lead';
comment on column leads.contact_phone is 'Mobile phone, or the only phone of a LeadPro lead; E.164 where valid';
comment on column leads.contact_address is 'Address as sent with this lead, complete or not: in parts with state_long (Dealer Studio), or one line as address (LeadPro)';
comment on column leads.additional_details is 'Free-form details, meta of a LeadPro lead, without the keys of identity documents';
comment on column leads.source_modified_at is 'When the sender last changed it; for LeadPro the newest iat of its tokens, else the creation';
