-- restated_past: loans that today's tape tells otherwise than the previous run, for its day
-- grain:   one loan, as it stood on $previous_as_of
-- reads:   book_history, previous_book, loan (a lost or quarantined loan is other checks')
-- returns: the changed loans with what changed and by how much
-- source:  history may not change between two tapes; the ids are hashed here, as loan_key is
with now_state as (

    select
        loan_key,
        residual_principal,
        cash_paid,
        oldest_due_date
    from book_history
    where
        $previous_as_of <= $as_of
        and valid_from <= $previous_as_of
        and (valid_to is null or valid_to > $previous_as_of)

),

past_state as (

    select
        hash(loan_id) as loan_key,
        residual_principal,
        cash_paid,
        oldest_due_date
    from previous_book
    where $previous_as_of <= $as_of

),

paired as (

    select
        coalesce(now_state.loan_key, past_state.loan_key) as loan_key,
        coalesce(now_state.residual_principal, 0) - coalesce(past_state.residual_principal, 0)
            as residual_change,
        coalesce(now_state.cash_paid, 0) - coalesce(past_state.cash_paid, 0) as cash_change,
        past_state.oldest_due_date as due_before,
        now_state.oldest_due_date as due_now
    from now_state
    full join past_state on now_state.loan_key = past_state.loan_key

),

changed as materialized (

    select
        loan_key,
        case when residual_change <> 0 then 'residual by ' || residual_change end as residual,
        case when cash_change <> 0 then 'cash paid by ' || cash_change end as cash,
        case
            when due_before <> due_now
                then 'oldest due date by ' || date_diff('day', due_before, due_now) || ' days'
            when due_before is null and due_now is not null then 'oldest due date now ' || due_now
            when due_before is not null and due_now is null then 'oldest due date gone'
        end as due
    from paired
    where
        residual_change <> 0
        or cash_change <> 0
        or (due_before is distinct from due_now)

)

select
    'loans.csv' as source_file,
    loan.source_row,
    loan.loan_id,
    concat_ws(', ', changed.residual, changed.cash, changed.due) as detail
from changed
inner join loan on changed.loan_key = loan.loan_key
