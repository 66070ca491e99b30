//! What a person who asks whether a database is good is told: the server, the tables, and what the user may do.

use sqlx::PgConnection;

use super::{Error, Pending, Store};

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
    let to_migrate = missing_rights_to_migrate(&mut tx).await?;
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
    // A schema that may not be used hides nothing of its tables here.
    let tables = sqlx::query_scalar!(
        r#"-- once
        select n.nspname || '.' || c.relname as "name!"
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where c.relkind in ('r', 'p', 'S') and n.nspname in ('public', 'identity', 'intake')
            -- By name, because to_regclass fails where the schema may not be used.
            and c.relowner = (select d.relowner from pg_class d join pg_namespace i on i.oid = d.relnamespace
                where i.nspname = 'intake' and d.relname = 'deliveries')
            -- Of an identity column, the right to its table is enough.
            and not exists (select from pg_depend d where d.objid = c.oid and d.deptype = 'i' and c.relkind = 'S')
            and not (has_schema_privilege(n.oid, 'usage') and case
                when c.relkind = 'S' then has_sequence_privilege(c.oid, 'usage')
                when c.relname = '_sqlx_migrations' then has_table_privilege(c.oid, 'select')
                else has_table_privilege(c.oid, 'select') and has_table_privilege(c.oid, 'insert')
                    and has_table_privilege(c.oid, 'update') and has_table_privilege(c.oid, 'delete')
            end)
        order by 1"#
    );
    let tables = tables.fetch_all(&mut *tx).await?;
    let Some(first) = tables.first() else { return Ok(Vec::new()) };
    let others = match tables.len() - 1 {
        0 => String::new(),
        others => format!(" and {others} others"),
    };
    let user = user(tx).await?;
    Ok(vec![format!(
        "the user `{user}` may not read and write {first}{others}: let it own the database, or grant it select, insert, update \
         and delete on all tables, and usage on all sequences, of the schemas public, identity and intake, and usage on these"
    )])
}

/// What the user may not do and a migration does.
async fn missing_rights_to_migrate(tx: &mut PgConnection) -> Result<Vec<String>, Error> {
    let may = sqlx::query!(
        r#"-- once
        select has_database_privilege(current_database(), 'create') as "in_database!",
            has_schema_privilege('public', 'create') as "in_public!",
            (select n.nspname || '.' || c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
                where c.relkind in ('r', 'p') and n.nspname in ('public', 'identity', 'intake')
                    and c.relowner = (select d.relowner from pg_class d join pg_namespace i on i.oid = d.relnamespace
                        where i.nspname = 'intake' and d.relname = 'deliveries')
                    and not pg_has_role(c.relowner, 'usage')
                order by 1 limit 1) as foreign_table,
            not exists (select from pg_namespace where nspname = 'intake') as "is_new!""#
    );
    let may = may.fetch_one(&mut *tx).await?;
    let user = user(tx).await?;
    let schemas = (may.is_new && !may.in_database).then(|| {
        format!(
            "the user `{user}` may not make schemas in the database, which the first migrations do: let it own the database \
             (`alter database ... owner to`)"
        )
    });
    let public = (!may.in_public).then(|| {
        format!(
            "the user `{user}` may not make tables in the schema public, which migrations do: let it own the database, or \
             `grant create on schema public to` it"
        )
    });
    let foreign = may.foreign_table.map(|table| {
        format!(
            "the user `{user}` does not own {table}, and migrations change tables: run `forecourt migrate` as their owner, or \
             make the user a member of that role"
        )
    });
    Ok([schemas, public, foreign].into_iter().flatten().collect())
}

async fn user(tx: &mut PgConnection) -> Result<String, Error> {
    Ok(sqlx::query_scalar!(r#"select current_user::text as "user!""#).fetch_one(tx).await?)
}
