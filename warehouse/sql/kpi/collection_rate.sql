-- collection_rate: average daily cash received over the mean live balance of the window
-- grain:   one row, one portfolio on $as_of
-- reads:   book_history, payment, loan
-- returns: numerator = cash received from $window_start to $as_of, denominator = sum of the live
--          balances at the end of each of those days, so kpi_value is a ratio a day;
--          NULL with its reason when the ledger is shorter or nothing was live
-- source:  operations runbook; a 54-day book turns over 1/54 = 1.85 % a day
with received as (

    select coalesce(sum(principal + interest + fees + other + tax), 0) as cash
    from payment
    where paid_date >= $window_start and paid_date <= $as_of

),

live_spell as (

    select
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

balance_days as (

    select sum(residual_principal * (date_diff('day', first_day, last_day) + 1)) as balance
    from live_spell
    where first_day <= last_day

),

ledger as (

    select min(disburse_date) as first_day
    from loan

),

summed as (

    select
        received.cash as numerator,
        balance_days.balance as denominator,
        case
            when ledger.first_day is null or ledger.first_day > $window_start
                then 'the ledger is shorter than the window of the collection rate'
            when coalesce(balance_days.balance, 0) = 0
                then 'nothing was outstanding in the window'
        end as unknown_reason
    from received, balance_days, ledger

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
