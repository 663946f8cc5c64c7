-- rdr90_12m_books: share of the principal of books a year old that is 90 or more days past due
-- grain:   one row, one portfolio on $as_of
-- reads:   book
-- returns: numerator = residual at DPD >= 90, written-off included, denominator = disbursed
--          principal, of loans disbursed before $books_before; kpi_value ratio 0..1;
--          NULL with its reason when no loan is that old
-- source:  Cascade's "RDR90 @ 12 months": a default rate, low is good
with summed as (

    select
        coalesce(
            sum(live_principal + written_off_principal) filter (where days_past_due >= 90), 0
        ) as numerator,
        sum(disbursed_principal) as denominator
    from book
    where disburse_date < $books_before

)

select
    numerator,
    denominator,
    cast(numerator as double) / nullif(cast(denominator as double), 0) as kpi_value,
    case when coalesce(denominator, 0) = 0 then 'no loan is that old yet' end as unknown_reason
from summed
