//! Bodies that wait and are told.

use super::*;

const PATIENCE: Duration = Duration::from_mins(1);

/// A tenth is the strangers', and of the rest 20 bytes are kept.
fn budget() -> BodyBudget {
    BodyBudget::new(112, 20)
}

async fn filled(budget: &BodyBudget, credential: &str, bytes: usize) -> BodyRoom {
    let mut room = budget.of_credential(credential, PATIENCE);
    room.take(bytes, bytes).await.unwrap();
    room
}

#[tokio::test]
async fn who_waits_is_served_when_room_is_given_back() {
    let budget = budget();
    let mut full = filled(&budget, "one", 80).await;
    full.finish();
    let mut next = budget.of_credential("one", PATIENCE);
    let waits = tokio::spawn(async move { next.take(10, 10).await.map(|()| next) });
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    // It has pressed, and there is nobody to let go.
    assert_eq!(budget.usage(), Usage { held_bytes: 80, total_bytes: 112, waiting: 1, let_go: 0 });
    full.give_back(10);
    assert_eq!(budget.usage().held_bytes, 80);
    drop(waits.await.unwrap().unwrap());
    drop(full);
    assert_eq!(budget.usage(), Usage { held_bytes: 0, total_bytes: 112, waiting: 0, let_go: 0 });
}

#[tokio::test]
async fn who_waits_for_too_long_goes_and_leaves_nothing_behind() {
    let budget = budget();
    let mut full = filled(&budget, "one", 80).await;
    full.finish();
    let (began, patience) = (Instant::now(), Duration::from_millis(200));
    let mut next = budget.of_credential("one", patience);
    let BudgetTimeout { since } = next.take(10, 10).await.unwrap_err();
    assert!(since >= began && since.elapsed() >= patience);
    drop(next);
    assert_eq!(budget.usage().waiting, 0);
}

#[tokio::test]
async fn a_body_that_is_let_go_hears_it_while_it_is_read_and_its_room_goes_to_the_one_that_waits() {
    let budget = budget();
    let slow = filled(&budget, "many", 60).await;
    let second = filled(&budget, "other", 20).await;
    let mut other = budget.of_credential("other", PATIENCE);
    let waits = tokio::spawn(async move { other.take(15, 15).await.map(|()| other) });
    slow.let_go().await;
    assert_eq!(budget.usage().let_go, 1);
    drop(slow);
    drop((waits.await.unwrap().unwrap(), second));
}

#[tokio::test]
async fn strangers_have_a_room_of_their_own() {
    let budget = budget();
    let mut stranger = budget.of_unauthenticated(None, Duration::from_millis(10));
    assert!(stranger.take(12, 12).await.is_err());
    let _full = filled(&budget, "one", 80).await;
    let mut stranger = budget.of_unauthenticated(Some([192, 0, 2, 1].into()), Duration::from_secs(10));
    stranger.take(6, 6).await.unwrap();
    assert_eq!(budget.usage().held_bytes, 86);
}

#[test]
fn of_many_that_are_let_go_a_line_a_minute_tells() {
    let (began, mut let_go) = (Instant::now(), LetGo::default());
    assert_eq!(let_go.count(1, began), Some(0));
    assert_eq!(let_go.count(7, began + MINUTE / 2), None);
    assert_eq!(let_go.of_last_minute(began + MINUTE / 2), 8);
    assert_eq!(let_go.of_last_minute(began + MINUTE), 0);
    assert_eq!(let_go.count(2, began + MINUTE * 2), Some(7));
}
