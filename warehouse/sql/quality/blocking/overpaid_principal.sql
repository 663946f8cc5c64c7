-- overpaid_principal: loans that have paid back more principal than was lent, up to $as_of
-- grain:   one row of loans.csv
-- reads:   book_history (the open spell is of $as_of), loan
-- returns: the bad rows
-- source:  Cascade's book, rule 1: the residual is the principal less what was paid of it
select
    'loans.csv' as source_file,
    loan.source_row,
    loan.loan_id,
    'principal ' || spell.disbursed_principal || ', paid '
    || (spell.disbursed_principal - spell.residual_principal) as detail
from book_history as spell
inner join loan on spell.loan_key = loan.loan_key
where spell.valid_to is null and spell.residual_principal < 0
