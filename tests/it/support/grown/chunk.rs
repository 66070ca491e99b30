//! What is worked out once for each lead before its rows are written: whose it is, when it came, and what became of it.

use std::ops::Range;

use super::{Begun, Grown, IDS};

/// How many leads one after the other ask for the same car, and so belong to one workspace.
const OF_ONE_CAR: u64 = 50;

/// Whether a lead's car stands at no location: then a booking waits for the one that the lead names.
pub(super) const HAS_NO_PLACE: &str = "car / 50 % 10 = 9";

/// The workspaces that are filled, numbered from 0, in a table of this connection's own.
pub(super) fn workspaces(grown: &Grown) -> String {
    format!(
        "create temporary table if not exists grown_workspaces as
        select row_number() over (order by w.id) - 1 as place, w.id, d.dealership_id, l.id as location_id,
            l.name as location, p.id as package_id, p.name as package
        from workspaces w
        left join lateral (select min(dealership_id) as dealership_id from dealerships where workspace_id = w.id) d on true
        left join lateral (select id, name from locations where workspace_id = w.id and bookable order by id limit 1) l on true
        left join lateral (select id, name from packages where workspace_id = w.id order by id limit 1) p on true
        order by w.id limit {};
        analyze grown_workspaces;",
        grown.workspaces
    )
}

/// The leads of a range, in a table of this connection's own.
///
/// Numbers that look like any other come from `hashint8`, which gives the same on every server.
pub(super) fn leads(grown: &Grown, begun: &Begun, range: Range<u64>) -> String {
    let Grown { leads, workspaces, largest_share, days, .. } = grown;
    let Begun { first_id, until } = begun;
    let (start, last, others) = (range.start, range.end.saturating_sub(1), workspaces.saturating_sub(1).max(1));
    format!(
        "create temporary table grown_leads as
        with numbered as (
            select n, n - n % {OF_ONE_CAR} as car,
                -- The fifth lead of five is the fourth's customer again.
                n - (n % 5) / 4 as first,
                case when n % 100 = 99 then 'leadpro' else 'dealer_studio' end as sender,
                abs(hashint8(n / {OF_ONE_CAR})::bigint) as spread, abs(hashint8(n + 1)::bigint) % 1000 as fate,
                '{until}'::timestamptz - ({leads} - n) * (interval '{days} days' / {leads}) as received_at
            from generate_series({start}::bigint, {last}) n
        ), fated as (
            select *, case when sender = 'leadpro' or fate < 660 then null when fate < 680 then 'asset'
                    when fate < 690 then 'package' when fate < 790 and {HAS_NO_PLACE} then 'location' end as lacks
            from numbered
        ), told as (
            select fated.*, w.id as workspace_id, w.dealership_id, w.location_id, w.package_id,
                case when sender = 'leadpro' or fate < 660 then 'not_requested' when lacks is null then 'created'
                    else 'blocked' end as booking_state,
                case when lacks = 'asset' then 'AWAYCAR00' || lpad(n::text, 8, '0')
                    else 'GRAWNCAR0' || lpad(car::text, 8, '0') end as vin,
                case when lacks = 'asset' then 'A' || n else 'G' || car end as stock_number,
                case when lacks = 'package' then 'Package ' || n % 40 else w.package end as package,
                case when lacks = 'location' then 'Location ' || n % 40 else w.location end as location,
                -- Among the addresses of the leads that a benchmark sends, evenly.
                'customer' || lpad((first * 1000000 / {leads})::text, 7, '0') || '.' || first || '@example.com' as email,
                received_at - interval '15 seconds' as made_at,
                extract(epoch from received_at - interval '15 seconds')::bigint * 1000000 as made_micros,
                extract(epoch from received_at)::bigint * 1000000 as received_micros
            from fated
            join grown_workspaces w on w.place =
                case when spread % 1000 < {largest_share} or {workspaces} = 1 then 0 else 1 + spread / 1000 % {others} end
        )
        select *, {first_id} + first * {IDS} as person_id,
            case when first % 5 in (0, 3) and sender = 'dealer_studio' then {first_id} + first * {IDS} + 1 end as cluster_id,
            {first_id} + n * {IDS} + 2 as lead_id, {first_id} + n * {IDS} + 3 as booking_id,
            {first_id} + n * {IDS} + 4 as event_id, {first_id} + n * {IDS} + 5 as appointment_id,
            {first_id} + car * {IDS} + 6 as listing_id,
            jsonb_build_array(made_micros, made_micros, 3, '', received_micros) as version,
            lacks is not null and received_at > '{until}'::timestamptz - interval '30 days' as is_waiting
        from told;
        analyze grown_leads;"
    )
}
