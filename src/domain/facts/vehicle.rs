//! What the inventory feed can say: one vehicle, and where it stands.

use chrono::{DateTime, Utc};
use rust_decimal::Decimal;

use crate::domain::columns::{listed_columns, scalar_columns};
use crate::domain::values::{Json, StockNumber, Vin};

/// What `SaleStatus` says of a vehicle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SaleStatus {
    /// It is for sale.
    ForSale,
    /// It is not.
    Withdrawn,
}

/// One vehicle, as one delivery tells it.
#[derive(Clone, Debug)]
pub struct VehicleFacts {
    /// The sender's `Identifier`.
    pub identifier: Option<String>,
    /// The VIN that this delivery names.
    pub vin: Option<Vin>,
    /// `SaleStatus`, where it is a word that is known.
    pub sale_status: Option<SaleStatus>,
    /// `LastModifiedUtc`
    pub modified_at: Option<DateTime<Utc>>,
    /// The vehicle's content, replaced as a whole.
    pub content: ListingContent,
}

/// The content of a listing: its columns, and what is kept in tables of its own.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ListingContent {
    /// The columns of `listings` that a sender fills.
    pub columns: ListingColumns,
    /// The seller's location.
    pub location: Option<SellerLocation>,
    /// Subscription packages with their prices for this vehicle, each name once.
    pub packages: Vec<PackagePrices>,
}

/// The seller's location, as inventory reports it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SellerLocation {
    /// `LocationName`, else `Name`.
    pub name: String,
    /// The location's columns.
    pub columns: LocationColumns,
}

scalar_columns! {
    /// The columns of `locations` beside the name.
    pub struct LocationColumns {
        /// Street and number.
        street: String,
        /// Suburb.
        suburb: String,
        /// City.
        city: String,
        /// State, an Australian one abbreviated.
        state: String,
        /// Postcode.
        postcode: String,
        /// Latitude in degrees.
        latitude: Decimal,
        /// Longitude in degrees.
        longitude: Decimal,
        /// Phone, E.164 where valid.
        phone: String,
        /// Opening hours as sent.
        operating_hours: Json,
        /// The sender's location id.
        sender_location_id: String,
        /// The sender's location code.
        sender_location_code: String,
    }
}

/// A package with its prices for one vehicle.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PackagePrices {
    /// The package's name, exactly as sent.
    pub name: String,
    /// Price of a day.
    pub daily_price: Option<Decimal>,
    /// Price of a week.
    pub weekly_price: Option<Decimal>,
    /// Price of a fortnight.
    pub fortnightly_price: Option<Decimal>,
    /// Price of a month.
    pub monthly_price: Option<Decimal>,
}

listed_columns! {
    /// The columns of `listings` that a sender fills.
    pub struct ListingColumns listed as ListingLists {
        /// Stock number.
        stock_number: StockNumber,
        /// `Seller.Identifier`
        dealership_id: i64,
        /// `Seller.Name`
        seller_name: String,
        /// `Seller.LocationName`, else `Seller.Name`.
        location_name: String,
        /// `Seller` whole.
        seller: Json,
        /// `Type`
        vehicle_type: String,
        /// `ListingType`
        listing_type: String,
        /// `SaleStatus` as sent with this content.
        sale_status: String,
        /// `SaleType`
        sale_type: String,
        /// `Specification.Make`
        make: String,
        /// `Specification.Model`
        model: String,
        /// `Specification.Series`
        series: String,
        /// Attribute `Badge`.
        badge: String,
        /// `Specification.ReleaseDate.Year`
        year: i64,
        /// Attribute `BodyStyle`.
        body_style: String,
        /// Attribute `Transmission`.
        transmission: String,
        /// Attribute `FuelType`.
        fuel_type: String,
        /// Attribute `Drive`.
        drive: String,
        /// Attribute `Doors`.
        doors: i64,
        /// Attribute `Seats`.
        seats: i64,
        /// The exterior colour, else the first whose place is not the interior.
        colour: String,
        /// The interior colour, the first named so.
        interior_colour: String,
        /// The first odometer reading.
        odometer: Decimal,
        /// Unit of the odometer reading.
        odometer_unit: String,
        /// `Registration.Number`
        registration_number: String,
        /// `Registration.ExpiresUtc`
        registration_expires_at: DateTime<Utc>,
        /// Price of type EGC, excluding government charges.
        price_egc: Decimal,
        /// Price of type DAP, drive away.
        price_dap: Decimal,
        /// Price of type `BeforePrice`.
        price_before: Decimal,
        /// Price of type RRP.
        price_rrp: Decimal,
        /// Price of type IGC, including government charges.
        price_igc: Decimal,
        /// `Specification.Title`
        title: String,
        /// `Description`
        description: String,
        /// `Slug`
        slug: String,
        /// `Specification.Identifier`
        specification_identifier: String,
        /// `Specification.SpecificationSource`
        specification_source: String,
        /// `Specification.SpecificationCode`
        specification_code: String,
        /// `Specification.description`
        specification_description: String,
        /// `Specification.CountryCode`
        country_code: String,
        /// `Specification.ReleaseDate` whole.
        release_date: Json,
        /// `BuildDate.Year`
        build_year: i64,
        /// `BuildDate.Month`
        build_month: i64,
        /// `BuildDate` whole.
        build_date: Json,
        /// `ComplianceDate.Year`
        compliance_year: i64,
        /// `ComplianceDate.Month`
        compliance_month: i64,
        /// `ComplianceDate` whole.
        compliance_date: Json,
        /// `Certification.Certified`
        certified: bool,
        /// `Certification.CertificationType`
        certification_type: String,
        /// `Identification` whole.
        identification: Json,
        /// `Colours` whole.
        colours: Json,
        /// `OdometerReadings` whole.
        odometer_readings: Json,
        /// `Specification.Attributes` whole.
        attributes: Json,
        /// `Features` whole.
        features: Json,
        /// `Media` whole.
        media: Json,
        /// `Warranty` whole.
        warranty: Json,
        /// `PriceList` whole.
        price_list: Json,
        /// `VendorData` whole.
        vendor_data: Json,
        /// `Destinations` whole.
        destinations: Json,
        /// `SubscriptionPricing` whole.
        subscription_pricing: Json,
        /// `CreatedUtc`
        source_created_at: DateTime<Utc>,
    }
}
