-- unknown_transaction_type: ledger rows that are neither a disbursement nor a payment
-- grain:   one row of transactions.csv
-- reads:   transaction
-- returns: the bad rows; their type is not repeated, it is free text
-- source:  loan tape contract, version 1: DISBURSEMENT and PAYMENT
select
    'transactions.csv' as source_file,
    source_row,
    loan_id,
    'neither DISBURSEMENT nor PAYMENT, dated ' || paid_date as detail
from "transaction"
where transaction_type is null or transaction_type not in ('DISBURSEMENT', 'PAYMENT')
