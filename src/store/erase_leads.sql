-- once
-- What is personal of leads; the rows stay.
update leads set
    person_id = null, person_email = null, wishes = null, waits_for = null, erased_at = $3,
    lost_reason_comment = null, comments = null, contact_email = null, contact_title = null, contact_first_name = null,
    contact_middle_name = null, contact_last_name = null, contact_full_name = null, contact_phone = null,
    contact_home_phone = null, contact_date_of_birth = null, contact_postcode = null, contact_address = null,
    contact_marketing_opt_in = null, contact_newsletter = null, contact_employment_type = null,
    contact_living_situation = null, contact_residency_status = null, budget = null, purchase_price = null,
    additional_details = null,
    clocks = case when clocks ? 'a' then jsonb_set(clocks, '{a}', (clocks -> 'a') - $4::text[]) else clocks end
where workspace_id = $1 and id = any($2)
