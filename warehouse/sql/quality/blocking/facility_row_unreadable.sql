-- facility_row_unreadable: days with a cell that is missing, or is not what its column holds
-- grain:   one row of the aggregate tape
-- reads:   facility_position
-- returns: the bad rows; each is a whole day, so none can be set apart
-- source:  loan tape contract, version 2
select
    'facility.csv' as source_file,
    source_row,
    cast(null as varchar) as loan_id,
    row_fault as detail
from facility_position
where row_fault is not null
