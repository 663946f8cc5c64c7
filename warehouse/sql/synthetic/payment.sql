-- payment: the money that came in up to $as_of
-- grain:   one payment; part orders the payments of an instalment
-- reads:   course
-- returns: amounts in cents; part 3 moves no cash: interest and tax < 0, principal > 0
-- source:  synthetic tape
with payment as (

    select
        loan,
        number,
        1 as part,
        greatest(part_date - case when part_date >= parts_end_date then 7 else 0 end, disburse_date)
            as paid_date,
        part_principal as principal,
        part_interest as interest,
        part_fees as fees,
        part_tax as tax
    from course
    where has_part

    union all

    select
        loan,
        number,
        2 as part,
        final_date as paid_date,
        rest_principal - case when is_reclassified then moved_interest + moved_tax else 0 end
            as principal,
        interest - part_interest + case when is_reclassified then moved_interest else 0 end
            as interest,
        fees - part_fees as fees,
        tax - part_tax + case when is_reclassified then moved_tax else 0 end as tax
    from course
    where final_date is not null

    union all

    select
        loan,
        number,
        3 as part,
        not_sunday(final_date + 1) as paid_date,
        moved_interest + moved_tax as principal,
        -moved_interest as interest,
        0 as fees,
        -moved_tax as tax
    from course
    where final_date is not null and is_reclassified

)

select
    loan,
    number,
    part,
    paid_date,
    principal,
    interest,
    fees,
    tax
from payment
where paid_date <= $as_of
