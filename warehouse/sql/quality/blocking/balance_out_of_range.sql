-- balance_out_of_range: balances below 0 or above the principal of their loan
-- grain:   one row of loans.csv or loan_par_balances.csv
-- reads:   loan, balance_snapshot
-- returns: the bad rows; a snapshot's balance is its live and its written-off part together
-- source:  loan tape contract, version 1: a balance only falls from the principal to 0
with reported as (

    select
        loan_key,
        source_row,
        least(outstanding_principal, written_off_principal) as lowest_part,
        outstanding_principal + written_off_principal as balance
    from balance_snapshot

),

bad_snapshot as materialized (

    select
        reported.loan_key,
        reported.source_row,
        concat(
            'balance ', reported.balance, ', principal ',
            coalesce(cast(loan.disbursed_principal as varchar), 'unknown')
        ) as detail
    from reported
    inner join loan on reported.loan_key = loan.loan_key
    where reported.lowest_part < 0 or reported.balance > loan.disbursed_principal

)

select
    'loans.csv' as source_file,
    source_row,
    loan_id,
    concat(
        'balance ', outstanding_reported, ', principal ',
        coalesce(cast(disbursed_principal as varchar), 'unknown')
    ) as detail
from loan
where outstanding_reported < 0 or outstanding_reported > disbursed_principal

union all

select
    'loan_par_balances.csv' as source_file,
    balance_snapshot.source_row,
    balance_snapshot.loan_id,
    balance_snapshot.reporting_date || ': ' || bad_snapshot.detail as detail
from bad_snapshot
inner join balance_snapshot
    on
        bad_snapshot.loan_key = balance_snapshot.loan_key
        and bad_snapshot.source_row = balance_snapshot.source_row
