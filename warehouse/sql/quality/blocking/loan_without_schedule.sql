-- loan_without_schedule: loans that can never be late because nothing is ever due
-- grain:   one row of loans.csv
-- reads:   loan, schedule
-- returns: the bad rows
-- source:  Cascade's book, rule 3: days past due come from the schedule
select
    'loans.csv' as source_file,
    loan.source_row,
    loan.loan_id,
    'no row in schedules.csv' as detail
from loan
anti join schedule on loan.loan_key = schedule.loan_key
