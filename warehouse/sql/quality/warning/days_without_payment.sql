-- days_without_payment: days between the first and the last payment on which nobody paid
-- grain:   one day up to $as_of
-- reads:   payment
-- returns: the quiet days; they belong to no row and no loan
-- source:  a lost day of payments looks like a quiet one
with paid_day as (

    select distinct paid_date
    from payment
    where paid_date <= $as_of

),

span as (

    select unnest(generate_series(min(paid_date), max(paid_date), interval 1 day)) as day_start
    from paid_day

)

select
    'transactions.csv' as source_file,
    cast(null as bigint) as source_row,
    cast(null as varchar) as loan_id,
    'no payment on ' || cast(span.day_start as date) as detail
from span
anti join paid_day on cast(span.day_start as date) = paid_day.paid_date
