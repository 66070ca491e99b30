-- A workspace is written by one transaction at a time.
--
-- Until now an advisory lock saw to that. It is known to one server only, so that two nodes of a distributed database
-- would each give it away, and it says nothing of whether somebody wrote in between. From now on a workspace is written by
-- whoever holds its row of this table, in any number of processes and through any node, and who takes the row raises its
-- version in the same statement: batches, replays, the configuration, what moves data.
--
-- The row stands in a table of its own because rows of `workspaces` are locked by foreign keys and by a new configuration.
-- It is made in a transaction of its own when its workspace is made, so that nobody who waits for it waits for something
-- that is not there yet. Nobody holds two.
--
-- A row that is written with every batch leaves a dead one behind each time. Pages are left nearly empty, so that the next
-- one has room beside it, in the same page and without a new entry in the index, and so that whoever comes by clears away
-- what is dead: that begins where a page is fuller than it is meant to be. Vacuum does not shorten the table at its end,
-- for which it would lock it.
--
-- Takes a moment whatever the other tables hold, and locks `workspaces` against changes for that moment (share row
-- exclusive, for the foreign key); it is read meanwhile.
--
-- A version of forecourt from before this one takes the advisory lock and not the row, so that it must not write beside
-- this one. It cannot: the migrations after this one change what a delivery is written to (0019), and until they are
-- done nothing of this version writes. What an older process that still runs takes in meanwhile goes to its spool.

create table intake.workspace_locks (
    workspace_id bigint not null,
    version bigint not null default 0,
    constraint workspace_locks_pkey primary key (workspace_id),
    constraint workspace_locks_workspace_id_fkey foreign key (workspace_id) references workspaces (id)
) with (fillfactor = 10, vacuum_truncate = off);

comment on table intake.workspace_locks is 'One row for each workspace, held by whoever writes it. Only the service reads it';
comment on column intake.workspace_locks.workspace_id is 'The workspace';
comment on column intake.workspace_locks.version is 'Raised by every transaction that writes the workspace';

insert into intake.workspace_locks (workspace_id)
select id from workspaces;
