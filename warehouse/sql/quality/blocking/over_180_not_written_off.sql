-- over_180_not_written_off: snapshots too late to be live that are not written off
-- grain:   one row of loan_par_balances.csv
-- reads:   balance_snapshot
-- returns: the bad rows: more than $written_off_after_days late, the day itself is still live
-- source:  Cascade's book, rule 4: written off beyond 180 days past due
select
    'loan_par_balances.csv' as source_file,
    source_row,
    loan_id,
    reporting_date || ': dpd ' || dpd as detail
from balance_snapshot
where dpd > $written_off_after_days and not is_written_off
