-- instalment: what is due when, and between which amounts of cash received it is the oldest unpaid
-- grain:   one instalment of one loan; number counts from 1
-- reads:   loan
-- returns: amounts in cents; the instalment is the oldest unpaid one while
--          open_from <= cash received < covered_at; cents_left only on the last one
-- source:  synthetic tape; cents that do not divide fall on later instalments
with numbered as (

    select
        *,
        unnest(range(1, instalments + 1)) as number
    from loan

)

select
    loan,
    number,
    disburse_date,
    case when instalments = 1 then maturity_date else monthly_due(disburse_date, number) end
        as due_date,
    up_to(principal, number, instalments) - up_to(principal, number - 1, instalments) as principal,
    up_to(interest, number, instalments) - up_to(interest, number - 1, instalments) as interest,
    up_to(fees, number, instalments) - up_to(fees, number - 1, instalments) as fees,
    up_to(tax, number, instalments) - up_to(tax, number - 1, instalments) as tax,
    up_to(principal, number - 1, instalments) + up_to(interest, number - 1, instalments)
    + up_to(fees, number - 1, instalments) + up_to(tax, number - 1, instalments) as open_from,
    up_to(principal, number, instalments) + up_to(interest, number, instalments)
    + up_to(fees, number, instalments) + up_to(tax, number, instalments) as covered_at,
    coalesce(number >= defaults_from, false) as is_in_default,
    is_in_default and never_pays as is_never_paid,
    case when number = instalments then cents_left else 0 end as cents_left
from numbered
