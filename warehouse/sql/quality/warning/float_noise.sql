-- float_noise: rows whose money has more than two decimals; it was rounded to cents
-- grain:   one row of any of the four tables
-- reads:   loan, schedule, transaction, balance_snapshot
-- returns: the noisy rows
-- source:  loan tape contract, version 1: float tails are rounded, never rejected
select
    'loans.csv' as source_file,
    source_row,
    loan_id,
    'rounded to cents' as detail
from loan
where has_float_noise

union all

select
    'schedules.csv' as source_file,
    source_row,
    loan_id,
    'rounded to cents' as detail
from schedule
where has_float_noise

union all

select
    'transactions.csv' as source_file,
    source_row,
    loan_id,
    'rounded to cents' as detail
from "transaction"
where has_float_noise

union all

select
    'loan_par_balances.csv' as source_file,
    source_row,
    loan_id,
    'rounded to cents' as detail
from balance_snapshot
where has_float_noise
