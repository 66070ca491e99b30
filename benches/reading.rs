//! What it costs to read the documented examples: the pass that counts, the payload, and its facts.
//!
//! `cargo bench --bench reading` tells the time of each. Instructions and allocations are counted by valgrind, as the
//! difference between two runs of one example that read it a different number of times:
//!
//! ```sh
//! cargo build --release --bench reading   # prints the path of the program
//! for times in 1000 2000; do valgrind --tool=callgrind --callgrind-out-file=/dev/null PROGRAM lead_page $times; done
//! for times in 1000 2000; do valgrind --tool=dhat --dhat-out-file=/dev/null PROGRAM lead_page $times; done
//! ```

use std::hint::black_box;
use std::time::Instant;

use chrono::{DateTime, Utc};
use forecourt::domain::values::{Country, PhoneRegion};
use forecourt::domain::workspace::Locale;
use forecourt::feeds::scan::scan;
use forecourt::feeds::{self, Feed};

const EXAMPLES: [(&str, Feed, &[u8]); 6] = [
    ("lead_page", Feed::Lead, include_bytes!("../fixtures/dealer_studio/lead/lead_page_example.json")),
    ("loopit_page", Feed::Lead, include_bytes!("../fixtures/dealer_studio/lead/loopit_page_example.json")),
    ("lead_cluster", Feed::LeadCluster, include_bytes!("../fixtures/dealer_studio/lead_cluster/page_example.json")),
    ("inventory", Feed::Inventory, include_bytes!("../fixtures/dealer_studio/inventory/page_example.json")),
    ("withdrawn", Feed::Inventory, include_bytes!("../fixtures/dealer_studio/inventory/page_withdrawn_example.json")),
    ("leadpro", Feed::LeadPro, include_bytes!("../fixtures/leadpro/leadpro_lead/page_example.json")),
];

fn read(feed: Feed, body: &[u8], locale: &Locale) {
    black_box(scan(feed, body)).ok();
    black_box(feeds::parse(feed, body, locale)).ok();
}

fn main() {
    let locale = Locale {
        received_at: DateTime::<Utc>::from_timestamp(1_790_000_000, 0).unwrap_or_default(),
        timezone: chrono_tz::Australia::Brisbane,
        phone_region: PhoneRegion::parse("AU").unwrap_or_else(PhoneRegion::great_britain),
        country: Country::parse("AU").unwrap_or_else(|| std::process::exit(2)),
    };
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let times = arguments.get(1).and_then(|times| times.parse().ok()).unwrap_or(10_000_u32);
    for (name, feed, body) in EXAMPLES {
        if arguments.first().is_some_and(|wanted| wanted != name) {
            continue;
        }
        // Tables that are made once are made now.
        read(feed, body, &locale);
        let begin = Instant::now();
        for _ in 0..times {
            read(feed, black_box(body), &locale);
        }
        println!("{name:<14} {:>6} bytes {:>12.2?}", body.len(), begin.elapsed() / times);
    }
}
