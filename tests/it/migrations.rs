//! The tables are brought to this version at each start, or the start says what to do.

use forecourt::store;

use crate::support::database;

/// What a start says of a database after a statement.
async fn refusal_after(statement: &str) -> String {
    let database = database().await;
    database.execute(statement).await;
    store::migrate(&database.pool).await.unwrap_err().to_string()
}

#[tokio::test]
async fn a_database_that_is_up_to_date_is_left_as_it_is() {
    let database = database().await;
    store::migrate(&database.pool).await.unwrap();
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_refused_with_what_to_do() {
    let refusal = refusal_after(
        "insert into _sqlx_migrations (version, description, success, checksum, execution_time)
        values (9999, 'from the future', true, '', 0)",
    )
    .await;
    assert!(refusal.contains("migration 9999") && refusal.contains("run the newer version"), "{refusal}");
}

#[tokio::test]
async fn a_migration_that_was_applied_with_another_text_is_refused_with_what_to_do() {
    let refusal = refusal_after("update _sqlx_migrations set checksum = 'x' where version = 1").await;
    assert!(refusal.contains("migration 1 was applied") && refusal.contains("another text"), "{refusal}");
}

#[tokio::test]
async fn a_migration_that_was_not_finished_is_refused_with_what_to_do() {
    let refusal = refusal_after("update _sqlx_migrations set success = false where version = 6").await;
    assert!(refusal.contains("migration 6") && refusal.contains("restore a backup"), "{refusal}");
}

#[tokio::test]
async fn a_migration_that_fails_stops_the_start_with_its_reason_and_what_to_do() {
    let refusal = refusal_after("delete from _sqlx_migrations").await;
    assert!(refusal.contains("while executing migration 1") && refusal.contains("then start again"), "{refusal}");
}
