-- active_loans: each loan with live principal
-- grain:   one live loan
-- reads:   book
-- returns: numerator 1, adds up to that of sql/kpi/active_loans.sql; no denominator
-- source:  the KPI's own SQL
select
    loan_key,
    1 as numerator,
    cast(null as decimal(18, 2)) as denominator
from book
where live_principal > 0
