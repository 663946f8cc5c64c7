-- snapshot_missing: loans not closed at the last month end that the month-end book does not list
-- grain:   one loan, on the last reporting_date up to $as_of: a book that was cut lacks its end
-- reads:   balance_snapshot, book_history, loan
-- returns: the missing rows; source_row is the loan's in loans.csv
-- source:  Cascade's month-end book lists every loan that is not closed, written off or not
with label as (

    select
        max(reporting_date) as reporting_date,
        max(as_of_date) as as_of_date
    from balance_snapshot
    where as_of_date <= $as_of

),

due as (

    select
        spell.loan_key,
        label.reporting_date
    from book_history as spell
    inner join label
        on
            spell.valid_from <= label.as_of_date
            and (spell.valid_to is null or spell.valid_to > label.as_of_date)
    where not spell.is_closed

),

missing as materialized (

    select
        due.loan_key,
        due.reporting_date
    from due
    anti join balance_snapshot
        on
            due.loan_key = balance_snapshot.loan_key
            and due.reporting_date = balance_snapshot.reporting_date

)

select
    'loans.csv' as source_file,
    loan.source_row,
    loan.loan_id,
    'no row of ' || missing.reporting_date || ' in loan_par_balances.csv' as detail
from missing
inner join loan on missing.loan_key = loan.loan_key
