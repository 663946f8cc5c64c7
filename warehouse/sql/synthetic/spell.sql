-- spell:   the book of every loan, as spells of days in which no money moves
-- grain:   one spell of one loan; is_last = the one that $as_of is in
-- reads:   loan, payment, instalment
-- returns: amounts in cents; oldest_due_date = oldest instalment not covered, NULL = all are;
--          first_month up to but not including end_month, counted from year 0: the month-ends in it
-- source:  Cascade's book, rules 1 to 3
with event as (

    select
        loan,
        disburse_date as event_date,
        0 as principal,
        0 as cash
    from loan

    union all

    select
        loan,
        paid_date as event_date,
        principal,
        principal + interest + fees + tax as cash
    from payment

),

event_day as (

    select
        loan,
        event_date,
        cast(sum(principal) as bigint) as principal,
        cast(sum(cash) as bigint) as cash
    from event
    group by loan, event_date

),

running as (

    select
        loan,
        event_date,
        cast(sum(principal) over loan_days as bigint) as principal_paid,
        cast(sum(cash) over loan_days as bigint) as cash_paid,
        lead(event_date) over loan_days as next_date
    from event_day
    window loan_days as (partition by loan order by event_date)

)

select
    running.loan,
    loan.principal - running.principal_paid as residual,
    (loan.principal - running.principal_paid) * 100 < loan.principal as is_closed,
    case when not is_closed then instalment.due_date end as oldest_due_date,
    running.next_date is null as is_last,
    year(running.event_date) * 12 + month(running.event_date) as first_month,
    case
        when running.next_date is null then year($as_of) * 12 + month($as_of) + 1
        else year(running.next_date) * 12 + month(running.next_date)
    end as end_month
from running
inner join loan on running.loan = loan.loan
left join instalment
    on
        running.loan = instalment.loan
        and running.cash_paid >= instalment.open_from
        and running.cash_paid < instalment.covered_at
