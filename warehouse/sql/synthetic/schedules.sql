-- schedules: schedules.csv, what is due when
-- grain:   one instalment, by due date
-- reads:   instalment, loan
-- returns: the columns of the export in its order; money with a decimal point
-- source:  loan tape contract, version 1
select
    loan.loan_id,
    instalment.due_date as date_due,
    money(instalment.principal) as principal,
    money(instalment.interest) as interest,
    '0.0' as other,
    money(instalment.fees) as fees,
    money(instalment.tax) as to_tax,
    '0.0' as add_balance,
    '0.0' as reduce_balance,
    'USD' as currency
from instalment
inner join loan on instalment.loan = loan.loan
order by instalment.due_date, instalment.loan
