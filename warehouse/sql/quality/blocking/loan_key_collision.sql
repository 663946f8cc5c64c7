-- loan_key_collision: loans whose ids hash to the same join key, so their rows would be mixed
-- grain:   one row of loans.csv
-- reads:   loan, repeated_key
-- returns: the bad rows, all of them for each such key; 1 tape of 1M loans in 37 million has one
-- source:  loan_key = hash(loan_id) has 64 bits; this proves for the tape at hand that it is a key
with suspect as (

    select loan.*
    from loan
    semi join repeated_key
        on
            repeated_key.table_name = 'loan'
            and loan.loan_key = repeated_key.loan_key

),

named as (

    select
        source_row,
        loan_id,
        min(loan_id) over (partition by loan_key) as first_id,
        max(loan_id) over (partition by loan_key) as last_id
    from suspect

)

select
    'loans.csv' as source_file,
    source_row,
    loan_id,
    'another loan_id has the same join key' as detail
from named
where first_id <> last_id
