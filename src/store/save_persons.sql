-- Persons that are new or changed, whole, a list for each column; and their licences, of which those that are as they were
-- are left alone.
with saved as (
insert into persons
    (workspace_id, id, email, created_at, updated_at, clocks, title, first_name, middle_name, last_name,
    business_name, date_of_birth, mobile_phone, home_phone, postcode, marketing_opt_in, address_street,
    address_city, address_state, address_postcode, address_country)
select $1, id, email, created_at, updated_at, clocks::jsonb, title, first_name, middle_name, last_name,
    business_name, date_of_birth, mobile_phone, home_phone, postcode, marketing_opt_in, address_street,
    address_city, address_state, address_postcode, address_country
from unnest(
    $2::bigint[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::text[], $7::text[], $8::text[], $9::text[],
    $10::text[], $11::text[], $12::date[], $13::text[], $14::text[], $15::text[], $16::boolean[], $17::text[],
    $18::text[], $19::text[], $20::text[], $21::text[]
) as p (
    id, email, created_at, updated_at, clocks, title, first_name, middle_name, last_name,
    business_name, date_of_birth, mobile_phone, home_phone, postcode, marketing_opt_in, address_street,
    address_city, address_state, address_postcode, address_country)
on conflict (workspace_id, id) do update set
    title = excluded.title, first_name = excluded.first_name, middle_name = excluded.middle_name,
    last_name = excluded.last_name, business_name = excluded.business_name, date_of_birth = excluded.date_of_birth,
    mobile_phone = excluded.mobile_phone, home_phone = excluded.home_phone, postcode = excluded.postcode,
    marketing_opt_in = excluded.marketing_opt_in, address_street = excluded.address_street,
    address_city = excluded.address_city, address_state = excluded.address_state,
    address_postcode = excluded.address_postcode, address_country = excluded.address_country,
    updated_at = excluded.updated_at, clocks = excluded.clocks
)
insert into identity.driver_licences as known
    (workspace_id, person_id, number, card_number, state, expires_on, date_of_birth)
select $1, person_id, number, card_number, state, expires_on, date_of_birth
from unnest($2::bigint[], $22::text[], $23::text[], $24::text[], $25::date[], $26::date[])
    as l (person_id, number, card_number, state, expires_on, date_of_birth) where number is not null
on conflict (workspace_id, person_id) do update set
    number = excluded.number, card_number = excluded.card_number, state = excluded.state,
    expires_on = excluded.expires_on, date_of_birth = excluded.date_of_birth
where (known.number, known.card_number, known.state, known.expires_on, known.date_of_birth)
    is distinct from
    (excluded.number, excluded.card_number, excluded.state, excluded.expires_on, excluded.date_of_birth)
