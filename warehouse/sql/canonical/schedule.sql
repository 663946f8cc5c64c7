-- schedule: one contractual instalment
-- grain:   one row of schedules.csv; key (loan_id, due_date) once the gate has passed
-- reads:   raw (schedules.csv as text, columns by contract name)
-- returns: money in the portfolio's currency; row_fault says why a row cannot be read
-- source:  loan tape contract, version 1
select
    hash(loan_id) as loan_key,
    loan_id,
    try_cast(date_due as date) as due_date,
    money(principal) as principal,
    money(interest) as interest,
    money(fees) as fees,
    money(other) as other,
    money(to_tax) as tax,
    not is_cents(principal)
    or not is_cents(interest)
    or not is_cents(fees)
    or not is_cents(other)
    or not is_cents(to_tax) as has_float_noise,
    coalesce(
        text_fault(loan_id, 'loan_id', 128),
        day_fault(date_due, 'date_due'),
        number_fault(principal, 'principal'),
        number_fault(interest, 'interest'),
        number_fault(fees, 'fees'),
        number_fault(other, 'other'),
        number_fault(to_tax, 'to_tax'),
        currency_fault(currency, 'currency', $currency)
    ) as row_fault
from raw
