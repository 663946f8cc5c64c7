-- loan_par_balances: loan_par_balances.csv, the month-end book from disbursement until closed
-- grain:   one loan at one month-end, by month; the last month is as of $as_of
-- reads:   spell, loan
-- returns: the columns of the export in its order; money with a decimal point
-- source:  Cascade's book, rules 3 to 5: written off beyond day 180, PAR in full balances
with labelled as (

    select
        loan,
        residual,
        oldest_due_date,
        unnest(range(first_month, end_month)) as month_number,
        month_end(month_number) as reporting_date
    from spell
    where not is_closed

),

aged as (

    select
        *,
        date_diff('day', oldest_due_date, least(reporting_date, $as_of)) as days_late,
        case when days_late > 0 then days_late else 0 end as dpd,
        dpd > 180 as is_writeoff,
        money(residual) as residual_text
    from labelled

)

select
    loan.loan_id as loan_id_raw,
    aged.reporting_date,
    aged.dpd,
    case when aged.dpd > 0 then aged.oldest_due_date end as dpd_date,
    aged.is_writeoff,
    case when aged.is_writeoff then 'DPD' end as writeoff_type,
    'USD' as loan_ccy,
    case when aged.dpd <= 180 then aged.residual_text else '0.0' end as outstanding_balance,
    case when aged.dpd <= 180 then '0.0' else aged.residual_text end
        as writeoff_outstanding_balance,
    1 as xchg_rate_to_usd,
    outstanding_balance as outstanding_balance_usd,
    writeoff_outstanding_balance as writeoff_outstanding_balance_usd,
    case when aged.dpd between 7 and 180 then aged.residual_text else '0.0' end
        as "PAR_7_balance_usd",
    case when aged.dpd between 30 and 180 then aged.residual_text else '0.0' end
        as "PAR_30_balance_usd",
    case when aged.dpd between 60 and 180 then aged.residual_text else '0.0' end
        as "PAR_60_balance_usd",
    case when aged.dpd between 90 and 180 then aged.residual_text else '0.0' end
        as "PAR_90_balance_usd"
from aged
inner join loan on aged.loan = loan.loan
order by aged.reporting_date, aged.loan
