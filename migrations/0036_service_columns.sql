-- Columns that only the service reads are commented as such, all of them.
--
-- Whoever copies the tables, or describes them, leaves these out by their comments: `Of the service: ...`, or `...; read by
-- the service only`. Some said what they are and not for whom.
--
-- A comment locks its table for a moment against other changes of its shape, and nobody who reads or writes.

comment on column lead_clusters.person_email is 'Of the service: contact_email in the form in which persons are matched';
comment on column leads.person_email is 'Of the service: contact_email in the form in which persons are matched';
comment on column listing_identifiers.word_arrived_at is 'Of the service: arrival of that word';
comment on column listing_identifiers.for_sale_at is 'Of the service: the sender''s time of its newest for-sale delivery';
comment on column listing_identifiers.for_sale_arrived_at is 'Of the service: arrival of its newest for-sale delivery';
comment on column listing_identifiers.vin_at is 'Of the service: the sender''s time of that VIN';
comment on column listing_identifiers.vin_arrived_at is 'Of the service: arrival of that VIN';
comment on column listings.word is 'Of the service: what the sender''s newest word says, whether or not its stock number was taken';
comment on column listings.claims is 'Of the service: whether the content is that of a for-sale delivery, which claims the stock number';
comment on column listings.shows_vin is 'Of the service: VIN named by the delivery whose content is shown';
comment on column listings.content_arrived_at is 'Of the service: arrival of the content';
comment on column locations.name_key is 'Of the service: name in lower case, by which it is matched';
comment on column locations.configured is 'Of the service: what the configuration says of it';
comment on column locations.reported is 'Of the service: what inventory says of it';
comment on column locations.reported_at is 'Of the service: the sender''s time of what inventory says';
comment on column locations.reported_arrived_at is 'Of the service: arrival of what inventory says';
comment on column packages.configured is 'Of the service: whether the configuration names it';
comment on column packages.reported is 'Of the service: whether inventory names it';
comment on column leads.waits_for is 'Of the service: no longer used, see intake.lead_dependencies';
