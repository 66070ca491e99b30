-- Vehicles in stock.
--
-- listing_identifiers and listing_sources keep what was said: for each identifier its newest word and VIN, and for each
-- identifier with the VIN named beside it the newest content. A row of listings is computed from those that belong to it.

create table listings (
    workspace_id bigint not null,
    id bigint not null,
    identifier text,
    vin text,
    status text not null,
    withdrawn_at timestamptz,
    stock_number text,
    dealership_id bigint,
    seller_name text,
    location_name text,
    seller jsonb,
    vehicle_type text,
    listing_type text,
    sale_status text,
    sale_type text,
    make text,
    model text,
    series text,
    badge text,
    year bigint,
    body_style text,
    transmission text,
    fuel_type text,
    drive text,
    doors bigint,
    seats bigint,
    colour text,
    interior_colour text,
    odometer numeric,
    odometer_unit text,
    registration_number text,
    registration_expires_at timestamptz,
    price_egc numeric,
    price_dap numeric,
    price_before numeric,
    price_rrp numeric,
    price_igc numeric,
    title text,
    description text,
    slug text,
    specification_identifier text,
    specification_source text,
    specification_code text,
    specification_description text,
    country_code text,
    release_date jsonb,
    build_year bigint,
    build_month bigint,
    build_date jsonb,
    compliance_year bigint,
    compliance_month bigint,
    compliance_date jsonb,
    certified boolean,
    certification_type text,
    identification jsonb,
    colours jsonb,
    odometer_readings jsonb,
    attributes jsonb,
    features jsonb,
    media jsonb,
    warranty jsonb,
    price_list jsonb,
    vendor_data jsonb,
    destinations jsonb,
    subscription_pricing jsonb,
    source_created_at timestamptz,
    source_modified_at timestamptz,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    word text not null,
    claims boolean not null,
    shows_vin text,
    content_arrived_at timestamptz,
    constraint listings_pkey primary key (workspace_id, id),
    constraint listings_status_check check (status in ('for_sale', 'withdrawn', 'archived')),
    constraint listings_workspace_id_fkey foreign key (workspace_id) references workspaces (id)
);

comment on column listings.workspace_id is 'The workspace that the row belongs to';
comment on column listings.id is 'Id of the listing';
comment on column listings.identifier is 'Identifier of the delivery whose content is shown';
comment on column listings.vin is 'VIN, upper case without spaces';
comment on column listings.status is 'for_sale, withdrawn or archived';
comment on column listings.withdrawn_at is 'The senders time of the withdrawal';
comment on column listings.stock_number is 'Stock number';
comment on column listings.dealership_id is 'Seller.Identifier';
comment on column listings.seller_name is 'Seller.Name';
comment on column listings.location_name is 'Seller.LocationName, else Seller.Name';
comment on column listings.seller is 'Seller whole';
comment on column listings.vehicle_type is 'Type';
comment on column listings.listing_type is 'ListingType';
comment on column listings.sale_status is 'SaleStatus as sent with this content';
comment on column listings.sale_type is 'SaleType';
comment on column listings.make is 'Specification.Make';
comment on column listings.model is 'Specification.Model';
comment on column listings.series is 'Specification.Series';
comment on column listings.badge is 'Attribute Badge';
comment on column listings.year is 'Specification.ReleaseDate.Year';
comment on column listings.body_style is 'Attribute BodyStyle';
comment on column listings.transmission is 'Attribute Transmission';
comment on column listings.fuel_type is 'Attribute FuelType';
comment on column listings.drive is 'Attribute Drive';
comment on column listings.doors is 'Attribute Doors';
comment on column listings.seats is 'Attribute Seats';
comment on column listings.colour is 'The exterior colour, else the first whose place is not the interior';
comment on column listings.interior_colour is 'The interior colour, the first named so';
comment on column listings.odometer is 'The first odometer reading';
comment on column listings.odometer_unit is 'Unit of the odometer reading';
comment on column listings.registration_number is 'Registration.Number';
comment on column listings.registration_expires_at is 'Registration.ExpiresUtc';
comment on column listings.price_egc is 'Price of type EGC, excluding government charges';
comment on column listings.price_dap is 'Price of type DAP, drive away';
comment on column listings.price_before is 'Price of type BeforePrice';
comment on column listings.price_rrp is 'Price of type RRP';
comment on column listings.price_igc is 'Price of type IGC, including government charges';
comment on column listings.title is 'Specification.Title';
comment on column listings.description is 'Description';
comment on column listings.slug is 'Slug';
comment on column listings.specification_identifier is 'Specification.Identifier';
comment on column listings.specification_source is 'Specification.SpecificationSource';
comment on column listings.specification_code is 'Specification.SpecificationCode';
comment on column listings.specification_description is 'Specification.description';
comment on column listings.country_code is 'Specification.CountryCode';
comment on column listings.release_date is 'Specification.ReleaseDate whole';
comment on column listings.build_year is 'BuildDate.Year';
comment on column listings.build_month is 'BuildDate.Month';
comment on column listings.build_date is 'BuildDate whole';
comment on column listings.compliance_year is 'ComplianceDate.Year';
comment on column listings.compliance_month is 'ComplianceDate.Month';
comment on column listings.compliance_date is 'ComplianceDate whole';
comment on column listings.certified is 'Certification.Certified';
comment on column listings.certification_type is 'Certification.CertificationType';
comment on column listings.identification is 'Identification whole';
comment on column listings.colours is 'Colours whole';
comment on column listings.odometer_readings is 'OdometerReadings whole';
comment on column listings.attributes is 'Specification.Attributes whole';
comment on column listings.features is 'Features whole';
comment on column listings.media is 'Media whole';
comment on column listings.warranty is 'Warranty whole';
comment on column listings.price_list is 'PriceList whole';
comment on column listings.vendor_data is 'VendorData whole';
comment on column listings.destinations is 'Destinations whole';
comment on column listings.subscription_pricing is 'SubscriptionPricing whole';
comment on column listings.source_created_at is 'CreatedUtc';
comment on column listings.source_modified_at is 'The senders time of the content';
comment on column listings.created_at is 'Arrival of the first delivery about it';
comment on column listings.updated_at is 'Arrival of the newest delivery that changed it';
comment on column listings.word is 'What the senders newest word says, whether or not its stock number was taken';
comment on column listings.claims is 'Whether the content is that of a for-sale delivery, which claims the stock number';
comment on column listings.shows_vin is 'VIN named by the delivery whose content is shown';
comment on column listings.content_arrived_at is 'Arrival of the content';
comment on table listings is 'Vehicles in stock, one row each';

create unique index listings_vin_key on listings (workspace_id, vin) where vin is not null;
create index listings_stock_number_idx on listings (workspace_id, stock_number);

create table listing_identifiers (
    workspace_id bigint not null,
    identifier text not null,
    listing_id bigint not null,
    status text,
    source_modified_at timestamptz,
    word_arrived_at timestamptz,
    for_sale_at timestamptz,
    for_sale_arrived_at timestamptz,
    vin text,
    vin_at timestamptz,
    vin_arrived_at timestamptz,
    constraint listing_identifiers_pkey primary key (workspace_id, identifier),
    constraint listing_identifiers_listing_id_fkey foreign key (workspace_id, listing_id) references listings (workspace_id, id)
);

comment on column listing_identifiers.workspace_id is 'The workspace that the row belongs to';
comment on column listing_identifiers.identifier is 'Identifier at the sender; the VIN or the dealerships stock number where there is none';
comment on column listing_identifiers.listing_id is 'The vehicle it belongs to';
comment on column listing_identifiers.status is 'Its newest word: for_sale or withdrawn';
comment on column listing_identifiers.source_modified_at is 'The senders time of that word';
comment on column listing_identifiers.word_arrived_at is 'Arrival of that word';
comment on column listing_identifiers.for_sale_at is 'The senders time of its newest for-sale delivery';
comment on column listing_identifiers.for_sale_arrived_at is 'Arrival of its newest for-sale delivery';
comment on column listing_identifiers.vin is 'The newest VIN it named';
comment on column listing_identifiers.vin_at is 'The senders time of that VIN';
comment on column listing_identifiers.vin_arrived_at is 'Arrival of that VIN';
comment on table listing_identifiers is 'The sender''s identifiers of vehicles, each with its newest word';

create index listing_identifiers_listing_id_idx on listing_identifiers (workspace_id, listing_id);

create table listing_sources (
    workspace_id bigint not null,
    identifier text not null,
    vin text not null,
    listing_id bigint not null,
    for_sale boolean not null,
    source_modified_at timestamptz,
    arrived_at timestamptz not null,
    stock_number text,
    dealership_id bigint,
    fingerprint text not null,
    content jsonb not null,
    constraint listing_sources_pkey primary key (workspace_id, identifier, vin),
    constraint listing_sources_listing_id_fkey foreign key (workspace_id, listing_id) references listings (workspace_id, id)
);

comment on column listing_sources.workspace_id is 'The workspace that the row belongs to';
comment on column listing_sources.identifier is 'Identifier under which it was said';
comment on column listing_sources.vin is 'VIN named beside it; empty where none was';
comment on column listing_sources.listing_id is 'The vehicle it belongs to';
comment on column listing_sources.for_sale is 'Whether it was said by a for-sale delivery';
comment on column listing_sources.source_modified_at is 'The senders time';
comment on column listing_sources.arrived_at is 'Arrival of the delivery';
comment on column listing_sources.stock_number is 'Stock number of the content';
comment on column listing_sources.dealership_id is 'Dealership of the content';
comment on column listing_sources.fingerprint is 'Digest of the content';
comment on column listing_sources.content is 'The content';
comment on table listing_sources is 'The newest content said of vehicles, from which listings are computed; read by the service only';

create index listing_sources_listing_id_idx on listing_sources (workspace_id, listing_id);

create table listing_locations (
    workspace_id bigint not null,
    listing_id bigint not null,
    location_id bigint not null,
    position integer not null,
    constraint listing_locations_pkey primary key (workspace_id, listing_id, location_id),
    constraint listing_locations_listing_id_fkey foreign key (workspace_id, listing_id) references listings (workspace_id, id),
    constraint listing_locations_location_id_fkey foreign key (workspace_id, location_id) references locations (workspace_id, id)
);

comment on column listing_locations.workspace_id is 'The workspace that the row belongs to';
comment on column listing_locations.listing_id is 'The vehicle';
comment on column listing_locations.location_id is 'The location';
comment on column listing_locations.position is 'Place in the order, from 1';
comment on table listing_locations is 'Where a vehicle can be had';

create table listing_packages (
    workspace_id bigint not null,
    listing_id bigint not null,
    package_id bigint not null,
    daily_price numeric,
    weekly_price numeric,
    fortnightly_price numeric,
    monthly_price numeric,
    constraint listing_packages_pkey primary key (workspace_id, listing_id, package_id),
    constraint listing_packages_listing_id_fkey foreign key (workspace_id, listing_id) references listings (workspace_id, id),
    constraint listing_packages_package_id_fkey foreign key (workspace_id, package_id) references packages (workspace_id, id)
);

comment on column listing_packages.workspace_id is 'The workspace that the row belongs to';
comment on column listing_packages.listing_id is 'The vehicle';
comment on column listing_packages.package_id is 'The package';
comment on column listing_packages.daily_price is 'Price of a day';
comment on column listing_packages.weekly_price is 'Price of a week';
comment on column listing_packages.fortnightly_price is 'Price of a fortnight';
comment on column listing_packages.monthly_price is 'Price of a month';
comment on table listing_packages is 'The packages a vehicle is offered on, with their prices';

create table listing_changes (
    workspace_id bigint not null,
    id bigint not null default nextval('row_ids'),
    listing_id bigint not null,
    field text not null,
    old_value text,
    new_value text,
    changed_at timestamptz not null,
    constraint listing_changes_pkey primary key (workspace_id, id),
    constraint listing_changes_listing_id_fkey foreign key (workspace_id, listing_id) references listings (workspace_id, id)
);

comment on column listing_changes.workspace_id is 'The workspace that the row belongs to';
comment on column listing_changes.id is 'Id of the change';
comment on column listing_changes.listing_id is 'The vehicle';
comment on column listing_changes.field is 'The column that changed';
comment on column listing_changes.old_value is 'What it was';
comment on column listing_changes.new_value is 'What it became';
comment on column listing_changes.changed_at is 'When, by the senders clock';
comment on table listing_changes is 'Changes of price and status';

create index listing_changes_listing_id_idx on listing_changes (workspace_id, listing_id);
