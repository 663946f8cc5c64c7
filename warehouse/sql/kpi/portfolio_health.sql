-- portfolio_health: weighted mean of the component scores, 0 (worst) to 10 (ideal)
-- grain:   one row, one portfolio on $as_of
-- reads:   health_component
-- returns: numerator = sum of weight x score, denominator = sum of the weights that count;
--          an optional component that is unknown drops out and the others are weighed anew;
--          NULL with its reason when any other component is unknown
-- source:  operations runbook, "Key Metrics to Monitor": target above 5, critical below 3
with summed as (

    select
        sum(weight * score) filter (where score is not null) as numerator,
        sum(weight) filter (where score is not null) as denominator,
        min(case when score is null and not is_optional then kpi end) as missing_kpi
    from health_component

)

select
    numerator,
    denominator,
    case
        when missing_kpi is null
            then cast(numerator as double) / nullif(cast(denominator as double), 0)
    end as kpi_value,
    case
        when missing_kpi is not null then missing_kpi || ' is unknown'
        when denominator is null then 'no component is weighed'
    end as unknown_reason
from summed
