-- Which locations and packages the configuration names.
--
-- Inventory may bring any number of names, of which the configuration names a few: when it is applied, those alone are
-- read.

create index locations_configured_idx on locations (workspace_id) where configured is not null;
create index packages_configured_idx on packages (workspace_id) where configured;
