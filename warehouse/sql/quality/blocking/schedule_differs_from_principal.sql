-- schedule_differs_from_principal: loans whose instalments do not add up to the principal
-- grain:   one row of loans.csv
-- reads:   loan, schedule; a loan without any instalment is another check's
-- returns: the bad rows
-- source:  loan tape contract, version 1: a schedule pays back what was lent
with scheduled as (

    select
        loan_key,
        sum(principal) as principal
    from schedule
    group by loan_key

),

differing as materialized (

    select
        loan.loan_key,
        loan.source_row,
        scheduled.principal
    from loan
    inner join scheduled on loan.loan_key = scheduled.loan_key
    where scheduled.principal <> loan.disbursed_principal

)

select
    'loans.csv' as source_file,
    loan.source_row,
    loan.loan_id,
    'principal ' || loan.disbursed_principal || ', scheduled ' || differing.principal as detail
from differing
inner join loan
    on differing.loan_key = loan.loan_key and differing.source_row = loan.source_row
