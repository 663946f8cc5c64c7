-- facility_amount_negative: days with an amount below 0
-- grain:   one row of the aggregate tape
-- reads:   facility_position
-- returns: the bad rows
-- source:  loan tape contract, version 2: receivables, buckets and cash are never negative
select
    'facility.csv' as source_file,
    source_row,
    cast(null as varchar) as loan_id,
    reporting_date || ': an amount is negative' as detail
from facility_position
where
    least(
        total_receivable, past_due_0, past_due_7, past_due_30, past_due_60, past_due_90,
        total_eligible, cash_available
    ) < 0
