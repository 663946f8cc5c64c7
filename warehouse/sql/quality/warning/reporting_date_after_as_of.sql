-- reporting_date_after_as_of: snapshots labelled with a day after $as_of
-- grain:   one row of loan_par_balances.csv, or of a loan tape
-- reads:   balance_snapshot, loan
-- returns: the odd rows; Cascade labels a partial month with its last day
-- source:  loan tape contract, version 1
select
    'loans.csv' as source_file,
    source_row,
    loan_id,
    'reported ' || reporting_date || ', taken for the as-of date' as detail
from loan
where reporting_date > $as_of

union all

select
    'loan_par_balances.csv' as source_file,
    source_row,
    loan_id,
    'reported ' || reporting_date || ', balances of ' || as_of_date as detail
from balance_snapshot
where reporting_date > $as_of
