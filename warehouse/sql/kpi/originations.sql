-- originations: principal disbursed in the collection window: $window_start to $as_of
-- grain:   one row, one portfolio on $as_of
-- reads:   book
-- returns: numerator = kpi_value (money), no denominator; NULL with its reason on an empty book
-- source:  Cascade's originations, over the same window as the collection rate
with counted as (

    select
        count(*) as loans,
        coalesce(sum(disbursed_principal) filter (where disburse_date >= $window_start), 0)
            as numerator
    from book

)

select
    case when loans > 0 then numerator end as numerator,
    cast(null as decimal(18, 2)) as denominator,
    case when loans > 0 then numerator end as kpi_value,
    case when loans = 0 then 'the book is empty' end as unknown_reason
from counted
