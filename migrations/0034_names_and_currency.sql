-- What reports call a dealership, and what its money is.
--
-- A dealership is a number, and may have a name in the configuration (0015). Senders name it, too: a lead's dealership.name
-- and a vehicle's Seller.Name. From now on the newest such name by arrival stands in for one that is not configured. The
-- name that people read stays in `name`; what each of the two says stands beside it, so that a name that is taken out of
-- the configuration leaves the sender's, and neither erases the other.
--
-- The senders tell the currency of a vehicle's prices, and of no other money. So a workspace has one, as the configuration
-- says it; of a workspace that is there it is what a new one of its country gets by default, and the next start says it
-- again.
--
-- Both tables have a row for each workspace and dealership: moments, whatever the others hold. They are locked for all
-- (access exclusive) for as long.

alter table dealerships
    add column configured_name text,
    add column reported_name text,
    add column reported_name_at timestamptz;

comment on column dealerships.name is 'Name for people: as the configuration writes it, else the newest that a payload gave';
comment on column dealerships.configured_name is 'Name in the configuration';
comment on column dealerships.reported_name is 'Newest name by arrival that a payload gave: dealership.name of a lead, Seller.Name of a vehicle';
comment on column dealerships.reported_name_at is 'Arrival of the delivery that gave it';

update dealerships set configured_name = name where name is not null;

alter table workspaces add column currency text;

comment on column workspaces.currency is 'Currency of its money, ISO 4217, where a payload does not tell it; absent where neither the configuration nor the country does';

update workspaces
set currency = case country when 'AU' then 'AUD' when 'NZ' then 'NZD' when 'GB' then 'GBP' end
where country in ('AU', 'NZ', 'GB');
