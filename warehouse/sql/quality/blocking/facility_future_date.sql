-- facility_future_date: days after the day the tape was received
-- grain:   one row of the aggregate tape
-- reads:   facility_position
-- returns: the bad rows; the month end of $received_date is a label, not a future day
-- source:  loan tape contract, version 2: a tape tells what has happened
select
    'facility.csv' as source_file,
    source_row,
    cast(null as varchar) as loan_id,
    'reported ' || reporting_date || ', received ' || cast($received_date as date) as detail
from facility_position
where
    reporting_date > $received_date
    and reporting_date <> last_day(cast($received_date as date))
