-- loan_stand: where each loan stands in the books of two runs, and which of them tell it otherwise
-- grain:   one loan of any of the books
-- reads:   stand_before (the old run's book), stand_then (the new tape's book of the old day),
--          stand_now (the new run's book)
-- returns: as stand, of each book; absent, and NULL, where the loan is not in it
-- source:  what differs between the first two is restated, what differs after that has happened
with joined as (

    select
        coalesce(stand_before.loan_key, stand_then.loan_key, stand_now.loan_key) as loan_key,
        coalesce(stand_before.loan_id, stand_then.loan_id, stand_now.loan_id) as loan_id,
        coalesce(stand_then.stand, 'absent') as stood,
        coalesce(stand_now.stand, 'absent') as stands,
        stand_before.principal as principal_before,
        stand_then.principal as principal_then,
        stand_now.principal as principal_now,
        stand_before.days_past_due as days_before,
        stand_then.days_past_due as days_then,
        stand_now.days_past_due as days_now,
        stand_before.row_hash as hash_before,
        stand_then.row_hash as hash_then,
        stand_now.row_hash as hash_now
    from stand_before
    full join stand_then on stand_before.loan_key = stand_then.loan_key
    full join stand_now on coalesce(stand_before.loan_key, stand_then.loan_key) = stand_now.loan_key

)

select
    loan_key,
    loan_id,
    stood,
    stands,
    principal_before,
    principal_then,
    principal_now,
    days_before,
    days_then,
    days_now,
    (hash_before is distinct from hash_then) as is_restated,
    (hash_then is distinct from hash_now) as has_moved
from joined
