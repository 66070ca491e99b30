//! Bodies that wait and get their verdict.

use super::*;

const PATIENCE: Duration = Duration::from_mins(1);

/// As for bodies that arrive: of 101 bytes 20 are kept.
fn budget() -> ByteBudget {
    ByteBudget::new(Limits { total: 101, reserve: 20, most_of_one: usize::MAX, eviction: Eviction::LeastProgress })
}

fn share(budget: &ByteBudget, holder: &str, patience: Duration) -> ByteShare {
    budget.share(holder.to_owned(), Some(patience))
}

async fn filled(budget: &ByteBudget, holder: &str, bytes: usize) -> ByteShare {
    let mut share = share(budget, holder, PATIENCE);
    share.take(bytes, bytes).await.unwrap();
    share
}

#[tokio::test]
async fn who_waits_is_served_when_room_is_given_back() {
    let budget = budget();
    let mut full = filled(&budget, "one", 80).await;
    full.finish();
    let mut next = share(&budget, "one", PATIENCE);
    let waits = tokio::spawn(async move { next.take(10, 10).await.map(|()| next) });
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    // It has pressed, and there is nobody to let go.
    assert_eq!(budget.usage(), Usage { held_bytes: 80, total_bytes: 101, waiting: 1, let_go: 0 });
    full.give_back(10);
    assert_eq!(budget.usage().held_bytes, 80);
    drop(waits.await.unwrap().unwrap());
    drop(full);
    assert_eq!(budget.usage(), Usage { held_bytes: 0, total_bytes: 101, waiting: 0, let_go: 0 });
}

#[tokio::test]
async fn who_waits_for_too_long_goes_and_leaves_nothing_behind() {
    let budget = budget();
    let mut full = filled(&budget, "one", 80).await;
    full.finish();
    let (began, patience) = (Instant::now(), Duration::from_millis(200));
    let mut next = share(&budget, "one", patience);
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
    let mut other = share(&budget, "other", PATIENCE);
    let waits = tokio::spawn(async move { other.take(15, 15).await.map(|()| other) });
    slow.let_go().await;
    assert_eq!(budget.usage().let_go, 1);
    drop(slow);
    drop((waits.await.unwrap().unwrap(), second));
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

#[tokio::test]
async fn what_is_held_without_waiting_is_told_when_it_is_too_much() {
    let eviction = Eviction::NewestFirst { spared: 10 };
    let budget = ByteBudget::new(Limits { total: 100, reserve: 0, most_of_one: usize::MAX, eviction });
    let mut first = share(&budget, "one", PATIENCE);
    first.hold(80);
    let mut second = share(&budget, "one", PATIENCE);
    second.hold(30);
    second.let_go().await;
    assert_eq!((budget.usage().held_bytes, budget.usage().let_go), (110, 1), "until it is gone");
    drop(second);
    assert_eq!(budget.usage().held_bytes, 80);
}
