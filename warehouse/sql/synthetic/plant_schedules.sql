-- plant_schedules: the rows of schedules.csv with the planted faults in them
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
    where victim.table_name = 'schedules'
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
            case
                when planted = 'schedule_differs_from_principal' then plus(principal, 10)
                else principal
            end as principal
        )
    from copied

)

select
    * exclude (base_row), -- noqa: AM04
    row_number() over (order by base_row, planted nulls first) as row_number
from faulty
