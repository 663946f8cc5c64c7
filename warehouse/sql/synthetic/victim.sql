-- victim:  which loans get a planted fault, at most one each
-- grain:   one loan with a fault
-- reads:   fault (fault, number from 0, table_name, adds_row, needs), loan, spell
-- returns: $per_fault loans of each at most, never the last one, whose payment ends the ledger;
--          copies: what each copy of the row carries, NULL = nothing: one, or the row and one more
-- source:  synthetic tape; needs keep a fault from tripping other checks where that can be helped
with fit as (

    select
        loan,
        bool_or(is_last and is_closed) as is_paid,
        bool_or(not is_closed and end_month > first_month) as has_snapshot,
        bool_or(
            not is_closed
            and end_month > first_month
            and coalesce(oldest_due_date > month_end(first_month), true)
        ) as has_punctual_snapshot
    from spell
    group by loan

),

drawn as (

    select
        loan.loan,
        loan.loan_id,
        loan.disburse_date,
        fit.is_paid,
        fit.is_paid and not fit.has_snapshot as is_never_seen,
        fit.has_punctual_snapshot,
        block($seed, loan.loan, 'fault') as bits
    from loan
    inner join fit on loan.loan = fit.loan
    where loan.loan < $loans

),

placed as (

    select
        drawn.loan_id,
        drawn.disburse_date,
        fault.fault,
        fault.table_name,
        case when fault.adds_row then [null, fault.fault] else [fault.fault] end as copies,
        row_number() over (partition by fault.fault order by u(drawn.bits, 1), drawn.loan) as place
    from drawn
    inner join fault on cast(floor(u(drawn.bits, 0) * $faults) as integer) = fault.number
    where
        case fault.needs
            when 'paid' then drawn.is_paid
            when 'never_seen' then drawn.is_never_seen
            when 'punctual_snapshot' then drawn.has_punctual_snapshot
        end

)

select
    loan_id,
    disburse_date,
    fault,
    table_name,
    copies
from placed
where place <= $per_fault
