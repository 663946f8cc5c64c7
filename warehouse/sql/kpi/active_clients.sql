-- active_clients: clients with at least one live loan
-- grain:   one row, one portfolio on $as_of
-- reads:   book
-- returns: numerator = kpi_value (clients), no denominator;
--          NULL with its reason when the book is empty
-- source:  Cascade's active clients
with counted as (

    select
        count(*) as loans,
        coalesce(count(distinct case when live_principal > 0 then customer_id end), 0) as numerator
    from book

)

select
    case when loans > 0 then numerator end as numerator,
    cast(null as decimal(18, 2)) as denominator,
    case when loans > 0 then numerator end as kpi_value,
    case when loans = 0 then 'the book is empty' end as unknown_reason
from counted
