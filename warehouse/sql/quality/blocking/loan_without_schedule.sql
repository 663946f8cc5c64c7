-- loan_without_schedule: loans that can never be late because nothing is ever due
-- grain:   one row of loans.csv
-- reads:   loan, schedule
-- returns: the bad rows
-- source:  Cascade's book, rule 3: days past due come from the schedule
with unscheduled as materialized (

    select
        loan.loan_key,
        loan.source_row
    from loan
    anti join schedule on loan.loan_key = schedule.loan_key

)

select
    'loans.csv' as source_file,
    unscheduled.source_row,
    loan.loan_id,
    'no row in schedules.csv' as detail
from unscheduled
inner join loan
    on unscheduled.loan_key = loan.loan_key and unscheduled.source_row = loan.source_row
