-- health_component: what each KPI adds to portfolio_health
-- grain:   one KPI that the health score weighs
-- reads:   health_weight (kpi, weight, is_optional), health_anchor (kpi, anchor_value, score),
--          kpi_result (kpi, kpi_value)
-- returns: score 0..10, piecewise linear through the anchors and flat beyond the outer ones;
--          NULL when the KPI is unknown
-- source:  operations runbook thresholds: ideal 10, warning line 5, critical line 3, floor 0
with stretch as (

    select
        kpi,
        anchor_value as low_value,
        score as low_score,
        min(anchor_value) over (partition by kpi) as lowest_value,
        lead(anchor_value) over (partition by kpi order by anchor_value) as high_value,
        lead(score) over (partition by kpi order by anchor_value) as high_score
    from health_anchor

),

known as (

    select
        health_weight.kpi,
        health_weight.weight,
        health_weight.is_optional,
        kpi_result.kpi_value
    from health_weight
    left join kpi_result on health_weight.kpi = kpi_result.kpi

)

select
    known.kpi,
    known.kpi_value,
    known.weight,
    known.is_optional,
    cast(
        case
            when stretch.high_value is null then stretch.low_score
            else
                cast(stretch.low_score as double)
                + cast(
                    greatest(known.kpi_value, stretch.lowest_value) - stretch.low_value as double
                )
                * cast(stretch.high_score - stretch.low_score as double)
                / nullif(cast(stretch.high_value - stretch.low_value as double), 0)
        end as decimal(18, 6)
    ) as score
from known
left join stretch
    on
        known.kpi = stretch.kpi
        and greatest(known.kpi_value, stretch.lowest_value) >= stretch.low_value
        and (
            stretch.high_value is null
            or greatest(known.kpi_value, stretch.lowest_value) < stretch.high_value
        )
        and known.kpi_value is not null
