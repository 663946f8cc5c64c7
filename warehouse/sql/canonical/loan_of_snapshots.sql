-- loan_of_snapshots: the loans of a month-end book that comes without loans.csv
-- grain:   one loan_id
-- reads:   balance_snapshot
-- returns: table loan with what its latest balance tells; all else is NULL: nobody has told it
-- source:  loan tape contract, version 2: loan_par_balances alone names loans and no customers
select
    loan_key,
    loan_id,
    cast(null as varchar) as customer_id,
    cast(null as boolean) as is_customer_id_usual,
    cast(null as date) as reporting_date,
    cast(null as date) as disburse_date,
    cast(null as date) as maturity_date,
    cast(null as integer) as term_days,
    cast(null as decimal(18, 2)) as disbursed_principal,
    cast(null as decimal(18, 6)) as apr,
    cast(null as varchar) as status_reported,
    arg_max(dpd, as_of_date) as dpd_reported,
    arg_max(outstanding_principal + written_off_principal, as_of_date) as outstanding_reported,
    false as has_float_noise,
    cast(null as varchar) as row_fault
from balance_snapshot
where row_fault is null or row_fault not like '%:TOTAL_ROW'
group by loan_key, loan_id
