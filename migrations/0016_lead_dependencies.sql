-- What leads wait for is a table of its own.
--
-- It stood in an array of each lead, with an index that Postgres keeps a list of pending entries before: on large tables
-- every look-up read all of that list. Now a row says that a lead waits for one thing, and what is looked for is found by
-- equality, whatever the table's statistics say.
--
-- A lead waits for what is missing: a VIN, a stock number, a package, a location, the person of an address; and where its
-- vehicle is at locations of which none is bookable, for any that becomes so. Rows go when they are met, when the lead is
-- no longer tried again, or is erased.
--
-- The table is made empty, in a moment, and nothing else is locked. It is filled by 0028, when an older version that runs
-- meanwhile writes nothing any more: filled here, it would lack what that one still writes, and without the index of the
-- former column that one could not find it either.

create table intake.lead_dependencies (
    workspace_id bigint not null,
    kind text collate "C" not null,
    key text collate "C" not null,
    lead_id bigint not null,
    constraint lead_dependencies_kind_check
        check (kind in ('vin', 'stock_number', 'package', 'location', 'any_location', 'person'))
);

comment on table intake.lead_dependencies is 'What leads wait for whose booking is blocked or may become another; read by the service only';
comment on column intake.lead_dependencies.workspace_id is 'The workspace that the row belongs to';
comment on column intake.lead_dependencies.kind is 'vin, stock_number, package, location, any_location or person';
comment on column intake.lead_dependencies.key is 'The VIN, the stock number, the name of the package, that of the location in lower case, or the e-mail address; empty for any_location';
comment on column intake.lead_dependencies.lead_id is 'The lead that waits';
