-- par_60:  the live loans behind PAR 60, those at least 60 days past due in its numerator
-- grain:   one live loan
-- reads:   book
-- returns: numerator and denominator in money; they add up to those of sql/kpi/par_60.sql
-- source:  the KPI's own SQL
select
    loan_key,
    case when days_past_due >= 60 then live_principal else 0 end as numerator,
    live_principal as denominator
from book
where live_principal > 0
