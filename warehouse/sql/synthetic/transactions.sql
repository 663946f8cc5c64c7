-- transactions: transactions.csv, every movement of money up to the last day
-- grain:   one disbursement or payment, by day
-- reads:   loan, payment
-- returns: the columns of the export in its order; money with a decimal point
-- source:  loan tape contract, version 1
with movement as (

    select
        loan,
        loan_id,
        'DISBURSEMENT' as transaction_type,
        disburse_date as date_paid,
        0 as number,
        0 as part,
        principal,
        0 as interest,
        0 as fees,
        0 as tax
    from loan

    union all

    select
        payment.loan,
        loan.loan_id,
        'PAYMENT' as transaction_type,
        payment.paid_date as date_paid,
        payment.number,
        payment.part,
        payment.principal,
        payment.interest,
        payment.fees,
        payment.tax
    from payment
    inner join loan on payment.loan = loan.loan

)

select
    loan_id,
    transaction_type,
    date_paid,
    money(principal) as principal,
    money(interest) as interest,
    '0.0' as other,
    money(fees) as fees,
    money(tax) as to_tax,
    '0.0' as add_balance,
    '0.0' as reduce_balance,
    'USD' as currency
from movement
order by date_paid, loan, number, part
