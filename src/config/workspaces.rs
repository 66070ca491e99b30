//! `[[workspaces]]`: the tenants, with their dealerships, locations and packages.

use std::collections::BTreeMap;

use chrono_tz::Tz;
use toml::de::DeValue;

use crate::domain::facts::LocationColumns;
use crate::domain::values::text::matched;
use crate::domain::values::{Country, Currency, PhoneRegion};
use crate::domain::workspace::{ConfiguredLocation, Dealership, Workspace};

use super::expect;
use super::report::{Report, Span};
use super::section::{Section, Text, Value, kind, tables, text, whole};
use super::zones;

pub(super) const KEYS: &[&str] = &[
    "slug",
    "former_slug",
    "name",
    "timezone",
    "phone_region",
    "country",
    "currency",
    "dealerships",
    "locations",
    "packages",
    "expect",
];
pub(super) const DEALERSHIP_KEYS: &[&str] = &["id", "name", "timezone", "moved_from"];
pub(super) const LOCATION_KEYS: &[&str] = &["name", "bookable", "street", "suburb", "city", "state", "postcode"];

const EXAMPLE_DEALERSHIPS: &str = "[356, { id = 357, name = \"Dealer B\" }]";
const EXAMPLE_LOCATIONS: &str = "[\"Dealer A\", { name = \"Workshop\", bookable = false }]";

/// What has been named so far, and where: the same name twice is refused.
struct Taken<K>(BTreeMap<K, Span>);

impl<K: Ord> Taken<K> {
    fn new() -> Self {
        Self(BTreeMap::new())
    }

    /// Takes a name, or reports that it is taken; `what` begins the sentence.
    fn take(&mut self, key: K, span: Span, what: &str, instead: &str, report: &mut Report) {
        if let Some(first) = self.0.get(&key) {
            let line = report.line(first);
            report.problem(&span, format!("{what} stands in line {line} already; {instead}"));
        } else {
            self.0.insert(key, span);
        }
    }
}

/// The names that must not be given twice in the whole file.
struct FileWide<'a> {
    slugs: Taken<String>,
    former_slugs: Taken<String>,
    dealerships: Taken<i64>,
    /// The slugs of all workspaces, also of those that come later.
    all_slugs: Vec<&'a str>,
}

/// Reads every `[[workspaces]]`.
pub(super) fn read(root: &Section, report: &mut Report) -> Vec<Workspace> {
    let mut file =
        FileWide { slugs: Taken::new(), former_slugs: Taken::new(), dealerships: Taken::new(), all_slugs: slugs(root) };
    let entries = tables(root, "workspaces", report);
    if root.value("workspaces").is_none() && !root.misspells("workspaces") {
        let message = "there are no workspaces, so nothing could be stored; write `[[workspaces]]` with a `slug`";
        report.problem(&root.span(), message);
    }
    entries.into_iter().filter_map(|entry| workspace(entry, &mut file, report)).collect()
}

/// The slugs of the workspaces that the file names, of faulty ones too.
pub(super) fn slugs<'a>(root: &Section<'a>) -> Vec<&'a str> {
    let Some(DeValue::Array(entries)) = root.value("workspaces").map(Value::get_ref) else { return Vec::new() };
    let slug = |entry: &'a Value<'a>| entry.get_ref().get("slug")?.get_ref().as_str().map(str::trim);
    entries.iter().filter_map(slug).collect()
}

fn workspace(entry: &Value, file: &mut FileWide, report: &mut Report) -> Option<Workspace> {
    let section = Section::open_value("[[workspaces]]", entry, KEYS, report)?;
    let slug = slug(&section, file, report);
    let former_slug = former_slug(&section, file, report);
    let name = section.text("name", "\"Dealer A\"", report);
    let timezone = section.text("timezone", EXAMPLE_ZONE, report).and_then(|name| timezone(&name, report));
    let phone_region = section.text("phone_region", "\"AU\"", report).map_or("AU", Text::into_inner);
    let country = section.text("country", "\"AU\"", report).map_or("AU", Text::into_inner);
    let phone_region = known(PhoneRegion::parse(phone_region), "phone_region", phone_region, &section, report);
    let country = known(Country::parse(country), "country", country, &section, report);
    let currency = currency(&section, country.as_ref(), report);
    let dealerships = dealerships(&section, slug, file, report);
    let locations = locations(&section, report);
    let packages = packages(&section, report);
    let expect = expect::read(&section, dealerships.len(), report);
    let slug = slug?.to_owned();
    Some(Workspace {
        name: name.map_or_else(|| slug.clone(), |name| (*name.get_ref()).to_owned()),
        slug,
        former_slug,
        timezone: timezone.unwrap_or(Tz::Australia__Brisbane),
        phone_region: phone_region?,
        country: country?,
        currency,
        dealerships,
        locations,
        packages,
        expect,
    })
}

fn slug<'a>(section: &Section<'a>, file: &mut FileWide, report: &mut Report) -> Option<&'a str> {
    let text = section.required_text("slug", "\"dealer-a\"", report)?;
    let (slug, span) = (*text.get_ref(), text.span());
    if !slug.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_') {
        report.problem(&span, format!("`{slug}` is not a slug; write lower-case letters, digits and hyphens"));
    }
    let what = format!("the slug `{slug}`");
    file.slugs.take(slug.to_owned(), span, &what, "give each workspace its own", report);
    Some(slug)
}

/// The slug that the workspace had before; no workspace of the file has it now.
fn former_slug(section: &Section, file: &mut FileWide, report: &mut Report) -> Option<String> {
    let text = section.text("former_slug", "\"dealer-a\"", report)?;
    let former = (*text.get_ref()).to_owned();
    if file.all_slugs.contains(&former.as_str()) {
        let message = format!(
            "the `former_slug` `{former}` is the slug of a workspace of this file; write the slug that this workspace had \
             before and no other has now, or leave it out"
        );
        report.problem(&text.span(), message);
    }
    let what = format!("the former slug `{former}`");
    file.former_slugs.take(former.clone(), text.span(), &what, "one workspace at the most has had it", report);
    Some(former)
}

const EXAMPLE_ZONE: &str = "\"Australia/Brisbane\"";

fn timezone(text: &Text, report: &mut Report) -> Option<Tz> {
    let name = *text.get_ref();
    let zone = name.parse().ok();
    if zone.is_none() {
        report.problem(&text.span(), format!("unknown time zone `{name}`{}", zones::instead_of(name)));
    }
    zone
}

/// The currency that is written, else that of the country, where one is known.
fn currency(section: &Section, country: Option<&Country>, report: &mut Report) -> Option<Currency> {
    let Some(text) = section.text("currency", "\"AUD\"", report) else { return country.and_then(Currency::of) };
    let currency = Currency::parse(text.get_ref());
    if currency.is_none() {
        let message =
            format!("unknown currency `{}`; write an ISO code of three letters, such as \"AUD\"", text.get_ref());
        report.problem(&text.span(), message);
    }
    currency
}

/// Passes on a value that could be parsed, and reports one that could not.
fn known<T>(parsed: Option<T>, key: &str, text: &str, section: &Section, report: &mut Report) -> Option<T> {
    if parsed.is_none() {
        let message =
            format!("unknown {} `{text}`; write an ISO code of two letters, such as \"AU\"", key.replace('_', " "));
        report.problem(&section.span_of(key), message);
    }
    parsed
}

fn dealerships(section: &Section, slug: Option<&str>, file: &mut FileWide, report: &mut Report) -> Vec<Dealership> {
    let mut dealerships = Vec::new();
    for entry in section.list("dealerships", EXAMPLE_DEALERSHIPS, report) {
        let Some((place, dealership)) = dealership(entry, slug, report) else { continue };
        let what = format!("dealership {}", dealership.id);
        let instead = "a dealership belongs to exactly one workspace";
        file.dealerships.take(dealership.id, place, &what, instead, report);
        dealerships.push(dealership);
    }
    dealerships
}

/// An id, or a table with an id and more; with the place of the id. `slug` is that of its workspace.
fn dealership(entry: &Value, slug: Option<&str>, report: &mut Report) -> Option<(Span, Dealership)> {
    let mut dealership = Dealership::default();
    let value = if let DeValue::Table(table) = entry.get_ref() {
        let section = Section::open("a dealership", entry.span(), table, DEALERSHIP_KEYS, report);
        dealership.name = section.text("name", "\"Dealer A\"", report).map(|name| name.into_inner().to_owned());
        dealership.timezone = section.text("timezone", EXAMPLE_ZONE, report).and_then(|name| timezone(&name, report));
        let from = section.text("moved_from", "\"dealer-b\"", report);
        if let Some(from) = from.as_ref().filter(|from| Some(*from.get_ref()) == slug) {
            let message = "`moved_from` is the workspace that the dealership stands in; write the slug of the one that it \
                leaves, or leave it out";
            report.problem(&from.span(), message);
        }
        dealership.moved_from = from.map(|from| from.into_inner().to_owned());
        section.value("id").unwrap_or(entry)
    } else {
        entry
    };
    let id = whole(value).filter(|id| *id > 0);
    if id.is_none() {
        let message = format!(
            "a dealership is {} here; write the sender's id, a whole number: `dealerships = {EXAMPLE_DEALERSHIPS}`",
            if whole(value).is_some() { "not above 0" } else { kind(value) },
        );
        report.problem(&value.span(), message);
    }
    dealership.id = id?;
    Some((value.span(), dealership))
}

fn locations(section: &Section, report: &mut Report) -> Vec<ConfiguredLocation> {
    let mut taken = Taken::new();
    let mut locations = Vec::new();
    for entry in section.list("locations", EXAMPLE_LOCATIONS, report) {
        let Some((span, location)) = location(entry, report) else { continue };
        let what = format!("the location `{}` (capitals do not count)", location.name);
        taken.take(location.name.to_lowercase(), span, &what, "give each location of a workspace its own name", report);
        locations.push(location);
    }
    locations
}

/// A name, or a table with a name and more.
fn location(entry: &Value, report: &mut Report) -> Option<(Span, ConfiguredLocation)> {
    let DeValue::Table(table) = entry.get_ref() else {
        let name = text(entry, "a location", &format!("`locations = {EXAMPLE_LOCATIONS}`"), report)?;
        let (span, name) = (name.span(), matched(name.into_inner()).into_owned());
        return Some((span, ConfiguredLocation { name, bookable: true, columns: LocationColumns::default() }));
    };
    let section = Section::open("a location", entry.span(), table, LOCATION_KEYS, report);
    let name = section.required_text("name", "\"Dealer A\"", report);
    let bookable = section.flag("bookable", report).unwrap_or(true);
    let postcode = postcode(&section, report);
    let mut part = |key, example| section.text(key, example, report).map(|text| text.into_inner().to_owned());
    let columns = LocationColumns {
        street: part("street", "\"Elizabeth Street\""),
        suburb: part("suburb", "\"Fyshwick\""),
        city: part("city", "\"Sydney\""),
        state: part("state", "\"NSW\""),
        postcode,
        ..LocationColumns::default()
    };
    let name = name?;
    Some((name.span(), ConfiguredLocation { name: matched(name.into_inner()).into_owned(), bookable, columns }))
}

/// A postcode, as a text or as a number.
fn postcode(section: &Section, report: &mut Report) -> Option<String> {
    if let Some(number) = section.value("postcode").and_then(whole) {
        return Some(number.to_string());
    }
    section.text("postcode", "\"2000\"", report).map(|text| text.into_inner().to_owned())
}

fn packages(section: &Section, report: &mut Report) -> Vec<String> {
    let mut taken = Taken::new();
    let mut packages = Vec::new();
    for name in section.texts("packages", "[\"Premium\"]", report) {
        let (span, name) = (name.span(), matched(name.into_inner()).into_owned());
        let what = format!("the package `{name}`");
        taken.take(name.clone(), span, &what, "name each package of a workspace once", report);
        packages.push(name);
    }
    packages
}
