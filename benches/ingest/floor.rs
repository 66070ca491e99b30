//! The floor: what Postgres itself can do with the same rows, written by set-based SQL without HTTP or parsing.
//!
//! The rows are copies of those that forecourt wrote for one delivery, with keys of their own; so they have every column
//! and every byte that forecourt's have.

use crate::Fallible;
use crate::payloads::VEHICLES;
use crate::postgres::Server;

/// How many deliveries one transaction writes.
pub(crate) const BATCH: u64 = 256;
/// How many clients write at once.
pub(crate) const CLIENTS: u32 = 2;

/// Keeps the rows of the first lead and the first vehicle as patterns, in a schema of their own, and the vehicles' ids.
pub(crate) async fn prepare(server: &Server, database: &str) -> Fallible {
    let patterns = "
        create schema bench;
        -- Far from the ids that the service takes.
        create sequence bench.batches start 10000000;
        create table bench.persons as select * from persons limit 1;
        create table bench.driver_licences as select * from identity.driver_licences limit 1;
        create table bench.lead_clusters as select * from lead_clusters limit 1;
        create table bench.leads as select * from leads limit 1;
        create table bench.lead_documents as select * from identity.lead_documents limit 1;
        create table bench.bookings as select * from bookings limit 1;
        create table bench.deliveries (like intake.deliveries including storage);
        insert into bench.deliveries select * from intake.deliveries where feed = 'lead' limit 1;
        create table bench.vehicle_deliveries (like intake.deliveries including storage);
        insert into bench.vehicle_deliveries select * from intake.deliveries where feed = 'inventory' limit 1;
        create table bench.deliveries_bodies as select b.* from intake.bodies b join bench.deliveries d
            on b.workspace_id = d.workspace_id and b.body_key = uuid_send(d.id);
        create table bench.vehicle_deliveries_bodies as select b.* from intake.bodies b join bench.vehicle_deliveries d
            on b.workspace_id = d.workspace_id and b.body_key = d.body_sha256;
        create table bench.vehicles (n bigint primary key, listing_id bigint not null);
        insert into bench.vehicles select right(vin, 8)::bigint, id from listings;
        -- Tables of one row that nobody has counted are planned for as large ones, and the statements compiled first.
        analyze";
    server.execute(database, patterns).await
}

/// A table, the pattern of its rows, and what differs from row to row.
struct Rows<'a> {
    table: &'a str,
    pattern: &'a str,
    from: &'a str,
    differing: &'a [(&'a str, &'a str)],
    end: &'a str,
}

/// A script that writes 256 leads with all that belongs to them, in one statement.
#[expect(clippy::too_many_lines, reason = "a list of tables and of what differs from row to row in each")]
pub(crate) async fn leads(server: &Server, database: &str) -> Fallible<String> {
    let email = "'customer' || lpad(k.address::text, 7, '0') || '@example.com'";
    let external = "(30000000000 + k.n)::text";
    let persons = Rows {
        table: "public.persons",
        pattern: "bench.persons",
        from: "(select distinct on (address) n, address from k order by address) k",
        differing: &[("id", "k.n"), ("email", email)],
        end: "on conflict (workspace_id, email) do update set first_name = excluded.first_name,
            last_name = excluded.last_name, mobile_phone = excluded.mobile_phone, postcode = excluded.postcode,
            updated_at = excluded.updated_at, clocks = excluded.clocks
            returning id, email",
    };
    let licences = Rows {
        table: "identity.driver_licences",
        pattern: "bench.driver_licences",
        from: "(select id from p) k",
        differing: &[("person_id", "k.id")],
        end: "on conflict (workspace_id, person_id) do nothing",
    };
    let clusters = Rows {
        table: "public.lead_clusters",
        pattern: "bench.lead_clusters",
        from: "k",
        differing: &[("id", "k.n"), ("external_id", external)],
        end: "",
    };
    let leads = Rows {
        table: "public.leads",
        pattern: "bench.leads",
        from: &format!("k join p on p.email = {email}"),
        differing: &[
            ("id", "k.n"),
            ("external_id", external),
            ("lead_cluster_id", "k.n"),
            ("person_id", "p.id"),
            ("contact_email", "p.email"),
            ("person_email", "p.email"),
        ],
        end: "returning id, person_id",
    };
    let documents = Rows {
        table: "identity.lead_documents",
        pattern: "bench.lead_documents",
        from: "k",
        differing: &[("lead_id", "k.n")],
        end: "",
    };
    let bookings = Rows {
        table: "public.bookings",
        pattern: "bench.bookings",
        from: "k join l on l.id = k.n",
        differing: &[
            ("id", "k.n"),
            ("lead_id", "k.n"),
            ("person_id", "l.person_id"),
            ("listing_id", "(select v.listing_id from bench.vehicles v where v.n = k.vehicle)"),
        ],
        end: "",
    };
    let delivery = Delivery::like(server, database, "bench.deliveries").await?;
    let mut script = format!(
        "select nextval('bench.batches') * {BATCH} as base \\gset
        with k as materialized (
            select n, abs(hashint8(n)::bigint) % 1000000 as address, abs(hashint8(n + 1)::bigint) % {VEHICLES} as vehicle
            from generate_series(:base::bigint, :base::bigint + {BATCH} - 1) as n
        ), {}",
        delivery.patterns
    );
    for (name, rows) in [
        ("p", persons),
        ("licences", licences),
        ("clusters", clusters),
        ("l", leads),
        ("documents", documents),
        ("bookings", bookings),
    ] {
        let rows = insert(server, database, &rows).await?;
        script.extend([", ", name, " as (", &rows, ")"]);
    }
    script.extend([", ", &delivery.insert]);
    script.push_str(" select");
    Ok(one_line(&script))
}

/// A script that writes 256 deliveries of vehicles, and nothing else.
pub(crate) async fn vehicle_deliveries(server: &Server, database: &str) -> Fallible<String> {
    let Delivery { patterns, insert } = Delivery::like(server, database, "bench.vehicle_deliveries").await?;
    Ok(one_line(&format!(
        "select nextval('bench.batches') * {BATCH} as base \\gset
        with k as materialized (
            select n from generate_series(:base::bigint, :base::bigint + {BATCH} - 1) as n
        ), {patterns}, {insert} select"
    )))
}

/// A script that writes one delivery of a lead, and nothing else.
pub(crate) async fn single(server: &Server, database: &str) -> Fallible<String> {
    let Delivery { patterns, insert } = Delivery::like(server, database, "bench.deliveries").await?;
    Ok(one_line(&format!(
        "with k as materialized (select nextval('bench.batches') * {BATCH} as n), {patterns}, {insert} select"
    )))
}

/// What writes deliveries, each with its body, as parts of a `with`.
struct Delivery {
    /// The patterns, the body fetched once.
    patterns: String,
    /// The rows, in the order in which they are made, as forecourt's are.
    insert: String,
}

impl Delivery {
    /// Deliveries like the one of a table, that of a vehicle with its body under its digest.
    async fn like(server: &Server, database: &str, pattern: &str) -> Fallible<Self> {
        let (id, sha256) = ("lpad(to_hex(k.n), 32, '0')::uuid", "sha256(int8send(k.n))");
        let external = "(30000000000 + k.n)::text";
        let differing = [("id", id), ("received_at", "now()"), ("body_sha256", sha256), ("external_id", external)];
        let key = if pattern.contains("vehicle") { sha256 } else { "uuid_send(lpad(to_hex(k.n), 32, '0')::uuid)" };
        let own = [("body_key", key), ("body", "t.bytes")];
        let rows = Rows { table: "intake.deliveries", pattern, from: "k", differing: &differing, end: "" };
        let bodies = Rows { table: "intake.bodies", pattern: "b", from: "k", differing: &own, end: "" };
        let (rows, bodies) = (insert(server, database, &rows).await?, insert(server, database, &bodies).await?);
        Ok(Self {
            patterns: format!("b as materialized (select t.*, t.body || ''::bytea as bytes from {pattern}_bodies t)"),
            insert: format!("bodies as ({bodies}), deliveries as ({rows})"),
        })
    }
}

/// A statement that writes a row for each of `from`.
async fn insert(server: &Server, database: &str, rows: &Rows<'_>) -> Fallible<String> {
    let Rows { table, pattern, from, differing, end } = rows;
    let columns = format!(
        "select array_agg(attname::text order by attnum) from pg_attribute
        where attrelid = '{table}'::regclass and attnum > 0 and not attisdropped and attgenerated = ''"
    );
    let columns: Vec<String> = server.value(database, &columns).await?;
    let values = columns.iter().map(|column| {
        let differing = differing.iter().find(|(name, _)| name == column);
        differing.map_or_else(|| format!("t.{column}"), |(_, value)| (*value).to_owned())
    });
    let values: Vec<String> = values.collect();
    Ok(format!(
        "insert into {table} ({}) select {} from {pattern} t cross join {from} {end}",
        columns.join(", "),
        values.join(", ")
    ))
}

/// `pgbench` reads a statement to the end of its line where a variable is set from it.
fn one_line(script: &str) -> String {
    let (first, rest) = script.split_once("\\gset").map_or(("", script), |(first, rest)| (first, rest));
    let rest = rest.split_whitespace().collect::<Vec<_>>().join(" ");
    if first.is_empty() { format!("{rest};\n") } else { format!("{first} \\gset\n{rest};\n") }
}
