//! Payloads in few words: one that has all a booking needs, and what a test changes of it.

use serde_json::{Map, Value, json};

/// The VIN of [`car`], which [`lead`] asks for.
pub(crate) const VIN: &str = "JTDBR32E720123456";

/// A lead that asks for a booking and lacks nothing but the car of [`car`]; then the changes.
pub(crate) fn lead(changes: Value) -> Value {
    let whole = json!({
        "id": 1,
        "created": "2025-10-01T00:00:00Z",
        "updated_at": "2025-10-01T00:00:00Z",
        "dealership": { "id": 356 },
        "category": "Subscription Enquiry",
        "prospect": { "first_name": "Ann", "email": "ann@example.com" },
        "item": { "vin": VIN },
        "location": { "location_name": "Dealer A" },
        "additional_details": { "subscription_plan": "Premium" },
    });
    with(whole, changes)
}

/// A lead of which no more is known than who asks; it asks for no booking.
pub(crate) fn enquiry(changes: Value) -> Value {
    let whole = json!({
        "id": 1,
        "created": "2025-10-01T00:00:00Z",
        "updated_at": "2025-10-01T00:00:00Z",
        "dealership": { "id": 356 },
        "prospect": { "email": "ann@example.com" },
    });
    with(whole, changes)
}

/// A car for sale at the dealership 356 and its location `Dealer A`; then the changes.
pub(crate) fn car(changes: Value) -> Value {
    let whole = json!({
        "Type": "CAR",
        "Identifier": 1,
        "SaleStatus": "For Sale",
        "LastModifiedUtc": "2025-10-01T00:00:00Z",
        "CreatedUtc": "2025-09-01T00:00:00Z",
        "Identification": names(Some(VIN), Some("S1")),
        "Seller": { "Identifier": 356, "LocationName": "Dealer A" },
    });
    with(whole, changes)
}

/// What a car is known by.
pub(crate) fn names(vin: Option<&str>, stock_number: Option<&str>) -> Value {
    let names = [("VIN", vin), ("StockNumber", stock_number)];
    names.into_iter().filter_map(|(kind, name)| Some(json!({ "Type": kind, "Value": name? }))).collect()
}

/// A payload with changes: objects are merged, what is null is taken out, everything else takes the former's place.
pub(crate) fn with(whole: Value, changes: Value) -> Value {
    let Value::Object(changes) = changes else { return changes };
    let mut whole = if let Value::Object(whole) = whole { whole } else { Map::new() };
    for (name, change) in changes {
        if change.is_null() {
            whole.remove(&name);
        } else {
            let former = whole.remove(&name).unwrap_or_default();
            whole.insert(name, with(former, change));
        }
    }
    Value::Object(whole)
}
