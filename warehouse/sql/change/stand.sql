-- stand:   where each loan of a book stands, and what is owed on it
-- grain:   one loan
-- reads:   book, with row_hash: equal where two books say the same of a loan
-- returns: stand live, closed or written_off; principal in money, live or written off; whole days
-- source:  the book's own words; a loan tape may report a write-off on which nothing is owed
select
    loan_key,
    loan_id,
    days_past_due,
    live_principal + written_off_principal as principal,
    case
        when is_written_off then 'written_off'
        when live_principal > 0 then 'live'
        else 'closed'
    end as stand,
    row_hash
from book
