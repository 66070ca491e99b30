use super::*;
use crate::domain::values::{Country, PhoneRegion};
use crate::domain::workspace::Dealership;

/// A workspace of the configuration; of each dealership its id and the workspace that it leaves.
fn configured(slug: &str, former: Option<&str>, dealerships: &[(i64, Option<&str>)]) -> Workspace {
    let dealership = |(id, from): &(i64, Option<&str>)| Dealership {
        id: *id,
        moved_from: from.map(str::to_owned),
        ..Dealership::default()
    };
    Workspace {
        slug: slug.to_owned(),
        former_slug: former.map(str::to_owned),
        name: slug.to_owned(),
        timezone: chrono_tz::Tz::UTC,
        phone_region: PhoneRegion::parse("AU").unwrap(),
        country: Country::parse("AU").unwrap(),
        currency: None,
        dealerships: dealerships.iter().map(dealership).collect(),
        locations: Vec::new(),
        packages: Vec::new(),
        expect: BTreeMap::new(),
    }
}

fn stored(id: i64, slug: &str, active: bool, dealerships: &[(i64, bool)]) -> StoredWorkspace {
    StoredWorkspace { id: id.into(), slug: slug.to_owned(), active, dealerships: dealerships.iter().copied().collect() }
}

/// `a` with 1 and 2, `b` with 3.
fn tables() -> [StoredWorkspace; 2] {
    [stored(10, "a", true, &[(1, true), (2, true)]), stored(11, "b", true, &[(3, true)])]
}

fn kept(workspace: i64, slug: &str) -> Kept {
    Kept { workspace: workspace.into(), slug: slug.to_owned() }
}

fn rows(plan: &Plan) -> Vec<(&str, i64)> {
    plan.rows.iter().map(|(slug, id)| (slug.as_str(), id.get())).collect()
}

fn sentences(plan: &Plan) -> Vec<String> {
    let changes = plan.changes.iter().map(ToString::to_string);
    changes.chain(plan.disagreements.iter().map(ToString::to_string)).collect()
}

#[test]
fn what_stands_as_before_and_what_is_new_is_no_change() {
    for stored in [&tables()[..], &[]] {
        let file = [
            configured("a", None, &[(1, None), (2, None), (4, None)]),
            configured("b", None, &[(3, None)]),
            configured("c", None, &[(5, None)]),
        ];
        let plan = plan(&file, stored);
        assert_eq!(rows(&plan), if stored.is_empty() { vec![] } else { vec![("a", 10), ("b", 11)] });
        assert_eq!((plan.kept.len(), sentences(&plan)), (0, vec![]));
    }
}

#[test]
fn dealerships_that_move_without_a_word_stay_and_one_sentence_says_so() {
    let file = [configured("a", None, &[]), configured("b", None, &[(1, None), (2, None), (3, None)])];
    let plan = plan(&file, &tables());
    assert_eq!(plan.kept, BTreeMap::from([(1, kept(10, "a")), (2, kept(10, "a"))]));
    assert_eq!(
        sentences(&plan),
        [
            "the dealerships 1, 2 stand in the workspace `b` of the configuration and in `a` of the tables: what comes goes \
          on to `a`; write `{ id = 1, moved_from = \"a\" }`, and so each of them, in `b` if that is meant, or put it back"
        ]
    );
    // Taking one out first changes nothing of that.
    let before = [stored(10, "a", true, &[(1, false)]), stored(11, "b", true, &[])];
    let file = [configured("a", None, &[]), configured("b", None, &[(1, None)])];
    assert_eq!(super::plan(&file, &before).kept, BTreeMap::from([(1, kept(10, "a"))]));
}

#[test]
fn a_move_that_is_said_is_carried_out_once_and_only_from_where_it_is_said() {
    let file = [configured("a", None, &[(2, None)]), configured("b", None, &[(1, Some("a")), (3, None)])];
    let plan = plan(&file, &tables());
    assert!(plan.kept.is_empty());
    assert_eq!(
        sentences(&plan),
        [
            "the dealership 1 belongs to the workspace `b` from now on: the rows of what came before stay in `a`, and what \
          comes goes to `b`"
        ]
    );
    let after = [stored(10, "a", true, &[(2, true)]), stored(11, "b", true, &[(1, true), (3, true)])];
    assert_eq!(sentences(&super::plan(&file, &after)), Vec::<String>::new(), "the line may stay in the file");
    let elsewhere = [configured("a", None, &[(2, None)]), configured("b", None, &[(1, Some("z")), (3, None)])];
    assert_eq!(super::plan(&elsewhere, &tables()).kept, BTreeMap::from([(1, kept(10, "a"))]));
}

#[test]
fn a_slug_that_changes_without_a_word_stays_and_its_workspace_goes_on() {
    // One more dealership, and one less that is inactive, are no other workspace.
    let before = [stored(10, "a", true, &[(1, true), (2, true), (9, false)]), stored(11, "b", true, &[(3, true)])];
    let file = [configured("new", None, &[(1, None), (2, None), (4, None)]), configured("b", None, &[(3, None)])];
    let plan = plan(&file, &before);
    assert_eq!(rows(&plan), [("b", 11), ("new", 10)]);
    assert_eq!(plan.kept_slugs, BTreeMap::from([("new".to_owned(), "a".to_owned())]));
    assert!(plan.kept.is_empty(), "its row is that of the new slug");
    assert_eq!(
        sentences(&plan),
        [
            "the configuration no longer names the workspace `a`, and the dealerships 1, 2 stand in `new`, which is new: the \
          workspace keeps the slug `a` in the tables, and what comes for `new` goes on to it; write `former_slug = \"a\"` \
          in `new` if it is the same workspace, or `moved_from = \"a\"` at each of its dealerships if it is another one"
        ]
    );
}

#[test]
fn a_slug_that_is_said_to_be_renamed_is_renamed_once() {
    let file = [configured("new", Some("a"), &[(1, None)]), configured("b", None, &[(3, None)])];
    let plan = plan(&file, &tables());
    assert_eq!(rows(&plan), [("b", 11), ("new", 10)]);
    assert_eq!(
        sentences(&plan),
        ["the workspace `a` is called `new` from now on: all its rows stay with it, under the new slug"]
    );
    let after = [stored(10, "new", true, &[(1, true), (2, false)]), stored(11, "b", true, &[(3, true)])];
    assert_eq!(sentences(&super::plan(&file, &after)), Vec::<String>::new(), "the line may stay in the file");
    assert_eq!(sentences(&super::plan(&file, &[])), Vec::<String>::new(), "in a fresh database it is new");
    // A workspace without dealerships is renamed as well.
    let leadpro = [stored(12, "letters", true, &[])];
    assert_eq!(rows(&super::plan(&[configured("lets", Some("letters"), &[])], &leadpro)), [("lets", 12)]);
}

#[test]
fn a_workspace_that_comes_apart_or_shrinks_is_no_renamed_one() {
    for file in [
        vec![configured("x", None, &[(1, None)]), configured("y", None, &[(2, None)])],
        vec![configured("x", None, &[(1, None)])],
        vec![configured("x", None, &[(1, None), (2, Some("a"))])],
    ] {
        let plan = plan(&file, &tables()[..1]);
        assert_eq!(rows(&plan), [], "{file:?}");
        assert_eq!(plan.kept.get(&1), Some(&kept(10, "a")), "{file:?}");
    }
}

#[test]
fn a_renamed_workspace_may_be_named_by_either_slug_where_a_dealership_leaves_it() {
    for from in ["a", "new"] {
        let file = [configured("new", Some("a"), &[(2, None)]), configured("b", None, &[(1, Some(from)), (3, None)])];
        let plan = plan(&file, &tables());
        assert_eq!((plan.kept.len(), plan.changes.len(), plan.disagreements.len()), (0, 2, 0), "{from}");
    }
}

#[test]
fn where_both_slugs_are_in_the_tables_nothing_is_renamed() {
    let file = [configured("b", Some("a"), &[(1, None), (2, None), (3, None)])];
    let plan = plan(&file, &tables());
    assert_eq!(rows(&plan), [("b", 11)]);
    assert_eq!(plan.kept.len(), 2);
    assert!(sentences(&plan)[0].starts_with("`former_slug = \"a\"` is not carried out"), "{:?}", sentences(&plan));
    // One that nothing belongs to any more is history.
    let history = [stored(10, "a", false, &[]), stored(11, "b", true, &[(1, true), (2, true), (3, true)])];
    assert_eq!(sentences(&super::plan(&file, &history)), Vec::<String>::new());
}

#[test]
fn what_was_said_of_a_former_move_hides_no_rename() {
    // 3 came from `z` once, and the line stayed in the file.
    let file = [configured("a", None, &[(1, None), (2, None)]), configured("south", None, &[(3, Some("z"))])];
    let plan = plan(&file, &tables());
    assert_eq!(rows(&plan), [("a", 10), ("south", 11)]);
    assert!(matches!(&plan.disagreements[..], [Disagreement::UnsaidRename { .. }]), "{:?}", sentences(&plan));
}
