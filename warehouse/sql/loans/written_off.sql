-- written_off: the written-off principal of each loan
-- grain:   one written-off loan
-- reads:   book
-- returns: numerator in money, adds up to that of sql/kpi/written_off.sql; no denominator
-- source:  the KPI's own SQL
select
    loan_key,
    written_off_principal as numerator,
    cast(null as decimal(18, 2)) as denominator
from book
where written_off_principal > 0
