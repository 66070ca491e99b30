-- Which deliveries made the bookings that are there.
--
-- A booking has the arrival of the delivery that changed it last. Where a delivery of its lead, or one of its vehicle,
-- arrived in that very microsecond, that is the one: filled in here. Where none did, as for a booking that a new package or
-- the configuration made possible, or whose deliveries are gone, it stays empty.
--
-- Deliveries are looked up by the sender's id, which those have that arrived since 0019. Each booking that is found is
-- written once, and locked until the commit; nothing else is. Whoever writes one of them meanwhile waits, and what is
-- delivered is spooled.

update bookings as known set delivery_id = found.delivery_id
from (
    select b.workspace_id, b.id, d.id as delivery_id
    from bookings b
    join leads l on l.workspace_id = b.workspace_id and l.id = b.lead_id
    join intake.deliveries d
        on d.workspace_id = b.workspace_id and d.external_id = l.external_id and d.received_at = b.updated_at
    where d.feed = 'lead' and d.outcome = 'applied' and d.changes ->> 'booking' in ('created', 'updated')
    union all
    select b.workspace_id, b.id, d.id
    from bookings b
    join listing_identifiers i on i.workspace_id = b.workspace_id and i.listing_id = b.listing_id
    join intake.deliveries d
        on d.workspace_id = b.workspace_id and d.external_id = i.identifier and d.received_at = b.updated_at
    where d.feed = 'inventory' and d.outcome = 'applied'
) found
where known.workspace_id = found.workspace_id and known.id = found.id;
