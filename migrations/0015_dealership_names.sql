-- Names of dealerships.
--
-- The senders know a dealership by a number, and people by its name. The configuration may say it.

alter table dealerships add column name text;

comment on column dealerships.name is 'Name for people, as the configuration writes it';
