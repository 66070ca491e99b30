//! Stored values given the form in which they are compared today, where a migration says that this is to be done: what
//! it takes of statements. What of it follows rules is in `intake::rereading`. Each begins with `-- once`: unlike those
//! of batches, they may read whole tables.

use crate::domain::ids::{ListingId, PersonId, WorkspaceId};
use std::collections::BTreeMap;

use serde_json::{Value, json};
use sqlx::PgConnection;

use super::actions::{self, Action};
use super::{Error, Store, customers, load, session};
use crate::domain::state::{Person, Row, WorkspaceState};
use crate::domain::values::text::matched;
use crate::domain::values::{Email, StockNumber, Vin};

/// How many persons are looked at in one transaction.
const BATCH: i64 = 500;

/// A workspace whose stored values are still to be read anew.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn next(store: &Store) -> Result<Option<WorkspaceId>, Error> {
    let mut tx = store.begin(None).await?;
    let next = sqlx::query_scalar!(
        "-- once
            select workspace_id from intake.rereadings order by workspace_id limit 1"
    );
    let next = next.fetch_optional(&mut *tx).await?;
    tx.rollback().await?;
    Ok(next.map(WorkspaceId::from))
}

/// How many workspaces are still to be read anew.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn workspaces(store: &Store) -> Result<i64, Error> {
    let mut tx = store.begin(None).await?;
    let count = sqlx::query_scalar!(
        r#"-- once
            select count(*) as "count!" from intake.rereadings"#
    );
    let count = count.fetch_one(&mut *tx).await?;
    tx.rollback().await?;
    Ok(count)
}

/// How many persons of a workspace may have another form of their address, and are not yet looked at.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn persons_left(store: &Store, workspace: WorkspaceId) -> Result<i64, Error> {
    let mut tx = store.begin(None).await?;
    let count = sqlx::query_scalar!(
        r#"-- once
        select count(*) as "count!" from persons p join intake.rereadings r on r.workspace_id = $1
        where p.workspace_id = $1 and p.id > r.after_person_id and (p.email !~ '^[ -~]+$' or p.email ~ '"')"#,
        workspace.get(),
    );
    let count = count.fetch_one(&mut *tx).await?;
    tx.rollback().await?;
    Ok(count)
}

/// The next persons whose address may have another form today, with that address: plain ones are matched as before.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn addresses(tx: &mut PgConnection, workspace: WorkspaceId) -> Result<Vec<(PersonId, String)>, Error> {
    let rows = sqlx::query!(
        r#"-- once
        select p.id, p.email from persons p join intake.rereadings r on r.workspace_id = $1
        where p.workspace_id = $1 and p.id > r.after_person_id and (p.email !~ '^[ -~]+$' or p.email ~ '"')
        order by p.id limit $2"#,
        workspace.get(),
        BATCH,
    )
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.id.into(), row.email)).collect())
}

/// The persons of these addresses.
///
/// # Errors
/// When Postgres refuses or cannot be reached, or a row cannot be read.
pub async fn persons_of(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    emails: [&str; 2],
) -> Result<BTreeMap<Email, Row<Person>>, Error> {
    let asked = load::LoadKeys { emails: emails.to_vec(), ..load::LoadKeys::default() };
    Ok(load::load(tx, workspace, asked).await?.persons)
}

/// Gives a person another address.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn rename_person(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    person: PersonId,
    email: &Email,
) -> Result<(), Error> {
    sqlx::query!(
        "-- once
            update persons set email = $3 where workspace_id = $1 and id = $2",
        workspace.get(),
        person.get(),
        email.as_str()
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Writes a person that another one has become part of; what belonged to that one belongs to it.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn save_joined(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    former: PersonId,
    email: &Email,
    person: Row<Person>,
) -> Result<(), Error> {
    let into = person.value.id.get();
    let rows = WorkspaceState { persons: [(email.clone(), person)].into(), ..WorkspaceState::default() };
    Box::pin(customers::save(tx, workspace, &rows)).await?;
    sqlx::query!(
        "-- once
            with of_leads as (
            update leads set person_id = $3 where workspace_id = $1 and person_id = $2
        ), of_clusters as (
            update lead_clusters set person_id = $3 where workspace_id = $1 and person_id = $2
        ), of_bookings as (
            update bookings set person_id = $3 where workspace_id = $1 and person_id = $2
        ), licences as (
            delete from identity.driver_licences where workspace_id = $1 and person_id = $2
        )
        delete from identity.passports where workspace_id = $1 and person_id = $2",
        workspace.get(),
        former.get(),
        into,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "-- once
            delete from persons where workspace_id = $1 and id = $2",
        workspace.get(),
        former.get()
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Adds to what is counted, and notes up to which person it is done.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn count(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    after: Option<PersonId>,
    counted: &[(&str, i64)],
) -> Result<(), Error> {
    for (name, more) in counted {
        sqlx::query!(
            "-- once
            update intake.rereadings set after_person_id = coalesce($2, after_person_id),
                counts = counts || jsonb_build_object($3::text, coalesce((counts ->> $3)::bigint, 0) + $4::bigint)
            where workspace_id = $1",
            workspace.get(),
            after.map(PersonId::get),
            *name,
            *more,
        )
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// Does all but the persons, and records what was done.
///
/// # Errors
/// When Postgres refuses or cannot be reached.
pub async fn finish(tx: &mut PgConnection, workspace: WorkspaceId) -> Result<(), Error> {
    let open = sqlx::query_scalar!(
        "-- once
            select workspace_id from intake.rereadings where workspace_id = $1",
        workspace.get()
    );
    if open.fetch_optional(&mut *tx).await?.is_none() {
        // Another process has done it meanwhile.
        return Ok(());
    }
    rewrite_addresses(tx, workspace).await?;
    let freed = free_vehicles(tx, workspace).await?;
    rename_vehicles(tx, workspace).await?;
    rename_places(tx, workspace).await?;
    forget_placeholders(tx, workspace).await?;
    let marked = mark_deliveries(tx, workspace).await?;
    count(tx, workspace, None, &[("vehicles_freed", freed), ("deliveries_read_anew", marked)]).await?;
    let counts = sqlx::query_scalar!(
        "-- once
        delete from intake.rereadings where workspace_id = $1 returning counts",
        workspace.get(),
    )
    .fetch_optional(&mut *tx)
    .await?;
    // Apart, because the one is of a workspace and the other is not.
    if let Some(Value::Object(mut counts)) = counts {
        counts.insert("workspace_id".to_owned(), json!(workspace.get()));
        actions::record(tx, Action::ReadAnew, "forecourt", counts).await?;
    }
    Ok(())
}

/// Leads and clusters wait for a person by the form of the address that is matched.
async fn rewrite_addresses(tx: &mut PgConnection, workspace: WorkspaceId) -> Result<(), sqlx::Error> {
    // Whole tables against many forms.
    session::run(tx, "set local enable_hashjoin = on").await?;
    let sent = sqlx::query_scalar!(
        r#"-- once
        select contact_email as "email!" from leads
        where workspace_id = $1 and (contact_email !~ '^[ -~]+$' or contact_email ~ '"')
        union select contact_email from lead_clusters
        where workspace_id = $1 and (contact_email !~ '^[ -~]+$' or contact_email ~ '"')"#,
        workspace.get(),
    )
    .fetch_all(&mut *tx)
    .await?;
    let matched: Vec<Option<String>> =
        sent.iter().map(|sent| Email::parse(sent).map(|email| email.as_str().to_owned())).collect();
    sqlx::query!(
        "-- once
            with forms as (
            select * from unnest($2::text[], $3::text[]) as f (sent, matched)
        ), of_leads as (
            update leads set person_email = matched from forms
            where workspace_id = $1 and contact_email = sent and person_email is distinct from matched
        )
        update lead_clusters set person_email = matched from forms
        where workspace_id = $1 and contact_email = sent and person_email is distinct from matched",
        workspace.get(),
        &sent,
        &matched as &[Option<String>],
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Takes vehicles apart that a word had made one, which stands for no VIN. The row stays that of the identifier whose
/// content it shows; what was said of the others is forgotten, because their deliveries tell it again.
async fn free_vehicles(tx: &mut PgConnection, workspace: WorkspaceId) -> Result<i64, sqlx::Error> {
    let listings = sqlx::query!(
        r#"-- once
        select id, vin as "vin!", identifier from listings
        where workspace_id = $1 and (vin !~ '^[A-Z0-9]{17}$' or vin ~ '^(.)\1+$') order by id"#,
        workspace.get(),
    )
    .fetch_all(&mut *tx)
    .await?;
    let mut freed = 0;
    for listing in listings.into_iter().filter(|listing| Vin::parse(&listing.vin).is_none()) {
        // An identifier for which the word itself stood in is none any more.
        let keeper = listing.identifier.filter(|identifier| *identifier != listing.vin);
        sqlx::query!(
            "-- once
            with sources as (
                delete from listing_sources where workspace_id = $1 and vin = $2 and identifier is distinct from $3
                returning identifier
            )
            delete from listing_sources where workspace_id = $1 and listing_id = $4 and vin = ''
                and identifier is distinct from $3",
            workspace.get(),
            listing.vin,
            keeper,
            listing.id,
        )
        .execute(&mut *tx)
        .await?;
        let others = sqlx::query!(
            "-- once
            delete from listing_identifiers
            where workspace_id = $1 and listing_id = $2 and identifier is distinct from $3",
            workspace.get(),
            listing.id,
            keeper,
        )
        .execute(&mut *tx)
        .await?;
        freed += i64::try_from(others.rows_affected()).unwrap_or_default();
        keep_without_vin(tx, workspace, listing.id.into(), &listing.vin, keeper.as_deref()).await?;
    }
    Ok(freed)
}

/// Leaves a listing without its VIN, to the one identifier that stays.
async fn keep_without_vin(
    tx: &mut PgConnection,
    workspace: WorkspaceId,
    listing: ListingId,
    vin: &str,
    keeper: Option<&str>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "-- once
            with former as (
            delete from listing_sources where workspace_id = $1 and identifier = $4 and vin = ''
        )
        update listing_identifiers set vin = null, vin_at = null, vin_arrived_at = null
        where workspace_id = $1 and identifier = $4 and vin = $3 and listing_id = $2",
        workspace.get(),
        listing.get(),
        vin,
        keeper,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "-- once
            update listing_sources set vin = '' where workspace_id = $1 and identifier = $2 and vin = $3",
        workspace.get(),
        keeper,
        vin,
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "-- once
            update listings l set vin = null, shows_vin = null,
            word = case when has.identifier then word else 'withdrawn' end,
            status = case when has.identifier then status else 'withdrawn' end
        from (
            select exists (select from listing_identifiers where workspace_id = $1 and listing_id = $2) as identifier
        ) has
        where l.workspace_id = $1 and l.id = $2",
        workspace.get(),
        listing.get(),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Gives vehicles the form of their identifiers and VINs that is compared today, where no other vehicle has it.
async fn rename_vehicles(tx: &mut PgConnection, workspace: WorkspaceId) -> Result<(), sqlx::Error> {
    let named = sqlx::query!(
        r#"-- once
        select identifier, vin from listing_sources
        where workspace_id = $1 and (identifier !~ '^[ -~]*$' or vin !~ '^[ -~]*$')"#,
        workspace.get(),
    )
    .fetch_all(&mut *tx)
    .await?;
    let vins = named.iter().filter_map(|row| Some((row.vin.clone(), Vin::parse(&row.vin)?.as_str().to_owned())));
    let identifiers = named.iter().map(|row| (row.identifier.clone(), matched(&row.identifier).into_owned()));
    for (kind, forms) in [("vin", forms(vins)), ("identifier", forms(identifiers))] {
        for (old, new) in forms {
            sqlx::query!(
                "-- once
            with free as (
                    select where not exists (
                        select from listings where workspace_id = $1 and (case $2 when 'vin' then vin else identifier end) = $4
                    ) and not exists (
                        select from listing_identifiers where workspace_id = $1 and $2 = 'identifier' and identifier = $4
                    )
                ), of_listings as (
                    update listings set
                        vin = case when $2 = 'vin' and vin = $3 then $4 else vin end,
                        shows_vin = case when $2 = 'vin' and shows_vin = $3 then $4 else shows_vin end,
                        identifier = case when $2 = 'identifier' and identifier = $3 then $4 else identifier end
                    from free where workspace_id = $1 and $3::text in (vin, shows_vin, identifier)
                ), of_identifiers as (
                    update listing_identifiers set
                        vin = case when $2 = 'vin' and vin = $3 then $4 else vin end,
                        identifier = case when $2 = 'identifier' and identifier = $3 then $4 else identifier end
                    from free where workspace_id = $1 and $3 in (vin, identifier)
                )
                update listing_sources set
                    vin = case when $2::text = 'vin' and vin = $3 then $4::text else vin end,
                    identifier = case when $2 = 'identifier' and identifier = $3 then $4 else identifier end
                from free where workspace_id = $1 and $3 in (vin, identifier)",
                workspace.get(),
                kind,
                old,
                new,
            )
            .execute(&mut *tx)
            .await?;
        }
    }
    Ok(())
}

/// The former forms with those of today, each once, where they differ.
fn forms(named: impl Iterator<Item = (String, String)>) -> BTreeMap<String, String> {
    named.filter(|(old, new)| old != new).collect()
}

/// Gives packages and locations the form of their names that is compared today, where no other has it.
async fn rename_places(tx: &mut PgConnection, workspace: WorkspaceId) -> Result<(), sqlx::Error> {
    let named = sqlx::query_scalar!(
        r#"-- once
        select name as "name!" from packages where workspace_id = $1 and name !~ '^[ -~]*$'
        union select name from locations where workspace_id = $1 and name !~ '^[ -~]*$'"#,
        workspace.get(),
    )
    .fetch_all(&mut *tx)
    .await?;
    for (old, new) in forms(named.into_iter().map(|name| (name.clone(), matched(&name).into_owned()))) {
        sqlx::query!(
            "-- once
            with of_packages as (
                update packages set name = $3 where workspace_id = $1 and name = $2
                    and not exists (select from packages where workspace_id = $1 and name = $3)
            )
            update locations set name = $3, name_key = $4 where workspace_id = $1 and name = $2
                and not exists (select from locations where workspace_id = $1 and name_key = $4)",
            workspace.get(),
            old,
            new,
            new.to_lowercase(),
        )
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// Takes VINs and stock numbers that stand for none out of leads, which their deliveries cannot do: nothing erases.
async fn forget_placeholders(tx: &mut PgConnection, workspace: WorkspaceId) -> Result<(), sqlx::Error> {
    let named = sqlx::query!(
        r#"-- once
        select distinct vin, stock_number from leads
        where workspace_id = $1 and (vin !~ '^[A-Z0-9]{17}$' or vin ~ '^(.)\1+$' or stock_number !~ '[0-9]')"#,
        workspace.get(),
    )
    .fetch_all(&mut *tx)
    .await?;
    let vins = named.iter().filter_map(|row| row.vin.clone()).filter(|vin| Vin::parse(vin).is_none());
    let numbers = named.iter().filter_map(|row| row.stock_number.clone());
    let numbers = numbers.filter(|number| StockNumber::parse(number).is_none());
    for (column, words) in [("vin", vins.collect::<Vec<_>>()), ("stock_number", numbers.collect())] {
        sqlx::query!(
            "-- once
            with of_bookings as (
                update bookings set wish = wish #- array['said', $2::text]
                where workspace_id = $1 and wish -> 'said' ->> $2 = any($3)
            )
            update leads set
                vin = case when $2 = 'vin' then null else vin end,
                stock_number = case when $2 = 'stock_number' then null else stock_number end,
                item = nullif(item - $2, '{}'),
                wishes = (
                    select jsonb_agg(case when w -> 'said' ->> $2 = any($3) then w #- array['said', $2] else w end order by n)
                    from jsonb_array_elements(wishes) with ordinality as e (w, n)
                )
            where workspace_id = $1
                and (case $2 when 'vin' then vin = any($3) else stock_number = any($3) end)",
            workspace.get(),
            column,
            &words,
        )
        .execute(&mut *tx)
        .await?;
    }
    Ok(())
}

/// Marks the deliveries that may say something else today than when they were merged, to be merged again: those with
/// anything beyond ASCII, those with a finding of a kind that is told otherwise now, phones with letters or with a
/// country whose numbers lost their zero, and words in place of VINs and stock numbers.
async fn mark_deliveries(tx: &mut PgConnection, workspace: WorkspaceId) -> Result<i64, sqlx::Error> {
    let marked = sqlx::query!(
        r#"-- once
        update intake.deliveries d set retry_at = now() from intake.deliveries_with_bodies v
        where v.workspace_id = $1 and v.retry_at is null and v.outcome in ('applied', 'unchanged')
            and d.workspace_id = $1 and d.id = v.id and d.received_at = v.received_at and (
            v.findings::text ~ '"(phone_invalid|email_invalid|date_invalid|vin_unusual|field_type)"'
            or encode(v.body, 'escape') ~ '\\'
            or encode(v.body, 'escape') ~* '"[a-z_]*phone"\s*:\s*"([^"]*[a-z]|[^0-9"]*(\+|00)[^0-9"]*(11)?[^0-9"]*(39|225|229|241|242|378))'
            or encode(v.body, 'escape') ~* '"(vin|stock_?number)"[^{}]*:\s*"([^"0-9]*|([^"])\3*)"'
            or encode(v.body, 'escape') ~* '"value"\s*:\s*"([^"0-9]*|([^"])\2*)"[^{}]*"(vin|stocknumber)"'
        )"#,
        workspace.get(),
    )
    .execute(tx)
    .await?;
    Ok(i64::try_from(marked.rows_affected()).unwrap_or_default())
}
