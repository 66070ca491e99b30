//! What is sent: a file, the JSON files of a folder, or the examples that the program carries.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::domain::feed::Feed;
use crate::feeds::json;

use super::SendError;

/// One body to be posted.
#[derive(Debug)]
pub(super) struct Payload {
    /// Its name for people.
    pub(super) name: String,
    /// Where it is posted to.
    pub(super) feed: Feed,
    content: Content,
    /// What is said of it where its booking is blocked.
    when_blocked: &'static str,
}

#[derive(Debug)]
enum Content {
    File(PathBuf),
    Shipped(&'static str),
}

impl Payload {
    /// The bytes to be posted.
    pub(super) fn body(&self) -> Result<Vec<u8>, SendError> {
        match &self.content {
            Content::File(path) => read(path),
            Content::Shipped(text) => Ok(text.as_bytes().to_vec()),
        }
    }

    /// What a person who sees the reply for the first time should know.
    pub(super) fn note_on(&self, reply: &[u8]) -> Option<&'static str> {
        let reply: serde_json::Value = serde_json::from_slice(reply).ok()?;
        let is_blocked = reply.get("booking").and_then(serde_json::Value::as_str) == Some("blocked");
        is_blocked.then_some(self.when_blocked)
    }
}

/// An example: of the senders' pages, and one of ours that books a car of theirs.
struct Example {
    name: &'static str,
    feed: Feed,
    text: &'static str,
    when_blocked: &'static str,
}

/// Names an example by its file below `fixtures/`.
macro_rules! example {
    ($feed:expr, $file:literal) => {
        example!($feed, $file, "")
    };
    ($feed:expr, $file:literal, $when_blocked:expr) => {
        Example {
            name: concat!("fixtures/", $file),
            feed: $feed,
            text: include_str!(concat!("../../../fixtures/", $file)),
            when_blocked: $when_blocked,
        }
    };
}

/// The first line that anybody sees of forecourt says `blocked`.
const EXPECTED: &str =
    " (as expected: its car is not listed yet; the inventory that follows lists it and makes the booking)";

/// In this order a first run shows the most: a lead whose car is not listed, that car, a car for sale, a lead that books it,
/// a lead that asks for no booking, and a cluster of leads.
const EXAMPLES: &[Example] = &[
    example!(Feed::Lead, "dealer_studio/lead/loopit_page_example.json", EXPECTED),
    example!(Feed::Inventory, "dealer_studio/inventory/vehicle_of_the_loopit_example.json"),
    example!(Feed::Inventory, "dealer_studio/inventory/page_example.json"),
    example!(Feed::Lead, "dealer_studio/lead/lead_for_the_inventory_page_car.json"),
    example!(Feed::Lead, "dealer_studio/lead/lead_page_example.json"),
    example!(Feed::LeadCluster, "dealer_studio/lead_cluster/page_example.json"),
];

/// Takes the car down again, and so is sent only where all examples are asked for.
const WITHDRAWAL: Example = example!(Feed::Inventory, "dealer_studio/inventory/page_withdrawn_example.json");

/// The shipped examples; with `all`, the withdrawal too, at the end.
pub(super) fn examples(all: bool) -> Vec<Payload> {
    EXAMPLES.iter().chain(all.then_some(&WITHDRAWAL)).map(payload_of).collect()
}

fn payload_of(example: &Example) -> Payload {
    let Example { name, feed, text, when_blocked } = *example;
    Payload { name: name.to_owned(), feed, content: Content::Shipped(text), when_blocked }
}

/// The file, or every `.json` file below the folder, sorted by path.
pub(super) fn below(path: &Path, feed: Option<Feed>) -> Result<Vec<Payload>, SendError> {
    let mut files = Vec::new();
    if path.is_dir() {
        collect(path, &mut files).map_err(|source| SendError::Unreadable { path: path.to_path_buf(), source })?;
        files.sort();
        if files.is_empty() {
            return Err(SendError::NothingToSend(path.to_path_buf()));
        }
    } else {
        files.push(path.to_path_buf());
    }
    files.into_iter().map(|file| payload(file, feed)).collect()
}

/// Links to folders are not followed, so that this ends.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let path = entry.path();
        if entry.file_type()?.is_dir() {
            collect(&path, files)?;
        } else if path.is_file() && path.extension().is_some_and(|end| end.eq_ignore_ascii_case("json")) {
            files.push(path);
        }
    }
    Ok(())
}

fn payload(path: PathBuf, feed: Option<Feed>) -> Result<Payload, SendError> {
    let feed = match feed.or_else(|| feed_of_path(&path)) {
        Some(feed) => feed,
        None => feed_of_body(&read(&path)?).ok_or_else(|| SendError::FeedUnknown(path.clone()))?,
    };
    Ok(Payload { name: path.display().to_string(), feed, content: Content::File(path), when_blocked: "" })
}

fn read(path: &Path) -> Result<Vec<u8>, SendError> {
    fs::read(path).map_err(|source| SendError::Unreadable { path: path.to_path_buf(), source })
}

/// The feed that the nearest folder is named after, as below `fixtures/`.
fn feed_of_path(path: &Path) -> Option<Feed> {
    path.ancestors().skip(1).find_map(|folder| Feed::named(folder.file_name()?.to_str()?))
}

/// The feed whose documented fields the body has.
fn feed_of_body(body: &[u8]) -> Option<Feed> {
    let body: serde_json::Value = json::parse(body).ok()?;
    let has = |fields: &[&str]| fields.iter().any(|field| body.get(field).is_some());
    let bears_marks_of = |feed: &Feed| match feed {
        Feed::Lead => has(&["prospect", "dealership"]),
        Feed::LeadCluster => has(&["contact", "leads", "dealership_id"]),
        Feed::Inventory => has(&["SaleStatus", "Seller", "Identification"]),
        Feed::LeadPro => has(&["event"]) && has(&["data"]),
    };
    Feed::ALL.iter().copied().find(bears_marks_of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_is_json_and_of_its_feed() {
        for payload in examples(true) {
            let body = payload.body().unwrap();
            assert_eq!(feed_of_body(&body), Some(payload.feed), "{}", payload.name);
            assert_eq!(feed_of_path(Path::new(&payload.name)), Some(payload.feed), "{}", payload.name);
        }
    }

    #[test]
    fn the_examples_end_with_the_car_for_sale_unless_all_are_asked_for() {
        let is_withdrawal = |payload: &Payload| payload.name.contains("withdrawn");
        assert!(!examples(false).iter().any(is_withdrawal));
        assert!(examples(true).last().is_some_and(is_withdrawal));
    }

    #[test]
    fn a_folder_is_sent_recursively_in_sorted_order_and_its_other_files_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let lead = folder.path().join("lead");
        fs::create_dir_all(lead.join("deeper")).unwrap();
        for name in ["lead/b.json", "lead/a.json", "lead/deeper/c.JSON", "lead/notes.md"] {
            fs::write(folder.path().join(name), "{}").unwrap();
        }
        fs::write(folder.path().join("z.json"), r#"{"Seller":{}}"#).unwrap();
        let sent = below(folder.path(), None).unwrap();
        let root = format!("{}/", folder.path().display());
        let names: Vec<_> = sent.iter().map(|payload| (payload.name.replace(&root, ""), payload.feed)).collect();
        let expected = [
            ("lead/a.json", Feed::Lead),
            ("lead/b.json", Feed::Lead),
            ("lead/deeper/c.JSON", Feed::Lead),
            ("z.json", Feed::Inventory),
        ];
        assert_eq!(names, expected.map(|(name, feed)| (name.to_owned(), feed)));
        let asked_for = below(&lead, Some(Feed::Inventory)).unwrap();
        assert!(asked_for.iter().all(|payload| payload.feed == Feed::Inventory));
    }

    #[test]
    fn an_event_with_its_data_is_leadpros() {
        assert_eq!(feed_of_body(br#"{"event": "lead.created", "data": {"id": 1}}"#), Some(Feed::LeadPro));
        assert_eq!(feed_of_body(br#"{"event": "lead.created"}"#), None);
        let example = Path::new("fixtures/leadpro/leadpro_lead/page_example.json");
        assert_eq!(feed_of_path(example), Some(Feed::LeadPro));
    }

    #[test]
    fn a_payload_whose_feed_nobody_can_tell_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.json");
        fs::write(&path, "[1,").unwrap();
        assert!(matches!(below(&path, None), Err(SendError::FeedUnknown(_))));
        assert!(matches!(below(&folder.path().join("no.json"), None), Err(SendError::Unreadable { .. })));
        fs::remove_file(&path).unwrap();
        assert!(matches!(below(folder.path(), None), Err(SendError::NothingToSend(_))));
    }
}
