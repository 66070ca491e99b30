-- Who may do what: the service's role beside the tables' owner, and readers.
--
-- `forecourt grant` gives a role its rights and writes down here what it gave, so that every later migration gives
-- the same again, in its own transaction, for the tables and columns that it adds. Nothing is granted by this file: a
-- database with one role that owns everything goes on as it is.
--
-- Locks nothing of what is there, on tables of any size.

create table intake.granted_roles (
    role_name text not null,
    may text not null,
    granted_at timestamptz not null,
    constraint granted_roles_pkey primary key (role_name, may)
);

comment on table intake.granted_roles is 'What `forecourt grant` gave to which role; later migrations give it again, for what they add';
comment on column intake.granted_roles.role_name is 'Name of the role';
comment on column intake.granted_roles.may is 'serves for the service, else what it reads: reporting, contacts, tables, identity, deliveries or bodies';
comment on column intake.granted_roles.granted_at is 'When it was given last by a person';

-- Only the owner of a table may gather its statistics, and plans are kept once there are some. The names are whole and
-- the path is pinned, so that whoever calls it decides nothing.

create function intake.gather_statistics() returns void
    language plpgsql security definer set search_path = pg_catalog, pg_temp
    as 'begin analyze public.persons, public.leads, public.lead_clusters, public.listings, intake.lead_dependencies; end';

revoke all on function intake.gather_statistics() from public;

comment on function intake.gather_statistics() is 'Lets a service that does not own the tables gather the statistics of those that its plans depend on';
