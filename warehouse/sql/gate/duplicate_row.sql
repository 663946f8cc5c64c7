-- duplicate_row: rows that repeat an earlier row exactly, cell by cell after typing
-- grain:   one repeated row of loans, schedules or loan_par_balances
-- reads:   tape_loan, tape_schedule, tape_balance_snapshot, repeated_key
-- returns: source_file, source_row (1-based), loan_id; the first of its kind is not in here;
--          transactions are never deduplicated
-- source:  quality gate: exact duplicates are dropped and counted, conflicting keys block
with loan_group as (

    select
        tape_loan.* exclude (source_row),
        list(tape_loan.source_row order by tape_loan.source_row) as source_rows
    from tape_loan
    semi join repeated_key
        on
            repeated_key.table_name = 'loan'
            and tape_loan.loan_key = repeated_key.loan_key
    group by all

),

schedule_group as (

    select
        tape_schedule.* exclude (source_row),
        list(tape_schedule.source_row order by tape_schedule.source_row) as source_rows
    from tape_schedule
    semi join repeated_key
        on
            repeated_key.table_name = 'schedule'
            and tape_schedule.loan_key = repeated_key.loan_key
            and tape_schedule.due_date = repeated_key.key_date
    group by all

),

balance_snapshot_group as (

    select
        tape_balance_snapshot.* exclude (source_row),
        list(
            tape_balance_snapshot.source_row order by tape_balance_snapshot.source_row
        ) as source_rows
    from tape_balance_snapshot
    semi join repeated_key
        on
            repeated_key.table_name = 'balance_snapshot'
            and tape_balance_snapshot.loan_key = repeated_key.loan_key
            and tape_balance_snapshot.reporting_date = repeated_key.key_date
    group by all

)

select
    'loans.csv' as source_file,
    unnest(source_rows[2:]) as source_row,
    loan_id
from loan_group

union all

select
    'schedules.csv' as source_file,
    unnest(source_rows[2:]) as source_row,
    loan_id
from schedule_group

union all

select
    'loan_par_balances.csv' as source_file,
    unnest(source_rows[2:]) as source_row,
    loan_id
from balance_snapshot_group
