-- rdr_90:  what each defaulted loan paid back after its first day at 90 days past due
-- grain:   one loan with its default after $events_after up to $events_until
-- reads:   book_history
-- returns: numerator = principal paid since, denominator = balance on that day, in money; they add
--          up to those of sql/kpi/rdr_90.sql
-- source:  the KPI's own SQL
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

)

select
    first_default.loan_key,
    first_default.residual_principal - today.residual_principal as numerator,
    first_default.residual_principal as denominator
from first_default
inner join today on first_default.loan_key = today.loan_key
where
    first_default.nth = 1
    and first_default.event_date > $events_after
    and first_default.event_date <= $events_until
