-- restated_snapshot: balances that today's month-end book tells otherwise than the previous run's
-- grain:   one row of loan_par_balances.csv that both tell of the same day
-- reads:   balance_snapshot, previous_balance_snapshot
-- returns: the changed rows
-- source:  history may not change between two tapes
with changed as materialized (

    select
        now_told.source_row,
        now_told.loan_id,
        now_told.reporting_date,
        now_told.outstanding_principal + now_told.written_off_principal
        - past_told.outstanding_principal - past_told.written_off_principal as balance_change,
        now_told.dpd - past_told.dpd as dpd_change
    from balance_snapshot as now_told
    inner join previous_balance_snapshot as past_told
        on
            now_told.loan_id = past_told.loan_id
            and now_told.reporting_date = past_told.reporting_date
            and now_told.as_of_date = past_told.as_of_date

)

select
    'loan_par_balances.csv' as source_file,
    source_row,
    loan_id,
    reporting_date || ': balance by ' || balance_change || ', days past due by ' || dpd_change
        as detail
from changed
where balance_change <> 0 or dpd_change <> 0
