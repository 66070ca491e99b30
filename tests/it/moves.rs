//! Slugs and dealerships that stand elsewhere in the configuration than in the tables: nothing of that is carried out
//! unless the configuration says that it is meant, and no delivery is lost over it.

use axum::body::Body;
use axum::http::Request;
use forecourt::domain::delivery::Delivery;
use forecourt::domain::feed::Feed;
use forecourt::domain::workspace::Permitted;
use forecourt::intake::configuration;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::db_snapshot::db_snapshot;
use crate::support::payloads::{car, lead};
use crate::support::service::parsed;
use crate::support::{
    Answer, CONFIG, Program, TestService, credential, database, delivery, fixture, service, service_with, soon,
};

/// A credential for the feeds of one workspace, with the token of `BETA`.
fn only(workspace: &str, feeds: &str) -> String {
    credential("narrow", "bearer", feeds, &format!("[\"{workspace}\"]"), "secret_env = \"BETA\"\n")
}

/// The dealership 357 stands under `beta`; `how` is how it is written there.
fn moved(how: &str) -> String {
    CONFIG.replace("[356, 357]", "[356]").replace("[285]", &format!("[285, {how}]"))
}

/// `alpha` is called `gamma`.
fn renamed(former: &str) -> String {
    CONFIG.replace("slug = \"alpha\"", &format!("slug = \"gamma\"{former}"))
}

const SAID: &str = "\nformer_slug = \"alpha\"";

/// Posts with the token of `BETA`.
async fn post_narrow(service: &TestService, path: &str, body: &Value) -> Answer {
    let request = Request::post(path).header("authorization", "Bearer the-token-of-beta");
    service.send(request.body(Body::from(body.to_string())).unwrap()).await
}

/// What the configuration and the tables disagree about.
async fn disagreements(service: &TestService, config: &str) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let workspaces = parsed(config, folder.path()).workspaces;
    let found = configuration::disagreements(service.intake().store(), &workspaces).await.unwrap();
    found.iter().map(ToString::to_string).collect()
}

/// The workspaces with their dealerships, as the tables have them.
async fn tables(service: &TestService) -> Vec<Value> {
    service
        .rows(
            "select slug, w.active, array_agg(dealership_id order by dealership_id) as dealerships
            from workspaces w left join dealerships d on d.workspace_id = w.id and d.active group by 1, 2 order by 1",
        )
        .await
}

fn workspace(slug: &str, active: bool, dealerships: &[i64]) -> Value {
    json!({ "slug": slug, "active": active, "dealerships": dealerships })
}

fn lead_of(dealership: i64, id: i64) -> Value {
    lead(json!({ "id": id, "dealership": { "id": dealership }, "item": null }))
}

async fn leads_of(service: &TestService, slug: &str) -> Vec<Value> {
    let query = format!(
        "select external_id from leads where workspace_id = (select id from workspaces where slug = '{slug}') order by 1"
    );
    service.rows(&query).await.into_iter().map(|row| row["external_id"].clone()).collect()
}

#[tokio::test]
async fn a_dealership_that_moves_without_a_word_stays_and_its_deliveries_go_on_to_where_it_is() {
    let service = service().await;
    service.lead(&lead_of(357, 1)).await;
    let file = moved("357") + &only("beta", "[\"lead\", \"inventory\"]");
    let service = service.restarted_with(&file).await;
    assert_eq!(tables(&service).await, [workspace("alpha", true, &[356, 357]), workspace("beta", true, &[285])]);
    // Whoever may write to either of the two may write for it; of the rest of `alpha` nothing has changed.
    assert_eq!(service.lead(&lead_of(357, 2)).await.body["outcome"], "applied");
    let answer = post_narrow(&service, Feed::Lead.path(), &lead_of(357, 3)).await;
    assert_eq!(answer.body["outcome"], "applied", "{answer:?}");
    assert_eq!(
        post_narrow(&service, Feed::Lead.path(), &lead_of(356, 4)).await.codes(),
        ["dealership_unknown"],
        "as whoever is not permitted is answered"
    );
    assert_eq!(leads_of(&service, "alpha").await, ["1", "2", "3"]);
    assert_eq!(leads_of(&service, "beta").await, [""; 0]);
    let found = disagreements(&service, &file).await;
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("the dealership 357 stands in the workspace `beta`"), "{found:?}");
}

#[tokio::test]
async fn the_withdrawal_of_a_car_finds_it_where_its_dealership_stays() {
    let service = service().await;
    service.vehicle(&car(json!({ "Seller": { "Identifier": 357 } }))).await;
    let service = service.restarted_with(&(moved("357") + &only("beta", "[\"inventory\"]"))).await;
    // The page's withdrawal names no dealership, and the credential has one workspace.
    let gone = json!({ "Identifier": 1, "SaleStatus": "WITHDRAWN", "LastModifiedUtc": "2025-10-09T00:00:00Z" });
    let answer = post_narrow(&service, Feed::Inventory.path(), &gone).await;
    assert_eq!(answer.body["listing"], "updated", "{answer:?}");
    // Of one that nobody knows, the credential's own workspace hears.
    let unknown = json!({ "Identifier": 2, "SaleStatus": "WITHDRAWN", "LastModifiedUtc": "2025-10-09T00:00:00Z" });
    assert_eq!(post_narrow(&service, Feed::Inventory.path(), &unknown).await.body["outcome"], "applied");
    let listings = service
        .rows("select identifier, w.slug from listings l join workspaces w on w.id = workspace_id order by 1")
        .await;
    let expected = [json!({ "identifier": "1", "slug": "alpha" }), json!({ "identifier": "2", "slug": "beta" })];
    assert_eq!(listings, expected);
}

#[tokio::test]
async fn a_dealership_that_is_meant_to_move_leaves_its_rows_and_takes_what_comes() {
    let service = service().await;
    service.lead(&lead_of(357, 1)).await;
    let before = db_snapshot(&service, "alpha").await;
    let file = moved("{ id = 357, name = \"Dealer C\", moved_from = \"alpha\" }");
    let service = service.restarted_with(&file).await;
    let row = service
        .row(
            "select d.name, slug from dealerships d join workspaces w on w.id = workspace_id where dealership_id = 357",
        )
        .await;
    assert_eq!(row, json!({ "name": "Dealer C", "slug": "beta" }));
    service.lead(&lead_of(357, 2)).await;
    assert_eq!(db_snapshot(&service, "alpha").await, before);
    assert_eq!(leads_of(&service, "beta").await, ["2"]);
    assert_eq!(disagreements(&service, &file).await, [""; 0]);
    // The file of another instance, which is not as far, moves nothing back.
    let older = service.beside(CONFIG).await;
    assert_eq!(older.lead(&lead_of(357, 3)).await.body["outcome"], "applied");
    assert_eq!(leads_of(&service, "beta").await, ["2", "3"]);
    assert_eq!(disagreements(&service, CONFIG).await.len(), 1);
}

#[tokio::test]
async fn a_slug_that_changes_without_a_word_stays_and_everything_goes_on_to_its_workspace() {
    let service = service().await;
    service.lead(&lead_of(356, 1)).await;
    let file =
        renamed("").replace("\"Premium\", \"Starter\"", "\"Gold\"") + &only("gamma", "[\"lead\", \"leadpro_lead\"]");
    let service = service.restarted_with(&file).await;
    assert_eq!(tables(&service).await, [workspace("alpha", true, &[356, 357]), workspace("beta", true, &[285])]);
    let answer = post_narrow(&service, Feed::Lead.path(), &lead_of(357, 2)).await;
    assert_eq!(answer.body["outcome"], "applied", "{answer:?}");
    let answer = post_narrow(&service, Feed::LeadPro.path(), &fixture("leadpro/leadpro_lead/page_example.json")).await;
    assert_eq!(answer.body["outcome"], "applied", "{answer:?}");
    assert_eq!(leads_of(&service, "alpha").await.len(), 3);
    // The rest of what the file says of the workspace counts.
    let packages = service.rows("select name from packages where configured and name = 'Gold'").await;
    assert_eq!(packages.len(), 1);
    assert_eq!(disagreements(&service, &file).await.len(), 1);
    assert_eq!(disagreements(&service, &renamed(SAID)).await, [""; 0]);
}

/// A lead as the spool of a start before gives it back: let in when its credential might write to `alpha`.
async fn from_before(service: &TestService, id: i64) {
    let delivery = Delivery {
        permitted: Permitted::Only(["alpha".to_owned()].into()),
        ..delivery(Feed::Lead, lead_of(356, id).to_string())
    };
    service.acceptor().accept(delivery).await.unwrap();
}

#[tokio::test]
async fn a_slug_that_is_meant_to_change_changes_and_its_rows_stay_with_it() {
    let service = service().await;
    service.lead(&lead_of(356, 1)).await;
    let id = service.row("select id from workspaces where slug = 'alpha'").await;
    let old = service.beside(CONFIG).await;
    service.reload(&renamed("")).await;
    service.reload(&renamed(SAID)).await;
    assert_eq!(tables(&service).await, [workspace("beta", true, &[285]), workspace("gamma", true, &[356, 357])]);
    assert_eq!(service.row("select id from workspaces where slug = 'gamma'").await, id);
    service.lead(&lead_of(356, 2)).await;
    // Another instance goes on with the file that it has, also after a start, which does not rename it back.
    old.lead(&lead_of(356, 3)).await;
    let old = old.beside(CONFIG).await;
    old.lead(&lead_of(356, 4)).await;
    assert_eq!(leads_of(&service, "gamma").await, ["1", "2", "3", "4"]);
    assert_eq!(disagreements(&service, &renamed(SAID)).await, [""; 0]);
    assert_eq!(disagreements(&service, CONFIG).await.len(), 1);
    // What was let in under the former slug is applied.
    from_before(&service, 5).await;
    assert_eq!(leads_of(&service, "gamma").await, ["1", "2", "3", "4", "5"]);
    let elsewhere = service.beside(&CONFIG.replace("slug = \"alpha\"", "slug = \"other\"")).await;
    from_before(&elsewhere, 6).await;
    assert_eq!(leads_of(&service, "gamma").await.len(), 5, "and what was let in for another one is not");
}

#[tokio::test]
async fn a_fresh_database_is_made_as_the_configuration_says_and_former_names_mean_nothing_there() {
    let file = renamed(SAID).replace("357]", "{ id = 357, moved_from = \"nowhere\" }]");
    let service = service_with(&file).await;
    assert_eq!(tables(&service).await, [workspace("beta", true, &[285]), workspace("gamma", true, &[356, 357])]);
    assert_eq!(disagreements(&service, &file).await, [""; 0]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_start_and_every_reload_says_what_was_not_carried_out() {
    let (database, folder) = (database().await, tempfile::tempdir().unwrap());
    let mut program = Program::start(&database.url(), folder.path(), CONFIG);
    program.wait_for("postgres is ready");
    drop(program);
    let stays = "the dealership 357 stands in the workspace `beta` of the configuration and in `alpha` of the tables";
    let mut program = Program::start(&database.url(), folder.path(), &moved("357"));
    assert!(program.wait_for(stays).contains("ERROR"));
    program.wait_for("postgres is ready");
    program.signal(Signal::HUP);
    assert!(program.wait_for(stays).contains("ERROR"));
    let said = moved("{ id = 357, moved_from = \"alpha\" }") + "\n[database]\nallow_unsafe = true\n";
    std::fs::write(folder.path().join("forecourt.toml"), said).unwrap();
    program.signal(Signal::HUP);
    let line = program.wait_for("the dealership 357 belongs to the workspace `beta` from now on");
    assert!(line.contains("the rows of what came before stay in `alpha`"), "{line}");
    soon("the dealership moved", async || {
        let moved: bool = database
            .value("select slug = 'beta' from dealerships d join workspaces w on w.id = d.workspace_id where dealership_id = 357")
            .await;
        moved
    })
    .await;
}
