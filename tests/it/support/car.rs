//! Vehicles as Dealer Studio posts them, made in a line.

use serde_json::{Value, json};

/// A vehicle of the inventory feed.
#[derive(Clone, Debug)]
pub(crate) struct Car {
    payload: Value,
}

/// A car for sale at dealership 356: neither VIN nor stock number, last modified at [`minute`] nought.
pub(crate) fn car(identifier: i64) -> Car {
    let payload = json!({
        "Type": "CAR", "Identifier": identifier, "ListingType": "used", "SaleStatus": "For Sale", "SaleType": "Retail",
        "Description": "", "Slug": "a-car", "Registration": {}, "Identification": [],
        "Seller": { "Identifier": 356, "Type": "Dealer", "Name": "Dealer A" },
    });
    Car { payload }.at(0)
}

/// The sender's time so many minutes after some morning, as it stands in the tables.
pub(crate) fn minute(minutes: u32) -> String {
    format!("2025-10-01T{:02}:{:02}:00+00:00", 8 + minutes / 60, minutes % 60)
}

/// One of the VINs that nothing is wrong with.
pub(crate) fn vin(number: usize) -> String {
    format!("JSAGJB74V002023{number:02}")
}

impl Car {
    /// With this field in place of what was there.
    pub(crate) fn with(mut self, field: &str, value: Value) -> Self {
        self.payload[field] = value;
        self
    }

    /// Without this field.
    pub(crate) fn without(mut self, field: &str) -> Self {
        self.payload.as_object_mut().unwrap().remove(field);
        self
    }

    /// Naming a VIN.
    pub(crate) fn vin(self, number: usize) -> Self {
        self.named("VIN", &vin(number))
    }

    /// Naming a stock number.
    pub(crate) fn number(self, number: &str) -> Self {
        self.named("StockNumber", number)
    }

    fn named(mut self, kind: &str, value: &str) -> Self {
        let names = self.payload["Identification"].as_array_mut().unwrap();
        names.push(json!({ "Type": kind, "Value": value }));
        self
    }

    /// Last modified so many minutes after some morning.
    pub(crate) fn at(self, minutes: u32) -> Self {
        let at = minute(minutes);
        self.with("LastModifiedUtc", json!(at))
    }

    /// Withdrawn.
    pub(crate) fn withdrawn(self) -> Self {
        self.with("SaleStatus", json!("WITHDRAWN"))
    }

    /// At another dealership.
    pub(crate) fn of(mut self, dealership: i64) -> Self {
        self.payload["Seller"]["Identifier"] = json!(dealership);
        self
    }

    /// For so much, excluding government charges.
    pub(crate) fn price(self, amount: i64) -> Self {
        self.with("PriceList", json!([{ "Type": "EGC", "Currency": "AUD", "Amount": amount }]))
    }

    /// With a description, to tell contents apart.
    pub(crate) fn told(self, description: &str) -> Self {
        self.with("Description", json!(description))
    }

    /// On a package, for so much a day.
    pub(crate) fn package(mut self, name: &str, daily: i64) -> Self {
        if self.payload["SubscriptionPricing"].is_null() {
            self.payload["SubscriptionPricing"] = json!([]);
        }
        let packages = self.payload["SubscriptionPricing"].as_array_mut().unwrap();
        packages.push(json!({ "Name": name, "DailyPrice": daily }));
        self
    }

    /// At a location.
    pub(crate) fn location(mut self, name: &str, street: &str) -> Self {
        self.payload["Seller"]["LocationName"] = json!(name);
        self.payload["Seller"]["Addresses"] = json!([{ "Line1": street, "Suburb": "Fyshwick", "State": "ACT" }]);
        self
    }

    /// The body.
    pub(crate) fn body(&self) -> &Value {
        &self.payload
    }
}
