-- collection_efficiency_30d: cash received over cash scheduled in the collection window
-- grain:   one row, one portfolio on $as_of
-- reads:   payment, schedule, loan
-- returns: numerator and denominator in money, kpi_value ratio (above 1 when arrears come in);
--          NULL with its reason when the ledger is shorter or nothing was due
-- source:  Cascade's received / scheduled, over whole days instead of a month to date
with received as (

    select coalesce(sum(principal + interest + fees + other + tax), 0) as cash
    from payment
    where paid_date >= $window_start and paid_date <= $as_of

),

due as (

    select
        sum(
            schedule.principal + schedule.interest + schedule.fees + schedule.other + schedule.tax
        ) as cash
    from schedule
    inner join loan on schedule.loan_key = loan.loan_key
    where
        schedule.due_date >= $window_start
        and schedule.due_date <= $as_of
        and loan.disburse_date <= $as_of

),

ledger as (

    select min(disburse_date) as first_day
    from loan

),

summed as (

    select
        received.cash as numerator,
        due.cash as denominator,
        case
            when ledger.first_day is null or ledger.first_day > $window_start
                then 'the ledger is shorter than the window'
            when coalesce(due.cash, 0) = 0
                then 'nothing was scheduled in the window'
        end as unknown_reason
    from received, due, ledger

)

select
    numerator,
    denominator,
    case
        when unknown_reason is null
            then cast(numerator as double) / nullif(cast(denominator as double), 0)
    end as kpi_value,
    unknown_reason
from summed
