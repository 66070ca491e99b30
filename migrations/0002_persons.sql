-- Customers: one row for each e-mail address of a workspace, and their identity documents in a schema of their own.
--
-- Of each column the newest value stays. The times are kept in clocks, sparsely: a row written once holds one time.

create table persons (
    workspace_id bigint not null,
    id bigint not null,
    email text not null,
    title text,
    first_name text,
    middle_name text,
    last_name text,
    business_name text,
    date_of_birth date,
    mobile_phone text,
    home_phone text,
    postcode text,
    marketing_opt_in boolean,
    address_street text,
    address_city text,
    address_state text,
    address_postcode text,
    address_country text,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    clocks jsonb not null,
    constraint persons_pkey primary key (workspace_id, id),
    constraint persons_email_key unique (workspace_id, email),
    constraint persons_workspace_id_fkey foreign key (workspace_id) references workspaces (id)
);

comment on column persons.workspace_id is 'The workspace that the row belongs to';
comment on column persons.id is 'Id of the person';
comment on column persons.email is 'E-mail address in lower case, by which the person is known';
comment on column persons.title is 'Form of address';
comment on column persons.first_name is 'First name';
comment on column persons.middle_name is 'Middle name';
comment on column persons.last_name is 'Last name';
comment on column persons.business_name is 'Business name';
comment on column persons.date_of_birth is 'Date of birth as the customer gave it';
comment on column persons.mobile_phone is 'Mobile phone, E.164 where valid';
comment on column persons.home_phone is 'Home phone, E.164 where valid';
comment on column persons.postcode is 'Postcode given beside the address';
comment on column persons.marketing_opt_in is 'Whether the customer wants marketing';
comment on column persons.address_street is 'Street and number; the address is stored whole or not at all';
comment on column persons.address_city is 'City or suburb';
comment on column persons.address_state is 'State, an Australian one abbreviated';
comment on column persons.address_postcode is 'Postcode of the address';
comment on column persons.address_country is 'Country, ISO 3166-1 alpha-2';
comment on column persons.created_at is 'Arrival of the first delivery about it';
comment on column persons.updated_at is 'Arrival of the newest delivery that changed it';
comment on column persons.clocks is 'When each column was said: the newest time, and apart from it those that differ; read by the service only';
comment on table persons is 'Customers, one row for each e-mail address';

create table identity.driver_licences (
    workspace_id bigint not null,
    person_id bigint not null,
    number text not null,
    card_number text,
    state text,
    expires_on date not null,
    date_of_birth date not null,
    constraint driver_licences_pkey primary key (workspace_id, person_id),
    constraint driver_licences_person_id_fkey foreign key (workspace_id, person_id) references persons (workspace_id, id)
);

comment on column identity.driver_licences.workspace_id is 'The workspace that the row belongs to';
comment on column identity.driver_licences.person_id is 'The person';
comment on column identity.driver_licences.number is 'Licence number';
comment on column identity.driver_licences.card_number is 'Number of the card';
comment on column identity.driver_licences.state is 'Issuing state';
comment on column identity.driver_licences.expires_on is 'Last day of validity';
comment on column identity.driver_licences.date_of_birth is 'Date of birth on the licence';
comment on table identity.driver_licences is 'Driver licences of persons';

create table identity.passports (
    workspace_id bigint not null,
    person_id bigint not null,
    number text not null,
    country text not null,
    expires_on date not null,
    date_of_birth date not null,
    constraint passports_pkey primary key (workspace_id, person_id),
    constraint passports_person_id_fkey foreign key (workspace_id, person_id) references persons (workspace_id, id)
);

comment on column identity.passports.workspace_id is 'The workspace that the row belongs to';
comment on column identity.passports.person_id is 'The person';
comment on column identity.passports.number is 'Passport number';
comment on column identity.passports.country is 'Issuing country, ISO 3166-1 alpha-2';
comment on column identity.passports.expires_on is 'Last day of validity';
comment on column identity.passports.date_of_birth is 'Date of birth in the passport';
comment on table identity.passports is 'Passports of persons';
