-- overpaid_principal: loans that have paid back more principal than was lent, up to $as_of
-- grain:   one row of loans.csv
-- reads:   book, loan
-- returns: the bad rows
-- source:  Cascade's book, rule 1: the residual is the principal less what was paid of it
select
    'loans.csv' as source_file,
    loan.source_row,
    loan.loan_id,
    'principal ' || book.disbursed_principal || ', paid '
    || (book.disbursed_principal - book.residual_principal) as detail
from book
inner join loan on book.loan_key = loan.loan_key
where book.residual_principal < 0
