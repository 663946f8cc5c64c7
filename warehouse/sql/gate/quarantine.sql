-- quarantine: every row that the quarantine took, with the reason; cells are left out
-- grain:   one row of one CSV
-- reads:   tape_loan, tape_schedule, tape_transaction, tape_balance_snapshot, quarantined_loan
-- returns: source_file, source_row (1-based), loan_key, reason as '<column>:<CODE>', 'ORPHAN' or
--          'LOAN_QUARANTINED' (a good row of a quarantined loan); balance = reported outstanding,
--          of an orphan that of its last month-end snapshot, since loans.csv does not know it
-- source:  quality gate
with last_label as (

    select max(reporting_date) as last_date
    from tape_balance_snapshot

),

taken as (

    select
        'loans.csv' as source_file,
        source_row,
        loan_key,
        row_fault,
        coalesce(outstanding_reported, disbursed_principal) as balance
    from tape_loan
    semi join quarantined_loan using (loan_key)

    union all

    select
        'schedules.csv' as source_file,
        source_row,
        loan_key,
        row_fault,
        cast(null as decimal(18, 2)) as balance
    from tape_schedule
    semi join quarantined_loan using (loan_key)

    union all

    select
        'transactions.csv' as source_file,
        source_row,
        loan_key,
        row_fault,
        cast(null as decimal(18, 2)) as balance
    from tape_transaction
    semi join quarantined_loan using (loan_key)

    union all

    select
        'loan_par_balances.csv' as source_file,
        source_row,
        loan_key,
        row_fault,
        case when reporting_date = last_label.last_date then outstanding_principal end as balance
    from tape_balance_snapshot
    cross join last_label
    semi join quarantined_loan using (loan_key)

),

known_loan as (

    select distinct loan_key
    from tape_loan

)

select
    taken.source_file,
    taken.source_row,
    taken.loan_key,
    coalesce(
        taken.row_fault,
        case when known_loan.loan_key is null then 'ORPHAN' end,
        'LOAN_QUARANTINED'
    ) as reason,
    case
        when taken.source_file = 'loans.csv' or known_loan.loan_key is null then taken.balance
    end as balance
from taken
left join known_loan on taken.loan_key = known_loan.loan_key
