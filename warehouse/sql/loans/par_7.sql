-- par_7:   the live loans behind PAR 7, those at least 7 days past due in its numerator
-- grain:   one live loan
-- reads:   book
-- returns: numerator and denominator in money; they add up to those of sql/kpi/par_7.sql
-- source:  the KPI's own SQL
select
    loan_key,
    case when days_past_due >= 7 then live_principal else 0 end as numerator,
    live_principal as denominator
from book
where live_principal > 0
