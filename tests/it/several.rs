//! Several instances on one database.

use axum::body::Body;
use axum::http::Request;
use forecourt::domain::feed::Feed;
use futures_util::future::join_all;

use crate::session::{assert_same, config, deliver_everything, rows};
use crate::support::pooler;
use crate::support::{OTHER_TOKEN, TOKEN, TestService, database, fixtures, left_out, service_with};

/// Posts every fixture, the next one to the next instance.
async fn deliver_in_turn(instances: &[TestService]) {
    let mut next = instances.iter().cycle();
    for feed in Feed::ALL {
        for body in fixtures(*feed) {
            let token = if *feed == Feed::LeadPro { OTHER_TOKEN } else { TOKEN };
            let request = Request::post(feed.path()).header("authorization", format!("Bearer {token}"));
            let answer = next.next().unwrap().send(request.body(Body::from(body)).unwrap()).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            assert_ne!(answer.outcome(), "failed", "{answer:?}");
        }
    }
    for instance in instances {
        instance.intake().finish().await;
    }
}

#[tokio::test]
async fn eight_instances_that_take_deliveries_in_turn_make_the_rows_that_one_makes() {
    let plain = service_with(&config()).await;
    deliver_everything(&plain).await;
    let expected = rows(&plain).await;
    let few = format!("{}\n[database]\nmax_connections = 4\n", config());
    let all = database().await;
    let instances = join_all((0..8).map(|_| TestService::over(all.beside(), &few))).await;
    deliver_in_turn(&instances).await;
    assert_same(&rows(&instances[0]).await, &expected, &"eight instances");

    let programs = pooler::programs();
    if programs.is_empty() {
        return left_out("eight instances do not go through PgBouncer: `apt install pgbouncer`");
    }
    for program in programs {
        let modes: &[&str] = if program.keeps_statements() { &["session", "transaction"] } else { &["session"] };
        for mode in modes {
            let all = database().await;
            let pooler = program.start(&all, mode, "default_pool_size = 60\n").await;
            let address = pooler.address(&all);
            let mut instances = Vec::new();
            for _ in 0..8 {
                instances.push(TestService::connected(all.beside(), &address, &few).await);
            }
            deliver_in_turn(&instances).await;
            assert_same(&rows(&instances[0]).await, &expected, &(mode, program.version));
        }
    }
}
