-- customer_id_pattern: loans whose customer id does not look like the lender's others
-- grain:   one row of loans.csv
-- reads:   loan
-- returns: the odd rows; the id itself is personal data and not told
-- source:  setting quality.customer_id_pattern
select
    'loans.csv' as source_file,
    source_row,
    loan_id,
    'customer_id is not of the usual form' as detail
from loan
where not is_customer_id_usual
