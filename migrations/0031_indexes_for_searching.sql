-- What people look things up by: a car's VIN or stock number among those that leads ask for, a phone number, a plate.
--
-- `forecourt show` and the console answer a person who has one of these in hand, and ask indexed columns only. What has an
-- index already is not listed here: addresses, the senders' ids, VINs and stock numbers of vehicles, identifiers. Phone
-- numbers are kept with persons; leads and clusters have them in an index only while they have no person, which is what
-- people look for them for. A lead that names a VIN beside a stock number is found by the VIN.
--
-- While they are built, the four tables can be read and not written: a service that runs puts what it is sent into its spool.

do $$
begin
    create index leads_vin_idx on leads (workspace_id, vin) where vin is not null;
    create index leads_stock_number_idx on leads (workspace_id, stock_number) where stock_number is not null and vin is null;
    create index leads_contact_phone_idx on leads (workspace_id, contact_phone)
        where person_id is null and contact_phone is not null;
    create index leads_contact_home_phone_idx on leads (workspace_id, contact_home_phone)
        where person_id is null and contact_home_phone is not null;
    create index lead_clusters_contact_phone_idx on lead_clusters (workspace_id, contact_phone)
        where person_id is null and contact_phone is not null;
    create index persons_mobile_phone_idx on persons (workspace_id, mobile_phone) where mobile_phone is not null;
    create index persons_home_phone_idx on persons (workspace_id, home_phone) where home_phone is not null;
    -- Plates are written with spaces and without.
    create index listings_registration_number_idx on listings (workspace_id, upper(replace(registration_number, ' ', '')))
        where registration_number is not null;
end
$$;
