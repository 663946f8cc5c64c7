-- payment_before_disbursement: payments of a loan that was not yet paid out, up to $as_of
-- grain:   one PAYMENT row of transactions.csv
-- reads:   book_history (a spell before the disbursement has nothing disbursed), payment
-- returns: the bad rows
-- source:  loan tape contract, version 1: cash comes back after it went out
select
    'transactions.csv' as source_file,
    payment.source_row,
    payment.loan_id,
    'paid ' || payment.paid_date || ', before the loan is disbursed' as detail
from payment
inner join book_history
    on
        payment.loan_key = book_history.loan_key
        and payment.paid_date = book_history.valid_from
where book_history.disbursed_principal = 0
