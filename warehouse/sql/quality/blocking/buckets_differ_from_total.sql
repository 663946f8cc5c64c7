-- buckets_differ_from_total: days whose buckets do not add up to the total receivable
-- grain:   one row of the aggregate tape
-- reads:   facility_position
-- returns: the bad rows: apart by more than 0.01 and 0.01 % of the total
-- source:  loan tape contract, version 2: every receivable is in one bucket
with summed as (

    select
        *,
        past_due_0 + past_due_7 + past_due_30 + past_due_60 + past_due_90 as buckets
    from facility_position

)

select
    'facility.csv' as source_file,
    source_row,
    cast(null as varchar) as loan_id,
    reporting_date || ': buckets ' || buckets || ', total receivable ' || total_receivable
        as detail
from summed
where abs(buckets - total_receivable) > 0.01 + 0.0001 * total_receivable
