-- book_of_snapshots: every loan of the month-end book that is the last one up to $as_of
-- grain:   one loan
-- reads:   balance_snapshot
-- returns: as book; customer, disbursement and cash_paid are NULL, nobody has told them
-- source:  Cascade's own balances, days past due and write-offs
with last_label as (

    select max(reporting_date) as last_date
    from balance_snapshot
    where as_of_date <= $as_of

)

select
    balance_snapshot.loan_key,
    balance_snapshot.loan_id,
    cast(null as varchar) as customer_id,
    cast(null as date) as disburse_date,
    cast(null as decimal(18, 2)) as disbursed_principal,
    balance_snapshot.outstanding_principal + balance_snapshot.written_off_principal
        as residual_principal,
    cast(null as decimal(18, 2)) as cash_paid,
    case
        when balance_snapshot.dpd > 0
            then balance_snapshot.as_of_date - cast(balance_snapshot.dpd as integer)
    end as oldest_due_date,
    balance_snapshot.dpd as days_past_due,
    balance_snapshot.outstanding_principal + balance_snapshot.written_off_principal <= 0
        as is_closed,
    balance_snapshot.is_written_off,
    balance_snapshot.outstanding_principal as live_principal,
    balance_snapshot.written_off_principal
from balance_snapshot
inner join last_label on balance_snapshot.reporting_date = last_label.last_date
