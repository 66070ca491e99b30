-- Values are read otherwise from this version on, and what is stored follows.
--
-- E-mail addresses have another form in which they are matched (the domain in ASCII, composed), phones are read as Google's
-- library reads them, and words such as TBA are no VINs. What SQL cannot do is done by the service when it starts,
-- workspace by workspace: each row of intake.rereadings is a workspace for which that is still to be done.

create table intake.actions (
    id bigint not null default nextval('row_ids'),
    action text not null,
    acted_at timestamptz not null,
    acted_by text not null,
    counts jsonb not null,
    constraint actions_pkey primary key (id)
);

comment on table intake.actions is 'What was done to many rows at once, beside what deliveries do';
comment on column intake.actions.id is 'Id of the action';
comment on column intake.actions.action is 'What was done, as values_read_anew';
comment on column intake.actions.acted_at is 'When it was finished';
comment on column intake.actions.acted_by is 'Who or what did it';
comment on column intake.actions.counts is 'How many rows of which kind it concerned';

create table intake.rereadings (
    workspace_id bigint not null,
    after_person_id bigint not null default 0,
    counts jsonb not null default '{}',
    constraint rereadings_pkey primary key (workspace_id)
);

comment on table intake.rereadings is 'Workspaces whose stored values are still to be read anew; empty once that is done';
comment on column intake.rereadings.workspace_id is 'The workspace';
comment on column intake.rereadings.after_person_id is 'Up to which person it is done';
comment on column intake.rereadings.counts is 'How many rows of which kind it has concerned so far';

insert into intake.rereadings (workspace_id) select id from workspaces;

comment on column persons.email is 'E-mail address by which the person is known: lower case, composed, the domain in ASCII';

-- The package that a finding names where a lead names it in another case.
create index packages_any_case_idx on packages (workspace_id, lower(name));
