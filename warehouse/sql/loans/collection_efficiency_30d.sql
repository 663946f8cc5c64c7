-- collection_efficiency_30d: cash received and due of each loan in the collection window
-- grain:   one loan that paid or had something due from $window_start to $as_of
-- reads:   payment, schedule, loan
-- returns: numerator = cash received, denominator = cash due, in money; they add up to those of
--          sql/kpi/collection_efficiency_30d.sql
-- source:  the KPI's own SQL
with cash as (

    select
        loan_key,
        principal + interest + fees + other + tax as received,
        0 as due
    from payment
    where paid_date >= $window_start and paid_date <= $as_of

    union all

    select
        schedule.loan_key,
        0 as received,
        schedule.principal + schedule.interest + schedule.fees + schedule.other + schedule.tax
            as due
    from schedule
    inner join loan on schedule.loan_key = loan.loan_key
    where
        schedule.due_date >= $window_start
        and schedule.due_date <= $as_of
        and loan.disburse_date <= $as_of

)

select
    loan_key,
    sum(received) as numerator,
    sum(due) as denominator
from cash
group by loan_key
