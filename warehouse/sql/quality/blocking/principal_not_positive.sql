-- principal_not_positive: loans that lend nothing
-- grain:   one row of loans.csv
-- reads:   loan
-- returns: the bad rows
-- source:  loan tape contract, version 1: disbursed_principal > 0
select
    'loans.csv' as source_file,
    source_row,
    loan_id,
    'principal ' || disbursed_principal as detail
from loan
where disbursed_principal <= 0
