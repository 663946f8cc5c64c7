-- par_not_nested: snapshots whose portfolio at risk grows with the days past due
-- grain:   one row of loan_par_balances.csv
-- reads:   balance_snapshot
-- returns: the bad rows
-- source:  a loan 90 days late is 60, 30 and 7 days late too: PAR 7 >= 30 >= 60 >= 90
select
    'loan_par_balances.csv' as source_file,
    source_row,
    loan_id,
    reporting_date || ': par 7, 30, 60, 90 are ' || par_7_principal || ', ' || par_30_principal
    || ', ' || par_60_principal || ', ' || par_90_principal as detail
from balance_snapshot
where
    par_7_principal < par_30_principal
    or par_30_principal < par_60_principal
    or par_60_principal < par_90_principal
