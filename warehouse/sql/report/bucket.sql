-- bucket: the live principal of a book by how many days it is late
-- grain:   one bucket of days past due, also one that nothing is in
-- reads:   book
-- returns: first_day of the bucket, last_day (NULL = no end), live_principal in money and how many
--          live loans it is on, 0 of an empty bucket and NULL of a tape that tells no loans
-- source:  operations runbook, "Key Metrics to Monitor"; Cascade's PAR7 to PAR90
with edge as (

    select unnest([0, 7, 30, 60, 90]) as first_day

),

bucket as (

    select
        first_day,
        lead(first_day) over (order by first_day) - 1 as last_day
    from edge

),

live as (

    select
        days_past_due,
        live_principal,
        loan_id
    from book
    where not is_closed and not is_written_off

)

select
    bucket.first_day,
    bucket.last_day,
    coalesce(sum(live.live_principal), 0) as live_principal,
    case when $has_loans then count(live.loan_id) end as loans
from bucket
left join live
    on
        bucket.first_day <= live.days_past_due
        and (bucket.last_day is null or bucket.last_day >= live.days_past_due)
group by bucket.first_day, bucket.last_day
order by bucket.first_day
