-- earlier_book: what each loan owed on the stored tape that opens the window
-- grain:   one loan
-- reads:   stored_position (as_of_date, loan_id, residual_principal)
-- returns: the balance at the end of $opening_date, of loans that owed anything; none without it
-- source:  collection_rate, as far as stored tapes tell it
select
    hash(loan_id) as loan_key,
    residual_principal
from stored_position
where as_of_date = $opening_date and residual_principal > 0
