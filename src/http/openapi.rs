//! The doors as `OpenAPI` 3.1: every path, credential, payload, reply and error. The payloads' schemas come from the structs
//! that read them, and state what the senders' pages document, not how much else is accepted.

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use crate::domain::finding::Code;
use crate::feeds::{self, Feed};

/// The `OpenAPI` document, with the version of the program.
#[must_use]
pub fn document() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.definitions_path = "/components/schemas".into();
        settings.meta_schema = None;
    });
    let mut generator = settings.into_generator();
    let mut paths: Map<String, Value> =
        Feed::ALL.iter().map(|feed| (feed.path().to_owned(), door(*feed, &mut generator))).collect();
    paths.insert("/oauth/token".into(), token());
    paths.insert("/livez".into(), livez());
    paths.insert("/readyz".into(), readyz());
    let mut schemas = replies();
    schemas.extend(generator.take_definitions(true));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "forecourt",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Receives webhooks of Dealer Studio and LeadPro",
            "description": "Every authenticated delivery that was stored is answered 200, whatever is in it; the reply says what \
                came of it. The payloads' schemas give the types of the senders' pages. A value of another type is read \
                leniently where that is possible, else as absent and with a finding; it never costs the rest.",
        },
        "jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
        "paths": paths,
        "components": { "securitySchemes": security_schemes(), "schemas": schemas },
    })
}

/// The path item of a feed's webhook.
fn door(feed: Feed, generator: &mut SchemaGenerator) -> Value {
    let schema = feeds::schema(feed, generator);
    json!({
        "post": {
            "operationId": feed.name(),
            "summary": format!("The `{}` feed of {}", feed.name(), feed.sender()),
            "security": security(feed),
            "requestBody": {
                "required": true,
                "description": "Read as JSON whatever the content type says; `Content-Encoding` gzip, deflate, br and zstd are undone.",
                "content": { "application/json": { "schema": schema } },
            },
            "responses": {
                "200": {
                    "description": "The delivery is durable: in Postgres, or in the spool on disk",
                    "content": { "application/json": { "schema": { "anyOf": [of("Reply"), of("Spooled")] } } },
                },
                "400": error("The body broke off before its end (`body_incomplete`)", "Error"),
                "401": unauthorized(),
                "404": error("No such path", "Error"),
                "405": { "description": "Another method; `Allow` names those there are" },
                "408": error("The body came too slowly (`body_too_slow`)", "Error"),
                "413": error("The decompressed body is too large (`body_too_large`)", "TooLarge"),
                "431": error("The headers are too large (`headers_too_large`)", "TooLarge"),
                "500": error("A fault of forecourt (`internal_error`)", "Error"),
                "503": unavailable("Nothing could store the delivery before the end of the hold"),
            },
        },
    })
}

fn token() -> Value {
    let form = json!({
        "type": "object",
        "required": ["grant_type"],
        "properties": {
            "grant_type": { "const": "client_credentials" },
            "scope": { "type": "string", "description": "Feeds, with spaces between them" },
            "client_id": { "type": "string", "description": "Unless the client shows itself by a Basic header" },
            "client_secret": { "type": "string", "format": "password" },
        },
    });
    json!({
        "post": {
            "operationId": "token",
            "summary": "An access token for an OAuth client (RFC 6749 §4.4)",
            "security": [{ "basic": [] }, {}],
            "requestBody": { "required": true, "content": { "application/x-www-form-urlencoded": { "schema": form } } },
            "responses": {
                "200": {
                    "description": "A token for the doors that `scope` names",
                    "content": { "application/json": { "schema": of("AccessToken") } },
                },
                "400": error("The request is not one for a token (RFC 6749 §5.2)", "OAuthError"),
                "401": unauthorized_client(),
                "405": { "description": "Another method; `Allow` names those there are" },
                "500": error("A fault of forecourt (`internal_error`)", "Error"),
                "503": unavailable("There is no room for the request (`temporarily_unavailable`)"),
            },
        },
    })
}

fn livez() -> Value {
    let ok = json!({ "type": "object", "required": ["status"], "properties": { "status": { "const": "ok" } } });
    json!({
        "get": {
            "operationId": "livez",
            "summary": "Whether the process takes requests",
            "security": [],
            "responses": { "200": { "description": "It does", "content": { "application/json": { "schema": ok } } } },
        },
    })
}

fn readyz() -> Value {
    let content = json!({ "application/json": { "schema": of("Readiness") } });
    json!({
        "get": {
            "operationId": "readyz",
            "summary": "Whether deliveries can be stored, in Postgres or in the spool",
            "security": [],
            "responses": {
                "200": { "description": "They can", "content": content },
                "503": { "description": "They cannot", "content": content },
            },
        },
    })
}

/// The ways of showing a credential that a feed's door knows. Which are open, the configuration decides.
fn security(feed: Feed) -> Value {
    let mut ways: Vec<Value> = SCHEMES.iter().map(|scheme| json!({ *scheme: [] })).collect();
    match feed {
        Feed::Lead | Feed::LeadCluster | Feed::Inventory => {}
        Feed::LeadPro => ways.push(json!({ "leadpro_jwt": [] })),
    }
    // The scheme `open`, where a credential of the feed has it.
    ways.push(json!({}));
    ways.into()
}

/// The schemes that every feed's door knows.
const SCHEMES: [&str; 6] =
    ["bearer", "api_key", "api_key_underscores", "api_key_authorization", "basic", "oauth_client"];

fn security_schemes() -> Value {
    let header = |name: &str| json!({ "type": "apiKey", "in": "header", "name": name });
    json!({
        "bearer": { "type": "http", "scheme": "bearer" },
        "api_key": header("X-API-KEY"),
        "api_key_underscores": header("X_API_KEY"),
        "api_key_authorization": header("X-Authorization"),
        "basic": { "type": "http", "scheme": "basic" },
        "oauth_client": {
            "type": "oauth2",
            "flows": {
                "clientCredentials": {
                    "tokenUrl": "/oauth/token",
                    "scopes": Feed::ALL.iter().map(|feed| (feed.name().to_owned(), feed.path().into())).collect::<Map<_, _>>(),
                },
            },
        },
        "leadpro_jwt": {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "A token signed with the signing secret (HS256), bare or as Bearer; its claims are used instead of the body.",
        },
    })
}

/// The schemas of what is answered.
fn replies() -> Map<String, Value> {
    let outcome = json!({ "enum": ["applied", "unchanged", "ignored", "rejected", "failed"] });
    let one = json!({ "enum": ["created", "updated", "unchanged", "blocked"] });
    let count = json!({ "type": "integer", "minimum": 0 });
    let counts = json!({ "created": count, "updated": count, "unchanged": count, "blocked": count });
    let many = json!({ "type": "object", "properties": counts, "additionalProperties": false });
    let effect = json!({ "anyOf": [one, many] });
    let codes: Vec<&str> = Code::ALL.iter().map(|code| code.name()).collect();
    let text = json!({ "type": "string" });
    let id = json!({ "type": "string", "format": "uuid" });
    let all = json!({
        "Reply": object(&["delivery_id", "outcome", "findings"], &json!({
            "delivery_id": id,
            "outcome": outcome,
            "lead_cluster": one,
            "person": effect,
            "lead": effect,
            "lead_event": many,
            "listing": one,
            "booking": effect,
            "findings": { "type": "array", "maxItems": 100, "items": of("Finding") },
            "findings_total": { "type": "integer", "description": "How many findings there are, where that is more than 100" },
        })),
        "Spooled": object(&["delivery_id", "outcome"], &json!({ "delivery_id": id, "outcome": { "const": "spooled" } })),
        "Finding": object(&["code", "message"], &json!({
            "code": { "enum": codes },
            "path": { "type": "string", "description": "Where in the payload" },
            "message": text,
        })),
        "Error": object(&["error"], &json!({ "error": text })),
        "TooLarge": object(&["error", "limit_bytes"], &json!({ "error": text, "limit_bytes": count })),
        "OAuthError": object(&["error"], &json!({ "error": text, "error_description": text })),
        "AccessToken": object(&["access_token", "token_type"], &json!({
            "access_token": text,
            "token_type": { "const": "bearer" },
            "expires_in": count,
            "scope": text,
        })),
        "Readiness": {
            "type": "object",
            "required": ["status", "parts"],
            "properties": {
                "status": { "enum": ["ok", "unavailable"] },
                "parts": { "type": "object", "additionalProperties": { "enum": ["ok", "unavailable"] } },
            },
        },
    });
    if let Value::Object(all) = all { all } else { Map::new() }
}

/// An object that has no other fields than these.
fn object(required: &[&str], properties: &Value) -> Value {
    json!({ "type": "object", "required": required, "properties": properties, "additionalProperties": false })
}

fn of(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

fn error(description: &str, schema: &str) -> Value {
    json!({ "description": description, "content": { "application/json": { "schema": of(schema) } } })
}

fn with_header(mut response: Value, name: &str, description: &str) -> Value {
    if let Value::Object(fields) = &mut response {
        let header = json!({ "description": description, "schema": { "type": "string" } });
        fields.insert("headers".into(), json!({ name: header }));
    }
    response
}

fn unauthorized() -> Value {
    let response = error("No credential of this feed, or a wrong one (`unauthorized`)", "Error");
    with_header(response, "WWW-Authenticate", "The schemes that the feed's credentials have")
}

fn unauthorized_client() -> Value {
    let response = error("The client is not known, or its secret is wrong (`invalid_client`)", "OAuthError");
    with_header(response, "WWW-Authenticate", "Basic")
}

fn unavailable(description: &str) -> Value {
    with_header(error(description, "Error"), "Retry-After", "Seconds")
}
