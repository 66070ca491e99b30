//! `former_slug`, `moved_from` and `public_url`.

use super::*;

#[test]
fn a_former_slug_is_one_that_no_workspace_has_and_one_workspace_had() {
    let file = |rest: &str| refusals(&format!("{WORKSPACE}{rest}\n{CREDENTIAL}"));
    assert_eq!(
        file("former_slug = \"b\"\n[[workspaces]]\nslug = \"b\""),
        "3:15: the `former_slug` `b` is the slug of a workspace of this file; write the slug that this workspace had before \
         and no other has now, or leave it out"
    );
    assert!(file("former_slug = \"a\"").starts_with("3:15: the `former_slug` `a` is the slug of a workspace"));
    assert_eq!(
        file("former_slug = \"c\"\n[[workspaces]]\nslug = \"b\"\nformer_slug = \"c\""),
        "6:15: the former slug `c` stands in line 3 already; one workspace at the most has had it"
    );
}

#[test]
fn a_dealership_leaves_another_workspace_than_its_own() {
    assert_eq!(
        refusals(&format!("{WORKSPACE}dealerships = [{{ id = 1, moved_from = \"a\" }}]\n{CREDENTIAL}")),
        "3:39: `moved_from` is the workspace that the dealership stands in; write the slug of the one that it leaves, or \
         leave it out"
    );
}

#[test]
fn a_public_address_that_is_none_is_named_with_its_place_and_a_remedy() {
    let with = |url: &str| format!("[server]\npublic_url = \"{url}\"\n{WORKSPACE}{CREDENTIAL}");
    assert_eq!(
        refusals(&with("http://leads.example.com.au")),
        "2:14: `http://leads.example.com.au` is not encrypted, and what the senders post is personal; write the address \
         that the senders use, such as \"https://leads.example.com.au\""
    );
    let url = read(&with("https://leads.example.com.au/")).server.public_url;
    assert_eq!(url.map(|url| url.to_string()).as_deref(), Some("https://leads.example.com.au"));
}
