//! Stories as plain text for a terminal of 100 columns, with times in the workspace's zone.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;

use crate::intake::story::{Blocker, Delivery, Entry, Event, Finding, Found, Healed, Lead, Standing, Story};

/// So many characters stand in a line at the most, as far as words can be parted.
const WIDTH: usize = 100;
/// So many characters are shown of a value at the most.
const MOST_CHARACTERS: usize = 1_000;
/// So far entries of the timeline stand in, behind their times.
const INDENT: usize = 23;

/// What was found, as text that ends with a line.
#[must_use]
pub fn text(found: &Found) -> String {
    let mut page = Page::default();
    for (place, story) in found.stories.iter().enumerate() {
        if place > 0 {
            page.line(0, "");
        }
        write_story(&mut page, story);
    }
    if found.has_more {
        page.line(0, "");
        page.line(0, "There is more under this key: narrow it with --workspace.");
    }
    page.0
}

/// A text without what would steer a terminal: payloads hold whatever senders put there.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() || turns(letter) { '\u{fffd}' } else { letter }).collect()
}

/// Whether a character turns the direction of what stands around it, so that it reads as something else (Unicode's annex 9).
fn turns(letter: char) -> bool {
    matches!(letter, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A text that is no longer than is shown of one.
fn cut(text: &str) -> String {
    match text.char_indices().nth(MOST_CHARACTERS) {
        Some((end, _)) => format!("{}... ({} characters)", text.get(..end).unwrap_or_default(), text.chars().count()),
        None => text.to_owned(),
    }
}

#[derive(Default)]
struct Page(String);

impl Page {
    /// A paragraph that stands in so far, broken between words.
    fn line(&mut self, indent: usize, text: &str) {
        self.hanging("", indent, text);
    }

    /// A paragraph behind a first word.
    fn hanging(&mut self, first: &str, indent: usize, text: &str) {
        let mut line = format!("{:<indent$}", plain(first));
        let mut is_begun = false;
        for word in plain(&cut(text)).split(' ').flat_map(|word| pieces(word, WIDTH.saturating_sub(indent))) {
            if is_begun && line.chars().count() + 1 + word.chars().count() > WIDTH {
                self.end(&line);
                line = " ".repeat(indent);
                is_begun = false;
            }
            if is_begun {
                line.push(' ');
            }
            line.push_str(&word);
            is_begun = true;
        }
        self.end(&line);
    }

    fn end(&mut self, line: &str) {
        // Writing to a text cannot fail.
        let _ = writeln!(self.0, "{}", line.trim_end());
    }
}

/// A word in pieces that fit into a line.
fn pieces(word: &str, width: usize) -> Vec<String> {
    let letters: Vec<char> = word.chars().collect();
    let pieces: Vec<String> = letters.chunks(width.max(1)).map(|piece| piece.iter().collect()).collect();
    if pieces.is_empty() { vec![String::new()] } else { pieces }
}

fn write_story(page: &mut Page, story: &Story) {
    let zone = story.workspace.as_ref().and_then(|of| of.timezone.parse().ok()).unwrap_or(Tz::UTC);
    let place = story
        .workspace
        .as_ref()
        .map_or_else(|| "of no workspace".to_owned(), |of| format!("in workspace {} ({})", of.slug, of.name));
    page.line(0, &format!("{}, {place}", capital(&story.title)));
    page.line(0, &format!("Times are those of {}.", zone.name()));
    if !story.facts.is_empty() {
        page.line(0, "");
    }
    let width = story.facts.iter().map(|fact| fact.label.len()).max().unwrap_or_default() + 4;
    for fact in &story.facts {
        page.hanging(&format!("  {}", fact.label), width, &fact.value);
    }
    for lead in &story.leads {
        page.line(0, "");
        write_lead(page, lead, zone);
    }
    if !story.timeline.is_empty() {
        page.line(0, "");
        let older = if story.has_more { "; what is older is left out" } else { "" };
        page.line(0, &format!("What happened, the oldest first{older}"));
    }
    for entry in &story.timeline {
        page.line(0, "");
        write_entry(page, entry, zone);
    }
}

fn capital(text: &str) -> String {
    // An address stays as it is.
    if text.split(' ').next().is_some_and(|word| word.contains('@')) {
        return text.to_owned();
    }
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn shown(at: DateTime<Utc>, zone: Tz) -> String {
    at.with_timezone(&zone).format("%Y-%m-%d %H:%M:%S").to_string()
}

/// How a lead stands now.
fn write_lead(page: &mut Page, lead: &Lead, zone: Tz) {
    let id = &lead.external_id;
    let state = match (&lead.booking, lead.booking_state.as_str()) {
        (Some(booking), _) => format!(
            "has a booking since {}: {}, at {}, on {}.",
            shown(booking.created_at, zone),
            booking.vehicle,
            booking.location,
            booking.package
        ),
        (None, "blocked") => "has no booking. This stands in its way now:".to_owned(),
        (None, "not_requested") => "asks for no booking.".to_owned(),
        (None, other) => format!("has no booking ({other})."),
    };
    page.line(0, &format!("Lead {id} {state}"));
    if let Some(delivery) = lead.booking.as_ref().and_then(|booking| booking.delivery_id) {
        page.line(2, &format!("made or changed last by delivery {delivery}"));
    }
    for blocker in &lead.blockers {
        write_blocker(page, blocker);
    }
    if let Some(until) = lead.retried_until {
        page.line(2, &format!("It is tried again by itself until {}.", shown(until, zone)));
    } else if lead.booking_state == "blocked" && lead.erased_at.is_none() {
        page.line(2, "It is too old to be tried again by itself: a new delivery of the lead tries it.");
    }
    if let Some(at) = lead.erased_at {
        page.line(2, &format!("Its customer was erased at {}.", shown(at, zone)));
    }
}

fn write_blocker(page: &mut Page, blocker: &Blocker) {
    page.line(2, &format!("{}: {}", blocker.code, blocker.meaning));
    if let Some(asked) = &blocker.asked_for {
        page.line(4, &format!("asked for: {asked}"));
    }
    if let Some(near) = &blocker.near_miss {
        page.line(4, near);
    }
    if !blocker.remedy.is_empty() {
        page.line(4, &format!("to do: {}", blocker.remedy));
    }
}

fn write_entry(page: &mut Page, Entry { at, event }: &Entry, zone: Tz) {
    let first = format!("  {}", shown(*at, zone));
    match event {
        Event::Delivery(delivery) => write_delivery(page, &first, delivery, zone),
        Event::Change(change) => {
            let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "nothing".to_owned());
            let (from, to) = (value(&change.from), value(&change.to));
            let told = format!("{} changed by the sender: {} from {from} to {to}", change.of, change.field);
            page.hanging(&first, INDENT, &told);
        }
        Event::Healed(Healed { lead, delivery_id, feed }) => {
            let by = match (feed, delivery_id) {
                (Some(feed), Some(id)) => format!("by the {feed} delivery {id}"),
                (None, Some(id)) => format!("by delivery {id}"),
                (_, None) => "by the configuration, or by what is not known".to_owned(),
            };
            page.hanging(&first, INDENT, &format!("lead {lead} healed: its booking was made {by}"));
        }
        Event::Erased => page.hanging(&first, INDENT, "the customer was erased"),
    }
}

fn write_delivery(page: &mut Page, first: &str, delivery: &Delivery, zone: Tz) {
    let Delivery { feed, id, credential, outcome, .. } = delivery;
    page.hanging(first, INDENT, &format!("{feed} delivery {id} by credential {credential}: {outcome}"));
    let effects = delivery.effects.iter().map(|effect| format!("{} {}", effect.of, effect.became));
    let effects: Vec<String> = effects.collect();
    if !effects.is_empty() {
        page.line(INDENT, &effects.join("; "));
    }
    if !delivery.other_bookings.is_empty() {
        let others = delivery.other_bookings.iter().map(|booking| format!("{} {}", booking.lead, booking.became));
        page.line(INDENT, &format!("bookings of other leads: {}", others.collect::<Vec<_>>().join(", ")));
    }
    if let Some(dealership) = delivery.dealership_id.filter(|_| delivery.came_to_nothing()) {
        page.line(INDENT, &format!("names dealership {dealership}"));
    }
    for finding in &delivery.findings {
        write_finding(page, finding);
        if delivery.came_to_nothing() && finding.blocker.is_none() && !finding.remedy.is_empty() {
            page.line(INDENT + 2, &format!("to do: {}", finding.remedy));
        }
    }
    if delivery.more_findings > 0 {
        page.line(INDENT, &format!("and {} findings more", delivery.more_findings));
    }
    for replay in &delivery.replays {
        let before = replay.before.as_deref().unwrap_or("not there");
        let told = format!("replayed at {}: {before} before, {} then", shown(replay.at, zone), replay.outcome);
        page.line(INDENT, &told);
    }
    if delivery.attempts > 1 {
        let told = format!("tried {} times, the last at {}", delivery.attempts, shown(delivery.settled_at, zone));
        page.line(INDENT, &told);
    }
    if let Some(at) = delivery.retry_at {
        page.line(INDENT, &format!("tried again at {}", shown(at, zone)));
    }
    if let Some(at) = delivery.erased_at {
        page.line(INDENT, &format!("its body was erased at {}", shown(at, zone)));
    }
}

fn write_finding(page: &mut Page, finding: &Finding) {
    let path = finding.path.as_ref().map_or_else(String::new, |path| format!(" at {path}"));
    let message = if finding.message.is_empty() { String::new() } else { format!(": {}", finding.message) };
    page.line(INDENT, &format!("{}{path}{message}", finding.code));
    let standing = match finding.blocker {
        Some(Standing::Stands) => "stands in the way of the booking still",
        Some(Standing::Gone { by: Some(by) }) => {
            page.line(INDENT + 2, &format!("gone since delivery {by}"));
            return;
        }
        Some(Standing::Gone { by: None }) => "gone since: by the configuration, or by what is not known",
        Some(Standing::Unknown) => "may concern another lead of the same delivery",
        None => return,
    };
    page.line(INDENT + 2, standing);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::intake::story::{Fact, Kind, Workspace};

    fn story(title: &str) -> Story {
        let (slug, name, timezone) = ("alpha".to_owned(), "Alpha".to_owned(), "Australia/Brisbane".to_owned());
        Story {
            workspace: Some(Workspace { slug, name, timezone }),
            kind: Kind::Lead,
            title: title.to_owned(),
            key: "7".to_owned(),
            facts: Vec::new(),
            leads: Vec::new(),
            timeline: vec![Entry { at: DateTime::UNIX_EPOCH, event: Event::Erased }],
            has_more: false,
        }
    }

    #[test]
    fn times_are_those_of_the_workspace_whose_zone_is_said() {
        let found = Found { stories: vec![story("lead 7")], ..Found::default() };
        let expected = "Lead 7, in workspace alpha (Alpha)\nTimes are those of Australia/Brisbane.\n\n\
            What happened, the oldest first\n\n  1970-01-01 10:00:00  the customer was erased\n";
        assert_eq!(text(&found), expected);
    }

    #[test]
    fn what_would_steer_a_terminal_is_shown_and_not_obeyed_and_lines_are_no_longer_than_they_may_be() {
        let mut steering = story("lead \u{1b}[2J7\u{202e}");
        let value = "a word and another ".repeat(20) + "\r\n\u{7}" + &"x".repeat(300);
        steering.facts = vec![Fact { label: "status", value, link: None }];
        let told = text(&Found { stories: vec![steering], ..Found::default() });
        assert!(told.lines().all(|line| line.chars().count() <= WIDTH && !line.contains(char::is_control)), "{told}");
        assert!(told.contains("Lead \u{fffd}[2J7\u{fffd},"), "{told}");
        assert!(
            told.lines().filter(|line| line.contains("another")).skip(1).all(|line| line.starts_with("          "))
        );
    }

    #[test]
    fn of_a_very_long_value_the_beginning_is_shown_and_how_long_it_is() {
        let mut long = story("lead 7");
        long.facts = vec![Fact { label: "status", value: "x".repeat(100_000), link: None }];
        let told = text(&Found { stories: vec![long], ..Found::default() });
        assert!(told.len() < 2_000 && told.contains("... (100000"), "{told}");
    }
}
