-- disbursement: principal paid out to a borrower
-- grain:   one DISBURSEMENT row; a loan has one
-- reads:   transaction
-- returns: money in the portfolio's currency
-- source:  loan tape contract, version 1
select
    loan_key,
    loan_id,
    paid_date as disburse_date,
    principal,
    source_row
from "transaction"
where transaction_type = 'DISBURSEMENT'
