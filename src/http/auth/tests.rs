//! Who enters and who does not, as tables of headers.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::Hmac;
use sha2::{Sha256, Sha384};

use super::presented::BASE64;
use super::*;
use crate::domain::workspace::Permitted;

const LEADS: &[Feed] = &[Feed::Lead];
const BOTH: &[Feed] = &[Feed::Lead, Feed::Inventory];

/// Header names with their values.
type Pairs<'a> = &'a [(&'a str, &'a [u8])];

fn now() -> DateTime<Utc> {
    "2026-11-20T12:00:00Z".parse().unwrap()
}

fn credential(name: &str, scheme: Scheme, feeds: &[Feed]) -> Credential {
    let feeds = feeds.iter().copied().collect();
    Credential { name: name.to_owned(), scheme, secret: None, feeds, permitted: Permitted::All, not_after: None }
}

fn bearer(secret: &str) -> Scheme {
    Scheme::Bearer(SecretString::from(secret))
}

fn api_key(secret: &str) -> Scheme {
    Scheme::ApiKey(SecretString::from(secret))
}

fn basic(user: &str, password: &str) -> Scheme {
    Scheme::Basic { user: user.to_owned(), password: SecretString::from(password) }
}

fn house() -> Credentials {
    let credentials = vec![
        credential("bearer", bearer("b3arer+secret/=="), LEADS),
        credential("bearer next", bearer("the next one"), LEADS),
        credential("key", api_key("k3y secret"), BOTH),
        credential("basic", basic("dealer", "pass:wörd"), LEADS),
        credential("stock", bearer("for inventory"), &[Feed::Inventory]),
    ];
    Credentials::new(credentials, &["ocp-apim-subscription-key".to_owned()], None).unwrap()
}

fn headers(pairs: Pairs<'_>) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| {
            (HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_bytes(value).unwrap())
        })
        .collect()
}

fn base64(text: &str) -> Vec<u8> {
    format!("Basic {}", BASE64.encode(text)).into_bytes()
}

fn entered(pairs: Pairs<'_>) -> Option<String> {
    house()
        .authenticate(&headers(pairs), Feed::Lead, now())
        .ok()
        .map(|authenticated| authenticated.credential.name.clone())
}

#[test]
fn a_right_secret_enters_by_every_way_it_may_arrive() {
    let pair = base64("dealer:pass:wörd");
    let unpadded: Vec<u8> = pair.iter().copied().filter(|byte| *byte != b'=').collect();
    let table: &[(&str, Pairs<'_>)] = &[
        ("bearer", &[("authorization", b"Bearer b3arer+secret/==")]),
        ("bearer", &[("Authorization", b"bEARER b3arer+secret/==")]),
        ("bearer", &[("authorization", b"Bearer   b3arer+secret/==")]),
        ("bearer next", &[("authorization", b"Bearer the next one")]),
        ("key", &[("X-API-KEY", b"k3y secret")]),
        ("key", &[("X_API_KEY", b"k3y secret")]),
        ("key", &[("X-Authorization", b"k3y secret")]),
        ("key", &[("Ocp-Apim-Subscription-Key", b"k3y secret")]),
        ("basic", &[("authorization", &pair)]),
        ("basic", &[("authorization", &unpadded)]),
        ("key", &[("authorization", b"Bearer wrong"), ("x-api-key", b"k3y secret")]),
        ("key", &[("x-api-key", b"wrong"), ("x-authorization", b"k3y secret")]),
        ("bearer", &[("x-api-key", b"k3y secret"), ("authorization", b"Bearer b3arer+secret/==")]),
    ];
    for (name, pairs) in table {
        assert_eq!(entered(pairs).as_deref(), Some(*name), "{pairs:?}");
    }
}

#[test]
fn whatever_is_not_a_right_secret_is_refused() {
    let bad_pairs = [
        "dealer%3Apass:wörd",
        "%64ealer:pass:wörd",
        "dealer:pass%3Awörd",
        "dealer",
        "dealer:",
        ":pass:wörd",
        "dealer:pass",
        "dealer:pass:wörd\n",
        "Dealer:pass:wörd",
        "",
    ];
    let spaced = [base64("dealer:pass:wörd").as_slice(), b" "].concat();
    let broken = [base64("dealer:pass:wörd").as_slice(), b"!"].concat();
    let mut table: Vec<Vec<(&str, Vec<u8>)>> = vec![
        vec![],
        vec![("authorization", b"".to_vec())],
        vec![("authorization", b"Bearer".to_vec())],
        vec![("authorization", b"Bearer ".to_vec())],
        vec![("authorization", b"b3arer+secret/==".to_vec())],
        vec![("authorization", b"Bearer\tb3arer+secret/==".to_vec())],
        vec![("authorization", b"Bearer b3arer+secret/== ".to_vec())],
        vec![("authorization", b"Bearer \"b3arer+secret/==\"".to_vec())],
        vec![("authorization", b"Bearer b3arer+secret/=".to_vec())],
        vec![("authorization", b"Bearer B3ARER+SECRET/==".to_vec())],
        vec![("authorization", b"Bearer b3arer%2Bsecret%2F%3D%3D".to_vec())],
        vec![("authorization", b"Bearer k3y secret".to_vec())],
        vec![("authorization", b"Bearer dealer:pass".to_vec())],
        vec![("authorization", b"Token b3arer+secret/==".to_vec())],
        vec![("authorization", b"Bearer for inventory".to_vec())],
        vec![("authorization", b"Bearer \xff\xfe".to_vec())],
        vec![("authorization", b"\xff b3arer+secret/==".to_vec())],
        vec![("authorization", spaced)],
        vec![("authorization", broken)],
        vec![("authorization", b"Basic".to_vec())],
        vec![("x-api-key", b"".to_vec())],
        vec![("x-api-key", b"b3arer+secret/==".to_vec())],
        vec![("x-api-key", b"Bearer k3y secret".to_vec())],
        vec![("x-api-key", b"k3y secret ".to_vec())],
        vec![("x-other-key", b"k3y secret".to_vec())],
        vec![("cookie", b"k3y secret".to_vec())],
    ];
    table.extend(bad_pairs.iter().map(|pair| vec![("authorization", base64(pair))]));
    for row in &table {
        let pairs: Vec<(&str, &[u8])> = row.iter().map(|(name, value)| (*name, value.as_slice())).collect();
        assert_eq!(entered(&pairs), None, "{row:?}");
    }
}

#[test]
fn two_authorization_headers_prove_nothing_even_beside_a_right_key() {
    let right: &[u8] = b"Bearer b3arer+secret/==";
    assert_eq!(entered(&[("authorization", right), ("authorization", right)]), None);
    assert_eq!(
        entered(&[("authorization", right), ("authorization", b"Bearer x"), ("x-api-key", b"k3y secret")]),
        None
    );
}

#[test]
fn a_secret_opens_only_the_feeds_of_its_credential() {
    let house = house();
    let right = headers(&[("authorization", b"Bearer for inventory")]);
    assert!(house.authenticate(&right, Feed::Inventory, now()).is_ok());
    assert!(house.authenticate(&right, Feed::Lead, now()).is_err());
}

#[test]
fn an_open_credential_is_used_when_nothing_presented_fits_and_only_for_its_feed() {
    let credentials = vec![credential("open", Scheme::Open, LEADS), credential("named", bearer("secret"), BOTH)];
    let credentials = Credentials::new(credentials, &[], None).unwrap();
    let name = |pairs: Pairs<'_>, feed| {
        credentials
            .authenticate(&headers(pairs), feed, now())
            .ok()
            .map(|authenticated| authenticated.credential.name.as_str())
    };
    assert_eq!(name(&[], Feed::Lead), Some("open"));
    assert_eq!(name(&[("authorization", b"Bearer wrong")], Feed::Lead), Some("open"));
    assert_eq!(name(&[("authorization", b"Bearer secret")], Feed::Lead), Some("named"));
    let twice: Pairs<'_> = &[("authorization", b"Bearer secret"), ("authorization", b"Bearer secret")];
    assert_eq!(name(twice, Feed::Lead), Some("open"));
    assert_eq!(name(twice, Feed::Inventory), None);
    assert_eq!(name(&[], Feed::Inventory), None);
    assert_eq!(name(&[("authorization", b"Bearer secret")], Feed::Inventory), Some("named"));
}

#[test]
fn a_refusal_names_the_schemes_that_were_tried_and_nothing_else() {
    let tried = |pairs: Pairs<'_>| {
        let refused = house().authenticate(&headers(pairs), Feed::Lead, now()).err().unwrap();
        refused.tried.into_iter().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(tried(&[]), "");
    assert_eq!(tried(&[("authorization", b"Bearer x"), ("x-api-key", b"y")]), "api_key bearer");
    assert_eq!(tried(&[("authorization", b"Basic !")]), "basic");
    assert_eq!(tried(&[("authorization", b"Digest x")]), "other");
    assert_eq!(tried(&[("authorization", b"Bearer x"), ("authorization", b"Bearer y")]), "two_authorizations");
}

#[test]
fn the_challenges_are_those_of_the_feeds_schemes() {
    let bearer_challenge = "Bearer realm=\"forecourt\"";
    let basic_challenge = "Basic realm=\"forecourt\", charset=\"UTF-8\"";
    let table: &[(Vec<Scheme>, &[&str])] = &[
        (vec![bearer("x")], &[bearer_challenge]),
        (vec![basic("x", "y")], &[basic_challenge]),
        (vec![client("x", "x", "y", LEADS).scheme], &[bearer_challenge]),
        (vec![Scheme::LeadproJwt(SecretString::from("x")), basic("x", "y")], &[bearer_challenge, basic_challenge]),
        (vec![basic("x", "y"), bearer("x")], &[bearer_challenge, basic_challenge]),
        (vec![api_key("x")], &[bearer_challenge]),
        (vec![], &[bearer_challenge]),
    ];
    for (schemes, challenges) in table {
        let named = schemes.iter().enumerate();
        let list = named.map(|(at, scheme)| credential(&at.to_string(), scheme.clone(), LEADS)).collect();
        assert_eq!(Credentials::new(list, &[], None).unwrap().challenges(Feed::Lead), *challenges, "{schemes:?}");
    }
}

#[test]
fn credentials_that_could_not_do_what_they_say_are_refused() {
    let refused = |list| Credentials::new(list, &[], None).err();
    let name = || "a".to_owned();
    let empty_client = Scheme::OauthClient { client_id: "id".to_owned(), secret: SecretString::from("") };
    let empty_signature = Scheme::LeadproJwt(SecretString::from(""));
    for empty in [bearer(""), api_key(""), basic("user", ""), empty_client, empty_signature] {
        assert_eq!(refused(vec![credential("a", empty, LEADS)]), Some(CredentialError::EmptySecret { name: name() }));
    }
    assert_eq!(
        refused(vec![credential("a", basic("us:er", "x"), LEADS)]),
        Some(CredentialError::UserWithColon { name: name() })
    );
    assert_eq!(
        refused(vec![credential("a", bearer("x"), LEADS), credential("a", bearer("y"), LEADS)]),
        Some(CredentialError::DuplicateName { name: name() })
    );
}

#[test]
fn a_credential_shown_for_debugging_hides_its_secret() {
    let shown = format!("{:?}", credential("a", basic("user", "hidden"), LEADS));
    assert!(shown.contains("user") && !shown.contains("hidden"), "{shown}");
}

/// A token made by hand: header and claims as they are given, signed by HS256.
fn jwt(header: &str, claims: &str, secret: &str) -> String {
    jwt_by::<Hmac<Sha256>>(header, claims, secret)
}

fn jwt_by<M: hmac::Mac + hmac::KeyInit>(header: &str, claims: &str, secret: &str) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
    let hmac = <M as hmac::KeyInit>::new_from_slice(secret.as_bytes()).unwrap().chain_update(&message);
    format!("{message}.{}", URL_SAFE_NO_PAD.encode(hmac.finalize().into_bytes()))
}

const HS256: &str = r#"{"alg":"HS256","typ":"JWT"}"#;
/// The header of an access token.
const ACCESS: &str = r#"{"alg":"HS256","typ":"at+jwt"}"#;
const SIGNING: &str = "signing secret of the dashboard";

fn leadpro() -> Credentials {
    let signed = |name, secret: &str| credential(name, Scheme::LeadproJwt(SecretString::from(secret)), LEADS);
    Credentials::new(vec![signed("signed", SIGNING), signed("signed next", "the next secret")], &[], None).unwrap()
}

/// The name and the claims of who enters with this `Authorization`.
fn signed_in(authorization: &str) -> Option<(String, String)> {
    let house = leadpro();
    let authenticated =
        house.authenticate(&headers(&[("authorization", authorization.as_bytes())]), Feed::Lead, now()).ok()?;
    Some((authenticated.credential.name.clone(), String::from_utf8(authenticated.claims.unwrap()).unwrap()))
}

#[test]
fn a_signed_token_enters_with_bearer_and_without_and_its_claims_are_the_payload_byte_for_byte() {
    let claims = r#"{ "event":"lead.created", "data":{"message":"ünïcode 🚗","id":1.50, "id":2} }"#;
    let token = jwt(HS256, claims, SIGNING);
    for authorization in [token.clone(), format!("Bearer {token}"), format!("bearer  {token}")] {
        assert_eq!(signed_in(&authorization), Some(("signed".to_owned(), claims.to_owned())), "{authorization}");
    }
    let next = jwt(HS256, "not even JSON", "the next secret");
    assert_eq!(signed_in(&next), Some(("signed next".to_owned(), "not even JSON".to_owned())));
}

#[test]
fn a_token_that_is_not_signed_by_hs256_with_the_secret_is_refused() {
    let claims = r#"{"event":"lead.created"}"#;
    let good = jwt(HS256, claims, SIGNING);
    let (message, signature) = good.rsplit_once('.').unwrap();
    let table = [
        ("alg none", format!("{}.", jwt(r#"{"alg":"none"}"#, claims, SIGNING).rsplit_once('.').unwrap().0)),
        ("alg none, signed", jwt(r#"{"alg":"none"}"#, claims, SIGNING)),
        ("HS384", jwt_by::<Hmac<Sha384>>(r#"{"alg":"HS384"}"#, claims, SIGNING)),
        ("HS384 that says HS256", jwt_by::<Hmac<Sha384>>(HS256, claims, SIGNING)),
        ("HS384 in name", jwt(r#"{"alg":"HS384"}"#, claims, SIGNING)),
        ("RS256 with the secret as key", jwt(r#"{"alg":"RS256","typ":"JWT"}"#, claims, SIGNING)),
        ("no algorithm", jwt(r#"{"typ":"JWT"}"#, claims, SIGNING)),
        ("lower case", jwt(r#"{"alg":"hs256"}"#, claims, SIGNING)),
        ("an algorithm that is no text", jwt(r#"{"alg":["HS256"]}"#, claims, SIGNING)),
        ("two algorithms, the last of which is none", jwt(r#"{"alg":"HS256","alg":"none"}"#, claims, SIGNING)),
        ("a header that is no object", jwt(r#"["HS256","JWT"]"#, claims, SIGNING)),
        ("a header that is no JSON", jwt("HS256", claims, SIGNING)),
        ("half a signature", format!("{message}.{}", signature.split_at(20).0)),
        ("a signature with bits behind its end", format!("{message}.{}", with_last_bit(signature))),
        ("a padded header", format!("{}=.{}", message.replace('.', "=."), signature)),
        ("an empty header", format!(".{}", good.split_once('.').unwrap().1)),
        ("critical extensions, none", jwt(r#"{"alg":"HS256","crit":null}"#, claims, SIGNING)),
        ("critical extensions, an empty list", jwt(r#"{"alg":"HS256","crit":[]}"#, claims, SIGNING)),
        ("critical extensions, taken back", jwt(r#"{"crit":["exp"],"alg":"HS256","crit":null}"#, claims, SIGNING)),
        ("critical extension", jwt(r#"{"alg":"HS256","crit":["exp"]}"#, claims, SIGNING)),
        ("another secret", jwt(HS256, claims, "another secret")),
        ("an empty secret", jwt(HS256, claims, "")),
        ("the secret with a newline", jwt(HS256, claims, &format!("{SIGNING}\n"))),
        ("the secret without its end", jwt(HS256, claims, SIGNING.split_at(10).0)),
        ("no signature", format!("{message}.")),
        ("two parts", message.to_owned()),
        ("four parts", format!("{good}.{signature}")),
        ("another's signature", format!("{message}.{}", jwt(HS256, "{}", SIGNING).rsplit_once('.').unwrap().1)),
        ("padded", format!("{good}=")),
        ("Basic", format!("Basic {good}")),
        ("a space at its end", format!("{good} x")),
    ];
    for (name, authorization) in table {
        assert_eq!(signed_in(&authorization), None, "{name}");
    }
    assert!(signed_in(&good).is_some());
}

/// The same bytes in another text: the last letter of 43 has two bits that belong to none.
fn with_last_bit(signature: &str) -> String {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (rest, last) = signature.split_at(signature.len() - 1);
    let next = alphabet.find(last).unwrap() + 1;
    format!("{rest}{}", &alphabet[next..=next])
}

#[test]
fn fields_of_a_header_that_are_not_understood_are_ignored_whatever_they_are() {
    let rest = [
        r#""ver":1"#,
        r#""ver":1.5e300,"x":1e999"#,
        r#""ver":{"a":{"b":[]}}"#,
        r#""ver":[1,"two",null]"#,
        r#""ver":null,"kid":7,"jku":false,"x5c":"none","typ":3"#,
        r#""ver":"\ud800","ver":2"#,
        r#""typ":["JWT"],"cty":{"critical":true}"#,
        r#""kid":"a","kid":{},"\u0063ty":"JWT""#,
    ];
    for rest in rest {
        for header in [format!(r#"{{"alg":"HS256",{rest}}}"#), format!(r#"{{{rest},"alg":"HS256"}}"#)] {
            assert!(signed_in(&jwt(&header, "{}", SIGNING)).is_some(), "{header}");
            assert!(signed_in(&jwt(&header, "{}", "another secret")).is_none(), "{header}");
        }
    }
    let deep = format!(r#"{{"alg":"HS256","ver":{}1{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
    assert!(signed_in(&jwt(&deep, "{}", SIGNING)).is_some());
}

#[test]
fn exp_and_nbf_count_where_they_are_present() {
    let (now, enters) = (now().timestamp(), |claims: String| signed_in(&jwt(HS256, &claims, SIGNING)).is_some());
    let table = [
        (format!(r#"{{"exp":{}}}"#, now + 1), true),
        (format!(r#"{{"exp":{now}}}"#), false),
        (format!(r#"{{"exp":{}}}"#, now - 1), false),
        (format!(r#"{{"exp":{now}.5}}"#), true),
        (r#"{"exp":"tomorrow"}"#.to_owned(), false),
        (r#"{"exp":null}"#.to_owned(), true),
        (format!(r#"{{"nbf":{now}}}"#), true),
        (format!(r#"{{"nbf":{}}}"#, now + 60), true),
        (format!(r#"{{"nbf":{}}}"#, now + 61), false),
        (format!(r#"{{"nbf":{},"exp":{}}}"#, now - 5, now - 1), false),
        (format!(r#"{{"iat":{}}}"#, now + 9_999), true),
        (format!("\u{feff}{{\"exp\":{}}}", now - 1), false),
        (format!("\u{feff}{{\"exp\":{}}}", now + 1), true),
        (format!("\u{feff}{{\"nbf\":{}}}", now + 61), false),
        (format!(r#"{{"exp":{},"exp":{}}}"#, now + 1, now - 1), false),
        (format!(r#"{{"exp":{},"exp":{}}}"#, now - 1, now + 1), true),
        (format!(r#"{{"exp":"{}"}}"#, now - 1), false),
        (format!(r#"{{"exp":"{}"}}"#, now + 1), true),
        (r#"{"exp":1e300}"#.to_owned(), true),
        (r#"{"exp":-1}"#.to_owned(), false),
        (r#"{"exp":[9999999999]}"#.to_owned(), false),
        (r#"{"nbf":"soon"}"#.to_owned(), false),
        (r#"{"nbf":-1e300}"#.to_owned(), true),
    ];
    for (claims, expected) in table {
        assert_eq!(enters(claims.clone()), expected, "{claims}");
    }
}

const KEY: &str = "a signing key of thirty-two bytes";

fn tokens(key: &str, previous: Option<&str>) -> AccessTokens {
    let secret = |text: &str| SecretString::from(text);
    AccessTokens::new(&secret(key), previous.map(secret).as_ref(), Duration::from_hours(1))
}

fn client(name: &str, id: &str, secret: &str, feeds: &[Feed]) -> Credential {
    credential(name, Scheme::OauthClient { client_id: id.to_owned(), secret: SecretString::from(secret) }, feeds)
}

fn house_of(clients: Vec<Credential>, tokens: impl Into<Option<AccessTokens>>) -> Credentials {
    Credentials::new(clients, &[], tokens.into()).unwrap()
}

/// A client asks with a Basic header of these bytes.
fn ask<'c>(house: &'c Credentials, pair: &str, scope: Option<&str>) -> Result<Issued<'c>, TokenRefused> {
    let header = base64(pair);
    let proof = ClientProof::of(&headers(&[("authorization", &header)]), None, None);
    house.issue(&proof.map_err(|_error| TokenRefused::Client)?, scope, now())
}

/// Who enters the feed with the token, so many seconds later.
fn with_token(house: &Credentials, token: &SecretString, feed: Feed, seconds: i64) -> Option<String> {
    let bearer = format!("Bearer {}", token.expose_secret());
    let later = now() + chrono::TimeDelta::seconds(seconds);
    let authenticated = house.authenticate(&headers(&[("authorization", bearer.as_bytes())]), feed, later).ok()?;
    assert_eq!(authenticated.claims, None);
    Some(authenticated.credential.name.clone())
}

#[test]
fn a_client_enters_with_its_token_for_its_scope_until_it_expires() {
    let house = house_of(vec![client("studio", "studio id", "hush", BOTH)], tokens(KEY, None));
    let all = ask(&house, "studio id:hush", None).unwrap();
    assert_eq!((all.scope.len(), all.lifetime.as_secs()), (2, 3_600));
    assert_eq!(with_token(&house, &all.token, Feed::Lead, 0).as_deref(), Some("studio"));
    assert_eq!(with_token(&house, &all.token, Feed::Inventory, 3_599).as_deref(), Some("studio"));
    assert_eq!(with_token(&house, &all.token, Feed::LeadCluster, 0), None);
    assert_eq!(with_token(&house, &all.token, Feed::Lead, 3_600), None);
    let narrow = ask(&house, "studio id:hush", Some("inventory")).unwrap();
    assert_eq!(with_token(&house, &narrow.token, Feed::Inventory, 0).as_deref(), Some("studio"));
    assert_eq!(with_token(&house, &narrow.token, Feed::Lead, 0), None);
    for scope in ["lead_cluster", "lead lead_cluster", "leads", "Lead", "lead,inventory", " "] {
        assert_eq!(ask(&house, "studio id:hush", Some(scope)).err(), Some(TokenRefused::Scope), "{scope}");
    }
}

#[test]
fn a_client_may_show_its_id_and_secret_as_they_are_or_form_encoded_and_not_otherwise() {
    let clients = vec![client("odd", "id & co/ü", "p%41ss:w+rd", LEADS), client("plain", "plain", "50%25", LEADS)];
    let house = house_of(clients, tokens(KEY, None));
    let table = [
        ("id & co/ü:p%41ss:w+rd", Some("odd")),
        ("id+%26+co%2F%C3%BC:p%2541ss%3Aw%2Brd", Some("odd")),
        ("id%20%26%20co/ü:p%2541ss%3Aw%2Brd", Some("odd")),
        ("id & co/ü:pAss:w rd", None),
        ("id%2520%26 co/ü:p%41ss:w+rd", None),
        ("plain:50%25", Some("plain")),
        ("plain:50%2525", Some("plain")),
        ("plain:50%", None),
        ("plain:50%25\n", None),
        ("plain", None),
        ("plain:", None),
        (":50%25", None),
        ("", None),
    ];
    for (pair, name) in table {
        let issued = ask(&house, pair, None);
        assert_eq!(issued.ok().map(|issued| issued.credential.name.as_str()), name, "{pair}");
    }
    let form = |id, secret| {
        let proof = ClientProof::of(&headers(&[]), id, secret).map_err(|_error| TokenRefused::Client)?;
        house.issue(&proof, None, now())
    };
    assert!(form(Some("plain"), Some("50%25")).is_ok());
    for (id, secret) in [(Some("plain"), Some("50%")), (Some("plain"), None), (None, Some("50%25")), (None, None)] {
        assert_eq!(form(id, secret).err(), Some(TokenRefused::Client), "{id:?}");
    }
}

#[test]
fn what_a_client_may_do_counts_as_it_is_when_the_token_is_used() {
    let before = house_of(vec![client("studio", "id", "old", BOTH)], tokens(KEY, None));
    let token = ask(&before, "id:old", None).unwrap().token;
    let enters = |clients: Vec<Credential>, tokens: AccessTokens| {
        with_token(&house_of(clients, tokens), &token, Feed::Inventory, 0)
    };
    let same = || vec![client("studio", "id", "old", BOTH)];

    assert_eq!(enters(same(), tokens(KEY, None)).as_deref(), Some("studio"));
    assert_eq!(enters(vec![], tokens(KEY, None)), None, "the client is gone");
    assert_eq!(enters(vec![client("studio", "id", "old", LEADS)], tokens(KEY, None)), None, "its scope is shorter");
    assert_eq!(enters(vec![client("studio", "other", "old", BOTH)], tokens(KEY, None)), None, "it is another client");
    assert_eq!(enters(vec![credential("studio", bearer("x"), BOTH)], tokens(KEY, None)), None, "it is no client");
    assert_eq!(enters(same(), tokens("another key of thirty-two bytes..", None)), None, "the key is another");
    let both = tokens("another key of thirty-two bytes..", Some(KEY));
    assert_eq!(enters(same(), both).as_deref(), Some("studio"), "both keys are valid");
    let without = house_of(same(), None);
    assert_eq!(with_token(&without, &token, Feed::Inventory, 0), None, "no tokens are given at all");

    let rotated = || vec![client("new", "id", "new", BOTH)];
    assert_eq!(enters(rotated(), tokens(KEY, None)).as_deref(), Some("new"), "its secret was changed");
    let during = vec![client("new", "id", "new", BOTH), client("studio", "id", "old", BOTH)];
    assert_eq!(enters(during, tokens(KEY, None)).as_deref(), Some("studio"), "its own credential is still there");
}

/// A client's credential for leads of these workspaces, or of all where none are named.
fn of(name: &str, secret: &str, feeds: &[Feed], workspaces: &[&str]) -> Credential {
    let slugs = workspaces.iter().map(|slug| (*slug).to_owned()).collect();
    let permitted = if workspaces.is_empty() { Permitted::All } else { Permitted::Only(slugs) };
    Credential { permitted, ..client(name, "id", secret, feeds) }
}

fn ended(credential: Credential) -> Credential {
    Credential { not_after: Some(now()), ..credential }
}

#[test]
fn a_token_is_good_for_its_own_credential_and_one_of_the_same_client_and_the_same_workspaces() {
    const STOCK: &[Feed] = &[Feed::Inventory];
    let before = house_of(vec![of("a", "old", LEADS, &["x", "y"]), of("b", "other", LEADS, &["z"])], tokens(KEY, None));
    let token = ask(&before, "id:old", None).unwrap().token;
    let other = || of("b", "other", LEADS, &["z"]);
    let next = |workspaces: &[&str]| of("next", "new", LEADS, workspaces);
    let same = &["x", "y"][..];
    let table = [
        ("both are there", vec![other(), of("a", "old", LEADS, same)], Some("a")),
        ("taken out", vec![other()], None),
        ("lost the feed", vec![of("a", "old", STOCK, same), other()], None),
        ("ended", vec![ended(of("a", "old", LEADS, same)), other()], None),
        ("taken out, rotated", vec![other(), next(&["y", "x"])], Some("next")),
        ("lost the feed, rotated", vec![other(), of("a", "old", STOCK, same), next(same)], Some("next")),
        ("ended, rotated", vec![ended(of("a", "old", LEADS, same)), next(same), other()], Some("next")),
        ("rotated, and the new one has ended", vec![ended(next(same)), other()], None),
        ("rotated for another feed", vec![of("next", "new", STOCK, same)], None),
        ("fewer workspaces", vec![next(&["x"])], None),
        ("more workspaces", vec![next(&["x", "y", "z"])], None),
        ("all workspaces", vec![next(&[])], None),
        ("names that read alike", vec![next(&["xy"])], None),
        ("another client", vec![Credential { scheme: client("n", "no", "new", LEADS).scheme, ..next(same) }], None),
        ("its own workspaces were changed", vec![of("a", "old", LEADS, &["z"])], Some("a")),
        ("its own secret was changed", vec![of("a", "new", LEADS, same)], Some("a")),
        ("changed and ended", vec![ended(of("a", "old", LEADS, &["z"])), next(&["z"])], Some("next")),
        (
            "changed and ended, and the former ones are another's",
            vec![ended(of("a", "old", LEADS, &["z"])), next(same)],
            None,
        ),
    ];
    for (what, credentials, expected) in table {
        let house = house_of(credentials, tokens(KEY, None));
        assert_eq!(with_token(&house, &token, Feed::Lead, 0).as_deref(), expected, "{what}");
        assert_eq!(with_token(&house, &token, Feed::Inventory, 0), None, "{what}: the scope");
    }
}

#[test]
fn a_token_for_all_workspaces_is_none_for_a_list_of_them() {
    let before = house_of(vec![of("a", "old", LEADS, &[])], tokens(KEY, None));
    let token = ask(&before, "id:old", None).unwrap().token;
    for (workspaces, expected) in [(&[][..], Some("next")), (&["x", "y"], None), (&["all"], None)] {
        let house = house_of(vec![of("next", "new", LEADS, workspaces)], tokens(KEY, None));
        assert_eq!(with_token(&house, &token, Feed::Lead, 0).as_deref(), expected, "{workspaces:?}");
    }
}

#[test]
fn a_token_of_a_version_that_named_no_workspaces_is_its_own_credentials_only() {
    let end = now().timestamp() + 60;
    let claims = format!(r#"{{"iss":"forecourt","sub":"a","client_id":"id","scope":"lead","iat":1,"exp":{end}}}"#);
    let token = SecretString::from(jwt(ACCESS, &claims, KEY));
    let own = || of("a", "old", LEADS, &["x"]);
    let table = [
        ("its own", vec![of("b", "new", LEADS, &["x"]), own()], Some("a")),
        ("gone", vec![of("b", "new", LEADS, &["x"])], None),
        ("ended, and the workspaces are known from it", vec![ended(own()), of("b", "new", LEADS, &["x"])], Some("b")),
        ("ended, of other workspaces", vec![ended(own()), of("b", "new", LEADS, &["y"])], None),
    ];
    for (what, credentials, expected) in table {
        let house = house_of(credentials, tokens(KEY, None));
        assert_eq!(with_token(&house, &token, Feed::Lead, 0).as_deref(), expected, "{what}");
    }
}

#[test]
fn of_two_credentials_with_one_id_and_secret_the_first_that_is_valid_gives_the_token() {
    let two = |first: Credential| house_of(vec![first, of("b", "same", LEADS, &["y"])], tokens(KEY, None));
    let a = || of("a", "same", LEADS, &["x"]);
    for (house, name) in [(two(a()), "a"), (two(ended(a())), "b")] {
        let issued = ask(&house, "id:same", None).unwrap();
        assert_eq!(issued.credential.name, name);
        assert_eq!(with_token(&house, &issued.token, Feed::Lead, 0).as_deref(), Some(name));
    }
}

#[test]
fn a_token_is_as_short_for_a_thousand_workspaces_as_for_one() {
    let slugs: Vec<String> = (0..1_000).map(|number| format!("dealership-{number}")).collect();
    let slugs: Vec<&str> = slugs.iter().map(String::as_str).collect();
    let length = |workspaces: &[&str]| {
        let house = house_of(vec![of("a", "old", LEADS, workspaces)], tokens(KEY, None));
        ask(&house, "id:old", None).unwrap().token.expose_secret().len()
    };
    assert_eq!(length(&slugs), length(&["x"]));
}

#[test]
fn a_token_that_we_did_not_make_is_none() {
    let house = house_of(vec![client("studio", "id", "old", BOTH)], tokens(KEY, None));
    let claims = |issuer: &str| {
        let now = now().timestamp();
        format!(r#"{{"iss":"{issuer}","sub":"studio","client_id":"id","scope":"lead","iat":{now},"exp":{}}}"#, now + 60)
    };
    let enters = |token: String| with_token(&house, &SecretString::from(token), Feed::Lead, 0).is_some();
    assert!(enters(jwt(ACCESS, &claims("forecourt"), KEY)));
    assert!(!enters(jwt(HS256, &claims("forecourt"), KEY)), "a token of another type");
    assert!(!enters(jwt(ACCESS, &claims("somebody"), KEY)));
    assert!(!enters(jwt(ACCESS, &claims("forecourt"), "another key of thirty-two bytes..")));
    assert!(!enters(jwt(r#"{"alg":"none"}"#, &claims("forecourt"), KEY)));
    assert!(!enters(jwt(ACCESS, r#"{"iss":"forecourt","sub":"studio","client_id":"id","scope":"lead","iat":1}"#, KEY)));
}

#[test]
fn a_credential_proves_nothing_from_its_not_after_on_and_the_refusal_names_it() {
    let until = |credential: Credential, seconds| {
        let end = now() + chrono::TimeDelta::seconds(seconds);
        Credential { not_after: Some(end), ..credential }
    };
    let secret = Scheme::LeadproJwt(SecretString::from(SIGNING));
    let kinds: Vec<(Credential, Vec<u8>)> = vec![
        (credential("it", bearer("x"), LEADS), b"Bearer x".to_vec()),
        (credential("it", basic("u", "p"), LEADS), base64("u:p")),
        (credential("it", secret, LEADS), jwt(HS256, "{}", SIGNING).into_bytes()),
        (credential("it", Scheme::Open, LEADS), b"Bearer whatever".to_vec()),
    ];
    for (credential, authorization) in kinds {
        let enter = |seconds| {
            let house = house_of(vec![until(credential.clone(), seconds)], None);
            let authenticated = house.authenticate(&headers(&[("authorization", &authorization)]), Feed::Lead, now());
            authenticated.map(|_| ()).map_err(|refused| refused.expired)
        };
        assert_eq!(enter(1), Ok(()), "{credential:?}");
        assert_eq!(enter(0), Err(Some("it".to_owned())), "{credential:?}");
        assert_eq!(enter(-1), Err(Some("it".to_owned())), "{credential:?}");
    }
    let client = until(client("it", "id", "old", BOTH), 10);
    let house = house_of(vec![client], tokens(KEY, None));
    let token = ask(&house, "id:old", None).unwrap().token;
    assert_eq!(with_token(&house, &token, Feed::Lead, 9).as_deref(), Some("it"));
    assert_eq!(with_token(&house, &token, Feed::Lead, 10), None);
}

#[test]
fn an_expired_credential_does_not_stand_in_the_way_of_its_successor() {
    let old = Credential { not_after: Some(now()), ..credential("old", bearer("same"), LEADS) };
    let house = house_of(vec![old, credential("new", bearer("same"), LEADS)], None);
    let authenticated = house.authenticate(&headers(&[("authorization", b"Bearer same")]), Feed::Lead, now()).unwrap();
    assert_eq!(authenticated.credential.name, "new");
}
