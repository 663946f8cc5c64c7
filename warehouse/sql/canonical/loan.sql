-- loan:    one typed row a loan of the tape, as the lender states it on the day of the export
-- grain:   one row of loans.csv; key loan_id once the gate has passed
-- reads:   raw (loans.csv as text, columns by contract name)
-- returns: money in the portfolio's currency, apr a ratio a year; row_fault says why a row cannot
--          be read; loan_key joins inside one run; customer_id is keyed, never the lender's own
-- source:  loan tape contract, version 1
with judged as (

    select
        *,
        number_state(disburse_principal) as disburse_principal_state,
        number_state(interest_rate) as interest_rate_state,
        number_state(total_interest) as total_interest_state,
        number_state(total_fees) as total_fees_state,
        number_state(total_other) as total_other_state,
        number_state(outstanding_balance) as outstanding_balance_state
    from raw

)

select
    hash(loan_id) as loan_key,
    loan_id,
    pseudonym(customer_id, $hmac_inner, $hmac_outer) as customer_id,
    regexp_matches(customer_id, $customer_id_pattern) as is_customer_id_usual,
    label(company) as originator,
    label(product_type) as product_type,
    currency,
    try_cast(disburse_date as date) as disburse_date,
    try_cast(maturity_date as date) as maturity_date,
    try_cast(term as integer) as term_days,
    label(frequency) as repayment_frequency,
    money(disburse_principal) as disbursed_principal,
    try_cast(interest_rate as decimal(18, 6)) as apr,
    money(total_interest) as total_interest,
    money(total_fees) as total_fees,
    money(total_other) as total_other,
    label(loan_status) as status_reported,
    try_cast(dpd as integer) as dpd_reported,
    money(outstanding_balance) as outstanding_reported,
    label(location_state_province) as state_province,
    cast(null as date) as reporting_date,
    application_date is null as is_application_date_null,
    pledge_date is null as is_pledge_date_null,
    loan_grade is null as is_loan_grade_null,
    lender is null as is_lender_null,
    facility is null as is_facility_null,
    credit_bureau_score is null as is_credit_bureau_score_null,
    disburse_principal_state = 1
    or outstanding_balance_state = 1 as has_float_noise,
    coalesce(
        text_fault(loan_id, 'loan_id', 128),
        text_fault(customer_id, 'customer_id', 128),
        day_fault(disburse_date, 'disburse_date'),
        day_fault(maturity_date, 'maturity_date'),
        whole_fault(term, 'term'),
        number_fault(disburse_principal_state, 'disburse_principal'),
        number_fault(interest_rate_state, 'interest_rate'),
        case
            when interest_rate_state < 2 and try_cast(interest_rate as decimal(18, 6)) is null
                then 'interest_rate:BAD_NUMBER'
        end,
        number_fault(total_interest_state, 'total_interest'),
        number_fault(total_fees_state, 'total_fees'),
        case when total_other is not null then number_fault(total_other_state, 'total_other') end,
        whole_fault(dpd, 'dpd'),
        number_fault(outstanding_balance_state, 'outstanding_balance'),
        currency_fault(currency, 'currency', $currency)
    ) as row_fault
from judged
