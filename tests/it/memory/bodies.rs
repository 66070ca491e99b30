//! The worst bodies that were found: small to send, and large once they are read.

use std::sync::atomic::{AtomicUsize, Ordering};

const MIB: usize = 1 << 20;

/// The dealership of each body.
pub(super) const DEALERSHIP: usize = 356;
/// The first of eight that have workspaces of their own.
pub(super) const OTHERS: usize = 901;

/// A body, and which feed it goes to.
pub(super) struct Worst {
    pub(super) name: &'static str,
    pub(super) feed: &'static str,
    pub(super) body: Vec<u8>,
    /// Whether eight of it are sent at once, too.
    pub(super) at_once: bool,
}

impl Worst {
    /// The same of something else: with another id, and for another of eight workspaces.
    pub(super) fn another(&self, number: usize) -> Vec<u8> {
        let name = if self.feed == "inventory" { "\"Identifier\":" } else { "\"id\":" };
        let body = str::from_utf8(&self.body).unwrap();
        let body = body.replacen(name, &format!("{name}{}", number + 1), 1);
        body.replacen(&format!(":{DEALERSHIP}"), &format!(":{}", OTHERS + number), 1).into_bytes()
    }
}

fn worst(name: &'static str, feed: &'static str, body: String) -> Worst {
    Worst { name, feed, body: body.into_bytes(), at_once: false }
}

/// A body that repeats one piece so often, with commas between.
fn repeated(before: &str, piece: &str, times: usize, after: &str) -> String {
    let pieces = format!("{piece},").repeat(times);
    format!("{before}{}{after}", pieces.trim_end_matches(','))
}

/// A number that no other body has.
fn id() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A cluster with such fields beside its id.
fn cluster(fields: &str) -> String {
    format!("{{\"id\":{},\"dealership_id\":{DEALERSHIP},{fields}}}", id())
}

/// A vehicle with such fields beside what it is known by.
fn vehicle(fields: &str) -> String {
    format!(
        "{{\"Identifier\":{},\"SaleStatus\":\"For Sale\",\"LastModifiedUtc\":\"2026-01-01T00:00:00Z\",\"Seller\":{{\"Identifier\":{DEALERSHIP}}},{fields}}}",
        id()
    )
}

/// So many bytes of a list of leads that are all the same.
fn leads(piece: &str, bytes: usize) -> String {
    cluster(&repeated("\"leads\":[", piece, bytes / (piece.len() + 1), "]"))
}

/// What took the service down.
pub(super) fn of_the_issue() -> Vec<Worst> {
    vec![
        worst("leads `{}`, 15 MiB", "lead_cluster", leads("{}", 15 * MIB)),
        worst("leads `{\"id\":1}`, 15 MiB", "lead_cluster", leads("{\"id\":1}", 15 * MIB)),
        worst("leads `0`, 15 MiB", "lead_cluster", leads("0", 15 * MIB)),
    ]
}

/// Leads that each say something, with an id and a customer of their own.
fn full_leads(count: usize) -> String {
    let lead = |number: usize| {
        format!(
            "{{\"id\":\"L{number}\",\"prospect\":{{\"email\":\"a{number}@example.com\",\"name\":\"A\",\"last_name\":\"B\",\"phone\":\"0412345678\",\
             \"dob\":\"01/02/1980\"}},\"item\":{{\"vin\":\"WVWZZZ1KZ{number:08}\",\"stock_number\":\"S{number}\"}},\
             \"category\":\"Subscription Enquiry\",\"additional_details\":{{\"subscription_plan\":\"Premium\",\"license_number\":\"1\"}},\
             \"location\":{{\"location_name\":\"x\"}},\"trade_in_data\":{{\"rego\":\"abc123\"}}}}"
        )
    };
    (0..count).map(lead).collect::<Vec<_>>().join(",")
}

fn events(count: usize) -> String {
    let event = |number: usize| {
        format!(
            "{{\"id\":{number},\"description\":\"abc\",\"event_type\":\"email\",\"created_at\":\"2026-01-01T00:00:00Z\"}}"
        )
    };
    (0..count).map(event).collect::<Vec<_>>().join(",")
}

/// A few of each kind, for every run.
pub(super) fn few() -> Vec<Worst> {
    let mut few = vec![
        worst("200,000 small objects nested in an unknown field", "lead_cluster", nested(2_000)),
        worst("500 leads", "lead_cluster", cluster(&format!("\"leads\":[{}]", full_leads(500)))),
        worst("entries that are none", "lead_cluster", bad_entries()),
        worst("a list of objects kept with a vehicle", "inventory", kept_list(MIB / 2)),
    ];
    few[3].at_once = true;
    few
}

fn nested(times: usize) -> String {
    let deep = format!("{}0{}", "{\"a\":".repeat(100), "}".repeat(100));
    cluster(&repeated("\"x\":[", &deep, times, "]"))
}

fn bad_entries() -> String {
    cluster(&format!(
        "{},{}",
        repeated("\"leads\":[", "0", 5_000, "]"),
        repeated("\"lead_events\":[", "0", 50_000, "]")
    ))
}

fn kept_list(bytes: usize) -> String {
    vehicle(&repeated("\"Features\":[", "{\"a\":{\"a\":0}}", bytes / 14 - 20, "]"))
}

/// All of them, at the limits.
pub(super) fn all() -> Vec<Worst> {
    let mut all = of_the_issue();
    all.extend(unknown());
    all.extend(kept());
    all.extend(entries());
    all.extend(of_other_feeds());
    for worst in &mut all {
        worst.at_once = matches!(
            worst.name,
            "leads `{}`, 15 MiB"
                | "1.48 million objects, 100 deep"
                | "5,000 leads, 50,000 events and a million zeros"
                | "a text of 16 MiB of escapes"
                | "a list of objects kept with a vehicle, 2 MiB"
        );
    }
    all
}

/// What is read and not kept.
fn unknown() -> Vec<Worst> {
    let names = (0..1_200_000).map(|number| format!("\"{number:x}\":0")).collect::<Vec<_>>().join(",");
    vec![
        worst(
            "1.49 million zeros in an unknown field",
            "lead_cluster",
            cluster(&repeated("\"x\":[", "0", 1_490_000, "]")),
        ),
        worst("1.48 million objects, 100 deep", "lead_cluster", nested(14_800)),
        worst("749,000 objects of one field", "lead_cluster", cluster(&repeated("\"x\":[", "{\"a\":0}", 749_000, "]"))),
        worst("1.2 million unknown names", "lead_cluster", cluster(&names)),
        worst("an unknown name of 16 MiB", "lead_cluster", cluster(&format!("\"{}\":1", "n".repeat(16 * MIB - 100)))),
        worst(
            "a text of 16 MiB of escapes",
            "lead_cluster",
            cluster(&format!("\"leads\":[{{\"id\":\"T\",\"comments\":\"{}\"}}]", "\\n\\u00e9".repeat(2 * MIB - 100))),
        ),
    ]
}

/// What is kept as JSON.
fn kept() -> Vec<Worst> {
    let details = |fields: &str| cluster(&format!("\"leads\":[{{\"id\":\"J\",\"additional_details\":{{{fields}}}}}]"));
    vec![
        worst(
            "1.49 million numbers in free-form details",
            "lead_cluster",
            details(&repeated("\"x\":[", "1e22", 1_490_000, "]")),
        ),
        worst(
            "749,000 objects in free-form details",
            "lead_cluster",
            details(&repeated("\"x\":[", "{\"a\":0}", 749_000, "]")),
        ),
        worst(
            "the same under a name with U+0000",
            "lead_cluster",
            details(&repeated("\"x\\u0000\":[", "{\"a\":0}", 749_000, "]")),
        ),
        worst(
            "749,000 services of a vehicle",
            "lead_cluster",
            cluster(&format!(
                "\"leads\":[{{\"id\":\"I\",\"item\":{{{}}}}}]",
                repeated("\"third_party_integrations\":[", "{\"a\":0}", 749_000, "]")
            )),
        ),
    ]
}

/// As many entries as are taken.
fn entries() -> Vec<Worst> {
    vec![
        worst("5,000 empty leads", "lead_cluster", leads("{}", 15_000)),
        worst("entries that are none", "lead_cluster", bad_entries()),
        worst("5,000 leads", "lead_cluster", cluster(&format!("\"leads\":[{}]", full_leads(5_000)))),
        worst("50,000 events", "lead_cluster", cluster(&format!("\"lead_events\":[{}]", events(50_000)))),
        worst(
            "5,000 leads, 50,000 events and a million zeros",
            "lead_cluster",
            cluster(&format!(
                "\"leads\":[{}],\"lead_events\":[{}],{}",
                full_leads(5_000),
                events(50_000),
                repeated("\"x\":[", "0", 1_000_000, "]")
            )),
        ),
    ]
}

fn of_other_feeds() -> Vec<Worst> {
    vec![
        worst("a list of objects kept with a vehicle, 2 MiB", "inventory", kept_list(2 * MIB)),
        worst(
            "a million attributes that are none",
            "inventory",
            vehicle(&format!("\"Specification\":{{{}}}", repeated("\"Attributes\":[", "0", MIB - 100, "]"))),
        ),
        worst(
            "free-form meta of LeadPro, 2 MiB",
            "leadpro_lead",
            format!(
                "{{\"event\":\"lead.created\",\"data\":{{\"id\":1,\"meta\":{{{}}}}}}}",
                repeated("\"x\":[", "{\"a\":0}", 2 * MIB / 8 - 20, "]")
            ),
        ),
        worst(
            "a questionnaire of a million zeros",
            "leadpro_lead",
            format!(
                "{{\"event\":\"lead.created\",\"data\":{{\"id\":2,{}}}}}",
                repeated("\"questionnaire\":[", "0", MIB - 100, "]")
            ),
        ),
    ]
}
