-- earlier_total: the live balance of every stored tape from the one that opens the window on
-- grain:   one stored day before $as_of
-- reads:   stored_position (as_of_date, live_principal)
-- returns: live_principal in money at the end of the day
-- source:  collection_rate, as far as stored tapes tell it
select
    as_of_date,
    sum(live_principal) as live_principal
from stored_position
where as_of_date >= $opening_date and as_of_date < $as_of
group by as_of_date
