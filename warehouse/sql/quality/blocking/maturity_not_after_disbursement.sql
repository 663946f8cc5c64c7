-- maturity_not_after_disbursement: loans that end on the day they begin, or before it
-- grain:   one row of loans.csv
-- reads:   loan
-- returns: the bad rows
-- source:  loan tape contract, version 1: a term is at least one day
select
    'loans.csv' as source_file,
    source_row,
    loan_id,
    'disbursed ' || disburse_date || ', matures ' || maturity_date as detail
from loan
where maturity_date <= disburse_date
