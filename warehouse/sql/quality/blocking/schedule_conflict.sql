-- schedule_conflict: instalments that give one loan different amounts for one due date
-- grain:   one row of schedules.csv
-- reads:   schedule (exact duplicates are dropped before, so a second row of a key differs)
-- returns: the bad rows, all of them for each such key
-- source:  loan tape contract, version 1: (loan_id, date_due) is the key of a schedule
with repeated as (

    select
        loan_key,
        due_date
    from schedule
    group by loan_key, due_date
    having count(*) > 1

)

select
    'schedules.csv' as source_file,
    schedule.source_row,
    schedule.loan_id,
    'due ' || schedule.due_date || ': principal ' || schedule.principal || ', and other amounts'
        as detail
from schedule
semi join repeated
    on
        schedule.loan_key = repeated.loan_key
        and schedule.due_date = repeated.due_date
