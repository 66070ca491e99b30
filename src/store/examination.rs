//! What a person who asks whether a database is good is told: the server, the tables, and what the user may do.

use sqlx::PgConnection;

use super::rights::{FUNCTIONS, RELATIONS};
use super::{Error, Pending, Store, ownership};

/// What a database is like that can be connected to, and breaks no law.
#[derive(Clone, Debug)]
pub struct Examination {
    /// The server's version, as it says it.
    pub version: String,
    /// The encoding of the database.
    pub encoding: String,
    /// The migrations that are missing; `None` where the user may not look.
    pub pending: Option<Vec<Pending>>,
    /// What the user may not do and must, one sentence each.
    pub lacking: Vec<String>,
}

/// Looks at a database. Writes nothing.
///
/// # Errors
/// When Postgres refuses or cannot be reached, or when the tables are of another version and cannot be brought to this one.
pub async fn examine(store: &Store) -> Result<Examination, Error> {
    let mut tx = store.begin(None).await?;
    let server = sqlx::query!(
        r#"select current_setting('server_version') as "version!", current_setting('server_encoding') as "encoding!""#
    );
    let server = server.fetch_one(&mut *tx).await?;
    let (version, encoding) = (server.version, server.encoding);
    let lacking = missing_rights(&mut tx).await?;
    if !lacking.is_empty() {
        tx.rollback().await?;
        return Ok(Examination { version, encoding, pending: None, lacking });
    }
    let to_migrate = ownership::missing_rights(&mut tx).await?;
    tx.rollback().await?;
    let pending = store.pending_migrations().await?;
    let lacking = if pending.is_empty() { Vec::new() } else { to_migrate };
    if pending.is_empty() {
        // Whatever else there may be: a disk that is full, a trigger of somebody else's.
        store.probe().await?;
    }
    Ok(Examination { version, encoding, pending: Some(pending), lacking })
}

/// What the user may not do with the tables that are there.
async fn missing_rights(tx: &mut PgConnection) -> Result<Vec<String>, Error> {
    let needed = RELATIONS.iter().filter(|relation| !relation.service.is_empty());
    let (names, rights): (Vec<String>, Vec<String>) =
        needed.map(|relation| (relation.name.to_owned(), relation.service.to_owned())).unzip();
    // A schema that may not be used hides nothing of its tables here. Of several rights that are asked for at once
    // Postgres says whether there is one, so that each is asked for alone.
    let lacking = sqlx::query_scalar!(
        r#"-- once
        select c.name as "name!" from (
            select c.oid, n.oid as schema, n.nspname || '.' || c.relname as name, c.relkind, l.service
            from unnest($1::text[], $2::text[]) as l (name, service)
            join pg_namespace n on n.nspname = split_part(l.name, '.', 1)
            join pg_class c on c.relnamespace = n.oid and c.relname = split_part(l.name, '.', 2)
        ) c
        where not has_schema_privilege(c.schema, 'usage') or exists (
            select from regexp_split_to_table(c.service, ', ') as r (one)
            where not case
                when c.relkind = 'S' then has_sequence_privilege(c.oid, r.one)
                else has_table_privilege(c.oid, r.one)
            end
        )
        union all
        select f.name from unnest($3::text[]) as f (name)
        where exists (select from pg_namespace where nspname = 'intake' and has_schema_privilege(oid, 'usage'))
            and to_regprocedure(f.name) is not null and not has_function_privilege(to_regprocedure(f.name), 'execute')
        order by 1"#,
        &names,
        &rights,
        &FUNCTIONS.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>(),
    );
    let lacking = lacking.fetch_all(&mut *tx).await?;
    let Some(first) = lacking.first() else { return Ok(Vec::new()) };
    let others = match lacking.len() - 1 {
        0 => String::new(),
        others => format!(" and {others} others"),
    };
    let user = ownership::user(tx).await?;
    Ok(vec![format!(
        "the user `{user}` may not do with {first}{others} what the service does: let it own the database, or give it its \
         rights with `forecourt grant {user} --serves` as the owner"
    )])
}
