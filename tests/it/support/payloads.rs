//! Payloads in few words: each has what every delivery has, and what a test makes of it.
//!
//! [`a_lead`] is for tests to which one lead is as good as another; [`lead`], [`enquiry`] and [`car`] are what a booking is
//! made of, for tests of what becomes of them. Vehicles over time are made by [`crate::support::car`].

use std::ops::{Deref, DerefMut};

use serde_json::{Map, Value, json};

/// A delivery of the lead feed: its payload, to be posted or to be changed.
#[derive(Clone, Debug)]
pub(crate) struct Lead(Value);

/// Ada's lead, at the dealership 356, of which no more is known than who asks. Each id has an Ada of its own.
pub(crate) fn a_lead(id: i64) -> Lead {
    Lead(json!({
        "id": id, "created": "2025-10-03T06:10:08Z", "dealership": { "id": 356 },
        "prospect": { "first_name": "Ada", "email": format!("ada{id}@example.com") },
    }))
}

impl Lead {
    /// At another dealership.
    pub(crate) fn dealership(self, id: i64) -> Self {
        self.with(json!({ "dealership": { "id": id } }))
    }

    /// Of somebody with this address.
    pub(crate) fn email(self, email: &str) -> Self {
        self.with(json!({ "prospect": { "email": email } }))
    }

    /// With a comment, to tell one lead from another.
    pub(crate) fn comments(self, comments: &str) -> Self {
        self.with(json!({ "comments": comments }))
    }

    /// Last changed at this time.
    pub(crate) fn updated(self, at: &str) -> Self {
        self.with(json!({ "updated_at": at }))
    }

    /// With these changes, as [`with`] makes them.
    pub(crate) fn with(self, changes: Value) -> Self {
        Self(with(self.0, changes))
    }

    /// The body that is posted.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.to_string().into_bytes()
    }
}

impl Deref for Lead {
    type Target = Value;

    fn deref(&self) -> &Value {
        &self.0
    }
}

impl DerefMut for Lead {
    fn deref_mut(&mut self) -> &mut Value {
        &mut self.0
    }
}

impl From<Lead> for Value {
    fn from(lead: Lead) -> Self {
        lead.0
    }
}

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
