-- restated_book: loans that today's tape tells otherwise than the previous run, for its day
-- grain:   one loan, as it stood on $previous_as_of
-- reads:   book_then (today's tape on that day, empty where it does not tell it), previous_book,
--          loan
-- returns: the changed loans with what changed and by how much; one that is gone owes nothing now
-- source:  history may not change between two tapes
with previous as (

    select *
    from previous_book
    where $previous_as_of <= $as_of and exists (select 1 from book_then)

),

paired as (

    select
        coalesce(book_then.loan_id, previous.loan_id) as loan_id,
        coalesce(book_then.residual_principal, 0) - coalesce(previous.residual_principal, 0)
            as residual_change,
        coalesce(book_then.days_past_due, 0) - coalesce(previous.days_past_due, 0) as dpd_change
    from book_then
    full join previous on book_then.loan_id = previous.loan_id
    where $previous_as_of <= $as_of

),

changed as materialized (

    select *
    from paired
    where residual_change <> 0 or dpd_change <> 0

)

select
    'loans.csv' as source_file,
    loan.source_row,
    changed.loan_id,
    concat_ws(
        ', ',
        case
            when changed.residual_change <> 0 then 'residual by ' || changed.residual_change
        end,
        case when changed.dpd_change <> 0 then 'days past due by ' || changed.dpd_change end
    ) as detail
from changed
left join loan on changed.loan_id = loan.loan_id
