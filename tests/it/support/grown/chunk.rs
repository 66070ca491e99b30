//! What is worked out once for each lead before its rows are written: whose it is, when it came, and what became of it.

use std::ops::Range;

use super::{Begun, Grown, IDS};

/// How many leads one after the other ask for the same car, and so belong to one workspace.
const OF_ONE_CAR: u64 = 50;

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
                abs(hashint8(n / {OF_ONE_CAR})::bigint) as spread, abs(hashint8(n + 1)::bigint) % 1000 as fate,
                '{until}'::timestamptz - ({leads} - n) * (interval '{days} days' / {leads}) as received_at
            from generate_series({start}::bigint, {last}) n
        ), fated as (
            select numbered.*, w.id as workspace_id, w.dealership_id, w.location_id, w.package_id,
                case when n % 100 = 99 then 'leadpro' else 'dealer_studio' end as sender,
                case when n % 100 = 99 or fate < 560 then 'not_requested' when fate < 600 then 'blocked' else 'created'
                    end as booking_state,
                case when fate < 560 or fate >= 600 then null when fate < 580 then 'asset_not_found'
                    when fate < 590 then 'package_not_found' else 'location_not_found' end as blocker,
                case when fate >= 560 and fate < 580 then 'AWAYCAR00' || lpad(n::text, 8, '0')
                    else 'GRAWNCAR0' || lpad(car::text, 8, '0') end as vin,
                case when fate >= 560 and fate < 580 then 'A' || n else 'G' || car end as stock_number,
                case when fate >= 580 and fate < 590 then 'Package ' || n % 40 else w.package end as package,
                case when fate >= 590 and fate < 600 then 'Location ' || n % 40 else w.location end as location,
                -- Among the addresses of the leads that a benchmark sends, evenly.
                'customer' || lpad((first * 1000000 / {leads})::text, 7, '0') || '.' || first || '@example.com' as email,
                received_at - interval '15 seconds' as made_at,
                extract(epoch from received_at - interval '15 seconds')::bigint * 1000000 as made_micros,
                extract(epoch from received_at)::bigint * 1000000 as received_micros
            from numbered
            join grown_workspaces w on w.place =
                case when spread % 1000 < {largest_share} or {workspaces} = 1 then 0 else 1 + spread / 1000 % {others} end
        )
        select *, {first_id} + first * {IDS} as person_id, {first_id} + first * {IDS} + 1 as cluster_id,
            {first_id} + n * {IDS} + 2 as lead_id, {first_id} + n * {IDS} + 3 as booking_id,
            {first_id} + n * {IDS} + 4 as event_id, {first_id} + n * {IDS} + 5 as appointment_id,
            {first_id} + car * {IDS} + 6 as listing_id,
            jsonb_build_array(made_micros, made_micros, 3, '', received_micros) as version,
            blocker is not null and sender = 'dealer_studio' and received_at > '{until}'::timestamptz - interval '30 days'
                as is_waiting
        from fated;
        analyze grown_leads;"
    )
}
