-- rdr_90:  share of the defaulted principal that was recovered after day 90
-- grain:   one row, one portfolio on $as_of
-- reads:   book_history
-- returns: numerator = principal paid after the day the loan reached 90 days past due,
--          denominator = balance on that day, both pooled over the default events after
--          $events_after up to $events_until; NULL with its reason below $rdr_min_events events
-- source:  operations runbook; twelve months of defaults, each with its full 90 to 180 work-out
with reached as (

    select
        loan_key,
        residual_principal,
        greatest(valid_from, oldest_due_date + 90) as event_date
    from book_history
    where
        not is_closed
        and oldest_due_date is not null
        and oldest_due_date + 90 <= $events_until
        and (valid_to is null or valid_to > oldest_due_date + 90)

),

first_default as (

    select
        loan_key,
        event_date,
        residual_principal,
        row_number() over (partition by loan_key order by event_date) as nth
    from reached

),

today as (

    select
        loan_key,
        residual_principal
    from book_history
    where valid_from <= $as_of and (valid_to is null or valid_to > $as_of)

),

pooled as (

    select
        count(*) as events,
        sum(first_default.residual_principal - today.residual_principal) as numerator,
        sum(first_default.residual_principal) as denominator
    from first_default
    inner join today on first_default.loan_key = today.loan_key
    where
        first_default.nth = 1
        and first_default.event_date > $events_after
        and first_default.event_date <= $events_until

)

select
    numerator,
    denominator,
    case
        when events >= $rdr_min_events
            then cast(numerator as double) / nullif(cast(denominator as double), 0)
    end as kpi_value,
    case
        when events < $rdr_min_events
            then
                'only ' || cast(events as varchar) || ' default events, at least '
                || cast($rdr_min_events as varchar) || ' are needed'
        when denominator = 0 then 'nothing was outstanding at the default events'
    end as unknown_reason
from pooled
