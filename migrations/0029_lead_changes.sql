-- How a lead came to be what it is: its changes, and the delivery that made its booking.
--
-- A lead's row holds the newest of each value. What its status, its salesperson and its cluster were before, and when the
-- sender changed them, stands in lead_changes from now on; the past is not known and stays empty. The rows are computed
-- from leads.history, so that an older value that comes late takes its place among them, whatever the order of arrival.
-- Of a lead that was told once there is neither.
--
-- A booking says which delivery made it or changed it last: that of the lead, or the one that brought the car, the package
-- or the location it waited for. 0030 fills that in where it is known.
--
-- Both columns have no default, so each takes its lock for some milliseconds, whatever the number of rows; the table is new.

create table lead_changes (
    workspace_id bigint not null,
    id bigint not null default nextval('row_ids'),
    lead_id bigint not null,
    field text not null,
    old_value text not null,
    new_value text not null,
    changed_at timestamptz not null,
    constraint lead_changes_pkey primary key (workspace_id, id),
    constraint lead_changes_field_check
        check (field in ('status', 'status_type', 'salesperson_name', 'lead_cluster_id')),
    constraint lead_changes_lead_id_fkey foreign key (workspace_id, lead_id) references leads (workspace_id, id)
);

comment on table lead_changes is 'Changes of leads: of the status, the salesperson and the cluster, from the second value on';
comment on column lead_changes.workspace_id is 'The workspace that the row belongs to';
comment on column lead_changes.id is 'Id of the change';
comment on column lead_changes.lead_id is 'The lead';
comment on column lead_changes.field is 'The column that changed: status, status_type, salesperson_name or lead_cluster_id';
comment on column lead_changes.old_value is 'What it was; of a cluster the sender''s id';
comment on column lead_changes.new_value is 'What it became; of a cluster the sender''s id';
comment on column lead_changes.changed_at is 'When, by the sender''s clock';

create index lead_changes_lead_id_idx on lead_changes (workspace_id, lead_id);

alter table leads add column history jsonb;
comment on column leads.history is 'Of the service: what the values of lead_changes were over time, each with the times at which it was told; absent for a lead that was told once';

alter table bookings add column delivery_id uuid;
comment on column bookings.delivery_id is 'The delivery that made it or changed it last: the lead''s own, or the one that brought the car, the package or the location; absent where the configuration did, or that is not known';

comment on column intake.deliveries.changes is 'What became of the person, the lead, the listing and the booking; other_bookings are those of other leads, by what became of them: the sender''s ids of these leads';
