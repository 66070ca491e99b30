//! What the business tables hold, without what differs by nature: row ids, arrivals and versions.
//!
//! Two snapshots are equal when nobody who looks at the tables could tell which of two histories made them.

use std::collections::BTreeMap;

use serde_json::Value;

use super::TestService;

/// The rows of each table, with keys that people know in place of ids.
pub(crate) type DbSnapshot = BTreeMap<&'static str, Vec<Value>>;

/// A query for each table; `$` stands for the workspace's id.
const TABLES: [(&str, &str); 16] = [
    (
        "persons",
        "select to_jsonb(p) - '{workspace_id,id,created_at,updated_at,clocks,marketing_opt_in_lead_id}'::text[]
            || jsonb_build_object('opted_in_by', l.external_id) as r
        from persons p left join leads l on l.id = p.marketing_opt_in_lead_id where p.workspace_id = $",
    ),
    (
        "driver_licences",
        "select to_jsonb(d) - '{workspace_id,person_id,received_at}'::text[] || jsonb_build_object('of', p.email) as r
        from identity.driver_licences d join persons p on p.id = d.person_id where d.workspace_id = $",
    ),
    (
        "passports",
        "select to_jsonb(d) - '{workspace_id,person_id,received_at}'::text[] || jsonb_build_object('of', p.email) as r
        from identity.passports d join persons p on p.id = d.person_id where d.workspace_id = $",
    ),
    (
        "lead_documents",
        "select to_jsonb(d) - '{workspace_id,lead_id,received_at}'::text[] || jsonb_build_object('of', l.external_id) as r
        from identity.lead_documents d join leads l on l.id = d.lead_id where d.workspace_id = $",
    ),
    (
        "leads",
        "select to_jsonb(l) - '{workspace_id,id,person_id,lead_cluster_id,dealership_id,received_at,updated_at,clocks,
            wishes,waits_for,membership,appointments_as_of,history}'::text[]
            || jsonb_build_object('person', p.email, 'cluster', c.external_id) as r
        from leads l left join persons p on p.id = l.person_id left join lead_clusters c on c.id = l.lead_cluster_id
        where l.workspace_id = $",
    ),
    (
        "lead_changes",
        "select to_jsonb(g) - '{workspace_id,id,lead_id}'::text[] || jsonb_build_object('of', l.external_id) as r
        from lead_changes g join leads l on l.id = g.lead_id where g.workspace_id = $",
    ),
    (
        "trade_ins",
        "select to_jsonb(t) - '{workspace_id,lead_id,clocks}'::text[] || jsonb_build_object('of', l.external_id) as r
        from trade_ins t join leads l on l.id = t.lead_id where t.workspace_id = $",
    ),
    (
        "property_enquiries",
        "select to_jsonb(q) - '{workspace_id,lead_id,clocks}'::text[] || jsonb_build_object('of', l.external_id) as r
        from property_enquiries q join leads l on l.id = q.lead_id where q.workspace_id = $",
    ),
    (
        "lead_clusters",
        "select to_jsonb(c) - '{workspace_id,id,person_id,dealership_id,said_at,appointments_as_of}'::text[]
            || jsonb_build_object('person', p.email) as r
        from lead_clusters c left join persons p on p.id = c.person_id where c.workspace_id = $",
    ),
    (
        "lead_events",
        "select to_jsonb(e)
            - '{workspace_id,id,lead_id,lead_cluster_id,said_at,cluster_said_at,lead_said_at}'::text[]
            || jsonb_build_object('lead', l.external_id, 'cluster', c.external_id) as r
        from lead_events e left join leads l on l.id = e.lead_id
        left join lead_clusters c on c.id = e.lead_cluster_id where e.workspace_id = $",
    ),
    (
        "appointments",
        "select to_jsonb(a) - '{workspace_id,id,lead_id,lead_cluster_id,removed_at,as_of}'::text[]
            || jsonb_build_object('removed', removed_at is not null, 'lead', l.external_id, 'cluster', c.external_id)
            as r
        from appointments a left join leads l on l.id = a.lead_id
        left join lead_clusters c on c.id = a.lead_cluster_id where a.workspace_id = $",
    ),
    (
        "listings",
        "select to_jsonb(l) - '{workspace_id,id,dealership_id,seller,created_at,updated_at,content_arrived_at}'::text[]
            || jsonb_build_object(
                'dealership', dealership_id - (select min(dealership_id) from dealerships d where d.workspace_id = $),
                'locations', (select jsonb_agg(o.name order by k.position) from listing_locations k
                    join locations o on o.id = k.location_id where k.listing_id = l.id),
                'packages', (select jsonb_agg(jsonb_build_array(p.name, k.daily_price, k.weekly_price, k.monthly_price)
                    order by p.name) from listing_packages k
                    join packages p on p.id = k.package_id where k.listing_id = l.id)
            ) as r
        from listings l where workspace_id = $",
    ),
    (
        "listing_identifiers",
        "select to_jsonb(i) - '{workspace_id,listing_id,word_arrived_at,for_sale_arrived_at,vin_arrived_at}'::text[]
            || jsonb_build_object('of', coalesce(l.vin, l.identifier)) as r
        from listing_identifiers i join listings l on l.id = i.listing_id where i.workspace_id = $",
    ),
    (
        "locations",
        "select to_jsonb(o) - '{workspace_id,id,reported_arrived_at}'::text[] as r from locations o where workspace_id = $",
    ),
    ("packages", "select to_jsonb(k) - '{workspace_id,id}'::text[] as r from packages k where workspace_id = $"),
    (
        "bookings",
        "select jsonb_build_object('lead', e.external_id, 'person', p.email, 'identifier', l.identifier, 'vin', l.vin,
            'location', o.name, 'package', k.name, 'status', b.status) as r
        from bookings b join persons p on p.id = b.person_id join leads e on e.id = b.lead_id
        join listings l on l.id = b.listing_id join locations o on o.id = b.location_id
        join packages k on k.id = b.package_id where b.workspace_id = $",
    ),
];

/// The business tables that are in no picture, and why.
pub(crate) const LEFT_OUT: [(&str, &str); 6] = [
    ("workspaces", "the configuration's"),
    ("dealerships", "the configuration's"),
    ("listing_locations", "stand in the rows of listings"),
    ("listing_packages", "stand in the rows of listings"),
    ("listing_sources", "what listings are made of; the rows that come of it are shown"),
    ("listing_changes", "tell in which order the deliveries came"),
];

/// What a workspace's business tables hold.
pub(crate) async fn db_snapshot(service: &TestService, slug: &str) -> DbSnapshot {
    let id: i64 = service.database.value(&format!("select id from workspaces where slug = '{slug}'")).await;
    let queries = TABLES.map(|(table, query)| format!("select '{table}' as of, r from ({query}) t"));
    let query = queries.join(" union all ").replace('$', &id.to_string());
    let query = format!("select * from ({query}) u order by of, r::text");
    let rows: Vec<(String, Value)> =
        sqlx::query_as(sqlx::AssertSqlSafe(query)).fetch_all(&service.database.pool).await.unwrap();
    let mut db_snapshot: DbSnapshot = TABLES.iter().map(|(table, _)| (*table, Vec::new())).collect();
    for (table, row) in rows {
        db_snapshot.get_mut(table.as_str()).unwrap().push(row);
    }
    db_snapshot
}

/// Leaves out what the order may decide where a listing was withdrawn, archived or merged.
pub(crate) fn without_bookings(db_snapshot: &mut DbSnapshot) {
    db_snapshot.remove("bookings");
    for lead in db_snapshot.get_mut("leads").into_iter().flatten() {
        let columns = lead.as_object_mut().unwrap();
        columns.retain(|name, _| !name.starts_with("booking_state") && !name.starts_with("booking_blockers"));
    }
}

/// A delivery, to be posted in this order and that.
#[derive(Clone, Debug)]
pub(crate) enum Delivery {
    /// One of the lead feed.
    Lead(Value),
    /// One of the lead cluster feed.
    Cluster(Value),
    /// One of the inventory feed.
    Vehicle(Value),
}

impl Delivery {
    /// The same delivery of another dealership.
    fn of_dealership(&self, from: i64, to: i64) -> Self {
        let moved = |payload: &Value, holder: &str, field: &str| {
            let mut payload = payload.clone();
            if payload[holder][field] == from {
                payload[holder][field] = to.into();
            }
            payload
        };
        match self {
            Self::Lead(payload) => Self::Lead(moved(payload, "dealership", "id")),
            Self::Cluster(payload) => {
                let mut payload = payload.clone();
                if payload["dealership_id"] == from {
                    payload["dealership_id"] = to.into();
                }
                Self::Cluster(payload)
            }
            Self::Vehicle(payload) => Self::Vehicle(moved(payload, "Seller", "Identifier")),
        }
    }

    async fn post(&self, service: &TestService) {
        let answer = match self {
            Self::Lead(payload) => service.lead(payload).await,
            Self::Cluster(payload) => service.cluster(payload).await,
            Self::Vehicle(payload) => service.vehicle(payload).await,
        };
        assert!(["applied", "unchanged"].contains(&answer.body["outcome"].as_str().unwrap()), "{answer:?}");
    }
}

/// Posts the deliveries, which name the dealerships 356 and 357, in many orders, each into a workspace of its own; in one
/// of them all once more. Every time the tables look the same; that is what they look like.
pub(crate) async fn in_any_order(deliveries: &[Delivery]) -> DbSnapshot {
    let orders = orders(deliveries.len());
    let service = super::service_with(&configuration(orders.len())).await;
    let mut expected: Option<DbSnapshot> = None;
    for (workspace, order) in orders.iter().enumerate() {
        let slug = format!("w{workspace}");
        let (first, second) = dealerships_of(workspace);
        let times: &[bool] = if workspace == 0 { &[false, true] } else { &[false] };
        for again in times {
            for position in order {
                let delivery = deliveries[*position].of_dealership(356, first).of_dealership(357, second);
                delivery.post(&service).await;
            }
            let db_snapshot = db_snapshot(&service, &slug).await;
            let expected = expected.get_or_insert_with(|| db_snapshot.clone());
            for (table, rows) in expected {
                assert_eq!(*rows, db_snapshot[table], "{table}, in the order {order:?}, again: {again}");
            }
        }
    }
    expected.unwrap()
}

/// Dealership ids that stand in the place of 356 and 357.
fn dealerships_of(workspace: usize) -> (i64, i64) {
    let first = 1_000 + 2 * i64::try_from(workspace).unwrap();
    (first, first + 1)
}

/// As many workspaces, each with what `alpha` of the tests' configuration has.
fn configuration(workspaces: usize) -> String {
    let workspaces = (0..workspaces).map(|workspace| {
        let (first, second) = dealerships_of(workspace);
        format!(
            "[[workspaces]]\nslug = \"w{workspace}\"\nname = \"W\"\ntimezone = \"Australia/Sydney\"\n\
            dealerships = [{first}, {second}]\nlocations = [\"Dealer A\"]\npackages = [\"Premium\", \"Starter\"]\n\n"
        )
    });
    let credential = super::service::CONFIG.split("[[credentials]]").nth(1).unwrap();
    format!("{}[[credentials]]{credential}", workspaces.collect::<String>())
}

/// Orders of so many things, in which any three of them stand in every order: each turned round, forwards and backwards.
fn orders(count: usize) -> Vec<Vec<usize>> {
    let forwards = (0..count).map(|first| (0..count).map(|place| (first + place) % count).collect::<Vec<_>>());
    let mut orders: Vec<Vec<usize>> =
        forwards.flat_map(|order| [order.clone(), order.into_iter().rev().collect()]).collect();
    orders.sort();
    orders.dedup();
    orders
}
