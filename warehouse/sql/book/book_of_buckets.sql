-- book_of_buckets: the last position up to $as_of of a tape without loans, as a book of buckets
-- grain:   one bucket of days past due, and what the buckets leave of the total
-- reads:   facility_position
-- returns: as book, without loans: live_principal is the bucket's, days_past_due its first day, so
--          PAR x is the sum of the buckets from x on over the total receivable; the total may hold
--          written-off loans, and nobody has told which
-- source:  loan tape contract, version 2
with last_day as (

    select max(reporting_date) as last_date
    from facility_position
    where reporting_date <= $as_of

),

position as (

    select facility_position.*
    from facility_position
    inner join last_day on facility_position.reporting_date = last_day.last_date

),

bucket as (

    select
        0 as days_past_due,
        total_receivable - past_due_7 - past_due_30 - past_due_60 - past_due_90 as live_principal
    from position

    union all

    select
        7 as days_past_due,
        past_due_7 as live_principal
    from position

    union all

    select
        30 as days_past_due,
        past_due_30 as live_principal
    from position

    union all

    select
        60 as days_past_due,
        past_due_60 as live_principal
    from position

    union all

    select
        90 as days_past_due,
        past_due_90 as live_principal
    from position

)

select
    cast(null as bigint) as loan_key,
    cast(null as varchar) as loan_id,
    cast(null as varchar) as customer_id,
    cast(null as date) as disburse_date,
    cast(null as decimal(18, 2)) as disbursed_principal,
    live_principal as residual_principal,
    cast(null as decimal(18, 2)) as cash_paid,
    cast(null as date) as oldest_due_date,
    days_past_due,
    false as is_closed,
    false as is_written_off,
    live_principal,
    cast(0 as decimal(18, 2)) as written_off_principal
from bucket
