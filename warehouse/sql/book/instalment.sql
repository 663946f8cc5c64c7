-- instalment: between which amounts of cash received an instalment is the oldest one unpaid
-- grain:   one row of schedule
-- reads:   schedule
-- returns: open_from (NULL = from the first cent) and covered_at, cumulative cash in money: the
--          instalment is the oldest unpaid while open_from <= cash received < covered_at; of two
--          on one due date only one can be
-- source:  Cascade's book, rule 3; the running maximum keeps it exact if an instalment is negative
with cumulative as (

    select
        loan_key,
        due_date,
        sum(principal + interest + fees + other + tax) over (
            partition by loan_key
            order by due_date
        ) as cash_due_so_far
    from schedule

)

select
    loan_key,
    due_date,
    max(cash_due_so_far) over (
        partition by loan_key
        order by due_date
        rows between unbounded preceding and 1 preceding
    ) as open_from,
    max(cash_due_so_far) over (
        partition by loan_key
        order by due_date
        rows between unbounded preceding and current row
    ) as covered_at
from cumulative
