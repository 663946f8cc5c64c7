-- snapshot_conflict: balances that give one loan different figures for one reporting date
-- grain:   one row of loan_par_balances.csv
-- reads:   balance_snapshot (exact duplicates are dropped before, so a second row differs)
-- returns: the bad rows, all of them for each such key
-- source:  loan tape contract, version 1: (loan_id, reporting_date) is the key of a snapshot
with repeated as (

    select
        loan_key,
        reporting_date
    from balance_snapshot
    group by loan_key, reporting_date
    having count(*) > 1

)

select
    'loan_par_balances.csv' as source_file,
    balance_snapshot.source_row,
    balance_snapshot.loan_id,
    balance_snapshot.reporting_date || ': balance ' || balance_snapshot.outstanding_principal
    || ', dpd ' || balance_snapshot.dpd || ', and other figures' as detail
from balance_snapshot
semi join repeated
    on
        balance_snapshot.loan_key = repeated.loan_key
        and balance_snapshot.reporting_date = repeated.reporting_date
