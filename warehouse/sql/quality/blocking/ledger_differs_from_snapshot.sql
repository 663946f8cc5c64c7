-- ledger_differs_from_snapshot: snapshots that the ledger does not reproduce, up to $as_of
-- grain:   one row of loan_par_balances.csv
-- reads:   balance_snapshot, book_history, loan
-- returns: the bad rows with the figures that differ, as ledger/reported
-- source:  Cascade's book, rules 1 to 4; on a sound tape every row agrees
with paired as (

    select
        reported.*,
        spell.residual_principal,
        case
            when spell.is_closed or spell.oldest_due_date is null then 0
            else greatest(date_diff('day', spell.oldest_due_date, reported.as_of_date), 0)
        end as ledger_dpd
    from balance_snapshot as reported
    left join book_history as spell
        on
            reported.loan_key = spell.loan_key
            and reported.as_of_date >= spell.valid_from
            and (spell.valid_to is null or reported.as_of_date < spell.valid_to)
    where reported.as_of_date <= $as_of

),

valued as (

    select
        *,
        ledger_dpd > $written_off_after_days as is_over,
        case when ledger_dpd > $written_off_after_days then 0 else residual_principal end
            as ledger_live,
        case when ledger_dpd > $written_off_after_days then residual_principal else 0 end
            as ledger_written_off
    from paired

),

differing as materialized (

    select *
    from valued
    where
        residual_principal is null
        or ledger_dpd <> dpd
        or is_over <> is_written_off
        or ledger_live <> outstanding_principal
        or ledger_written_off <> written_off_principal

)

select
    'loan_par_balances.csv' as source_file,
    source_row,
    loan_id,
    as_of_date || ': ' || case
        when residual_principal is null then 'not in the ledger'
        else concat_ws(
            ', ',
            case when ledger_dpd <> dpd then 'dpd ' || ledger_dpd || '/' || dpd end,
            case
                when is_over <> is_written_off
                    then 'written off ' || is_over || '/' || is_written_off
            end,
            case
                when ledger_live <> outstanding_principal
                    then 'live ' || ledger_live || '/' || outstanding_principal
            end,
            case
                when ledger_written_off <> written_off_principal
                    then 'wrote off ' || ledger_written_off || '/' || written_off_principal
            end
        )
    end as detail
from differing
