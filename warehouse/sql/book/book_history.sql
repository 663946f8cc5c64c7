-- book_history: the state of every loan on every day, as spells in which no cash moves
-- grain:   one spell of one loan: from valid_from up to but not including valid_to (NULL = open)
-- reads:   loan, payment, schedule; events after $as_of are not seen
-- returns: principal and cash in money at the end of each day of the spell; oldest_due_date = due
--          date of the oldest instalment not covered by the cash received, NULL = all are
-- source:  Cascade's book, rules 1 to 3. The sums of a day's events are equal in each of its rows
--          (range frame); all but the last of them are empty spells, which are left out
with event as (

    select
        loan_key,
        disburse_date as event_date,
        disbursed_principal,
        0 as principal_paid,
        0 as cash_paid
    from loan
    where disburse_date <= $as_of

    union all

    select
        loan_key,
        paid_date as event_date,
        0 as disbursed_principal,
        principal as principal_paid,
        principal + interest + fees + other + tax as cash_paid
    from payment
    where paid_date <= $as_of

),

spell as (

    select
        loan_key,
        event_date as valid_from,
        lead(event_date) over loan_days as valid_to,
        sum(disbursed_principal) over loan_days as disbursed_principal,
        sum(principal_paid) over loan_days as principal_paid,
        sum(cash_paid) over loan_days as cash_paid
    from event
    window loan_days as (partition by loan_key order by event_date)

)

select
    spell.loan_key,
    spell.valid_from,
    spell.valid_to,
    cast(spell.disbursed_principal as decimal(18, 2)) as disbursed_principal,
    cast(spell.disbursed_principal - spell.principal_paid as decimal(18, 2)) as residual_principal,
    cast(spell.cash_paid as decimal(18, 2)) as cash_paid,
    spell.disbursed_principal - spell.principal_paid
    < spell.disbursed_principal * $closed_below_ratio as is_closed,
    instalment.due_date as oldest_due_date
from spell
left join instalment
    on
        spell.loan_key = instalment.loan_key
        and spell.cash_paid < instalment.covered_at
        and (instalment.open_from is null or spell.cash_paid >= instalment.open_from)
where spell.valid_to is null or spell.valid_to > spell.valid_from
