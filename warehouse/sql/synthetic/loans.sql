-- loans:   loans.csv, every loan as it stands at the end of $as_of
-- grain:   one loan, by number, so by day of disbursement
-- reads:   loan, spell
-- returns: the columns of the export in its order; money with a decimal point, rates a year
-- source:  loan tape contract, version 1
with stated as (

    select
        loan.*,
        spell.residual,
        spell.is_closed,
        coalesce(greatest(date_diff('day', spell.oldest_due_date, $as_of), 0), 0) as dpd,
        -- expected, not counted: a range of loans cannot know what came before it
        53 * exp(least(1.9 * loan.client_rank - 1.8, 5)) * loan.loan / $loans as client_loans
    from loan
    inner join spell on loan.loan = spell.loan
    where spell.is_last

)

select
    loan_id,
    maturity_date,
    printf('CLI%04d', client) as customer_id,
    null as application_date,
    disburse_date,
    null as pledge_date,
    'factoring' as product_type,
    null as loan_grade,
    null as lender,
    null as facility,
    money(fees) as total_fees,
    '0.0' as total_other,
    money(interest) as total_interest,
    null as credit_bureau_score,
    term_days as term,
    case when instalments = 1 then 'One-time' else 'Monthly' end as frequency,
    apr as interest_rate,
    money(principal) as disburse_principal,
    money(residual) as outstanding_balance,
    'USD' as currency,
    dpd,
    1 - residual / principal as ratio_paid,
    case when is_closed then 'Complete' when dpd > 0 then 'Default' else 'Current' end
        as loan_status,
    case
        when principal < 50000 then '0-0.5K'
        when principal < 100000 then '0.5K-1K'
        when principal < 250000 then '1K-2.5K'
        when principal < 500000 then '2.5K-5K'
        when principal < 1000000 then '5K-10K'
        when principal < 5000000 then '10K-50K'
        when principal < 10000000 then '50K-100K'
        else '>100K'
    end as amount_buckets,
    case when client * 7 % 10 < 3 then 'LUNA' else 'SOL' end as company,
    case
        when client_loans < 4 then cast(1 + cast(floor(client_loans) as integer) as varchar)
        when client_loans < 10 then '5-10'
        else '11+'
    end as loan_counts,
    case
        when term_days <= 10 then '0-10 Days'
        when term_days <= 20 then '11-20 Days'
        when term_days <= 30 then '21-30 Days'
        when term_days <= 45 then '31-45 Days'
        when term_days <= 60 then '46-60 Days'
        when term_days <= 90 then '61-90 Days'
        when term_days <= 120 then '91-120 Days'
        when term_days <= 180 then '121-180 Days'
        else '>180 Days'
    end as term_buckets,
    [
        'San Salvador', 'La Libertad', 'San Salvador', 'Cuscatlán', 'San Salvador',
        'San Salvador', 'Ahuachapán', 'San Salvador', 'Usulután', 'San Salvador'
    ][1 + client % 10] as location_state_province
from stated
order by loan
