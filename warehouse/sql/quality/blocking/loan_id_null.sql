-- loan_id_null: rows that belong to no loan because their loan_id is empty
-- grain:   one row of any of the four tables
-- reads:   tape_loan, tape_schedule, tape_transaction, tape_balance_snapshot
-- returns: the bad rows; loan_id is NULL, there is none
-- source:  loan tape contract, version 1: loan_id is the key of every table
with unnamed as (

    select
        'loans.csv' as source_file,
        source_row
    from tape_loan
    where loan_id is null

    union all

    select
        'schedules.csv' as source_file,
        source_row
    from tape_schedule
    where loan_id is null

    union all

    select
        'transactions.csv' as source_file,
        source_row
    from tape_transaction
    where loan_id is null

    union all

    select
        'loan_par_balances.csv' as source_file,
        source_row
    from tape_balance_snapshot
    where loan_id is null

)

select
    source_file,
    source_row,
    cast(null as varchar) as loan_id,
    'loan_id is empty' as detail
from unnamed
