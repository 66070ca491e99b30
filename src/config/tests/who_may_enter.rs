//! Credentials and the keys of access tokens: what is refused and with which words, and what is taken.

use secrecy::ExposeSecret as _;

use super::*;

/// A credential with this in place of its last lines.
fn credential(lines: &str) -> String {
    format!("{WORKSPACE}[[credentials]]\nname = \"c\"\n{lines}")
}

const BEARER: &str = "scheme = \"bearer\"\nfeeds = \"all\"\nworkspaces = \"all\"\n";
const BASIC: &str = "scheme = \"basic\"\nfeeds = \"all\"\nworkspaces = \"all\"\nsecret_env = \"T\"\n";
const CLIENT: &str = "scheme = \"oauth_client\"\nfeeds = \"all\"\nworkspaces = \"all\"\nsecret_env = \"T\"\n";
const OPEN: &str = "scheme = \"open\"\nfeeds = \"all\"\nworkspaces = \"all\"\n";

#[test]
fn a_mistake_in_a_credential_is_named_with_its_place_and_a_remedy() {
    let secretless = "the credential has no secret; write `secret_env = \"NAME\"` or `secret_file = \"path\"`";
    let in_file = "a secret does not stand in this file; name an environment variable (`secret_env = \"NAME\"`) or a \
                   file (`secret_file = \"path\"`) that holds it";
    let cases = [
        (BEARER.to_owned(), format!("3:1: {secretless}")),
        (format!("{BEARER}secret = \"abc\""), format!("8:1: `secret`: {in_file}")),
        (format!("{BEARER}password = \"abc\""), format!("8:1: `password`: {in_file}")),
        (
            format!("{BEARER}secret_env = \"NOT_SET\""),
            "8:14: the environment variable `NOT_SET` is not set; set it, or name another one".to_owned(),
        ),
        (
            format!("{BEARER}secret_file = \"no-such\""),
            "8:15: the secret file `/etc/forecourt/no-such` does not exist; make it, or name another one".to_owned(),
        ),
        (
            format!("{BEARER}secret_file = \"/\""),
            "8:15: the secret file `/` cannot be read (is a directory); let the user that runs forecourt read it"
                .to_owned(),
        ),
        (
            format!("{BEARER}secret_env = \"EMPTY\""),
            "8:14: the environment variable `EMPTY` is empty; put the secret into it".to_owned(),
        ),
        (
            format!("{BEARER}secret_env = \"SPACED\""),
            "8:14: the secret begins or ends with a space or holds a control character, so no header can carry it; \
             make one of letters and digits"
                .to_owned(),
        ),
        (
            format!("{BEARER}secret_env = \"T\"\nsecret_file = \"f\""),
            "9:15: the secret is named twice; keep one of `secret_env` and `secret_file`".to_owned(),
        ),
        (
            format!("{BEARER}secret_env = \"T\"\nuser = \"u\""),
            "9:8: `user` belongs to the scheme `basic`; leave it out, or write `scheme = \"basic\"`".to_owned(),
        ),
        (BASIC.to_owned(), "3:1: a `basic` credential has a user; write `user = \"dealer-studio\"`".to_owned()),
        (
            format!("{BASIC}user = \"a:b\""),
            "9:8: the user of a `basic` credential cannot hold a colon; write one without".to_owned(),
        ),
        (
            format!("{OPEN}secret_env = \"T\""),
            "8:14: an open credential asks for no secret; leave it out, or choose another scheme".to_owned(),
        ),
    ];
    for (lines, expected) in cases {
        let problems = read_with(&credential(&lines), &[("EMPTY", "\n"), ("SPACED", " abc")]).unwrap_err();
        assert_eq!(problems.to_string().replace("forecourt.toml:", ""), expected, "{lines}");
    }
}

#[test]
fn a_mistake_in_what_one_scheme_needs_is_named_with_its_place_and_a_remedy() {
    let cases = [
        (
            format!("{CLIENT}client_id = \"a:b\""),
            "9:13: the client id of an `oauth_client` credential cannot hold a colon; write one without".to_owned(),
        ),
        (
            format!("{BASIC}user = \"u\"\nclient_id = \"c\""),
            "10:13: `client_id` belongs to the scheme `oauth_client`; leave it out, or write `scheme = \"oauth_client\"`"
                .to_owned(),
        ),
        (
            format!("{BASIC}user = \"u\"\nnot_after = 2027-01-31"),
            "10:13: `not_after`: write a time with its offset, such as `not_after = 2027-01-31T18:00:00+10:00`".to_owned(),
        ),
        (
            CLIENT.replace("oauth_client", "leadpro_jwt"),
            "6:9: only LeadPro posts signed tokens that are their own payload; write `feeds = [\"leadpro_lead\"]`".to_owned(),
        ),
    ];
    for (lines, expected) in cases {
        let problems = read_with(&credential(&lines), &[]).unwrap_err();
        assert_eq!(problems.to_string().replace("forecourt.toml:", ""), expected, "{lines}");
    }
}

#[test]
fn what_a_credential_refers_to_must_exist() {
    let cases = [
        (
            "scheme = \"baerer\"\nfeeds = \"all\"\nworkspaces = \"all\"",
            "5:10: unknown scheme `baerer`; did you mean `bearer`? write one of `bearer`, `api_key`, `basic`, `oauth_client`, `leadpro_jwt`, `open`",
        ),
        (
            "scheme = \"open\"\nfeeds = [\"leads\"]\nworkspaces = \"all\"",
            "6:10: unknown feed `leads`; did you mean `lead`? write some of `lead`, `lead_cluster`, `inventory`, `leadpro_lead`",
        ),
        (
            "scheme = \"open\"\nfeeds = []\nworkspaces = \"all\"",
            "6:9: `feeds` is neither a list of names nor \"all\"; write `feeds = [\"lead\", \"lead_cluster\", \"inventory\"]` or `feeds = \"all\"`",
        ),
        (
            "scheme = \"open\"\nfeeds = \"all\"\nworkspaces = [\"b\", \"other\"]",
            "7:15: unknown workspace `b`; did you mean `a`?\n\
             7:20: unknown workspace `other`; write the `slug` of one of the `[[workspaces]]`",
        ),
        (
            "scheme = \"open\"",
            "3:1: the credential has no `feeds`; write `feeds = [\"lead\", \"lead_cluster\", \"inventory\"]` or `feeds = \"all\"`\n\
             3:1: the credential has no `workspaces`; write `workspaces = [\"dealer-a\"]` or `workspaces = \"all\"`",
        ),
    ];
    for (lines, expected) in cases {
        assert_eq!(refusals(&credential(lines)), expected, "{lines}");
    }
}

#[test]
fn two_credentials_must_differ_in_name_and_in_secret() {
    assert_eq!(
        refusals(&format!("{WORKSPACE}{CREDENTIAL}{CREDENTIAL}")),
        "9:1: it cannot be told from the credential `c`; give it a secret of its own\n\
         10:8: the credential `c` stands in line 4 already; give each its own name"
    );
}

#[test]
fn an_open_credential_is_warned_of() {
    let config = read(&credential(OPEN));
    let warning = "forecourt.toml:3:1: credential `c` is open: whoever reaches the service may post to `lead`, `lead_cluster`, `inventory`, `leadpro_lead`";
    assert_eq!(config.warnings, [warning]);
}

#[test]
fn a_credential_named_for_leadpro_that_may_write_to_several_workspaces_is_an_error_that_stops_no_start() {
    let errors = |workspaces: &[&str], feeds: &str, permitted: &str| {
        let workspaces: Vec<String> =
            workspaces.iter().map(|slug| format!("[[workspaces]]\nslug = \"{slug}\"\n")).collect();
        let workspaces = workspaces.concat();
        let credential = CREDENTIAL.replace("feeds = \"all\"", feeds).replace("workspaces = \"all\"", permitted);
        read(&format!("{workspaces}{credential}")).errors
    };
    let error = |count: usize, line: usize| {
        format!(
            "forecourt.toml:{line}:1: credential `c` may write to {count} workspaces, and deliveries of `leadpro_lead` do \
             not say for which they are, so they will be rejected; give it one workspace"
        )
    };
    let named = "feeds = [\"leadpro_lead\", \"lead\"]";
    assert_eq!(errors(&["a", "b"], named, "workspaces = \"all\""), [error(2, 5)]);
    assert_eq!(errors(&["a", "b", "d"], named, "workspaces = [\"a\", \"d\"]"), [error(2, 7)]);
    for (workspaces, feeds, permitted) in [
        (["a", "b"].as_slice(), named, "workspaces = [\"b\"]"),
        (&["a"], named, "workspaces = \"all\""),
        (&["a", "b"], "feeds = \"all\"", "workspaces = \"all\""),
        (&["a", "b"], "feeds = [\"lead\"]", "workspaces = \"all\""),
    ] {
        assert_eq!(errors(workspaces, feeds, permitted), [""; 0], "{workspaces:?} {feeds} {permitted}");
    }
}

#[test]
fn an_oauth_client_has_the_credentials_name_unless_it_says_otherwise() {
    let client_id = |lines: &str| {
        let config = read(&credential(&format!("{CLIENT}{lines}")));
        let Scheme::OauthClient { client_id, .. } = &config.credentials[0].scheme else { panic!("a client") };
        client_id.clone()
    };
    assert_eq!(client_id(""), "c");
    assert_eq!(client_id("client_id = \"studio & co\""), "studio & co");
}

#[test]
fn the_end_of_a_credential_is_a_time_of_toml_or_a_text() {
    let end = |text: &str| read(&credential(&format!("{CLIENT}not_after = {text}"))).credentials[0].not_after;
    let expected = "2027-01-31T08:00:00Z".parse().ok();
    assert_eq!(end("2027-01-31T18:00:00+10:00"), expected);
    assert_eq!(end("\"2027-01-31T08:00:00Z\""), expected);
    assert_eq!(read(&credential(CLIENT)).credentials[0].not_after, None);
}

#[test]
fn the_keys_of_access_tokens_are_read_and_a_weak_one_is_refused() {
    const KEY: &str = "0123456789abcdefghijklmnopqrstuv";
    let with = |lines: &str| {
        let text = format!("{WORKSPACE}{CREDENTIAL}[oauth]\n{lines}");
        read_with(&text, &[("T", "t"), ("KEY", KEY), ("OLD", KEY), ("WEAK", "0123456789")])
    };
    let oauth =
        with("signing_key_env = \"KEY\"\nprevious_signing_key_env = \"OLD\"\ntoken_seconds = 60").unwrap().oauth;
    assert_eq!(oauth.signing_key.unwrap().expose_secret(), KEY);
    assert_eq!((oauth.previous_signing_key.is_some(), oauth.token_lifetime.as_secs()), (true, 60));
    assert_eq!(with("").unwrap().oauth.token_lifetime.as_secs(), 3_600);
    for (lines, said) in [
        ("signing_key_env = \"WEAK\"", "the key has less than 32 characters"),
        ("signing_key_env = \"NONE\"", "the environment variable `NONE` is not set"),
        ("previous_signing_key_env = \"OLD\"", "there is a previous key and none that signs"),
        ("signing_key_env = \"KEY\"\nsigning_key_file = \"key\"", "the key is named twice"),
        ("token_seconds = 5", "write a whole number from 60 to 86400"),
        ("signing_key = \"abc\"", "unknown key `signing_key`"),
    ] {
        let problems = with(lines).unwrap_err().to_string();
        assert!(problems.contains(said), "{lines}: {problems}");
    }
}

#[test]
fn one_client_with_different_workspaces_is_an_error_that_stops_no_start() {
    let client = |name: &str, id: &str, workspaces: &str| {
        let scheme = CLIENT.replace("\"all\"\nsecret_env = \"T\"", &format!("{workspaces}\nsecret_env = \"{name}\""));
        format!("[[credentials]]\nname = \"{name}\"\nclient_id = \"{id}\"\n{scheme}")
    };
    let errors = |credentials: &[String]| {
        let workspaces = "[[workspaces]]\nslug = \"a\"\n[[workspaces]]\nslug = \"b\"\n";
        let text = format!("{workspaces}{}", credentials.concat());
        read_with(&text, &[("one", "1"), ("two", "2"), ("three", "3")]).unwrap().errors
    };
    let sentence = |line: usize, name: &str, first: &str| {
        format!(
            "forecourt.toml:{line}:1: credential `{name}` has the client id `id` of credential `{first}` and other \
             workspaces, so that the tokens of one are refused where only the other may write; give it a `client_id` of \
             its own, or write the same `workspaces` in both"
        )
    };
    let one = |workspaces: &str| client("one", "id", workspaces);
    let two = |workspaces: &str| client("two", "id", workspaces);
    assert_eq!(errors(&[one("[\"a\"]"), two("[\"b\"]")]), [sentence(12, "two", "one")]);
    assert_eq!(errors(&[one("[\"a\", \"b\"]"), two("[\"b\"]")]), [sentence(12, "two", "one")]);
    assert_eq!(errors(&[one("[\"a\", \"b\"]"), two("\"all\"")]), [sentence(12, "two", "one")]);
    let three = client("three", "id", "[\"a\"]");
    assert_eq!(errors(&[one("[\"a\"]"), two("[\"a\"]"), three]), [""; 0]);
    assert_eq!(errors(&[one("[\"a\", \"b\"]"), two("[\"b\", \"a\"]")]), [""; 0]);
    assert_eq!(errors(&[one("[\"a\"]"), client("two", "another", "[\"b\"]")]), [""; 0]);
}
