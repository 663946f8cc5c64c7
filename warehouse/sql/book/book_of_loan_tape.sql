-- book_of_loan_tape: every loan of a tape that lists loans as they stand, at the end of $as_of
-- grain:   one loan
-- reads:   loan
-- returns: as book; cash_paid is NULL, nobody has told it; a loan is closed when it owes less than
--          $closed_below_ratio of its principal, or nothing where the principal is not known; one
--          that owes nothing and is still late, or is called a write-off, was written off
-- source:  Cascade's book, rules 2, 4 and 5, on the balances and days past due that are reported
with judged as (

    select
        *,
        outstanding_reported <= 0
        or outstanding_reported < coalesce(disbursed_principal, 0) * $closed_below_ratio
            as is_closed
    from loan
    where disburse_date is null or disburse_date <= $as_of

)

select
    loan_key,
    loan_id,
    customer_id,
    disburse_date,
    disbursed_principal,
    outstanding_reported as residual_principal,
    cast(null as decimal(18, 2)) as cash_paid,
    case when not is_closed and dpd_reported > 0 then $as_of - cast(dpd_reported as integer) end
        as oldest_due_date,
    case when is_closed then 0 else dpd_reported end as days_past_due,
    is_closed,
    dpd_reported > $written_off_after_days
    or (is_closed and is_write_off_reported) as is_written_off,
    case
        when is_closed or dpd_reported > $written_off_after_days then 0
        else outstanding_reported
    end as live_principal,
    case
        when not is_closed and dpd_reported > $written_off_after_days then outstanding_reported
        else 0
    end as written_off_principal
from judged
