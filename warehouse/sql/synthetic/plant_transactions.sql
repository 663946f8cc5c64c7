-- plant_transactions: the rows of transactions.csv with the planted faults in them
-- grain:   one row of the file; row_number counts from 1
-- reads:   base (the rows as text), victim
-- returns: the columns of the file; planted names the fault of a row, NULL = none
-- source:  synthetic tape; a fault's name is the check it must trip
with chosen as (

    select
        base.base_row,
        victim.copies,
        victim.disburse_date
    from base
    inner join victim on base.loan_id = victim.loan_id
    where
        victim.table_name = 'transactions'
        and base.interest not like '-%'
        and (base.transaction_type = 'DISBURSEMENT')
        = (victim.fault = 'disbursement_differs_from_principal')
    qualify row_number() over (partition by base.loan_id order by base.base_row desc) = 1

),

copied as (

    select
        base.*,
        chosen.disburse_date,
        unnest(coalesce(chosen.copies, [cast(null as varchar)])) as planted
    from base
    left join chosen on base.base_row = chosen.base_row

),

faulty as (

    select
        * exclude (disburse_date) replace (
            case when planted = 'orphan_row' then 'SYN-9' || substr(loan_id, 6) else loan_id end
                as loan_id,
            case when planted = 'unknown_transaction_type' then 'REVERSAL' else transaction_type end
                as transaction_type,
            case planted
                when 'future_date' then '2099-12-31'
                when 'payment_before_disbursement' then days_after(disburse_date, -1)
                else date_paid
            end as date_paid,
            case planted
                when 'overpaid_principal' then plus(principal, 10)
                when 'disbursement_differs_from_principal' then plus(principal, 10)
                when 'float_noise' then principal || '00000000001'
                when 'payment_not_positive' then '0.0'
                else principal
            end as principal,
            case planted
                when 'interest_or_tax_negative' then '-1.0'
                when 'payment_not_positive' then '0.0'
                else interest
            end as interest,
            case planted
                when 'interest_or_tax_negative' then plus(fees, 1 + cents(interest))
                when 'payment_not_positive' then '0.0'
                else fees
            end as fees,
            case when planted = 'payment_not_positive' then '0.0' else to_tax end as to_tax
        )
    from copied

)

select
    * exclude (base_row), -- noqa: AM04
    row_number() over (order by base_row, planted nulls first) as row_number
from faulty
