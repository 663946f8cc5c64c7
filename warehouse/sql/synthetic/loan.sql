-- loan:    what was agreed with the borrower, and where the loan will go wrong
-- grain:   one loan
-- reads:   draw
-- returns: amounts in cents; defaults_from = the first instalment not paid within 90 days (NULL =
--          none), paid late unless never_pays; cents_left = principal forgotten for ever
-- source:  synthetic tape: shape of a factoring book, with two cohorts that default ten times more
with formed as (

    select
        *,
        case when u_form < 0.03 then 3 + cast(floor(u_form / 0.03 * 4) as integer) else 1 end
            as instalments,
        disburse_date + case
            when u_form < 0.09 then 30
            when u_form < 0.145 then 42
            when u_form < 0.185 then 45
            when u_form < 0.215 then 60
            -- 36: together with these usual terms the median is 38
            else cast(clip(1, round(36 * exp(0.55 * z_term)), 480) as integer)
        end as wished_date,
        payday(wished_date, u_weekday) as weekday_date,
        case
            when disburse_date between date '2024-05-06' and date '2024-06-09' then 0.05
            when disburse_date between date '2025-02-24' and date '2025-03-30' then 0.05
            else 0.005
        end as never_ratio
    from draw

),

dated as (

    select
        *,
        case
            when instalments > 1 then monthly_due(disburse_date, instalments)
            when u_form < 0.215 then before_weekend(wished_date)
            when weekday_date > disburse_date then weekday_date
            else weekday_date + 7
        end as maturity_date
    from formed

),

priced as (

    select
        *,
        date_diff('day', disburse_date, maturity_date) as term_days,
        cast(round(100 * clip(5, exp(
            6.4 + 1.3 * z_principal + 0.00083 * date_diff('day', date '2024-06-21', disburse_date)
        ), 300000)) as bigint) as principal,
        round(clip(0.1, exp(0.41 * z_apr - 0.51), 11.6), 3) as apr,
        cast(round(principal * apr * term_days / 365) as bigint) as charges,
        least(charges, cast(round(principal * 0.006 * exp(0.8 * z_fees)) as bigint)) as fees
    from dated

)

select
    loan,
    printf('SYN-%09d', loan) as loan_id,
    client_rank,
    client,
    disburse_date,
    maturity_date,
    term_days,
    instalments,
    apr,
    principal,
    fees,
    charges - fees as interest,
    cast(round(0.13 * charges) as bigint) as tax,
    u_default < never_ratio as never_pays,
    case
        when u_default < never_ratio + 0.007
            then 1 + cast(floor(u_defaults_from * instalments) as integer)
    end as defaults_from,
    cast(u_cents_left < 0.003 as bigint) + cast(u_cents_left < 0.0015 as bigint) as cents_left
from priced
