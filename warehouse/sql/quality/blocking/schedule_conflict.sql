-- schedule_conflict: instalments that give one loan different amounts for one due date
-- grain:   one row of schedules.csv
-- reads:   repeated_key, schedule (exact duplicates are dropped before, so a second row differs)
-- returns: the bad rows, all of them for each such key
-- source:  loan tape contract, version 1: (loan_id, date_due) is the key of a schedule
with counted as (

    select
        schedule.source_row,
        schedule.loan_id,
        schedule.due_date,
        schedule.principal,
        count(*) over (partition by schedule.loan_key, schedule.due_date) as key_rows
    from schedule
    semi join repeated_key
        on
            repeated_key.table_name = 'schedule'
            and schedule.loan_key = repeated_key.loan_key
            and schedule.due_date = repeated_key.key_date

)

select
    'schedules.csv' as source_file,
    source_row,
    loan_id,
    'due ' || due_date || ': principal ' || principal || ', and other amounts' as detail
from counted
where key_rows > 1
