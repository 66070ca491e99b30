//! What a key may name, in the forms in which the tables hold it, and what of it was found: the subjects of stories.

use std::collections::BTreeMap;

use super::key::Key;
use super::types::Kind;
use crate::domain::values::text::matched;
use crate::domain::values::{Email, Phone, PhoneRegion, StockNumber, Vin};
use crate::store::story::{Hit, HitKeys, HitKind, WorkspaceRow};

/// What a story is about, in one workspace.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    /// A lead's row.
    Lead(i64),
    /// A customer's row.
    Person(i64),
    /// Leads and clusters with an address or a number that is no customer's, or with what is no address.
    Nobody(Vec<i64>, Vec<i64>),
    /// A vehicle's row.
    Vehicle(i64),
    /// Leads that ask for a vehicle that there is not.
    Missing(Vec<i64>),
    /// A cluster's row.
    Cluster(i64),
}

impl Subject {
    /// The kind of its story.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Lead(_) => Kind::Lead,
            Self::Person(_) | Self::Nobody(..) => Kind::Person,
            Self::Vehicle(_) | Self::Missing(_) => Kind::Vehicle,
            Self::Cluster(_) => Kind::Cluster,
        }
    }
}

/// The key as the tables would hold it, by what it may be.
pub(super) fn hit_keys(key: &Key, workspaces: &[WorkspaceRow]) -> HitKeys {
    let text = matched(key.text()).into_owned();
    let mut keys = HitKeys::default();
    for kind in key.kinds() {
        match kind {
            Kind::Lead => keys.lead = Some(text.clone()),
            Kind::Cluster => keys.cluster = Some(text.clone()),
            Kind::Person => {
                if let Some(email) = Email::parse(key.text()) {
                    keys.email = Some(email.as_str().to_owned());
                } else {
                    keys.phones = phones(key.text(), workspaces);
                    keys.no_email = Some(text.clone()).filter(|text| text.contains(char::is_alphabetic));
                }
            }
            Kind::Vehicle => {
                keys.vin = Vin::parse(&text).map(|vin| vin.as_str().to_owned());
                keys.stock_number = StockNumber::parse(&text).map(|number| number.as_str().to_owned());
                keys.identifier = Some(text.clone());
                keys.plate = Some(text.replace(' ', "").to_uppercase());
            }
            Kind::Delivery => {}
        }
    }
    keys
}

/// A number as the workspaces' regions read it, and as it stands: what was not valid is stored as it was sent.
fn phones(text: &str, workspaces: &[WorkspaceRow]) -> Vec<(i64, String)> {
    let mut phones = Vec::new();
    for workspace in workspaces {
        let region = PhoneRegion::parse(&workspace.phone_region);
        // LeadPro's numbers are read in its own region.
        let regions = region.into_iter().chain([PhoneRegion::great_britain()]);
        let mut forms: Vec<String> = regions.map(|region| Phone::parse(text, &region).into_text()).collect();
        forms.push(text.to_owned());
        forms.sort();
        forms.dedup();
        phones.extend(forms.into_iter().map(|form| (workspace.id, form)));
    }
    phones
}

/// The subjects of what was found, by workspace, each once.
pub(super) fn subjects(hits: &[Hit]) -> Vec<(i64, Subject)> {
    let mut by_workspace: BTreeMap<i64, Vec<&Hit>> = BTreeMap::new();
    for hit in hits {
        by_workspace.entry(hit.workspace).or_default().push(hit);
    }
    let mut found = Vec::new();
    for (workspace, hits) in by_workspace {
        let of = |kind: HitKind| hits.iter().filter(move |hit| hit.kind == kind).map(|hit| hit.id);
        let mut subjects: Vec<Subject> = Vec::new();
        subjects.extend(of(HitKind::Lead).map(Subject::Lead));
        subjects.extend(of(HitKind::Cluster).map(Subject::Cluster));
        subjects.extend(of(HitKind::Person).map(Subject::Person));
        let (leads, clusters): (Vec<i64>, Vec<i64>) =
            (of(HitKind::LeadOfNobody).collect(), of(HitKind::ClusterOfNobody).collect());
        if !(leads.is_empty() && clusters.is_empty()) {
            subjects.push(Subject::Nobody(leads, clusters));
        }
        subjects.extend(of(HitKind::Listing).map(Subject::Vehicle));
        let asking: Vec<i64> = of(HitKind::AskingLead).collect();
        if !asking.is_empty() && of(HitKind::Listing).next().is_none() {
            subjects.push(Subject::Missing(asking));
        }
        found.extend(subjects.into_iter().map(|subject| (workspace, subject)));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace(id: i64, region: &str) -> WorkspaceRow {
        let (slug, name, timezone) = ("a".to_owned(), "A".to_owned(), "UTC".to_owned());
        WorkspaceRow { id, slug, name, timezone, phone_region: region.to_owned() }
    }

    #[test]
    fn a_number_is_looked_for_as_each_region_reads_it_and_as_it_stands() {
        let key = Key::parse("0412 345 678").unwrap();
        let keys = hit_keys(&key, &[workspace(1, "AU"), workspace(2, "GB")]);
        let of = |id| keys.phones.iter().filter(move |(known, _)| *known == id).map(|(_, phone)| phone.as_str());
        assert!(of(1).any(|phone| phone == "+61412345678") && of(1).any(|phone| phone == "0412 345 678"));
        assert!(!of(2).any(|phone| phone == "+61412345678"));
        assert_eq!((keys.lead.as_deref(), keys.plate.as_deref()), (Some("0412 345 678"), Some("0412345678")));
    }

    #[test]
    fn an_address_is_looked_for_as_persons_are_matched_and_a_vin_as_it_is_stored() {
        let keys = hit_keys(&Key::parse(" Ada@Example.COM ").unwrap(), &[workspace(1, "AU")]);
        assert_eq!((keys.email.as_deref(), keys.phones.len(), keys.lead), (Some("ada@example.com"), 0, None));
        let keys = hit_keys(&Key::of(Kind::Vehicle, "wba 3a5c5 0df123456").unwrap(), &[]);
        assert_eq!(keys.vin.as_deref(), Some("WBA3A5C50DF123456"));
    }

    #[test]
    fn what_is_nobodys_is_one_story_and_leads_ask_for_a_missing_vehicle_only_where_none_is_there() {
        let hit = |workspace, kind, id| Hit { workspace, kind, id };
        let found = subjects(&[
            hit(1, HitKind::LeadOfNobody, 5),
            hit(1, HitKind::LeadOfNobody, 6),
            hit(1, HitKind::ClusterOfNobody, 7),
            hit(2, HitKind::Listing, 8),
            hit(2, HitKind::AskingLead, 9),
            hit(3, HitKind::AskingLead, 10),
        ]);
        let expected =
            [(1, Subject::Nobody(vec![5, 6], vec![7])), (2, Subject::Vehicle(8)), (3, Subject::Missing(vec![10]))];
        assert_eq!(found, expected);
    }
}
