-- balance_out_of_range: balances below 0 or above the principal of their loan
-- grain:   one row of loans.csv or loan_par_balances.csv
-- reads:   loan, balance_snapshot
-- returns: the bad rows; a snapshot's balance is its live and its written-off part together
-- source:  loan tape contract, version 1: a balance only falls from the principal to 0
with snapshot as (

    select
        loan_key,
        source_row,
        reporting_date,
        least(outstanding_principal, written_off_principal) as lowest_part,
        outstanding_principal + written_off_principal as balance
    from balance_snapshot

),

bad_snapshot as materialized (

    select
        snapshot.source_row,
        snapshot.loan_key,
        snapshot.reporting_date || ': balance ' || snapshot.balance
        || ', principal ' || loan.disbursed_principal as detail
    from snapshot
    inner join loan on snapshot.loan_key = loan.loan_key
    where snapshot.lowest_part < 0 or snapshot.balance > loan.disbursed_principal

)

select
    'loans.csv' as source_file,
    source_row,
    loan_id,
    'balance ' || outstanding_reported || ', principal ' || disbursed_principal as detail
from loan
where outstanding_reported < 0 or outstanding_reported > disbursed_principal

union all

select
    'loan_par_balances.csv' as source_file,
    bad_snapshot.source_row,
    loan.loan_id,
    bad_snapshot.detail
from bad_snapshot
inner join loan on bad_snapshot.loan_key = loan.loan_key
