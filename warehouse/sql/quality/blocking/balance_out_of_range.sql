-- balance_out_of_range: balances below 0 or above the principal of their loan
-- grain:   one row of loans.csv or loan_par_balances.csv
-- reads:   loan, balance_snapshot, book_history (one open spell a loan, of $as_of)
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
        'balance ' || reported.balance || ', principal ' || spell.disbursed_principal as detail
    from reported
    inner join book_history as spell on reported.loan_key = spell.loan_key
    where
        spell.valid_to is null
        and (reported.lowest_part < 0 or reported.balance > spell.disbursed_principal)

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
    balance_snapshot.source_row,
    balance_snapshot.loan_id,
    balance_snapshot.reporting_date || ': ' || bad_snapshot.detail as detail
from bad_snapshot
inner join balance_snapshot
    on
        bad_snapshot.loan_key = balance_snapshot.loan_key
        and bad_snapshot.source_row = balance_snapshot.source_row
