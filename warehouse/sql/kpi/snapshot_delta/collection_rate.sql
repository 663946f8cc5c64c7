-- collection_rate: average daily fall of the loans' balances since an earlier stored tape
-- grain:   one row, one portfolio on $as_of
-- reads:   book, earlier_book, earlier_total
-- returns: numerator = principal paid since the earlier tape, of loans disbursed since then from
--          their disbursement on; denominator = sum of the live balances of each of those days, a
--          stored balance held until the next; kpi_value ratio a day; NULL with its reason without
--          an earlier tape
-- source:  the collection rate where no ledger is told: interest and fees are not seen, so it is
--          below the one of the ledger and never joins its series
with opening as (

    select min(as_of_date) as opening_date
    from earlier_total

),

loan_fall as (

    select
        coalesce(
            earlier_book.residual_principal,
            case when book.disburse_date > opening.opening_date then book.disbursed_principal end,
            book.residual_principal
        ) - case
            when book.is_written_off and book.residual_principal <= 0
                then earlier_book.residual_principal
            else book.residual_principal
        end as paid
    from book
    cross join opening
    left join earlier_book on book.loan_key = earlier_book.loan_key

    union all

    select earlier_book.residual_principal as paid
    from earlier_book
    left join book on earlier_book.loan_key = book.loan_key
    where book.loan_key is null

),

received as (

    select coalesce(sum(case when paid > 0 then paid else 0 end), 0) as principal
    from loan_fall

),

holding as (

    select
        live_principal,
        date_diff('day', as_of_date, coalesce(next_date, $as_of)) as days_held
    from (
        select
            live_principal,
            as_of_date,
            lead(as_of_date) over (order by as_of_date) as next_date
        from earlier_total
    ) as spell

),

balance_days as (

    select
        count(*) as tapes,
        sum(live_principal * days_held) as balance
    from holding

)

select
    case when balance_days.tapes > 0 then received.principal end as numerator,
    balance_days.balance as denominator,
    cast(received.principal as double) / nullif(cast(balance_days.balance as double), 0)
        as kpi_value,
    case
        when balance_days.tapes = 0
            then 'it needs a stored tape at least a week older, of the last two windows'
        when balance_days.balance = 0 then 'nothing was outstanding in the window'
    end as unknown_reason
from received, balance_days
