-- When a customer said what about marketing, and with which lead.
--
-- A lawful mailing list needs both beside the flag. They are known already: the times of a person's columns (clocks) hold
-- when each was given, and the sender's id of the lead that gave it. From now on they stand beside the flag, where they can
-- be asked for, and they follow it: the newest word counts, whatever the order of arrival, and an erasure clears all three.
--
-- The columns come without a row being read. Then the persons who said anything are written once, which are locked
-- meanwhile, and for each its lead is looked up by its key. On 10 million persons, half of whom said something, that is
-- some minutes, in which all that is delivered is spooled. There is no foreign key: it would cost every lead a check, and
-- what erases a lead's person clears this with it.

alter table persons add column marketing_opt_in_at timestamptz;
alter table persons add column marketing_opt_in_lead_id bigint;

comment on column persons.marketing_opt_in is 'Whether the customer wants marketing, by the newest word';
comment on column persons.marketing_opt_in_at is 'When the customer said so: the creation of that lead, or its arrival where the sender does not say';
comment on column persons.marketing_opt_in_lead_id is 'The lead with which the customer said so';

-- Of a value whose time differs from the newest of its row, the time stands under `a`; the first part is when the customer
-- gave it, the fourth the sender's id of the lead. The lead feed and clusters alone tell it.
update persons p
set marketing_opt_in_at = 'epoch'::timestamptz + (said.version ->> 0)::bigint * interval '1 microsecond',
    marketing_opt_in_lead_id = (
        select l.id from leads l
        where l.workspace_id = p.workspace_id and l.sender = 'dealer_studio' and l.external_id = said.version ->> 3
    )
from (
    select workspace_id, id, coalesce(clocks #> '{a,marketing_opt_in}', clocks -> 'n') as version
    from persons where marketing_opt_in is not null
) as said
where said.workspace_id = p.workspace_id and said.id = p.id and said.version ->> 0 is not null;
