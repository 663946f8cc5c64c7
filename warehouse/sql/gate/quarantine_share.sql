-- quarantine_share: how much of the tape the quarantine took
-- grain:   one row, one tape
-- reads:   quarantine, tape_loan, tape_schedule, tape_transaction, tape_balance_snapshot
-- returns: bad_rows (with a reason of their own), rows taken, and the shares 0..1 of all rows and
--          of the reported outstanding balance; a row of totals is no loan: it is taken out and
--          told, and is in no share
-- source:  quality gate: limits on rows and on balance
with judged as (

    select
        reason,
        balance,
        reason like '%:TOTAL_ROW' as is_total
    from quarantine

),

taken as (

    select
        count(*) filter (where reason <> 'LOAN_QUARANTINED') as bad_rows,
        count(*) filter (where not is_total) as taken_rows,
        coalesce(sum(balance) filter (where not is_total), 0) as taken_balance
    from judged

),

whole as (

    select
        (select count(*) from tape_loan)
        + (select count(*) from tape_schedule)
        + (select count(*) from tape_transaction)
        + (select count(*) from tape_balance_snapshot) as all_rows,
        (
            select coalesce(sum(coalesce(outstanding_reported, disbursed_principal)), 0)
            from tape_loan
            where row_fault is null or row_fault not like '%:TOTAL_ROW'
        )
        + (
            select coalesce(sum(balance), 0)
            from quarantine
            where source_file <> 'loans.csv'
        ) as all_balance

)

select
    taken.bad_rows,
    taken.taken_rows,
    cast(cast(taken.taken_rows as double) / nullif(whole.all_rows, 0) as decimal(18, 6))
        as row_ratio,
    cast(
        coalesce(
            cast(taken.taken_balance as double) / nullif(cast(whole.all_balance as double), 0), 0
        )
        as decimal(18, 6)
    ) as balance_ratio
from taken, whole
