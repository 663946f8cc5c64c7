-- restated_facility: days that today's aggregate tape tells otherwise than the previous run's
-- grain:   one day that both tell, up to $previous_as_of
-- reads:   facility_position, previous_facility_position
-- returns: the changed days, with the total, the cash and the eligible balance
-- source:  history may not change between two tapes
select
    'facility.csv' as source_file,
    now_told.source_row,
    cast(null as varchar) as loan_id,
    now_told.reporting_date || ': told otherwise than before' as detail
from facility_position as now_told
inner join previous_facility_position as past_told
    on now_told.reporting_date = past_told.reporting_date
where
    now_told.reporting_date <= $previous_as_of
    and (
        now_told.total_receivable <> past_told.total_receivable
        or now_told.past_due_0 <> past_told.past_due_0
        or now_told.past_due_7 <> past_told.past_due_7
        or now_told.past_due_30 <> past_told.past_due_30
        or now_told.past_due_60 <> past_told.past_due_60
        or now_told.past_due_90 <> past_told.past_due_90
        or now_told.total_eligible is distinct from past_told.total_eligible
        or now_told.cash_available is distinct from past_told.cash_available
    )
