-- collection_rate: cash available over the eligible receivable of an aggregate tape
-- grain:   one row, one portfolio on $as_of
-- reads:   facility_position
-- returns: numerator and denominator in money, kpi_value ratio; NULL with its reason when the last
--          position up to $as_of does not tell them or nothing is eligible
-- source:  operations runbook: the collection rate of a tape that tells no payments; it is a share
--          of the eligible book, not a rate a day, so it never joins the series of another basis
with last_day as (

    select max(reporting_date) as last_date
    from facility_position
    where reporting_date <= $as_of

),

last_position as (

    select
        facility_position.cash_available,
        facility_position.total_eligible
    from facility_position
    inner join last_day on facility_position.reporting_date = last_day.last_date

),

summed as (

    select
        max(cash_available) as numerator,
        max(total_eligible) as denominator
    from last_position

)

select
    numerator,
    denominator,
    cast(numerator as double) / nullif(cast(denominator as double), 0) as kpi_value,
    case
        when numerator is null or denominator is null
            then 'the last position does not tell the cash or the eligible balance'
        when denominator = 0 then 'nothing is eligible'
    end as unknown_reason
from summed
