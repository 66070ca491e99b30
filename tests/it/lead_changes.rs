//! What a lead's status, salesperson and cluster were before: `lead_changes`.

use serde_json::{Value, json};

use crate::support::db_snapshot::{Delivery, in_any_order};
use crate::support::payloads::enquiry;
use crate::support::{TestService, service};

/// A lead as it stands at a day of October.
fn at(day: u32, changes: Value) -> Value {
    let dated = json!({ "updated_at": format!("2025-10-{day:02}T00:00:00Z") });
    crate::support::payloads::with(enquiry(dated), changes)
}

async fn changes(service: &TestService) -> Vec<String> {
    let query =
        "select field || ': ' || old_value || ' > ' || new_value || ' at ' || to_char(changed_at, 'MM-DD') as told
        from lead_changes order by field, changed_at";
    service.rows(query).await.iter().map(|row| row["told"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn changes_begin_with_the_second_value_and_tell_clusters_by_the_senders_id() {
    let service = service().await;
    let first = json!({
        "lead_status_option": { "name": "New", "status_type": "open" }, "assigned_salesperson": { "name": "Sam" },
        "lead_cluster_id": 71,
    });
    service.lead(&at(1, first)).await;
    assert_eq!(changes(&service).await, Vec::<String>::new());
    let second = json!({
        "lead_status_option": { "name": "Lost", "status_type": "lost" }, "assigned_salesperson": { "name": "Kim" },
        "lead_cluster_id": 72,
    });
    service.lead(&at(2, second.clone())).await;
    let expected = [
        "lead_cluster_id: 71 > 72 at 10-02",
        "salesperson_name: Sam > Kim at 10-02",
        "status: New > Lost at 10-02",
        "status_type: open > lost at 10-02",
    ];
    assert_eq!(changes(&service).await, expected);
    // Said again, then and later, it is no change.
    service.lead(&at(2, second.clone())).await;
    service.lead(&at(3, second)).await;
    assert_eq!(changes(&service).await, expected);
}

#[tokio::test]
async fn an_older_value_that_comes_late_takes_its_place_and_is_no_repetition() {
    let service = service().await;
    let status = |name: &str| json!({ "lead_status_option": { "name": name } });
    service.lead(&at(1, status("New"))).await;
    service.lead(&at(9, status("Lost"))).await;
    assert_eq!(changes(&service).await, ["status: New > Lost at 10-09"]);
    let late = service.lead(&at(5, status("Contacted"))).await;
    assert_eq!((&late.body["outcome"], &late.body["lead"]), (&json!("applied"), &json!("unchanged")), "{late:?}");
    let expected = ["status: New > Contacted at 10-05", "status: Contacted > Lost at 10-09"];
    let mut found = changes(&service).await;
    found.sort_by_key(|told| told[told.len() - 5..].to_owned());
    assert_eq!(found, expected);
    let again = service.lead(&at(5, status("Contacted"))).await;
    assert_eq!(again.body["outcome"], "unchanged", "{again:?}");
    assert_eq!(service.row("select status from leads").await["status"], "Lost");
}

#[tokio::test]
async fn any_order_of_a_leads_deliveries_leaves_the_same_changes() {
    let deliveries: Vec<Delivery> = [
        (1, "New", "Sam", 71),
        (2, "New", "Sam", 71),
        (3, "Contacted", "Kim", 72),
        (4, "New", "Kim", 71),
        (5, "New", "Sam", 71),
        (6, "Lost", "Sam", 73),
    ]
    .into_iter()
    .map(|(day, status, salesperson, cluster)| {
        Delivery::Lead(at(
            day,
            json!({
                "lead_status_option": { "name": status }, "assigned_salesperson": { "name": salesperson },
                "lead_cluster_id": cluster,
            }),
        ))
    })
    .collect();
    let tables = in_any_order(&deliveries).await;
    let told: Vec<String> = tables["lead_changes"]
        .iter()
        .filter(|row| row["field"] == "status")
        .map(|row| format!("{} > {}", row["old_value"].as_str().unwrap(), row["new_value"].as_str().unwrap()))
        .collect();
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(tables["lead_changes"].len(), 3 + 2 + 3);
}
