-- future_date: events dated after the day the tape was received
-- grain:   one row of loans.csv, transactions.csv or loan_par_balances.csv
-- reads:   loan, transaction, balance_snapshot; due and maturity dates may lie in the future
-- returns: the bad rows; the month end of $received_date is a label, not a future day
-- source:  loan tape contract, version 1: a tape tells what has happened
select
    'loans.csv' as source_file,
    source_row,
    loan_id,
    'disbursed ' || disburse_date || ', received ' || cast($received_date as date) as detail
from loan
where disburse_date > $received_date

union all

select
    'loans.csv' as source_file,
    source_row,
    loan_id,
    'reported ' || reporting_date || ', received ' || cast($received_date as date) as detail
from loan
where
    reporting_date > $received_date
    and reporting_date <> last_day(cast($received_date as date))

union all

select
    'transactions.csv' as source_file,
    source_row,
    loan_id,
    'paid ' || paid_date || ', received ' || cast($received_date as date) as detail
from "transaction"
where paid_date > $received_date

union all

select
    'loan_par_balances.csv' as source_file,
    source_row,
    loan_id,
    'reported ' || reporting_date || ', received ' || cast($received_date as date) as detail
from balance_snapshot
where
    reporting_date > $received_date
    and reporting_date <> last_day(cast($received_date as date))
