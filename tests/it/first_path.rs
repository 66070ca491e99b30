//! The documented examples on their way to the rows that people look at.

use serde_json::json;

use crate::support::{fixture, service};

#[tokio::test]
async fn the_documented_lead_becomes_a_person_a_licence_and_a_booking_once_its_car_is_listed() {
    let service = service().await;

    let lead = service.lead(&fixture("dealer_studio/lead/loopit_page_example.json")).await;
    assert_eq!(lead.status, 200);
    assert_eq!(lead.body["person"], "created");
    assert_eq!(lead.body["booking"], "blocked");
    assert_eq!(lead.codes(), ["asset_not_found"]);

    let car = service.vehicle(&fixture("dealer_studio/inventory/vehicle_of_the_loopit_example.json")).await;
    assert_eq!(car.body["listing"], "created", "{car:?}");

    let booking = service
        .row(
            "select p.email, p.address_city, d.number, l.vin, o.name as location, k.name as package, e.booking_state
            from bookings b
            join persons p on p.id = b.person_id join leads e on e.id = b.lead_id join listings l on l.id = b.listing_id
            join locations o on o.id = b.location_id join packages k on k.id = b.package_id
            join identity.driver_licences d on d.person_id = p.id",
        )
        .await;
    assert_eq!(
        booking,
        json!({
            "email": "johnsmith@email.com", "address_city": "Sydney", "number": "1231231231",
            "vin": "JSAGJB74V00202326", "location": "Dealer A", "package": "Premium", "booking_state": "created",
        })
    );
}
