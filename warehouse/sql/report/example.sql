-- example: the first bad rows of each check that found any
-- grain:   one bad row, up to $shown of a check
-- reads:   finding
-- returns: check_name, source_file, source_row (NULL = no single row), loan_id, detail
-- source:  the checks of sql/quality, as the run sealed what they found
with ranked as (

    select
        *,
        row_number() over (
            partition by check_name
            order by source_file, source_row, loan_id, detail
        ) as nth
    from finding

)

select
    check_name,
    source_file,
    source_row,
    loan_id,
    detail
from ranked
where nth <= $shown
order by check_name, nth
