//! Undocumented fields: what one workspace sends costs no other its notes.

use serde_json::{Value, json};

use crate::support::{TestService, service};

/// A lead with so many fields that nobody knows, whose names are as long as somebody likes.
fn hostile(dealership: i64, from: usize, count: usize) -> Value {
    let mut lead = json!({ "id": from, "dealership": { "id": dealership } });
    for number in from..from + count {
        lead[format!("{number:06}{}", "é".repeat(300))] = json!(1);
    }
    lead
}

async fn noted(service: &TestService, slug: &str) -> i64 {
    service.intake().finish().await;
    service.count(&format!("intake.drift d join workspaces w on w.id = d.workspace_id where w.slug = '{slug}'")).await
}

#[tokio::test]
async fn a_new_field_of_one_workspace_is_noted_however_many_another_sends() {
    let service = service().await;
    for round in 0..4 {
        assert_eq!(service.lead(&hostile(356, round * 600, 600)).await.status, 200);
        if round % 2 == 1 {
            // In several writes, of which the second would go beyond the thousandth.
            assert_eq!(noted(&service, "alpha").await, 1_000);
        }
    }
    assert_eq!(service.lead(&json!({ "id": 1, "dealership": { "id": 285 }, "brand_new": 1 })).await.status, 200);
    assert_eq!((noted(&service, "alpha").await, noted(&service, "beta").await), (1_000, 1));
    // Those that are noted go on being counted.
    assert_eq!(service.lead(&hostile(356, 0, 600)).await.status, 200);
    service.intake().finish().await;
    assert_eq!(service.count("intake.drift where times_seen = 2").await, 600);
}

#[tokio::test]
async fn a_write_that_fails_for_one_workspace_loses_no_other_its_notes() {
    let service = service().await;
    service
        .database
        .execute(
            "create function sabotage() returns trigger language plpgsql as $$ begin
                if new.workspace_id = (select id from workspaces where slug = 'alpha') then
                    raise exception 'sabotage';
                end if;
                return new;
            end $$;
            create trigger sabotage before insert on intake.drift for each row execute function sabotage()",
        )
        .await;
    for (id, dealership) in [(1, 356), (2, 285), (3, 356)] {
        let lead = json!({ "id": id, "dealership": { "id": dealership }, "brand_new": 1 });
        assert_eq!(service.lead(&lead).await.status, 200);
    }
    assert_eq!((noted(&service, "alpha").await, noted(&service, "beta").await), (0, 1));
}
