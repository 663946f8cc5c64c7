-- restated_facility: buckets that today's tape tells otherwise than the previous run, for its day
-- grain:   one bucket of days past due on $previous_as_of
-- reads:   book_then (today's tape on that day), previous_book
-- returns: the changed buckets and by how much
-- source:  history may not change between two tapes
with paired as (

    select
        book_then.days_past_due,
        book_then.live_principal - previous_book.live_principal as moved
    from book_then
    inner join previous_book on book_then.days_past_due = previous_book.days_past_due
    where $previous_as_of <= $as_of

)

select
    'facility.csv' as source_file,
    cast(null as bigint) as source_row,
    cast(null as varchar) as loan_id,
    'bucket from day ' || days_past_due || ' by ' || moved as detail
from paired
where moved <> 0
