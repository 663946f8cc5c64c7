-- payment: cash received from a borrower; zero-cash reclassifications are payments too
-- grain:   one PAYMENT row; key (loan_id, paid_date, seq), seq counts the rows of a loan and day
-- reads:   transaction
-- returns: money in the portfolio's currency
-- source:  loan tape contract, version 1; seq follows the amounts, so row order cannot change it
select
    loan_key,
    loan_id,
    paid_date,
    row_number() over (
        partition by loan_key, paid_date
        order by principal, interest, fees, other, tax, source_row
    ) as seq,
    principal,
    interest,
    fees,
    other,
    tax,
    source_row
from "transaction"
where transaction_type = 'PAYMENT'
