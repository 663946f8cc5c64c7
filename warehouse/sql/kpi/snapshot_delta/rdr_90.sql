-- rdr_90:  share of the defaulted principal that was recovered after day 90, seen in stored tapes
-- grain:   one row, one portfolio on $as_of
-- reads:   book, default_event
-- returns: numerator = fall of the balance since the first stored tape that shows the loan at 90
--          days past due, denominator = balance on that tape, both pooled over the events after
--          $events_after up to $events_until; NULL with its reason below $rdr_min_events events
-- source:  rdr_90 where no ledger is told; a loan that was late before it was first seen does not
--          count, nobody knows what it owed on day 90
with pooled as (

    select
        count(*) as events,
        sum(
            case
                when book.is_written_off and book.residual_principal <= 0 then 0
                else default_event.residual_principal - coalesce(book.residual_principal, 0)
            end
        ) as numerator,
        sum(default_event.residual_principal) as denominator
    from default_event
    left join book on default_event.loan_key = book.loan_key
    where
        default_event.event_date > $events_after
        and default_event.event_date <= $events_until

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
                'the stored tapes show ' || cast(events as varchar)
                || ' default events, at least ' || cast($rdr_min_events as varchar)
                || ' are needed'
        when denominator = 0 then 'nothing was outstanding at the default events'
    end as unknown_reason
from pooled
