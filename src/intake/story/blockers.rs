//! What stands in the way of a lead's booking now: what it means, what to do, what was asked for, and what there is instead.

use super::delivery::explain;
use super::gather::Gathered;
use super::types::Blocker;
use crate::store::story::{LeadRow, ListingRow};

/// How many names are listed where none is nearly the one that was asked for.
const MOST_NAMES: usize = 5;
/// In how many letters a name may differ and still be taken for a misspelling.
const TYPOS: usize = 2;

/// The blockers of a lead, in its own order.
pub(super) fn blockers(lead: &LeadRow, gathered: &Gathered) -> Vec<Blocker> {
    if lead.booking_state != "blocked" {
        return Vec::new();
    }
    let blocker = |code: &String| {
        let (meaning, mut remedy) = explain(code);
        let (asked_for, near_miss) = wanted(code, lead, gathered);
        if code == "package_not_found" && near_package(lead, gathered).is_some() {
            remedy =
                format!("If that one is meant, have the sender give its name as it stands there. If not: {remedy}");
        }
        Blocker { code: code.clone(), meaning, remedy, asked_for, near_miss }
    };
    lead.booking_blockers.iter().map(blocker).collect()
}

/// What was asked for, and what there is instead.
fn wanted(code: &str, lead: &LeadRow, gathered: &Gathered) -> (Option<String>, Option<String>) {
    match code {
        "asset_not_found" | "asset_archived" => {
            let vin = lead.vin.as_ref().map(|vin| format!("VIN {vin}"));
            let number = lead.stock_number.as_ref().map(|number| format!("stock number {number}"));
            let wanted: Vec<String> = [vin, number].into_iter().flatten().collect();
            let vehicle = if code == "asset_archived" { archived(lead, gathered) } else { of_number(lead, gathered) };
            ((!wanted.is_empty()).then(|| wanted.join(", ")), vehicle)
        }
        "location_not_found" => (lead.location_name.clone(), location(lead, gathered)),
        "package_not_found" => (lead.subscription_plan.clone(), package(lead, gathered)),
        "email_invalid" => (lead.contact_email.clone(), None),
        _ => (None, None),
    }
}

/// The package that was nearly asked for; else those that there are, where they are few.
fn package(lead: &LeadRow, gathered: &Gathered) -> Option<String> {
    let wanted = lead.subscription_plan.as_deref()?;
    if is_withdrawn(wanted, gathered) {
        return Some(format!("the package `{wanted}` is no longer offered"));
    }
    if let Some(near) = near_package(lead, gathered) {
        return Some(format!("no package `{wanted}`; there is `{near}`"));
    }
    let names: Vec<String> = gathered.packages.iter().take(MOST_NAMES).map(|name| format!("`{name}`")).collect();
    let more = if gathered.packages.len() > MOST_NAMES { " and more" } else { "" };
    Some(match names.as_slice() {
        [] => format!("no package `{wanted}`; the workspace has none"),
        names => format!("no package `{wanted}`; there are {}{more}", names.join(", ")),
    })
}

fn is_withdrawn(wanted: &str, gathered: &Gathered) -> bool {
    gathered.names.packages.iter().any(|(name, usable)| name == wanted && !usable)
}

/// The package whose name is nearly the one that was asked for.
fn near_package<'g>(lead: &LeadRow, gathered: &'g Gathered) -> Option<&'g String> {
    let wanted = lead.subscription_plan.as_deref().filter(|wanted| !is_withdrawn(wanted, gathered))?;
    let mut known = gathered.names.packages.iter();
    let other_case = known.find(|(name, usable)| *usable && name.to_lowercase() == wanted.to_lowercase());
    other_case.map(|(name, _)| name).or_else(|| nearest(wanted, &gathered.packages))
}

/// The name that differs from the one asked for by a few letters alone.
fn nearest<'a>(wanted: &str, names: &'a [String]) -> Option<&'a String> {
    let wanted = wanted.to_lowercase();
    let allowed = TYPOS.min(wanted.chars().count() / 3);
    let distances = names.iter().map(|name| (distance(&wanted, &name.to_lowercase()), name));
    distances.filter(|(distance, _)| *distance <= allowed).min().map(|(_, name)| name)
}

/// By how many letters that are added, left out or replaced two texts differ.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut before: Vec<usize> = (0..=other.len()).collect();
    for (row, letter) in one.chars().enumerate() {
        let mut left = row + 1;
        let mut row = vec![left];
        for (pair, known) in before.windows(2).zip(&other) {
            let [diagonal, above] = pair else { continue };
            left = (diagonal + usize::from(letter != *known)).min(above + 1).min(left + 1);
            row.push(left);
        }
        before = row;
    }
    before.last().copied().unwrap_or_default()
}

/// The location of that name, which is there and cannot be booked.
fn location(lead: &LeadRow, gathered: &Gathered) -> Option<String> {
    let wanted = lead.location_name.as_deref()?;
    let known = gathered.names.locations.iter().find(|(name, _)| name.to_lowercase() == wanted.to_lowercase());
    known.map(|(name, _)| format!("there is a location `{name}`, which the configuration does not make bookable"))
}

/// The vehicle that was asked for and is not for sale.
fn archived(lead: &LeadRow, gathered: &Gathered) -> Option<String> {
    let is_asked = |listing: &&ListingRow| {
        lead.vin.is_some() && listing.vin == lead.vin
            || lead.stock_number.is_some() && listing.stock_number == lead.stock_number
    };
    gathered.listings.iter().find(is_asked).map(|listing| match listing.status.as_str() {
        "archived" => "another vehicle of the dealership has taken its stock number".to_owned(),
        status => format!("the vehicle is {status}"),
    })
}

/// A vehicle with the stock number of a lead whose VIN nobody has.
fn of_number(lead: &LeadRow, gathered: &Gathered) -> Option<String> {
    let (vin, number) = (lead.vin.as_ref()?, lead.stock_number.as_ref()?);
    let other = gathered.listings.iter().find(|listing| listing.stock_number.as_ref() == Some(number))?;
    let known = other.vin.as_ref().filter(|known| *known != vin)?;
    Some(format!("no vehicle has VIN {vin}; stock number {number} is the vehicle with VIN {known}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_differ_by_letters() {
        for (one, other, expected) in
            [("", "", 0), ("", "abc", 3), ("starter", "starter", 0), ("startr", "starter", 1), ("kitten", "sitting", 3)]
        {
            assert_eq!((distance(one, other), distance(other, one)), (expected, expected), "{one} {other}");
        }
    }

    #[test]
    fn the_nearest_name_is_offered_and_one_that_is_far_is_not() {
        let names = ["Premium".to_owned(), "Starter".to_owned(), "Go".to_owned()];
        assert_eq!(nearest("premum", &names), Some(&names[0]));
        assert_eq!(nearest("STARTER ", &names), Some(&names[1]));
        assert_eq!(nearest("Value", &names), None);
        assert_eq!(nearest("Do", &names), None, "of two letters one is half");
    }
}
