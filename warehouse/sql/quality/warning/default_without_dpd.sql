-- default_without_dpd: loans the lender calls defaulted that are not late
-- grain:   one row of loans.csv
-- reads:   loan
-- returns: the odd rows
-- source:  Cascade's loan_status
select
    'loans.csv' as source_file,
    source_row,
    loan_id,
    'Default with dpd ' || dpd_reported as detail
from loan
where status_reported = 'Default' and dpd_reported <= 0
