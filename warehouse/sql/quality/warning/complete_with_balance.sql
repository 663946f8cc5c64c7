-- complete_with_balance: loans the lender calls complete that still owe something
-- grain:   one row of loans.csv
-- reads:   loan
-- returns: the odd rows; cents left behind are odd too
-- source:  Cascade's loan_status
select
    'loans.csv' as source_file,
    source_row,
    loan_id,
    'Complete with balance ' || outstanding_reported as detail
from loan
where status_reported = 'Complete' and outstanding_reported > 0
