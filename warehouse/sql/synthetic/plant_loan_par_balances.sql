-- plant_loan_par_balances: the rows of loan_par_balances.csv with the planted faults in them
-- grain:   one row of the file; row_number counts from 1
-- reads:   base (the rows as text), victim
-- returns: the columns of the file; planted names the fault of a row, NULL = none
-- source:  synthetic tape; a fault's name is the check it must trip
with chosen as (

    select
        base.base_row,
        victim.copies
    from base
    inner join victim on base.loan_id_raw = victim.loan_id
    where victim.table_name = 'loan_par_balances' and base.dpd = '0'
    qualify row_number() over (partition by base.loan_id_raw order by base.base_row) = 1

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
            case when planted = 'over_180_not_written_off' then '181' else dpd end as dpd,
            case
                when planted = 'over_180_not_written_off' then days_after(reporting_date, -181)
                else dpd_date
            end as dpd_date,
            case when planted = 'written_off_with_live_balance' then 'true' else is_writeoff end
                as is_writeoff,
            case when planted = 'written_off_with_live_balance' then 'DPD' else writeoff_type end
                as writeoff_type,
            case
                when planted in ('ledger_differs_from_snapshot', 'snapshot_conflict')
                    then plus(outstanding_balance, -0.01)
                else outstanding_balance
            end as outstanding_balance,
            case
                when planted = 'par_not_nested' then outstanding_balance
                else "PAR_30_balance_usd"
            end as "PAR_30_balance_usd"
        )
    from copied

)

select
    * exclude (base_row), -- noqa: AM04
    row_number() over (order by base_row, planted nulls first) as row_number
from faulty
