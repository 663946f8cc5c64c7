-- payment_before_disbursement: payments of a loan that was not yet paid out, up to $as_of
-- grain:   one PAYMENT row of transactions.csv
-- reads:   book_history, payment, loan
-- returns: the bad rows
-- source:  loan tape contract, version 1; only a spell before the disbursement has none disbursed
with early as (

    select loan_key
    from book_history
    where disbursed_principal = 0

)

select
    'transactions.csv' as source_file,
    payment.source_row,
    payment.loan_id,
    'paid ' || payment.paid_date || ', disbursed ' || loan.disburse_date as detail
from payment
semi join early on payment.loan_key = early.loan_key
inner join loan on payment.loan_key = loan.loan_key
where payment.paid_date < loan.disburse_date and payment.paid_date <= $as_of
