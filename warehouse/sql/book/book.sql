-- book:    every loan disbursed up to $as_of, as it stands at the end of that day
-- grain:   one loan
-- reads:   book_history, loan
-- returns: live and written-off principal in money (0 when closed), days_past_due in whole days;
--          written off beyond $written_off_after_days, so the day itself is still live
-- source:  Cascade's book, rules 2 to 5
with on_the_day as (

    select
        loan_key,
        disbursed_principal,
        residual_principal,
        cash_paid,
        is_closed,
        oldest_due_date,
        case
            when is_closed or oldest_due_date is null then 0
            else greatest(date_diff('day', oldest_due_date, $as_of), 0)
        end as days_past_due
    from book_history
    where valid_from <= $as_of and (valid_to is null or valid_to > $as_of)

)

select
    loan.loan_key,
    loan.loan_id,
    loan.customer_id,
    loan.disburse_date,
    on_the_day.disbursed_principal,
    on_the_day.residual_principal,
    on_the_day.cash_paid,
    on_the_day.oldest_due_date,
    on_the_day.days_past_due,
    on_the_day.is_closed,
    on_the_day.days_past_due > $written_off_after_days as is_written_off,
    case
        when on_the_day.is_closed or on_the_day.days_past_due > $written_off_after_days then 0
        else on_the_day.residual_principal
    end as live_principal,
    case
        when on_the_day.days_past_due > $written_off_after_days
            then on_the_day.residual_principal
        else 0
    end as written_off_principal
from on_the_day
inner join loan on on_the_day.loan_key = loan.loan_key
