-- lost_loans: loans of the previous run that this tape does not have
-- grain:   one loan of the previous run, disbursed up to $as_of where that is told
-- reads:   previous_loan, tape_loan (so that a quarantined loan is not taken for a lost one)
-- returns: the missing loans; source_row is NULL, there is no row
-- source:  loan tape contract, version 1: a tape is cumulative, loans never leave it
select
    'loans.csv' as source_file,
    cast(null as bigint) as source_row,
    previous_loan.loan_id,
    coalesce(
        'disbursed ' || previous_loan.disburse_date || ', principal '
        || previous_loan.disbursed_principal,
        'only in the previous tape'
    ) as detail
from previous_loan
anti join tape_loan on hash(previous_loan.loan_id) = tape_loan.loan_key
where coalesce(previous_loan.disburse_date <= $as_of, true)
