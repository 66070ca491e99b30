-- Foreign keys that say what another one says are checked for nothing.
--
-- A check costs about as much as the insert of a narrow row: of five thousand rows it was half to two thirds of the
-- insert's own time for each key, and it locks the row that it finds, so that every batch writes to the one row of its
-- workspace.
--
-- Gone is that the workspace of a person, a cluster, a lead, an appointment, an event and a listing is there. A lead has
-- the workspace of its person and of its cluster, an appointment and an event that of their lead and cluster, and so has
-- every key of every row: it names the workspace first. What begins such a chain, a person, a cluster or a listing, is
-- written by nobody but the service, in a workspace that it holds; and workspaces are never deleted. By hand one cannot be
-- deleted while it has dealerships, locations, packages or vehicles at them, or is held: those keys stay.
--
-- All others stay, because nothing else says what they say: that a licence and a passport have their person; a trade-in, a
-- property and documents their lead; a lead its person and its cluster; an appointment and an event their lead and their
-- cluster; a booking its lead, person, listing, location and package; and identifiers, sources, locations, packages and
-- changes their listing. They see to it that a person or a lead who is deleted leaves no documents behind, and that no
-- booking points to nothing.
--
-- Each is dropped in a moment, whatever the tables hold: nothing is read. To drop a foreign key locks both of its tables for
-- all, readers too (access exclusive), and the locks are held to the end of the six: persons, lead_clusters, leads,
-- appointments, lead_events, listings and workspaces together. So it waits for whoever reads one of them, and everybody
-- behind it waits, too; an instance that runs spools meanwhile. After a minute it gives up, having changed nothing.

alter table persons drop constraint persons_workspace_id_fkey;
alter table lead_clusters drop constraint lead_clusters_workspace_id_fkey;
alter table leads drop constraint leads_workspace_id_fkey;
alter table appointments drop constraint appointments_workspace_id_fkey;
alter table lead_events drop constraint lead_events_workspace_id_fkey;
alter table listings drop constraint listings_workspace_id_fkey;
