-- completeness_of_loan_tape: share of the cells that must be there and are
-- grain:   one row, one tape
-- reads:   tape_loan
-- returns: completeness 0..1, NULL for an empty tape; columns that such a tape may leave out do
--          not count
-- source:  quality gate: non-null required cells over required cells
select
    cast(
        cast(count(loan_id) + count(outstanding_reported) + count(dpd_reported) as double)
        / nullif(count(*) * 3, 0) as decimal(18, 6)
    ) as completeness
from tape_loan
