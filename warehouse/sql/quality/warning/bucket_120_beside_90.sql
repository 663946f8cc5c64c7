-- bucket_120_beside_90: days that tell both dpd_90_plus and dpd_120_plus
-- grain:   one row of the aggregate tape
-- reads:   facility_position
-- returns: the odd rows; the greater of the two was taken, nobody says whether one holds the other
-- source:  loan tape contract, version 2
select
    'facility.csv' as source_file,
    source_row,
    cast(null as varchar) as loan_id,
    reporting_date || ': the greater of dpd_90_plus and dpd_120_plus was taken' as detail
from facility_position
where has_past_due_120
