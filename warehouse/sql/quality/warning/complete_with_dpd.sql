-- complete_with_dpd: loans the lender calls complete that are still late
-- grain:   one row of loans.csv
-- reads:   loan
-- returns: the odd rows
-- source:  Cascade's loan_status
select
    'loans.csv' as source_file,
    source_row,
    loan_id,
    'Complete with dpd ' || dpd_reported as detail
from loan
where status_reported = 'Complete' and dpd_reported > 0
