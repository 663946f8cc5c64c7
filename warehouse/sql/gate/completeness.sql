-- completeness: share of the cells that must be there and are
-- grain:   one row, one tape
-- reads:   tape_loan, tape_schedule, tape_transaction, tape_balance_snapshot
-- returns: completeness 0..1, NULL for an empty tape
-- source:  quality gate: non-null required cells over required cells
with counted as (

    select
        count(*) * 8 as required_cells,
        count(loan_id) + count(customer_id) + count(disburse_date) + count(maturity_date)
        + count(disbursed_principal) + count(apr) + count(outstanding_reported)
        + count(dpd_reported) as present_cells
    from tape_loan

    union all

    select
        count(*) * 7 as required_cells,
        count(loan_id) + count(due_date) + count(principal) + count(interest) + count(fees)
        + count(other) + count(tax) as present_cells
    from tape_schedule

    union all

    select
        count(*) * 8 as required_cells,
        count(loan_id) + count(paid_date) + count(transaction_type) + count(principal)
        + count(interest) + count(fees) + count(other) + count(tax) as present_cells
    from tape_transaction

    union all

    select
        count(*) * 5 as required_cells,
        count(loan_id) + count(reporting_date) + count(dpd) + count(outstanding_principal)
        + count(written_off_principal) as present_cells
    from tape_balance_snapshot

)

select
    cast(
        cast(sum(present_cells) as double) / nullif(sum(required_cells), 0) as decimal(18, 6)
    ) as completeness
from counted
