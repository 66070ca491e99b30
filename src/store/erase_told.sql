-- once
-- What erased leads told of a person who stays.
with licence as (
    delete from identity.driver_licences where workspace_id = $1 and person_id = $2 and 'licence' = any($3)
), passport as (
    delete from identity.passports where workspace_id = $1 and person_id = $2 and 'passport' = any($3)
)
update persons set
    title = case when 'title' = any($3) then null else title end,
    first_name = case when 'first_name' = any($3) then null else first_name end,
    middle_name = case when 'middle_name' = any($3) then null else middle_name end,
    last_name = case when 'last_name' = any($3) then null else last_name end,
    business_name = case when 'business_name' = any($3) then null else business_name end,
    date_of_birth = case when 'date_of_birth' = any($3) then null else date_of_birth end,
    mobile_phone = case when 'mobile_phone' = any($3) then null else mobile_phone end,
    home_phone = case when 'home_phone' = any($3) then null else home_phone end,
    postcode = case when 'postcode' = any($3) then null else postcode end,
    marketing_opt_in = case when 'marketing_opt_in' = any($3) then null else marketing_opt_in end,
    marketing_opt_in_at = case when 'marketing_opt_in' = any($3) then null else marketing_opt_in_at end,
    marketing_opt_in_lead_id = case when 'marketing_opt_in' = any($3) then null else marketing_opt_in_lead_id end,
    address_street = case when 'address' = any($3) then null else address_street end,
    address_city = case when 'address' = any($3) then null else address_city end,
    address_state = case when 'address' = any($3) then null else address_state end,
    address_postcode = case when 'address' = any($3) then null else address_postcode end,
    address_country = case when 'address' = any($3) then null else address_country end,
    clocks = case when clocks ? 'a' then jsonb_set(clocks, '{a}', (clocks -> 'a') - $3::text[]) else clocks end
where workspace_id = $1 and id = $2
