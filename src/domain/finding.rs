//! What a person should know about a delivery: the closed list of codes, and where in the payload each applies.

use std::fmt;

/// One thing a person should know about a delivery. Never holds personal data.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// What kind of thing it is.
    pub code: Code,
    /// Where in the payload, as `prospect.address` or `leads[3].item.vin`; `None` where it concerns the whole.
    pub path: Option<String>,
    /// One line for a person, without personal data.
    pub message: String,
}

impl Finding {
    /// A finding at a place in the payload.
    pub fn at(code: Code, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code, path: Some(path.into()), message: message.into() }
    }

    /// How many bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of::<Self>() + self.path.as_ref().map_or(0, String::len) + self.message.len()
    }

    /// A finding about the delivery as a whole.
    pub fn whole(code: Code, message: impl Into<String>) -> Self {
        Self { code, path: None, message: message.into() }
    }
}

/// Declares the closed list once: the code's name, its meaning and its remedy.
macro_rules! codes {
    ($($(#[doc = $doc:literal])* $variant:ident = $name:literal, $meaning:literal, $remedy:literal;)*) => {
        /// Every code a finding can carry. The names are stable: users' queries depend on them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $meaning] $variant,)*
        }

        impl Code {
            /// Every code, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name that users see, in `snake_case`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// The code of that name.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|code| code.name() == name)
            }

            /// What it means, in one sentence.
            #[must_use]
            pub fn meaning(self) -> &'static str {
                match self { $(Self::$variant => $meaning,)* }
            }

            /// What to do about it, in one sentence.
            #[must_use]
            pub fn remedy(self) -> &'static str {
                match self { $(Self::$variant => $remedy,)* }
            }
        }
    };
}

codes! {
    BodyUnreadable = "body_unreadable", "The body is not JSON that can be read.", "The body is kept (intake.deliveries_with_bodies); have the sender correct it and send it again.";
    TooManyEntries = "too_many_entries", "There is more in the delivery than is taken of one: more than 5,000 leads, 50,000 events, 5,000 appointments, 1,000 packages or 1,500,000 JSON values.", "The body is kept (intake.deliveries_with_bodies) and nothing of it was applied; have the sender send it in parts.";
    FieldType = "field_type", "A field has a value of the wrong type; unless the message says that it is kept, it was read as absent.", "Have the sender send the documented type.";
    IdMissing = "id_missing", "A record came without a usable id and was not stored.", "Have the sender give the record its id.";
    NulRemoved = "nul_removed", "A text held the character U+0000, which was removed.", "Nothing needs to be done; the body as received is kept.";
    DealershipMissing = "dealership_missing", "The delivery does not say which dealership it is for, or not clearly.", "Have the sender give the dealership id, or give the credential exactly one workspace.";
    DealershipUnknown = "dealership_unknown", "No workspace is configured for this dealership id.", "Add the dealership id to a workspace in the configuration; the delivery is then applied by itself.";
    WorkspaceNotPermitted = "workspace_not_permitted", "The credential may not write to this delivery's workspace.", "Add the workspace to the credential in the configuration, or have the sender use the right credential.";
    BodyDiffers = "body_differs", "The body that was posted beside a signed token says something else than the token.", "Nothing needs to be done: the token was used, and the body is kept (posted_body of intake.deliveries_with_bodies); ask the sender why they differ.";
    EventUnknown = "event_unknown", "The delivery's event is not one that is handled.", "Nothing needs to be done; the delivery is kept.";
    EmailMissing = "email_missing", "There is no e-mail address, so no person can be made.", "Ask the customer for an e-mail address.";
    EmailInvalid = "email_invalid", "The e-mail address is not a valid one, so no person can be made.", "Have the address corrected at the sender.";
    PhoneInvalid = "phone_invalid", "The phone number is not valid in the workspace's region and is kept as sent.", "Have the number corrected at the sender.";
    DateInvalid = "date_invalid", "A date or time does not exist, is in an unknown form, or lies where it cannot.", "Have the date corrected at the sender.";
    ValueUnlisted = "value_unlisted", "A value is not one of those documented; it is kept as sent.", "Nothing needs to be done, unless the value is a mistake.";
    ValueTooLong = "value_too_long", "A value is longer than documented; it is kept whole.", "Nothing needs to be done, unless the value is a mistake.";
    FieldMissing = "field_missing", "A field that is documented as required is absent.", "Have the sender give the field.";
    VinUnusual = "vin_unusual", "The VIN is not 17 characters, or contains I, O or Q, and is kept; or it stands for none, and was read as absent.", "Compare the VIN with the vehicle's papers.";
    CountryUnknown = "country_unknown", "The country is neither an English name nor an ISO 3166-1 code.", "Have the country corrected at the sender.";
    StateUnknown = "state_unknown", "The state is not an Australian state or territory.", "Have the state corrected at the sender.";
    AddressIncomplete = "address_incomplete", "The address lacks a part and was not stored with the person.", "Ask for the missing parts; they are named in the message.";
    LicenceIncomplete = "licence_incomplete", "The driver licence lacks a part and was not stored with the person.", "Ask for the missing parts; they are named in the message.";
    PassportIncomplete = "passport_incomplete", "The passport lacks a part and was not stored with the person.", "Ask for the missing parts; they are named in the message.";
    OlderThanKnown = "older_than_known", "The delivery is older than what is known and changed nothing that is newer.", "Nothing needs to be done.";
    IdentifierSuperseded = "identifier_superseded", "The vehicle has since been listed under another identifier, which decides its status.", "Nothing needs to be done.";
    StockNumberReused = "stock_number_reused", "Another vehicle of the dealership has the same stock number; the one with the older claim is archived.", "Check the stock number, if both vehicles are in stock.";
    ListingUnidentified = "listing_unidentified", "The vehicle has no identifier, VIN or stock number.", "Have the sender identify the vehicle.";
    AssetNotGiven = "asset_not_given", "The lead asks for a booking and names neither VIN nor stock number.", "Find out which vehicle the customer wants.";
    AssetNotFound = "asset_not_found", "No listing has the lead's VIN or stock number yet.", "Check that the vehicle is in the inventory feed; the booking is made by itself when it is listed.";
    AssetArchived = "asset_archived", "The vehicle is withdrawn or archived.", "Offer the customer another vehicle; the booking is made by itself if this one is listed again.";
    LocationNotFound = "location_not_found", "Neither the lead's location nor the listing gives a bookable location.", "Add the location to the workspace in the configuration.";
    PackageNotGiven = "package_not_given", "The lead asks for a booking and names no subscription plan.", "Find out which plan the customer wants.";
    PackageNotFound = "package_not_found", "The workspace has no package with exactly this name.", "Add the package to the workspace in the configuration, with the name as the lead gives it.";
    InternalError = "internal_error", "The delivery is kept, but could not be applied through a fault of forecourt.", "It is tried again by itself; if it stays so, report it with the delivery's id.";
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
