-- active_clients: each client with a live loan, shown by the largest of its live loans
-- grain:   one live loan
-- reads:   book
-- returns: numerator 1 for the client's largest live loan and 0 for its others, adds up to that of
--          sql/kpi/active_clients.sql; no denominator
-- source:  the KPI's own SQL
with ranked as (

    select
        loan_key,
        row_number() over (
            partition by customer_id order by live_principal desc, loan_id asc
        ) as nth
    from book
    where live_principal > 0

)

select
    loan_key,
    case when nth = 1 then 1 else 0 end as numerator,
    cast(null as decimal(18, 2)) as denominator
from ranked
