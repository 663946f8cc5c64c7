-- restated_payment: loans that paid the same up to the previous run's day, but not on the same days
-- grain:   one loan
-- reads:   payment, previous_payment, loan; what was paid more or less is another check's
-- returns: the loans whose payments up to $previous_as_of have moved; the cash is weighed with the
--          day it came on, and with its principal
-- source:  history may not change between two tapes
with now_paid as (

    select
        loan_id,
        sum(principal) as principal,
        sum(principal + interest + fees + other + tax) as cash,
        sum(
            (principal + interest + fees + other + tax)
            * date_diff('day', date '2000-01-01', paid_date)
        ) as cash_days,
        sum(principal * date_diff('day', date '2000-01-01', paid_date)) as principal_days
    from payment
    where paid_date <= $previous_as_of and $previous_as_of <= $as_of
    group by loan_id

),

past_paid as (

    select
        loan_id,
        sum(principal) as principal,
        sum(principal + interest + fees + other + tax) as cash,
        sum(
            (principal + interest + fees + other + tax)
            * date_diff('day', date '2000-01-01', paid_date)
        ) as cash_days,
        sum(principal * date_diff('day', date '2000-01-01', paid_date)) as principal_days
    from previous_payment
    where paid_date <= $previous_as_of and $previous_as_of <= $as_of
    group by loan_id

),

moved as materialized (

    select now_paid.loan_id
    from now_paid
    inner join past_paid on now_paid.loan_id = past_paid.loan_id
    where
        now_paid.cash = past_paid.cash
        and now_paid.principal = past_paid.principal
        and (
            now_paid.cash_days <> past_paid.cash_days
            or now_paid.principal_days <> past_paid.principal_days
        )

)

select
    'loans.csv' as source_file,
    loan.source_row,
    loan.loan_id,
    'payments of other days than before' as detail
from moved
inner join loan on moved.loan_id = loan.loan_id
