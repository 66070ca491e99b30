//! What the views for reports answer, and what is kept for them: consent, names of dealerships, currencies, sightings.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use forecourt::domain::delivery::Delivery;
use forecourt::domain::feed::Feed;
use forecourt::domain::values::Email;
use forecourt::intake::erasure::{self, Mode, Order, Target};
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;

use crate::support::payloads::{self, with};
use crate::support::postgres::OWNER;
use crate::support::{
    CONFIG, TestService, a_lead, car, database, delivery, minute, own_cluster, service, service_with, vin,
};

// ---- consent

/// Leads of one customer, made at one hour after the other, with what each says of marketing.
fn words(of: &[(i64, Option<bool>)]) -> Vec<Value> {
    let lead = |(hour, word): &(i64, Option<bool>)| {
        let created = format!("2025-10-03T{hour:02}:00:00Z");
        a_lead(*hour).email("ada@example.com").with(json!({
            "created": created, "updated_at": created, "prospect": { "opt_in_to_marketing": word },
        }))
    };
    of.iter().map(|word| lead(word).into()).collect()
}

const CONSENT: &str = "p.marketing_opt_in, p.marketing_opt_in_at, l.external_id
    from persons p left join leads l on l.workspace_id = p.workspace_id and l.id = p.marketing_opt_in_lead_id";

#[tokio::test]
async fn the_newest_word_on_marketing_has_its_time_and_its_lead_in_any_order() {
    let said = words(&[(1, Some(true)), (2, Some(false)), (3, Some(true)), (4, None)]);
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 3, 0, 2]] {
        let service = service().await;
        for position in order {
            service.lead(&said[position]).await.expect("applied", &[]);
        }
        let expected = json!([[true, "2025-10-03T03:00:00+00:00", "3"]]);
        assert_eq!(service.table(CONSENT).await, expected, "{order:?}");
        // A repetition moves nothing, and a status of the old lead no more.
        service.lead(&said[2]).await.expect("unchanged", &[]);
        let later = json!({ "updated_at": "2025-10-05T00:00:00Z", "prospect": { "opt_in_to_marketing": true } });
        service.lead(&with(said[0].clone(), later)).await;
        assert_eq!(service.table(CONSENT).await, expected, "{order:?}");
    }
}

#[tokio::test]
async fn a_list_of_consents_says_who_wants_marketing_since_when_and_by_which_enquiry() {
    let service = service().await;
    for lead in words(&[(1, Some(true)), (2, Some(false))]) {
        service.lead(&lead).await.expect("applied", &[]);
    }
    service.lead(&a_lead(7).with(json!({ "source": "Website", "prospect": { "opt_in_to_marketing": true } }))).await;
    service.lead(&a_lead(8)).await;
    let list = "email, marketing_opt_in, marketing_opt_in_at, marketing_opt_in_on, sender_lead_id, source, dealership
        from reporting_contacts.marketing_consent order by email";
    assert_eq!(
        service.table(list).await,
        json!([
            ["ada7@example.com", true, "2025-10-03T06:10:08+00:00", "2025-10-03", "7", "Website", "356"],
            ["ada@example.com", false, "2025-10-03T02:00:00+00:00", "2025-10-03", "2", null, "356"],
        ])
    );
}

// ---- names and money

/// What the tables call the dealership 356.
async fn name(service: &TestService) -> Value {
    service.value("name", "dealerships where dealership_id = 356").await
}

/// Posts a lead that arrives then and calls its dealership so, and lets what was accepted be written.
async fn lead_calling(service: &TestService, id: i64, at: DateTime<Utc>, called: &str) {
    let lead = a_lead(id).with(json!({ "dealership": { "name": called } }));
    let arrived = Delivery { received_at: at, ..delivery(Feed::Lead, lead.bytes()) };
    service.acceptor().accept(arrived).await.unwrap();
    service.intake().write_activity(at).await;
}

#[tokio::test]
async fn a_dealership_has_its_configured_name_else_the_newest_that_a_payload_gave() {
    let at = |hours| "2025-10-04T00:00:00Z".parse::<DateTime<Utc>>().unwrap() + TimeDelta::hours(hours);
    let mut service = service().await;
    assert_eq!(name(&service).await, Value::Null);
    lead_calling(&service, 1, at(1), "Told by a lead").await;
    assert_eq!(name(&service).await, "Told by a lead");
    let mut vehicle = car(1).vin(1).body().clone();
    vehicle["Seller"]["Name"] = "Told by a vehicle".into();
    let vehicle = Delivery { received_at: at(3), ..delivery(Feed::Inventory, vehicle.to_string()) };
    service.acceptor().accept(vehicle).await.unwrap();
    service.intake().write_activity(at(3)).await;
    assert_eq!(name(&service).await, "Told by a vehicle");
    lead_calling(&service, 2, at(2), "Told before").await;
    assert_eq!(name(&service).await, "Told by a vehicle", "it arrived before");

    let named = CONFIG.replace("[356, 357]", "[{ id = 356, name = \"Configured\" }, 357]");
    service = service.restarted_with(&named).await;
    lead_calling(&service, 3, at(4), "Told later").await;
    assert_eq!(name(&service).await, "Configured");
    let shown = "dealership from reporting.leads where sender_lead_id = '3'";
    assert_eq!(service.table(shown).await, json!([["Configured"]]));
    service = service.restarted_with(CONFIG).await;
    assert_eq!(name(&service).await, "Told later");
    let other = service.value("name", "dealerships where dealership_id = 357").await;
    assert_eq!(other, Value::Null);
}

#[tokio::test]
async fn a_lead_of_one_workspace_is_never_called_by_the_name_of_another_workspaces_dealership() {
    let config = CONFIG.replace("[285]", "[{ id = 285, name = \"Gulson\" }]");
    let service = service_with(&config).await;
    service.lead(&a_lead(1)).await;
    service.database.execute("update leads set dealership_id = 285").await;
    assert_eq!(service.table("dealership, dealership_id from reporting.leads").await, json!([["285", 285]]));
}

#[tokio::test]
async fn money_stands_beside_its_currency_that_of_the_payload_before_the_workspaces() {
    let config = CONFIG.replacen("name = \"Alpha\"", "name = \"Alpha\"\ncountry = \"New Zealand\"", 1);
    let config = config.replacen("name = \"Beta\"", "name = \"Beta\"\ncurrency = \"eur\"", 1);
    let service = service_with(&config).await;
    service.lead(&a_lead(1).with(json!({ "item": { "price": 100 } }))).await;
    service.lead(&a_lead(2).dealership(285).into()).await;
    let of_leads = "sender_lead_id, vehicle_price, currency from reporting.leads order by 1";
    assert_eq!(service.table(of_leads).await, json!([["1", 100, "NZD"], ["2", null, "EUR"]]));
    service.vehicle(car(1).vin(1).price(100).body()).await;
    service.vehicle(car(2).vin(2).body()).await;
    let of_stock = "vin, price_egc, currency from reporting.stock order by 1";
    assert_eq!(service.table(of_stock).await, json!([[vin(1), 100, "AUD"], [vin(2), null, "NZD"]]));
    let unknown = CONFIG.replacen("name = \"Alpha\"", "name = \"Alpha\"\ncountry = \"DE\"", 1);
    let service = service.restarted_with(&unknown).await;
    assert_eq!(service.table(of_leads).await, json!([["1", 100, null], ["2", null, "AUD"]]));
}

// ---- stock over time

#[tokio::test]
async fn the_last_sighting_of_a_vehicle_moves_with_each_delivery_and_nothing_is_written() {
    let service = service().await;
    let body = car(1).vin(1).price(100).body().to_string();
    let mut before = None;
    for hours in [48, 24, 1] {
        let at = forecourt::intake::clock::now() - TimeDelta::hours(hours);
        let arrived = Delivery { received_at: at, ..delivery(Feed::Inventory, body.clone()) };
        service.acceptor().accept(arrived).await.unwrap();
        let versions = service.versions().await;
        assert_eq!(*before.get_or_insert_with(|| versions.clone()), versions, "an unchanged vehicle is not written");
        let seen: DateTime<Utc> = service.database.value("select last_seen_at from reporting.stock").await;
        assert!((seen - at).num_milliseconds() == 0, "{seen} {at}");
    }
    let absent = "reporting.stock where status = 'for_sale' and last_seen_at < now() - interval '3 days'";
    assert_eq!(service.count(absent).await, 0);
}

#[tokio::test]
async fn what_a_vehicle_was_and_cost_over_time_can_be_read() {
    let service = service().await;
    let made = |car: crate::support::Car| car.vin(1).with("CreatedUtc", json!(minute(0))).body().clone();
    let (first, cut, gone, again) =
        (car(1).price(100), car(1).at(1).price(80), car(1).at(2).withdrawn(), car(2).at(3).price(90));
    for vehicle in [first, cut, gone, again] {
        service.vehicle(&made(vehicle)).await;
    }
    let history = "status, previous_status, next_status, since, until from reporting.stock_history order by since";
    assert_eq!(
        service.table(history).await,
        json!([
            ["for_sale", null, "withdrawn", minute(0), minute(2)],
            ["withdrawn", "for_sale", "for_sale", minute(2), minute(3)],
            ["for_sale", "withdrawn", null, minute(3), null],
        ])
    );
    let prices = "price, old_price, new_price, difference, percent, changed_at, currency
        from reporting.price_changes order by changed_at";
    assert_eq!(
        service.table(prices).await,
        json!([["egc", 100, 80, -20, -20.0, minute(1), "AUD"], ["egc", 80, 90, 10, 12.5, minute(3), "AUD"],])
    );
    // One that changed nothing has one span.
    service.vehicle(car(3).vin(3).body()).await;
    let spans = format!("reporting.stock_history where vin = '{}' and until is null", vin(3));
    assert_eq!(service.count(&spans).await, 1);
}

// ---- leads

#[tokio::test]
async fn a_blocked_lead_has_a_row_with_its_remedy_for_each_reason() {
    let service = service().await;
    service.lead(&payloads::lead(json!({ "additional_details": { "subscription_plan": "Nothing" } }))).await;
    let rows = "reason, remedy <> '', package, dealership from reporting.blocked_leads order by 1";
    assert_eq!(
        service.table(rows).await,
        json!([["asset_not_found", true, "Nothing", "356"], ["package_not_found", true, "Nothing", "356"],])
    );
    assert_eq!(service.count("reporting.leads where booking_state = 'blocked' and booked_at is null").await, 1);
}

#[tokio::test]
async fn how_soon_a_lead_was_answered_is_told_by_events_of_it_or_of_its_cluster() {
    let service = service().await;
    let created = "2025-10-03T06:00:00Z";
    for (id, cluster) in [(1, 90), (2, 91), (3, 92)] {
        let lead = json!({ "created": created, "updated_at": created, "lead_cluster_id": cluster });
        service.lead(&a_lead(id).with(lead)).await.expect("applied", &[]);
    }
    let event = |id: i64, at: &str, description: &str| json!({ "id": id, "event_type": "Call", "description": description, "created_at": at, "updated_at": at });
    let cluster = |id: i64, events: Value| json!({ "id": id, "dealership_id": 356, "modified": "2025-10-04T00:00:00Z", "contact": {}, "leads": [], "lead_events": events });
    let events = json!([event(1, "2025-10-03T06:30:00Z", "Rang"), event(2, "2025-10-03T06:10:00Z", "Rang first")]);
    service.cluster(&cluster(90, events)).await;
    service.cluster(&cluster(91, json!([event(3, "2025-10-01T00:00:00Z", "An older enquiry")]))).await;
    let rows = "sender_lead_id, first_event_at, first_event_type, minutes_to_first_event, first_event_description
        from reporting_contacts.lead_response order by 1";
    assert_eq!(
        service.table(rows).await,
        json!([
            ["1", "2025-10-03T06:10:00+00:00", "Call", 10.0, "Rang first"],
            ["2", null, null, null, null],
            ["3", null, null, null, null],
        ])
    );
}

#[tokio::test]
async fn what_an_erasure_leaves_is_counted_and_shows_nobody() {
    let service = service().await;
    service.vehicle(&payloads::car(json!({}))).await;
    service.lead(&payloads::lead(json!({ "comments": "call me", "prospect": { "opt_in_to_marketing": true } }))).await;
    let counts = "(select count(*) from reporting.leads), (select count(*) from reporting.bookings),
        (select count(*) from reporting.customers), (select count(*) from reporting.marketing_consent)";
    assert_eq!(service.table(counts).await, json!([[1, 1, 1, 1]]));
    let order = Order {
        id: uuid::Uuid::now_v7(),
        erased_at: forecourt::intake::clock::now(),
        target: Target::Address(Email::parse("ann@example.com").unwrap()),
        workspace: None,
        reason: None,
        acted_by: "test".to_owned(),
    };
    erasure::erase(service.intake().store(), &order, Mode::Commit, None).await.unwrap();
    assert_eq!(service.table(counts).await, json!([[1, 1, 0, 0]]));
    let left = "erased_at is not null, customer_id, contact_email, contact_first_name, comments
        from reporting_contacts.leads";
    assert_eq!(service.table(left).await, json!([[true, null, null, null, null]]));
    let booked = "erased_at is not null, customer_id, email, vin from reporting_contacts.bookings";
    assert_eq!(service.table(booked).await, json!([[true, null, null, payloads::VIN]]));
}

// ---- the pages

/// What docs/replication.md has an operator run, block by block.
fn of_replication() -> Vec<String> {
    let page = include_str!("../../docs/replication.md");
    let blocks = page.split("```sql\n").skip(1).map(|block| block.split("```").next().unwrap());
    blocks.map(|block| block.trim().trim_end_matches(';').to_owned()).collect()
}

#[tokio::test]
async fn the_publication_of_the_page_has_the_business_tables_without_the_services_columns() {
    let cluster = own_cluster().await;
    let (database, other) =
        (cluster.bare_database("forecourt").await.migrated().await, cluster.bare_database("other").await);
    let [publication, tables, _subscription] = of_replication().try_into().unwrap();
    let as_owner = format!("set role {OWNER}; {publication}; reset role");
    if database.value::<i32>("select current_setting('server_version_num')::int").await < 150_000 {
        let refused = sqlx::raw_sql(AssertSqlSafe(as_owner)).execute(&database.pool).await.unwrap_err().to_string();
        assert!(refused.contains("needs PostgreSQL 15"), "{refused}");
        return;
    }
    // Again after an upgrade, too.
    for _ in 0..2 {
        database.execute(&as_owner).await;
    }
    let unpublished = "select format('%s.%s', c.relname, a.attname), coalesce(col_description(c.oid, a.attnum), '')
            || coalesce(obj_description(c.oid, 'pg_class'), '')
        from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        left join pg_publication_tables p on p.schemaname = 'public' and p.tablename = c.relname and a.attname = any(p.attnames)
        where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relname <> '_sqlx_migrations' and p is null";
    let unpublished: BTreeMap<String, String> =
        sqlx::query_as(unpublished).fetch_all(&database.pool).await.unwrap().into_iter().collect();
    for column in ["persons.clocks", "leads.history", "listings.word", "locations.name_key", "listing_sources.content"]
    {
        assert!(unpublished.contains_key(column), "{column}: {unpublished:?}");
    }
    for (column, comment) in &unpublished {
        assert!(
            comment.starts_with("Of the service") || comment.contains("read by the service only"),
            "{column}: {comment}"
        );
    }
    let beyond = "pg_publication_tables where schemaname <> 'public'";
    assert_eq!(database.value::<i64>(&format!("select count(*) from {beyond}")).await, 0);
    // The other side's tables are made by what the page prints, and have the same columns.
    let statements: Vec<String> = sqlx::query_scalar(AssertSqlSafe(tables)).fetch_all(&database.pool).await.unwrap();
    assert!(statements.len() > 15, "{statements:?}");
    other.execute(&statements.join("\n")).await;
    let there = "select format('%s.%s', c.relname, a.attname) from pg_class c join pg_attribute a on a.attrelid = c.oid
        where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and a.attnum > 0 order by 1";
    let published = "select format('%s.%s', tablename, unnest(attnames)) from pg_publication_tables order by 1";
    let there: Vec<String> = sqlx::query_scalar(there).fetch_all(&other.pool).await.unwrap();
    let published: Vec<String> = sqlx::query_scalar(published).fetch_all(&database.pool).await.unwrap();
    assert_eq!(there, published);
}

#[tokio::test]
async fn a_condition_on_the_workspace_or_a_time_reaches_the_tables() {
    let database = database().await;
    // As if there were statistics of many rows.
    database
        .execute(
            "set session_replication_role = replica;
            insert into workspaces (id, slug, name, timezone, phone_region, country, active)
                select n, 'w' || n, 'W', 'UTC', 'AU', 'AU', true from generate_series(1, 40) n;
            insert into leads (workspace_id, id, sender, external_id, booking_state, booking_blockers, received_at, updated_at, clocks)
                select 1 + n % 40, n, 'dealer_studio', n::text, 'not_requested', '{}', now(), now(), '{}' from generate_series(1, 20000) n;
            insert into listing_changes (workspace_id, id, listing_id, field, old_value, new_value, changed_at)
                select 1 + n % 40, n, n / 3, 'status', 'for_sale', 'withdrawn', now() from generate_series(1, 6000) n;
            insert into listings (workspace_id, id, status, created_at, updated_at, word, claims)
                select 1 + n % 40, n, 'for_sale', now(), now(), 'for_sale', true from generate_series(1, 20000) n;
            reset session_replication_role; analyze",
        )
        .await;
    for (query, within) in [
        ("select count(*) from reporting.leads where workspace = 'w7' and lead_id = 1006", 60),
        ("select * from reporting.lead_response where workspace = 'w7' and lead_id = 1006", 60),
        ("select * from reporting.stock_history where workspace = 'w7' and listing_id = 1006", 80),
        ("select * from reporting.deliveries where received_at > now() + interval '1 day'", 60),
        // What is not selected is not joined: the scan of the leads alone.
        ("select category, count(*) from reporting.leads group by 1", 2_000),
    ] {
        let explain = format!("explain (analyze, buffers, format json) {query}");
        let plan: Value = database.value(&explain).await;
        let blocks = |what: &str| plan[0]["Plan"][what].as_i64().unwrap();
        let read = blocks("Shared Hit Blocks") + blocks("Shared Read Blocks");
        assert!(read < within, "{query} read {read} blocks: {plan:#}");
        let joined = plan.to_string();
        assert!(!query.contains("group by") || !joined.contains("trade_ins"), "{joined}");
    }
}
