-- snapshot_conflict: balances that give one loan different figures for one reporting date
-- grain:   one row of loan_par_balances.csv
-- reads:   repeated_key, balance_snapshot (exact duplicates are dropped before)
-- returns: the bad rows, all of them for each such key
-- source:  loan tape contract, version 1: (loan_id, reporting_date) is the key of a snapshot
with counted as (

    select
        reported.source_row,
        reported.loan_id,
        reported.reporting_date,
        reported.outstanding_principal,
        reported.dpd,
        count(*) over (partition by reported.loan_key, reported.reporting_date) as key_rows
    from balance_snapshot as reported
    semi join repeated_key
        on
            repeated_key.table_name = 'balance_snapshot'
            and reported.loan_key = repeated_key.loan_key
            and reported.reporting_date = repeated_key.key_date

)

select
    'loan_par_balances.csv' as source_file,
    source_row,
    loan_id,
    reporting_date || ': balance ' || outstanding_principal || ', dpd ' || dpd
    || ', and other figures' as detail
from counted
where key_rows > 1
