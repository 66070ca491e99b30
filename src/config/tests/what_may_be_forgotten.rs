//! What `check` tells of a configuration that can be used: what is most likely not meant so.

use super::*;

/// Without the file's name.
fn short(told: &[String]) -> Vec<&str> {
    told.iter().map(|one| one.strip_prefix("forecourt.toml:").unwrap_or(one)).collect()
}

const WHOLE: &str = "[[workspaces]]\nslug = \"a\"\ndealerships = [1]\nlocations = [\"N\"]\npackages = [\"P\"]\n";

fn named(name: &str, feeds: &str, workspaces: &str, secret: &str) -> String {
    CREDENTIAL
        .replace("\"c\"", &format!("\"{name}\""))
        .replace("feeds = \"all\"", &format!("feeds = {feeds}"))
        .replace("workspaces = \"all\"", &format!("workspaces = {workspaces}"))
        .replace("\"T\"", &format!("\"{secret}\""))
}

#[test]
fn a_configuration_that_lacks_nothing_has_no_advice() {
    let config = read(&format!("{WHOLE}{CREDENTIAL}"));
    assert_eq!((config.errors.len(), config.warnings.len(), config.advice), (0, 0, Vec::new()));
}

#[test]
fn a_secret_that_is_short_or_shared_is_warned_of_without_showing_it() {
    let more = [("SHORT", "fifteen-letters"), ("LONG", "sixteen-letters!")];
    let warnings = |credentials: &[String]| {
        let config = read_with(&format!("{WHOLE}{}", credentials.concat()), &more).unwrap();
        assert!(config.warnings.iter().all(|warning| !warning.contains("letters")), "{:?}", config.warnings);
        config.warnings
    };
    let weak = "the secret of credential `one` has less than 16 characters, so it could be guessed; make one with `forecourt \
                secret`";
    assert_eq!(short(&warnings(&[named("one", "\"all\"", "\"all\"", "SHORT")])), [format!("6:1: {weak}")]);
    assert_eq!(warnings(&[named("one", "\"all\"", "\"all\"", "LONG")]), [""; 0]);
    let shared = warnings(&[
        named("one", "[\"lead\"]", "\"all\"", "LONG"),
        named("two", "[\"inventory\"]", "\"all\"", "LONG").replace("bearer", "api_key"),
    ]);
    assert_eq!(
        short(&shared),
        [
            "12:1: credential `two` has the secret of credential `one`, so that whoever knows one can use the other; give it \
          one of its own"
        ]
    );
}

#[test]
fn a_feed_that_nobody_may_post_to_is_told() {
    let config = read(&format!("{WHOLE}{}", named("c", "[\"lead\", \"lead_cluster\"]", "\"all\"", "T")));
    let told = "6:1: no credential may post to `inventory`, `leadpro_lead`: whoever does is answered 401";
    assert_eq!(short(&config.advice), [told]);
}

#[test]
fn a_workspace_that_nothing_can_come_to_or_be_booked_in_is_told() {
    let advice = |workspace: &str| read(&format!("[[workspaces]]\nslug = \"a\"\n{workspace}\n{CREDENTIAL}")).advice;
    let lacks = |what: &str| {
        format!(
            "1:1: workspace `a` has no {what}: bookings are made with those alone that the inventory names; list what can be \
             booked"
        )
    };
    assert_eq!(short(&advice("dealerships = [1]")), [lacks("locations and no packages")]);
    assert_eq!(short(&advice("dealerships = [1]\nlocations = [\"N\"]")), [lacks("packages")]);
    assert_eq!(short(&advice("dealerships = [1]\npackages = [\"P\"]")), [lacks("locations")]);
    assert_eq!(advice(""), [""; 0], "LeadPro's deliveries come to the only workspace of a credential");
    let none = read(&format!("[[workspaces]]\nslug = \"a\"\n{}", named("c", "[\"lead\"]", "\"all\"", "T"))).advice;
    let expected = "1:1: workspace `a` has no dealerships, so that no delivery of Dealer Studio is for it; write \
                    `dealerships = [356]` with the sender's ids";
    assert_eq!(short(&none)[1], expected);
}

#[test]
fn packages_that_differ_in_capitals_alone_are_told() {
    let text = WHOLE.replace("[\"P\"]", "[\"Premium\", \"Value\", \"PREMIUM\"]");
    let expected = "1:1: the packages `Premium` and `PREMIUM` of workspace `a` differ in capitals alone and are two packages; \
                    where one is meant, keep the one that the inventory names";
    assert_eq!(short(&read(&format!("{text}{CREDENTIAL}")).advice), [expected]);
}

#[test]
fn a_time_zone_of_america_that_looks_like_one_of_ours_is_told() {
    let text = WHOLE.replace("slug = \"a\"\n", "slug = \"a\"\ntimezone = \"EST\"\n");
    let expected = "1:1: workspace `a` has the time zone `EST`, which is America's; write an IANA name with a place, such as \
                    `Australia/Sydney`";
    assert_eq!(short(&read(&format!("{text}{CREDENTIAL}")).advice), [expected]);
}

#[test]
fn what_leadpro_cannot_reach_is_told() {
    let second = WHOLE.replace("\"a\"", "\"b\"").replace("[1]", "[2]");
    let of_all = "11:1: credential `c` has `feeds = \"all\"` and 2 workspaces, and so it cannot bring `leadpro_lead`: such a \
                  delivery does not say for which workspace it is, and is rejected; where you use LeadPro, give it a \
                  credential of its own for each workspace";
    assert_eq!(short(&read(&format!("{WHOLE}{second}{CREDENTIAL}")).advice), [of_all]);
    let leadpro = named("l", "[\"leadpro_lead\"]", "[\"a\"]", "U");
    let config = read_with(&format!("{WHOLE}{second}{CREDENTIAL}{leadpro}"), &[("U", "a secret of its own")]).unwrap();
    // Whoever gave LeadPro a credential of its own has thought of it.
    assert_eq!(short(&config.advice), [""; 0]);
}

#[test]
fn a_header_that_shows_other_credentials_is_an_error_as_one_of_api_keys_and_stops_no_start() {
    let text = format!("[server]\napi_key_headers = [\"X-Our-Key\", \"authorization\"]\n{WHOLE}{CREDENTIAL}");
    let config = read(&text);
    assert_eq!(config.server.api_key_headers, ["X-Our-Key", "authorization"], "it goes on as before");
    let expected = "2:33: `Authorization` shows bearer tokens, users with passwords and LeadPro's tokens, and whatever stands \
                    there would be tried as an API key, too; leave it out, and let the sender use `X-API-KEY` or another header";
    assert_eq!(short(&config.errors), [expected]);
}

#[test]
fn the_demo_configuration_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let environment = Environment::of([("FORECOURT_DATA_DIR", folder.path().to_str().unwrap())]);
    assert_eq!(demo(&environment).unwrap().advice, [""; 0]);
}
