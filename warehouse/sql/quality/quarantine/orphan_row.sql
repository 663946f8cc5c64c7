-- orphan_row: rows of a loan that loans.csv does not have
-- grain:   one row of schedules.csv, transactions.csv or loan_par_balances.csv
-- reads:   quarantined_loan (orphans are in it), tape_loan, tape_schedule, tape_transaction,
--          tape_balance_snapshot
-- returns: the bad rows; a row without any loan_id is another check's
-- source:  loan tape contract, version 1: loans.csv has every loan
with orphan as materialized (

    select quarantined_loan.loan_key
    from quarantined_loan
    anti join tape_loan on quarantined_loan.loan_key = tape_loan.loan_key

)

select
    'schedules.csv' as source_file,
    tape_schedule.source_row,
    tape_schedule.loan_id,
    'no row in loans.csv' as detail
from tape_schedule
semi join orphan on tape_schedule.loan_key = orphan.loan_key
where tape_schedule.loan_id is not null

union all

select
    'transactions.csv' as source_file,
    tape_transaction.source_row,
    tape_transaction.loan_id,
    'no row in loans.csv' as detail
from tape_transaction
semi join orphan on tape_transaction.loan_key = orphan.loan_key
where tape_transaction.loan_id is not null

union all

select
    'loan_par_balances.csv' as source_file,
    tape_balance_snapshot.source_row,
    tape_balance_snapshot.loan_id,
    'no row in loans.csv' as detail
from tape_balance_snapshot
semi join orphan on tape_balance_snapshot.loan_key = orphan.loan_key
where tape_balance_snapshot.loan_id is not null
