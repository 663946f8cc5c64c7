-- loan_tape: one typed row a loan of a tape that lists loans as they stand, without their ledger
-- grain:   one row of the tape; key loan_id once the gate has passed
-- reads:   raw (the tape as text, columns by contract name)
-- returns: table loan: money in the portfolio's currency, NULL in a column that the tape does not
--          have; row_fault says why a row cannot be read; customer_id is keyed
-- source:  loan tape contract, version 2: loan_id, balance and days past due are all it must tell
with judged as (

    select
        *,
        number_state(outstanding_principal) as outstanding_principal_state,
        number_state(disbursed_principal) as disbursed_principal_state,
        number_state(apr) as apr_state
    from raw

)

select
    hash(loan_id) as loan_key,
    loan_id,
    pseudonym(customer_id, $hmac_inner, $hmac_outer) as customer_id,
    regexp_matches(customer_id, $customer_id_pattern) as is_customer_id_usual,
    label(originator) as originator,
    label(product_type) as product_type,
    coalesce(currency, $currency) as currency,
    try_cast(reporting_date as date) as reporting_date,
    try_cast(disburse_date as date) as disburse_date,
    try_cast(maturity_date as date) as maturity_date,
    try_cast(term_days as integer) as term_days,
    money(disbursed_principal) as disbursed_principal,
    try_cast(apr as decimal(18, 6)) as apr,
    label(status) as status_reported,
    coalesce(regexp_matches(status, '(?i)(written|write|charged)[ -]?off|castig'), false)
        as is_write_off_reported,
    try_cast(dpd as integer) as dpd_reported,
    money(outstanding_principal) as outstanding_reported,
    label(state_province) as state_province,
    coalesce(outstanding_principal_state = 1 or disbursed_principal_state = 1, false)
        as has_float_noise,
    coalesce(
        total_fault(loan_id, 'loan_id'),
        text_fault(loan_id, 'loan_id', 128),
        text_fault(customer_id, 'customer_id', 128),
        whole_fault(dpd, 'dpd'),
        dpd_fault(dpd, 'dpd'),
        case
            when
                try_cast(disburse_date as date)
                <= coalesce(cast($declared_date as date), try_cast(reporting_date as date))
                and try_cast(dpd as integer) > 1 + date_diff(
                    'day',
                    try_cast(disburse_date as date),
                    coalesce(cast($declared_date as date), try_cast(reporting_date as date))
                )
                then 'dpd:BAD_DPD'
        end,
        number_fault(outstanding_principal_state, 'outstanding_principal'),
        case
            when disbursed_principal is not null
                then number_fault(disbursed_principal_state, 'disbursed_principal')
        end,
        case when apr is not null then number_fault(apr_state, 'apr') end,
        case when term_days is not null then whole_fault(term_days, 'term_days') end,
        case when reporting_date is not null then day_fault(reporting_date, 'reporting_date') end,
        case when disburse_date is not null then day_fault(disburse_date, 'disburse_date') end,
        case when maturity_date is not null then day_fault(maturity_date, 'maturity_date') end,
        case when currency is not null then currency_fault(currency, 'currency', $currency) end
    ) as row_fault
from judged
