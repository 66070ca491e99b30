//! Bookings, one for each lead: they are loaded with their leads, and saved with all of `customers`.

use crate::domain::ids::{LeadId, PersonId};

use chrono::{DateTime, Utc};
use serde_json::Value;
use uuid::Uuid;

use super::json_row;
use super::stored::{Stored, Unreadable, read_booking_request};
use crate::domain::state::{Booking, Row};

/// A booking as it was loaded.
pub(super) fn read_row(booking: &Value) -> Result<(LeadId, Row<Booking>), Unreadable> {
    let row = Stored::row("bookings", "lead_id", booking)?;
    let id = |column: &'static str| row.int(column).and_then(|id| row.need(column, id));
    let booking_request = row.read("wish", read_booking_request)?;
    let booking = Booking {
        person: row.pointer("person_id")?,
        listing: id("listing_id")?.into(),
        location: id("location_id")?.into(),
        package: id("package_id")?.into(),
        booking_request: row.need("wish", booking_request)?,
        delivery: row.parsed("delivery_id", |id| id.parse().ok())?,
        created_at: row.needed_instant("created_at")?,
        updated_at: row.needed_instant("updated_at")?,
    };
    Ok((row.id(), Row::known(booking)))
}

/// Bookings as lists, one for each column.
#[derive(Debug, Default)]
pub(super) struct BookingLists {
    pub(super) lead_id: Vec<i64>,
    pub(super) person_id: Vec<Option<i64>>,
    pub(super) listing_id: Vec<i64>,
    pub(super) location_id: Vec<i64>,
    pub(super) package_id: Vec<i64>,
    pub(super) wish: Vec<String>,
    pub(super) created_at: Vec<DateTime<Utc>>,
    pub(super) updated_at: Vec<DateTime<Utc>>,
    pub(super) delivery_id: Vec<Option<Uuid>>,
}

impl BookingLists {
    /// Adds the booking of a lead.
    pub(super) fn push(&mut self, lead: LeadId, booking: &Booking) {
        let Booking { person, listing, location, package, booking_request, delivery, created_at, updated_at } = booking;
        self.lead_id.push(lead.get());
        self.person_id.push(person.map(PersonId::get));
        self.listing_id.push(listing.get());
        self.location_id.push(location.get());
        self.package_id.push(package.get());
        self.wish.push(json_row::booking_request(booking_request).to_string());
        self.created_at.push(*created_at);
        self.updated_at.push(*updated_at);
        self.delivery_id.push(*delivery);
    }
}
