-- all_null_columns: optional columns of loans.csv that are empty in every row
-- grain:   one column
-- reads:   loan
-- returns: the empty columns; they are of no single row
-- source:  loan tape contract, version 1
with folded as (

    select
        bool_and(is_application_date_null) as application_date,
        bool_and(is_pledge_date_null) as pledge_date,
        bool_and(is_loan_grade_null) as loan_grade,
        bool_and(is_lender_null) as lender,
        bool_and(is_facility_null) as facility,
        bool_and(is_credit_bureau_score_null) as credit_bureau_score
    from loan

),

named as (

    select
        unnest([
            'application_date', 'pledge_date', 'loan_grade', 'lender', 'facility',
            'credit_bureau_score'
        ]) as column_name,
        unnest([
            application_date, pledge_date, loan_grade, lender, facility, credit_bureau_score
        ]) as is_all_null
    from folded

)

select
    'loans.csv' as source_file,
    cast(null as bigint) as source_row,
    cast(null as varchar) as loan_id,
    column_name || ' is empty in every row' as detail
from named
where is_all_null
