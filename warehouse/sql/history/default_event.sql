-- default_event: loans that stored tapes saw before and after their 90th day past due
-- grain:   one loan
-- reads:   stored_position (as_of_date, loan_id, residual_principal, days_past_due)
-- returns: event_date = the loan's 90th day, residual_principal = what it owed on the first tape
--          that shows it there; a loan already late when first seen has no event
-- source:  rdr_90, as far as stored tapes tell it
with folded as (

    select
        loan_id,
        min(as_of_date) as first_seen,
        min(as_of_date) filter (where days_past_due >= 90) as first_late,
        arg_min(days_past_due, as_of_date) filter (where days_past_due >= 90) as dpd_then,
        arg_min(residual_principal, as_of_date) filter (where days_past_due >= 90)
            as residual_principal
    from stored_position
    group by loan_id

)

select
    hash(loan_id) as loan_key,
    first_late - (dpd_then - 90) as event_date,
    residual_principal
from folded
where first_seen < first_late
