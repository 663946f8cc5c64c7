-- payment_not_positive: payments that bring no cash
-- grain:   one PAYMENT row of transactions.csv
-- reads:   payment
-- returns: the odd rows; a reclassification adds up to 0, so it is one of them
-- source:  loan tape contract, version 1
select
    'transactions.csv' as source_file,
    source_row,
    loan_id,
    'paid ' || paid_date || ': total ' || (principal + interest + fees + other + tax) as detail
from payment
where principal + interest + fees + other + tax <= 0
