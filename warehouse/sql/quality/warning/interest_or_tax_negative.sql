-- interest_or_tax_negative: cash paid or due with interest or tax below 0
-- grain:   one row of schedules.csv, or one PAYMENT row of transactions.csv
-- reads:   schedule, payment
-- returns: the odd rows; a reclassification moves interest to principal, so it is one of them
-- source:  loan tape contract, version 1
select
    'schedules.csv' as source_file,
    source_row,
    loan_id,
    'due ' || due_date || ': interest ' || interest || ', tax ' || tax as detail
from schedule
where interest < 0 or tax < 0

union all

select
    'transactions.csv' as source_file,
    source_row,
    loan_id,
    'paid ' || paid_date || ': interest ' || interest || ', tax ' || tax as detail
from payment
where interest < 0 or tax < 0
