-- term_over_a_year: loans longer than $term_max_days
-- grain:   one row of loans.csv
-- reads:   loan
-- returns: the odd rows
-- source:  setting quality.term_max_days
select
    'loans.csv' as source_file,
    source_row,
    loan_id,
    'term ' || term_days || ' days' as detail
from loan
where term_days > $term_max_days
