//! The plain way: a receiver of leads as people write it, with axum and sqlx, a transaction for each request and a
//! statement for each table. It writes the rows that forecourt writes, and decides and promises nothing beside.

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use chrono::{DateTime, NaiveDate, Utc};
use forecourt::intake::clock;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use sqlx::postgres::PgPoolOptions;
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::Fallible;

/// How many connections to the database there are: as many as forecourt has.
const CONNECTIONS: u32 = 10;
/// The plain way has one workspace.
const WORKSPACE: &str = "select id from workspaces where slug = 'dealer-356'";

/// Serves until it is killed.
pub(crate) async fn run(listen: &str, database: &str) -> Fallible {
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS).connect(database).await?;
    let workspace: i64 = sqlx::query_scalar(WORKSPACE).fetch_one(&pool).await?;
    let router = Router::new()
        .route("/webhooks/dealer-studio/leads", post(receive))
        .route("/readyz", get(async || "ready"))
        .with_state((pool, workspace));
    let listener = tokio::net::TcpListener::bind(listen).await?;
    Ok(axum::serve(axum::serve::ListenerExt::tap_io(listener, |stream| _ = stream.set_nodelay(true)), router).await?)
}

async fn receive(State((pool, workspace)): State<(PgPool, i64)>, body: Bytes) -> impl IntoResponse {
    match store(&pool, workspace, &body).await {
        Ok(id) => (StatusCode::OK, axum::Json(json!({"delivery_id": id, "outcome": "applied", "booking": "created"}))),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, axum::Json(json!({"error": error.to_string()}))),
    }
}

/// Stores a lead, with everything that belongs to it, in one transaction.
async fn store(pool: &PgPool, workspace: i64, body: &[u8]) -> Fallible<Uuid> {
    let lead: Value = serde_json::from_slice(body)?;
    let said = Said { lead: &lead, workspace, now: clock::now() };
    let mut tx = pool.begin().await?;
    let person = save_person(&mut tx, &said).await?;
    save_licence(&mut tx, &said, person).await?;
    let cluster = save_cluster(&mut tx, &said).await?;
    let id = save_lead(&mut tx, &said, person, cluster).await?;
    save_documents(&mut tx, &said, id).await?;
    save_booking(&mut tx, &said, id, person).await?;
    let delivery = save_delivery(&mut tx, &said, body).await?;
    tx.commit().await?;
    Ok(delivery)
}

/// A lead as it was sent.
struct Said<'a> {
    lead: &'a Value,
    workspace: i64,
    now: DateTime<Utc>,
}

impl Said<'_> {
    /// A text or a number, as a text.
    fn text(&self, path: &str) -> Option<String> {
        match self.lead.pointer(path)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        }
    }

    fn int(&self, path: &str) -> Option<i64> {
        self.lead.pointer(path)?.as_i64()
    }

    fn flag(&self, path: &str) -> Option<bool> {
        self.lead.pointer(path)?.as_bool()
    }

    fn part(&self, path: &str) -> Option<&Value> {
        self.lead.pointer(path)
    }

    fn time(&self, path: &str) -> Option<DateTime<Utc>> {
        DateTime::parse_from_rfc3339(&self.text(path)?).ok().map(|time| time.to_utc())
    }

    fn day(&self, path: &str) -> Option<NaiveDate> {
        NaiveDate::parse_from_str(&self.text(path)?, "%d/%m/%Y").ok()
    }

    fn email(&self) -> Option<String> {
        self.text("/prospect/email").map(|email| email.to_lowercase())
    }

    fn phone(&self) -> Option<String> {
        let digits: String = self.text("/prospect/mobile_phone")?.chars().filter(char::is_ascii_digit).collect();
        Some(format!("+61{}", digits.trim_start_matches('0')))
    }

    /// The details without the licence, and the licence.
    fn details(&self) -> (Value, Value) {
        let details = self.part("/additional_details").and_then(Value::as_object).cloned().unwrap_or_default();
        let is_licence = |key: &String| key.starts_with("license_");
        let (licence, rest): (Map<_, _>, Map<_, _>) = details.into_iter().partition(|(key, _)| is_licence(key));
        (Value::Object(rest), Value::Object(licence))
    }

    /// When something was said, as forecourt keeps it.
    fn stamp(&self) -> Value {
        let micros = |time: Option<DateTime<Utc>>| time.map(|time| time.timestamp_micros());
        let (created, updated) = (micros(self.time("/created")), micros(self.time("/updated_at")));
        json!([updated, created, 3, self.text("/id"), self.now.timestamp_micros()])
    }
}

async fn save_person(tx: &mut PgConnection, said: &Said<'_>) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "insert into persons (workspace_id, id, email, first_name, middle_name, last_name, mobile_phone, postcode,
            marketing_opt_in, address_street, address_city, address_state, address_postcode, address_country,
            created_at, updated_at, clocks)
        values ($1, nextval('row_ids'), $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'AU', $13, $13, $14)
        on conflict (workspace_id, email) do update set first_name = excluded.first_name,
            middle_name = excluded.middle_name, last_name = excluded.last_name,
            mobile_phone = excluded.mobile_phone, postcode = excluded.postcode,
            marketing_opt_in = excluded.marketing_opt_in, address_street = excluded.address_street,
            address_city = excluded.address_city, address_state = excluded.address_state,
            address_postcode = excluded.address_postcode, updated_at = excluded.updated_at, clocks = excluded.clocks
        returning id",
    )
    .bind(said.workspace)
    .bind(said.email())
    .bind(said.text("/prospect/first_name"))
    .bind(said.text("/prospect/middle_name"))
    .bind(said.text("/prospect/last_name"))
    .bind(said.phone())
    .bind(said.text("/prospect/postcode"))
    .bind(said.flag("/prospect/opt_in_to_marketing"))
    .bind(said.text("/prospect/address/street"))
    .bind(said.text("/prospect/address/city"))
    .bind(said.text("/prospect/address/state"))
    .bind(said.text("/prospect/address/postcode"))
    .bind(said.now)
    .bind(json!({"n": said.stamp()}))
    .fetch_one(tx)
    .await
}

async fn save_licence(tx: &mut PgConnection, said: &Said<'_>, person: i64) -> Result<(), sqlx::Error> {
    sqlx::query(
        "insert into identity.driver_licences
            (workspace_id, person_id, number, card_number, state, expires_on, date_of_birth)
        values ($1, $2, $3, $4, $5, $6, $7)
        on conflict (workspace_id, person_id) do update set number = excluded.number,
            card_number = excluded.card_number, state = excluded.state, expires_on = excluded.expires_on,
            date_of_birth = excluded.date_of_birth",
    )
    .bind(said.workspace)
    .bind(person)
    .bind(said.text("/additional_details/license_number"))
    .bind(said.text("/additional_details/license_card_number"))
    .bind(said.text("/additional_details/license_state"))
    .bind(said.day("/additional_details/license_expiry"))
    .bind(said.day("/additional_details/license_dob"))
    .execute(tx)
    .await?;
    Ok(())
}

async fn save_cluster(tx: &mut PgConnection, said: &Said<'_>) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "insert into lead_clusters (workspace_id, id, external_id) values ($1, nextval('row_ids'), $2)
        on conflict (workspace_id, external_id) do update set external_id = excluded.external_id returning id",
    )
    .bind(said.workspace)
    .bind(said.text("/lead_cluster_id"))
    .fetch_one(tx)
    .await
}

/// The columns that the payload fills, in the order in which they are bound.
const SAVE_LEAD: &str = "
    insert into leads (workspace_id, id, sender, external_id, lead_cluster_id, person_id, person_email,
        subscription_plan, booking_state, booking_blockers, dealership_id, dealership_name, dealership_slug, category,
        subcategory, source, marketing_source, provider, status, status_type, status_option_id, contact_email,
        contact_first_name, contact_middle_name, contact_last_name, contact_phone, contact_postcode,
        contact_address, contact_marketing_opt_in, vin, stock_number, item_id, item_make, item_model, item_year,
        item_price, item, requested_plan, offered_plan, subscription, location_name, location, website,
        additional_details, source_created_at, source_modified_at, received_at, updated_at, clocks, membership)
    values ($1, nextval('row_ids'), 'dealer_studio', $2, $3, $4, $5, $6, 'created', '{}', $7, $8, $9, $10, $11, $12,
        $13, $14, $15, $16, $17, $5, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31::float8, $32,
        $6, $33, $34, $35, $36, $37, $38, $39, $40, $41, $41, $42, $43)
    on conflict (workspace_id, sender, external_id) do update set person_id = excluded.person_id,
        status = excluded.status, status_type = excluded.status_type, status_option_id = excluded.status_option_id,
        contact_email = excluded.contact_email, contact_phone = excluded.contact_phone, item = excluded.item,
        additional_details = excluded.additional_details, source_modified_at = excluded.source_modified_at,
        updated_at = excluded.updated_at, clocks = excluded.clocks
    returning id";

async fn save_lead(tx: &mut PgConnection, said: &Said<'_>, person: i64, cluster: i64) -> Result<i64, sqlx::Error> {
    let saved = sqlx::query_scalar(SAVE_LEAD)
        .bind(said.workspace)
        .bind(said.text("/id"))
        .bind(cluster)
        .bind(person)
        .bind(said.email())
        .bind(said.text("/additional_details/subscription_plan"))
        .bind(said.int("/dealership/id"))
        .bind(said.text("/dealership/name"))
        .bind(said.text("/dealership/slug"))
        .bind(said.text("/category"))
        .bind(said.text("/subcategory"))
        .bind(said.text("/source"))
        .bind(said.text("/marketing_source"))
        .bind(said.text("/provider"))
        .bind(said.text("/lead_status_option/name"))
        .bind(said.text("/lead_status_option/status_type"))
        .bind(said.text("/lead_status_option/id"))
        .bind(said.text("/prospect/first_name"))
        .bind(said.text("/prospect/middle_name"))
        .bind(said.text("/prospect/last_name"))
        .bind(said.phone())
        .bind(said.text("/prospect/postcode"))
        .bind(said.part("/prospect/address"))
        .bind(said.flag("/prospect/opt_in_to_marketing"))
        .bind(said.text("/item/vin"))
        .bind(said.text("/item/stock_number"))
        .bind(said.text("/item/id"))
        .bind(said.text("/item/make"))
        .bind(said.text("/item/model"))
        .bind(said.int("/item/year"))
        .bind(said.part("/item/price").and_then(Value::as_f64));
    let (details, _) = said.details();
    let saved = saved
        .bind(said.part("/item"))
        .bind(said.text("/subscription_plan/name"))
        .bind(said.part("/subscription_plan"))
        .bind(said.text("/location/location_name"))
        .bind(said.part("/location"))
        .bind(said.part("/website"))
        .bind(details)
        .bind(said.time("/created"))
        .bind(said.time("/updated_at"))
        .bind(said.now)
        .bind(json!({"n": said.stamp()}))
        .bind(said.stamp());
    saved.fetch_one(tx).await
}

async fn save_documents(tx: &mut PgConnection, said: &Said<'_>, lead: i64) -> Result<(), sqlx::Error> {
    let (_, licence) = said.details();
    sqlx::query(
        "insert into identity.lead_documents (workspace_id, lead_id, documents) values ($1, $2, $3)
        on conflict (workspace_id, lead_id) do update set documents = excluded.documents",
    )
    .bind(said.workspace)
    .bind(lead)
    .bind(licence)
    .execute(tx)
    .await?;
    Ok(())
}

async fn save_booking(tx: &mut PgConnection, said: &Said<'_>, lead: i64, person: i64) -> Result<(), sqlx::Error> {
    let wish = json!({"at": said.stamp(), "said": {
        "dealership_id": said.int("/dealership/id"), "category": said.text("/category"), "vin": said.text("/item/vin"),
        "stock_number": said.text("/item/stock_number"), "location_name": said.text("/location/location_name"),
        "requested_plan": said.text("/additional_details/subscription_plan"), "contact_email": said.email(),
        "offered_plan": said.text("/subscription_plan/name"),
    }});
    sqlx::query(
        "insert into bookings (workspace_id, lead_id, person_id, listing_id, location_id, package_id, status, wish,
            created_at, updated_at)
        select $1, $2, $3, listings.id, locations.id, packages.id, 'requested', $4, $5, $5
        from listings, locations, packages
        where listings.workspace_id = $1 and listings.vin = $6 and listings.status = 'for_sale'
            and locations.workspace_id = $1 and locations.name_key = lower($7)
            and packages.workspace_id = $1 and packages.name = $8
        on conflict (workspace_id, lead_id) do update set person_id = excluded.person_id,
            listing_id = excluded.listing_id, location_id = excluded.location_id, package_id = excluded.package_id,
            updated_at = excluded.updated_at",
    )
    .bind(said.workspace)
    .bind(lead)
    .bind(person)
    .bind(wish)
    .bind(said.now)
    .bind(said.text("/item/vin"))
    .bind(said.text("/location/location_name"))
    .bind(said.text("/additional_details/subscription_plan"))
    .execute(tx)
    .await?;
    Ok(())
}

async fn save_delivery(tx: &mut PgConnection, said: &Said<'_>, body: &[u8]) -> Result<Uuid, sqlx::Error> {
    let id = Uuid::now_v7();
    let changes = json!({"person": "created", "lead": "created", "booking": "created"});
    sqlx::query(
        "insert into intake.deliveries (id, received_at, feed, workspace_id, external_id, dealership_id, credential,
            remote_address, content_type, body_sha256, schema_version, outcome, findings, changes, attempts,
            processing_ms, settled_at)
        values ($1, $2, 'lead', $3, $4, $5, 'dealer-studio', '127.0.0.1', 'application/json', $6, 'v1', 'applied', '[]',
            $7, 1, 1.234, $8)",
    )
    .bind(id)
    .bind(said.now)
    .bind(said.workspace)
    .bind(said.text("/id"))
    .bind(said.int("/dealership/id"))
    .bind(Sha256::digest(body).to_vec())
    .bind(changes)
    .bind(clock::now())
    .execute(&mut *tx)
    .await?;
    sqlx::query(
        "insert into intake.bodies (workspace_id, body_key, received_month, body)
        values ($1, uuid_send($2), date_trunc('month', $3 at time zone 'UTC')::date, $4)",
    )
    .bind(said.workspace)
    .bind(id)
    .bind(said.now)
    .bind(body)
    .execute(tx)
    .await?;
    Ok(id)
}
