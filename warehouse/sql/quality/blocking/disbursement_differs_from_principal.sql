-- disbursement_differs_from_principal: loans whose disbursements do not add up to the principal
-- grain:   one row of loans.csv
-- reads:   loan, disbursement
-- returns: the bad rows; a loan without a disbursement is one of them
-- source:  loan tape contract, version 1: the ledger disburses what loans.csv lends
with disbursed as (

    select
        loan_key,
        sum(principal) as principal
    from disbursement
    group by loan_key

),

differing as materialized (

    select
        loan.loan_key,
        loan.source_row,
        coalesce(disbursed.principal, 0) as principal
    from loan
    left join disbursed on loan.loan_key = disbursed.loan_key
    where disbursed.principal is null or disbursed.principal <> loan.disbursed_principal

)

select
    'loans.csv' as source_file,
    loan.source_row,
    loan.loan_id,
    'principal ' || loan.disbursed_principal || ', disbursed ' || differing.principal as detail
from differing
inner join loan
    on differing.loan_key = loan.loan_key and differing.source_row = loan.source_row
