-- exact_duplicate: rows that repeat another row of their table; they were dropped
-- grain:   one row of loans.csv, schedules.csv or loan_par_balances.csv
-- reads:   duplicate_row
-- returns: the dropped rows
-- source:  loan tape contract, version 1: transactions are never deduplicated
select
    source_file,
    source_row,
    loan_id,
    'repeats an earlier row' as detail
from duplicate_row
