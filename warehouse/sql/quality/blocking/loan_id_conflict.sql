-- loan_id_conflict: rows that give one loan_id different cells
-- grain:   one row of loans.csv
-- reads:   loan (exact duplicates are dropped before, so a second row of an id differs),
--          repeated_key
-- returns: the bad rows, all of them for each such loan_id
-- source:  loan tape contract, version 1: one row a loan
with suspect as (

    select loan.*
    from loan
    semi join repeated_key
        on
            repeated_key.table_name = 'loan'
            and loan.loan_key = repeated_key.loan_key
    where loan.loan_id is not null

),

counted as (

    select
        *,
        count(*) over (partition by loan_id) as rows_of_loan
    from suspect

)

select
    'loans.csv' as source_file,
    source_row,
    loan_id,
    rows_of_loan || ' different rows have this loan_id' as detail
from counted
where rows_of_loan > 1
