-- repeated_key: keys that more than one row of a table has; nearly always none
-- grain:   one key of one table
-- reads:   tape_loan, tape_schedule, tape_balance_snapshot
-- returns: table_name, loan_key and the day of the key (NULL for loan, whose key has none)
-- source:  loan tape contract, version 1: transactions have no key
select
    'loan' as table_name,
    loan_key,
    cast(null as date) as key_date
from tape_loan
group by loan_key
having count(*) > 1

union all

select
    'schedule' as table_name,
    loan_key,
    due_date as key_date
from tape_schedule
group by loan_key, due_date
having count(*) > 1

union all

select
    'balance_snapshot' as table_name,
    loan_key,
    reporting_date as key_date
from tape_balance_snapshot
group by loan_key, reporting_date
having count(*) > 1
