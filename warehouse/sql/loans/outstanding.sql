-- outstanding: the live principal of each loan
-- grain:   one live loan
-- reads:   book
-- returns: numerator in money, adds up to that of sql/kpi/outstanding.sql; no denominator
-- source:  the KPI's own SQL
select
    loan_key,
    live_principal as numerator,
    cast(null as decimal(18, 2)) as denominator
from book
where live_principal > 0
