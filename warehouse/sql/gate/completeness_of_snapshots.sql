-- completeness_of_snapshots: share of the cells that must be there and are
-- grain:   one row, one month-end book
-- reads:   tape_balance_snapshot
-- returns: completeness 0..1, NULL for an empty one
-- source:  quality gate: non-null required cells over required cells
select
    cast(
        cast(
            count(loan_id) + count(reporting_date) + count(dpd) + count(outstanding_principal)
            + count(written_off_principal) as double
        ) / nullif(count(*) * 5, 0) as decimal(18, 6)
    ) as completeness
from tape_balance_snapshot
