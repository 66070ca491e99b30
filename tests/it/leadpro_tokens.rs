//! LeadPro's signed tokens: made by libraries of other languages, with and without `Bearer`, and by nobody else.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::support::token::{signed, signed_as, signed_by_hs384};
use crate::support::{Answer, LEADPRO, SECRETS, TestService, assert_holds, credential, service_with, workspaces};

fn signing_secret() -> &'static str {
    SECRETS.iter().find(|(name, _)| *name == "LEADPRO_SECRET").unwrap().1
}

/// A file of `tests/clients`, where the tokens were made.
fn client_file(name: &str) -> String {
    std::fs::read_to_string(format!("{}/tests/clients/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// A token that another language's library made of the payload.
fn made_by(library: &str) -> String {
    client_file(&format!("tokens/{library}.jwt"))
}

async fn service() -> TestService {
    let signed =
        credential("leadpro", "leadpro_jwt", "[\"leadpro_lead\"]", "[\"beta\"]", "secret_env = \"LEADPRO_SECRET\"\n");
    service_with(&[workspaces(), &signed].concat()).await
}

async fn post(service: &TestService, authorization: &str, body: &str) -> Answer {
    let request = Request::post(LEADPRO).header("authorization", authorization);
    service.send(request.body(Body::from(body.to_owned())).unwrap()).await
}

#[tokio::test]
async fn a_token_of_another_languages_library_brings_its_lead_with_bearer_and_without() {
    for library in ["node_jsonwebtoken", "node_jose", "python_pyjwt", "python_authlib"] {
        let service = service().await;
        let token = made_by(library);
        let payload: Value = serde_json::from_str(&client_file("payload.json")).unwrap();
        for (prefix, lead) in [("", "created"), ("Bearer ", "unchanged")] {
            let answer = post(&service, &format!("{prefix}{}", token.trim()), &payload.to_string()).await;
            assert_eq!((answer.status.as_u16(), &answer.body["lead"]), (200, &json!(lead)), "{library}: {answer:?}");
            assert!(!answer.codes().contains(&"body_differs"), "{library}: {answer:?}");
            let body: Value = serde_json::from_slice(&service.stored_body(&answer).await).unwrap();
            assert_eq!((&body["event"], &body["data"]), (&payload["event"], &payload["data"]), "{library}");
        }
        let row = service.row("select sender, external_id, comments, length(comments) as long from leads").await;
        assert_eq!(row["comments"], payload["data"]["message"], "{library}");
        assert_holds(&row, json!({ "sender": "leadpro", "external_id": "1", "long": 26 }));
    }
}

#[tokio::test]
async fn a_message_of_the_documented_length_in_four_byte_characters_comes_in_a_header() {
    let service = service().await;
    for library in ["node_jsonwebtoken", "python_pyjwt"] {
        let token = made_by(&format!("{library}_long"));
        let answer = post(&service, token.trim(), "{}").await;
        assert_eq!(answer.status, 200, "{library}: {answer:?}");
        assert!(!answer.codes().contains(&"value_too_long"), "{library}: {answer:?}");
    }
    let message: String = service.database.value("select comments from leads").await;
    assert_eq!((message.chars().count(), message.len()), (8_192, 4 * 8_192));
}

#[tokio::test]
async fn a_header_beyond_the_limit_is_told_so_and_one_below_is_taken() {
    let service = service().await;
    let with = |characters: usize| {
        let data = json!({"id": 1, "email": "ada@example.com", "message": "x".repeat(characters)});
        signed(&json!({"event": "lead.created", "data": data}), signing_secret())
    };
    assert_eq!(post(&service, &with(190_000), "{}").await.status, 200);
    let answer = post(&service, &with(200_000), "{}").await;
    assert_eq!((answer.status.as_u16(), &answer.body["error"]), (431, &json!("headers_too_large")));
    assert_eq!(answer.body["limit_bytes"], 256 * 1_024);
    let other = Request::post("/webhooks/dealer-studio/leads").header("x-padding", "x".repeat(40_000));
    assert_eq!(service.send(other.body(Body::empty()).unwrap()).await.status, 431);
}

#[tokio::test]
async fn a_body_that_says_something_else_is_kept_and_noted_and_never_used() {
    let service = service().await;
    let claims = |id: i64| json!({"event": "lead.created", "iat": 1_770_000_000, "data": {"id": id, "email": "ada@example.com"}});
    let posted = json!({"event": "lead.created", "data": {"id": 66, "email": "mallory@example.com"}}).to_string();
    for (id, body, differs) in [
        (1, posted.as_str(), true),
        (2, "", true),
        (3, "not JSON", true),
        (4, r#"{"data":{"email":"ada@example.com","id":4},"event":"lead.created"}"#, false),
        (5, r#"{"event":"lead.created","data":{"id":5,"email":"ada@example.com"},"iat":1770000000}"#, false),
        (6, r#"{"event":"lead.created","data":{"id":6,"email":"ada@example.com"},"more":1}"#, true),
        (7, r#"{"event":"lead.updated","data":{"id":7,"email":"ada@example.com"}}"#, true),
    ] {
        let answer = post(&service, &signed(&claims(id), signing_secret()), body).await;
        assert_eq!(answer.codes().contains(&"body_differs"), differs, "{body}: {answer:?}");
        let id = answer.body["delivery_id"].as_str().unwrap();
        let kept = format!(
            "select convert_from(posted_body, 'UTF8') as posted from intake.deliveries_with_bodies where id = '{id}'"
        );
        let expected = if differs { json!(body) } else { Value::Null };
        assert_eq!(service.row(&kept).await["posted"], expected, "{body}");
    }
    assert_eq!(service.count("leads where external_id = '66'").await, 0);
    assert_eq!((service.count("leads").await, service.count("persons").await), (7, 1));
}

#[tokio::test]
async fn nobody_else_gets_in_and_nothing_of_a_refused_token_is_stored() {
    let service = service().await;
    let claims = json!({"event": "lead.created", "data": {"id": 1, "email": "ada@example.com"}});
    let secret = signing_secret();
    let good = signed(&claims, secret);
    let with_claims = |more: Value| {
        let mut claims = claims.clone();
        claims.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        signed(&claims, secret)
    };
    let none = format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{}.", good.split('.').nth(1).unwrap());
    let rs256 = format!("eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.{}", good.split_once('.').unwrap().1);
    for (name, authorization) in [
        ("alg none", none),
        ("HS384", signed_by_hs384(&claims, secret)),
        ("RS256 with our secret", rs256),
        ("expired", with_claims(json!({"exp": 1_600_000_000}))),
        ("too early", with_claims(json!({"nbf": 9_000_000_000_i64}))),
        ("an empty secret", signed(&claims, "")),
        ("the sender's newline", signed(&claims, &format!("{secret}\n"))),
        ("as Basic", format!("Basic {good}")),
        ("the secret itself", format!("Bearer {secret}")),
    ] {
        let answer = post(&service, &authorization, &claims.to_string()).await;
        assert_eq!((answer.status.as_u16(), &answer.body), (401, &json!({"error": "unauthorized"})), "{name}");
    }
    assert_eq!(service.count("intake.deliveries").await, 0);
    assert_eq!(post(&service, &with_claims(json!({"exp": 9_000_000_000_i64})), "{}").await.status, 200);
}

#[tokio::test]
async fn a_body_that_cannot_be_had_costs_the_token_beside_it_nothing() {
    let service = service().await;
    let claims = json!({"event": "lead.created", "data": {"id": 1, "email": "ada@example.com"}});
    let answer = post(&service, &signed(&claims, signing_secret()), &"x".repeat(3 << 20)).await;
    assert_eq!((answer.status.as_u16(), &answer.body["lead"]), (200, &json!("created")));
    assert!(answer.codes().contains(&"body_differs"), "{answer:?}");
}

#[tokio::test]
async fn a_header_with_fields_of_any_type_costs_no_lead() {
    let service = service().await;
    let claims =
        |id: i64| json!({"event": "lead.created", "data": {"id": id, "email": "ruth@example.com"}}).to_string();
    let fields = [r#""ver":1"#, r#""ver":{"major":1}"#, r#""ver":[1,2]"#, r#""ver":null"#, r#""ver":true,"kid":5"#];
    for (id, field) in (1..).zip(fields) {
        let token = signed_as(&format!(r#"{{"alg":"HS256","typ":"JWT",{field}}}"#), &claims(id), signing_secret());
        let answer = post(&service, &token, "{}").await;
        assert_eq!((answer.status.as_u16(), &answer.body["outcome"]), (200, &json!("applied")), "{field}: {answer:?}");
    }
    let critical = signed_as(r#"{"alg":"HS256","crit":["ver"],"ver":1}"#, &claims(9), signing_secret());
    assert_eq!(post(&service, &critical, "{}").await.status, 401);
    assert_eq!(service.count("leads").await, 5);
}

#[tokio::test]
async fn claims_behind_a_byte_order_mark_count_as_they_do_without_one() {
    let service = service().await;
    let header = r#"{"alg":"HS256","typ":"JWT"}"#;
    let with = |id: i64, rest: Value| {
        let mut claims = json!({"event": "lead.created", "data": {"id": id, "email": "ruth@example.com"}});
        claims.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
        claims
    };
    let posted = async |claims: &Value, body: &str| {
        post(&service, &signed_as(header, &format!("\u{feff}{claims}"), signing_secret()), body).await
    };
    assert_eq!(posted(&with(1, json!({"exp": 1_600_000_000})), "{}").await.status, 401, "it has expired");
    assert_eq!(posted(&with(1, json!({"nbf": 9_000_000_000_i64})), "{}").await.status, 401, "it is too early");
    let claims = with(1, json!({"exp": 9_000_000_000_i64, "iat": 1_770_000_000}));
    let answer = posted(&claims, &claims.to_string()).await;
    assert_eq!((answer.status.as_u16(), &answer.body["outcome"]), (200, &json!("applied")), "{answer:?}");
    assert!(!answer.codes().contains(&"body_differs"), "{answer:?}");
    let modified = service.row("select source_modified_at = to_timestamp(1770000000) as is_iat from leads").await;
    assert_eq!(modified["is_iat"], true);
}
