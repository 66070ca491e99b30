//! What is expected of senders, and where it is posted that one has fallen silent.

use super::*;

fn with(lines: &str) -> String {
    format!("{WORKSPACE}{lines}\n{CREDENTIAL}")
}

#[test]
fn expectations_are_read_by_feed_and_alerts_with_their_key() {
    let config = read(&with("expect = { inventory = \"26h\", lead = \"3d\" }"));
    let expect = &config.workspaces[0].expect;
    assert_eq!(
        expect.iter().map(|(feed, every)| (*feed, every.num_hours())).collect::<Vec<_>>(),
        [(Feed::Lead, 72), (Feed::Inventory, 26)]
    );
    assert!(config.alerts.is_none());
}

#[test]
fn what_is_wrong_with_them_is_told_with_its_place_and_what_to_write() {
    for (lines, expected) in [
        ("expect = \"26h\"", "`expect` is a text here; write a table"),
        ("expect = { inventry = \"26h\" }", "did you mean `inventory`?"),
        ("expect = { inventory = 26 }", "`inventory` is a whole number here; write a whole number with"),
        ("expect = { inventory = \"5m\" }", "`5m` is too short"),
        ("[alerts]\nsecret_env = \"T\"", "[alerts] has no `url`; write `url = \"https://"),
        ("[alerts]\nurl = \"alerts.example\"", "does not begin with `https://`"),
        ("[alerts]\nurl = \"https://a.example\"\nsecret = \"x\"", "name an environment variable (`secret_env"),
        ("[alerts]\nurl = \"https://a.example\"\nsecret_env = \"NONE\"", "`NONE` is not set"),
        ("[alerts]\nurl = \"https://a.example\"\nsecret_env = \"T\"", "does not begin with `whsec_`"),
        ("[alerts]\nurl = \"https://a.example\"\nsecret_env = \"T\"\nsecret_file = \"x\"", "the secret is named twice"),
        ("[alerts]\nuri = \"https://a.example\"", "did you mean `url`?"),
    ] {
        let refusals = refusals(&with(lines));
        assert!(refusals.contains(expected), "{lines}: {refusals}");
    }
}
