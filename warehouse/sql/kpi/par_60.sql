-- par_60:  share of the live principal on loans 60 to 180 days past due
-- grain:   one row, one portfolio on $as_of
-- reads:   book
-- returns: numerator and denominator in money, kpi_value ratio 0..1;
--          NULL with its reason only when nothing is outstanding
-- source:  operations runbook, "Key Metrics to Monitor"; Cascade's PAR60
with summed as (

    select
        coalesce(sum(live_principal) filter (where days_past_due >= 60), 0) as numerator,
        sum(live_principal) as denominator
    from book

)

select
    numerator,
    denominator,
    cast(numerator as double) / nullif(cast(denominator as double), 0) as kpi_value,
    case when coalesce(denominator, 0) = 0 then 'nothing is outstanding' end as unknown_reason
from summed
