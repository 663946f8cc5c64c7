-- snapshot_conflict: balances that give one loan different figures for one reporting date
-- grain:   one row of loan_par_balances.csv
-- reads:   balance_snapshot (exact duplicates are dropped before, so a second row differs),
--          repeated_key
-- returns: the bad rows, all of them for each such key
-- source:  loan tape contract, version 1: (loan_id, reporting_date) is the key of a snapshot
with suspect as (

    select balance_snapshot.*
    from balance_snapshot
    semi join repeated_key
        on
            repeated_key.table_name = 'balance_snapshot'
            and balance_snapshot.loan_key = repeated_key.loan_key
            and balance_snapshot.reporting_date = repeated_key.key_date

),

counted as (

    select
        *,
        count(*) over (partition by loan_key, reporting_date) as rows_of_key
    from suspect

)

select
    'loan_par_balances.csv' as source_file,
    source_row,
    loan_id,
    reporting_date || ': balance ' || outstanding_principal || ', dpd ' || dpd
    || ', and other figures' as detail
from counted
where rows_of_key > 1
