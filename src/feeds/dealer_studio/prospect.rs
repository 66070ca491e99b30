//! The customer of a lead or a cluster: contact details and address (Loopit's page, field information; the cluster page).

use crate::domain::facts::{AddressParts, ClusterColumns, Field, LeadColumns, PersonColumns, ProspectFacts};
use crate::domain::values::{self, Country};
use crate::feeds::lenient::{
    BirthDate, CountryName, EmailAddress, Flag, Id, JsonBuilder, Nested, PhoneNumber, Position, Postcode, Text, either,
    payload, with_fields,
};

use super::documents::known_state;

payload! {
    /// `prospect` of the lead page.
    pub struct ProspectPayload<'a> {
        /// Date of birth.
        "dob" => dob: BirthDate<'a>,
        /// E-mail address, by which the customer's person is found.
        "email" => email: EmailAddress<'a>,
        /// Form of address, as `Mr`.
        "title" => title: Text<'a>,
        /// Postal address.
        "address" => address: Nested<AddressPayload<'a>>,
        /// Postcode, given beside the address.
        "postcode" => postcode: Postcode<'a>,
        /// Last name.
        "last_name" => last_name: Text<'a>,
        /// First name.
        "first_name" => first_name: Text<'a>,
        /// Middle name.
        "middle_name" => middle_name: Text<'a>,
        /// Mobile number, read in the workspace's phone region where it has no country code.
        "mobile_phone" => mobile_phone: PhoneNumber<'a>,
        /// Whether the customer wants marketing.
        "opt_in_to_marketing" => opt_in_to_marketing: Flag<'a>,
    }
}

payload! {
    /// `prospect` of a cluster's lead.
    pub struct ClusterProspectPayload<'a> {
        /// Form of address, as `Mr`; in the example alone.
        "title" => title: Text<'a>,
        /// First name.
        "name" => name: Text<'a>,
        /// First name, as the lead page spells it.
        "first_name" => first_name: Text<'a>,
        /// Last name.
        "last_name" => last_name: Text<'a>,
        /// Middle name; in the example alone.
        "middle_name" => middle_name: Text<'a>,
        /// E-mail address, by which the customer's person is found.
        "email" => email: EmailAddress<'a>,
        /// Postcode; a number is read as text.
        "postcode" => postcode: Postcode<'a>,
        /// Home number, read in the workspace's phone region where it has no country code.
        "home_phone" => home_phone: PhoneNumber<'a>,
        /// Mobile number, read in the workspace's phone region where it has no country code.
        "mobile_phone" => mobile_phone: PhoneNumber<'a>,
        /// Postal address; null where there is none.
        "address" => address: Nested<AddressPayload<'a>>,
        /// Type of the licence, of a finance enquiry.
        "licence_type" => licence_type: Text<'a>,
        /// Number of the driver licence, of a finance enquiry.
        "driver_licence_number" => driver_licence_number: Id<'a>,
        /// Type of employment, of a finance enquiry.
        "employment_type" => employment_type: Text<'a>,
        /// Living situation, of a finance enquiry; in the example alone.
        "living_situation" => living_situation: Text<'a>,
        /// Date of birth.
        "dob" => dob: BirthDate<'a>,
        /// Residency status.
        "residency_status" => residency_status: Text<'a>,
    }
}

payload! {
    /// `address` of a customer.
    pub struct AddressPayload<'a> {
        /// City.
        "city" => city: Text<'a>,
        /// State, abbreviated.
        "state" => state: Text<'a>,
        /// Street and number.
        "street" => street: Text<'a>,
        /// Country; a cluster has none.
        "country" => country: CountryName<'a>,
        /// Postcode; a number is read as text.
        "postcode" => postcode: Postcode<'a>,
        /// State, written out.
        "state_long" => state_long: Text<'a>,
    }
}

payload! {
    /// `contact` of a cluster.
    pub struct ContactPayload<'a> {
        /// Business name, or title.
        "business_name" => business_name: Text<'a>,
        /// First name.
        "first_name" => first_name: Text<'a>,
        /// Last name.
        "last_name" => last_name: Text<'a>,
        /// E-mail address, by which the customer's person is found.
        "email" => email: EmailAddress<'a>,
        /// Postcode; a number is read as text.
        "postcode" => postcode: Postcode<'a>,
        /// Mobile number, read in the workspace's phone region where it has no country code.
        "mobile_phone" => mobile_phone: PhoneNumber<'a>,
        /// Date of birth.
        "dob" => dob: BirthDate<'a>,
    }
}

/// The facts of the lead feed's `prospect`: what is known of the person, and the contact columns of the lead.
pub(super) fn facts(payload: ProspectPayload<'_>, at: &Position<'_>, columns: &mut LeadColumns) -> ProspectFacts {
    #[rustfmt::skip]
    let ProspectPayload {
        dob, email, title, address, postcode, last_name, first_name, middle_name, mobile_phone, opt_in_to_marketing,
        unknown,
    } = payload;
    at.note_unknown(&unknown);
    let first_name = ("first_name", first_name);
    let customer = Customer { email, dob, address, title, first_name, middle_name, last_name, mobile_phone, postcode };
    let mut facts = customer.facts(None, at, columns);
    facts.person.marketing_opt_in = opt_in_to_marketing.read(at, "opt_in_to_marketing");
    columns.contact_marketing_opt_in = facts.person.marketing_opt_in;
    facts
}

/// The facts of the `prospect` of a cluster's lead. Its `name` is the first name, and its address has no country.
pub(super) fn facts_in_cluster(
    payload: ClusterProspectPayload<'_>,
    at: &Position<'_>,
    columns: &mut LeadColumns,
) -> ProspectFacts {
    #[rustfmt::skip]
    let ClusterProspectPayload {
        title, name, first_name, last_name, middle_name, email, postcode, home_phone, mobile_phone, address,
        licence_type, driver_licence_number, employment_type, living_situation, dob, residency_status, unknown,
    } = payload;
    at.note_unknown(&unknown);
    let first_name = either(("name", name), ("first_name", first_name));
    let customer = Customer { email, dob, address, title, first_name, middle_name, last_name, mobile_phone, postcode };
    let mut facts = customer.facts(Some(&at.locale().country), at, columns);
    facts.person.home_phone = home_phone.read(at, "home_phone");
    columns.contact_home_phone.clone_from(&facts.person.home_phone);
    columns.contact_employment_type = employment_type.read(at, "employment_type");
    columns.contact_living_situation = living_situation.read(at, "living_situation");
    columns.contact_residency_status = residency_status.read(at, "residency_status");
    let licence_type = licence_type.read(at, "licence_type");
    let number = driver_licence_number.read(at, "driver_licence_number");
    let in_addition = [("driver_licence_number", number.as_deref()), ("licence_type", licence_type.as_deref())];
    columns.documents = with_fields(columns.documents.take(), &in_addition);
    facts
}

/// The facts of a cluster's `contact`, and its columns.
pub(super) fn contact(payload: ContactPayload<'_>, at: &Position<'_>, columns: &mut ClusterColumns) -> ProspectFacts {
    let ContactPayload { business_name, first_name, last_name, email, postcode, mobile_phone, dob, unknown } = payload;
    at.note_unknown(&unknown);
    let (contact_email, email) = email.read(at, "email");
    let date_of_birth = dob.read(at, "dob");
    let person = PersonColumns {
        business_name: business_name.read(at, "business_name"),
        first_name: first_name.read(at, "first_name"),
        last_name: last_name.read(at, "last_name"),
        date_of_birth: valid(&date_of_birth),
        mobile_phone: mobile_phone.read(at, "mobile_phone"),
        postcode: postcode.read(at, "postcode"),
        ..PersonColumns::default()
    };
    columns.contact_email = contact_email;
    columns.contact_business_name.clone_from(&person.business_name);
    columns.contact_first_name.clone_from(&person.first_name);
    columns.contact_last_name.clone_from(&person.last_name);
    columns.contact_phone.clone_from(&person.mobile_phone);
    columns.contact_postcode.clone_from(&person.postcode);
    columns.contact_date_of_birth = person.date_of_birth;
    ProspectFacts { email, date_of_birth, person, ..ProspectFacts::default() }
}

/// What the prospects of both feeds have; of the first name it is known how it is spelt.
struct Customer<'a> {
    email: EmailAddress<'a>,
    dob: BirthDate<'a>,
    address: Nested<AddressPayload<'a>>,
    title: Text<'a>,
    first_name: (&'static str, Text<'a>),
    middle_name: Text<'a>,
    last_name: Text<'a>,
    mobile_phone: PhoneNumber<'a>,
    postcode: Postcode<'a>,
}

impl Customer<'_> {
    /// Reads the customer; `no_country` stands in for the country of an address without one.
    fn facts(self, no_country: Option<&Country>, at: &Position<'_>, columns: &mut LeadColumns) -> ProspectFacts {
        let Self { email, dob, address, title, first_name, middle_name, last_name, mobile_phone, postcode } = self;
        let (contact_email, email) = email.read(at, "email");
        let date_of_birth = dob.read(at, "dob");
        let here = at.field("address");
        let address = self::address(address.read(&here), no_country, &here, columns);
        let person = PersonColumns {
            title: title.read(at, "title"),
            first_name: first_name.1.read(at, first_name.0),
            middle_name: middle_name.read(at, "middle_name"),
            last_name: last_name.read(at, "last_name"),
            date_of_birth: valid(&date_of_birth),
            mobile_phone: mobile_phone.read(at, "mobile_phone"),
            postcode: postcode.read(at, "postcode"),
            ..PersonColumns::default()
        };
        columns.contact_email = contact_email;
        columns.contact_title.clone_from(&person.title);
        columns.contact_first_name.clone_from(&person.first_name);
        columns.contact_middle_name.clone_from(&person.middle_name);
        columns.contact_last_name.clone_from(&person.last_name);
        columns.contact_phone.clone_from(&person.mobile_phone);
        columns.contact_date_of_birth = person.date_of_birth;
        columns.contact_postcode.clone_from(&person.postcode);
        ProspectFacts { email, date_of_birth, person, address, ..ProspectFacts::default() }
    }
}

/// The parts of an address; the lead keeps it as it was sent.
fn address(
    payload: AddressPayload<'_>,
    no_country: Option<&Country>,
    at: &Position<'_>,
    columns: &mut LeadColumns,
) -> Option<AddressParts> {
    let AddressPayload { city, state, street, country, postcode, state_long, unknown } = payload;
    at.note_unknown(&unknown);
    let is_sent = street.is_sent()
        || city.is_sent()
        || state.is_sent()
        || state_long.is_sent()
        || postcode.is_sent()
        || country.is_sent();
    let (street, city) = (street.read(at, "street"), city.read(at, "city"));
    let (state, state_long) = (state.read(at, "state"), state_long.read(at, "state_long"));
    let (country_sent, country) = country.read(at, "country");
    let in_australia = match (&country_sent, &country) {
        (None, _) => at.locale().country.is_australia(),
        (Some(_), country) => country.as_ref().is_some_and(Country::is_australia),
    };
    let postcode = postcode.read_in(at, "postcode", in_australia);
    columns.contact_address = JsonBuilder::default()
        .text("city", city.as_deref())
        .text("country", country_sent.as_deref())
        .text("postcode", postcode.as_deref())
        .text("state", state.as_deref())
        .text("state_long", state_long.as_deref())
        .text("street", street.as_deref())
        .into_json();
    let state = state_part(at, state.as_deref(), state_long.as_deref(), in_australia);
    let mut parts = AddressParts { street, city, state, postcode, country };
    if country_sent.is_none() && parts != AddressParts::default() {
        parts.country = no_country.cloned();
    }
    is_sent.then_some(parts)
}

/// The state of an address: an Australian one abbreviated, one of another country as sent.
fn state_part(at: &Position<'_>, short: Option<&str>, long: Option<&str>, in_australia: bool) -> Option<String> {
    let sent = short.or(long)?;
    if !in_australia {
        return Some(sent.to_owned());
    }
    let known = [short, long].into_iter().flatten().find_map(values::australian_state);
    known.map(str::to_owned).or_else(|| known_state(at, "state", sent))
}

fn valid<T: Clone>(given: &Field<T>) -> Option<T> {
    match given {
        Field::Valid(value) => Some(value.clone()),
        Field::Absent | Field::Invalid => None,
    }
}
