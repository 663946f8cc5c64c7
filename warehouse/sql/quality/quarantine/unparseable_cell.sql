-- unparseable_cell: rows with a cell that is missing, or is not what its column holds
-- grain:   one row of any of the four tables
-- reads:   tape_loan, tape_schedule, tape_transaction, tape_balance_snapshot
-- returns: the bad rows; detail is the first bad column and the code of its fault, not the cell
-- source:  loan tape contract, version 1
select
    'loans.csv' as source_file,
    source_row,
    loan_id,
    row_fault as detail
from tape_loan
where row_fault is not null

union all

select
    'schedules.csv' as source_file,
    source_row,
    loan_id,
    row_fault as detail
from tape_schedule
where row_fault is not null

union all

select
    'transactions.csv' as source_file,
    source_row,
    loan_id,
    row_fault as detail
from tape_transaction
where row_fault is not null

union all

select
    'loan_par_balances.csv' as source_file,
    source_row,
    loan_id,
    row_fault as detail
from tape_balance_snapshot
where row_fault is not null
