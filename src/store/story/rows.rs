//! Customers, clusters and leads of a story, with the changes of leads and listings.

use chrono::{DateTime, NaiveDate, Utc};
use sqlx::PgConnection;
use uuid::Uuid;

use super::super::Error;

/// A lead, with its booking.
#[derive(Clone, Debug)]
pub struct LeadRow {
    /// Its row.
    pub id: i64,
    /// The system that sent it.
    pub sender: String,
    /// The sender's id.
    pub external_id: String,
    /// The sender's id of its cluster.
    pub cluster: Option<String>,
    /// Its customer's row.
    pub person_id: Option<i64>,
    /// The customer's address as sent.
    pub contact_email: Option<String>,
    /// The customer's first name as sent.
    pub contact_first_name: Option<String>,
    /// The customer's last name as sent.
    pub contact_last_name: Option<String>,
    /// The customer's mobile phone.
    pub contact_phone: Option<String>,
    /// Kind of enquiry.
    pub category: Option<String>,
    /// Where it came from.
    pub source: Option<String>,
    /// The sender's status.
    pub status: Option<String>,
    /// Its salesperson.
    pub salesperson_name: Option<String>,
    /// The VIN that it names.
    pub vin: Option<String>,
    /// The stock number that it names.
    pub stock_number: Option<String>,
    /// The plan that it names.
    pub subscription_plan: Option<String>,
    /// The location that it names.
    pub location_name: Option<String>,
    /// What became of its booking.
    pub booking_state: String,
    /// Why there is no booking.
    pub booking_blockers: Vec<String>,
    /// Arrival of the first delivery about it.
    pub received_at: DateTime<Utc>,
    /// When the customer made it.
    pub source_created_at: Option<DateTime<Utc>>,
    /// When its customer was erased.
    pub erased_at: Option<DateTime<Utc>>,
    /// When its booking was made.
    pub booked_at: Option<DateTime<Utc>>,
    /// When its booking was changed last.
    pub booking_changed_at: Option<DateTime<Utc>>,
    /// The delivery that did.
    pub delivery_id: Option<Uuid>,
    /// The vehicle booked.
    pub listing_id: Option<i64>,
    /// The location booked.
    pub booked_location: Option<String>,
    /// The package booked.
    pub booked_package: Option<String>,
}

/// Which leads are meant: those that one of these lists names.
#[derive(Clone, Debug, Default)]
pub struct Leads {
    /// By row.
    pub ids: Vec<i64>,
    /// Of customers, by row.
    pub persons: Vec<i64>,
    /// Of clusters, by row.
    pub clusters: Vec<i64>,
    /// That have booked a vehicle, by row.
    pub listings: Vec<i64>,
    /// That name a VIN.
    pub vins: Vec<String>,
    /// By the sender's id.
    pub external_ids: Vec<String>,
}

/// The newest of these leads, at the most so many.
///
/// # Errors
/// When Postgres refuses, cannot be reached or does not answer in time.
pub async fn lead_ids(tx: &mut PgConnection, workspace: i64, wanted: &Leads, most: i64) -> Result<Vec<i64>, Error> {
    let Leads { ids, persons, clusters, listings, vins, external_ids } = wanted;
    let ids = sqlx::query_scalar!(
        r#"-- The leads of a story
        select id as "id!" from (
            select unnest($2::bigint[]) as id
            union
            select f.id from unnest($3::bigint[]) as k (id) cross join lateral (
                select id from leads where workspace_id = $1 and person_id = k.id order by id desc limit $8
            ) f
            union
            select f.id from unnest($4::bigint[]) as k (id) cross join lateral (
                select id from leads where workspace_id = $1 and lead_cluster_id = k.id order by id desc limit $8
            ) f
            union
            select f.lead_id from unnest($5::bigint[]) as k (id) cross join lateral (
                select lead_id from bookings where workspace_id = $1 and listing_id = k.id order by lead_id desc limit $8
            ) f
            union
            select f.id from unnest($6::text[]) as k (vin) cross join lateral (
                select id from leads where workspace_id = $1 and vin = k.vin order by id desc limit $8
            ) f
            union
            select f.id from unnest($7::text[]) as k (external_id)
            cross join (values ('dealer_studio'), ('leadpro')) as s (sender)
            cross join lateral (
                select id from leads
                where workspace_id = $1 and sender = s.sender and external_id = k.external_id offset 0
            ) f
        ) named order by id desc limit $8"#,
        workspace,
        ids,
        persons,
        clusters,
        listings,
        vins,
        external_ids,
        most,
    );
    Ok(ids.fetch_all(tx).await?)
}

/// These leads, the newest first.
///
/// # Errors
/// When Postgres refuses, cannot be reached or does not answer in time.
pub async fn leads(tx: &mut PgConnection, workspace: i64, ids: &[i64]) -> Result<Vec<LeadRow>, Error> {
    let rows = sqlx::query_as!(
        LeadRow,
        r#"select l.id, l.sender, l.external_id, c.external_id as "cluster?", l.person_id, l.contact_email,
            l.contact_first_name, l.contact_last_name, l.contact_phone, l.category, l.source, l.status,
            l.salesperson_name, l.vin, l.stock_number, l.subscription_plan, l.location_name, l.booking_state,
            l.booking_blockers, l.received_at, l.source_created_at, l.erased_at,
            b.created_at as "booked_at?", b.updated_at as "booking_changed_at?", b.delivery_id as "delivery_id?",
            b.listing_id as "listing_id?", o.name as "booked_location?", p.name as "booked_package?"
        from unnest($2::bigint[]) as k (id)
        cross join lateral (select * from leads where workspace_id = $1 and id = k.id offset 0) l
        left join lead_clusters c on c.workspace_id = $1 and c.id = l.lead_cluster_id
        left join bookings b on b.workspace_id = $1 and b.lead_id = l.id
        left join locations o on o.workspace_id = $1 and o.id = b.location_id
        left join packages p on p.workspace_id = $1 and p.id = b.package_id
        order by l.id desc"#,
        workspace,
        ids,
    );
    Ok(rows.fetch_all(tx).await?)
}

/// A customer.
#[derive(Clone, Debug)]
pub struct PersonRow {
    /// Its row.
    pub id: i64,
    /// The address.
    pub email: String,
    /// First name.
    pub first_name: Option<String>,
    /// Last name.
    pub last_name: Option<String>,
    /// Business name.
    pub business_name: Option<String>,
    /// Mobile phone.
    pub mobile_phone: Option<String>,
    /// Home phone.
    pub home_phone: Option<String>,
    /// Date of birth.
    pub date_of_birth: Option<NaiveDate>,
    /// Postcode.
    pub postcode: Option<String>,
    /// Arrival of the first delivery about it.
    pub created_at: DateTime<Utc>,
    /// Whether a driver licence is kept.
    pub has_licence: bool,
    /// Whether a passport is kept.
    pub has_passport: bool,
}

/// These customers.
///
/// # Errors
/// When Postgres refuses, cannot be reached or does not answer in time.
pub async fn persons(tx: &mut PgConnection, workspace: i64, ids: &[i64]) -> Result<Vec<PersonRow>, Error> {
    let rows = sqlx::query_as!(
        PersonRow,
        r#"select p.id, p.email, p.first_name, p.last_name, p.business_name, p.mobile_phone, p.home_phone,
            p.date_of_birth, p.postcode, p.created_at,
            exists (select from identity.driver_licences d where d.workspace_id = $1 and d.person_id = p.id)
                as "has_licence!",
            exists (select from identity.passports d where d.workspace_id = $1 and d.person_id = p.id)
                as "has_passport!"
        from unnest($2::bigint[]) as k (id)
        cross join lateral (select * from persons where workspace_id = $1 and id = k.id offset 0) p
        order by p.id"#,
        workspace,
        ids,
    );
    Ok(rows.fetch_all(tx).await?)
}

/// A cluster.
#[derive(Clone, Debug)]
pub struct ClusterRow {
    /// Its row.
    pub id: i64,
    /// The sender's id.
    pub external_id: String,
    /// Its status.
    pub status: Option<String>,
    /// Its contact's first name.
    pub contact_first_name: Option<String>,
    /// Its contact's last name.
    pub contact_last_name: Option<String>,
    /// Its contact's address.
    pub contact_email: Option<String>,
    /// Its contact's phone.
    pub contact_phone: Option<String>,
    /// Its salesperson.
    pub salesperson_name: Option<String>,
    /// When the sender last changed it.
    pub source_modified_at: Option<DateTime<Utc>>,
}

/// These clusters.
///
/// # Errors
/// When Postgres refuses, cannot be reached or does not answer in time.
pub async fn clusters(tx: &mut PgConnection, workspace: i64, ids: &[i64]) -> Result<Vec<ClusterRow>, Error> {
    let rows = sqlx::query_as!(
        ClusterRow,
        "select c.id, c.external_id, c.status, c.contact_first_name, c.contact_last_name, c.contact_email,
            c.contact_phone, c.salesperson_name, c.source_modified_at
        from unnest($2::bigint[]) as k (id)
        cross join lateral (select * from lead_clusters where workspace_id = $1 and id = k.id offset 0) c
        order by c.id",
        workspace,
        ids,
    );
    Ok(rows.fetch_all(tx).await?)
}

/// A change of a lead or a vehicle.
#[derive(Clone, Debug)]
pub struct ChangeRow {
    /// Whether it is a lead's.
    pub of_lead: bool,
    /// The row of the lead or of the vehicle.
    pub of: i64,
    /// The column.
    pub field: String,
    /// What it was.
    pub old_value: Option<String>,
    /// What it became.
    pub new_value: Option<String>,
    /// When, by the sender's clock.
    pub changed_at: DateTime<Utc>,
}

/// The newest changes of these leads and vehicles, of each at the most so many, the oldest first.
///
/// # Errors
/// When Postgres refuses, cannot be reached or does not answer in time.
pub async fn changes(
    tx: &mut PgConnection,
    workspace: i64,
    leads: &[i64],
    listings: &[i64],
    most: i64,
) -> Result<Vec<ChangeRow>, Error> {
    let rows = sqlx::query_as!(
        ChangeRow,
        r#"select true as "of_lead!", k.id as "of!", f.field as "field!", f.old_value, f.new_value,
            f.changed_at as "changed_at!"
        from unnest($2::bigint[]) as k (id) cross join lateral (
            select field, old_value, new_value, changed_at from lead_changes
            where workspace_id = $1 and lead_id = k.id order by changed_at desc, id desc limit $4
        ) f
        union all
        select false, k.id, f.field, f.old_value, f.new_value, f.changed_at
        from unnest($3::bigint[]) as k (id) cross join lateral (
            select field, old_value, new_value, changed_at from listing_changes
            where workspace_id = $1 and listing_id = k.id order by changed_at desc, id desc limit $4
        ) f
        order by 6, 1, 2, 3"#,
        workspace,
        leads,
        listings,
        most,
    );
    Ok(rows.fetch_all(tx).await?)
}
