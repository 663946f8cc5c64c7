-- facility_date_repeated: days that the tape tells more than once
-- grain:   one row of the aggregate tape
-- reads:   facility_position
-- returns: the bad rows, all of them for each such day
-- source:  loan tape contract, version 2: reporting_date is the key of a position
with counted as (

    select
        reporting_date,
        source_row,
        count(*) over (partition by reporting_date) as rows_of_day
    from facility_position

)

select
    'facility.csv' as source_file,
    source_row,
    cast(null as varchar) as loan_id,
    rows_of_day || ' rows are of ' || reporting_date as detail
from counted
where rows_of_day > 1
