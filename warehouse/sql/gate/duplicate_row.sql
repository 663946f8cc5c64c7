-- duplicate_row: rows that repeat an earlier row exactly, cell by cell after typing
-- grain:   one repeated row of loans, schedules or loan_par_balances
-- reads:   tape_loan, tape_schedule, tape_balance_snapshot
-- returns: source_file, source_row (1-based), loan_id; the first of its kind is not in here;
--          transactions are never deduplicated
-- source:  quality gate: exact duplicates are dropped and counted, conflicting keys block
with loan_group as (

    select
        * exclude (source_row),
        list(source_row order by source_row) as source_rows
    from tape_loan
    semi join (
        select loan_key from tape_loan group by all having count(*) > 1
    ) using (loan_key)
    group by all

),

schedule_group as (

    select
        * exclude (source_row),
        list(source_row order by source_row) as source_rows
    from tape_schedule
    semi join (
        select loan_key, due_date from tape_schedule group by all having count(*) > 1
    ) using (loan_key, due_date)
    group by all

),

balance_snapshot_group as (

    select
        * exclude (source_row),
        list(source_row order by source_row) as source_rows
    from tape_balance_snapshot
    semi join (
        select loan_key, reporting_date from tape_balance_snapshot group by all having count(*) > 1
    ) using (loan_key, reporting_date)
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
