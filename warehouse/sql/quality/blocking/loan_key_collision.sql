-- loan_key_collision: loans whose ids hash to the same join key, so their rows would be mixed
-- grain:   one row of loans.csv
-- reads:   loan; book_history: with an open spell a loan no key is repeated, none is looked for
-- returns: the bad rows, all of them for each such key; 1 tape of 1M loans in 37 million has one
-- source:  loan_key = hash(loan_id) has 64 bits; this proves for the tape at hand that it is a key
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
        min(loan.loan_id) over (partition by loan.loan_key) as first_id,
        max(loan.loan_id) over (partition by loan.loan_key) as last_id
    from loan
    semi join repeated on loan.loan_key = repeated.loan_key

)

select
    'loans.csv' as source_file,
    source_row,
    loan_id,
    'another loan_id has the same join key' as detail
from named
where first_id <> last_id
