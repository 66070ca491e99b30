-- What operators do leaves a row.
--
-- intake.actions is there since values were read anew (0013). From now on it holds what people do to many rows at once, or
-- see of them: who did what, when, and to how many. Personal data never stands in it.
--
-- The check reads intake.actions, which has a row for each such act and so at most some thousands, under a lock of this table
-- for all (access exclusive), as long as that takes: milliseconds, whatever the other tables hold. Deliveries do not touch it.

alter table intake.actions add constraint actions_counts_check check (jsonb_typeof(counts) = 'object');

create index actions_acted_at_idx on intake.actions (acted_at);

comment on table intake.actions is 'What operators did: replays, reloads, migrations and whatever else concerns many rows, or shows what is masked; no personal data';
comment on column intake.actions.action is 'What was done: replay, reload, migrate, erase, export, retention, grant, distribute, show_document; by the service itself values_read_anew';
comment on column intake.actions.acted_at is 'When it was finished';
comment on column intake.actions.acted_by is 'Who did it: a user of the operating system (name as root where sudo was used, else a name or uid and number), or a user of the console';
comment on column intake.actions.counts is 'How many rows of which kind it concerned, and how';
