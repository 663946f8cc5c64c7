-- transaction: one cash movement of a loan: its disbursement, a payment, or a reclassification
-- grain:   one row of transactions.csv; a day may hold several, so (loan_id, paid_date) is no key
-- reads:   raw (transactions.csv as text, columns by contract name)
-- returns: money in the portfolio's currency; row_fault says why a row cannot be read
-- source:  loan tape contract, version 1
with judged as (

    select
        *,
        number_state(principal) as principal_state,
        number_state(interest) as interest_state,
        number_state(fees) as fees_state,
        number_state(other) as other_state,
        number_state(to_tax) as to_tax_state
    from raw

)

select
    hash(loan_id) as loan_key,
    loan_id,
    transaction_type,
    try_cast(date_paid as date) as paid_date,
    money(principal) as principal,
    money(interest) as interest,
    money(fees) as fees,
    money(other) as other,
    money(to_tax) as tax,
    principal_state = 1
    or interest_state = 1
    or fees_state = 1
    or other_state = 1
    or to_tax_state = 1 as has_float_noise,
    coalesce(
        text_fault(loan_id, 'loan_id', 128),
        day_fault(date_paid, 'date_paid'),
        number_fault(principal_state, 'principal'),
        number_fault(interest_state, 'interest'),
        number_fault(fees_state, 'fees'),
        number_fault(other_state, 'other'),
        number_fault(to_tax_state, 'to_tax'),
        currency_fault(currency, 'currency', $currency)
    ) as row_fault
from judged
