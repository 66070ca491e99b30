//! The rows of each table, as expressions over the leads of `chunk`: one list for each table.
//!
//! A lead is `l`; its number is `n`, that of its car `car`, that of its customer's first lead `first`.

use std::borrow::Cow;

use super::Grown;
use super::chunk::HAS_NO_PLACE;

/// Rows of one table.
pub(super) struct Rows {
    /// The table, with its schema.
    pub(super) table: &'static str,
    /// Its columns, each with the expression that fills it.
    pub(super) columns: Vec<(&'static str, Cow<'static, str>)>,
    /// Where they come from.
    pub(super) from: Cow<'static, str>,
}

/// What a lead waits for, a row for each, beside what it must lack for that.
const DEPENDENCIES: &str = "(values ('vin', l.vin, 'asset'), ('stock_number', l.stock_number, 'asset'),
    ('package', l.package, 'package'), ('location', lower(l.location), 'location'), ('any_location', '', 'location')
    ) d (kind, key, of)";

/// A package that the leads ask for, and a location, where a workspace that exists has none; and workspaces up to so many.
pub(super) fn missing_workspaces(workspaces: u64) -> String {
    format!(
        "with new as (
            insert into workspaces (id, slug, name, timezone, phone_region, country, active)
            select nextval('row_ids'), 'grown-' || n, 'Grown ' || n, 'Australia/Brisbane', 'AU', 'AU', true
            from generate_series((select count(*) + 1 from workspaces), {workspaces}) n
            returning id
        )
        insert into dealerships (dealership_id, workspace_id, active) select 900000 + id, id, true from new;
        insert into locations (workspace_id, id, name, name_key, bookable, active, configured)
        select id, nextval('row_ids'), 'Dealer A', 'dealer a', true, true, '{{\"name\": \"Dealer A\", \"bookable\": true}}'
        from workspaces w where not exists (select from locations l where l.workspace_id = w.id);
        insert into packages (workspace_id, id, name, active, configured, reported)
        select id, nextval('row_ids'), 'Premium', true, true, false
        from workspaces w where not exists (select from packages p where p.workspace_id = w.id);
        insert into intake.workspace_locks (workspace_id) select id from workspaces on conflict do nothing"
    )
}

/// The partitions of the months in which leads arrived.
pub(super) fn months(grown: &Grown, until: &str) -> String {
    let days = grown.days + 1;
    format!(
        "select intake.make_partitions(month::date)
        from generate_series(date_trunc('month', '{until}'::timestamptz - interval '{days} days'), '{until}', '1 month') month"
    )
}

/// The rows of every table.
pub(super) fn of_leads(grown: &Grown) -> Vec<Rows> {
    let mut all = vec![persons(), licences(), passports(), clusters(), leads(), dependencies(), documents()];
    all.extend([trade_ins(), property_enquiries(), appointments(), events()]);
    all.extend([listings(), identifiers(), sources(), listing_locations(), listing_packages(), listing_changes()]);
    all.extend([status_changes(), lead_changes(), bookings(), deliveries(grown), bodies(grown)]);
    all
}

fn rows<const N: usize>(table: &'static str, from: &'static str, columns: [(&'static str, &'static str); N]) -> Rows {
    let columns = columns.into_iter().map(|(name, value)| (name, Cow::Borrowed(value))).collect();
    Rows { table, columns, from: Cow::Borrowed(from) }
}

fn persons() -> Rows {
    rows(
        "public.persons",
        "grown_leads l where n = first",
        [
            ("workspace_id", "workspace_id"),
            ("id", "person_id"),
            ("email", "email"),
            ("first_name", "(array['Jo', 'Ada', 'Ben', 'Chi', 'Dee', 'Eli', 'Fay'])[1 + n % 7]"),
            ("last_name", "'Citizen ' || n % 5000"),
            ("mobile_phone", "'+614' || lpad((n % 100000000)::text, 8, '0')"),
            ("postcode", "(2000 + n % 1000)::text"),
            ("marketing_opt_in", "n % 3 = 0"),
            ("marketing_opt_in_at", "made_at"),
            ("marketing_opt_in_lead_id", "lead_id"),
            ("created_at", "received_at"),
            ("updated_at", "received_at"),
            ("clocks", "jsonb_build_object('n', version)"),
        ],
    )
}

fn licences() -> Rows {
    rows(
        "identity.driver_licences",
        "grown_leads l where n % 5 = 0",
        [
            ("workspace_id", "workspace_id"),
            ("person_id", "person_id"),
            ("number", "(1000000000 + n)::text"),
            ("state", "'NSW'"),
            ("expires_on", "date '2029-10-10' + (n % 700)::int"),
            ("date_of_birth", "date '1960-10-10' + (n % 14000)::int"),
        ],
    )
}

fn passports() -> Rows {
    rows(
        "identity.passports",
        "grown_leads l where n % 500 = 1",
        [
            ("workspace_id", "workspace_id"),
            ("person_id", "person_id"),
            ("number", "'P' || n"),
            ("country", "'AU'"),
            ("expires_on", "date '2029-10-10' + (n % 700)::int"),
            ("date_of_birth", "date '1960-10-10' + (n % 14000)::int"),
        ],
    )
}

fn clusters() -> Rows {
    rows(
        "public.lead_clusters",
        "grown_leads l where n = first and cluster_id is not null",
        [
            ("workspace_id", "workspace_id"),
            ("id", "cluster_id"),
            ("external_id", "(20500000000 + n)::text"),
            ("person_id", "case when n % 3 = 0 then person_id end"),
            ("person_email", "case when n % 3 = 0 then email end"),
            ("contact_email", "case when n % 3 = 0 then email end"),
            ("dealership_id", "dealership_id"),
            ("status", "case when n % 3 = 0 then 'New' end"),
            ("source_created_at", "case when n % 3 = 0 then made_at end"),
            ("said_at", "case when n % 3 = 0 then version end"),
        ],
    )
}

fn leads() -> Rows {
    rows(
        "public.leads",
        "grown_leads l",
        [
            ("workspace_id", "workspace_id"),
            ("id", "lead_id"),
            ("sender", "sender"),
            ("external_id", "(10500000000 + n)::text"),
            ("lead_cluster_id", "cluster_id"),
            ("person_id", "person_id"),
            ("person_email", "email"),
            ("subscription_plan", "case when booking_state <> 'not_requested' then package end"),
            ("booking_state", "booking_state"),
            ("booking_blockers", "case when lacks is null then '{}' else array[lacks || '_not_found'] end"),
            ("dealership_id", "dealership_id"),
            (
                "category",
                "case when sender = 'leadpro' then 'valuation' when booking_state = 'not_requested'
                then (array['Used Vehicle Enquiry', 'Service Enquiry', 'Trade-in Enquiry', 'Finance Enquiry'])[1 + n % 4]
                else 'Subscription Enquiry' end",
            ),
            ("source", "(array['Website', 'Carsales', 'Facebook', 'Walk-in'])[1 + n % 4]"),
            ("status", "(array['new', 'contacted', 'won', 'lost'])[1 + n % 4]"),
            ("status_type", "(array['new', 'open', 'won', 'lost'])[1 + n % 4]"),
            ("lost_reason", "case when n % 4 = 3 then (array['Price', 'Bought elsewhere', 'No answer'])[1 + n / 4 % 3] end"),
            ("budget", "case when n % 4 = 3 then 10000 + n % 40000 end"),
            ("contact_email", "email"),
            ("contact_first_name", "(array['Jo', 'Ada', 'Ben', 'Chi', 'Dee', 'Eli', 'Fay'])[1 + n % 7]"),
            ("vin", "case when sender = 'dealer_studio' then vin end"),
            ("stock_number", "case when sender = 'dealer_studio' then stock_number end"),
            ("requested_plan", "case when booking_state <> 'not_requested' then package end"),
            ("location_name", "case when sender = 'dealer_studio' then location end"),
            ("source_created_at", "made_at"),
            ("source_modified_at", "made_at"),
            ("received_at", "received_at"),
            ("updated_at", "received_at"),
            ("clocks", "jsonb_build_object('n', version)"),
            ("membership", "case when cluster_id is not null then version end"),
        ],
    )
}

/// What leads wait for.
fn dependencies() -> Rows {
    Rows {
        from: format!("grown_leads l cross join lateral {DEPENDENCIES} where is_waiting and d.of = lacks").into(),
        ..rows(
            "intake.lead_dependencies",
            "",
            [("workspace_id", "workspace_id"), ("kind", "kind"), ("key", "key"), ("lead_id", "lead_id")],
        )
    }
}

fn documents() -> Rows {
    rows(
        "identity.lead_documents",
        "grown_leads l where n % 10 = 0",
        [
            ("workspace_id", "workspace_id"),
            ("lead_id", "lead_id"),
            ("documents", "jsonb_build_object('license_number', 1000000000 + n, 'license_state', 'NSW')"),
        ],
    )
}

fn trade_ins() -> Rows {
    rows(
        "public.trade_ins",
        "grown_leads l where n % 10 = 7",
        [
            ("workspace_id", "workspace_id"),
            ("lead_id", "lead_id"),
            ("registration", "'R' || n % 1000000"),
            ("make", "(array['Mazda', 'Toyota', 'Kia'])[1 + n % 3]"),
            ("model", "'Model ' || n % 40"),
            ("year", "2005 + n % 20"),
            ("offer_price", "5000 + n % 20000"),
            ("offer_accepted", "n % 20 = 7"),
            ("clocks", "jsonb_build_object('n', version)"),
        ],
    )
}

fn property_enquiries() -> Rows {
    rows(
        "public.property_enquiries",
        "grown_leads l where sender = 'leadpro'",
        [
            ("workspace_id", "workspace_id"),
            ("lead_id", "lead_id"),
            ("enquiry_type", "'vendor'"),
            ("stage", "'NEW'"),
            ("address", "n || ' Elizabeth Street'"),
            ("postcode", "(2000 + n % 1000)::text"),
            ("clocks", "jsonb_build_object('n', version)"),
        ],
    )
}

fn appointments() -> Rows {
    rows(
        "public.appointments",
        "grown_leads l where n % 10 = 3",
        [
            ("workspace_id", "workspace_id"),
            ("id", "appointment_id"),
            ("external_id", "(30500000000 + n)::text"),
            ("lead_id", "lead_id"),
            ("lead_cluster_id", "cluster_id"),
            ("starts_at", "date_trunc('hour', received_at) + interval '2 days'"),
            ("length_minutes", "30"),
            ("status", "(array['pending', 'confirmed', 'cancelled'])[1 + n % 3]"),
            ("as_of", "version"),
        ],
    )
}

fn events() -> Rows {
    rows(
        "public.lead_events",
        "grown_leads l where n % 8 = 0",
        [
            ("workspace_id", "workspace_id"),
            ("id", "event_id"),
            ("external_id", "(40500000000 + n)::text"),
            ("lead_cluster_id", "cluster_id"),
            ("lead_id", "lead_id"),
            ("event_type", "(array['phone', 'email', 'sms', 'visit'])[1 + n / 8 % 4]"),
            ("description", "'Left a message'"),
            ("user_name", "'Sam'"),
            ("source_created_at", "received_at + interval '2 hours'"),
            ("said_at", "version"),
            ("cluster_said_at", "case when cluster_id is not null and n % 16 = 0 then version end"),
            ("lead_said_at", "case when cluster_id is null or n % 16 > 0 then version end"),
        ],
    )
}

fn listings() -> Rows {
    rows(
        "public.listings",
        "grown_leads l where n = car",
        [
            ("workspace_id", "workspace_id"),
            ("id", "listing_id"),
            ("identifier", "(500000000 + car)::text"),
            ("vin", "'GRAWNCAR0' || lpad(car::text, 8, '0')"),
            ("status", "case when car / 50 % 4 = 0 then 'for_sale' else 'withdrawn' end"),
            ("withdrawn_at", "case when car / 50 % 4 > 0 then received_at end"),
            ("stock_number", "'G' || car"),
            ("dealership_id", "dealership_id"),
            ("make", "(array['Mazda', 'Toyota', 'Kia'])[1 + car % 3]"),
            ("model", "'Model ' || car % 40"),
            ("year", "2015 + car / 50 % 10"),
            ("price_egc", "10000 + car % 50000"),
            ("description", "'One owner, serviced.'"),
            ("source_created_at", "made_at"),
            ("source_modified_at", "made_at"),
            ("created_at", "received_at"),
            ("updated_at", "received_at"),
            ("word", "case when car / 50 % 4 = 0 then 'for_sale' else 'withdrawn' end"),
            ("claims", "car / 50 % 4 = 0"),
            ("shows_vin", "'GRAWNCAR0' || lpad(car::text, 8, '0')"),
            ("content_arrived_at", "received_at"),
        ],
    )
}

fn identifiers() -> Rows {
    rows(
        "public.listing_identifiers",
        "grown_leads l where n = car",
        [
            ("workspace_id", "workspace_id"),
            ("identifier", "(500000000 + car)::text"),
            ("listing_id", "listing_id"),
            ("status", "case when car / 50 % 4 = 0 then 'for_sale' else 'withdrawn' end"),
            ("source_modified_at", "made_at"),
            ("word_arrived_at", "received_at"),
            ("for_sale_at", "made_at"),
            ("for_sale_arrived_at", "received_at"),
            ("vin", "'GRAWNCAR0' || lpad(car::text, 8, '0')"),
            ("vin_at", "made_at"),
            ("vin_arrived_at", "received_at"),
        ],
    )
}

fn sources() -> Rows {
    rows(
        "public.listing_sources",
        "grown_leads l where n = car",
        [
            ("workspace_id", "workspace_id"),
            ("identifier", "(500000000 + car)::text"),
            ("vin", "'GRAWNCAR0' || lpad(car::text, 8, '0')"),
            ("listing_id", "listing_id"),
            ("for_sale", "car / 50 % 4 = 0"),
            ("source_modified_at", "made_at"),
            ("arrived_at", "received_at"),
            ("stock_number", "'G' || car"),
            ("dealership_id", "dealership_id"),
            ("fingerprint", "md5(car::text)"),
            (
                "content",
                "jsonb_build_object('columns', jsonb_build_object('make', (array['Mazda', 'Toyota', 'Kia'])[1 + car % 3],
                'model', 'Model ' || car % 40, 'year', 2015 + car / 50 % 10, 'price_egc', (10000 + car % 50000)::text,
                'description', 'One owner, serviced.', 'stock_number', 'G' || car), 'packages', jsonb_build_array())",
            ),
        ],
    )
}

fn listing_locations() -> Rows {
    let from = format!("grown_leads l where n = car and not {HAS_NO_PLACE}").into();
    let columns = rows(
        "public.listing_locations",
        "",
        [
            ("workspace_id", "workspace_id"),
            ("listing_id", "listing_id"),
            ("location_id", "location_id"),
            ("position", "1"),
        ],
    );
    Rows { from, ..columns }
}

fn listing_packages() -> Rows {
    rows(
        "public.listing_packages",
        "grown_leads l where n = car",
        [
            ("workspace_id", "workspace_id"),
            ("listing_id", "listing_id"),
            ("package_id", "package_id"),
            ("weekly_price", "100 + car % 200"),
        ],
    )
}

fn listing_changes() -> Rows {
    rows(
        "public.listing_changes",
        "grown_leads l where n = car",
        [
            ("workspace_id", "workspace_id"),
            ("listing_id", "listing_id"),
            ("field", "'price_egc'"),
            ("old_value", "(11000 + car % 50000)::text"),
            ("new_value", "(10000 + car % 50000)::text"),
            ("changed_at", "received_at"),
        ],
    )
}

/// The withdrawals.
fn status_changes() -> Rows {
    rows(
        "public.listing_changes",
        "grown_leads l where n = car and car / 50 % 4 > 0",
        [
            ("workspace_id", "workspace_id"),
            ("listing_id", "listing_id"),
            ("field", "'status'"),
            ("old_value", "'for_sale'"),
            ("new_value", "'withdrawn'"),
            ("changed_at", "received_at"),
        ],
    )
}

fn lead_changes() -> Rows {
    rows(
        "public.lead_changes",
        "grown_leads l where n % 3 = 0",
        [
            ("workspace_id", "workspace_id"),
            ("lead_id", "lead_id"),
            ("field", "'status'"),
            ("old_value", "'New'"),
            ("new_value", "'Contacted'"),
            ("changed_at", "received_at + interval '1 hour'"),
        ],
    )
}

fn bookings() -> Rows {
    rows(
        "public.bookings",
        "grown_leads l where booking_state = 'created'",
        [
            ("workspace_id", "workspace_id"),
            ("id", "booking_id"),
            ("lead_id", "lead_id"),
            ("person_id", "person_id"),
            ("listing_id", "listing_id"),
            ("location_id", "location_id"),
            ("package_id", "package_id"),
            ("status", "'requested'"),
            (
                "wish",
                "jsonb_build_object('at', version, 'said', jsonb_build_object('vin', vin, 'category', 'Subscription Enquiry',
                'stock_number', stock_number, 'contact_email', email, 'requested_plan', package, 'location_name', location))",
            ),
            ("created_at", "received_at"),
            ("updated_at", "received_at"),
        ],
    )
}

/// The leads with the number `j` of each of their deliveries, when it arrived, and its id, which is made from that.
fn with_deliveries(grown: &Grown) -> String {
    format!(
        "(select l.*, j, j = 2 as is_vehicle, l.received_at + j * interval '1 second' as arrived_at,
            (lpad(to_hex((extract(epoch from l.received_at + j * interval '1 second') * 1000)::bigint), 12, '0') || '7'
            || lpad(to_hex(j), 3, '0') || '8' || lpad(to_hex(n), 15, '0'))::uuid as delivery_id
        from grown_leads l, generate_series(0, {}::bigint - 1) j) l",
        grown.deliveries
    )
}

/// The body of a delivery.
fn body(grown: &Grown) -> String {
    match grown.body_bytes {
        0 => "''::bytea".to_owned(),
        bytes => format!(
            "convert_to(rpad('{{\"id\": ' || case when is_vehicle then car else n end || ', \"comments\": \"', {bytes} - 2,
            'as it was sent ') || '\"}}', 'UTF8')"
        ),
    }
}

fn deliveries(grown: &Grown) -> Rows {
    let mut rows = rows(
        "intake.deliveries",
        "",
        [
            ("id", "delivery_id"),
            ("received_at", "arrived_at"),
            ("feed", "case when is_vehicle then 'inventory' when sender = 'leadpro' then 'leadpro_lead' else 'lead' end"),
            ("workspace_id", "workspace_id"),
            ("dealership_id", "dealership_id"),
            ("external_id", "(case when is_vehicle then 500000000 + car else 10500000000 + n end)::text"),
            ("credential", "'dealer-studio'"),
            ("remote_address", "'127.0.0.1'::inet"),
            ("content_type", "'application/json'"),
            ("schema_version", "case when is_vehicle or sender = 'leadpro' then null else 'v1' end"),
            ("outcome", "case when j > 0 then 'unchanged' else 'applied' end"),
            (
                "findings",
                "case when j = 0 and lacks is not null then jsonb_build_array(
                jsonb_build_object('code', lacks || '_not_found', 'path', 'item.vin', 'message', 'it is not there yet')) else '[]' end",
            ),
            (
                "changes",
                "case when is_vehicle then '{\"listing\": \"unchanged\"}'::jsonb when j > 0
                then '{\"lead\": \"unchanged\"}' else '{\"lead\": \"created\"}' end",
            ),
            ("attempts", "1"),
            ("processing_ms", "1.2"),
            ("settled_at", "arrived_at + interval '2 milliseconds'"),
            ("shares_body", "is_vehicle"),
        ],
    );
    rows.columns.push(("body_sha256", format!("sha256({})", body(grown)).into()));
    rows.from = with_deliveries(grown).into();
    rows
}

/// The bodies, that of a vehicle under its digest, once a month.
fn bodies(grown: &Grown) -> Rows {
    let key = "case when is_vehicle then body_sha256 else uuid_send(delivery_id) end";
    let month = "date_trunc('month', arrived_at at time zone 'UTC')::date";
    let columns = [("workspace_id", "workspace_id"), ("body_key", key), ("received_month", month), ("body", "body")];
    let (deliveries, body) = (with_deliveries(grown), body(grown));
    let is_empty = grown.body_bytes == 0;
    let from = format!(
        "(select *, sha256(body) as body_sha256 from (select *, {body} as body from {deliveries}) l) l
        where not {is_empty} on conflict do nothing"
    );
    Rows { from: from.into(), ..rows("intake.bodies", "", columns) }
}
