//! The inventory webhook: one vehicle a delivery (Dealer Studio's inventory page, the standard payload).

use crate::feeds::lenient::{
    Amount, AnyValue, Flag, Id, Kept, List, Name, Nested, NumberId, OneOf, PhoneNumber, Postcode, SendersTime, Text,
    TextOrNumber, Time, Unread, Whole, kind, listed, payload,
};

payload! {
    /// A vehicle, as the inventory webhook posts it.
    pub struct VehiclePayload<'a> {
        /// Kind of vehicle.
        "Type" => vehicle_type: OneOf<'a, VehicleType>,
        /// The sender's identifier.
        "Identifier" => identifier: Id<'a>,
        /// New, used or demo.
        "ListingType" => listing_type: OneOf<'a, ListingType>,
        /// `For Sale`, or `WITHDRAWN` where the vehicle is no longer listed.
        "SaleStatus" => sale_status: Text<'a>,
        /// Kind of sale.
        "SaleType" => sale_type: OneOf<'a, SaleType>,
        /// Description.
        "Description" => description: Text<'a>,
        /// Name in addresses.
        "Slug" => slug: Text<'a>,
        /// Registration.
        "Registration" => registration: Nested<RegistrationPayload<'a>>,
        /// What the vehicle is known by.
        "Identification" => identification: Kept<List<IdentificationPayload<'a>>>,
        /// Colours outside and inside.
        "Colours" => colours: Kept<List<ColourPayload<'a>>>,
        /// Odometer readings; one today.
        "OdometerReadings" => odometer_readings: Kept<List<OdometerPayload<'a>>>,
        /// The dealership, whose identifier tells the workspace, and where the vehicle stands.
        "Seller" => seller: Kept<Nested<SellerPayload<'a>>>,
        /// What the vehicle is.
        "Specification" => specification: Nested<SpecificationPayload<'a>>,
        /// Features, by group.
        "Features" => features: Kept<AnyValue>,
        /// Photos.
        "Media" => media: Kept<Nested<MediaPayload<'a>>>,
        /// Month and year of compliance.
        "ComplianceDate" => compliance_date: Kept<Nested<PartialDatePayload<'a>>>,
        /// Month and year of building.
        "BuildDate" => build_date: Kept<Nested<PartialDatePayload<'a>>>,
        /// Warranty.
        "Warranty" => warranty: Kept<Nested<WarrantyPayload<'a>>>,
        /// Prices by type.
        "PriceList" => price_list: Kept<List<PricePayload<'a>>>,
        /// Certification.
        "Certification" => certification: Nested<CertificationPayload<'a>>,
        /// When the vehicle was last changed.
        "LastModifiedUtc" => last_modified: SendersTime<'a>,
        /// When the vehicle was made.
        "CreatedUtc" => created: SendersTime<'a>,
        /// What other systems know of the vehicle.
        "VendorData" => vendor_data: Kept<List<VendorDataPayload<'a>>>,
        /// Where the vehicle is advertised.
        "Destinations" => destinations: Kept<List<DestinationPayload<'a>>>,
        /// Subscription packages with their prices for this vehicle.
        "SubscriptionPricing" => subscription_pricing: Kept<List<Box<PackagePayload<'a>>>>,
    }
}

payload! {
    /// `Registration`.
    pub struct RegistrationPayload<'a> {
        /// Registration number.
        "Number" => number: Id<'a>,
        /// When it expires.
        "ExpiresUtc" => expires: Time<'a>,
    }
}

payload! {
    /// An entry of `Identification`.
    pub struct IdentificationPayload<'a> {
        /// What the value is.
        "Type" => kind: OneOf<'a, IdentificationType>,
        /// The value.
        "Value" => value: Id<'a>,
    }
}

payload! {
    /// An entry of `Colours`.
    pub struct ColourPayload<'a> {
        /// Exterior or Interior.
        "Location" => location: OneOf<'a, ColourLocation>,
        /// Name of the colour.
        "Name" => name: Text<'a>,
    }
}

payload! {
    /// An entry of `OdometerReadings`.
    pub struct OdometerPayload<'a> {
        /// Empty on the page.
        "Type" => kind: Unread<kind::Text>,
        /// The reading.
        "Value" => value: Amount<'a>,
        /// Its unit.
        "UnitOfMeasure" => unit: OneOf<'a, Unit>,
    }
}

payload! {
    /// `Seller`, kept whole.
    pub struct SellerPayload<'a> {
        /// Dealership id.
        "Identifier" => identifier: NumberId<'a>,
        /// Kind of seller.
        "Type" => kind: Unread<kind::Text>,
        /// Name of the dealership.
        "Name" => name: Name<'a>,
        /// The dealership in other systems.
        "ExternalIdentifiers" => external_identifiers: List<ExternalIdentifierPayload<'a>>,
        /// Code of the location.
        "LocationCode" => location_code: Id<'a>,
        /// Name of the location.
        "LocationName" => location_name: Name<'a>,
        /// Id of the location.
        "LocationId" => location_id: Id<'a>,
        /// Address of the logo.
        "Logo" => logo: Unread<kind::Text>,
        /// Number of the dealer's licence.
        "DealerLicenceNumber" => dealer_licence_number: Unread<kind::Id>,
        /// Groups that the dealership belongs to.
        "DealershipGroupNames" => dealership_group_names: Unread<kind::Texts>,
        /// Addresses of the location.
        "Addresses" => addresses: List<Box<SellerAddressPayload<'a>>>,
        /// How the location is reached.
        "Contact" => contact: Nested<SellerContactPayload<'a>>,
    }
}

payload! {
    /// An entry of `Seller.ExternalIdentifiers`.
    pub struct ExternalIdentifierPayload<'a> {
        /// Name of the other system.
        "IdentifierName" => identifier_name: Unread<kind::Text>,
        /// Code of the dealership there.
        "PrimaryCode" => primary_code: Unread<kind::Id>,
    }
}

payload! {
    /// An entry of `Seller.Addresses`.
    pub struct SellerAddressPayload<'a> {
        /// Street and number.
        "Line1" => line1: Text<'a>,
        /// Suburb.
        "Suburb" => suburb: Text<'a>,
        /// State.
        "State" => state: Text<'a>,
        /// Postcode.
        "Postcode" => postcode: Postcode<'a>,
        /// Latitude, in degrees.
        "Latitude" => latitude: Amount<'a>,
        /// Longitude, in degrees.
        "Longitude" => longitude: Amount<'a>,
    }
}

payload! {
    /// `Seller.Contact`.
    pub struct SellerContactPayload<'a> {
        /// Phone.
        "Phone" => phone: PhoneNumber<'a>,
        /// Opening hours.
        "OperatingHours" => operating_hours: Kept<List<OperatingHoursPayload<'a>>>,
    }
}

payload! {
    /// An entry of `Seller.Contact.OperatingHours`.
    pub struct OperatingHoursPayload<'a> {
        /// Day of the week.
        "Weekday" => weekday: Unread<kind::Text>,
        /// Open or Closed.
        "Status" => status: Unread<kind::Text>,
        /// When it opens.
        "Open" => open: Unread<kind::Text>,
        /// When it closes.
        "Close" => close: Unread<kind::Text>,
    }
}

payload! {
    /// `Specification`.
    pub struct SpecificationPayload<'a> {
        /// Identifier of the specification.
        "Identifier" => identifier: Id<'a>,
        /// Where it comes from.
        "SpecificationSource" => source: Text<'a>,
        /// Its code there.
        "SpecificationCode" => code: Id<'a>,
        /// Description; in lower case on the page.
        "description" => description: Text<'a>,
        /// Code of the country.
        "CountryCode" => country_code: Text<'a>,
        /// Make.
        "Make" => make: Text<'a>,
        /// Model.
        "Model" => model: Text<'a>,
        /// Series.
        "Series" => series: Text<'a>,
        /// When the model came out.
        "ReleaseDate" => release_date: Kept<Nested<PartialDatePayload<'a>>>,
        /// Title.
        "Title" => title: Text<'a>,
        /// Attributes by name.
        "Attributes" => attributes: Kept<List<AttributePayload<'a>>>,
    }
}

payload! {
    /// A date of which any part may be missing.
    pub struct PartialDatePayload<'a> {
        /// Day of the month.
        "Day" => day: Unread<kind::Whole>,
        /// Month.
        "Month" => month: Whole<'a>,
        /// Year.
        "Year" => year: Whole<'a>,
    }
}

payload! {
    /// An entry of `Specification.Attributes`.
    pub struct AttributePayload<'a> {
        /// Name of the attribute.
        "Name" => name: Text<'a>,
        /// Its value, whose type hangs on the name.
        "Value" => value: TextOrNumber<'a>,
    }
}

payload! {
    /// `Media`.
    pub struct MediaPayload<'a> {
        /// Photos.
        "Photos" => photos: List<PhotoPayload<'a>>,
    }
}

payload! {
    /// An entry of `Media.Photos`.
    pub struct PhotoPayload<'a> {
        /// Address of the photo.
        "Url" => url: Unread<kind::Text>,
        /// The photo in large.
        "Large" => large: Nested<PhotoSizePayload<'a>>,
        /// The photo in small.
        "Thumb" => thumb: Nested<PhotoSizePayload<'a>>,
    }
}

payload! {
    /// A photo in another size.
    pub struct PhotoSizePayload<'a> {
        /// Address of the photo.
        "Url" => url: Unread<kind::Text>,
    }
}

payload! {
    /// `Warranty`: the page shows an empty object and lists no field.
    pub struct WarrantyPayload<'a> {}
}

payload! {
    /// An entry of `PriceList`.
    pub struct PricePayload<'a> {
        /// Type of the price.
        "Type" => kind: OneOf<'a, PriceType>,
        /// Its currency.
        "Currency" => currency: Unread<kind::Text>,
        /// The amount.
        "Amount" => amount: Amount<'a>,
    }
}

payload! {
    /// `Certification`.
    pub struct CertificationPayload<'a> {
        /// Whether the vehicle is certified.
        "Certified" => certified: Flag<'a>,
        /// Type of the certification.
        "CertificationType" => certification_type: Text<'a>,
    }
}

payload! {
    /// An entry of `VendorData`, kept as it is.
    pub struct VendorDataPayload<'a> {
        /// Name of the other system.
        "Identifier" => identifier: Unread<kind::Text>,
        /// What it says, in any form.
        "Data" => data: Unread<kind::Anything>,
    }
}

payload! {
    /// An entry of `Destinations`, kept as it is.
    pub struct DestinationPayload<'a> {
        /// Kind of destination.
        "type" => kind: Unread<kind::Text>,
        /// Web page of the vehicle there.
        "url" => url: Unread<kind::Text>,
        /// Name of the destination.
        "name" => name: Unread<kind::Text>,
    }
}

payload! {
    /// An entry of `SubscriptionPricing`.
    pub struct PackagePayload<'a> {
        /// Name of the package.
        "Name" => name: Name<'a>,
        /// Price of a week.
        "WeeklyPrice" => weekly_price: Amount<'a>,
        /// Price of a month.
        "MonthlyPrice" => monthly_price: Amount<'a>,
        /// Price of a fortnight.
        "FortnightlyPrice" => fortnightly_price: Amount<'a>,
        /// Price of a day.
        "DailyPrice" => daily_price: Amount<'a>,
    }
}

listed! {
    /// Kinds of vehicles.
    pub VehicleType = ["Car", "Bike", "Boat", "Truck", "Caravan", "Construction", "Agriculture"];
    /// Types of listings.
    pub ListingType = ["new", "used", "demo", "showroom"];
    /// Kinds of sale.
    pub SaleType = ["Retail", "Sale", "Share", "Rent", "Auction"];
    /// What a vehicle can be known by.
    pub IdentificationType = ["VIN", "HIN", "Engine", "Chassis", "StockNumber", "NetworkId"];
    /// Types of prices.
    pub PriceType = ["DAP", "EGC", "BeforePrice", "RRP", "IGC", "WHS"];
    /// Units of odometers.
    pub Unit = ["KM", "Miles", "Hour"];
    /// Where a colour is.
    pub ColourLocation = ["Exterior", "Interior"];
}
