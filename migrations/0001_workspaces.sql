-- The tenants, and what the configuration says of them.
--
-- Everything else belongs to a workspace: its id stands first in every key, so that the tables can be distributed by it.
-- Rows are written by the service, which takes their ids from one sequence in blocks; ids are unique over all tables.

create schema identity;
create schema intake;
comment on schema identity is 'Identity documents of persons, apart so that a role can read the business tables without them';
comment on schema intake is 'Deliveries as they arrived, and what is known about them';

create sequence row_ids;
comment on sequence row_ids is 'Ids of rows, reserved in blocks by the service';

create table workspaces (
    id bigint not null,
    slug text not null,
    name text not null,
    timezone text not null,
    phone_region text not null,
    country text not null,
    active boolean not null,
    constraint workspaces_pkey primary key (id),
    constraint workspaces_slug_key unique (slug)
);

comment on table workspaces is 'The tenants that everything belongs to, as the configuration names them';
comment on column workspaces.id is 'Id of the workspace';
comment on column workspaces.slug is 'Name in the configuration';
comment on column workspaces.name is 'Name for people';
comment on column workspaces.timezone is 'IANA zone in which local times are read';
comment on column workspaces.phone_region is 'Region in which phone numbers without a country code are read, ISO 3166-1 alpha-2';
comment on column workspaces.country is 'Country that stands in where a feed has none, ISO 3166-1 alpha-2';
comment on column workspaces.active is 'Whether the configuration still names it';

create table dealerships (
    dealership_id bigint not null,
    workspace_id bigint not null,
    timezone text,
    active boolean not null,
    constraint dealerships_pkey primary key (dealership_id),
    constraint dealerships_workspace_id_fkey foreign key (workspace_id) references workspaces (id)
);

comment on table dealerships is 'The dealership ids of the sender, each with the workspace it belongs to';
comment on column dealerships.dealership_id is 'Id of the dealership at the sender';
comment on column dealerships.workspace_id is 'The workspace that its deliveries belong to';
comment on column dealerships.timezone is 'Its own IANA zone, where it differs from the workspace''s';
comment on column dealerships.active is 'Whether the configuration still names it';

create table locations (
    workspace_id bigint not null,
    id bigint not null,
    name text not null,
    name_key text not null,
    bookable boolean not null,
    active boolean not null,
    street text,
    suburb text,
    city text,
    state text,
    postcode text,
    latitude numeric,
    longitude numeric,
    phone text,
    operating_hours jsonb,
    sender_location_id text,
    sender_location_code text,
    configured jsonb,
    reported jsonb,
    reported_at timestamptz,
    reported_arrived_at timestamptz,
    constraint locations_pkey primary key (workspace_id, id),
    constraint locations_name_key unique (workspace_id, name_key),
    constraint locations_workspace_id_fkey foreign key (workspace_id) references workspaces (id)
);

comment on column locations.workspace_id is 'The workspace that the row belongs to';
comment on column locations.id is 'Id of the location';
comment on column locations.name is 'Name, as the configuration writes it, else as inventory does';
comment on column locations.name_key is 'Name in lower case, by which it is matched';
comment on column locations.bookable is 'Whether bookings may be made for it';
comment on column locations.active is 'Whether the configuration or inventory names it';
comment on column locations.street is 'Street and number';
comment on column locations.suburb is 'Suburb';
comment on column locations.city is 'City';
comment on column locations.state is 'State, an Australian one abbreviated';
comment on column locations.postcode is 'Postcode';
comment on column locations.latitude is 'Latitude in degrees';
comment on column locations.longitude is 'Longitude in degrees';
comment on column locations.phone is 'Phone, E.164 where valid';
comment on column locations.operating_hours is 'Opening hours as sent';
comment on column locations.sender_location_id is 'The sender''s location id';
comment on column locations.sender_location_code is 'The sender''s location code';
comment on column locations.configured is 'What the configuration says of it';
comment on column locations.reported is 'What inventory says of it';
comment on column locations.reported_at is 'The senders time of what inventory says';
comment on column locations.reported_arrived_at is 'Arrival of what inventory says';
comment on table locations is 'Places where bookings can be made, from the configuration and from inventory';

create table packages (
    workspace_id bigint not null,
    id bigint not null,
    name text not null,
    active boolean not null,
    configured boolean not null,
    reported boolean not null,
    constraint packages_pkey primary key (workspace_id, id),
    constraint packages_name_key unique (workspace_id, name),
    constraint packages_workspace_id_fkey foreign key (workspace_id) references workspaces (id)
);

comment on column packages.workspace_id is 'The workspace that the row belongs to';
comment on column packages.id is 'Id of the package';
comment on column packages.name is 'Name, matched exactly';
comment on column packages.active is 'Whether the configuration or inventory names it';
comment on column packages.configured is 'Whether the configuration names it';
comment on column packages.reported is 'Whether inventory names it';
comment on table packages is 'Subscription packages, from the configuration and from inventory';
