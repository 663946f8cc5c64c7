-- written_off_with_live_balance: written-off snapshots that still count as outstanding
-- grain:   one row of loan_par_balances.csv
-- reads:   balance_snapshot
-- returns: the bad rows
-- source:  Cascade's book, rule 4: a write-off leaves the live balance
select
    'loan_par_balances.csv' as source_file,
    source_row,
    loan_id,
    reporting_date || ': live balance ' || outstanding_principal as detail
from balance_snapshot
where is_written_off and outstanding_principal <> 0
