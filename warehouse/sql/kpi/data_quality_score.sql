-- data_quality_score: weighted share of the quality checks that passed
-- grain:   one row, one run
-- reads:   quality_result (level, is_passed; one row a check that was run)
-- returns: numerator = weight passed, denominator = weight run, kpi_value 0..100;
--          a warning weighs 1, any other check 3; NULL with its reason when none was run
-- source:  the quality gate's own list of checks
with weighed as (

    select
        is_passed,
        case when level = 'warning' then 1 else 3 end as weight
    from quality_result

),

summed as (

    select
        coalesce(sum(weight) filter (where is_passed), 0) as numerator,
        sum(weight) as denominator
    from weighed

)

select
    numerator,
    denominator,
    100 * cast(numerator as double) / nullif(cast(denominator as double), 0) as kpi_value,
    case when coalesce(denominator, 0) = 0 then 'no quality check was run' end as unknown_reason
from summed
