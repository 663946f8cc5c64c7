-- instalment: between which amounts of cash received an instalment is the oldest one unpaid
-- grain:   one due date of one loan
-- reads:   schedule
-- returns: open_from (NULL = from the first cent) and covered_at, cumulative cash in money: the
--          instalment is the oldest unpaid while open_from <= cash received < covered_at
-- source:  Cascade's book, rule 3; the running maximum keeps it exact if an instalment is negative
with due_day as (

    select
        loan_key,
        due_date,
        sum(principal + interest + fees + other + tax) as cash_due
    from schedule
    group by loan_key, due_date

),

cumulative as (

    select
        loan_key,
        due_date,
        sum(cash_due) over (partition by loan_key order by due_date) as cash_due_so_far
    from due_day

),

highest as (

    select
        loan_key,
        due_date,
        max(cash_due_so_far) over (partition by loan_key order by due_date) as covered_at
    from cumulative

)

select
    loan_key,
    due_date,
    lag(covered_at) over (partition by loan_key order by due_date) as open_from,
    covered_at
from highest
