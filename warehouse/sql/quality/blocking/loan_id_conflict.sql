-- loan_id_conflict: rows that give one loan_id different cells
-- grain:   one row of loans.csv
-- reads:   repeated_key, loan (exact duplicates are dropped before, so a second row differs)
-- returns: the bad rows, all of them for each such loan_id
-- source:  loan tape contract, version 1: one row a loan
with counted as (

    select
        loan.source_row,
        loan.loan_id,
        count(*) over (partition by loan.loan_id) as loan_rows
    from loan
    semi join repeated_key
        on
            repeated_key.table_name = 'loan'
            and loan.loan_key = repeated_key.loan_key
    where loan.loan_id is not null

)

select
    'loans.csv' as source_file,
    source_row,
    loan_id,
    loan_rows || ' different rows have this loan_id' as detail
from counted
where loan_rows > 1
