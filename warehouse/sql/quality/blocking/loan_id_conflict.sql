-- loan_id_conflict: rows that give one loan_id different cells
-- grain:   one row of loans.csv
-- reads:   loan (exact duplicates are dropped before, so a second row of an id differs);
--          book_history: with an open spell a loan no key is repeated, and none is looked for
-- returns: the bad rows, all of them for each such loan_id
-- source:  loan tape contract, version 1: one row a loan
with open_spell as (

    select count(*) as spells
    from book_history
    where valid_to is null and disbursed_principal > 0

),

tape as (

    select count(*) as loans
    from loan

),

repeated as (

    select loan.loan_key
    from loan
    inner join tape on true
    inner join open_spell on tape.loans > open_spell.spells
    group by loan.loan_key
    having count(*) > 1

),

named as (

    select
        loan.source_row,
        loan.loan_id,
        count(*) over (partition by loan.loan_id) as rows_of_loan
    from loan
    semi join repeated on loan.loan_key = repeated.loan_key
    where loan.loan_id is not null

)

select
    'loans.csv' as source_file,
    source_row,
    loan_id,
    rows_of_loan || ' different rows have this loan_id' as detail
from named
where rows_of_loan > 1
