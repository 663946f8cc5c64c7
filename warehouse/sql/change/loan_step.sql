-- loan_step: what each loan adds to a KPI at both ends of each step from one run to the other
-- grain:   one loan that moves the KPI, one step
-- reads:   told_share (what the KPI's loans add to it, at the begin or the end of a step)
-- returns: numerator and denominator at both ends, in the KPI's unit; 0 where the loan is not
--          counted, or the KPI has no denominator
-- source:  a KPI is the sum of its loans, so its move is the sum of theirs
with paired as (

    select
        loan_key,
        step,
        coalesce(sum(numerator) filter (where not is_end), 0) as numerator_before,
        coalesce(sum(denominator) filter (where not is_end), 0) as denominator_before,
        coalesce(sum(numerator) filter (where is_end), 0) as numerator_now,
        coalesce(sum(denominator) filter (where is_end), 0) as denominator_now
    from told_share
    group by loan_key, step

)

select
    loan_key,
    step,
    numerator_before,
    denominator_before,
    numerator_now,
    denominator_now
from paired
where numerator_before <> numerator_now or denominator_before <> denominator_now
