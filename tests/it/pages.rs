//! The queries that the pages for operators show are queries of these tables.

use sqlx::AssertSqlSafe;

use crate::support::database;

const PAGES: [&str; 2] = [include_str!("../../docs/operations.md"), include_str!("../../docs/backup.md")];

#[tokio::test]
async fn every_query_that_a_page_shows_can_be_run() {
    let database = database().await;
    let blocks = PAGES.iter().flat_map(|page| page.split("```sql\n").skip(1));
    let queries: Vec<&str> = blocks
        .map(|block| block.split("```").next().unwrap().trim().trim_end_matches(';'))
        .filter(|query| query.starts_with("select"))
        .collect();
    assert!(queries.len() >= 6, "{queries:?}");
    for query in queries {
        if let Err(error) = sqlx::query(AssertSqlSafe(query)).fetch_all(&database.pool).await {
            panic!("{query}: {error}");
        }
    }
}
