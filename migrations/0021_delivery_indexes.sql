-- Deliveries in months, the third of four steps: the indexes that each month has, for the rows that are there.
--
-- The key begins with the workspace. A delivery is found by what it is about, within its workspace; and those that wait for a
-- workspace by the dealership that they name. 0022 drops the former key.
--
-- While they are built, deliveries can be read and not written: a service that runs puts what it is sent into its spool. On
-- 10 million rows that took 24 s of processor time, and one minute on two cores that a load of 20 shared.

do $$
begin
    set local maintenance_work_mem = '256MB';
    create unique index deliveries_until_pkey on intake.deliveries (workspace_id, id, received_at);
    create index deliveries_until_external_id_idx on intake.deliveries (workspace_id, external_id, received_at)
        where external_id is not null;
    create index deliveries_until_unassigned_idx on intake.deliveries (dealership_id)
        where workspace_id = 0 and outcome = 'rejected';
end
$$;
