-- quiet_ledger: a ledger that ends more than $quiet_ledger_days before $as_of
-- grain:   one tape
-- reads:   payment, disbursement
-- returns: one row when it does, or when there is no event at all; it is of no loan
-- source:  setting windows.quiet_ledger_days
with ledger as (

    select max(paid_date) as event_date
    from payment
    where paid_date <= $as_of

    union all

    select max(disburse_date) as event_date
    from disbursement
    where disburse_date <= $as_of

),

last_event as (

    select max(event_date) as event_date
    from ledger

)

select
    'transactions.csv' as source_file,
    cast(null as bigint) as source_row,
    cast(null as varchar) as loan_id,
    coalesce(
        'last event ' || event_date || ', ' || date_diff('day', event_date, $as_of)
        || ' days before the as-of date',
        'no event up to the as-of date'
    ) as detail
from last_event
where event_date is null or date_diff('day', event_date, $as_of) > $quiet_ledger_days
