-- facility_position: what a lender owes and is owed on one day, by days past due, without loans
-- grain:   one row of the aggregate tape; key reporting_date once the gate has passed
-- reads:   raw (the tape as text, columns by contract name)
-- returns: money in the portfolio's currency, NULL in a column that the tape does not have;
--          past_due_90 is the greater of dpd_90_plus and dpd_120_plus; row_fault says why a row
--          cannot be read
-- source:  loan tape contract, version 2
with judged as (

    select
        *,
        [
            number_state(total_receivable), number_state(dpd_0_7), number_state(dpd_7_30),
            number_state(dpd_30_60), number_state(dpd_60_90), number_state(dpd_90_plus)
        ] as required_states,
        [
            coalesce(nullif(number_state(dpd_120_plus), 2), 0),
            coalesce(nullif(number_state(total_eligible), 2), 0),
            coalesce(nullif(number_state(discounted_balance), 2), 0),
            coalesce(nullif(number_state(cash_available), 2), 0),
            coalesce(nullif(number_state(lender_principal), 2), 0),
            coalesce(nullif(number_state(debt_to_equity), 2), 0)
        ] as optional_states
    from raw

)

select
    try_cast(reporting_date as date) as reporting_date,
    money(total_receivable) as total_receivable,
    money(dpd_0_7) as past_due_0,
    money(dpd_7_30) as past_due_7,
    money(dpd_30_60) as past_due_30,
    money(dpd_60_90) as past_due_60,
    greatest(money(dpd_90_plus), money(dpd_120_plus)) as past_due_90,
    money(dpd_120_plus) is not null as has_past_due_120,
    money(total_eligible) as total_eligible,
    money(discounted_balance) as discounted_balance,
    money(cash_available) as cash_available,
    money(lender_principal) as lender_principal,
    try_cast(debt_to_equity as decimal(18, 6)) as debt_to_equity,
    coalesce(
        day_fault(reporting_date, 'reporting_date'),
        case
            when list_max(required_states) >= 2 or list_max(optional_states) >= 2
                then 'amount:BAD_NUMBER'
        end
    ) as row_fault
from judged
