-- plant_loans: the rows of loans.csv with the planted faults in them
-- grain:   one row of the file; row_number counts from 1
-- reads:   base (the rows as text), victim
-- returns: the columns of the file; planted names the fault of a row, NULL = none
-- source:  synthetic tape; a fault's name is the check it must trip
with chosen as (

    select
        base.base_row,
        victim.copies
    from base
    inner join victim on base.loan_id = victim.loan_id
    where victim.table_name = 'loans'
    qualify row_number() over (partition by base.loan_id order by base.base_row) = 1

),

copied as (

    select
        base.*,
        unnest(coalesce(chosen.copies, [cast(null as varchar)])) as planted
    from base
    left join chosen on base.base_row = chosen.base_row

),

faulty as (

    select
        * replace (
            case when planted = 'loan_id_null' then null else loan_id end as loan_id,
            case planted
                when 'maturity_not_after_disbursement' then disburse_date
                when 'term_over_a_year' then days_after(disburse_date, 400)
                else maturity_date
            end as maturity_date,
            case planted
                when 'customer_null' then null
                when 'customer_id_pattern' then replace(customer_id, 'CLI', 'client ')
                else customer_id
            end as customer_id,
            case when planted = 'term_over_a_year' then '400' else term end as term,
            case when planted = 'apr_out_of_range' then '9.5' else interest_rate end
                as interest_rate,
            case planted
                when 'unparseable_cell' then 'n/d'
                when 'principal_not_positive' then '0.0'
                else disburse_principal
            end as disburse_principal,
            case planted
                when 'balance_out_of_range' then plus(disburse_principal, 1)
                when 'complete_with_balance' then '1.0'
                else outstanding_balance
            end as outstanding_balance,
            case when planted = 'complete_with_dpd' then '5' else dpd end as dpd,
            case planted
                when 'default_without_dpd' then 'Default'
                when 'balance_out_of_range' then 'Current'
                else loan_status
            end as loan_status,
            case
                when planted = 'loan_id_conflict' then 'San Miguel'
                else location_state_province
            end as location_state_province
        )
    from copied

)

select
    * exclude (base_row), -- noqa: AM04
    row_number() over (order by base_row, planted nulls first) as row_number
from faulty
