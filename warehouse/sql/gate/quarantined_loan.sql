-- quarantined_loan: loans that leave all four tables because one of their rows cannot be used
-- grain:   one loan_key
-- reads:   tape_loan, tape_schedule, tape_transaction, tape_balance_snapshot
-- returns: loan_key of every loan with an unreadable row, and of every row without its loan
-- source:  quality gate: an unparseable or orphan row quarantines its whole loan
select loan_key
from tape_loan
where row_fault is not null
union
select loan_key
from tape_schedule
where row_fault is not null
union
select loan_key
from tape_transaction
where row_fault is not null
union
select loan_key
from tape_balance_snapshot
where row_fault is not null
union
select loan_key
from tape_schedule
anti join tape_loan using (loan_key)
union
select loan_key
from tape_transaction
anti join tape_loan using (loan_key)
union
select loan_key
from tape_balance_snapshot
anti join tape_loan using (loan_key)
