-- top_loan: the loans that moved a KPI most, in each part
-- grain:   one loan, one part; up to $shown of a part, the largest first
-- reads:   loan_part
-- returns: as loan_part
-- source:  a loan moves a ratio by its numerator's move less $rate, the old ratio, of its
--          denominator's; $rate is 0 for a sum
with ranked as (

    select
        *,
        row_number() over (
            partition by part
            order by
                abs(cast(numerator_move as double) - $rate * cast(denominator_move as double)) desc,
                loan_id asc
        ) as nth
    from loan_part

)

select
    part,
    loan_id,
    numerator_move,
    denominator_move,
    principal_before,
    principal_now,
    days_past_due_before,
    days_past_due_now
from ranked
where nth <= $shown
order by part, nth
