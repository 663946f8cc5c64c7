-- collection_rate: cash received and live balance of each loan over the collection window
-- grain:   one loan that paid or was live from $window_start to $as_of
-- reads:   book_history, payment
-- returns: numerator = cash received, denominator = sum of the live balances at the end of each of
--          those days, in money; they add up to those of sql/kpi/collection_rate.sql
-- source:  the KPI's own SQL
with live_spell as (

    select
        loan_key,
        residual_principal,
        greatest(valid_from, $window_start) as first_day,
        least(
            $as_of,
            coalesce(valid_to - 1, $as_of),
            coalesce(oldest_due_date + $written_off_after_days, $as_of)
        ) as last_day
    from book_history
    where
        not is_closed
        and valid_from <= $as_of
        and (valid_to is null or valid_to > $window_start)

),

share as (

    select
        loan_key,
        principal + interest + fees + other + tax as received,
        0 as balance_days
    from payment
    where paid_date >= $window_start and paid_date <= $as_of

    union all

    select
        loan_key,
        0 as received,
        residual_principal * (date_diff('day', first_day, last_day) + 1) as balance_days
    from live_spell
    where first_day <= last_day

)

select
    loan_key,
    sum(received) as numerator,
    sum(balance_days) as denominator
from share
group by loan_key
