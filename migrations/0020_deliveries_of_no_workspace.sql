-- Deliveries in months, the second of four steps: a delivery whose workspace is not known has the workspace 0, which is none.
--
-- The workspace stands first in the new key, and a column of a key cannot be null. Then it is looked whether all rows keep
-- what 0019 promised.
--
-- Nobody waits for this: it locks the rows that it changes, and reads the others beside whoever writes. On 10 million rows, a
-- hundredth of them without a workspace, it took 72 s, on two cores that a load of 20 shared.

update intake.deliveries set workspace_id = 0 where workspace_id is null;

alter table intake.deliveries validate constraint deliveries_until_check;
