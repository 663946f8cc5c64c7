-- loan_part: the one part that each loan's move of a KPI belongs to, in each step
-- grain:   one loan that moves the KPI, one step
-- reads:   loan_step, loan_stand
-- returns: part by the first rule that fits (docs/changes.md); the moves in the KPI's unit;
--          principal and days past due at both ends, NULL = not in that book
-- source:  $is_ratio tells a KPI with a denominator: a new loan that is late already is a new
--          delinquency of a ratio, and an origination of a sum
with judged as (

    select
        loan_step.*,
        loan_stand.loan_id,
        loan_stand.stood,
        loan_stand.stands,
        loan_stand.principal_before as principal_told,
        loan_stand.principal_then,
        loan_stand.principal_now as principal_today,
        loan_stand.days_before as days_told,
        loan_stand.days_then,
        loan_stand.days_now as days_today,
        loan_step.numerator_before = 0
        and loan_step.numerator_now <> 0
        and (loan_stand.stood = 'live' or $is_ratio) as is_newly_counted
    from loan_step
    inner join loan_stand on loan_step.loan_key = loan_stand.loan_key

)

select
    loan_key,
    loan_id,
    case
        when step <> 'event' then step
        when stands = 'written_off' and stood <> 'written_off' then 'write_off'
        when stood = 'written_off' then 'recovery'
        when is_newly_counted then 'new_delinquency'
        when stood = 'absent' then 'origination'
        when stood = 'closed' and stands <> 'live' then 'restatement'
        when stands <> 'live' then 'payoff'
        when stood = 'closed' then 'reopening'
        when numerator_before <> 0 and numerator_now = 0 then 'cure'
        else 'payment'
    end as part,
    numerator_now - numerator_before as numerator_move,
    denominator_now - denominator_before as denominator_move,
    case when step = 'restatement' then principal_told else principal_then end as principal_before,
    case when step = 'event' then principal_today else principal_then end as principal_now,
    case when step = 'restatement' then days_told else days_then end as days_past_due_before,
    case when step = 'event' then days_today else days_then end as days_past_due_now
from judged
