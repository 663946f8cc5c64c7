-- customer_null: loans without a customer
-- grain:   one row of loans.csv
-- reads:   loan
-- returns: the bad rows
-- source:  loan tape contract, version 1: every loan has a customer
select
    'loans.csv' as source_file,
    source_row,
    loan_id,
    'customer_id is empty' as detail
from loan
where customer_id is null
