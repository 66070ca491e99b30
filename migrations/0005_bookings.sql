-- Bookings: a person asking for a listing on a package at a location, one for each lead.

create table bookings (
    workspace_id bigint not null,
    id bigint not null default nextval('row_ids'),
    lead_id bigint not null,
    person_id bigint not null,
    listing_id bigint not null,
    location_id bigint not null,
    package_id bigint not null,
    status text not null,
    wish jsonb not null,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint bookings_pkey primary key (workspace_id, id),
    constraint bookings_lead_id_key unique (workspace_id, lead_id),
    constraint bookings_lead_id_fkey foreign key (workspace_id, lead_id) references leads (workspace_id, id),
    constraint bookings_person_id_fkey foreign key (workspace_id, person_id) references persons (workspace_id, id),
    constraint bookings_listing_id_fkey foreign key (workspace_id, listing_id) references listings (workspace_id, id),
    constraint bookings_location_id_fkey foreign key (workspace_id, location_id) references locations (workspace_id, id),
    constraint bookings_package_id_fkey foreign key (workspace_id, package_id) references packages (workspace_id, id)
);

comment on column bookings.workspace_id is 'The workspace that the row belongs to';
comment on column bookings.id is 'Id of the booking';
comment on column bookings.lead_id is 'The lead that asks';
comment on column bookings.person_id is 'The person';
comment on column bookings.listing_id is 'The vehicle';
comment on column bookings.location_id is 'The location';
comment on column bookings.package_id is 'The package';
comment on column bookings.status is 'requested';
comment on column bookings.wish is 'What the lead had said when it asked for it; read by the service only';
comment on column bookings.created_at is 'Arrival of the first delivery about it';
comment on column bookings.updated_at is 'Arrival of the newest delivery that changed it';
comment on table bookings is 'Persons asking for listings on packages at locations, one for each lead';

create index bookings_person_id_idx on bookings (workspace_id, person_id);
create index bookings_listing_id_idx on bookings (workspace_id, listing_id);
