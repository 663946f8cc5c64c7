-- course:  how each instalment is paid, if it ever is
-- grain:   one instalment
-- reads:   instalment
-- returns: amounts in cents; the part comes first, the rest on final_date (NULL = never), which
--          takes moved_ too much interest and tax and, if is_reclassified, gives it to principal
-- source:  synthetic tape; 32 % early, 43 % on the day, 23 % late, 9 % in parts, 5 % reclassified
with drawn as (

    select
        *,
        block($seed, loan, 'paid ' || number) as paid,
        block($seed, loan, 'part ' || number) as part
    from instalment

),

timed as (

    select
        *,
        u(paid, 0) as u_timing,
        payday(due_date - 1 - days_waited(u(paid, 1), 6), u(paid, 2)) as early_date,
        payday(due_date + 1 + least(days_waited(u(paid, 1), 17), 80), u(paid, 2)) as late_date,
        payday(due_date + 91 + least(days_waited(u(paid, 1), 60), 300), u(paid, 2))
            as very_late_date
    from drawn

),

finished as (

    select
        *,
        case
            -- whatever the size of the tape, its ledger ends on this day
            when loan = $loans and number = 1 then $as_of
            when is_never_paid then null
            when is_in_default
                then very_late_date + case when very_late_date < due_date + 91 then 7 else 0 end
            when u_timing < 0.325 and early_date >= due_date
                then greatest(early_date - 7, disburse_date)
            when u_timing < 0.325 and early_date > disburse_date then early_date
            when u_timing < 0.765 then due_date
            else late_date + case when late_date <= due_date then 7 else 0 end
        end as final_date,
        coalesce(final_date, due_date + 150) as parts_end_date,
        least(date_diff('day', disburse_date, parts_end_date) - 1, 60) as days_of_room,
        days_of_room > 0 and u(part, 0) < case when is_in_default then 0.3 else 0.05 end
            as has_part,
        payday(parts_end_date - 1 - cast(floor(u(part, 1) * days_of_room) as integer), u(part, 2))
            as part_date,
        case when has_part then 0.1 + 0.7 * u(part, 3) else 0 end as part_ratio
    from timed

)

select
    loan,
    number,
    disburse_date,
    interest,
    fees,
    tax,
    final_date,
    parts_end_date,
    has_part,
    part_date,
    cast(floor(principal * part_ratio) as bigint) as part_principal,
    cast(floor(interest * part_ratio) as bigint) as part_interest,
    cast(floor(fees * part_ratio) as bigint) as part_fees,
    cast(floor(tax * part_ratio) as bigint) as part_tax,
    principal - part_principal - cents_left as rest_principal,
    1 + cast(floor(interest * (0.05 + 4 * u(paid, 3))) as bigint) as moved_interest,
    1 + cast(floor(moved_interest * 0.15) as bigint) as moved_tax,
    u(paid, 3) < 0.055 and moved_interest + moved_tax < rest_principal as is_reclassified
from finished
