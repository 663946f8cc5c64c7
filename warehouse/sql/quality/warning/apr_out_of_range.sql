-- apr_out_of_range: loans without interest, or above $apr_max
-- grain:   one row of loans.csv
-- reads:   loan
-- returns: the odd rows; apr is a ratio a year, 2.0 is 200 %
-- source:  setting quality.apr_max
select
    'loans.csv' as source_file,
    source_row,
    loan_id,
    'apr ' || apr as detail
from loan
where apr <= 0 or apr > $apr_max
