-- schedule_conflict: instalments that give one loan different amounts for one due date
-- grain:   one row of schedules.csv
-- reads:   schedule (exact duplicates are dropped before, so a second row of a key differs),
--          repeated_key
-- returns: the bad rows, all of them for each such key
-- source:  loan tape contract, version 1: (loan_id, date_due) is the key of a schedule
with suspect as (

    select schedule.*
    from schedule
    semi join repeated_key
        on
            repeated_key.table_name = 'schedule'
            and schedule.loan_key = repeated_key.loan_key
            and schedule.due_date = repeated_key.key_date

),

counted as (

    select
        *,
        count(*) over (partition by loan_key, due_date) as rows_of_key
    from suspect

)

select
    'schedules.csv' as source_file,
    source_row,
    loan_id,
    'due ' || due_date || ': principal ' || principal || ', and other amounts' as detail
from counted
where rows_of_key > 1
