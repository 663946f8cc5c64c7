-- balance_snapshot: Cascade's own month-end book of one loan
-- grain:   one row of loan_par_balances.csv; key (loan_id, reporting_date) once the gate has passed
-- reads:   raw (loan_par_balances.csv as text, columns by contract name)
-- returns: money in the portfolio's currency; reporting_date is a month-end label, as_of_date the
--          day its balances are of: the last label is of the last ledger day
-- source:  loan tape contract, version 1
with judged as (

    select
        *,
        number_state(outstanding_balance) as outstanding_balance_state,
        number_state(writeoff_outstanding_balance) as writeoff_outstanding_balance_state,
        number_state("PAR_7_balance_usd") as par_7_balance_usd_state,
        number_state("PAR_30_balance_usd") as par_30_balance_usd_state,
        number_state("PAR_60_balance_usd") as par_60_balance_usd_state,
        number_state("PAR_90_balance_usd") as par_90_balance_usd_state,
        number_state(xchg_rate_to_usd) as xchg_rate_to_usd_state
    from raw

)

select
    hash(loan_id_raw) as loan_key,
    loan_id_raw as loan_id,
    try_cast(reporting_date as date) as reporting_date,
    least(try_cast(reporting_date as date), $last_ledger_date) as as_of_date,
    'reported' as basis,
    try_cast(dpd as integer) as dpd,
    money(outstanding_balance) as outstanding_principal,
    money(writeoff_outstanding_balance) as written_off_principal,
    is_writeoff = 'true' as is_written_off,
    money("PAR_7_balance_usd") as par_7_principal,
    money("PAR_30_balance_usd") as par_30_principal,
    money("PAR_60_balance_usd") as par_60_principal,
    money("PAR_90_balance_usd") as par_90_principal,
    outstanding_balance_state = 1
    or writeoff_outstanding_balance_state = 1 as has_float_noise,
    coalesce(
        total_fault(loan_id_raw, 'loan_id_raw'),
        text_fault(loan_id_raw, 'loan_id_raw', 128),
        day_fault(reporting_date, 'reporting_date'),
        whole_fault(dpd, 'dpd'),
        dpd_fault(dpd, 'dpd'),
        flag_fault(is_writeoff, 'is_writeoff'),
        number_fault(outstanding_balance_state, 'outstanding_balance'),
        number_fault(writeoff_outstanding_balance_state, 'writeoff_outstanding_balance'),
        number_fault(par_7_balance_usd_state, 'PAR_7_balance_usd'),
        number_fault(par_30_balance_usd_state, 'PAR_30_balance_usd'),
        number_fault(par_60_balance_usd_state, 'PAR_60_balance_usd'),
        number_fault(par_90_balance_usd_state, 'PAR_90_balance_usd'),
        currency_fault(loan_ccy, 'loan_ccy', $currency),
        number_fault(xchg_rate_to_usd_state, 'xchg_rate_to_usd')
    ) as row_fault
from judged
